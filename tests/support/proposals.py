"""What init proposes for a folder of exports, and what becomes of it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from world import Project

from pipeline.core.sql import open_reader
from pipeline.discovery.initialise import Options, initialise
from pipeline.settings.file import load_parameters

SMALL = {
    "train": {"origins": 2, "members": 1, "parameters": {"num_iterations": 20, "learning_rate": 0.2}},
    "evaluate": {"replicates": 20},
}


def propose(folder: Path, root: Path, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - as Options has them
    """Run init and give its settings; they are written to ``root`` as they are, and beside them what it told."""
    root.mkdir(parents=True, exist_ok=True)
    found = initialise(folder, Options(**options), None, lambda _: None, root)
    (root / "params.yaml").write_text(found.settings, encoding="utf-8")
    (root / "told.txt").write_text("\n".join(found.told), encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(found.settings)
    return content


def run_all(root: Path) -> Project:
    """Run all stages with the settings of ``root``, but for a model that is grown faster."""
    content = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    content["train"] = SMALL["train"]
    content["evaluate"] |= SMALL["evaluate"]
    (root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    project = Project(root, load_parameters(root / "params.yaml"))
    project.run("ingest", "validate", "snapshots", "features", "train", "evaluate", "recommend", "report")
    return project


def read(root: Path, path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / path).read_text(encoding="utf-8"))
    return content


def count(root: Path) -> dict[tuple[str, str], int]:
    """Count the interactions by event type and actor."""
    with open_reader() as connection:
        rows = connection.execute(
            "SELECT event_type, actor, count(*) FROM read_parquet(?) GROUP BY ALL",
            [str(root / "data/interactions.parquet")],
        ).fetchall()
    return {(kind, actor): number for kind, actor, number in rows}


def ingest(root: Path) -> None:
    Project(root, load_parameters(root / "params.yaml")).run("ingest")


def interactions(root: Path, where: str = "true") -> list[tuple[str, datetime, str]]:
    """List the interactions of an ingested log: lead, time and type."""
    with open_reader() as connection:
        rows: list[tuple[str, datetime, str]] = connection.execute(
            f"SELECT lead_id, occurred_at, event_type FROM read_parquet(?) WHERE {where} ORDER BY ALL",
            [str(root / "data/interactions.parquet")],
        ).fetchall()
    return rows


def told(root: Path) -> str:
    """Give all that init told when it proposed the settings of ``root``, as one text."""
    return (root / "told.txt").read_text(encoding="utf-8")


def notes(folder: Path) -> str:
    """Give all that init tells of a folder, as one text."""
    return "\n".join(initialise(folder, Options(), None, lambda _: None, folder.parent).told)


def read_back(root: Path, name: str, columns: str) -> list[tuple[Any, ...]]:
    """Ingest what was proposed, and list what became of a table, in its order."""
    ingest(root)
    with open_reader() as connection:
        found = connection.execute(f"SELECT {columns} FROM read_parquet(?)", [str(root / f"data/{name}.parquet")])
        rows: list[tuple[Any, ...]] = found.fetchall()
    return rows
