"""Where the rows of any table come from, and how they are read."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.settings.types import Encoding, Name, Strict, TimeFormats, Words, Zone

PASSWORD = re.compile(r"^[^:/?#]+://[^/?#@]*:[^/?#@]+@")
"""How a URL begins that holds one."""


class Extent(Strict):
    """Where the table of a delimited file or a workbook lies; what is above and below it is set aside, and counted."""

    sheet: Name | None = None
    """The sheet of a workbook that holds the table; the first one that is not hidden where it is not given."""
    header_line: Annotated[int, Field(ge=1)] | None = None
    """The line of a delimited file, or the row of a sheet, that names the columns, where titles or comments stand above
    it; the first one where it is not given."""
    footer_lines: Annotated[int, Field(ge=0)] = 0
    """How many lines at the end of a delimited file or a sheet are no rows, as of totals or remarks; blank ones don't
    count."""


class Table(Extent):
    """Where the rows of one table come from (``path``, ``database`` and ``query``, or ``query``), and how to read them.

    Rows of a query have no order of their own: they are sorted by all their columns, so that a run repeats itself. What
    would have no effect is refused, as of a table that only queries read decimal, thousands, time_zone and time_format.
    """

    path: Name | None = None
    """A file below data_root, or a glob over several; the ending tells the format: .csv, .tsv, .txt, .jsonl, .ndjson,
    .json (all of them also .gz, .bz2, .zst), .parquet, .xlsx."""
    database: Name | None = None
    """A database to put the query to: $NAME, an environment variable that holds its URL, as in
    postgresql+psycopg://user:password@host/name; or a URL without a password, as in sqlite:///crm.sqlite, which lies
    below data_root."""
    query: Name | None = None
    """SQL: in the database's own dialect, or without a database in DuckDB's, over ingest.tables and other sources
    by their names; moment(text, 'iso') reads a time as time_format does, in UTC."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """What separates the columns of a delimited file; told from the header where it is not given."""
    encoding: Encoding | None = None
    """How a file writes its letters, as in cp1252; UTF-8 where it is not given, or UTF-16 where the file says so."""
    decimal: Literal[".", ","] = "."
    """What stands before the decimals of a number that is text."""
    thousands: Literal["", ".", ",", "'"] = ""
    """What groups the digits of a number that is text; spaces always may."""
    nothing: Words = ()
    """Words that the table writes where it has nothing, in quotes, as in ['NULL', '\\N', '0000-00-00']: a text that is
    one of them is missing."""
    left_out: dict[Name, Words] = Field(default_factory=dict)
    """Rows that do not count, as what was deleted, or a test: columns, each with the words by which it says so, in
    quotes, as in {is_deleted: ['true', '1']}. They are set aside, and counted."""
    time_of_day: dict[Name, Name] = Field(default_factory=dict)
    """Columns of days, each with the one that says at which hour. In {Date: Time} Date is then read with its hour, by a
    time_format of both, as '%Y-%m-%d %H%M' where it is 930 or 1430; a part of a day (0.604166) is read as its clock."""
    time_zone: Zone = "UTC"
    """The zone of times that carry no offset."""
    time_format: TimeFormats = ("iso",)
    """How times are written that are text or numbers: iso, epoch_seconds (_milliseconds, _microseconds, _nanoseconds),
    excel_days, or strptime's codes, as in '%d/%m/%Y %H:%M'; or a list of these, of which the first that fits counts. By
    codes without an offset German, French, Spanish, Italian, Dutch and Portuguese months are read, too ('%d %b %Y'), a
    day of the week before them, and clocks as in 14h30, 14:30 Uhr, 2:30 p. m."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.path is None and self.query is None:
            raise ValueError("says not where its rows come from; give it a path, or a query")
        if self.path is not None and (self.query is not None or self.database is not None):
            raise ValueError("has a path and a query or database; keep one: rows come from files or from a query")
        if self.database is not None and PASSWORD.match(self.database):
            raise ValueError(
                "the URL in database holds a password, and settings are shared; "
                "put the URL into an environment variable and name it: database: $CRM_DATABASE"
            )
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands are the same sign; leave thousands out, or name another")
        return self
