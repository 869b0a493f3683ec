"""Texts in cells that a spreadsheet would run as formulas."""

from __future__ import annotations

import re

FORMULA = r"^[=+\-@\t\r]"
"""How a text begins that a spreadsheet runs."""
_FORMULA = re.compile(FORMULA)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def defuse(text: str) -> str:
    """Make a formula a text again, by an apostrophe before it; a number, as of a telephone, is none.

    >>> defuse("=1+1"), defuse("+3112345678"), defuse("call today")
    ("'=1+1", '+3112345678', 'call today')
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def restore(text: str) -> str:
    """Take away the apostrophe that ``defuse`` has put there.

    >>> restore("'=1+1"), restore("'s Gravenhage")
    ('=1+1', "'s Gravenhage")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text
