"""Stages that are killed, run out of room, or meet one another: nothing half-written, then the same bytes."""

from __future__ import annotations

import importlib
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from command_line import WIDE, call, call_executable
from forks import FORKS, Run, copies_of_a_warm_process
from small_project import AS_SOMEBODY, LEADCAST
from world import Project

from pipeline.commands.app import STAGES, module_of
from pipeline.core.project import Project as ProjectFolder
from pipeline.core.project import sole
from pipeline.settings.file import load_parameters

OUTPUTS: dict[str, tuple[str, ...]] = {
    "ingest": (
        "data/interactions.parquet", "data/leads.parquet", "data/aliases.parquet", "data/former-creations.parquet",
        "data/spend.parquet", "data/owners.parquet", "data/quarantine", "data/ingest.json",
    ),
    "validate": ("data/validation.json",),
    "snapshots": ("data/snapshots.parquet", "data/snapshots.json"),
    "features": ("data/features.parquet", "data/catalogue.json"),
    "train": ("data/model", "data/origins.parquet", "data/training.json"),
    "evaluate": ("reports/figures.json", "reports/verdicts.json", "reports/plots", "reports/pictures"),
    "recommend": ("data/recommendations.parquet", "data/recommendations.csv", "data/scoring.json"),
    "report": ("reports/summary.txt", "reports/index.html", "reports/model.html", "reports/private"),
}  # fmt: skip
MOMENTS: dict[str, list[tuple[str, int]]] = {
    "ingest": [("word", 2), ("os.rename data", 2), ("os.rename data", 4)],
    "validate": [("os.rename data", 1)],
    "snapshots": [("word", 1), ("os.rename data", 1), ("os.rename data", 2)],
    "features": [("word", 1), ("os.rename data", 1), ("os.rename data", 2)],
    "train": [("word", 1), ("os.rename data", 2), ("os.rename data", 3)],
    "evaluate": [("os.rename reports", 6), ("open mlruns", 3)],
    "recommend": [("word", 1), ("os.rename data", 2)],
    "report": [("word", 1), ("os.rename reports", 2)],
}
"""When each stage dies: as it says its n-th word, or as it renames or opens its n-th file below a folder."""
NEXT = {"ingest": "snapshots", "snapshots": "train", "features": "train", "train": "report", "recommend": "report"}
"""The stage that reads all that another has written, and must not take it for whole where that was killed."""


def written(root: Path, *stages: str) -> dict[str, bytes]:
    """Read all that stages have written, whatever it is called."""
    places = [root / name for stage in stages for name in OUTPUTS[stage]]
    files = [path for place in places for path in [place, *place.rglob("*")] if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def half_written(root: Path) -> list[Path]:
    """List what a stage began to write, and did not finish."""
    return [path for path in root.rglob("*") if ".tmp" in str(path.relative_to(root)) and path.is_file()]


def run_and_die(root: Path, stage: str, moment: str, number: int) -> None:
    """Run a stage in this process, which is killed at a moment of MOMENTS."""
    seen = 0

    def come_to(what: str) -> None:
        nonlocal seen
        seen += what == moment
        if what == moment and seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"os.rename", "open"}:
            target = str(arguments[1 if event == "os.rename" else 0])
            if target.startswith(str(root)):
                come_to(f"{event} {Path(target).relative_to(root).parts[0]}")

    parameters = load_parameters(root / "params.yaml")
    sys.addaudithook(listen)
    run = importlib.import_module(module_of(stage)).run
    run(ProjectFolder(root, parameters.hand_over(run)), lambda _: come_to("word"))


def run_in_little_room(root: Path, stage: str, answer: Connection) -> None:
    """Call a stage in this process, none of whose files may grow beyond a page, as where the disk is full."""
    os.chdir(root)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    try:
        answer.send(call(stage))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the test tells
        answer.send((-1, repr(error)))


@pytest.fixture(scope="module")
def in_a_process() -> Iterator[Run]:
    with copies_of_a_warm_process() as run:
        yield run


