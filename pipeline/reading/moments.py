"""Times as the world writes them, in SQL; and which formats a column of times could be written in.

A text with an offset (or a zone's name) obeys it, one without is a local time of the table's time zone, a date alone
is its midnight. On the day that summer time ends, the hour that occurs twice is taken as the second one (winter time);
on the day that it begins, a time in the hour that doesn't exist is moved forward by an hour:

    Europe/Amsterdam    2025-10-26 02:30  ->  01:30 UTC     2025-03-30 02:30  ->  01:30 UTC (03:30 there)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain

import duckdb
import pyarrow as pa

from features.core.errors import InputError, SettingsError
from pipeline.core.sql import Relation, fetch_row, literal, named, open_reader
from pipeline.reading.mapped_table import Problem, problem
from pipeline.reading.nothing import is_there
from pipeline.reading.texts import Columns, as_text, in_english, is_text, shape, trimmed, with_offset
from pipeline.settings.table import Table

EPOCHS = ("epoch_seconds", "epoch_milliseconds", "epoch_microseconds", "epoch_nanoseconds")
"""Formats of numbers that count from 1970 on, in the order in which a list must try them."""
_MICROSECONDS = {"epoch_seconds": 1_000_000, "epoch_milliseconds": 1_000, "epoch_microseconds": 1}
EXCEL = "excel_days"
"""The format of a spreadsheet's times: days since the end of 1899, as in 46025.75."""
_EXCEL_1970 = 25_569
NUMBERS = (*EPOCHS, EXCEL)
"""Formats of numbers."""

_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999 in microseconds since 1970: other times can't be read."""
_NUMBERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT",
    "DOUBLE",
}  # fmt: skip


def moment(name: str, column: str, raw: Columns, table: Table) -> dict[str, str]:
    """Give a TIMESTAMP in UTC that is null where it can't be read, and whether there was anything to read."""
    kind, sql = raw[column].type, raw[column].sql
    if is_text(raw[column]):
        carefully = named("written", trimmed(raw[column]), read_text("written", table.time_format, table.time_zone))
        return {
            name: _read_as_it_stands(as_text(raw[column]), carefully, table),
            f"{name}_given": is_there(as_text(raw[column])),
        }
    if kind in _NUMBERS or kind.startswith("DECIMAL"):
        # Numbers may be compact dates, too: 20260304.
        written = [part for part in table.time_format if part != "iso"]
        if not written:
            raise InputError(
                f"{_place(table)}: the column {column!r} holds numbers ({kind}); state as time_format what they are: "
                f"{', '.join(NUMBERS)}, or '%Y%m%d' where 20260304 is a day"
            )
        read = [
            _read_number(sql, part, table.time_zone) if part in NUMBERS
            else _read_format(f"CAST(TRY_CAST({sql} AS BIGINT) AS VARCHAR)", part, table.time_zone)
            for part in written
        ]  # fmt: skip
        found = _first(read)
    elif kind == "TIMESTAMP WITH TIME ZONE":
        found = f"CASE WHEN {_within_years(sql, kind)} THEN make_timestamp(epoch_us({sql})) END"
    elif (kind.startswith("TIMESTAMP") or kind == "DATE") and table.time_zone == "UTC":
        # As it stands it costs nothing: Parquet's own bounds tell that all of a row group can be read.
        as_it_stands = f"TRY_CAST({sql} AS TIMESTAMP)"
        found = f"CASE WHEN {_within_years(as_it_stands, 'TIMESTAMP')} THEN {as_it_stands} END"
    elif kind.startswith("TIMESTAMP") or kind == "DATE":
        found = _from_local(f"CAST({sql} AS TIMESTAMP)", table.time_zone)
    else:
        raise InputError(f"{_place(table)}: the column {column!r} holds {kind} and no times; map another one")
    return {name: found, f"{name}_given": f"{sql} IS NOT NULL"}


TOO_EARLY = (
    ("< TIMESTAMP '1970-01-01'", "before 1970"),
    ("< TIMESTAMP '1970-01-02'", "on 1970-01-01, the zero of clocks"),
)
"""What is wrong with a time as SQL, and in words."""


