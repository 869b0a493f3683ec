"""What the columns of a table hold: times, numbers, categories, identifiers or free text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from pipeline.core.sql import fetch_by_column, identifier, literal
from pipeline.profiling.tables import FoundTable, Tables
from pipeline.profiling.words import IN_CENTS, PERSONAL, VALUE, has, is_called_id, is_called_time, rank
from pipeline.reading.moments import EPOCHS, EXCEL, Fit, ambiguous, fitting_formats, parses_offset, read_in_utc
from pipeline.reading.totals import WORDS

NumberFormat = Literal["plain", "comma", "grouped", "apostrophe"]
Kind = Literal["empty", "time", "stamp", "planned", "number", "flag", "category", "identifier", "text"]
"""Of times, those at which something happened are told apart: the stamp of a row's last change, and what is planned."""
TIMES: tuple[Kind, ...] = ("time", "stamp", "planned")

_SAMPLE = 100_000
_EXAMPLES = 3_000
_MOST_CATEGORIES = 500
_LONG_TEXT = 80
_DAY_LENGTH = len("2026-01-31")
_MOSTLY, _HALF, _SOME = 0.9, 0.5, 0.05
_FEW = 20
_FEW_YEARS = 5 * 366
_SHOWN = 12
_PLAIN = r"[+-]?\d+([.]\d+)?([eE][+-]?\d+)?"
_SPACES = " \u00a0\u202f"
_APOSTROPHES = "'\u2019"
_COMMA = rf"[+-]?\d{{1,3}}([.{_SPACES}]?\d{{3}})*(,\d+)?|[+-]?\d+(,\d+)?"
_GROUPED = rf"[+-]?\d{{1,3}}([,{_SPACES}]\d{{3}})+([.]\d+)?"
_APOSTROPHE = rf"[+-]?\d{{1,3}}([{_APOSTROPHES}]\d{{3}})+([.]\d+)?"
_UNGROUPED = r"[+-]?\d{4,}"
_MONEY = r"^(EUR|USD|GBP|CHF|€|\$|£)\s*|\s*(EUR|USD|GBP|CHF|€|\$|£)$"
_WITH_ZONE = r"\d ?(?:Z|[+-]\d{2}:?(?:\d{2})?)$|[A-Z]{2,5}\W*$|\[[A-Za-z]+/"
_TOTAL = re.compile(WORDS)
_TIMELIKE = (
    r"\d.*[-/.:].*\d|\d{5}|\d{8}|\d{10}|\d{13,14}|\d{16}|\d{19}|\d+[.]\d+|\d{1,2}\W?[A-Za-z]{3}|"
    r"\d{1,2}(er)?\W? ?\p{L}{2,}.* \d{2,4}|\p{L}{3,}[.]? \d{1,2},? \d{4}"
)


@dataclass(frozen=True)
class Column:
    """A column and what was found out about it; shares are of all rows, but for ``time_share``: of those filled."""

    name: str
    kind: Kind
    filled: float
    distinct: int
    examples: tuple[str, ...]
    """Its most frequent values, or some of them."""
    fits: tuple[Fit, ...] = ()
    """The ways to read it as times; more than one where they can't be told apart."""
    number_format: NumberFormat | None = None
    unique: bool = False
    """Whether no filled value occurs twice."""
    values: tuple[str, ...] = ()
    """All distinct values of a category or a flag, the most frequent first."""
    native: bool = False
    """Whether its times are of a type of their own, not texts or numbers."""
    note: str = ""
    """What is odd: a column that is called a time, and can't be read as one."""

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of its times."""
        return self.fits[0].formats if self.fits else ()

    @property
    def holds_days(self) -> bool:
        """Whether its times are days without an hour."""
        if self.kind not in TIMES or set(EPOCHS) & set(self.formats):
            return False
        if self.formats == (EXCEL,):
            return not any(text.partition(".")[2].strip("0") for text in self.examples)
        if "iso" not in self.formats:
            return not any(re.search("%[HI]", name) for name in self.formats)
        return all(len(text) <= _DAY_LENGTH or not text[_DAY_LENGTH:].strip(" T0:.Z+") for text in self.examples)

    @property
    def is_local(self) -> bool:
        """Whether nothing says in which zone its times are."""
        if self.native or self.holds_days or set(self.formats) & {*EPOCHS, EXCEL}:
            return False
        written = any(parses_offset(name) for name in self.formats if name != "iso")
        return not (written or any(re.search(_WITH_ZONE, text) for text in self.examples))

    @property
    def is_ambiguous(self) -> bool:
        """Whether day and month can't be told apart."""
        return len(self.fits) > 1


@dataclass(frozen=True)
class Recorded:
    """A time that may say when an event was known, judged beside the time at which it occurred."""

    column: str
    occurred: str
    holds: bool
    said: str
    """What was found."""
    is_load: bool = False
    """Whether one load brought most rows."""
    of_end: bool = False
    """Whether what happened then is that something ended."""


