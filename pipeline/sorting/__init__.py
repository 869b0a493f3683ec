"""Files mapped, and the log sorted, in this process or by Spark: who does it, and what each does the same way."""
