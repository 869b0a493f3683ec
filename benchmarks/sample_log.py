"""The sample world, large: four sources of three kinds, leads, identities, and the settings that go with it."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.measurement import ROOT
from pipeline.core.project import Project
from pipeline.ingest import stage as ingest
from pipeline.sample import write_sample
from pipeline.sample.company import COMPANY
from pipeline.sample.files import BLOCK
from pipeline.sample.simulate import simulate_block
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


def simulate(blocks: int) -> float:
    """Draw blocks of leads after a first one, and give the seconds of one core."""
    simulate_block(COMPANY, np.random.default_rng(blocks), BLOCK)
    start = time.process_time()
    for seed in range(blocks):
        simulate_block(COMPANY, np.random.default_rng(seed), BLOCK)
    return time.process_time() - start


def simulated(blocks: int) -> int:
    """Give the number of events that ``simulate`` draws."""
    return sum(len(simulate_block(COMPANY, np.random.default_rng(seed), BLOCK).events.lead) for seed in range(blocks))


def write_files(leads: int) -> float:
    """Write the files of a world, without its truth, and give the seconds of one core."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        write_sample(Path(folder) / "raw", leads=leads)
        return time.process_time() - start
