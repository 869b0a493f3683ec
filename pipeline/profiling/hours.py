"""Days whose hours stand in a column of their own, as ``Datum`` and ``Uhrzeit``: which hour belongs to which day.

A day of which the hour is not read counts from midnight, and the acts of a day have no order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import duckdb

from pipeline.core.sql import fetch_by_column, literal
from pipeline.profiling.words import has, plain
from pipeline.reading.texts import MIDNIGHT, NO_DAY_OF_HOUR

_DAY = (
    rf"(?i)([^\W\d]+[.,]? )?(\d{{1,4}}[-/. ]+[^\W_]+[-/., ]+\d{{2,4}}|[^\W\d]+ \d\d?, \d{{4}}|\d{{8}})[.]?({MIDNIGHT})?"
)
_MIDNIGHT_HOUR = r"0{1,2}[:h.].*"
_LENGTH = (
    r"duration|length|elapsed|talk\w*|wait\w*|ring\w*|hold\w*|handl\w*|spent|took|age|avg|average|total|"
    r"prefer\w*|best|opening|wunsch\w*|dauer|\w*dauer|lange|duree|attente|duracion|durata|duur"
)
"""What is written as an hour is, and says how long something took, or when somebody is there."""
_LAST = r"end|ended|ends|finish(?:ed)?|until|to|bis|ende|fin|jusqu|hasta|fine|tot|einde"
_HOUR_WORDS = r"time|hour|clock|uhrzeit|zeit|uhr|heure|hora|ora|orario|tijd|tijdstip"
_OF_TIME = rf"(?:{_HOUR_WORDS}|date|day|datum|tag|jour|fecha|dia|data|giorno|dag|at|on|of|um|am|a|le|de|du|local)"
_MOSTLY, _HALF = 0.9, 0.5


def find_hours(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, str]
) -> tuple[dict[str, str], str]:
    """Pair columns of days with those that say at which hour, of a relation; ``columns`` are their SQL by name.

    Gives them, and what is told of hours of which nobody knows the day.
    """
    counts = [
        [
            f"count(*) FILTER ({text} <> '' AND regexp_full_match({text}, {literal(pattern)}))"
            for pattern in ("(?s).*", _DAY, _clock(name), _MIDNIGHT_HOUR)
        ]
        for name, text in ((name, f"trim(CAST({sql} AS VARCHAR))") for name, sql in columns.items())
    ]
    found = fetch_by_column(connection, relation, counts)
    days, hours = [], []
    for name, (filled, day, clock, midnight) in zip(columns, found, strict=True):
        if filled and day >= _MOSTLY * filled:
            days.append(name)
        # Lengths are written alike; most calls are shorter than an hour.
        elif filled and clock >= _MOSTLY * filled and midnight < _HALF * filled and not has(name, _LENGTH):
            hours.append(name)
    return _pair(list(columns), days, hours)


def _clock(name: str) -> str:
    """Give the pattern of an hour; 14.30 is a number, too, where nothing calls it an hour."""
    signs = "[:h.]" if has(name, rf"\w*(?:{_HOUR_WORDS})") else "[:h]"
    return (
        rf"(?i)({NO_DAY_OF_HOUR})?([01]?\d|2[0-3]) ?{signs} ?[0-5]\d([:.][0-5]\d([.,]\d+)?)?"
        r" ?([ap][.]? ?m[.]?|uhr|h)? ?(z|[+-]\d\d:?\d\d)?"
    )


def _pair(names: Sequence[str], days: Sequence[str], hours: Sequence[str]) -> tuple[dict[str, str], str]:
    """Pair by what is left of the names, else the only day with the first hour, else what stands side by side."""
    found: dict[str, str] = {}
    left = sorted(hours, key=lambda hour: (has(hour, _LAST), names.index(hour)))
    ways: tuple[Callable[[str, str], bool], ...] = (
        lambda day, hour: _rest(day) == _rest(hour),
        lambda day, hour: names.index(hour) == names.index(day) + 1,
        lambda _day, _hour: len(days) == 1,
    )
    for fits in ways:
        for hour in list(left):
            day = next((day for day in days if day not in found and fits(day, hour)), None)
            if day is not None:
                found[day] = hour
                left.remove(hour)
    lost = [hour for hour in left if len(days) > len(found)]
    told = f"{', '.join(lost)} may say at which hour of a day, and of which is not known: time_of_day says it"
    return found, told if lost else ""


def _rest(name: str) -> str:
    """Give what a name says beside that it is a day, or an hour.

    >>> [_rest(name) for name in ("Start Date", "start_time", "Anrufdatum", "Anrufzeit", "Datum", "Uhrzeit")]
    ['start', 'start', 'anruf', 'anruf', '', '']
    """
    bare = (re.sub(r"(?<=\w{3})(?:s?datum|date|uhrzeit|zeit|time|tag|tijd)$", "", word) for word in plain(name).split())
    return " ".join(word for word in bare if not re.fullmatch(_OF_TIME, word))
