"""What scores are written to: one module a kind of system, all behind ``pipeline.sinks.protocol``."""
