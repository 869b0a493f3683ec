"""A standalone cluster of two workers, whose Python has not this project: the stages as they are called there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
from house import ROOT
from sparks import Cluster, running_cluster
from world import Project

_IN_SMALL_PARTS = """
import os, sys
from pipeline.commands.app import main
from pipeline.matrix import spark as matrix
from pipeline.snapshots import stretches
from pipeline.sorting import spark as sorting
matrix.PART_EVENTS, sorting.STRETCH_ROWS = 4_000, 8_000
stretches.MOST_BYTES = 1
code = 0
for line in sys.stdin:
    name, folder = line.rstrip().split(" ", 1)
    os.chdir(folder)
    sys.argv = ["leadcast", name]
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    print("ended with", code, flush=True)
sys.exit(code)
"""
_PATIENCE_SECONDS = 300


class Stage(NamedTuple):
    """A stage that Spark has a part in: what a task writes first, what comes out in the end, what must be gone then."""

    name: str
    first: str
    outputs: tuple[str, ...]
    between: str


STAGES = (
    Stage("features", "data/.spark-*/matrix-*", ("features.parquet", "catalogue.json"), "data/.spark-*"),
    Stage(
        "ingest",
        "data/.tmp/ingest/data/sorting-*/dealt-*.known",
        ("interactions.parquet", "leads.parquet", "quarantine/web.parquet", "ingest.json"),
        "data/.tmp/ingest",
    ),
)
SNAPSHOTS = Stage("snapshots", "data/.tmp/snapshots/*", ("snapshots.parquet", "snapshots.json"), "data/.tmp/snapshots")


class Leadcast:
    """A process that is told of commands, one after the other; as in a notebook they share the session with Spark."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._code = 0

    def begin(self, stage: Stage, project: Project) -> None:
        """Begin with a stage of the project."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{stage.name} {project.root}\n")
        self.process.stdin.flush()

    def await_first_part(self, stage: Stage, project: Project) -> None:
        """Wait until a task has begun to write."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not list(project.root.glob(stage.first)):
            assert time.monotonic() < end
            assert self.process.poll() is None
            time.sleep(0.01)

    def end(self) -> tuple[int, str]:
        """Wait for its end; gives its exit code and all that it told."""
        assert self.process.stdout is not None
        told: list[str] = []
        for line in self.process.stdout:
            if line.startswith("ended with "):
                self._code = int(line.split()[-1])
                return self._code, "".join(told)
            told.append(line)
        raise AssertionError("".join(told))

    def close(self) -> None:
        """Let the process end, be its last command stopped or not."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(_PATIENCE_SECONDS) == self._code


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster") / "of-two") as running:
        yield running


@pytest.fixture(scope="module")
def leadcast(cluster: Cluster) -> Iterator[Leadcast]:
    with subprocess.Popen(
        [sys.executable, "-c", _IN_SMALL_PARTS],
        cwd=ROOT,
        env=os.environ | {"PYSPARK_PYTHON": str(cluster.python)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        leadcast = Leadcast(process)
        yield leadcast
        leadcast.close()


@pytest.fixture
def project(least: Project, cluster: Cluster, tmp_path: Path) -> Project:
    """Copy the least world up to its snapshots, to be gone on with on the cluster."""
    copied = least.copy_to(tmp_path / "project", leave_out=("features.parquet", "catalogue.json"))
    return copied.with_settings({"run": {"executor": "spark", "master": cluster.master}})


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_executors_that_are_killed_change_no_byte(
    project: Project, cluster: Cluster, leadcast: Leadcast, least: Project, stage: Stage
) -> None:
    leadcast.begin(stage, project)
    leadcast.await_first_part(stage, project)
    killed = cluster.executors()
    for number in killed:
        os.kill(number, signal.SIGKILL)
    code, told = leadcast.end()
    assert killed
    assert code == 0, told
    for name in stage.outputs:
        assert (project.root / "data" / name).read_bytes() == (least.root / "data" / name).read_bytes()
    assert not list(project.root.glob(stage.between))


def test_snapshots_are_taken_by_executors_that_had_not_the_project(
    project: Project, leadcast: Leadcast, least: Project
) -> None:
    rows = pq.read_table(project.interactions)
    pq.write_table(rows, project.interactions, row_group_size=len(rows) // 4)
    for path in (project.snapshots, project.snapshot_counts):
        path.unlink()
    leadcast.begin(SNAPSHOTS, project)
    code, told = leadcast.end()
    assert code == 0, told
    for name in SNAPSHOTS.outputs:
        assert (project.root / "data" / name).read_bytes() == (least.root / "data" / name).read_bytes()


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_that_is_stopped_leaves_nothing_of_its_own(project: Project, leadcast: Leadcast, stage: Stage) -> None:
    before = {path: path.read_bytes() for path in (project.root / "data").rglob("*") if path.is_file()}
    leadcast.begin(stage, project)
    leadcast.await_first_part(stage, project)
    leadcast.process.send_signal(signal.SIGINT)
    code, told = leadcast.end()
    assert code == 130, told
    assert "Traceback" not in told
    after = {path: path.read_bytes() for path in (project.root / "data").rglob("*") if path.is_file()}
    after.pop(project.catalogue, None)  # without a matrix it is a plan
    assert after == before
    assert not list(project.root.glob("data/.*features.parquet*"))
    assert not list(project.root.glob(stage.between))
