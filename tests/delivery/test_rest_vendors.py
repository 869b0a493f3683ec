"""The sink of any interface over HTTP by the examples of Dynamics and Pipedrive, whose answers are the vendors'."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crm_rest import DynamicsCrm, PipedriveCrm
from pushing import Delivery, Lead, ways

from features.core.errors import DeliveryError
from pipeline.settings.push import Push
from pipeline.sinks.connect import connect
from pipeline.sinks.protocol import Record, Value


@pytest.fixture
def dynamics(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamicsCrm]:
    with DynamicsCrm() as crm:
        monkeypatch.setenv(*crm.environment.popitem())
        yield crm


def test_dynamics_gets_whole_scores_and_their_rounding_is_no_edit(dynamics: DynamicsCrm, tmp_path: Path) -> None:
    dynamics.add("L1")
    delivery = Delivery(tmp_path, dynamics.settings, {})
    for probability, score, tier in ((0.1249, 12, "MQL"), (0.2351, 24, "MQL"), (0.2353, 24, "SQL"), (0.3, 30, "SQL")):
        pushed = delivery.push({"L1": Lead(tier, probability)})
        assert (ways(pushed), pushed.tally.edited) == ({"written": 1}, 0)
        assert dynamics.server.scores["L1"] == {"msdyn_score": score, "new_tier": tier}
    third = delivery.push({"L1": Lead("SQL", 0.3251)})
    dynamics.edit("L1", "tier", "mine")
    delivery.undo(third.run)
    assert dynamics.server.scores["L1"] == {"msdyn_score": 30, "new_tier": "mine"}
    dynamics.edit("L1", "score", 99)
    assert delivery.push({"L1": Lead("IQL", 0.0149)}).tally.edited == 1
    assert dynamics.server.scores["L1"]["msdyn_score"] == 99


def test_dynamics_makes_no_score_that_is_not_there(dynamics: DynamicsCrm, tmp_path: Path) -> None:
    dynamics.add("L1")
    del dynamics.server.scores["L1"]
    delivery = Delivery(tmp_path, dynamics.settings, {})
    assert ways(delivery.push({"L1": Lead("SQL", 0.3), "L'2": Lead("SQL", 0.3)})) == {"skipped": 2}
    assert delivery.known("skipped")["L1"].startswith("HTTP 404: A record with the specified key values does not exist")
    assert dynamics.server.scores == {}


def test_dynamics_reads_a_key_with_an_apostrophe_as_one_key(dynamics: DynamicsCrm) -> None:
    keys = ["x',msdyn_entitytype='lead", "o'Neill"]
    for key in keys:
        dynamics.add(key)
    sink = connect(Push.model_validate(dynamics.settings), Path("/nowhere"))
    outcomes = list(sink.write([Record(key, {"msdyn_score": 12.5, "new_tier": "MQL"}) for key in keys]))
    assert [one.status for one in outcomes] == ["written", "written"]
    assert list(dynamics.server.scores.values()) == [{"msdyn_score": 12, "new_tier": "MQL"}] * 2


def test_dynamics_says_what_it_refuses(dynamics: DynamicsCrm) -> None:
    dynamics.add("L1")
    settings = dynamics.settings | {"sink": dynamics.settings["sink"] | {"whole": []}}
    sink = connect(Push.model_validate(settings), Path("/nowhere"))
    values: list[dict[str, Value]] = [{"msdyn_score": 12.5}, {"new_tiers": "SQL"}, {"msdyn_score": 101}]
    assert [one.reason for value in values for one in sink.write([Record("L1", value)])] == [
        "HTTP 400: Cannot convert the literal '12.5' to the expected type 'Edm.int'.",
        "HTTP 400: Error identified in Payload: Invalid property 'new_tiers' was found",
        "HTTP 400: A validation error occurred. The value is outside of the valid range",
    ]


@pytest.fixture
def pipedrive(monkeypatch: pytest.MonkeyPatch) -> Iterator[PipedriveCrm]:
    with PipedriveCrm() as crm:
        monkeypatch.setenv(*crm.environment.popitem())
        yield crm


def test_pipedrive_is_asked_for_as_little_as_can_be(pipedrive: PipedriveCrm, tmp_path: Path) -> None:
    keys = [f"L{number}" for number in range(30)]
    for key in keys:
        pipedrive.add(key)
    budget = pipedrive.server.budget
    delivery = Delivery(tmp_path, pipedrive.settings, {})
    leads = {key: Lead("SQL", 0.31) for key in keys}
    assert ways(delivery.push(leads)) == {"written": 30}
    assert pipedrive.server.budget == budget - 30 * (2 + 5)
    assert ways(delivery.push(leads | {"L7": Lead("MQL", 0.05)})) == {"written": 1, "unchanged": 29}
    assert pipedrive.server.budget == budget - 31 * (2 + 5)


def test_pipedrives_two_limits_are_told_apart(pipedrive: PipedriveCrm, tmp_path: Path) -> None:
    for key in ("L1", "L2"):
        pipedrive.add(key)
    pipedrive.faults.planned = {1: "429", 3: "429"}
    pipedrive.faults.retry_after = "0.2"
    delivery = Delivery(tmp_path, pipedrive.settings, {})
    assert ways(delivery.push({"L1": Lead("SQL", 0.3)})) == {"written": 1}
    assert pipedrive.faults.too_soon == 0, "both waits were kept"
    pipedrive.exhaust()
    with pytest.raises(
        DeliveryError, match="the quota of the day is used up: HTTP 429: .*Daily API token budget exceeded"
    ):
        delivery.push({"L2": Lead("SQL", 0.3)})
