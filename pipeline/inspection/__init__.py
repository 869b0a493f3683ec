"""Questions about a run: why this value, and what is odd."""
