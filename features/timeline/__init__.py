"""When an episode opens and ends, when we look, what the future held, and how regularly sources tell of it."""
