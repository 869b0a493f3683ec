"""Delimited text (CSV), read safely.

The dialect is settled once, from a strict header. Bodies are read as text, every row with its line:

- a block that is clean, and whose quotes enclose whole fields of one line, goes through Arrow's fast parser;
- any other block goes through Python's strict one. A record may span lines inside of quotes, but one that never
  closes, or doesn't fit the header once it does, or holds what reads like rows of the table, costs its first line
  alone: reading goes on at the next line, so a stray quote swallows nothing.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from features.core.errors import InputError, LeadcastError
from pipeline.reading import nested
from pipeline.reading.raw_files import (
    FOOTER_LINE,
    LONGEST_RECORD_BYTES,
    TITLE_LINE,
    Block,
    LineReader,
    OversizedLine,
    RawFile,
    open_lines,
)
from pipeline.reading.swallowed_rows import Form
from pipeline.settings.table import Extent

DELIMITERS = (",", ";", "\t", "|")
SEPARATOR = re.compile('"?sep=(?P<sign>[^"])"?', re.IGNORECASE)
"""A first line by which spreadsheets name the delimiter."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LONGEST_RECORD_LINES = 1000
"""A note may hold many lines; a quote that is still open after these was never meant to be closed."""

BROKEN_QUOTES = "broken quotes or line end"
SWALLOWS = "quote that swallows rows"
TOO_LONG = "line too long"


@dataclass(frozen=True)
class Header:
    """The names of a file's columns and what separates them, and the lines above that are not blank."""

    delimiter: str
    names: tuple[str, ...]
    above: tuple[int, ...] = ()


def read_header(
    lines: LineReader, wanted: Sequence[str] | None, delimiter: str | None, header_line: int | None = None
) -> Header:
    """Read the line that names the columns, with the given delimiter or the one that finds most of the wanted ones.

    Without ``wanted`` it is the one that finds the most. A first line ``sep=;``, as spreadsheets have it, names the
    delimiter. Raises InputError where the file is empty, can't be decoded, or the header is no header.
    """
    line, above = _next_line(lines), []
    if lines.is_empty:
        raise InputError(f"{lines.name} is empty; export it again, or take it away")
    said = SEPARATOR.fullmatch(line.decode("utf-8", "replace"))
    delimiter = said["sign"] if said and not delimiter else delimiter
    header_line = header_line or (2 if said else 1)
    for number in range(1, header_line):
        above += [number] if line.strip() else []
        line = _next_line(lines)
    where = "the first line" if header_line == 1 else f"line {header_line}"
    if not line.strip():
        raise InputError(f"{lines.name}: {where} is empty; it must name the columns")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{lines.name} is {lines.undecodable}; set encoding, as in encoding: cp1252") from None
    if "\0" in text:
        raise InputError(f"{lines.name} looks like UTF-16 without a mark; set encoding: utf-16-le (or utf-16-be)")
    choices = [delimiter] if delimiter else DELIMITERS
    headers = [Header(choice, _split(text, choice), tuple(above)) for choice in choices]

    def fit(header: Header) -> int:
        names = header.names
        return len(names if wanted is None else {name for name in wanted if nested.find_column(name, names)})

    best = max(headers, key=fit)
    if not best.names:
        raise InputError(f"{lines.name}: {where} can't be read as a header; check its quotes and line ends")
    refuse_repeated(lines.name, best)
    return best


def refuse_repeated(name: str, header: Header) -> None:
    """Raise InputError where a header gives two columns the same name."""
    named = [column for column in header.names if column]
    twice = sorted({column for column in named if named.count(column) > 1})
    if twice:
        raise InputError(f"{name}: the header names {', '.join(map(repr, twice))} twice; rename one of them")


def _next_line(lines: LineReader) -> bytes:
    return lines.read_line().removesuffix(b"\r")


def _split(text: str, delimiter: str) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([text], delimiter=delimiter, strict=True)))
    except csv.Error:
        return ()


@contextmanager
def open_rows(
    file: RawFile, encoding: str | None, wanted: Sequence[str], delimiter: str, extent: Extent
) -> Iterator[Iterator[pa.RecordBatch]]:
    """Open a file and give its rows, or those of some of its lines; see ``read_rows``."""
    footer: tuple[int, ...] = ()
    if extent.footer_lines:
        with open_lines(file, encoding) as lines:
            footer = find_footer(lines, extent.footer_lines)
    with open_lines(replace(file, lines=None), encoding) as whole:
        header = read_header(whole, wanted, delimiter, extent.header_line)
        if file.lines is None:
            yield read_rows(whole, header, wanted, footer)
            return
    with open_lines(file) as lines:
        if file.lines.first == 1:
            header = read_header(lines, wanted, delimiter, extent.header_line)
        else:
            header = replace(header, above=())
        yield read_rows(lines, header, wanted)


