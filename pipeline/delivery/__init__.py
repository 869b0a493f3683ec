"""From recommendations to another system: what is sent, to whom it was sent, and how to take it back."""
