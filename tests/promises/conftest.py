"""The CRMs that every promise is tested against: servers on loopback, databases, and folders of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from crm_cases import COLD, KEYS, Crm, reachable
from crm_files import FilesCrm
from crm_hubspot import HubSpotCrm
from crm_odoo import OdooCrm
from crm_rest import DynamicsCrm, PipedriveCrm, SearchCrm
from crm_salesforce import SalesforceCrm
from crm_sql import PostgresqlCrm, SqliteCrm
from pushing import Delivery, of_keys

Make = Callable[[Path, Callable[[str], Any]], AbstractContextManager[Crm]]

CRMS: dict[str, Make] = {
    "files": lambda folder, _: FilesCrm(folder),
    "sqlite": lambda *_: SqliteCrm(),
    "postgresql": lambda _, fixture: PostgresqlCrm(fixture("postgresql")),
    "odoo jsonrpc": lambda *_: OdooCrm("jsonrpc"),
    "odoo json2": lambda *_: OdooCrm("json2"),
    "hubspot": lambda *_: HubSpotCrm(),
    "salesforce": lambda *_: SalesforceCrm(),
    "dynamics": lambda *_: DynamicsCrm(),
    "pipedrive": lambda *_: PipedriveCrm(),
    "search": lambda *_: SearchCrm(),
}


@pytest.fixture(params=CRMS)
def crm(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crm]:
    with reachable(CRMS[request.param](tmp_path / "crm", request.getfixturevalue), monkeypatch) as made:
        yield made


@pytest.fixture
def delivery(crm: Crm, tmp_path: Path) -> Delivery:
    return Delivery(tmp_path, crm.settings, crm.environment, before=crm.sync)


@pytest.fixture
def wired(crm: Crm) -> Crm:
    if not crm.has_calls:
        pytest.skip("no calls, no faults on the way")
    return crm


@pytest.fixture
def calls_of_a_push(wired: Crm, delivery: Delivery) -> int:
    """Push to three leads without a fault, and give the number of calls; another push takes as many."""
    for key in KEYS:
        wired.add(key)
    before = wired.calls
    delivery.push(of_keys(KEYS, COLD))
    return wired.calls - before
