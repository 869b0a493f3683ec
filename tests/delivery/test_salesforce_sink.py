"""What is special to Salesforce: composite calls and bulk jobs, ids of two lengths, queries that must fit, locks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crm_cases import reachable, sink_of
from crm_salesforce import SalesforceCrm
from crm_servers import Answer, Faults
from pushing import Delivery, Lead, ways

from features.core.errors import DeliveryError
from pipeline.sinks.protocol import LaterError, Outcome, Record, Sink, Value, WholeBatchError

MANY = 2_100


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[SalesforceCrm]:
    with reachable(SalesforceCrm(), monkeypatch) as made:
        yield made


def number_of(place: int) -> str:
    return f"00Q{place:012}AAA"


TIER = {"tier": "Leadcast_Tier__c"}


def many(crm: SalesforceCrm) -> list[Record]:
    """Make so many leads that they are written by a job."""
    for number in range(MANY):
        crm.add(f"L{number}")
    return [Record(f"L{number}", {"Leadcast_Tier__c": "SQL"}, number_of(number)) for number in range(MANY)]


def write(sink: Sink, records: list[Record]) -> tuple[dict[str, Outcome], LaterError | None]:
    """Write once, and give what came of it and why it ended early."""
    outcomes = {}
    try:
        for outcome in sink.write(records):
            outcomes[outcome.key] = outcome
    except LaterError as error:
        return outcomes, error
    return outcomes, None


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


@pytest.mark.parametrize(("batch_size", "sizes"), [(150, [150, 150, 150]), (300, [200, 100, 150])])
def test_a_batch_is_as_large_as_the_settings_say(
    crm: SalesforceCrm, tmp_path: Path, batch_size: int, sizes: list[int]
) -> None:
    keys = [f"L{number}" for number in range(450)]
    for key in keys:
        crm.add(key)
    settings = crm.settings | {"sink": crm.settings["sink"] | {"batch_size": batch_size}}
    Delivery(tmp_path, settings, crm.environment).push(dict.fromkeys(keys, Lead("SQL")))
    sent = [len(one.json()["records"]) for one in crm.requests if one.path.endswith("/composite/sobjects")]
    assert sorted(sent) == sorted(sizes)
    assert sink_of(crm, tmp_path, batch_size=batch_size).leads_a_call == min(batch_size, 200)


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
    with pytest.raises(LaterError, match="101 leads were not written for now"):  # noqa: PT012 - what came before
        for outcome in sink_of(crm, tmp_path, TIER).write(records):
            outcomes[outcome.key] = outcome
    assert len(outcomes) == MANY - 101
    assert outcomes["L3"].reason == "FIELD_CUSTOM_VALIDATION_EXCEPTION: this change is not allowed"
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


def test_of_a_job_that_fails_halfway_only_the_rest_is_asked_again(crm: SalesforceCrm, tmp_path: Path) -> None:
    records = many(crm)
    crm.fails = "TooManyLockFailure"
    written, error = write(sink_of(crm, tmp_path, TIER), records)
    assert {one.status for one in written.values()} == {"written"}
    assert list(written) == [record.key for record in records[: MANY // 2]]
    assert "1050 leads were not written for now: UNPROCESSED" in str(error)


def test_a_job_that_takes_too_long_is_aborted(crm: SalesforceCrm, tmp_path: Path) -> None:
    records = many(crm)
    crm.slow = 1_000
    written, error = write(sink_of(crm, tmp_path, TIER, job_seconds=0.01), records)
    assert written == {}
    assert "2100 leads were not written for now: UNPROCESSED" in str(error)
    assert [job["state"] for job in crm.jobs.values()] == ["Aborted"]


def test_a_job_with_an_unknown_field_ends_the_push(crm: SalesforceCrm, tmp_path: Path) -> None:
    records = many(crm)
    del crm.types["Leadcast_Tier__c"]
    with pytest.raises(DeliveryError, match="Field name not found : Leadcast_Tier__c; leadcast crm check says"):
        write(sink_of(crm, tmp_path, TIER), records)
    assert len(crm.jobs) == 1


# The calls of a job: 1 opens it, 2 brings the rows, 3 closes it, 4 and 5 look at it, 6 and 7 ask for results.
@pytest.mark.parametrize("fault", ["503", "cut before", "cut after", "half an answer"])
@pytest.mark.parametrize("call", [3, 4, 5, 6, 7])
def test_one_lost_answer_does_not_cost_the_job(crm: SalesforceCrm, tmp_path: Path, call: int, fault: str) -> None:
    records = many(crm)
    crm.faults = Faults(planned={call: fault})
    written, error = write(sink_of(crm, tmp_path, TIER), records)
    assert (len(written), error) == (MANY, None)
    assert [job["state"] for job in crm.jobs.values()] == ["JobComplete"]
    assert crm.faults.happened == {fault: 1}


def test_a_job_whose_rows_may_not_have_come_is_aborted_and_nothing_is_told_of_them(
    crm: SalesforceCrm, tmp_path: Path
) -> None:
    records = many(crm)
    crm.faults = Faults(planned={2: "cut after"})
    written, error = write(sink_of(crm, tmp_path, TIER), records)
    assert (written, type(error)) == ({}, LaterError)
    assert [job["state"] for job in crm.jobs.values()] == ["Aborted"]


def test_a_job_whose_rows_nobody_confirms_is_aborted(
    crm: SalesforceCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands between may answer for Salesforce: a job without rows ends, and nothing in it has failed."""
    records, answer = many(crm), crm.answer
    monkeypatch.setattr(crm, "answer", lambda asked: Answer("ok") if asked.method == "PUT" else answer(asked))
    written, error = write(sink_of(crm, tmp_path, TIER), records)
    assert written == {}
    assert "nobody says that the rows came: HTTP 200: ok" in str(error)
    assert [job["state"] for job in crm.jobs.values()] == ["Aborted"]


