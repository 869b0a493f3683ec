"""Exports as vendors write them, which are no part of the project: what tries them skips where they are absent."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml
from house import ROOT
from small_project import Outcome, SmallProject
from world import Project

from pipeline.settings.file import load_parameters

CASES = Path(os.environ.get("LEADCAST_CASES") or ROOT / "../shared/cases").resolve()
LOAN_LOG = Path(os.environ.get("LEADCAST_LOAN_LEADS") or ROOT / "../shared/data/loan-leads").resolve()

needs_the_loan_log = pytest.mark.skipif(
    not (LOAN_LOG / "interactions.csv.gz").is_file(),
    reason=f"the loan log is not in {LOAN_LOG}; set LEADCAST_LOAN_LEADS to the folder that holds it",
)


def loan_project(root: Path) -> Project:
    """Run the stages on the loan log up to its recommendations, with the settings that we ship."""
    root.mkdir(parents=True, exist_ok=True)
    content = yaml.safe_load((ROOT / "examples/loan-leads/params.yaml").read_text(encoding="utf-8"))
    content["data_root"] = str(LOAN_LOG)
    content["evaluate"] = {"replicates": 100}
    (root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    project = Project(root, load_parameters(root / "params.yaml"))
    project.run("ingest", "snapshots", "features", "train", "evaluate", "recommend")
    return project


def empty_project(root: Path) -> SmallProject:
    """Make a project without settings and raw files."""
    project = SmallProject(root / "project")
    for path in [project.root / "params.yaml", *project.raw.iterdir()]:
        path.unlink()
    return project


def case(name: str, root: Path) -> SmallProject:
    """Copy a case into a project; skips where it is not there."""
    folder = CASES / name
    if not folder.is_dir():
        pytest.skip(f"there is no case {name} in {CASES}; set LEADCAST_CASES to the folder that holds the cases")
    project = empty_project(root)
    for path in folder.rglob("*"):
        if path.is_file():
            target = project.root / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return project


def propose(project: SmallProject, folder: str, *options: str) -> Outcome:
    """Let ``init`` propose settings without asking, and ``ingest`` read by them."""
    proposed = project.run("init", folder, "--yes", *options)
    assert proposed.code == 0, proposed.text
    read = project.ingest()
    assert read.code == 0, read.text
    return proposed
