"""Scores written to files that a CRM's import takes: a new one for each batch, with the leads that changed.

A CRM that exports its leads now and then is read in that export: what our files since then say is added to it, so that
what was not imported yet is no edit by a person.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from tempfile import NamedTemporaryFile

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from features.core.errors import DeliveryError, InputError, nearest
from pipeline.core.project import written_whole
from pipeline.core.spreadsheets import defuse, restore
from pipeline.reading.delimited import Header, read_header, read_rows
from pipeline.reading.raw_files import LineReader
from pipeline.settings.push import Files
from pipeline.sinks.closed import NUMERIC, is_closed
from pipeline.sinks.protocol import LaterError, Outcome, Record, Remote, Sink, Value

_NAME = re.compile(r"leads-(\d{8}T\d{6})-(\d{4,})")


class FilesSink(Sink):
    """A folder of files."""

    leads_a_call = 0
    batches_at_once = 1
    creates = False
    calls = 0

    def __init__(self, settings: Files, mapping: Mapping[str, str], root: Path) -> None:
        self.name, self.batch_size = f"files {settings.folder}", settings.batch_size
        self.reads, self.calls_a_day = settings.export is not None, settings.calls_a_day
        self._settings, self._root, self._folder = settings, root, root / settings.folder
        self._fields, self._numbers = list(mapping.values()), {mapping[name] for name in NUMERIC if name in mapping}
        columns = list(dict.fromkeys([*self._fields, *settings.closed]))
        self._export = LeadsFile(root, settings.export, settings.key_field, columns) if settings.export else None
        self._written: dict[Path, LeadsFile] = {}

    def read(self, keys: Sequence[str]) -> dict[str, Remote]:
        """Give the leads as the export has them, and as our files that are newer will leave them."""
        if self._export is None:
            return {}
        rows = self._export.rows(keys)
        made = self._export.made  # not the path's: another export may have come since its rows were read
        for path in sorted(self._folder.glob(f"leads-*.{self._settings.format}")):
            if path.stat().st_mtime_ns > made:
                file = self._written.setdefault(path, LeadsFile(self._root, str(path), self._settings.key_field))
                for key, row in file.rows(list(rows)).items():
                    rows[key] |= row
        return {key: self._remote(key, row) for key, row in rows.items()}

    def _remote(self, key: str, row: Row) -> Remote:
        values = {field: self._value(field, row[field]) for field in self._fields}
        return Remote(key, values, is_closed(row, self._settings.closed))

    def _value(self, field: str, text: str | None) -> Value:
        """Take back what a cell does to a value: a number is a text there, a formula begins with an apostrophe."""
        if not text:
            return None
        if field in self._numbers:
            with suppress(ValueError):
                return float(text)
        return restore(text) if self._settings.format == "csv" else text

    def write(self, batch: Sequence[Record]) -> Iterator[Outcome]:
        """Write a batch to a file; to several where not all records have the same fields: an empty cell would clear."""
        alike = defaultdict(list)
        for record in batch:
            # A key with an apostrophe before it would name another lead, one without it could be run.
            if self._settings.format == "csv" and defuse(record.key) != record.key:
                reason = "its key begins as a formula does, which no CSV file should hold; set format: jsonl"
                yield Outcome(record.key, "rejected", reason, record.remote_id)
            else:
                alike[tuple(record.values)].append(record)
        for fields, records in alike.items():
            self._write_file([self._settings.key_field, *fields], ([one.key, *one.values.values()] for one in records))
            yield from (Outcome(record.key, "written", remote_id=record.key) for record in records)

    def _write_file(self, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
        with self._new_file() as path, path.open("w", encoding="utf-8", newline="") as file:
            if self._settings.format == "csv":
                writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
                writer.writerow(columns)
                writer.writerows([defuse(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
            else:
                for row in rows:
                    content = dict(zip(columns, row, strict=True))
                    file.write(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())  # the ledger will say that it was written

    @contextmanager
    def _new_file(self) -> Iterator[Path]:
        """Give a path whose file takes the next name of all processes once it is written whole."""
        folder = self._folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock", timeout=self._settings.timeout_seconds):
                for left in folder.glob(".leads-*.tmp"):  # by a push that was killed
                    left.unlink()
                name, last = self._next_name(), folder / ".last"
                last.write_text(name, encoding="utf-8")  # an import may take files away; their names are not used again
                with written_whole(folder / f"{name}.{self._settings.format}") as temporary:
                    yield temporary
        except Timeout:
            raise LaterError(f"another push is writing to {self._settings.folder}") from None
        except OSError as error:
            raise DeliveryError(f"{self._settings.folder} can't be written to: {error.strerror}; mend that") from None

    def _next_name(self) -> str:
        last = self._folder / ".last"
        names = [path.stem for path in self._folder.glob("leads-*")]
        names += [last.read_text(encoding="utf-8")] if last.exists() else []
        given = [(match[1], int(match[2])) for name in names if (match := _NAME.fullmatch(name))]
        second, number = max([*given, (f"{datetime.now(UTC):%Y%m%dT%H%M%S}", 0)])
        return f"leads-{second}-{number + 1:04}"

    def check(self) -> list[str]:
        """Look whether the folder can be written to, and the export be read."""
        problems, there = [], next(path for path in [self._folder, *self._folder.parents] if path.exists())
        if not there.is_dir():
            problems.append(f"{there} is no folder; take it away, or name another (push.sink.folder)")
        elif not os.access(there, os.W_OK | os.X_OK):
            problems.append(f"{there} can't be written to by this user; grant it, or name another (push.sink.folder)")
        return problems + (self._export.problems() if self._export else [])

    def setup(self) -> list[str]:
        """Make nothing: a file has the columns that are mapped."""
        return []


_COPIES = Path("data/.tmp")
_LINES = 10_000
"""Lines that are held at once."""

Row = dict[str, str | None]
"""By column; None where the cell is empty."""


class LeadsFile:
    """A file whose column ``key_field`` names the leads; of the others, ``columns`` are read, or all."""

    def __init__(self, root: Path, name: str, key_field: str, columns: Sequence[str] | None = None) -> None:
        self.path = root / name
        self._name, self._key_field = name, key_field
        self._wanted = None if columns is None else [key_field, *columns]
        self._copies = root / _COPIES
        self._copy: tuple[tuple[int, int, int], pq.ParquetFile] | None = None

    @property
    def made(self) -> int:
        """When the file was made whose rows were given last, in nanoseconds."""
        return self._copy[0][0] if self._copy else 0

    def problems(self) -> list[str]:
        """Say which columns of a CSV file are not there, or why it can't be read."""
        try:
            with self._open() as (_, header):
                return self._lacks(header)
        except DeliveryError as error:
            return [str(error)]

    def rows(self, keys: Sequence[str]) -> dict[str, Row]:
        """Give the rows of the keys; a key that stands twice is left out, because nobody knows which row is meant.

        Raises DeliveryError where the file can't be read.
        """
        found: dict[str, Row] = {}
        twice = set()
        asked = pa.array(keys, pa.string())
        for batch in self._copied().iter_batches():
            for row in batch.filter(pc.is_in(batch[self._key_field], asked)).to_pylist():
                key = row.pop(self._key_field)
                if key in found:
                    twice.add(key)
                found[key] = row
        return {key: row for key, row in found.items() if key not in twice}

    def _copied(self) -> pq.ParquetFile:
        """Give a copy as Parquet, made anew when the file has changed. It has no name, so a killed push leaves none."""
        with self._telling():
            stat = self.path.stat()
        changed = stat.st_mtime_ns, stat.st_size, stat.st_ino
        if self._copy is None or self._copy[0] != changed:
            self._copies.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._copies) as copy:
                batches = self._json_lines() if self.path.suffix == ".jsonl" else self._csv()
                first = next(batches)
                with pq.ParquetWriter(copy.name, first.schema) as writer:
                    for batch in chain([first], batches):
                        writer.write_batch(batch)
                self._copy = changed, pq.ParquetFile(pa.OSFile(copy.name))
        return self._copy[1]

    def _csv(self) -> Iterator[pa.RecordBatch]:
        with self._open() as (lines, header):
            if lacking := self._lacks(header):
                raise DeliveryError("; ".join(lacking))
            names = self._wanted or list(header.names)
            schema = pa.schema([(name, pa.string()) for name in names])
            yield pa.RecordBatch.from_pylist([], schema)
            for batch in read_rows(lines, header, names):
                for broken in batch.filter(pc.is_valid(batch["reason"])).slice(0, 1).to_pylist():
                    told = f"line {broken['line']} can't be used: {broken['reason']}"
                    raise InputError(f"{self._name}: {told}; export it again as CSV in UTF-8")
                yield pa.RecordBatch.from_arrays(batch.columns[2:], schema=schema)

    def _json_lines(self) -> Iterator[pa.RecordBatch]:
        """Read what we have written: every line has the fields of the first."""
        with self._telling(), self.path.open(encoding="utf-8") as lines:
            while some := [json.loads(line) for line in islice(lines, _LINES)]:
                columns = {name: [None if row[name] is None else str(row[name]) for row in some] for name in some[0]}
                yield pa.record_batch({name: pa.array(column, pa.string()) for name, column in columns.items()})

    @contextmanager
    def _open(self) -> Iterator[tuple[LineReader, Header]]:
        with self._telling(), self.path.open("rb") as stream:
            lines = LineReader(self._name, stream)
            yield lines, read_header(lines, self._wanted, None)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DeliveryError(f"{self._name} can't be read: {error.strerror}; export the CRM's leads to it") from None
        except InputError as error:
            raise DeliveryError(str(error)) from None

    def _lacks(self, header: Header) -> list[str]:
        return [
            f"{self._name} has no column {name}, {nearest(name, filter(None, header.names))}; have the CRM export it"
            for name in self._wanted or []
            if name not in header.names
        ]
