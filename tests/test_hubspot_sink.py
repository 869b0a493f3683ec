"""What is special to HubSpot: partial answers in any order, whole calls that fail, its limits, and its properties."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crm_hubspot import OURS, HubSpotCrm
from crm_servers import Answer
from pushing import Delivery, Lead, ways

from features.errors import DeliveryError
from pipeline.delivery.values import Values
from pipeline.push_configuration import Push
from pipeline.sinks.connect import connect
from pipeline.sinks.protocol import LaterError, Record, Sink, WholeBatchError


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubSpotCrm]:
    with HubSpotCrm() as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def sink_of(crm: HubSpotCrm, tmp_path: Path, fields: dict[str, str] | None = None, **sink: Any) -> Sink:  # noqa: ANN401
    settings: dict[str, Any] = {"sink": crm.settings["sink"] | sink} | ({"fields": fields} if fields else {})
    return connect(Push.model_validate(settings), tmp_path)


def test_values_are_texts_and_an_empty_one_clears(crm: HubSpotCrm, tmp_path: Path) -> None:
    crm.add("L1")
    sink = sink_of(crm, tmp_path)
    (remote,) = sink.read(["L1"]).values()
    assert (remote.remote_id, remote.closed, set(remote.values.values())) == ("501", False, {None})
    values: Values = {"leadcast_tier": "SQL", "leadcast_probability": 0.25, "leadcast_action": None}
    (outcome,) = sink.write([Record("L1", values, "501")])
    assert outcome.status == "written"
    # No idProperty and no upsert: HubSpot's own id can make no contact.
    assert crm.requests[-1].path == "/crm/v3/objects/contacts/batch/update"
    assert crm.requests[-1].json() == {
        "inputs": [
            {
                "id": "501",
                "properties": {"leadcast_tier": "SQL", "leadcast_probability": "0.25", "leadcast_action": ""},
            }
        ]
    }


def test_a_partial_answer_is_told_apart_by_ids_whatever_its_order(crm: HubSpotCrm, tmp_path: Path) -> None:
    crm.whole_batches = False
    for number in range(40):
        crm.add(f"L{number}")
    crm.refuse("L7")
    sink = sink_of(crm, tmp_path, {"tier": "leadcast_tier"})
    found = sink.read([f"L{number}" for number in range(45)])
    assert {key: remote.remote_id for key, remote in found.items()} == {f"L{n}": str(501 + n) for n in range(40)}
    del crm.leads["510"]  # between our looking and our writing
    records = [Record(key, {"leadcast_tier": "SQL"}, remote.remote_id) for key, remote in found.items()]
    outcomes = {one.key: (one.status, one.reason) for one in sink.write(records)}
    assert outcomes.pop("L7") == ("rejected", "The change is not allowed by a rule of the account")
    assert outcomes.pop("L9") == ("skipped", "Could not find the contact")
    assert outcomes == {f"L{n}": ("written", None) for n in range(40) if n not in {7, 9}}
    assert [crm.leads[str(501 + n)].get("leadcast_tier") for n in (7, 8)] == [None, "SQL"]


def test_a_whole_call_that_fails_for_one_input_is_halved(crm: HubSpotCrm, tmp_path: Path) -> None:
    for number in range(100):
        crm.add(f"L{number}")
    crm.refuse("L42")
    delivery = Delivery(tmp_path, crm.settings, crm.environment)
    before = crm.calls
    assert ways(delivery.push({f"L{n}": Lead("SQL") for n in range(100)})) == {"written": 99, "rejected": 1}
    assert delivery.known("rejected") == {"L42": "The change is not allowed by a rule of the account"}
    # One read, one update, and two for each halving of 100, 50, 25, 13 (or 12), 7 (or 6), 4 (or 3), 2.
    assert crm.calls - before <= 2 + 2 * 7


def test_more_than_a_hundred_come_in_several_calls(crm: HubSpotCrm, tmp_path: Path) -> None:
    keys = [f"L{number}" for number in range(250)]
    for key in keys:
        crm.add(key)
    delivery = Delivery(tmp_path, crm.settings, crm.environment)
    assert ways(delivery.push(dict.fromkeys(keys, Lead("SQL")))) == {"written": 250}
    assert crm.calls == 3 + 3


@pytest.mark.parametrize(
    ("key_field", "keys", "found"),
    [
        ("hs_object_id", ["501", "L1", "99", "5.1"], ["501"]),
        ("email", ["501@EXAMPLE.com", "nobody@example.com"], ["501@EXAMPLE.com"]),
        ("lead_number", ["L1", "l1", "501"], ["L1"]),
    ],
)
def test_a_contact_is_found_by_its_key(
    crm: HubSpotCrm, tmp_path: Path, key_field: str, keys: list[str], found: list[str]
) -> None:
    crm.add("L1")
    assert list(sink_of(crm, tmp_path, key_field=key_field).read(keys)) == found


@pytest.mark.parametrize(
    ("body", "headers", "kind", "after"),
    [
        ({"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}, {"Retry-After": "7"}, LaterError, 7.0),
        ({"errorType": "RATE_LIMIT", "policyName": "SECONDLY"}, {}, LaterError, None),
        ({"errorType": "RATE_LIMIT", "policyName": "DAILY"}, {}, DeliveryError, None),
    ],
)
def test_limits_are_told_apart_by_their_policy(
    crm: HubSpotCrm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: dict[str, str],
    headers: dict[str, str],
    kind: type[Exception],
    after: float | None,
) -> None:
    monkeypatch.setattr(crm, "answer", lambda _: Answer(body, 429, headers))
    with pytest.raises(kind) as refused:
        sink_of(crm, tmp_path).read(["L1"])
    assert getattr(refused.value, "after", None) == after


def test_a_property_that_is_not_there_fails_every_half_and_is_found_by_the_check(
    crm: HubSpotCrm, tmp_path: Path
) -> None:
    crm.add("L1")
    sink = sink_of(crm, tmp_path, {"tier": "leadcast_teir"})
    with pytest.raises(WholeBatchError, match="does not exist"):
        list(sink.write([Record("L1", {"leadcast_teir": "SQL"}, "501")]))
    assert sink.check() == ["contacts have no property leadcast_teir; leadcast crm setup makes it"]


def test_setup_makes_the_properties_that_are_missing(crm: HubSpotCrm, tmp_path: Path) -> None:
    for name in ("leadcast_tier", "leadcast_probability", "leadcast_date"):
        del crm.types[name]
    sink = sink_of(crm, tmp_path)
    assert len(sink.check()) == 3
    assert sink.setup() == [
        "property leadcast_tier of contacts", "property leadcast_probability of contacts",
        "property leadcast_date of contacts",
    ]  # fmt: skip
    assert {name: crm.types[name] for name in OURS} == OURS
    assert sink.check() == []
    assert sink.setup() == []


def test_the_check_tells_each_problem(crm: HubSpotCrm, tmp_path: Path) -> None:
    assert sink_of(crm, tmp_path, key_field="lead_nmuber").check() == [
        "contacts have no property lead_nmuber; did you mean 'lead_number'? (push.sink.key_field)"
    ]
    assert sink_of(crm, tmp_path, key_field="hs_lead_status").check() == [
        "the values of the property hs_lead_status need not be unique; make it one with unique values"
    ]
    assert sink_of(crm, tmp_path, {"probability": "leadcast_tier"}).check() == [
        "the property leadcast_tier is of type string; probability needs number"
    ]
    (problem,) = sink_of(crm, tmp_path, url="http://127.0.0.1:9").check()
    assert "no answer" in problem


def test_a_wrong_token_is_told_without_it(crm: HubSpotCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-eu1-wrong-one")
    (problem,) = sink_of(crm, tmp_path).check()
    assert "HTTP 401" in problem
    assert "pat-eu1" not in problem
