"""The pages of ``docs/`` that are generated from the code, so that they say what it does: ``make docs`` writes them."""
