"""Files that a stage wrote and that were changed since: whoever reads one says so in one message, never in a trace."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from command_line import call
from world import Project

from features.core.errors import InputError, RegistryError
from pipeline.registry.mlflow import connected

CHANGES = {
    "empty": (b"", "is broken (Expecting value"),
    "a list": (b"[]", "is broken (it holds no object)"),
    "of another version": (b'{"since": 2}', "lacks '"),
    "no text": (b"\xff\xfe\x00", "is broken ('utf-8' codec"),
    "no number": (b'{"sources": NaN}', "is broken (NaN is no number)"),
}
READERS = {
    "data/ingest.json": ("snapshots", "recommend", "report", "doctor"),
    "data/snapshots.json": ("train", "report"),
    "data/training.json": ("evaluate", "recommend", "report"),
    "data/catalogue.json": ("train",),
    "data/scoring.json": ("report",),
    "reports/figures.json": ("report",),
    "reports/verdicts.json": ("report", "verdicts"),
}


@pytest.fixture(scope="module")
def project(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return world.copy_to(tmp_path_factory.mktemp("changed") / "project")


@pytest.mark.parametrize(("content", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_file_that_is_not_what_was_written_is_named(
    project: Project, content: bytes, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    for name, commands in READERS.items():
        whole = Path(name).read_bytes()
        Path(name).write_bytes(content)
        for command in commands:
            code, text = call(command)
            assert code == 4, text
            assert f"{command} failed {name} {expected}" in text
            assert "make it anew: dvc repro --force" in text
        Path(name).write_bytes(whole)


NAME = "lead-conversion"
OTHER_CALIBRATOR = '{"intercept": 1.0, "method": "platt", "slope": 1.0}'
"""Sound by itself, and not that of the model."""


@pytest.fixture
def evaluated(world: Project, tmp_path: Path) -> Project:
    """Give the small world with its champion."""
    return world.copy_to(tmp_path / "project", leave_out=("raw", "reports"), with_store=True)


def versions_of(client: Any) -> list[Any]:  # noqa: ANN401 - MLflow's own
    return sorted(client.search_model_versions(f"name = '{NAME}'"), key=lambda version: int(version.version))


def score(project: Project) -> Path:
    from pipeline.scoring import champion  # noqa: PLC0415 - heavy

    return champion.run(project, project.told.append, "latest", backfill=False)


@pytest.mark.parametrize("name", ["members/0.txt", "calibration.json", "manifest.json"])
def test_a_champion_whose_files_were_changed_scores_nobody(evaluated: Project, name: str) -> None:
    with connected(evaluated) as client:
        (before,) = versions_of(client)
        registered = Path(client.get_model_version_download_uri(NAME, before.version).removeprefix("file://"))
    (calibration,) = registered.rglob("calibration.json")
    changed = calibration.parent / name
    half = changed.read_text()[: len(changed.read_text()) // 2]
    changed.write_text(OTHER_CALIBRATOR if name == "calibration.json" else half)
    with pytest.raises(RegistryError, match="version 1 are not those that were registered, so nothing was scored"):
        score(evaluated)
    assert not evaluated.scores.exists()
    if name != "calibration.json":
        return
    # The model itself is sound: judged once more, it is registered anew, and takes its place.
    evaluated.run("evaluate")
    with connected(evaluated) as client:
        assert [one.tags["model_version"] for one in versions_of(client)] == [before.tags["model_version"]] * 2
        assert {name: str(one) for name, one in client.get_registered_model(NAME).aliases.items()} == {"champion": "2"}
    assert (score(evaluated) / "recommendations.parquet").exists()


@pytest.mark.parametrize("stage", ["evaluate", "recommend"])
def test_a_model_that_was_changed_after_its_training_is_not_measured(
    world: Project, tmp_path: Path, stage: str
) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    (project.model / "calibration.json").write_text(OTHER_CALIBRATOR)
    with pytest.raises(InputError, match="calibration.json is not the one that manifest.json was written with"):
        project.run(stage)


def test_what_was_foretold_of_another_matrix_is_not_measured(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    matrix = pq.read_table(project.matrix)
    pq.write_table(matrix.filter(pc.less(matrix["as_of"], pa.scalar(datetime(2026, 5, 20)))), project.matrix)
    with pytest.raises(InputError, match=r"origins.parquet is of another matrix than .*features.parquet: leadcast tr"):
        project.run("evaluate")


def test_a_report_without_what_came_before_says_what_to_run(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "gains.png"))
    with pytest.raises(InputError, match="reports/pictures/gains.png not there; run the stages before this one"):
        project.run("report")