def find_footer(lines: LineReader, count: int) -> tuple[int, ...]:
    """Find the last lines of a file that are not blank, as many as are said to be no rows."""
    last: deque[int] = deque(maxlen=count)
    while (block := lines.read()) is not None:
        if isinstance(block, OversizedLine):
            last.append(block.line)
            continue
        last.extend(number for number, _ in block.lines())
    return tuple(last)


def read_rows(
    lines: LineReader, header: Header, wanted: Sequence[str], footer: Sequence[int] = ()
) -> Iterator[pa.RecordBatch]:
    """Read the rows below the header: line, reason (why the row can't be used, or null), r0, r1 ... as text.

    Blank lines are no rows; lines above the header, and those of the footer, are none that can be used. Raises
    InputError where the file ends in the middle of a row.
    """
    csv.field_size_limit(LONGEST_RECORD_BYTES)
    positions = [header.names.index(name) for name in wanted]
    for numbers, reason in ((header.above, TITLE_LINE), (footer, FOOTER_LINE)):
        if numbers:
            yield make_batch(numbers, [reason] * len(numbers), [[None] * len(numbers) for _ in positions])
    while (block := lines.read()) is not None:
        if footer and isinstance(block, Block) and block.first_line + block.data.count(b"\n") >= footer[0]:
            kept = block.data.split(b"\n")[: max(footer[0] - block.first_line, 0)]
            block = Block(block.first_line, b"".join(line + b"\n" for line in kept), last=True)
        if footer and (block.line if isinstance(block, OversizedLine) else block.first_line) >= footer[0]:
            return
        if isinstance(block, OversizedLine):
            yield make_batch([block.line], [TOO_LONG], [[None] for _ in positions])
            continue
        plain = _parse_plain(block, header, positions)
        if plain is not None:
            yield plain
            continue
        for part in block.parts(_LONGEST_RECORD_LINES):
            rows = _StrictRows(lines, part, header)
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


def chain(read: Mapping[int, Iterator[pa.RecordBatch]], failures: list[LeadcastError]) -> Iterator[pa.RecordBatch]:
    """Give the batches of several files, one after the other, and add to line numbers what stands before each file.

    What a batch fails with is kept, too.
    """
    try:
        for first_line, batches in read.items():
            for batch in batches:
                lines = pc.add(batch["line"], pa.scalar(first_line, pa.int64()))
                yield batch.set_column(0, "line", lines) if first_line else batch
    except LeadcastError as error:
        failures.append(error)
        raise


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
    quoted = b'"' in data
    if quoted and not encloses_fields(data, header.delimiter):
        return None
    if (b"\r" in data and data.count(b"\r") != data.count(b"\r\n")) or data.startswith(_BYTE_ORDER_MARK):
        return None
    lines = _line_numbers(block)
    if not len(lines):
        return make_batch([], [], [[] for _ in positions])
    numbers = [str(position) for position in range(len(header.names))]
    wanted = [numbers[position] for position in positions]
    try:
        data.decode("utf-8")
        table = pyarrow.csv.read_csv(
            pa.BufferReader(data),
            pyarrow.csv.ReadOptions(column_names=numbers, block_size=len(data) + 1),
            pyarrow.csv.ParseOptions(delimiter=header.delimiter, quote_char='"' if quoted else False),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()),
                include_columns=list(dict.fromkeys(wanted)),
                check_utf8=False,
            ),
        )
    except (UnicodeDecodeError, pa.ArrowInvalid):
        return None
    if table.num_rows != len(lines) or not wanted:
        return None
    columns = [pa.concat_arrays(table[name].chunks) for name in wanted]
    return make_batch(lines, pa.nulls(len(lines), pa.string()), columns)


def encloses_fields(data: bytes, delimiter: str) -> bool:
    """Tell whether all quotes begin or end a field, or are doubled inside of one, and every line closes its own.

    Of such lines all parsers make the same fields. If each line has an even number of quotes, every other one of the
    block is inside of a field.
    """
    signs = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(signs == ord('"'))
    ends = np.flatnonzero(signs == ord("\n"))
    if len(quotes) % 2 or (np.searchsorted(quotes, ends) % 2).any() or b"\0" in data:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    before = signs[opening[opening > 0] - 1]
    after = signs[closing[closing < len(signs) - 1] + 1]
    beside = [ord(delimiter), ord("\n"), ord('"')]
    return bool(np.isin(before, beside).all() and np.isin(after, [*beside, ord("\r")]).all())


def _line_numbers(block: Block) -> npt.NDArray[np.int64]:
    """Give the numbers of the lines that are not blank."""
    data = np.frombuffer(block.data, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    if not block.data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    starts = np.concatenate([[0], ends[:-1] + 1])
    blank = ends == starts
    blank |= (ends == starts + 1) & (data[starts] == ord("\r"))
    return (block.first_line + np.flatnonzero(~blank)).astype(np.int64)


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
