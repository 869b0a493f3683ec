"""Days whose hours stand in a column of their own, as ``Datum`` and ``Uhrzeit``: which hour belongs to which day.

A day of which the hour is not read counts from midnight, and the acts of a day have no order. A bare number is an hour
where it is called one, and all of its column agree:

    14          1430          143005             0.604166       of a day, as spreadsheets hold it
    14:00       14:30         14:30:05           14:30
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

import duckdb

from pipeline.core.sql import fetch_by_column, literal
from pipeline.profiling.words import has, plain
from pipeline.reading.texts import MIDNIGHT, NO_DAY_OF_HOUR, PART_OF_DAY

_DAY = (
    rf"(?i)([^\W\d]+[.,]? )?(\d{{1,4}}[-/. ]+[^\W_]+[-/., ]+\d{{2,4}}|[^\W\d]+ \d\d?, \d{{4}}|\d{{8}})[.]?({MIDNIGHT})?"
)
_MIDNIGHT_HOUR = r"0{1,2}[:h.].*"
_LENGTH = (
    r"duration|length|elapsed|talk\w*|wait\w*|ring\w*|hold\w*|handl\w*|response|spent|took|age|avg|average|total|"
    r"prefer\w*|best|opening|wunsch\w*|dauer|\w*dauer|lange|duree|attente|duracion|durata|duur"
)
"""What is written as an hour is, and says how long something took, or when somebody is there."""
_LAST = r"end|ended|ends|finish(?:ed)?|until|to|bis|ende|fin|jusqu|hasta|fine|tot|einde"
_HOUR_WORDS = r"time|hour|clock|uhrzeit|zeit|uhr|heure|hora|ora|orario|tijd|tijdstip"
_OF_TIME = rf"(?:{_HOUR_WORDS}|date|day|datum|tag|jour|fecha|dia|data|giorno|dag|at|on|of|um|am|a|le|de|du|local)"
_CLEARLY = r"hour|hr|uhr|uhrzeit|heure|hora|ora|orario|stunde|uur"
"""What says of a number below 24 that it is an hour; a time may be a length, too."""
_H, _MM = r"([01]?\d|2[0-3])", r"[0-5]\d"
_BARE = {
    "hour": (rf"{_H}([.]0)?", r"(1[3-9]|2\d)([.]0)?"),
    "minutes": (rf"0|{_H}{_MM}", r"[6-9]\d\d|0[6-9]\d\d|[12]\d{3}"),
    "seconds": (rf"0|{_H}{_MM}{_MM}", r"[6-9]\d{4}|0[6-9]\d{4}|[12]\d{5}"),
    "share": (rf"0([.]0)?|{PART_OF_DAY}", r"0?[.,]\d{3,}"),
}
"""Bare numbers that are hours of a day, with what many are where nobody counts, or says 2 in the afternoon."""
_NUMBER = r"\d+([.,]\d+)?"
_MOSTLY, _HALF, _SOME = 0.9, 0.5, 0.05


def find_hours(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, str]
) -> tuple[dict[str, str], str]:
    """Pair columns of days with those that say at which hour, of a relation; ``columns`` are their SQL by name.

    Gives them, and what is told of hours of which nobody knows the day.
    """
    counts = [
        [
            f"count(*) FILTER ({text} <> '' AND regexp_full_match({text}, {literal(pattern)}))"
            for pattern in ("(?s).*", _DAY, _clock(name), _MIDNIGHT_HOUR, _NUMBER, *chain(*_BARE.values()))
        ]
        for name, text in ((name, f"trim(CAST({sql} AS VARCHAR))") for name, sql in columns.items())
    ]
    found = fetch_by_column(connection, relation, counts)
    counted = dict(zip(columns, found, strict=True))
    days = [name for name, (filled, day, *_) in counted.items() if filled and day >= _MOSTLY * filled]
    parts = {_rest(day) for day in days} | {""}
    hours: list[str] = []
    strange: list[str] = []
    for name, (filled, _, clock, midnight, numbers, *bare) in counted.items():
        if name in days or not filled or has(name, _LENGTH):
            continue
        # Lengths are written alike; most calls are shorter than an hour.
        if clock >= _MOSTLY * filled and midnight < _HALF * filled:
            hours.append(name)
        elif numbers >= _MOSTLY * filled and has(name, rf"\w*(?:{_HOUR_WORDS})|{_CLEARLY}") and _rest(name) in parts:
            (hours if _is_bare_hour(name, filled, bare) else strange).append(name)
    return _pair(list(columns), days, hours, strange)


def _is_bare_hour(name: str, filled: int, counts: Sequence[int]) -> bool:
    """Tell numbers that are hours by all of them from those that count something."""
    for way, fitting, telling in zip(_BARE, counts[::2], counts[1::2], strict=True):
        share = _SOME if way == "hour" else _HALF
        if fitting == filled and telling >= share * filled and (way != "hour" or has(name, _CLEARLY)):
            return True
    return False


def local_twins(names: Iterable[str]) -> dict[str, str]:
    """Find the times that another column has in UTC, by their names: that one needs no zone.

    >>> local_twins(["date_created", "date_created_gmt", "local_time", "utc_time", "paid_at", "time zone"])
    {'date_created': 'date_created_gmt', 'local_time': 'utc_time'}
    """
    called = {name: (words - {"gmt", "utc", "local"}, bool(words & {"gmt", "utc"}))
              for name in names for words in [frozenset(plain(name).split())]}  # fmt: skip
    in_utc = {rest: name for name, (rest, is_utc) in called.items() if is_utc and rest}
    return {name: in_utc[rest] for name, (rest, is_utc) in called.items() if not is_utc and rest in in_utc}


def _clock(name: str) -> str:
    """Give the pattern of an hour; 14.30 is a number, too, where nothing calls it an hour."""
    signs = "[:h.]" if has(name, rf"\w*(?:{_HOUR_WORDS})") else "[:h]"
    return (
        rf"(?i)({NO_DAY_OF_HOUR})?([01]?\d|2[0-3]) ?{signs} ?[0-5]\d([:.][0-5]\d([.,]\d+)?)?"
        r" ?([ap][.]? ?m[.]?|uhr|h)? ?(z|[+-]\d\d:?\d\d)?"
    )


def _pair(
    names: Sequence[str], days: Sequence[str], hours: Sequence[str], strange: Sequence[str]
) -> tuple[dict[str, str], str]:
    """Pair by what is left of the names, else the only day with the first hour, else what stands side by side.

    Hours that are written in a ``strange`` way are told.
    """
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
    if len(days) == len(found):
        return found, ""
    lost = [f"{', '.join(left)} may say at which hour of a day, and of which is not known: time_of_day says it"]
    told = f"{', '.join(strange)} may say at which hour of a day, and holds bare numbers of which none knows how: "
    lost = lost[: len(left)] + [f"{told}let a query write 14:30"][: len(strange)]
    return found, "; ".join(lost)


def _rest(name: str) -> str:
    """Give what a name says beside that it is a day, or an hour.

    >>> [_rest(name) for name in ("Start Date", "start_time", "Anrufdatum", "Anrufzeit", "Datum", "Uhrzeit")]
    ['start', 'start', 'anruf', 'anruf', '', '']
    """
    bare = (re.sub(r"(?<=\w{3})(?:s?datum|date|uhrzeit|zeit|time|tag|tijd)$", "", word) for word in plain(name).split())
    return " ".join(word for word in bare if not re.fullmatch(_OF_TIME, word))