def moment_problems(name: str) -> list[Problem]:
    """List what may be wrong with a time that has to be there."""
    return [
        problem(f"NOT {name}_given", f"missing {name}"),
        problem(f"{name} IS NULL", f"unreadable {name}"),
        *(problem(f"{name} {test}", f"{name} {what}") for test, what in TOO_EARLY),
    ]


def day_of(name: str, zone: str) -> str:
    """Give the calendar day of a moment in a time zone: where a day was written, that day."""
    local = name if zone == "UTC" else f"timezone({literal(zone)}, timezone('UTC', {name}))"
    return f"CAST({local} AS DATE)"


def timestamp(moment: datetime) -> str:
    """Write a time as SQL."""
    return f"TIMESTAMP {literal(moment.isoformat(sep=' '))}"


def read_text(text: str, formats: tuple[str, ...], zone: str) -> str:
    """Read a text by the first format that fits, else what it is in English; the session's zone must be ``zone``."""
    read = [_read_format(text, time_format, zone) for time_format in formats]
    in_words = [_read_format("english", time_format, zone) for time_format in formats if _may_hold_words(time_format)]
    if in_words:  # after all others: to translate costs the most
        read.append(named("english", in_english(text), _first(in_words)))
    return _first(read)


def _first(read: Sequence[str]) -> str:
    return read[0] if len(read) == 1 else f"coalesce({', '.join(read)})"


def _may_hold_words(time_format: str) -> bool:
    """Tell a format of texts that people read: what has an offset was written by a program."""
    return time_format not in (*NUMBERS, "iso") and not parses_offset(time_format)


def _read_format(text: str, time_format: str, zone: str) -> str:
    if time_format in NUMBERS:
        return _read_number(text, time_format, zone)
    if time_format == "iso":
        return _read_iso(text)
    return _read_written(text, literal(time_format), zone, zoned=parses_offset(time_format))


def _read_as_it_stands(text: str, carefully: str, table: Table) -> str:
    """Try the cast on a text as it stands, where iso comes first; what it can't read is read ``carefully``.

    It reads what it reads without the spaces around it, but they are not looked for: most columns need no more.
    """
    if table.time_format[0] != "iso":
        return carefully
    return f"coalesce({_clip(f'epoch_us(TRY_CAST({text} AS TIMESTAMPTZ))', _DIGIT.format(text))}, {carefully})"


_DIGIT = "{0} >= '0' AND {0} < ':'"


def _read_iso(text: str) -> str:
    """Read what DuckDB casts, as it stands or once its zone is an offset.

    The cast to TIMESTAMP would drop an offset without a word; this one obeys it. Where there is none it takes the
    session's zone, which is the table's. Only what starts with a digit is a time: not 'epoch'.
    """
    close = f"replace(replace(upper({text}), ' +', '+'), ' -', '-')"
    tidy = f"replace(replace({with_offset(text)}, ' +', '+'), ' -', '-')"
    casts = ", ".join(f"TRY_CAST({written} AS TIMESTAMPTZ)" for written in (text, close, tidy))
    return _clip(f"epoch_us(coalesce({casts}))", _DIGIT.format(text))


def _read_written(text: str, time_format: str, zone: str, *, zoned: bool) -> str:
    """Read by strptime's codes, given as SQL; where these have an offset, a zone in words is one, too."""
    parsed = f"try_strptime({text}, {time_format})"
    if zoned:
        parsed = f"coalesce({parsed}, try_strptime({with_offset(text)}, {time_format}))"
        return _clip(f"epoch_us({parsed})")
    return _from_local(parsed, zone)


