"""What each column adds to the log-odds of a lead."""
