"""The sink of any interface over HTTP where leads are found by a search, and written by an id of the system's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crm_cases import reachable
from crm_rest import SearchCrm
from crm_servers import Answer
from pushing import Delivery, Lead, ways
from pydantic import ValidationError

from features.core.errors import DeliveryError
from pipeline.settings.push import Push
from pipeline.sinks.connect import connect
from pipeline.sinks.protocol import Outcome, Record, Sink


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[SearchCrm]:
    with reachable(SearchCrm(), monkeypatch) as made:
        yield made


def _settings(crm: SearchCrm, read: dict[str, Any] | None = None, **sink: Any) -> dict[str, Any]:  # noqa: ANN401 - settings of any kind
    of_read = {name: value for name, value in (crm.settings["sink"]["read"] | (read or {})).items() if value}
    return crm.settings | {"sink": crm.settings["sink"] | {"read": of_read} | sink}


def _sink(crm: SearchCrm, read: dict[str, Any] | None = None, **sink: Any) -> Sink:  # noqa: ANN401 - likewise
    return connect(Push.model_validate(_settings(crm, read, **sink)), Path("/nowhere"))


def _answering(monkeypatch: pytest.MonkeyPatch, crm: SearchCrm, answer: Answer) -> None:
    monkeypatch.setattr(crm.server, "answer", lambda _: answer)


def test_a_lead_is_found_by_its_key_and_written_by_the_systems_own_id(crm: SearchCrm, tmp_path: Path) -> None:
    for key in ("L1", "a&b=c/d {id}"):
        crm.add(key)
    crm.add("L3", closed=True)
    keys = ["L1", "a&b=c/d {id}", "L3", "nobody"]
    found = _sink(crm).read(keys)
    assert {key: (one.remote_id, one.closed, one.refused) for key, one in found.items()} == {
        "L1": ("7000", False, None),
        "a&b=c/d {id}": ("7001/a b", False, None),
        "L3": ("7002", True, None),
    }
    delivery = Delivery(tmp_path, crm.settings, {})
    assert ways(delivery.push(dict.fromkeys(keys, Lead("SQL", 0.3)))) == {"written": 2, "skipped": 2}
    assert {one.path for one in crm.server.requests if one.method == "PATCH"} == {
        "/api/leads/7000",
        "/api/leads/7001%2Fa%20b",
    }
    assert [one["custom_fields"]["tier"] for one in crm.server.leads.values()] == ["SQL", "SQL", None]


def test_a_body_may_name_the_own_id(crm: SearchCrm) -> None:
    crm.add("{id}")
    sink = _sink(crm, path="leads/7000", body={"custom_fields": "{fields}", "of": "{key} is {id}"})
    (outcome,) = sink.write([Record("{id}", {"tier": "SQL"}, "7000")])
    assert outcome == Outcome("{id}", "written", remote_id="7000")
    assert crm.server.requests[-1].json() == {"custom_fields": {"tier": "SQL"}, "of": "{id} is 7000"}


def test_a_key_that_several_leads_have_is_told_and_none_is_written(crm: SearchCrm, tmp_path: Path) -> None:
    for key in ("L1", "L2", "L2"):
        crm.add(key)
    sink = _sink(crm)
    assert {key: one.refused for key, one in sink.read(["L1", "L2"]).items()} == {
        "L1": None,
        "L2": "several leads have this lead_id",
    }
    Delivery(tmp_path, crm.settings, {}).push(dict.fromkeys(("L1", "L2"), Lead("SQL", 0.3)))
    assert [one["custom_fields"]["tier"] for one in crm.server.leads.values()] == ["SQL", None, None]


def test_a_lead_that_a_search_gives_twice_is_one(crm: SearchCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    hit = {"id": 7, "custom_fields": {"lead_id": "L1"}}
    _answering(monkeypatch, crm, Answer({"data": {"items": [hit, hit]}}))
    assert {key: (one.remote_id, one.refused) for key, one in _sink(crm).read(["L1"]).items()} == {"L1": ("7", None)}


def test_what_only_looks_like_the_key_is_another_lead(crm: SearchCrm) -> None:
    crm.server.fuzzy = True
    for key in ("L10", "l1", "L2", "L20"):
        crm.add(key)
    assert {key: one.remote_id for key, one in _sink(crm).read(["L1", "L2"]).items()} == {"L2": "7002"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"data": {"items": []}}),
        Answer({"data": {"items": None}}),
        Answer({"data": None, "status": "none"}, 404),
        Answer(None, 204),
    ],
)
def test_a_search_without_a_hit_finds_nobody(crm: SearchCrm, monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    _answering(monkeypatch, crm, answer)
    assert _sink(crm).read(["L1"]) == {}


@pytest.mark.parametrize(
    ("content", "lacks"),
    [
        ({"data": {"rows": []}}, "data.items"),
        ({"data": {"items": {"id": 7}}}, "list at data.items"),
        ({"data": {"items": [{"custom_fields": {}}]}}, "id"),
        ({"data": {"items": [{"id": None, "custom_fields": {}}]}}, "id"),
        ({"data": {"items": [{"id": 7}]}}, "custom_fields"),
        ({"data": {"items": [7]}}, "custom_fields"),
        ("<html>", "data.items"),
    ],
)
def test_an_answer_that_is_not_as_the_settings_say_ends_the_push(
    crm: SearchCrm,
    monkeypatch: pytest.MonkeyPatch,
    content: object,
    lacks: str,
) -> None:
    _answering(monkeypatch, crm, Answer(content, headers={"Content-Type": "application/json"}))
    with pytest.raises(DeliveryError, match=rf"what GET leads\?.* answers has no {lacks}; correct push.sink.read"):
        _sink(crm).read(["L1"])


def test_the_list_may_be_the_answer_in_a_list_and_what_closes_around_it(
    crm: SearchCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    hit = {"lead": {"id": "x", "state": "won"}, "custom_fields": {"lead_id": "L1"}}
    _answering(monkeypatch, crm, Answer({"state": "ok", "pages": [{"year": 1, "items": [hit]}]}))
    for closed, told in (
        ({"lead.state": ["won"]}, True),
        ({"year": [1]}, True),
        ({"pages.0.items.0.lead.state": ["won"]}, True),
        ({"state": ["won"]}, False),
    ):
        sink = _sink(crm, {"found": "pages.0.items", "id": "lead.id"}, closed=closed)
        assert {key: (one.remote_id, one.closed) for key, one in sink.read(["L1"]).items()} == {"L1": ("x", told)}


def test_the_own_id_may_stand_in_the_answer_of_one_lead(crm: SearchCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"data": {"id": 7, "custom_fields": {"tier": "SQL"}}}
    _answering(monkeypatch, crm, Answer(answer))
    read = {"path": "leads/by-number/{key}", "found": None, "id": "data.id", "values": "data.custom_fields"}
    (remote,) = _sink(crm, read).read(["L1"]).values()
    assert (remote.remote_id, remote.values["tier"]) == ("7", "SQL")


def test_an_own_id_that_would_lead_elsewhere_is_not_sent(crm: SearchCrm) -> None:
    records = [Record("L1", {"tier": "SQL"}, ".."), Record("L2", {"tier": "SQL"}), Record("L3", {"tier": "SQL"}, "")]
    assert [(one.status, one.reason) for one in _sink(crm).write(records)] == [
        ("skipped", "no lead can have this key"),
        ("skipped", "no lead was found that has this key"),
        ("rejected", "several leads have this lead_id"),
    ]
    assert crm.calls == 0


def test_an_example_shows_whether_the_search_finds_leads(crm: SearchCrm) -> None:
    for key in ("L1", "L2", "L2"):
        crm.add(key)
    search = "GET leads?custom=lead_id&value={key}"
    for example, change, told in (
        ("L1", {}, []),
        ("L3", {}, [f"{search} finds no lead L3; correct push.sink.read, key_field or the example"]),
        ("L1", {"key_field": "name"}, [f"{search} finds no lead L1; correct push.sink.read, key_field or the example"]),
        ("L2", {}, ["several leads have this lead_id: L2; leave one of them, or take another example"]),
        (
            "L1",
            {"closed": {"data.status": ["closed"]}},
            ["what is read of lead L1 has no data.status, did you mean 'status'?; correct push.sink.closed"],
        ),
    ):
        assert _sink(crm, {"example": example}, **change).check() == told


@pytest.mark.parametrize(
    ("read", "change", "told"),
    [
        ({"id": None}, {}, "{id} in path or body stands for what is read; say where it is: read: {id: id}"),
        ({}, {"path": "leads/{key}"}, "read.id is put where path or body say {id}"),
        ({}, {"path": "leads"}, "neither path nor body has {key}"),
        ({"path": "leads?value=7"}, {}, "read.path has no {key}"),
        ({"path": "leads/{key}/{id}"}, {}, "read.path has {id}, which is known only once the lead is read"),
        ({}, {"key_field": "id"}, "key_field and read.id are both id"),
    ],
)
def test_settings_of_a_search_that_can_not_be_meant_are_refused(
    crm: SearchCrm, read: dict[str, Any], change: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        _sink(crm, read, **change)
    assert told in str(caught.value)
    with pytest.raises(ValidationError, match="stands for what is read"):
        Push.model_validate(_settings(crm) | {"sink": _settings(crm)["sink"] | {"read": None, "closed": {}}})