@dataclass(frozen=True)
class Profile:
    """A table and its columns."""

    table: FoundTable
    columns: Mapping[str, Column]
    recorded: tuple[Recorded, ...] = ()
    """The times that may say when its events were known, the likeliest first."""
    drawn_at: datetime | None = None
    """When the exports were drawn, as far as their clocks tell: what is dated later was written beforehand."""

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    @property
    def rows(self) -> int:
        """How many rows were looked at."""
        return self.table.rows

    def of_kind(self, *kinds: Kind) -> list[Column]:
        """List the columns of some kinds, in the order of the table."""
        return [column for column in self.columns.values() if column.kind in kinds]


def profiles(tables: Tables) -> dict[str, Profile]:
    """Look at all columns of all tables."""
    return {name: Profile(table, _columns(tables, table)) for name, table in tables.found.items()}


def _columns(tables: Tables, table: FoundTable) -> dict[str, Column]:
    found = zip(table.columns, table.types, _counts(tables, table), strict=True)
    return {name: _column(tables, table, name, kind, counts) for name, kind, counts in found}


class _NumberCounts(NamedTuple):
    """How many values of a column are written in which way."""

    plain: int
    comma: int
    grouped: int
    apostrophe: int
    pointed: int
    """With a point, and no comma."""
    point_groups: int
    """Of these, with three digits after each point, and one to three before it, the first of which is no zero."""
    commaed: int
    """With a comma, and no point."""
    comma_groups: int
    ungrouped: int
    """Whole numbers of four digits and more, without any sign."""


def _count_numbers(text: str) -> list[str]:
    """Write the SQL aggregates of ``_NumberCounts`` over an expression of texts."""
    amount = f"regexp_replace({text}, '{_MONEY}', '')"

    def fitting(pattern: str) -> str:
        return f"count(*) FILTER (regexp_full_match({amount}, {literal(pattern)}))"

    def signed(sign: str) -> list[str]:
        return [
            fitting(rf"[+-]?[0-9{sign}]*[{sign}][0-9{sign}]*"),
            fitting(rf"[+-]?[1-9]\d{{0,2}}([{sign}]\d{{3}})+"),
        ]

    whole = [fitting(pattern) for pattern in (_PLAIN, _COMMA, _GROUPED, _APOSTROPHE)]
    return [*whole, *signed("."), *signed(","), fitting(_UNGROUPED)]


class _Counts(NamedTuple):
    filled: int
    distinct: int
    longest: int
    timelike: int
    totals: int
    numbers: _NumberCounts


def _counts(tables: Tables, table: FoundTable) -> list[_Counts]:
    """Count of every column what is filled, distinct, and looks like a number or a time."""
    aggregates = []
    for name in table.columns:
        written = f"trim(CAST({identifier(name)} AS VARCHAR))"
        text = f"CASE WHEN {written} NOT IN ('', '-', '--', '\u2013', '\u2014') THEN {written} END"
        aggregates.append(
            [
                f"count({text})",
                f"count(DISTINCT {text})",
                f"coalesce(max(length({text})), 0)",
                f"count(*) FILTER (regexp_matches({text}, '{_TIMELIKE}'))",
                f"count(*) FILTER (regexp_matches({text}, {literal(WORDS)}))",
                *_count_numbers(text),
            ]
        )
    found = fetch_by_column(tables.connection, table.relation, aggregates)
    return [_Counts._make((*own[:5], _NumberCounts._make(own[5:]))) for own in found]


def _column(tables: Tables, table: FoundTable, name: str, duckdb_type: str, counts: _Counts) -> Column:
    if not counts.filled:
        return Column(name, "empty", 0.0, 0, ())
    filled = counts.filled / table.rows
    frequent = _values(tables, table, name, f"LIMIT {_SAMPLE}")
    examples = tuple(text[:_LONG_TEXT] for text in frequent[:_SHOWN])
    unique = counts.filled > 1 and counts.distinct == counts.filled
    if duckdb_type.startswith("TIMESTAMP") or duckdb_type == "DATE":
        own = (Fit(("iso",), 1.0),)
        return Column(name, "time", filled, counts.distinct, examples, own, unique=unique, native=True)
    fits, note = _times(tables, table, name, counts, duckdb_type)
    if fits:
        # What is as long as most is no dirt, however often it is there.
        length = Counter(map(len, examples)).most_common(1)[0][0]
        tidy = tuple(sorted(examples, key=lambda text: len(text) != length))
        return Column(name, "time", filled, counts.distinct, tidy, fits, unique=unique)
    number, grouping = _number_format(counts.numbers, counts.filled, name, table.settings.delimiter)
    kind = _kind(name, counts, number, examples, unique=unique)
    if (kind == "number" and grouping) or (not number and rank(name, VALUE)):
        note = _odd_numbers(f"{table.name}.{name}", counts, frequent, grouping) or note
    if kind == "number" and rank(name, VALUE) and has(name, IN_CENTS):
        note = f"{table.name}.{name} is in cents by its name, and no amount of an event: let a query divide it by 100"
    if examples[0].startswith("[{"):
        note = (
            f"{table.name}.{name} lists several things a row, and nothing is made of them; where they are what "
            f"happened, write one a line: jq -c 'del(.{name}) + .{name}[]'"
        )
    values: tuple[str, ...] = ()
    if kind in ("category", "flag"):
        values = frequent if table.rows <= _SAMPLE else _values(tables, table, name)
    return Column(
        name, kind, filled, counts.distinct, examples, number_format=number, unique=unique, values=values, note=note
    )


