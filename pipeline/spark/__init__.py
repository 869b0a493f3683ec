"""Spark: the session, the code that its executors need, and its failures in one message."""
