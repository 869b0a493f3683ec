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
from sparks import Cluster, running_cluster
from world import Project

_IN_SMALL_PARTS = """
import sys
from pipeline.commands.app import main
from pipeline.matrix import spark as matrix
from pipeline.snapshots import stretches
from pipeline.sorting import spark as sorting
matrix.PART_EVENTS, sorting.STRETCH_ROWS = 4_000, 8_000
stretches.MOST_BYTES = 1
sys.argv = ["leadcast", sys.argv[1]]
main()
"""
_PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster") / "of-two") as running:
        yield running


@pytest.fixture
def project(least: Project, cluster: Cluster, tmp_path: Path) -> Project:
    """Copy the least world up to its snapshots, to be gone on with on the cluster."""
    copied = least.copy_to(tmp_path / "project", leave_out=("features.parquet", "catalogue.json"))
    return copied.with_settings({"run": {"executor": "spark", "master": cluster.master}})


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


def begin(project: Project, cluster: Cluster, stage: Stage) -> subprocess.Popen[str]:
    """Begin with the stage in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", _IN_SMALL_PARTS, stage.name],
        cwd=project.root,
        env=os.environ | {"PYSPARK_PYTHON": str(cluster.python)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def await_first_part(project: Project, process: subprocess.Popen[str], stage: Stage) -> None:
    """Wait until a task has begun to write."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not list(project.root.glob(stage.first)):
        assert time.monotonic() < end
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_executors_that_are_killed_change_no_byte(
    project: Project, cluster: Cluster, least: Project, stage: Stage
) -> None:
    with begin(project, cluster, stage) as process:
        await_first_part(project, process, stage)
        killed = cluster.executors()
        for number in killed:
            os.kill(number, signal.SIGKILL)
        told, _ = process.communicate(timeout=_PATIENCE_SECONDS)
    assert killed
    assert process.returncode == 0, told
    for name in stage.outputs:
        assert (project.root / "data" / name).read_bytes() == (least.root / "data" / name).read_bytes()
    assert not list(project.root.glob(stage.between))


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_that_is_stopped_leaves_nothing_of_its_own(project: Project, cluster: Cluster, stage: Stage) -> None:
    before = {path: path.read_bytes() for path in (project.root / "data").rglob("*") if path.is_file()}
    with begin(project, cluster, stage) as process:
        await_first_part(project, process, stage)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    after = {path: path.read_bytes() for path in (project.root / "data").rglob("*") if path.is_file()}
    after.pop(project.catalogue, None)  # without a matrix it is a plan
    assert after == before
    assert not list(project.root.glob("data/.*features.parquet*"))
    assert not list(project.root.glob(stage.between))


def test_snapshots_are_taken_by_executors_that_had_not_the_project(
    project: Project, cluster: Cluster, least: Project
) -> None:
    rows = pq.read_table(project.interactions)
    pq.write_table(rows, project.interactions, row_group_size=len(rows) // 4)
    for path in (project.snapshots, project.snapshot_counts):
        path.unlink()
    with begin(project, cluster, SNAPSHOTS) as process:
        told, _ = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 0, told
    for name in SNAPSHOTS.outputs:
        assert (project.root / "data" / name).read_bytes() == (least.root / "data" / name).read_bytes()
