"""A project of a few rows, driven through the command line: raw files, settings, and what becomes of them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from command_line import call
from raw_logs import LEADS, read_leads, read_log, read_quarantine, source_of

from pipeline.settings.run import Run

EVENTS = (
    "lead,at,what\nA,2026-01-02 10:01,visit\nA,2026-01-09 11:02,won\nB,2026-01-03 12:03,visit\n"
    "B,2026-01-05 13:04,visit\n"
)
"""Four events, of leads A and B."""
PEOPLE = "lead,created\nA,2026-01-01\nB,2026-01-01\n"


LEADCAST = str(Path(sys.executable).parent / "leadcast")
AS_SOMEBODY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
"""Starts a program without root's right to read and write whatever it likes."""


class Outcome(NamedTuple):
    """What a command ended with: its exit code, and all that it printed, with single spaces."""

    code: int
    text: str


class SmallProject:
    """A folder with ``params.yaml`` and raw files; by itself a sound log of two leads."""

    def __init__(self, root: Path, run: Run | None = None) -> None:
        self.root = root
        self._run = run or Run()
        self.raw = root / "raw"
        self.raw.mkdir(parents=True)
        self.write(log_csv=EVENTS, leads_csv=PEOPLE)
        self.set()

    def write(self, **files: str | bytes) -> SmallProject:
        """Write raw files; log_csv is log.csv."""
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (self.raw / name.replace("_", ".")).write_bytes(data)
        return self

    def set(self, sources: Mapping[str, Any] | None = None, **ingest: object) -> SmallProject:
        """Write settings whose ingest is as stated; a table that is None is left out."""
        tables = {"sources": dict(sources or {"log": source_of()}), "leads": LEADS, "maximum_broken": 1.0} | ingest
        empty: dict[str, object] = {
            name: {} for name in ("validate", "features", "train", "evaluate", "recommend", "kpi", "leads", "words")
        }
        limited = {"memory_limit": tables.pop("memory_limit", "1GB")}
        work = tables.pop("run", self._run.model_dump(exclude_none=True) | limited)
        content = {
            "data_root": "raw",
            "run": work,
            "ingest": {name: value for name, value in tables.items() if value is not None},
            "episodes": {"conversion": ["won"]},
            "snapshots": {"policies": [{"ages": ["1d"]}], "horizon": "30d"},
            "decision": {"tiers": {"mql": 0.1, "sql": 0.3}},
        } | empty
        (self.root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        return self

    def run(self, *arguments: str) -> Outcome:
        """Run a command in the folder: a failure is one message, never a trace, and leaves nothing half-written."""
        before = Path.cwd()
        os.chdir(self.root)
        try:
            code, text = call(*arguments)
        finally:
            os.chdir(before)
        assert "Traceback" not in text
        if arguments[0] != "doctor":  # which lists what it finds, and fails if something is wrong
            assert text.count(f"{arguments[0]} failed ") == (code not in {0, 2}), text
        assert not self.half_written()
        return Outcome(code, text)

    def half_written(self) -> list[Path]:
        """List what a command began to write, and did not finish."""
        files = (path.relative_to(self.root) for path in self.root.rglob("*") if path.is_file())
        return [path for path in files if ".tmp" in str(path)]

    def ingest(self) -> Outcome:
        """Run ``ingest``; a failure leaves no log, and a success accounts for every row."""
        outcome = self.run("ingest")
        if outcome.code:
            assert not (self.root / "data/ingest.json").exists()
            return outcome
        accounts = self.accounts()
        assert accounts["totals"]["rows"] == accounts["totals"]["used"] + accounts["totals"]["set_aside"]
        assert sum(source["used"] for source in accounts["sources"].values()) == len(self.log())
        return outcome

    def accounts(self) -> dict[str, Any]:
        """Give what ``ingest`` counted."""
        content: dict[str, Any] = json.loads((self.root / "data/ingest.json").read_text())
        return content

    def set_aside(self, table: str = "log") -> list[tuple[int, str]]:
        """List line and reason of each row of a table that was set aside."""
        return [(line, reason) for _, line, reason in read_quarantine(self.root, table)]

    def log(self, columns: str = "lead_id, event_type", of: str | None = None) -> list[tuple[Any, ...]]:
        """Read columns of the interactions, in their order; of one source alone, where one is named."""
        return read_log(self.root, columns, of)

    def leads(self, columns: str) -> list[tuple[Any, ...]]:
        """Read columns of the leads, in their order."""
        return read_leads(self.root, columns)
