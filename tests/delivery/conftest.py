"""Databases under test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from crm_sql import Database, PostgresqlCrm, SqliteCrm
from postgresql import Server


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
