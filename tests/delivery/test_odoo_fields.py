"""Which fields of Odoo take which of ours: their types, selections and sizes, how they are made, and who sees leads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as ET

import pytest
from crm_cases import reachable, sink_of
from crm_odoo import OURS, OdooCrm, loads
from house import ROOT
from pushing import Delivery, Lead, ways

from features.core.errors import DeliveryError
from features.core.schema import MATURITIES, TIERS
from pipeline.sinks.protocol import LaterError, Record


@pytest.fixture(params=["jsonrpc", "json2"])
def crm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[OdooCrm]:
    with reachable(OdooCrm(request.param), monkeypatch) as made:
        yield made


def test_the_check_names_each_missing_field_and_setup_makes_those_of_our_own(crm: OdooCrm, tmp_path: Path) -> None:
    for name in OURS:
        del crm.types[name]
    fields = {"tier": "x_leadcast_tier", "date": "x_leadcast_date", "probability": "x_leadcast_probability"}
    problems = sink_of(crm, tmp_path, fields | {"action": "next_step"}, key_field="x_number").check()
    assert problems == [
        "crm.lead has no field x_number; push.sink.key_field must hold our lead_id",
        *(
            f"crm.lead has no field {name}, or the scoring user may not see it; leadcast crm setup makes it"
            for name in fields.values()
        ),
        "crm.lead has no field next_step, or the scoring user may not see it; map another (push.fields)",
    ]
    sink = sink_of(crm, tmp_path, fields)
    assert sink.setup() == [
        f"field {name} of crm.lead; no view shows it yet: docs/push.md has one" for name in fields.values()
    ]
    assert {name: crm.types[name] for name in fields.values()} == {name: OURS[name] for name in fields.values()}
    assert sink.check() == []
    assert sink.setup() == []


def test_setup_needs_an_administrator(crm: OdooCrm, tmp_path: Path) -> None:
    del crm.types["x_leadcast_tier"]
    crm.is_administrator = False
    with pytest.raises(DeliveryError, match="not allowed to create"):
        sink_of(crm, tmp_path).setup()


def test_a_field_of_another_type_is_named(crm: OdooCrm, tmp_path: Path) -> None:
    assert sink_of(crm, tmp_path, {"tier": "stage_id", "score": "x_leadcast_tier", "action": "active"}).check() == [
        "the field stage_id is of type many2one; tier needs char or selection or text",
        "the field x_leadcast_tier is of type char; score needs float or integer",
        "the field active is of type boolean; action needs char or text",
    ]


def test_odoos_own_probability_takes_no_score(crm: OdooCrm, tmp_path: Path) -> None:
    assert sink_of(crm, tmp_path, {"score": "probability"}).check() == [
        "Odoo's own field probability takes our probability, and not score; map probability to it"
    ]


def selection(crm: OdooCrm, name: str, *values: str) -> None:
    """Make a selection field."""
    crm.types[name] = "selection"
    crm.selections[name] = [[value, value.title()] for value in values]


def test_a_selection_takes_a_tier_and_a_maturity_that_it_has(crm: OdooCrm, tmp_path: Path) -> None:
    selection(crm, "x_tier", *TIERS)
    selection(crm, "x_maturity", *MATURITIES)
    crm.add("A")
    sink = sink_of(crm, tmp_path, {"tier": "x_tier", "maturity": "x_maturity"})
    assert sink.check() == []
    (outcome,) = sink.write([Record("A", {"x_tier": "SQL", "x_maturity": "hot"}, "101")])
    assert outcome.status == "written"
    assert sink.read(["A"])["A"].values == {"x_tier": "SQL", "x_maturity": "hot"}
    list(sink.write([Record("A", {"x_tier": None, "x_maturity": "cold"}, "101")]))
    assert sink.read(["A"])["A"].values == {"x_tier": None, "x_maturity": "cold"}


LACKING = (
    "the selection x_tier lacks customer, disqualified, recycled, IQL among its values; add them "
    "with these letters, or map tier to a char or text"
)
SENTENCE = (
    "the field x_action is of type selection; action needs char or text, because it is a sentence, which may name a day"
)
NOTHING = (
    "the field x_share is of type integer; probability needs float, "
    "because it would be 0 in most leads; score fits in there"
)


def test_what_a_selection_lacks_is_named_to_the_letter(crm: OdooCrm, tmp_path: Path) -> None:
    selection(crm, "x_tier", "iql", "MQL", "SQL")  # Odoo would take IQL for iql, and give iql back
    selection(crm, "x_action", "call today", "keep nurturing", "wait")
    assert sink_of(crm, tmp_path, {"tier": "x_tier", "action": "x_action"}).check() == [
        LACKING,
        SENTENCE,
    ]


def test_a_whole_number_takes_a_score_and_no_probability(crm: OdooCrm, tmp_path: Path) -> None:
    crm.types |= {"x_points": "integer", "x_share": "integer"}
    crm.add("A")
    assert sink_of(crm, tmp_path, {"probability": "x_share"}).check() == [
        NOTHING,
    ]
    sink = sink_of(crm, tmp_path, {"score": "x_points"})
    assert sink.check() == []
    for score, held in ((43.62, 44), (None, 0), (12.0, 12)):
        (outcome,) = sink.write([Record("A", {"x_points": score}, "101")])
        assert outcome.status == "written"
        assert sink.read(["A"])["A"].values == {"x_points": held}
    assert [rows[0][1] for _, rows in loads(crm)] == ["44", "", "12"]


def test_a_score_that_was_rounded_is_ours_and_no_edit(crm: OdooCrm, tmp_path: Path) -> None:
    crm.types["x_points"] = "integer"
    crm.add("A")
    fields = {"tier": "x_leadcast_tier", "score": "x_points"}
    delivery = Delivery(tmp_path, crm.settings | {"fields": fields}, crm.environment)
    assert ways(delivery.push({"A": Lead("MQL", 0.4362)})) == {"written": 1}
    assert crm.rows[101]["x_points"] == 44
    pushed = delivery.push({"A": Lead("SQL", 0.5118)})
    assert (ways(pushed), pushed.tally.edited, crm.rows[101]["x_points"]) == ({"written": 1}, 0, 51)


def test_a_write_without_a_check_asks_once_for_whole_numbers_and_only_where_a_score_is_mapped(
    crm: OdooCrm, tmp_path: Path
) -> None:
    crm.types["x_points"] = "integer"
    crm.add("A")
    sink = sink_of(crm, tmp_path, {"tier": "x_leadcast_tier"})
    list(sink.write([Record("A", {"x_leadcast_tier": "SQL"}, "101")]))
    without = sink.calls
    sink = sink_of(crm, tmp_path, {"score": "x_points"})
    for score in (43.62, 51.2):
        list(sink.write([Record("A", {"x_points": score}, "101")]))
    assert sink.calls == 2 * without + 1 - (crm.interface == "jsonrpc")  # it logs in once
    assert crm.rows[101]["x_points"] == 51


def test_sizes_tell_which_fields_have_a_limit(crm: OdooCrm, tmp_path: Path) -> None:
    assert sink_of(crm, tmp_path).sizes() == dict.fromkeys(OURS)
    crm.lengths = {"x_leadcast_reason_1": 40, "x_lead_number": 8}
    assert sink_of(crm, tmp_path).sizes() == dict.fromkeys(OURS) | {"x_leadcast_reason_1": 40}


def test_a_text_must_hold_a_tier_and_a_date_while_others_are_cut(crm: OdooCrm, tmp_path: Path) -> None:
    crm.types["x_leadcast_date"] = "char"
    crm.lengths = {"x_leadcast_tier": 3, "x_leadcast_date": 9, "x_leadcast_reason_1": 8, "x_leadcast_action": 8}
    assert sink_of(crm, tmp_path).check() == [
        "the field x_leadcast_tier takes 3 letters; tier needs 12: make it longer, or map another",
        "the field x_leadcast_date takes 9 letters; date needs 10: make it longer, or map another",
    ]
    crm.lengths |= {"x_leadcast_tier": 12, "x_leadcast_date": 10}
    assert sink_of(crm, tmp_path).check() == []


HIDDEN = (
    'by the rule "Personal Leads" the scoring user sees only leads that are its own, or nobody\'s; '
    "give it Sales / User: All Documents"
)


@pytest.mark.parametrize("version", [17, 18, 19])
def test_a_user_who_sees_only_own_leads_is_told_the_rule(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: int
) -> None:
    interfaces: list[Literal["jsonrpc", "json2"]] = ["jsonrpc", "json2"] if version == 19 else ["jsonrpc"]
    for interface in interfaces:
        with OdooCrm(interface, version) as crm:
            monkeypatch.setenv("ODOO_API_KEY", crm.token)
            assert sink_of(crm, tmp_path).unseen() is None
            crm.own_documents_only = True
            assert sink_of(crm, tmp_path).unseen() == HIDDEN
            crm.add("A")
            assert sink_of(crm, tmp_path).read(["A"]) == {}
            crm.rows[101]["user_id"] = False
            assert list(sink_of(crm, tmp_path).read(["A"])) == ["A"]


def test_nobody_can_say_what_is_hidden_where_no_answer_comes(crm: OdooCrm, tmp_path: Path) -> None:
    sink = sink_of(crm, tmp_path)
    crm.exhausted = True
    assert sink.unseen() is None
    with pytest.raises((DeliveryError, LaterError)):
        sink.read(["A"])


def test_the_views_of_the_page_show_the_fields_that_setup_makes() -> None:
    section = (ROOT / "docs" / "push.md").read_text(encoding="utf-8").split("## Odoo\n")[1].split("\n## ")[0]
    texts = re.findall(r"```xml\n(.*?)```", section, re.DOTALL)
    views = [ET.fromstring(text) for text in texts]  # noqa: S314 - our own page
    names = [{field.get("name") for field in view.iter("field")} - {"probability"} for view in views]
    assert names[0] == set(OURS)
    assert all(shown <= set(OURS) for shown in names)
    assert [view.get("position") for view in views] == ["inside", "after", "inside"]
