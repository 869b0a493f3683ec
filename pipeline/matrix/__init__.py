"""From the log on disk to the matrix, in batches that never split a lead, and the matrix read again."""
