"""A project whose champion has learned until March, and has scored since: twice as much as happens is promised."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from watched import FIRST, LAST, PROMISED, learned_until, write_scores
from world import Project

LEARNED = "2026-03-01"


@pytest.fixture(scope="session")
def learned(
    world: Project,
    shared: Callable[[str, Callable[[Path], Project]], Project],
    tmp_path_factory: pytest.TempPathFactory,
) -> Project:
    """Train a champion on the log until March, and read the rest of the log afterwards."""
    made = shared("watched", lambda root: learned_until(LEARNED, world, root, then=("ingest",)))
    return made.copy_to(tmp_path_factory.mktemp("watched") / "project", with_store=True)


@pytest.fixture
def watched(learned: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Go into the project, of which nothing is scored yet."""
    monkeypatch.chdir(learned.root)
    settings = (learned.root / "params.yaml").read_text()
    yield learned
    (learned.root / "params.yaml").write_text(settings)
    for folder in (learned.scores, learned.root / "reports", learned.root / "data/push"):
        shutil.rmtree(folder, ignore_errors=True)
    learned.suspensions.unlink(missing_ok=True)


@pytest.fixture
def scored(watched: Project) -> Project:
    """Score every Monday, promising far too much."""
    moment = FIRST
    while moment <= LAST:
        write_scores(watched, moment, PROMISED)
        moment += timedelta(days=7)
    return watched


@pytest.fixture(autouse=True)
def _no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ALARMS_")]:
        monkeypatch.delenv(name)
