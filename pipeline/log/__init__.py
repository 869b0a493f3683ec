"""What the log on disk says: how far each source reaches, who ended when, how much there is to learn from."""
