"""Leads in a file of any size, CSV or JSON lines: copied once, after which few are found fast.

A CSV file is read as strictly as those of the log: what ends in the middle, or has a broken row, is no export.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from tempfile import NamedTemporaryFile

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import DeliveryError, InputError, nearest
from pipeline.delimited import Header, read_header, read_rows
from pipeline.raw_files import LineReader

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
