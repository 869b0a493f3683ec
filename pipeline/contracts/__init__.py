"""What must hold of the log and of recommendations, with Great Expectations."""
