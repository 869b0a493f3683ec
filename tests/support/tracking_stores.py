"""Tracking stores of MLflow's: what one holds of a project, and new ones, made once, for that takes two seconds."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from world import Project

from models.core.model import Model

NAME = "lead-conversion"


@dataclass(frozen=True)
class Store:
    """What MLflow holds of a project."""

    client: Any

    def runs(self) -> list[Any]:
        """List the runs of models in all experiments; baselines have runs of their own."""
        runs = self.client.search_runs([one.experiment_id for one in self.client.search_experiments()])
        return [run for run in runs if "model_version" in run.data.tags]

    def versions(self) -> list[Any]:
        """List the registered versions of the model, the first one first."""
        return sorted(self.client.search_model_versions(f"name = '{NAME}'"), key=lambda version: int(version.version))

    def aliases(self) -> dict[str, str]:
        """Tell which version has which alias."""
        return {alias: str(one) for alias, one in self.client.get_registered_model(NAME).aliases.items()}


def track_copy(world: Project, folder: Path) -> Project:
    """Copy the world into a repository of git's, and evaluate its model into a store of MLflow's own."""
    project = world.copy_to(folder, leave_out=("raw", "reports"))
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "--quiet"], ["add", "params.yaml"], ["commit", "--quiet", "--message", "Settings"]):
        subprocess.run([*git, *command], cwd=project.root, check=True)
    project.run("evaluate")
    return project


def model_of(project: Project) -> Model:
    return Model.load(project.root / "data/model")


def run_of(store: Store, project: Project) -> Any:  # noqa: ANN401 - MLflow's own
    (run,) = (run for run in store.runs() if run.data.tags["model_version"] == model_of(project).version)
    return run


def champion_scores(project: Project, when: str, *, backfill: bool = False) -> Path:
    from pipeline.scoring import champion  # noqa: PLC0415 - heavy

    return champion.run(project, project.told.append, when, backfill=backfill)


def read_scores(folder: Path) -> pd.DataFrame:
    assert sorted(path.name for path in folder.iterdir()) == ["decided.json", "recommendations.parquet"]
    return pq.read_table(folder / "recommendations.parquet", partitioning=None).to_pandas()


_STORES = "mlflow.store.db.utils"


def copy_what_a_new_store_holds() -> None:
    """Let every new SQLite store of this process begin as a copy of the first, once MLflow has been imported."""
    stores = sys.modules.get(_STORES)
    if stores is None or hasattr(stores, "first_store"):
        return
    upgrade = stores._upgrade_db  # noqa: SLF001 - there is no other way in
    first = stores.first_store = sqlite3.connect(":memory:", check_same_thread=False)  # type: ignore[attr-defined]

    def upgrade_or_copy(engine: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        if engine.dialect.name != "sqlite" or _is_versioned(engine.url.database):
            upgrade(engine)
        elif _is_empty(first):
            upgrade(engine)
            with closing(sqlite3.connect(engine.url.database)) as made:
                made.backup(first)
        else:
            with closing(sqlite3.connect(engine.url.database)) as new:
                first.backup(new)

    stores._upgrade_db = upgrade_or_copy  # type: ignore[attr-defined]  # noqa: SLF001


def _is_empty(store: sqlite3.Connection) -> bool:
    return store.execute("SELECT name FROM sqlite_master").fetchone() is None


def _is_versioned(path: str) -> bool:
    """Say whether a store has a schema, be it an old one."""
    with closing(sqlite3.connect(path)) as store:
        return store.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is not None
