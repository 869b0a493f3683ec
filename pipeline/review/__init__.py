"""Two models side by side, for whoever decides which of them scores."""