def _kind(name: str, counts: _Counts, number: str | None, examples: Sequence[str], *, unique: bool) -> Kind:
    """Tell what a column holds that is no time."""
    if (counts.distinct <= 2 and number is None) or (counts.distinct == 2 and number):  # noqa: PLR2004 - a flag has two
        return "flag"
    if _is_identifier(name, counts, number) or ("@" in "".join(examples[:3]) and counts.distinct > _FEW):
        return "identifier"
    if number and counts.distinct > 1:
        return "number"
    if counts.distinct <= min(_MOST_CATEGORIES, max(20, counts.filled // 4)) and counts.longest <= 2 * _LONG_TEXT:
        return "category"
    if unique and counts.longest <= _LONG_TEXT and not has(name, PERSONAL) and " " not in "".join(examples):
        return "identifier"
    return "text"


def _number_format(
    counts: _NumberCounts, filled: int, name: str, delimiter: str | None
) -> tuple[NumberFormat | None, str]:
    """Tell how numbers are written, and which sign was taken to group digits because of all values alone.

    One sign before three digits may group them or begin decimals: 4,968 is nearly five thousand, or nearly five.
    Numbers of a delimited file are texts; other files have a type for them.
    """
    enough = 0.95 * filled
    # Whoever writes 1,234 does not write 1234: where both are there, the sign is one of decimals.
    groups = counts.ungrouped <= 0.05 * (counts.pointed + counts.commaed)
    # A number with three decimals in all rows may be a measure; money has none, and no measure is at times without.
    is_money = rank(name, VALUE) > 0
    by_comma = groups and counts.commaed == counts.comma_groups > 0
    # Where commas separate columns, they hardly begin decimals.
    by_comma = by_comma and (is_money or delimiter != ";" or counts.commaed < counts.comma - counts.commaed)
    by_point = groups and counts.pointed == counts.point_groups > 0 and not counts.commaed
    by_point = by_point and delimiter is not None and (is_money or counts.pointed < counts.plain)
    ways: list[tuple[NumberFormat, int, str]] = [
        ("comma", counts.comma if by_point else 0, "."),
        ("plain", counts.plain, ""),
        ("grouped", counts.grouped + counts.plain if by_comma else 0, "," if counts.grouped == counts.commaed else ""),
        ("comma", counts.comma, ""),
        ("grouped", counts.grouped + counts.plain, ""),
        ("apostrophe", counts.apostrophe + counts.plain, ""),
    ]
    return next(((way, sign) for way, fitting, sign in ways if fitting >= enough), (None, ""))


def _odd_numbers(column: str, counts: _Counts, texts: Sequence[str], grouping: str) -> str:
    """Tell how numbers were taken that could be other ones, or that amounts are written in several ways."""
    if grouping:
        one = next(text for text in texts if grouping in text)
        return (
            f"{column}: {one} is taken for {one.replace(grouping, '')}, for all of its values that have a {grouping!r} "
            "have three digits after it; if decimals begin there, say so by decimal and thousands"
        )
    numbers = counts.numbers
    if numbers.comma + numbers.grouped + numbers.plain < 0.95 * counts.filled:
        return ""
    one = next((text for text in texts if "," in text.rpartition(".")[2]), texts[0])
    other = next((text for text in texts if "," in text.rpartition(".")[0]), texts[-1])
    return f"{column} holds amounts written in several ways, as in {one!r} and {other!r}; write them in one"


def _is_identifier(name: str, counts: _Counts, number: str | None) -> bool:
    """Go by the name, where there are many; a lone number may be a count."""
    if has(name, PERSONAL) and not has(name, "id|uuid|guid"):
        return False
    return is_called_id(name) and counts.distinct > (50 if number else 20) and counts.longest <= _LONG_TEXT


def _times(
    tables: Tables, table: FoundTable, name: str, counts: _Counts, duckdb_type: str
) -> tuple[tuple[Fit, ...], str]:
    """Find how the texts read as times, and what is odd about them; numbers must also be called a time."""
    if counts.distinct < 2:  # noqa: PLR2004 - one value tells nothing
        return (), ""
    if counts.timelike < _MOSTLY * (counts.filled - counts.totals):
        return (), "" if is_called_id(name) or rank(name, VALUE) else _tell_stranger(tables, table, name, counts)
    column = identifier(name)
    rows = tables.ask(
        f"SELECT text FROM (SELECT DISTINCT CAST({column} AS VARCHAR) AS text FROM {table.relation}) "
        f"WHERE trim(text) <> '' ORDER BY hash(text) LIMIT {_EXAMPLES}"
    )
    texts = [text for row in rows if not _TOTAL.match(text := row[0].strip())]
    called = is_called_time(name)
    is_number = counts.numbers.plain >= 0.95 * counts.filled or duckdb_type not in ("VARCHAR", "JSON")
    if is_number and (not called or is_called_id(name)):
        return (), ""
    fits = fitting_formats(texts)
    if fits and fits[0].share >= _MOSTLY:
        alike = ambiguous(fits)
        return _likely(tables, texts, alike) if alike else tuple(fits[:1]), ""
    if not called or is_called_id(name) or (counts.numbers.plain >= _MOSTLY * counts.filled and not _may_count(fits)):
        return (), ""
    best = f"{fits[0].share:.0%} of its values fit {fits[0]}" if fits else "its values fit no format that is known here"
    return (), f"{table.name}.{name} is called a time, but {best}; write it in one format"


def _likely(tables: Tables, texts: Sequence[str], fits: Sequence[Fit]) -> tuple[Fit, ...]:
    """Leave out the orders by which times lie decades apart: of 05.03.26 and 31.03.26 the year is 26."""
    read = (read_in_utc("text", fit.formats) for fit in fits)
    spans = ", ".join(f"date_diff('day', min({moment}), max({moment}))" for moment in read)
    days = tables.ask_row(f"SELECT {spans} FROM (SELECT unnest([{', '.join(map(literal, texts))}]) AS text)")
    return tuple(fit for fit, span in zip(fits, days, strict=True) if span <= max(_FEW_YEARS, 2 * min(days)))


def _may_count(fits: Sequence[Fit]) -> bool:
    """Tell numbers that count from 1970, some in one unit and some in another: half of them do in one."""
    return bool(fits) and fits[0].share >= _HALF and bool({*fits[0].formats} & {*EPOCHS})


def _tell_stranger(tables: Tables, table: FoundTable, name: str, counts: _Counts) -> str:
    """Tell what a column holds that is called a time, and holds some."""
    if not is_called_time(name) or counts.timelike < max(3, _SOME * counts.filled):
        return ""
    text = f"CAST({identifier(name)} AS VARCHAR)"
    [(word, count)] = tables.ask(
        f"SELECT {text} AS word, count(*) FROM {table.relation} WHERE trim({text}) <> '' AND "
        f"NOT regexp_matches({text}, '{_TIMELIKE}') GROUP BY word ORDER BY count(*) DESC, word LIMIT 1"
    )
    share = count / counts.filled
    if share < _SOME:
        return (
            f"{table.name}.{name} is called a time, but only {counts.timelike / counts.filled:.0%} of its values look "
            f"like one, and not {word[:_LONG_TEXT]!r}; write it in one format"
        )
    return (
        f"{table.name}.{name} is called a time, but {share:.0%} of its values are {word[:_LONG_TEXT]!r}; "
        "where nothing happened, leave the cell empty"
    )


def _values(tables: Tables, table: FoundTable, name: str, limit: str = "") -> tuple[str, ...]:
    """List the most frequent values of a column, of all rows or of those within a limit."""
    column = f"CAST({identifier(name)} AS VARCHAR)"
    rows = tables.ask(
        f"SELECT text FROM (SELECT {column} AS text FROM {table.relation} {limit}) "
        f"WHERE trim(text) <> '' GROUP BY text ORDER BY count(*) DESC, text LIMIT {_MOST_CATEGORIES}"
    )
    return tuple(text for (text,) in rows)


def time_sql(expression: str, column: Column) -> str:
    """Write the SQL that reads a column of times just as ingest does; what has no offset is UTC."""
    if column.native:
        return f"CAST({expression} AS TIMESTAMP)"
    read = [f"moment({expression}, {literal(name)})" for name in column.formats or ("iso",)]
    return read[0] if len(read) == 1 else f"coalesce({', '.join(read)})"


def read_time(column: Column, table: str = "") -> str:
    """Write the SQL that reads a column of times as ``time_sql`` does, for questions: no settings hold it."""
    name = f"{table}.{identifier(column.name)}" if table else identifier(column.name)
    return f"CAST({name} AS TIMESTAMP)" if column.native else read_in_utc(name, column.formats or ("iso",))
