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
from pathlib import Path

from filelock import FileLock, Timeout

from features.errors import DeliveryError
from pipeline.artefacts import written_whole
from pipeline.push_configuration import Files
from pipeline.sinks.closed import is_closed
from pipeline.sinks.leads_file import LeadsFile, Row
from pipeline.sinks.protocol import LaterError, Outcome, Record, Remote, Value
from pipeline.spreadsheets import defuse, restore

_NAME = re.compile(r"leads-(\d{8}T\d{6})-(\d{4,})")
_NUMBERS = ("probability", "score")


class FilesSink:
    """A folder of files."""

    batch_size = 50_000
    leads_a_call = 0
    batches_at_once = 1
    creates = False
    calls = 0

    def __init__(self, settings: Files, mapping: Mapping[str, str], root: Path) -> None:
        self.name = f"files {settings.folder}"
        self.reads, self.calls_a_day = settings.export is not None, settings.calls_a_day
        self._settings, self._root, self._folder = settings, root, root / settings.folder
        self._fields, self._numbers = list(mapping.values()), {mapping[name] for name in _NUMBERS if name in mapping}
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
