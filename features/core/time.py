"""Lengths of time as people write them: ``6h``, ``30d``, ``2w``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PATTERN = re.compile(r"(\d+)([mhdw])")

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LONGEST = 36_525 * DAY
_DIGITS = 20
"""More are far beyond it."""


def parse_duration(text: object) -> timedelta:
    """Read a length of time.

    >>> parse_duration("36h")
    datetime.timedelta(days=1, seconds=43200)

    Raises ValueError where the text is no whole number followed by m, h, d or w.
    """
    if isinstance(text, timedelta):
        return text
    match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is no length of time; write a whole number and a unit, as in '6h', '30d', '2w'")
    try:
        length = timedelta(**{_UNITS[match[2]]: int(match[1].lstrip("0")[:_DIGITS] or "0")})
    except OverflowError:
        length = timedelta.max
    if length > LONGEST:
        raise ValueError(f"{text!r} is longer than a hundred years; write less")
    return length


class _Read:
    """Has the settings read a length of time as it is written here, and as nothing else: neither 30 nor P30D."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> Mapping[str, object]:
        from pydantic import BeforeValidator  # noqa: PLC0415 - only who reads the settings needs it

        return BeforeValidator(parse_duration).__get_pydantic_core_schema__(source, handler)


Duration = Annotated[timedelta, _Read()]
"""A length of time in the settings."""


def format_duration(length: timedelta) -> str:
    """Write a length of time in its largest whole unit of days, hours or minutes.

    >>> format_duration(timedelta(hours=48)), format_duration(timedelta(hours=36))
    ('2d', '36h')
    """
    for unit, size in (("d", DAY), ("h", HOUR)):
        if length and length % size == timedelta(0):
            return f"{length // size}{unit}"
    return f"{length // timedelta(minutes=1)}m"


def microseconds(length: timedelta) -> int:
    """Give the length as a whole number of microseconds, the unit of every time in the project."""
    return length // timedelta(microseconds=1)
