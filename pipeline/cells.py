"""Texts as cells of a file that people may open in a spreadsheet."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

FORMULA = r"^[=+\-@\t\r]"
"""How a text begins that a spreadsheet would run."""


def as_cells(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Keep a spreadsheet from running a text that begins as a formula does: an apostrophe makes it text again."""
    formula = pc.match_substring_regex(texts, FORMULA)
    return pc.if_else(formula, pc.binary_join_element_wise("'", texts, ""), texts)
