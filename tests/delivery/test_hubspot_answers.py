"""What HubSpot answers: all that the vendor requires of API v3, values that are null, and what it never takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from crm_cases import reachable, sink_of
from crm_hubspot import HubSpotCrm
from crm_servers import Answer, Request

from features.core.errors import DeliveryError
from pipeline.sinks.protocol import Record

BATCH = {"status", "results", "startedAt", "completedAt"}
CONTACT = {"id", "properties", "createdAt", "updatedAt"}
ERROR = {"status", "category", "message", "context", "errors", "links"}
REFUSAL = {"message", "correlationId", "category"}
PROPERTY = {"name", "label", "type", "fieldType", "description", "groupName", "options"}
MODIFICATION = {"archivable", "readOnlyDefinition", "readOnlyValue"}
OPTION = {"label", "value", "hidden"}


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubSpotCrm]:
    with reachable(HubSpotCrm(), monkeypatch) as made:
        yield made


def _ask(crm: HubSpotCrm, method: str, path: str, content: object = None, token: str | None = None) -> Answer:
    headers = {"Authorization": f"Bearer {token or crm.token}"}
    return crm.answer(Request(method, f"/crm/v3/{path}", {}, headers, json.dumps(content).encode() if content else b""))


def _update(crm: HubSpotCrm, **values: str) -> Answer:
    inputs = [{"id": number, "properties": values} for number in ("501", "999")]
    return _ask(crm, "POST", "objects/contacts/batch/update", {"inputs": inputs})


def test_the_server_answers_batches_as_the_schema_requires(crm: HubSpotCrm) -> None:
    crm.add("L1")
    crm.whole_batches = False
    inputs = {"inputs": [{"id": "501"}, {"id": "999"}], "properties": ["leadcast_tier", "email"]}
    for answer in (
        _ask(crm, "POST", "objects/contacts/batch/read", inputs),
        _update(crm, leadcast_tier="SQL"),
        _ask(crm, "POST", "objects/contacts/batch/read", inputs | {"inputs": [{"id": "501"}]}),
    ):
        assert set(answer.content) >= BATCH
        assert answer.content["status"] == "COMPLETE"
        assert datetime.fromisoformat(answer.content["startedAt"]) <= datetime.fromisoformat(
            answer.content["completedAt"]
        )
        assert all(set(one) >= CONTACT for one in answer.content["results"])
        if answer.status == 207:
            assert answer.content["numErrors"] == len(answer.content["errors"]) == 1
            assert all(set(one) >= ERROR and one["context"] == {"ids": ["999"]} for one in answer.content["errors"])
    assert answer.status == 200


def test_the_server_refuses_calls_as_the_schema_requires(crm: HubSpotCrm) -> None:
    crm.add("L1")
    taken = {"name": "email", "label": "Email", "type": "string", "fieldType": "text", "groupName": "x"}
    for answer in (
        _update(crm, nothing="x"),
        _ask(crm, "POST", "properties/contacts", taken),
        _ask(crm, "GET", "properties/contacts", token="wrong"),  # noqa: S106 - it is none
        crm.limited(),
    ):
        assert set(answer.content) >= REFUSAL
        assert str(UUID(answer.content["correlationId"])) == answer.content["correlationId"]


def test_the_server_describes_properties_as_the_schema_requires(crm: HubSpotCrm) -> None:
    found = _ask(crm, "GET", "properties/contacts").content["results"]
    for one in found:
        assert set(one) >= PROPERTY | {"hidden", "calculated", "hasUniqueValue"}
        assert set(one["modificationMetadata"]) >= MODIFICATION
        assert all(set(option) >= OPTION for option in one["options"])
    fixed = {one["name"] for one in found if one["modificationMetadata"]["readOnlyDefinition"]}
    assert {"email", "lifecyclestage"} <= fixed, "what HubSpot defines can't be redefined"


def test_values_that_are_null_are_empty_and_name_nobody(crm: HubSpotCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.add("L1")
    sink = sink_of(crm, Path("/nowhere"))
    assert set(sink.read(["L1"])["L1"].values.values()) == {None}
    held = {"lead_number": None, "lifecyclestage": None, "leadcast_tier": "SQL"}
    of_nobody = {"id": "501", "properties": held, "createdAt": "x", "updatedAt": "x"}
    monkeypatch.setattr(crm, "answer", lambda _: Answer({"status": "COMPLETE", "results": [of_nobody]}))
    assert sink.read(["None", "L1"]) == {}


def test_the_check_tells_which_properties_take_no_values(crm: HubSpotCrm) -> None:
    tiers = "customer, disqualified, SQL, recycled, MQL, IQL"
    assert sink_of(crm, Path("/nowhere"), {"tier": "hs_lead_status"}, closed={}).check() == [
        f"the property hs_lead_status has no option {tiers}; add what tier may be"
    ]
    crm.options["hs_lead_status"] = ("customer", "disqualified", "SQL", "recycled", "MQL", "IQL")
    assert sink_of(crm, Path("/nowhere"), {"tier": "hs_lead_status"}, closed={}).check() == [], (
        "its definition is fixed, its value is not"
    )
    crm.calculated, crm.hidden = {"leadcast_tier"}, {"leadcast_action", "lead_number"}
    assert sink_of(crm, Path("/nowhere")).check() == [
        "the property leadcast_tier is read-only; map tier to another (push.fields)",
        "the property leadcast_action is hidden, so nobody sees it; show it, or map action to another (push.fields)",
    ]


def test_a_property_that_takes_no_values_ends_the_push_and_rejects_nobody(crm: HubSpotCrm) -> None:
    for key in ("L1", "L2"):
        crm.add(key)
    crm.calculated = {"leadcast_tier"}
    records = [Record(f"L{number}", {"leadcast_tier": "SQL"}, f"50{number}") for number in (1, 2)]
    with pytest.raises(DeliveryError, match="leadcast_tier.*read only property.*leadcast crm check says which"):
        list(sink_of(crm, Path("/nowhere")).write(records))
