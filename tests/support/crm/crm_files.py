"""A CRM under test that takes files: it imports those that came, in their order, and exports what it holds."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from crm_servers import Faults

OURS = ("tier", "probability", "reason_1", "reason_2", "action", "date")
NATIVE = ("lead_id", "stage", "owner")


class FilesCrm:
    """Imports before it is looked at, and exports after it has changed."""

    has_calls = False
    calls = 0

    def __init__(self, folder: Path, form: str = "csv") -> None:
        self.folder, self.export = folder / "outbox", folder / "export.csv"
        self.faults = Faults()
        self.environment: dict[str, str] = {}
        sink = {
            "kind": "files", "folder": str(self.folder), "format": form, "export": str(self.export),
            "closed": {"stage": ["won", "lost"]},
        }  # fmt: skip
        self.settings: dict[str, Any] = {"sink": sink}
        self._rows: dict[str, dict[str, Any]] = {}
        self._imported: set[Path] = set()

    def __enter__(self) -> Self:
        self.export.parent.mkdir(parents=True, exist_ok=True)
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the folder to the test."""

    def sync(self) -> None:
        """Import the files that came, and export if any did."""
        came = sorted(set(self.folder.glob("leads-*")) - self._imported)
        for path in came:
            self._imported.add(path)
            for row in READERS[path.suffix](path):
                self._rows[str(row["lead_id"])] |= row  # an import of updates: it knows the lead, or fails
        if came:
            self._write()

    def _write(self) -> None:
        columns = [*NATIVE, *(f"leadcast_{name}" for name in OURS)]
        with self.export.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(self._rows.values())

    def add(self, key: str, *, closed: bool = False) -> None:
        """Make a lead."""
        self._rows[key] = {"lead_id": key, "stage": "won" if closed else "new", "owner": "Ada"}
        self._write()

    def lead(self, key: str) -> dict[str, Any] | None:
        """Give all fields of a lead."""
        self.sync()
        row = self._rows.get(key)
        return row and {name: row.get(name, "") for name in [*NATIVE, *(f"leadcast_{name}" for name in OURS)]}

    def keys(self) -> set[str]:
        """List the leads."""
        self.sync()
        return set(self._rows)

    def edit(self, key: str, ours: str, value: str | float | None) -> None:
        """Change a field of ours."""
        self.sync()
        self._rows[key][f"leadcast_{ours}"] = "" if value is None else value
        self._write()

    def refuse(self, key: str, *, refused: bool = True) -> None:
        """Refuse nothing: a file takes all."""

    def exhaust(self) -> None:
        """Refuse nothing: a folder has no quota."""


def _read_csv(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _read_lines(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{name: "" if value is None else value for name, value in row.items()} for row in rows]


READERS: dict[str, Callable[[Path], list[dict[str, Any]]]] = {".csv": _read_csv, ".jsonl": _read_lines}
