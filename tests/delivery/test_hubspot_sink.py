"""What is special to HubSpot: partial answers in any order, whole calls that fail, its limits, and its properties."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from crm_cases import reachable, sink_of
from crm_hubspot import OURS, HubSpotCrm
from crm_servers import Answer
from pushing import Delivery, Lead, ways
from pydantic import ValidationError

from features.core.errors import DeliveryError
from pipeline.delivery.values import Values
from pipeline.sinks.protocol import LaterError, Record, WholeBatchError


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubSpotCrm]:
    with reachable(HubSpotCrm(), monkeypatch) as made:
        yield made


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


def test_fewer_than_a_hundred_may_come_in_a_call(crm: HubSpotCrm, tmp_path: Path) -> None:
    keys = [f"L{number}" for number in range(60)]
    for key in keys:
        crm.add(key)
    settings = crm.settings | {"sink": crm.settings["sink"] | {"batch_size": 25}}
    assert ways(Delivery(tmp_path, settings, crm.environment).push(dict.fromkeys(keys, Lead("SQL")))) == {"written": 60}
    assert sorted(len(one.json()["inputs"]) for one in crm.requests) == [10, 10, 25, 25, 25, 25]
    sink = sink_of(crm, tmp_path, batch_size=25)
    assert (sink.batch_size, sink.leads_a_call) == (25, 25)
    with pytest.raises(ValidationError, match="less than or equal to 100"):
        sink_of(crm, tmp_path, batch_size=101)


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


def test_a_property_that_is_not_there_ends_the_push_and_is_named_by_the_check(crm: HubSpotCrm, tmp_path: Path) -> None:
    crm.add("L1")
    crm.add("L2")
    sink = sink_of(crm, tmp_path, {"tier": "leadcast_teir"})
    # Halving would refuse a hundred contacts, one by one, for what none of them has done.
    with pytest.raises(DeliveryError, match='"leadcast_teir.*does not exist.*leadcast crm check says which'):
        list(sink.write([Record(f"L{number}", {"leadcast_teir": "SQL"}, f"50{number}") for number in (1, 2)]))
    assert sink.check() == ["contacts have no property leadcast_teir; leadcast crm setup makes it"]


_CONTACT = {"id": "501", "properties": {}}


@pytest.mark.parametrize(
    ("errors", "status", "outcomes", "raised"),
    [
        # HubSpot's answer lacks a contact, be it merged meanwhile: nobody may take it for written.
        ([], 200, {"L1": "written", "L2": "rejected"}, None),
        ([{"category": "VALIDATION_ERROR", "message": "m"}], 207, {"L1": "written", "L2": "rejected"}, None),
        (
            [{"category": "RATE_LIMITS", "message": "m", "context": {"ids": ["502"]}}],
            207,
            {"L1": "written"},
            LaterError,
        ),
        ([{"category": "OBJECT_NOT_FOUND", "context": {"ids": [502]}}], 207, {"L1": "written", "L2": "skipped"}, None),
    ],
)
def test_an_outcome_is_told_only_where_the_answer_has_it(
    crm: HubSpotCrm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    errors: list[dict[str, Any]],
    status: int,
    outcomes: dict[str, str],
    raised: type[Exception] | None,
) -> None:
    monkeypatch.setattr(crm, "answer", lambda _: Answer({"results": [_CONTACT], "errors": errors}, status))
    records = [Record(f"L{number}", {"leadcast_tier": "SQL"}, f"50{number}") for number in (1, 2)]
    told = {}
    with pytest.raises(raised) if raised else nullcontext():
        for outcome in sink_of(crm, tmp_path).write(records):
            told[outcome.key] = outcome.status
    assert told == outcomes


def test_a_refusal_without_ids_is_of_all_of_a_batch_or_of_the_one_in_it(
    crm: HubSpotCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_of(crm, tmp_path)
    records = [Record(f"L{number}", {"leadcast_tier": "SQL"}, f"50{number}") for number in (1, 2)]
    monkeypatch.setattr(crm, "answer", lambda _: Answer({"category": "VALIDATION_ERROR", "message": "frozen"}, 400))
    with pytest.raises(WholeBatchError, match="^frozen$"):
        list(sink.write(records))
    (outcome,) = sink.write(records[:1])
    assert (outcome.status, outcome.reason) == ("rejected", "frozen")
    monkeypatch.setattr(crm, "answer", lambda _: Answer({"category": "OBJECT_NOT_FOUND", "message": "gone"}, 404))
    (outcome,) = sink.write(records[:1])
    assert (outcome.status, outcome.reason) == ("skipped", "gone")


def test_a_key_that_hubspot_cannot_take_hides_no_other(crm: HubSpotCrm, tmp_path: Path) -> None:
    for number in range(100):
        crm.add(f"L{number}")
    crm.no_keys = {"L42"}
    sink = sink_of(crm, tmp_path)
    assert set(sink.read([f"L{number}" for number in range(100)])) == {f"L{n}" for n in range(100) if n != 42}
    assert sink.calls == crm.calls <= 1 + 2 * 7


def test_two_keys_of_one_contact_are_written_one_after_the_other(crm: HubSpotCrm, tmp_path: Path) -> None:
    crm.add("L1")
    settings = {"sink": crm.settings["sink"] | {"key_field": "email"}}
    pushed = Delivery(tmp_path, settings, crm.environment).push({"501@example.com": Lead(), "501@Example.com": Lead()})
    assert ways(pushed) == {"written": 2}


def test_a_read_that_fails_in_part_is_made_again(
    crm: HubSpotCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = {"category": "INTERNAL_ERROR", "message": "oops", "context": {"ids": ["L1"]}}
    monkeypatch.setattr(crm, "answer", lambda _: Answer({"results": [], "errors": [error]}, 207))
    with pytest.raises(LaterError, match="oops"):  # or the contact would count as unknown
        sink_of(crm, tmp_path).read(["L1"])


class _NoText(str):
    """A body that is no UTF-8."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002
        """Give what some gateways send."""
        return b"\xff\xfe"


