"""A standalone cluster of two workers, whose Python has not this project: the stages as they are called there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sparks import Cluster, running_cluster
from world import Project

_IN_SMALL_PARTS = """
import sys
from pipeline.commands.app import main
from pipeline.matrix import spark
from pipeline.snapshots import stretches
spark.PART_EVENTS = 4_000
stretches.MOST_BYTES = 1
sys.argv = ["leadcast", "{stage}"]
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


def begin(project: Project, cluster: Cluster, stage: str = "features") -> subprocess.Popen[str]:
    """Begin with a stage in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", _IN_SMALL_PARTS.format(stage=stage)],
        cwd=project.root,
        env=os.environ | {"PYSPARK_PYTHON": str(cluster.python)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def await_first_part(project: Project, stage: subprocess.Popen[str]) -> None:
    """Wait until a task has begun to write."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not list(project.root.glob("data/.spark-*/matrix-*")):
        assert time.monotonic() < end
        assert stage.poll() is None, stage.communicate()[0]
        time.sleep(0.01)


def test_executors_that_are_killed_change_no_byte(project: Project, cluster: Cluster, least: Project) -> None:
    with begin(project, cluster) as stage:
        await_first_part(project, stage)
        killed = cluster.executors()
        for process in killed:
            os.kill(process, signal.SIGKILL)
        told, _ = stage.communicate(timeout=_PATIENCE_SECONDS)
    assert killed
    assert stage.returncode == 0, told
    for name in ("features.parquet", "catalogue.json"):
        assert (project.root / "data" / name).read_bytes() == (least.root / "data" / name).read_bytes()
    assert not list(project.root.glob("data/.spark-*"))


def test_a_stage_that_is_stopped_leaves_no_matrix(project: Project, cluster: Cluster) -> None:
    with begin(project, cluster) as stage:
        await_first_part(project, stage)
        stage.send_signal(signal.SIGINT)
        told, _ = stage.communicate(timeout=_PATIENCE_SECONDS)
    assert stage.returncode == 130, told
    assert "Traceback" not in told
    assert not project.matrix.exists()
    assert not list(project.root.glob("data/.*features.parquet*"))
    assert not list(project.root.glob("data/.spark-*"))


def test_snapshots_are_taken_by_executors_that_had_not_the_project(
    project: Project, cluster: Cluster, least: Project
) -> None:
    rows = pq.read_table(project.interactions)
    pq.write_table(rows, project.interactions, row_group_size=len(rows) // 4)
    for path in (project.snapshots, project.snapshot_counts):
        path.unlink()
    with begin(project, cluster, "snapshots") as stage:
        told, _ = stage.communicate(timeout=_PATIENCE_SECONDS)
    assert stage.returncode == 0, told
    for name in ("snapshots.parquet", "snapshots.json"):
        assert (project.root / "data" / name).read_bytes() == (least.root / "data" / name).read_bytes()