def _read_number(number: str, time_format: str, zone: str) -> str:
    if time_format == "epoch_nanoseconds":
        return _clip(f"CAST(TRY_CAST({number} AS HUGEINT) // 1000 AS BIGINT)", f"TRY_CAST({number} AS BIGINT) > 0")
    if time_format == EXCEL:
        # A day's fraction has fewer digits than its milliseconds need microseconds.
        days = f"TRY_CAST({number} AS DECIMAL(26, 12)) - {_EXCEL_1970}"
        milliseconds = f"CAST(round(CAST({days} AS DOUBLE) * 86400000) AS BIGINT)"
        return _from_local(f"TRY(make_timestamp({milliseconds} * 1000))", zone)
    # Twenty digits before the point hold every time, and leave room to multiply: what has more is no time.
    exact = f"TRY_CAST({number} AS DECIMAL(26, 6))"
    return _clip(f"TRY_CAST(trunc({exact} * {_MICROSECONDS[time_format]}) AS BIGINT)")


def macro() -> str:
    """Write the SQL that defines ``moment(text, time_format)``, by which queries read times as tables do, in UTC."""
    text = _bare("text")
    by_name = " ".join(f"WHEN {literal(name)} THEN {_read_format(text, name, 'UTC')}" for name in ("iso", *NUMBERS))
    in_words = named("english", in_english(text), _read_written("english", "time_format", "UTC", zoned=False))
    written = f"coalesce({_read_written(text, 'time_format', 'UTC', zoned=True)}, {in_words})"
    return f"CREATE TEMP MACRO moment(text, time_format) AS (CASE time_format {by_name} ELSE {written} END)"


def read_in_utc(sql: str, formats: Sequence[str]) -> str:
    """Write what ``moment`` reads by the first of some formats that fits.

    It is planned in a tenth of the time, as the macro brings the readings of all formats into the statement.
    """
    return read_text(_bare(sql), tuple(formats), "UTC")


def _bare(sql: str) -> str:
    return f"trim(CAST({sql} AS VARCHAR), ' \t\u00a0\u202f')"


def _from_local(local: str, zone: str) -> str:
    instant = local if zone == "UTC" else f"timezone({literal(zone)}, {local})"
    return _clip(f"epoch_us({instant})", f"isfinite({local})")