@pytest.mark.parametrize(
    ("answer", "kind", "after"),
    [
        (Answer({"message": "locked"}, 423), LaterError, None),
        (Answer({"message": "account is moved"}, 477, {"Retry-After": "60"}), LaterError, 60.0),
        (Answer(_NoText(), 502), LaterError, None),
        (Answer("<html>a gateway's page</html>", 200), LaterError, None),
        (Answer("<html>a gateway's page</html>", 404), DeliveryError, None),
        (Answer({"category": "MISSING_SCOPES", "message": "scope"}, 403), DeliveryError, None),
    ],
)
def test_answers_beside_the_plan_are_told_apart_by_what_is_to_be_done(
    crm: HubSpotCrm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    kind: type[Exception],
    after: float | None,
) -> None:
    monkeypatch.setattr(crm, "answer", lambda _: answer)
    sink = sink_of(crm, tmp_path)
    with pytest.raises(kind) as refused:
        sink.read(["L1"])
    assert getattr(refused.value, "after", None) == after
    with pytest.raises(kind):
        list(sink.write([Record("L1", {"leadcast_tier": "SQL"}, "501")]))
    assert len(sink.check()) == 1


def test_a_connection_that_is_not_secure_is_told_in_words(crm: HubSpotCrm, tmp_path: Path) -> None:
    (problem,) = sink_of(crm, tmp_path, url=crm.url.replace("http:", "https:")).check()
    assert problem.startswith("no secure connection: SSLError")


def test_setup_makes_the_properties_that_are_missing(crm: HubSpotCrm, tmp_path: Path) -> None:
    for name in ("leadcast_tier", "leadcast_probability", "leadcast_date"):
        del crm.types[name]
    sink = sink_of(crm, tmp_path)
    assert len(sink.check()) == 3
    assert sink.setup() == [
        f"property {name} of contacts" for name in ("leadcast_tier", "leadcast_probability", "leadcast_date")
    ]
    assert {name: crm.types[name] for name in OURS} == OURS
    assert sink.check() == []
    assert sink.setup() == []


@pytest.mark.parametrize("fault", ["cut after", "half an answer", "500"])
def test_a_setup_that_was_not_answered_is_repeated_without_harm(crm: HubSpotCrm, tmp_path: Path, fault: str) -> None:
    for name in ("leadcast_tier", "leadcast_date"):
        del crm.types[name]
    sink = sink_of(crm, tmp_path)
    crm.faults.planned = {3: fault}  # the properties are read, one is made, and of the other nobody knows
    with pytest.raises(DeliveryError, match="run leadcast crm setup again"):
        sink.setup()
    sink.setup()
    assert sink.check() == []


def test_setup_takes_what_somebody_made_meanwhile_and_says_what_it_cannot_make(
    crm: HubSpotCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del crm.types["leadcast_tier"]
    sink = sink_of(crm, tmp_path)
    there = Answer({"category": "OBJECT_ALREADY_EXISTS", "message": "is there"}, 409)
    monkeypatch.setattr(crm, "_create", lambda _: there)
    assert sink.setup() == []
    monkeypatch.setattr(
        crm, "_create", lambda _: Answer({"category": "VALIDATION_ERROR", "message": "a bad name"}, 400)
    )
    with pytest.raises(DeliveryError, match="property leadcast_tier: a bad name; make it by hand"):
        sink.setup()


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
    assert sink_of(crm, tmp_path, {"tier": "hs_email_domain"}).check() == [
        "the property hs_email_domain is read-only; map tier to another (push.fields)"
    ]
    assert sink_of(crm, tmp_path, closed={"lifecyclstage": ["customer"], "lifecyclestage": ["Customer"]}).check() == [
        "contacts have no property lifecyclstage; did you mean 'lifecyclestage'? (push.sink.closed)",
        "the property lifecyclestage is never 'Customer'; did you mean 'customer'? (push.sink.closed)",
    ]
    assert sink_of(crm, tmp_path, url=f"{crm.url}/").check() == []
    assert {request.path for request in crm.requests} == {"/crm/v3/properties/contacts"}
    (problem,) = sink_of(crm, tmp_path, url="http://127.0.0.1:9").check()
    assert "no answer" in problem


def test_a_wrong_token_is_told_without_it(crm: HubSpotCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-eu1-wrong-one")
    (problem,) = sink_of(crm, tmp_path).check()
    assert "HTTP 401" in problem
    assert "pat-eu1" not in problem
