"""Raw files for the stage ``ingest``, and what it makes of them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.core.project import Project
from pipeline.core.sql import open_reader
from pipeline.ingest import stage as ingest
from pipeline.ingest.summary import IngestSummary
from pipeline.settings.parameters import Parameters

COLUMNS = {"lead_id": "lead", "occurred_at": "at", "event_type": "what"}
LEADS: dict[str, Any] = {"path": "leads.csv", "columns": {"lead_id": "lead", "created_at": "created"}}
LINKS = {"path": "links.csv", "columns": {"alias_id": "alias", "lead_id": "lead", "linked_at": "at"}}
SOUND = "lead,at,what\nA,2026-01-01,visit\n"


def source_of(path: str = "log.csv", columns: dict[str, Any] | None = None, **changes: object) -> dict[str, Any]:
    """Give the settings of a source of events."""
    columns = COLUMNS | (columns or {})
    return {"path": path, "columns": columns, "known_at": "as_it_occurred", "actor": "lead"} | changes


def parameters_of(sources: dict[str, Any], **ingest_settings: object) -> Parameters:
    """Give settings whose ingest is as stated."""
    empty: dict[str, Any] = {
        name: {} for name in ("validate", "features", "train", "evaluate", "recommend", "kpi", "leads", "words")
    }
    work = ingest_settings.pop("run", {"memory_limit": ingest_settings.pop("memory_limit", "1GB")})
    whose = {"territory": "region", "work": {"call_hours": 0.5}} if "owners" in ingest_settings else {}
    return Parameters.model_validate({
        "data_root": "raw",
        "run": work,
        "ingest": {"sources": sources, "maximum_broken": 1.0} | ingest_settings,
        "episodes": {"conversion": ["won"]},
        "snapshots": {"policies": [{"ages": ["1d"]}], "horizon": "30d"},
        "decision": {"tiers": {"mql": 0.1, "sql": 0.3}} | whose,
    } | empty)  # fmt: skip


def write_raw(root: Path, **files: str) -> None:
    """Write raw files; log_csv is log.csv."""
    (root / "raw").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / "raw" / name.replace("_", ".")).write_text(text, encoding="utf-8")


def run_ingest(root: Path, sources: dict[str, Any] | None = None, **ingest_settings: object) -> IngestSummary:
    """Run the stage."""
    parameters = parameters_of(sources or {"log": source_of()}, **ingest_settings)
    return ingest.run(Project(root, parameters), lambda _: None)


def read_log(root: Path, columns: str, of: str | None = None) -> list[tuple[Any, ...]]:
    """Read columns of the interactions, in their order; of one source alone, where one is named."""
    these = f"WHERE source = '{of}'" if of else ""
    return query_of(root, f"SELECT {columns} FROM '{root}/data/interactions.parquet' {these}")


def read_leads(root: Path, columns: str = "*") -> list[tuple[Any, ...]]:
    """Read columns of the leads."""
    return query_of(root, f"SELECT {columns} FROM '{root}/data/leads.parquet'")


def read_quarantine(root: Path, table: str = "log") -> list[tuple[Any, ...]]:
    """Read what was set aside of a table."""
    return query_of(root, f"SELECT file, line, reason FROM '{root}/data/quarantine/{table}.parquet'")


def query_of(root: Path, query: str) -> list[tuple[Any, ...]]:
    """Run a query."""
    assert root.exists()
    with open_reader() as connection:
        rows: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    return rows


def moment_of(text: str) -> datetime:
    """Read a time."""
    return datetime.fromisoformat(text)
