"""A small world in a folder of its own: raw files, settings, and all that the stages make of them."""

from __future__ import annotations

import importlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock
from house import ROOT

from pipeline.commands.app import STAGES, module_of
from pipeline.core import project
from pipeline.sample import write_sample
from pipeline.settings.file import load_parameters
from pipeline.settings.parameters import Parameters

LEADS = 2_000
"""So many that a model can be told from chance, and so few that all stages together take seconds."""
SMALL: dict[str, object] = {
    "train.minimum_conversions": 5,
    "train.origins": 3,
    "train.members": 2,
    "train.other_horizons": ["7d", "60d"],
    "train.parameters": {"num_iterations": 25, "early_stopping_round": 5, "learning_rate": 0.3},
    "evaluate.replicates": 50,
}
"""Where the settings of the small world differ from those that we ship."""
FEW_LEADS = 600
LEAST: dict[str, object] = SMALL | {
    "snapshots.policies": [{"ages": ["1d", "14d", "40d"]}],
    "train.origins": 2,
    "train.members": 1,
    "train.other_horizons": ["60d"],
    "train.parameters": {"num_iterations": 5, "learning_rate": 0.3},
}
"""Of a world in which every stage has all its work to do, and a model that nobody asks whether it is any good.

It trains in a tenth of the time: for tests of what stages do with files, which run them again and again."""


@dataclass(frozen=True)
class Project(project.Project[Parameters]):
    """A folder as a user has it, its settings as read, and the lines that the stages told on their way."""

    told: list[str] = field(default_factory=list)

    def run(self, *stages: str) -> None:
        """Run stages in this process."""
        for stage in stages:
            run = importlib.import_module(module_of(stage)).run
            run(project.Project(self.root, self.parameters.hand_over(run)), self.told.append)

    def with_settings(self, changes: Mapping[str, object]) -> Project:
        """Change settings by their places, ``{"train.seed": 8}``, in the folder's ``params.yaml``."""
        return Project(self.root, _write_settings(self.root, self.root / "params.yaml", changes))

    def copy_to(self, folder: Path, *, leave_out: Sequence[str] = (), with_store: bool = False) -> Project:
        """Copy the folder, and MLflow's store where it is asked for: the champion in it need not be evaluated again."""
        shutil.copytree(self.root, folder, ignore=shutil.ignore_patterns("mlflow.db*", "mlruns", *leave_out))
        if not with_store:
            return Project(folder, self.parameters)
        shutil.copytree(self.root / "mlruns", folder / "mlruns")
        shutil.copy(self.root / "mlflow.db", folder / "mlflow.db")
        _move_store(self.root, folder)
        return Project(folder, self.parameters, list(self.told))


def new_project(
    root: Path, stages: Sequence[str] = tuple(STAGES), *, leads: int = LEADS, settings: Mapping[str, object] = SMALL
) -> Project:
    """Write the sample's raw files and the settings, and run the stages."""
    root.mkdir(parents=True, exist_ok=True)
    project = Project(root, _write_settings(root, ROOT / "params.yaml", settings))
    write_sample(root / project.parameters.data_root, leads=leads, seed=1, truth=True)
    project.run(*stages)
    return project


def least_project(root: Path) -> Project:
    """Make the world in which every stage has work to do, and as little of it as there may be."""
    return new_project(root, leads=FEW_LEADS, settings=LEAST)


def shared_project(folder: Path, make: Callable[[Path], Project] = new_project) -> Project:
    """Give the project that all processes of a test run share; the first that asks makes it."""
    folder.mkdir(exist_ok=True)
    root, told = folder / "project", folder / "told.json"
    with FileLock(folder / "lock"):
        if not told.exists():
            shutil.rmtree(root, ignore_errors=True)  # of a process that failed on its way
            told.write_text(json.dumps(make(root).told), encoding="utf-8")
    return Project(root, load_parameters(root / "params.yaml"), json.loads(told.read_text(encoding="utf-8")))


_PLACES_OF_A_STORE = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}
"""Where MLflow's database has absolute paths, by table; the files that describe models have them, too."""


def _move_store(old: Path, new: Path) -> None:
    """Write the new place of a copied store wherever it has the old one."""
    before, after = f"file://{old}/", f"file://{new}/"
    with closing(sqlite3.connect(new / "mlflow.db")) as store, store:
        for table, column in _PLACES_OF_A_STORE.items():
            store.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (before, after))
    for path in (new / "mlruns").rglob("MLmodel"):
        path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")


def _write_settings(root: Path, origin: Path, changes: Mapping[str, object]) -> Parameters:
    content: dict[str, Any] = yaml.safe_load(origin.read_text(encoding="utf-8"))
    for place, value in changes.items():
        *path, last = place.split(".")
        section = content
        for step in path:
            section = section[step]
        section[last] = value
    (root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return load_parameters(root / "params.yaml")
