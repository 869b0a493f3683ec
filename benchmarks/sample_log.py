"""The sample world, large: four sources of three kinds, leads, identities, and the settings that go with it."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.measurement import ROOT
from pipeline.core.project import Project
from pipeline.ingest import stage as ingest
from pipeline.sample import write_sample
from pipeline.settings.file import load_parameters

_SETTINGS = "params.yaml"


def write_sample_project(root: Path, leads: int) -> int:
    """Simulate the world of so many leads, with the settings of the project; gives the number of interactions."""
    root.mkdir(parents=True)
    shutil.copyfile(ROOT / _SETTINGS, root / _SETTINGS)
    return write_sample(root / "data/raw", leads=leads, seed=7).interactions


def ingest_sample(root: Path) -> None:
    """Run the stage ``ingest``, within the memory that the settings give it."""
    ingest.run(Project(root, load_parameters(root / _SETTINGS)), lambda _: None)
