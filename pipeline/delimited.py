"""Delimited text (CSV), read safely.

The dialect is settled once, from a strict header. Bodies are read as text, every row with its line:

- a block without quotes that is clean goes through Arrow's fast parser;
- any other block goes through Python's strict one. A record may span lines inside of quotes, but one that never
  closes, or doesn't fit the header once it does, or holds what reads like rows of the table, costs its first line
  alone: reading goes on at the next line, so a stray quote swallows nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv

from features.errors import InputError
from pipeline.raw_files import LONGEST_RECORD_BYTES, Block, LineReader, OversizedLine
from pipeline.swallowed_rows import Form

_DELIMITERS = (",", ";", "\t", "|")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LONGEST_RECORD_LINES = 1000
"""A note may hold many lines; a quote that is still open after these was never meant to be closed."""

BROKEN_QUOTES = "broken quotes or line end"
SWALLOWS = "quote that swallows rows"
TOO_LONG = "line too long"


@dataclass(frozen=True)
class Header:
    """The names of a file's columns and what separates them."""

    delimiter: str
    names: tuple[str, ...]


def read_header(lines: LineReader, wanted: Sequence[str] | None, delimiter: str | None) -> Header:
    """Read the first line, with the given delimiter or the one that finds most of the wanted columns (all: the most).

    Raises InputError where the file is empty, can't be decoded, or the header is no header.
    """
    line = lines.read_line().removesuffix(b"\r")
    if lines.is_empty:
        raise InputError(f"{lines.name} is empty; export it again, or take it away")
    if not line.strip():
        raise InputError(f"{lines.name}: the first line is empty; it must name the columns")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{lines.name} is {lines.undecodable}; set encoding, as in encoding: cp1252") from None
    if "\0" in text:
        raise InputError(f"{lines.name} looks like UTF-16 without a mark; set encoding: utf-16-le (or utf-16-be)")
    headers = [Header(choice, _split(text, choice)) for choice in ([delimiter] if delimiter else _DELIMITERS)]
    found = [header.names if wanted is None else set(wanted) & set(header.names) for header in headers]
    best = max(zip(headers, found, strict=True), key=lambda pair: len(pair[1]))[0]
    if not best.names:
        raise InputError(f"{lines.name}: the first line can't be read as a header; check its quotes and line ends")
    named = [name for name in best.names if name]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise InputError(f"{lines.name}: the header names {', '.join(map(repr, twice))} twice; rename one of them")
    return best


def _split(text: str, delimiter: str) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([text], delimiter=delimiter, strict=True)))
    except csv.Error:
        return ()


def read_rows(lines: LineReader, header: Header, wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Read the rows below the header: line, reason (why the row can't be used, or null), r0, r1 ... as text.

    Blank lines are no rows. Raises InputError where the file ends in the middle of a row.
    """
    csv.field_size_limit(LONGEST_RECORD_BYTES)
    positions = [header.names.index(name) for name in wanted]
    while (block := lines.read()) is not None:
        if isinstance(block, OversizedLine):
            yield make_batch([block.line], [TOO_LONG], [[None] for _ in positions])
            continue
        plain = _parse_plain(block, header, positions)
        if plain is not None:
            yield plain
            continue
        rows = _StrictRows(lines, block, header)
        yield rows.parse(positions)
        lines.put_back(rows.unread)


def make_batch(
    lines: Sequence[int] | pa.Array, reasons: Sequence[str | None] | pa.Array, columns: Sequence[Sequence[str | None]]
) -> pa.RecordBatch:
    """Build a batch of raw rows: line, reason, then the columns r0, r1 ... as text."""
    return pa.RecordBatch.from_arrays(
        [pa.array(lines, pa.int64()), pa.array(reasons, pa.string()), *(pa.array(c, pa.string()) for c in columns)],
        schema=batch_schema(len(columns)),
    )


def batch_schema(columns: int) -> pa.Schema:
    """Give the schema of a batch of raw rows."""
    texts = [(f"r{position}", pa.string()) for position in range(columns)]
    return pa.schema([("line", pa.int64()), ("reason", pa.string()), *texts])


def is_text(text: str) -> bool:
    """Tell whether a text decoded with ``surrogateescape`` was UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _parse_plain(block: Block, header: Header, positions: Sequence[int]) -> pa.RecordBatch | None:
    """Parse a clean block fast: every line is a row of the right width. None where anything is unusual."""
    data = block.data
    if b'"' in data or data.count(b"\r") != data.count(b"\r\n") or data.startswith(_BYTE_ORDER_MARK):
        return None
    numbers = [str(position) for position in range(len(header.names))]
    wanted = [numbers[position] for position in positions]
    try:
        data.decode("utf-8")
        table = pyarrow.csv.read_csv(
            pa.BufferReader(data),
            pyarrow.csv.ReadOptions(column_names=numbers, block_size=len(data) + 1),
            pyarrow.csv.ParseOptions(delimiter=header.delimiter, quote_char=False),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()),
                include_columns=list(dict.fromkeys(wanted)),
                check_utf8=False,
            ),
        )
    except (UnicodeDecodeError, pa.ArrowInvalid):
        return None
    height = data.count(b"\n") + (not data.endswith(b"\n"))
    if table.num_rows != height or not wanted:
        return None
    columns = [pa.concat_arrays(table[name].chunks) for name in wanted]
    lines = pa.array(np.arange(block.first_line, block.first_line + height, dtype=np.int64))
    return pa.RecordBatch.from_arrays(
        [lines, pa.nulls(height, pa.string()), *columns], schema=batch_schema(len(columns))
    )


