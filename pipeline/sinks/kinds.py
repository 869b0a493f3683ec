"""What our fields hold: texts, numbers or a date."""

from __future__ import annotations

from typing import Literal

Kind = Literal["text", "number", "date"]


def kind_of(ours: str) -> Kind:
    """Say what one of our fields holds.

    >>> kind_of("probability"), kind_of("date"), kind_of("tier")
    ('number', 'date', 'text')
    """
    return "number" if ours in {"probability", "score"} else "date" if ours == "date" else "text"
