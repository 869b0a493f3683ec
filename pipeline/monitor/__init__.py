"""Whether the champion keeps what it promised, and whether what it reads is still of the kind it learned from."""
