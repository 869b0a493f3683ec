"""A CRM that is reached by files alone: it imports ours in their order, and exports its leads to CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Self

from crm_servers import Faults

FIELDS = {
    "tier": "leadcast_tier",
    "probability": "leadcast_probability",
    "reason_1": "leadcast_reason_1",
    "reason_2": "leadcast_reason_2",
    "action": "leadcast_action",
    "date": "leadcast_date",
}
KEY = "lead_number"
_NATIVE = ("stage", "owner", "note")


class FilesCrm:
    """A table that takes every file of the outbox once, and is exported whenever it has changed."""

    has_calls = False
    calls = 0

    def __init__(self, folder: Path) -> None:
        self.outbox, self.export = folder / "outbox", folder / "export.csv"
        self.environment: dict[str, str] = {}
        self.faults = Faults()
        self.settings: dict[str, Any] = {
            "sink": {
                "kind": "files",
                "folder": str(self.outbox),
                "export": str(self.export),
                "key_field": KEY,
                "closed": {"stage": ["won", "lost"]},
            },
            "fields": dict(FIELDS),
        }
        self._leads: dict[str, dict[str, Any]] = {}
        self._imported: set[str] = set()

    def __enter__(self) -> Self:
        self.outbox.mkdir(parents=True)
        self._write_export()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the folder to whoever made it."""

    def add(self, key: str, *, closed: bool = False) -> None:
        """Make a lead."""
        self._import()
        native = {"stage": "won" if closed else "new", "owner": 'Ada "A." Lovelace', "note": f"called;\nagain, {key}"}
        self._leads[key] = {KEY: key, **native, **dict.fromkeys(FIELDS.values())}
        self._write_export()

    def lead(self, key: str) -> dict[str, Any] | None:
        """Give a lead, after all files were imported."""
        self._import()
        lead = self._leads.get(key)
        return dict(lead) if lead else None

    def keys(self) -> set[str]:
        """List the leads, after all files were imported."""
        self._import()
        return set(self._leads)

    def edit(self, key: str, ours: str, value: str | float | None) -> None:
        """Change a field of ours."""
        self._import()
        self._leads[key][self.settings["fields"][ours]] = value
        self._write_export()

    def refuse(self, key: str, *, refused: bool = True) -> None:
        """Do nothing: a file refuses nobody."""

    def exhaust(self) -> None:
        """Do nothing: a folder has no quota."""

    def _import(self) -> None:
        """Take the files that are new; cells that are not there leave fields alone, empty ones clear them."""
        new = [path for path in sorted(self.outbox.glob("leads-*.csv")) if path.name not in self._imported]
        for path in new:
            self._imported.add(path.name)
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file, strict=True):
                    if row[KEY] in self._leads:
                        self._leads[row[KEY]] |= {name: value or None for name, value in row.items()}
        if new:
            self._write_export()

    def _write_export(self) -> None:
        temporary = self.export.with_suffix(".new")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [KEY, *_NATIVE, *FIELDS.values()])
            writer.writeheader()
            writer.writerows(self._leads.values())
        temporary.replace(self.export)