def _within_years(time: str, kind: str) -> str:
    """Say whether a time, of a type that DuckDB knows as ``kind``, is in the years that can be read."""
    first, last = (f"CAST('{moment}+00' AS {kind})" for moment in ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"))
    return f"{time} BETWEEN {first} AND {last}"


def _clip(epoch: str, readable: str = "true") -> str:
    """Turn microseconds since 1970 into a TIMESTAMP; null outside of the years 1 to 9999, as where they are infinite.

    They may be the work of twenty patterns, and are named, by a lambda, for these to be planned and computed once.
    """
    given = epoch if readable == "true" else f"CASE WHEN {readable} THEN {epoch} END"
    clipped = f"CASE WHEN clock BETWEEN {_FIRST} AND {_LAST} THEN make_timestamp(clock) END"
    return f"TRY({named('clock', given, clipped)})"


@cache
def parses_offset(time_format: str) -> bool:
    """Ask DuckDB whether a format holds an offset; raises SettingsError where it is no format at all."""
    try:
        with open_reader() as connection:
            row = connection.execute("SELECT typeof(try_strptime(NULL, ?))", [time_format]).fetchone()
    except duckdb.Error as error:
        raise SettingsError(
            f"time_format {time_format!r}: {str(error).splitlines()[0]}; write it as in '%d/%m/%Y %H:%M:%S', or iso, "
            f"{', '.join(NUMBERS)}"
        ) from None
    return row is not None and row[0] == "TIMESTAMP WITH TIME ZONE"


def _place(table: Table) -> str:
    return table.path or "the query"


_CLOCKS = (
    "", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %H:%M:%S", ", %I:%M %p",
    ", %I:%M:%S %p", " %H:%M %z", " %H:%M:%S %z", "T%H:%M", "T%H:%M:%S", "T%H:%M:%S.%f", "T%H:%M:%S%z",
    " %H:%M:%S.%f %z", "T%H:%M:%S.%f%z", " %I:%M:%S %p %z", ", %I:%M:%S %p %z", " %I:%M%p", " %I:%M:%S%p",
    " at %I:%M %p", " at %I:%M:%S %p", " at %H:%M", " %H.%M", " %H.%M.%S", " %H:%M:%S,%f", ":%H:%M:%S %z",
    " %H", " %H%M", " %H%M%S",
)  # fmt: skip
# The short year comes first: the long one would take 26 for the year 26.
_DATES = {
    "day first": (
        "%d/%m/%y", "%d.%m.%y", "%d-%m-%y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y",
        "%d-%b-%y", "%d %b %y", "%d-%b-%Y", "%d %b %Y", "%d/%b/%Y", "%d-%B-%Y", "%d %B %Y", "%a, %d %b %Y",
        "%a %d %b %Y", "%d. %B %Y", "%A, %d %B %Y",
    ),
    "year first": ("%y/%m/%d", "%y.%m.%d", "%y-%m-%d", "%Y.%m.%d", "%Y%m%d", "%Y %b %d"),
    "month first": (
        "%m/%d/%y", "%m.%d.%y", "%m-%d-%y", "%m/%d/%Y", "%m.%d.%Y", "%m-%d-%Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y",
        "%a %b %d %Y", "%A, %B %d, %Y", "%b %d, %y",
    ),
}  # fmt: skip
_FAMILIES: dict[str, tuple[str, ...]] = {
    order: tuple(date + clock for date in dates for clock in _CLOCKS) for order, dates in _DATES.items()
} | {name: (name,) for name in NUMBERS}
# What iso reads as well comes after it.
_NO_ISO = (date + clock for date in ("%Y-%m-%d", "%Y/%m/%d") for clock in _CLOCKS if clock)
_FAMILIES["year first"] += ("%Y%m%d%H%M%S", "iso", *_NO_ISO)
_EARLIEST_EPOCH = "TIMESTAMP '1990-01-01'"
"""A number that would be an earlier time is an amount or an id, or counts something else."""
_CODES = {
    "d": "[0-9]{1,2}", "m": "[0-9]{1,2}", "y": "[0-9]{2}", "Y": "[0-9]{4}", "b": "[a-z]{3}", "B": "[a-z]{3,}",
    "a": "[a-z]{3}", "H": "[0-9]{1,2}", "I": "[0-9]{1,2}", "M": "[0-9]{2}", "S": "[0-9]{2}", "f": "[0-9]{1,9}",
    "p": "[ap]m", "z": r"(?= *[-+a-z(\[]) ?(?:[a-z]{1,4})?[-+]?[0-9:]*(?:\[.*\]| ?\(.*\))?", "A": "[a-z]{6,9}",
}  # fmt: skip
"""What strptime's codes look like: only formats that may fit are tried."""


@dataclass(frozen=True)
class Fit:
    """Formats of one order of day, month and year that a column could be written in, and what they read of it."""

    formats: tuple[str, ...]
    share: float
    """Of the distinct texts."""

    def __str__(self) -> str:
        """Write the formats as the settings hold them."""
        quoted = [repr(name) for name in self.formats]
        return quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"


def fitting_formats(values: Iterable[str]) -> list[Fit]:
    """Find the formats that a column of times could be written in, the best first.

    A column may mix days with and without a time, and signs between them, but not the order of day, month and year:
    there is one fit for each order that reads anything. Where the first two read the same share, the column does not
    tell which it is (see ``ambiguous``).
    """
    texts = sorted({text for value in values if (text := value.strip(" \t\u00a0\u202f"))})
    if not texts:
        return []
    shapes = {shape(text): text for text in (*texts, *_translated(texts))}.values()
    possible = _possible(shapes)
    if not all(map(_look(EXCEL).fullmatch, texts)):
        possible = [name for name in possible if name != EXCEL]  # beside other texts it is a number
    read_by = read_by_format(texts, possible)
    fits = [_fit(formats, read_by, len(texts)) for formats in _FAMILIES.values()]
    return sorted((fit for fit in fits if fit.formats), key=lambda fit: -fit.share)


def ambiguous(fits: Sequence[Fit]) -> list[Fit]:
    """List the fits among which the column doesn't tell; none where the first is better than all others."""
    alike = [fit for fit in fits if fit.share == fits[0].share]
    return alike if len(alike) > 1 else []


def _possible(texts: Iterable[str]) -> list[str]:
    """List the formats that any of some texts looks like, in their order.

    There are a thousand, and to compile what one looks like takes a millisecond: few have the signs of a text.
    """
    by_signs: dict[str, set[str]] = {}
    for text in texts:
        by_signs.setdefault(_signs(text), set()).add(text)
    return [
        name
        for name, own in _signs_of_formats().items()
        if any(map(_look(name).fullmatch, by_signs.get(own, ()) if own is not None else chain(*by_signs.values())))
    ]


def _signs(text: str) -> str:
    return re.sub("[A-Za-z0-9]", "", text)


@cache
def _signs_of_formats() -> dict[str, str | None]:
    """Give the signs that stand between letters and digits of each format; None where others may follow."""
    names = dict.fromkeys(chain.from_iterable(_FAMILIES.values()))
    return {name: None if "%" not in name or "%z" in name else _signs(re.sub("%.", "", name)) for name in names}


@cache
def _look(time_format: str) -> re.Pattern[str]:
    """Give what texts of a format look like."""
    if time_format in EPOCHS:
        return re.compile(r"[0-9]{9,}([.][0-9]+)?")
    if time_format == EXCEL:
        return re.compile(r"[0-9]{5}([.][0-9]+)?")
    if time_format == "iso":
        return re.compile("[0-9]{4}[-/].*|[0-9]{8}T.*")
    parts = re.split("%(.)", time_format.replace(" %z", "%z"))
    looks = [_CODES[part] if odd else re.escape(part) for position, part in enumerate(parts) for odd in [position % 2]]
    return re.compile("".join(looks), re.IGNORECASE)


def _fit(formats: Sequence[str], read_by: dict[str, set[str]], texts: int) -> Fit:
    """Take, of one order, the formats that read the most until none reads more; in the order they must be tried."""
    chosen: set[str] = set()
    read: set[str] = set()
    able = [name for name in formats if read_by.get(name)]
    while able:
        best = max(able, key=lambda name: len(read_by[name] - read))
        if read_by[best] <= read:
            break
        chosen.add(best)
        read |= read_by[best]
    return Fit(tuple(name for name in formats if name in chosen), len(read) / texts)


def read_by_format(texts: Sequence[str], formats: Sequence[str]) -> dict[str, set[str]]:
    """Find which texts each format reads as a time from 1970 to 2100."""
    if not formats:
        return {}
    ways = [("text", "english") if _may_hold_words(name) else ("text",) for name in formats]
    reads = [_first([_read_format(text, name, "UTC") for text in way]) for name, way in zip(formats, ways, strict=True)]
    readings = [f"{sql} AS t{number}" for number, sql in enumerate(reads)]
    earliest = [_EARLIEST_EPOCH if name in NUMBERS else "TIMESTAMP '1970-01-01'" for name in formats]
    lists = [f"list(text) FILTER (t{number} >= {first} AND t{number} < TIMESTAMP '2100-01-01')"
             for number, first in enumerate(earliest)]  # fmt: skip
    with open_reader() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        with Relation(connection, "texts").show(pa.table({"text": pa.array(texts, pa.string())})) as shown:
            translated = f"SELECT text, {in_english('text')} AS english FROM {shown}"
            read = f"SELECT text, {', '.join(readings)} FROM ({translated})"
            row = fetch_row(connection, f"SELECT {', '.join(lists)} FROM ({read})")
    return {name: set(read or ()) for name, read in zip(formats, row, strict=True)}


def _translated(texts: Sequence[str]) -> list[str]:
    """Give one text of each shape, in English."""
    one_of_each = list({shape(text): text for text in texts}.values())
    with open_reader() as connection:
        asked = f"SELECT {in_english('text')} FROM (SELECT unnest(?) AS text)"
        return [text for (text,) in connection.execute(asked, [one_of_each]).fetchall()]
