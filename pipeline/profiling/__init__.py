"""What the tables of a folder hold, column by column, and how they hang together."""
