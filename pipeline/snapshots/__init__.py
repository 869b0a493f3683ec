"""The stage ``snapshots``: the log stretch by stretch, by this process or by Spark, and what comes out of all of it."""