class _StrictRows:
    """The rows of one block, by Python's strict parser."""

    def __init__(self, lines: LineReader, block: Block, header: Header) -> None:
        self.unread = b""
        """Lines at the end that begin a record which the next block may close."""
        self._name = lines.name
        self._undecodable = lines.undecodable
        self._block = block
        self._header = header
        # Bytes that aren't UTF-8 become lone surrogates, which can't come from UTF-8.
        text = block.data.decode("utf-8", "surrogateescape")
        self._suspect = not is_text(text)
        self._lines = [f"{line}\n" for line in text.split("\n")]
        if block.data.endswith(b"\n"):
            self._lines.pop()
        self._form = Form(self._lines, header.delimiter, len(header.names))

    def parse(self, positions: Sequence[int]) -> pa.RecordBatch:
        rows, offsets, reasons = self._one_row_a_line() or self._row_by_row()
        return make_batch(
            [self._block.first_line + offset for offset in offsets],
            reasons,
            [
                [row[position] if row and not reason else None for row, reason in zip(rows, reasons, strict=True)]
                for position in positions
            ],
        )

    def _one_row_a_line(self) -> tuple[list[list[str] | None], Sequence[int], list[str | None]] | None:
        """Parse at one go, as long as each line is one good row."""
        width = len(self._header.names)
        try:
            rows: list[list[str] | None] = [*csv.reader(self._lines, delimiter=self._header.delimiter, strict=True)]
        except csv.Error:
            return None
        if len(rows) != len(self._lines) or any(len(row or ()) != width for row in rows):
            return None
        return rows, range(len(rows)), [self._judge(row, 1, offset) for offset, row in enumerate(rows)]

    def _row_by_row(self) -> tuple[list[list[str] | None], Sequence[int], list[str | None]]:
        rows: list[list[str] | None] = []
        offsets: list[int] = []
        reasons: list[str | None] = []
        offset = 0
        while offset < len(self._lines):
            if not self._lines[offset].strip("\r\n"):
                offset += 1
                continue
            row, taken = self._read_record(offset)
            if row is None and offset + taken == len(self._lines) and self._may_go_on(offset):
                self.unread = "".join(self._lines[offset:]).encode("utf-8", "surrogateescape")
                break
            reason = self._judge(row, taken, offset)
            rows.append(row)
            offsets.append(offset)
            reasons.append(reason)
            offset += taken if reason is None else 1
        return rows, offsets, reasons

    def _read_record(self, offset: int) -> tuple[list[str] | None, int]:
        """Read one record and how many lines it took; None for one that can't be read."""
        stop = min(offset + _LONGEST_RECORD_LINES, len(self._lines))
        reader = csv.reader(
            (self._lines[position] for position in range(offset, stop)), delimiter=self._header.delimiter, strict=True
        )
        try:
            return next(reader), reader.line_num
        except csv.Error as error:
            return None, reader.line_num if "end of data" in str(error) else 0

    def _may_go_on(self, offset: int) -> bool:
        return (
            not self._block.last
            and len(self._lines) - offset < _LONGEST_RECORD_LINES
            and len(self._block.data) <= LONGEST_RECORD_BYTES
        )

    def _judge(self, row: list[str] | None, taken: int, offset: int) -> str | None:
        width = len(self._header.names)
        if row is not None and len(row) == width:
            if taken > 1 and self._form.swallows(offset, taken):
                return SWALLOWS
            return self._undecodable if self._suspect and not is_text("".join(row)) else None
        if (
            offset == len(self._lines) - 1
            and not self._block.data.endswith(b"\n")
            and (row is None or len(row) < width)
        ):
            line = self._block.first_line + offset
            raise InputError(f"{self._name} ends in the middle of line {line}; copy or export it again")
        if row is None or taken > 1:
            return BROKEN_QUOTES
        return f"{len(row)} columns instead of {width}"
