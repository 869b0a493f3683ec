"""Files that a stage wrote and that were changed since: whoever reads one says so in one message, never in a trace."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import call
from world import Project

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
    "data/training.json": ("recommend", "report"),
    "data/catalogue.json": ("train",),
    "data/scoring.json": ("report",),
    "reports/metrics.json": ("report",),
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
