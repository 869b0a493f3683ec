"""Questions about a run: why this value, what is odd, and how much of it is our own doing."""
