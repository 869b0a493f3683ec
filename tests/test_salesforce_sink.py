"""What is special to Salesforce: composite calls and bulk jobs, ids of two lengths, queries that must fit, locks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crm_salesforce import OURS, SalesforceCrm
from crm_servers import Answer
from pushing import Delivery, Lead, ways

from features.errors import DeliveryError, SettingsError
from pipeline.push_configuration import Push
from pipeline.sinks.connect import connect
from pipeline.sinks.protocol import LaterError, Record, Sink

MANY = 2_100


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[SalesforceCrm]:
    with SalesforceCrm() as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def sink_of(crm: SalesforceCrm, tmp_path: Path, fields: dict[str, str] | None = None, **sink: Any) -> Sink:  # noqa: ANN401
    settings: dict[str, Any] = {"sink": crm.settings["sink"] | sink} | ({"fields": fields} if fields else {})
    return connect(Push.model_validate(settings), tmp_path)


def number_of(place: int) -> str:
    return f"00Q{place:012}AAA"


TIER = {"tier": "Leadcast_Tier__c"}


def test_few_leads_go_by_composite_calls_of_two_hundred(crm: SalesforceCrm, tmp_path: Path) -> None:
    keys = [f"L{number}" for number in range(450)]
    for key in keys:
        crm.add(key)
    assert ways(Delivery(tmp_path, crm.settings, crm.environment).push(dict.fromkeys(keys, Lead("SQL")))) == {
        "written": 450
    }
    sent = [request.json() for request in crm.requests if request.path.endswith("/composite/sobjects")]
    assert [len(content["records"]) for content in sent] == [200, 200, 50]
    assert {content["allOrNone"] for content in sent} == {False}
    assert not crm.jobs


def test_nothing_is_null_in_a_composite_call_and_n_a_in_a_job(crm: SalesforceCrm, tmp_path: Path) -> None:
    for number in range(MANY):
        crm.add(f"L{number}")
    values = {"Leadcast_Tier__c": None, "Leadcast_Probability__c": 0.25}
    sink = sink_of(crm, tmp_path)
    list(sink.write([Record("L0", values, number_of(0))]))
    (record,) = crm.requests[-1].json()["records"]
    assert record == {"attributes": {"type": "Lead"}, "id": number_of(0), **values}
    outcomes = list(sink.write([Record(f"L{n}", values, number_of(n)) for n in range(MANY)]))
    assert {one.status for one in outcomes} == {"written"}
    (job,) = crm.jobs.values()
    assert job["rows"][5] == {"Id": number_of(5), "Leadcast_Tier__c": "#N/A", "Leadcast_Probability__c": "0.25"}


def test_a_field_that_is_not_to_be_touched_is_an_empty_cell_which_is_ignored(
    crm: SalesforceCrm, tmp_path: Path
) -> None:
    for number in range(MANY):
        crm.add(f"L{number}")
        crm.edit(f"L{number}", "action", "by a person") if number < 3 else None
    both, one = {"Leadcast_Tier__c": "SQL", "Leadcast_Action__c": "wait"}, {"Leadcast_Tier__c": "SQL"}
    records = [Record(f"L{n}", one if n < 3 else both, number_of(n)) for n in range(MANY)]
    assert {outcome.status for outcome in sink_of(crm, tmp_path).write(records)} == {"written"}
    assert [lead["Leadcast_Action__c"] for lead in list(crm.leads.values())[:4]] == [*["by a person"] * 3, "wait"]


def test_a_job_tells_who_failed_and_who_was_not_come_to(crm: SalesforceCrm, tmp_path: Path) -> None:
    for number in range(MANY):
        crm.add(f"L{number}", closed=number == 7)
    crm.refuse("L3")
    crm.locked.add(number_of(4))
    crm.unprocessed = 100
    records = [Record(f"L{n}", {"Leadcast_Tier__c": "SQL"}, number_of(n)) for n in range(MANY)]
    outcomes = {}
    with pytest.raises(LaterError, match="101 leads are locked, or were not come to"):  # noqa: PT012 - what came before
        for outcome in sink_of(crm, tmp_path, TIER).write(records):
            outcomes[outcome.key] = outcome
    assert len(outcomes) == MANY - 101
    assert outcomes["L3"].reason == "FIELD_CUSTOM_VALIDATION_EXCEPTION:this change is not allowed:--"
    assert (outcomes["L3"].status, outcomes["L7"].status, outcomes["L8"].status) == ("rejected", "skipped", "written")


def test_what_a_job_did_not_come_to_is_sent_again(crm: SalesforceCrm, tmp_path: Path) -> None:
    keys = [f"L{number}" for number in range(MANY)]
    for key in keys:
        crm.add(key)
    crm.unprocessed = 300
    delivery = Delivery(tmp_path, crm.settings, crm.environment)
    assert ways(delivery.push(dict.fromkeys(keys, Lead("SQL")))) == {"written": MANY}
    assert {lead["Leadcast_Tier__c"] for lead in crm.leads.values()} == {"SQL"}
    # One job for all, and composite calls for the few that were left.
    assert len(crm.jobs) == 1


@pytest.mark.parametrize("fate", ["failed", "too late"])
def test_a_job_that_fails_or_takes_too_long_is_to_be_asked_again(crm: SalesforceCrm, tmp_path: Path, fate: str) -> None:
    for number in range(MANY):
        crm.add(f"L{number}")
    crm.fails = fate == "failed"
    sink = sink_of(crm, tmp_path, TIER, job_seconds=0.01 if fate == "too late" else 600)
    records = [Record(f"L{n}", {"Leadcast_Tier__c": "SQL"}, number_of(n)) for n in range(MANY)]
    with pytest.raises(LaterError, match="came to no end"):
        list(sink.write(records))
    assert [job["state"] for job in crm.jobs.values()] == ["Failed" if fate == "failed" else "Aborted"]


def test_a_locked_lead_is_to_be_asked_again_after_the_others(crm: SalesforceCrm, tmp_path: Path) -> None:
    for key in "ABC":
        crm.add(key)
    crm.locked.add(number_of(1))
    outcomes = []
    with pytest.raises(LaterError, match="1 leads are locked"):  # noqa: PT012 - likewise
        for outcome in sink_of(crm, tmp_path, TIER).write(
            [Record(key, {"Leadcast_Tier__c": "SQL"}, number_of(place)) for place, key in enumerate("ABC")]
        ):
            outcomes.append(outcome.key)  # noqa: PERF401 - what came before the failure counts
    assert outcomes == ["A", "C"]


def test_ids_of_fifteen_and_eighteen_letters_are_the_same(crm: SalesforceCrm, tmp_path: Path) -> None:
    crm.add("A")
    crm.add("B")
    sink = sink_of(crm, tmp_path, key_field="Id")
    keys = [number_of(0)[:15], number_of(1), number_of(9), "A", "00Q' OR Id != '"]
    assert {key: remote.remote_id for key, remote in sink.read(keys).items()} == {
        number_of(0)[:15]: number_of(0),
        number_of(1): number_of(1),
    }


def test_keys_are_quoted_and_queries_fit(crm: SalesforceCrm, tmp_path: Path) -> None:
    keys = [f"it's a key of some length \\ {number:05}" for number in range(1_000)]
    for key in keys:
        crm.add(key)
    assert list(sink_of(crm, tmp_path).read(keys)) == keys
    assert len(crm.requests) > 1


def test_a_key_of_other_capitals_is_another_key(crm: SalesforceCrm, tmp_path: Path) -> None:
    crm.add("abc")
    assert sink_of(crm, tmp_path).read(["ABC"]) == {}


def test_two_leads_with_one_key_are_left_alone(crm: SalesforceCrm, tmp_path: Path) -> None:
    for key in "AAB":
        crm.add(key)
    assert list(sink_of(crm, tmp_path).read(["A", "B"])) == ["B"]


def test_setup_makes_the_fields_and_says_who_must_grant_them(crm: SalesforceCrm, tmp_path: Path) -> None:
    for name in OURS:
        del crm.types[name]
    sink = sink_of(crm, tmp_path)
    assert len(sink.check()) == 6
    made = sink.setup()
    assert len(made) == 6
    assert made[0].startswith("field Leadcast_Tier__c of Lead; grant it to the profiles")
    assert {name: crm.types[name] for name in OURS} == OURS
    assert sink.check() == []
    assert sink.setup() == []


def test_setup_that_is_not_allowed_says_how_to_do_it_by_hand(crm: SalesforceCrm, tmp_path: Path) -> None:
    del crm.types["Leadcast_Tier__c"]
    crm.may_make_fields = False
    with pytest.raises(DeliveryError, match="make it by hand in the Object Manager"):
        sink_of(crm, tmp_path).setup()


def test_the_check_tells_each_problem(crm: SalesforceCrm, tmp_path: Path) -> None:
    crm.readonly.add("Leadcast_Tier__c")
    problems = sink_of(crm, tmp_path, TIER | {"date": "Leadcast_Action__c"}, key_field="Lead_Nmuber__c").check()
    assert problems == [
        "Lead has no field Lead_Nmuber__c; did you mean 'Lead_Number__c'? (push.sink.key_field)",
        "the user may not write the field Leadcast_Tier__c; grant it in the field security of its profile",
        "the field Leadcast_Action__c is of type string; date needs date",
    ]


def test_a_field_that_rounds_is_told(crm: SalesforceCrm, tmp_path: Path) -> None:
    crm.scale = 2
    sink = sink_of(crm, tmp_path, {"probability": "Leadcast_Probability__c"})
    assert sink.check() == ["the field Leadcast_Probability__c keeps 2 decimals; probability needs 4"]


def test_too_many_calls_at_once_are_no_quota_of_the_day(
    crm: SalesforceCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_of(crm, tmp_path)
    told = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "ConcurrentRequests Limit exceeded."}]
    monkeypatch.setattr(crm, "answer", lambda _: Answer(told, 403))
    with pytest.raises(LaterError, match="at the moment"):
        sink.read(["L1"])


def test_a_token_does_not_travel_in_the_clear(crm: SalesforceCrm, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="must begin with https://"):
        sink_of(crm, tmp_path, url="http://example.my.salesforce.com")
