"""Rows that can't be used: where they stand and why, and when they are too many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from features.core.errors import InputError
from pipeline.core.sql import LINE_BITS, Relation, file_literal, line_of, literal
from pipeline.reading.raw_files import FOOTER_LINE, NOT_UTF_8, TITLE_LINE

DUPLICATE = "duplicate"
UNKNOWN_LEAD = "unknown lead"
MERGED = "merged into another lead"
TWO_LEADS = "alias claimed by two leads"
CIRCLE = "links in a circle"
NO_EVENT = "no event in the row"
OWN_WRITE = "written by leadcast"
LEFT_OUT = "left out"
"""A column of ``left_out`` says that the row does not count."""
TOTAL = "total of the others"
WORD = "{} is a word, and no id"
ROUNDED = "{} is rounded"
EXPECTED = frozenset({
    DUPLICATE, UNKNOWN_LEAD, MERGED, TWO_LEADS, NO_EVENT, OWN_WRITE, TOTAL, TITLE_LINE, FOOTER_LINE,
    LEFT_OUT,
    WORD.format("lead_id"), WORD.format("alias_id"),
})  # fmt: skip
"""What sound logs hold, too. All other reasons mean that a row is broken."""


@dataclass(frozen=True)
class SetAside:
    """The rows of one table that were set aside for one reason, and the first of them."""

    table: str
    reason: str
    rows: int
    first_file: str
    first_line: int


def write_quarantine(
    judged: Relation, table: str, files: Sequence[str], target: Path, width: int = 1
) -> list[SetAside]:
    """Write source, file, line and reason of each row of the relation ``judged`` (sequence, reason) that has a reason.

    ``width`` is the number of entries that a line may become. The row itself is not kept: it may be personal, and is
    found by file and line.
    """
    names = f"[{', '.join(map(literal, files))}]"
    place = f"{names}[(sequence >> {LINE_BITS}) + 1] AS file, {line_of(width)} AS line"
    judged.connection.execute(
        f"COPY (SELECT {literal(table)} AS source, {place}, reason FROM "
        f"(SELECT sequence, reason FROM {judged} WHERE reason IS NOT NULL ORDER BY sequence)) "
        f"TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)"
    )
    rows = judged.connection.execute(
        "SELECT reason, count(*), arg_min(file, number), arg_min(line, number) "
        f"FROM (SELECT *, file_row_number AS number FROM read_parquet({file_literal(target)}, file_row_number = true)) "
        "GROUP BY reason ORDER BY count(*) DESC, reason"
    ).fetchall()
    return [SetAside(table, *row) for row in rows]


def count_rows(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[int, int, int]:
    """Count the rows of a relation, those that can't be used, and of these the titles and remarks around them."""
    around = f"reason IN ({literal(TITLE_LINE)}, {literal(FOOTER_LINE)})"
    counts = f"count(*), count(reason), count(*) FILTER ({around})"
    [(every, unusable, lines)] = connection.execute(f"SELECT {counts} FROM {relation}").fetchall()
    return every, unusable, lines


def say_rows(every: int, unusable: int, lines: int = 0, read: str = "read") -> str:
    """Say how many rows there are; ``lines`` of the unusable ones are none.

    >>> say_rows(1_200, 3)
    '1,200 rows read, 3 of them unusable'
    """
    said = f"{every - lines:,} rows {read}, {unusable - lines:,} of them unusable"
    return f"{said}; {lines:,} line{'s' if lines > 1 else ''} above or below them" if lines else said


def broken_share(set_aside: Iterable[SetAside], rows: int) -> float:
    """Give the share of a table's rows that is broken."""
    return sum(part.rows for part in set_aside if part.reason not in EXPECTED) / rows if rows else 0.0


def too_many_broken(
    tables: Sequence[Sequence[SetAside]], maximum: float, folder: Path, advice: Sequence[str] = ()
) -> InputError:
    """Make the error that says which rows of which tables are broken, where to find them and what to set."""
    broken = [part for parts in tables for part in parts if part.reason not in EXPECTED]
    lines = [
        f"  {part.table}: {part.reason}: {part.rows:,} rows, the first in {part.first_file}, line {part.first_line}"
        + ("; set encoding, as in encoding: cp1252" if part.reason == NOT_UTF_8 else "")
        for part in broken
    ]
    return InputError(
        f"more rows are broken than ingest.maximum_broken ({maximum:g}) allows:\n"
        + "\n".join([*lines, *advice])
        + f"\nmend the files or the mapping, or raise the share; all rows that were set aside are listed in {folder}"
    )
