"""Twenty thousand leads over a wire on which a fifth of all calls goes wrong: all end right, each call is counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crm_cases import reachable
from crm_odoo import OdooCrm
from crm_servers import IMPATIENT, KINDS
from pushing import Delivery, Lead, ways

LEADS = 20_000


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[OdooCrm]:
    with reachable(OdooCrm("jsonrpc"), monkeypatch) as made:
        made.faults.share = 0.2
        made.faults.late = 1.2
        yield made


def test_every_lead_ends_right_and_every_call_is_counted(crm: OdooCrm, tmp_path: Path) -> None:
    for number in range(LEADS):
        crm.add(f"L{number}", closed=number % 50 == 7)
    for number in range(3, LEADS, 1_000):
        crm.refused.add(number + 101)
    leads = {f"L{number}": Lead("SQL", round(0.1 + number / 40_000, 4)) for number in range(LEADS)}
    leads |= {f"nobody {number}": Lead("MQL") for number in range(500)}
    settings = crm.settings
    settings["sink"]["timeout_seconds"] = IMPATIENT
    delivery = Delivery(tmp_path, settings, crm.environment)
    calls = 0
    for _ in range(10):  # what waits after eight attempts comes with the next push
        pushed = delivery.push(leads)
        calls += pushed.calls
        assert sum(ways(pushed).values()) == len(leads)
        if not ways(pushed).get("deferred"):
            break
    else:
        pytest.fail(f"leads still wait after ten pushes: {ways(pushed)}")
    assert calls == crm.calls
    assert set(crm.faults.happened) == set(KINDS), "every kind of fault happened"
    assert len(delivery.known("skipped")) == 500 + LEADS // 50
    assert len(delivery.known("rejected")) == 20
    for number, row in enumerate(crm.rows.values()):
        if number % 50 == 7 or number % 1_000 == 3:
            assert "x_leadcast_tier" not in row
        else:
            assert (row["x_leadcast_tier"], row["x_leadcast_probability"]) == ("SQL", round(0.1 + number / 40_000, 4))
    assert {row["probability"] for row in crm.rows.values()} == {12.5}, "no native field was touched"
    crm.faults.share = 0.0
    before = crm.calls
    quiet = delivery.push(leads)
    assert ways(quiet)["unchanged"] == LEADS - LEADS // 50 - 20
    # What was rejected is tried three times in all.
    assert ways(quiet).get("rejected", 0) + ways(quiet).get("dead letter", 0) == 20
    assert crm.calls - before <= 8, "four to log in, to ask for sizes and to look, four until the 20 are told"
