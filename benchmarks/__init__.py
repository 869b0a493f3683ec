"""What the project is measured by: the engine, the ingest and the scoring against named peers."""
