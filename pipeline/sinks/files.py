"""Scores written to files that the import of any CRM takes: each batch is one file with the leads that changed."""

from __future__ import annotations

import csv
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from features.errors import DeliveryError, nearest
from pipeline.artefacts import written_whole
from pipeline.push_configuration import Files
from pipeline.sinks.protocol import Outcome, Record, Remote, Value
from pipeline.spreadsheets import defuse, restore
from pipeline.sql import file_literal, identifier


class FilesSink:
    """A folder of files; with an export of the CRM beside it, the leads as they are there."""

    creates = False
    batch_size = 50_000
    leads_a_call = 0
    connections = 1
    calls = 0

    def __init__(self, settings: Files, mapping: Mapping[str, str], root: Path) -> None:
        self._settings, self._fields = settings, list(mapping.values())
        self._folder = root / settings.folder
        self._export = root / settings.export if settings.export else None
        self.reads = self._export is not None
        self.calls_a_day = settings.calls_a_day
        self.name = f"files {settings.folder}"

    def read(self, keys: Sequence[str]) -> dict[str, Remote]:
        """Give the leads that the export holds; a key that stands there twice is left out."""
        settings, closed = self._settings, self._settings.closed
        columns = list(dict.fromkeys([settings.key_field, *self._fields, *closed]))
        chosen = ", ".join(f"export.{identifier(name)}" for name in columns)
        with duckdb.connect() as connection:
            connection.execute("CREATE TEMP TABLE asked (key VARCHAR)")
            connection.execute("INSERT INTO asked SELECT unnest(?::VARCHAR[])", [list(keys)])
            try:
                rows = connection.execute(
                    f"SELECT {chosen} FROM {self._table()} AS export "
                    f"JOIN asked ON asked.key = export.{identifier(settings.key_field)}"
                ).fetchall()
            except duckdb.Error as error:
                raise DeliveryError(self._unreadable(error)) from None
        found: dict[str, Remote] = {}
        twice = set()
        for row in rows:
            values = dict(zip(columns, row, strict=True))
            key = values[settings.key_field]
            if key in found:
                twice.add(key)
            is_closed = any(values[field] in map(str, texts) for field, texts in closed.items())
            found[key] = Remote(key, {name: _held(values[name]) for name in self._fields}, is_closed)
        return {key: remote for key, remote in found.items() if key not in twice}

    def write(self, batch: Sequence[Record]) -> Iterator[Outcome]:
        """Write a file for each set of fields, since an empty cell would clear the field that is not to be touched."""
        groups: dict[tuple[str, ...], list[Record]] = defaultdict(list)
        for record in batch:
            groups[tuple(record.values)].append(record)
        for names, records in groups.items():
            self._write_file(names, records)
            yield from (Outcome(record.key, "written", None, record.remote_id) for record in records)

    def _write_file(self, names: Sequence[str], records: Sequence[Record]) -> None:
        columns = [self._settings.key_field, *names]
        rows = ([record.key, *(record.values[name] for name in names)] for record in records)
        with written_whole(self._new_path()) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            if self._settings.format == "jsonl":
                for row in rows:
                    file.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n")
            else:
                writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
                writer.writerow(columns)
                writer.writerows([_cell(value) for value in row] for row in rows)
            file.flush()
            os.fsync(file.fileno())  # the ledger says that it is written

    def _new_path(self) -> Path:
        """Name a file by the time, so that names sort in the order of the writes and none is taken twice."""
        while True:
            path = self._folder / f"leads-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.{self._settings.format}"
            if not path.exists():
                return path

    def check(self) -> list[str]:
        """Look whether the folder can be written to, and the export read."""
        problems = []
        above = next(path for path in (self._folder, *self._folder.parents) if path.exists())
        if not above.is_dir() or not os.access(above, os.W_OK):
            problems.append(f"{self._folder} can't be written to; make it, or name another folder")
        if self._export is None:
            return problems
        if not self._export.is_file():
            return [*problems, f"there is no export {self._export}; bring it, or leave export out"]
        try:
            with duckdb.connect() as connection:
                held = [row[0] for row in connection.execute(f"DESCRIBE FROM {self._table()}").fetchall()]
        except duckdb.Error as error:
            return [*problems, self._unreadable(error)]
        wanted = [self._settings.key_field, *self._fields, *self._settings.closed]
        lacking = [name for name in dict.fromkeys(wanted) if name not in held]
        return problems + [f"the export {self._export} has no column {name}; {nearest(name, held)}" for name in lacking]

    def setup(self) -> list[str]:
        """Make nothing: a file has the columns that it is given."""
        return []

    def _table(self) -> str:
        return f"read_csv({file_literal(self._export or Path())}, header = true, all_varchar = true)"

    def _unreadable(self, error: Exception) -> str:
        return f"the export {self._export} can't be read: {str(error).splitlines()[0]}; export it as CSV in UTF-8"


def _cell(value: Value) -> Value:
    return "" if value is None else defuse(value) if isinstance(value, str) else value


def _held(text: str | None) -> Value:
    return restore(text) if text else None
