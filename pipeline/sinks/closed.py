"""What fields hold in the systems that take scores: texts, numbers or a date, and whether a lead is closed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

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


Kind = Literal["text", "number", "date"]


def kind_of(ours: str) -> Kind:
    """Say what one of our fields holds.

    >>> kind_of("probability"), kind_of("date"), kind_of("tier")
    ('number', 'date', 'text')
    """
    return "number" if ours in {"probability", "score"} else "date" if ours == "date" else "text"
