"""The model as text files, and the list of what may be wrong with it."""
