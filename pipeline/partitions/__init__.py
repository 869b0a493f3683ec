"""The log put in order, one part of the leads at a time."""