def test_an_organisation_that_has_moved_is_told_and_rejects_nobody(
    crm: SalesforceCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = Answer(None, 301, {"Location": "https://other.my.salesforce.com/services"})
    monkeypatch.setattr(crm, "answer", lambda _: moved)
    with pytest.raises(DeliveryError, match=r"another place \(https://other\.my.*\); correct push.sink.url"):
        write(sink_of(crm, tmp_path, TIER), [Record("A", {"Leadcast_Tier__c": "SQL"}, number_of(0))])
    assert crm.calls == 1


def test_what_is_no_interface_is_to_be_asked_again(
    crm: SalesforceCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway's page in the night of a maintenance, say."""
    monkeypatch.setattr(crm, "answer", lambda _: Answer("<html>soon</html>", 200, {"Content-Type": "text/html"}))
    with pytest.raises(LaterError, match="no whole answer"):
        sink_of(crm, tmp_path).read(["A"])


def test_numbers_of_a_job_have_no_exponent_and_an_empty_text_empties(crm: SalesforceCrm, tmp_path: Path) -> None:
    values: dict[str, Value] = {"Leadcast_Probability__c": 1e-05, "Leadcast_Tier__c": ""}
    records = [Record(one.key, values, one.remote_id) for one in many(crm)]
    write(sink_of(crm, tmp_path), records)
    (job,) = crm.jobs.values()
    assert job["rows"][0] == {"Id": number_of(0), "Leadcast_Probability__c": "0.00001", "Leadcast_Tier__c": "#N/A"}


def test_no_lead_gets_another_owner(crm: SalesforceCrm, tmp_path: Path) -> None:
    crm.add("A")
    owner = crm.leads[number_of(0)]["OwnerId"]
    write(sink_of(crm, tmp_path, TIER), [Record("A", {"Leadcast_Tier__c": "SQL"}, number_of(0))])
    assert crm.leads[number_of(0)]["Leadcast_Tier__c"] == "SQL"
    assert crm.leads[number_of(0)]["OwnerId"] == owner


def test_a_value_that_cannot_be_read_is_found_among_the_others(crm: SalesforceCrm, tmp_path: Path) -> None:
    """Salesforce refuses the whole call for it, and doesn't name the lead."""
    crm.add("A")
    with pytest.raises(WholeBatchError, match="JSON_PARSER_ERROR: Cannot deserialize instance of date from"):
        write(sink_of(crm, tmp_path), [Record("A", {"Leadcast_Date__c": "soon"}, number_of(0))])


@pytest.mark.parametrize("why", ["not there", "not granted"])
def test_a_field_that_no_lead_takes_ends_the_push_and_rejects_nobody(
    crm: SalesforceCrm, tmp_path: Path, why: str
) -> None:
    crm.add("A")
    if why == "not there":
        del crm.types["Leadcast_Tier__c"]
    else:
        crm.readonly.add("Leadcast_Tier__c")
    with pytest.raises(DeliveryError, match="Leadcast_Tier__c.*; leadcast crm check says what is missing"):
        write(sink_of(crm, tmp_path, TIER), [Record("A", {"Leadcast_Tier__c": "SQL"}, number_of(0))])


@pytest.mark.parametrize("key_field", ["Id", "Lead_Number__c"])
def test_a_field_that_cannot_be_read_ends_the_push(crm: SalesforceCrm, tmp_path: Path, key_field: str) -> None:
    crm.unseen.add("Leadcast_Tier__c")
    with pytest.raises(DeliveryError, match="INVALID_FIELD: No such column 'Leadcast_Tier__c'"):
        sink_of(crm, tmp_path, key_field=key_field).read([number_of(0)])


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("TotalRequests Limit exceeded.", DeliveryError),
        ("ConcurrentRequests (Concurrent API Requests) Limit exceeded.", LaterError),
    ],
)
def test_too_many_calls_of_a_day_end_the_push_and_too_many_at_once_are_waited_for(
    crm: SalesforceCrm, tmp_path: Path, message: str, error: type[Exception]
) -> None:
    crm.refuses_calls = ("REQUEST_LIMIT_EXCEEDED", message)
    with pytest.raises(error, match=message.split(" ", maxsplit=1)[0]):
        sink_of(crm, tmp_path).read(["A"])