@pytest.fixture(scope="module")
def project(least: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Give a world of few leads. Every test leaves it as it was: that is what they are about."""
    return least.copy_to(tmp_path_factory.mktemp("interrupted") / "project", with_store=True)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_was_killed_writes_the_same_bytes_when_it_runs_again(
    project: Project, in_a_process: Run, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    undisturbed = written(project.root, *STAGES)
    for moment, number in MOMENTS[stage]:
        assert in_a_process(run_and_die, project.root, stage, moment, number) == -signal.SIGKILL, moment
    if stage in NEXT:
        code, text = call(NEXT[stage])
        assert code == 4
        assert "not there; run the stages before this one: dvc repro" in text
    project.run(stage)
    assert written(project.root, *STAGES) == undisturbed
    assert half_written(project.root) == []


def test_a_model_whose_tracking_was_killed_has_one_run_that_is_whole(project: Project) -> None:
    from pipeline.registry.mlflow import connected  # noqa: PLC0415 - takes seconds

    with connected(project) as client:
        experiment = client.get_experiment_by_name("leadcast")
        runs = client.search_runs([experiment.experiment_id])
        (run,) = (one for one in runs if "model_version" in one.data.tags)
        (version,) = client.search_model_versions("name = 'lead-conversion'")
    assert run.info.status == "FINISHED"
    assert {"train.seed", "snapshots.horizon"} <= run.data.params.keys()
    assert len(run.inputs.dataset_inputs) == 2
    assert version.run_id == run.info.run_id


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_without_room_says_so_and_runs_once_there_is(project: Project, in_a_process: Run, stage: str) -> None:
    undisturbed = written(project.root, *STAGES)
    receiver, sender = FORKS.Pipe(duplex=False)
    assert in_a_process(run_in_little_room, project.root, stage, sender) == 0
    code, text = receiver.recv()
    assert code in {1, 4, 8}, text
    assert f"{stage} failed " in text
    assert "too large" in text
    assert "Traceback" not in text
    assert half_written(project.root) == []
    project.run(stage)
    assert written(project.root, *STAGES) == undisturbed


def test_a_disk_that_is_full_is_told_and_once_there_is_room_the_stage_runs(project: Project, tmp_path: Path) -> None:
    if os.geteuid() or subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root mounts a small disk; the test above stands for it")
    small = project.copy_to(tmp_path / "project", leave_out=("data", "reports"))
    shutil.copytree(project.root / "data/raw", small.root / "raw")
    small = small.with_settings({"data_root": "raw"})
    (small.root / "data").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(small.root / "data")]
    subprocess.run(mount, check=True)
    try:
        code, _, message = call_executable(small.root, "ingest")
        assert code == 1
        assert "No space left on device" in message
        assert "free space on the disk, or raise run.memory_limit" in message
        assert "Traceback" not in message
        assert [path for path in (small.root / "data").rglob("*") if path.is_file()] == []
        subprocess.run(["mount", "-o", "remount,size=200m", str(small.root / "data")], check=True)
        small.run("ingest")
        assert written(small.root, "ingest") == written(project.root, "ingest")
    finally:
        subprocess.run(["umount", str(small.root / "data")], check=True)


def test_of_two_stages_at_once_the_second_says_that_it_waits_for_the_first(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = written(project.root, *STAGES)
    monkeypatch.chdir(project.root)
    with sole(project):
        code, _, message = call_executable(project.root, "ingest")
    assert code == 4
    assert "another leadcast is at work in this folder" in message
    assert written(project.root, *STAGES) == undisturbed
    assert half_written(project.root) == []
    assert call("report")[0] == 0, "the folder is free again"
    assert written(project.root, *STAGES) == undisturbed


def test_outputs_that_may_not_be_written_are_told(project: Project, tmp_path: Path) -> None:
    small = project.copy_to(tmp_path / "project", leave_out=("reports", "raw"))
    undisturbed = written(small.root, *STAGES)
    shutil.rmtree(small.root / "data/.tmp", ignore_errors=True)
    as_somebody = AS_SOMEBODY if os.geteuid() == 0 else []
    (small.root / "data").chmod(0o500)
    ran = subprocess.run(
        [*as_somebody, LEADCAST, "snapshots"], cwd=small.root, env=os.environ | WIDE, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    (small.root / "data").chmod(0o700)
    assert ran.returncode == 4
    assert "snapshots failed Permission denied (data/.tmp)" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert written(small.root, *STAGES) == undisturbed


def test_a_tracking_server_that_is_nowhere_is_given_up_and_told(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = written(project.root, "evaluate")
    project = project.copy_to(tmp_path / "project", leave_out=("raw",))
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    code, text = call("evaluate")
    assert code == 8
    assert "MLflow at http://127.0.0.1:9 refuses" in text
    assert "check that it runs, and MLFLOW_TRACKING_URI" in text
    assert "secret" not in text
    assert written(project.root, "evaluate") == undisturbed, "figures and pictures are there"
