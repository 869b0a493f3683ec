"""What a model is worth, what chance would show, and what is amiss."""
