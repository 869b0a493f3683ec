"""The stage ``ingest``: raw logs of any schema in, one sorted log of interactions out."""