def test_what_was_read_before_a_failure_is_not_read_again(crm: SalesforceCrm, tmp_path: Path) -> None:
    keys = [f"a key of some length {number:05}" for number in range(1_000)]
    for key in keys:
        crm.add(key)
    sink = sink_of(crm, tmp_path)
    crm.faults = Faults(planned={2: "503", 3: "503"})
    with pytest.raises(LaterError) as first:
        sink.read(keys)
    with pytest.raises(LaterError) as second:
        sink.read(keys)
    assert (first.value.further, second.value.further) == (True, False)
    assert list(sink.read(keys)) == keys
    queries = [request.parameters["q"] for request in crm.requests]
    assert queries[1] == queries[2] == queries[3]
    assert len(set(queries)) == len(queries) - 2


def test_leads_named_by_their_ids_are_read_two_thousand_a_call(crm: SalesforceCrm, tmp_path: Path) -> None:
    records = many(crm)
    read = sink_of(crm, tmp_path, key_field="Id").read([str(one.remote_id) for one in records])
    assert len(read) == MANY
    assert [len(request.json()["ids"]) for request in crm.requests] == [2_000, 100]


def test_nothing_is_lost_where_a_fifth_of_all_calls_fails(crm: SalesforceCrm, tmp_path: Path) -> None:
    """Of 5,000 leads in one batch: the calls fail in all ways, and a refused lead is told once."""
    keys = [f"lead {number:06}" for number in range(5_000)]
    for key in keys:
        crm.add(key)
    crm.refuse(keys[7])
    crm.faults = Faults(share=0.2, late=0.6)
    pushed = Delivery(tmp_path, crm.settings, crm.environment).push(dict.fromkeys(keys, Lead("SQL")))
    assert ways(pushed) == {"written": 4_999, "rejected": 1}
    assert sum(lead["Leadcast_Tier__c"] == "SQL" for lead in crm.leads.values() if "Leadcast_Tier__c" in lead) == 4_999
    assert sum(crm.faults.happened.values()) > 5


def test_a_locked_lead_is_to_be_asked_again_after_the_others(crm: SalesforceCrm, tmp_path: Path) -> None:
    for key in "ABC":
        crm.add(key)
    crm.locked.add(number_of(1))
    outcomes = []
    with pytest.raises(LaterError, match="1 leads were not written for now: UNABLE_TO_LOCK_ROW"):  # noqa: PT012 - likewise
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
    keys = [f'it\'s a "key" of\tsome\nlength \\ {number:05}' for number in range(1_000)]
    for key in keys:
        crm.add(key)
    assert list(sink_of(crm, tmp_path).read(keys)) == keys
    assert len(crm.requests) > 1


def test_queries_of_keys_that_grow_threefold_in_an_address_fit(crm: SalesforceCrm, tmp_path: Path) -> None:
    keys = ["/" * 250 + f"{number:05}" for number in range(100)]
    for key in keys:
        crm.add(key)
    assert list(sink_of(crm, tmp_path).read(keys)) == keys


def test_an_answer_of_several_pages_is_read_to_its_end(crm: SalesforceCrm, tmp_path: Path) -> None:
    keys = [f"L{number}" for number in range(250)]
    for key in keys:
        crm.add(key)
    crm.page = 100
    sink = sink_of(crm, tmp_path)
    assert list(sink.read(keys)) == keys
    assert sink.calls == crm.calls == 3


def test_a_key_of_other_capitals_is_another_key(crm: SalesforceCrm, tmp_path: Path) -> None:
    crm.add("abc")
    assert sink_of(crm, tmp_path).read(["ABC"]) == {}


def test_two_leads_with_one_key_are_left_alone(crm: SalesforceCrm, tmp_path: Path) -> None:
    for key in "AABA":
        crm.add(key)
    sink = sink_of(crm, tmp_path)
    found = sink.read(["A", "B"])
    assert {key: one.refused for key, one in found.items()} == {
        "A": "several leads have this Lead_Number__c",
        "B": None,
    }
    written, _ = write(sink, [Record(key, {"Leadcast_Tier__c": "SQL"}, one.remote_id) for key, one in found.items()])
    assert (written["A"].status, written["A"].reason) == ("rejected", found["A"].refused)
    assert [lead.get("Leadcast_Tier__c") for lead in crm.leads.values()] == [None, None, "SQL", None]


def test_a_key_that_no_field_can_hold_spoils_no_query(crm: SalesforceCrm, tmp_path: Path) -> None:
    crm.add("A")
    crm.add("")
    assert list(sink_of(crm, tmp_path).read(["A", "", "x" * 256, "nul\0"])) == ["A"]
