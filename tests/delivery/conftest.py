"""Databases under test, and a project whose champion has scored."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from crm_sql import Database, PostgresqlCrm, SqliteCrm
from postgresql import Server
from world import Project


@pytest.fixture
def sqlite() -> Iterator[SqliteCrm]:
    with SqliteCrm() as crm:
        yield crm


@pytest.fixture
def server(postgresql: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresqlCrm]:
    with PostgresqlCrm(postgresql) as crm:
        monkeypatch.setenv("CRM_DATABASE", crm.environment["CRM_DATABASE"])
        yield crm


@pytest.fixture(params=["sqlite", "server"])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def scored(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Make a project whose champion has scored the end of the log."""
    folder = tmp_path_factory.mktemp("scored") / "project"
    project = world.copy_to(folder, leave_out=("raw", "reports"), with_store=True)
    from pipeline.scoring import champion  # noqa: PLC0415 - heavy

    champion.run(project, project.told.append, "latest", backfill=False)
    return project


@pytest.fixture
def project(scored: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Go into the project, to which nothing was pushed yet."""
    monkeypatch.chdir(scored.root)
    settings = (scored.root / "params.yaml").read_text()
    validation = (scored.root / "data/validation.json").read_text()
    yield scored.root
    (scored.root / "params.yaml").write_text(settings)
    (scored.root / "data/validation.json").write_text(validation)
    (scored.root / "data/suspensions.json").unlink(missing_ok=True)
    shutil.rmtree(scored.root / "data/push", ignore_errors=True)
