"""From a probability to who works on the lead, and why."""
