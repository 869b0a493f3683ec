"""What fields hold in the systems that take scores and how many letters, and whether a lead is closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Literal

from features.core.recommendation import RECOMMENDATION
from pipeline.settings.push import Closed


def is_closed(values: Mapping[str, object], closed: Closed) -> bool:
    """Tell whether one of the fields holds a value that says so.

    >>> is_closed({"stage": "won"}, {"stage": ("won", "lost")}), is_closed({"stage": "new"}, {"stage": ("won", "lost")})
    (True, False)
    >>> is_closed({"state": "2.0"}, {"state": (1, 2)}), is_closed({"archived": "TRUE"}, {"archived": (True,)})
    (True, True)
    """
    return any(_says(values.get(field), value) for field, said in closed.items() for value in said)


def _says(held: object, value: str | float | bool) -> bool:
    if isinstance(value, str):
        return held == value
    if isinstance(value, bool):
        return str(held).lower() == str(value).lower() or held == value  # SQLite's truth is 1
    with suppress(TypeError, ValueError):
        return not isinstance(held, bool) and float(held) == value  # type: ignore[arg-type]
    return False


NUMERIC = ("probability", "score", "expected_value")
"""Those of our fields that hold a number."""
DATED = ("date", "recontact_on", "suspended_since")
"""Those that hold a day."""
Kind = Literal["text", "number", "date"]


def kind_of(ours: str) -> Kind:
    """Say what one of our fields holds.

    >>> kind_of("probability"), kind_of("date"), kind_of("tier")
    ('number', 'date', 'text')
    """
    return "number" if ours in NUMERIC else "date" if ours in DATED else "text"


CHOICES: Mapping[str, tuple[str, ...]] = {field.name: field.allowed for field in RECOMMENDATION if field.allowed}
"""What those of our fields may hold that are one of a few words."""
LETTERS: Mapping[str, int] = {
    **{ours: max(map(len, choices)) for ours, choices in CHOICES.items()},
    **dict.fromkeys(DATED, len("2026-06-30")),
    "probability": len("0.1234"),
    "score": len("12.34"),
}
"""How many letters those of our fields need that mean nothing, or something else, when they are cut."""


def too_short(sizes: Mapping[str, int | None], mapping: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Give the fields that take too few letters, each with what is to be done; other texts are merely cut.

    >>> list(too_short({"x_tier": 3, "x_reason": 3}, {"tier": "x_tier", "reason_1": "x_reason"}))
    [('x_tier', 'takes 3 letters, and tier needs 12; make it longer, or map tier to another (push.fields)')]
    """
    for ours, field in mapping.items():
        needed = LETTERS.get(ours, 0)
        size = sizes.get(field)
        if size is not None and size < needed:
            remedy = f"make it longer, or map {ours} to another (push.fields)"
            yield field, f"takes {size} letters, and {ours} needs {needed}; {remedy}"
