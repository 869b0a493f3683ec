"""How features are computed: a reference in plain Python, and a compiled walk that equals it."""
