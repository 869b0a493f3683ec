"""What is special to Odoo: rows loaded together, its own probability, its versions and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crm_cases import reachable, sink_of
from crm_odoo import DATABASE, OdooCrm, loads
from crm_servers import Answer, Request
from pushing import Delivery, Lead, ways

from features.core.errors import DeliveryError, SettingsError
from pipeline.sinks.odoo_client import Bad, Told, told_of
from pipeline.sinks.protocol import LaterError, Record, WholeBatchError


@pytest.fixture(params=["jsonrpc", "json2"])
def crm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[OdooCrm]:
    with reachable(OdooCrm(request.param), monkeypatch) as made:
        yield made


def test_values_are_texts_and_the_database_id_names_the_row(crm: OdooCrm, tmp_path: Path) -> None:
    crm.add("L1")
    sink = sink_of(crm, tmp_path, {"tier": "x_leadcast_tier", "probability": "x_leadcast_probability"})
    found = sink.read(["L1", "nobody"])
    assert (list(found), found["L1"].remote_id, found["L1"].closed) == (["L1"], "101", False)
    values = {"x_leadcast_tier": None, "x_leadcast_probability": 0.25}
    (outcome,) = sink.write([Record("L1", values, "101")])
    assert (outcome.key, outcome.status) == ("L1", "written")
    assert loads(crm) == [([".id", "x_leadcast_tier", "x_leadcast_probability"], [["101", "", "0.25"]])]


def test_bad_rows_are_dropped_by_their_place_and_the_rest_is_sent_again(crm: OdooCrm, tmp_path: Path) -> None:
    for key in "ABCDE":
        crm.add(key)
    crm.refuse("B")
    crm.refuse("E")
    sink = sink_of(crm, tmp_path, {"tier": "x_leadcast_tier"})
    ids = {key: remote.remote_id for key, remote in sink.read(list("ABCDE")).items()}
    crm.rows[int(ids["C"])]["active"] = False  # archived after we looked
    outcomes = {
        one.key: one for one in sink.write([Record(key, {"x_leadcast_tier": "SQL"}, ids[key]) for key in "ABCDE"])
    }
    assert {key: one.status for key, one in outcomes.items()} == {
        "A": "written", "B": "rejected", "C": "skipped", "D": "written", "E": "rejected",
    }  # fmt: skip
    assert outcomes["B"].reason == "The operation is not allowed: the lead is locked"
    assert outcomes["C"].reason == f"Unknown database identifier '{ids['C']}'"
    assert [len(rows) for _, rows in loads(crm)] == [5, 1, 1]


def test_the_first_row_is_not_to_blame_for_what_stops_all_rows(crm: OdooCrm, tmp_path: Path) -> None:
    for key in "ABC":
        crm.add(key)
    crm.refuse("B")
    sink = sink_of(crm, tmp_path, {"tier": "x_leadcast_tier"})
    ids = {key: remote.remote_id for key, remote in sink.read(list("ABC")).items()}
    outcomes = list(sink.write([Record(key, {"x_leadcast_tier": "SQL"}, ids[key]) for key in "ABC"]))
    assert {one.key: one.status for one in outcomes} == {"A": "written", "B": "rejected", "C": "written"}
    assert len(outcomes) == 3


SOME = {
    "the first": range(24),
    "in the middle": range(238, 262),
    "the last": range(476, 500),
    "one in twenty": range(10, 490, 20),
    "one in twenty, and the first": range(0, 480, 20),
}


@pytest.mark.parametrize("refused", SOME.values(), ids=SOME)
def test_a_rule_that_refuses_one_in_twenty_costs_at_most_twice(crm: OdooCrm, tmp_path: Path, refused: range) -> None:
    keys = [f"L{number}" for number in range(500)]
    for key in keys:
        crm.add(key)
    crm.refused |= {101 + place for place in refused}
    records = [Record(key, {"x_leadcast_tier": "SQL"}, str(101 + place)) for place, key in enumerate(keys)]
    outcomes = list(sink_of(crm, tmp_path, {"tier": "x_leadcast_tier"}).write(records))
    assert len(outcomes) == len({one.key for one in outcomes}) == 500
    assert {one.key for one in outcomes if one.status == "rejected"} == {f"L{place}" for place in refused}
    assert sum(row.get("x_leadcast_tier") == "SQL" for row in crm.rows.values()) == 476
    assert crm.row_writes <= 2 * 500
    assert len(loads(crm)) <= 120


def test_rows_that_all_go_through_are_soon_loaded_in_whole_batches(crm: OdooCrm, tmp_path: Path) -> None:
    sink = sink_of(crm, tmp_path, {"tier": "x_leadcast_tier"})
    for place in range(2_000):
        crm.add(f"L{place}")
    for start in range(0, 2_000, 500):
        places = range(start, start + 500)
        list(sink.write([Record(f"L{place}", {"x_leadcast_tier": "SQL"}, str(101 + place)) for place in places]))
    assert [len(rows) for _, rows in loads(crm)] == [64, 128, 256, 52, 500, 500, 500]
    assert crm.row_writes == 2_000


def test_what_came_after_the_tenth_bad_row_is_judged_by_itself(crm: OdooCrm, tmp_path: Path) -> None:
    for place in range(30):
        crm.add(f"L{place}")
    crm.refused |= set(range(101, 116))
    records = [Record(f"L{place}", {"x_leadcast_tier": "SQL"}, str(101 + place)) for place in range(30)]
    outcomes = {one.key: one.status for one in sink_of(crm, tmp_path).write(records)}
    assert outcomes == {f"L{place}": "rejected" if place < 15 else "written" for place in range(30)}


def test_a_first_row_that_alone_is_bad_is_rejected_alone(crm: OdooCrm, tmp_path: Path) -> None:
    for key in "ABCD":
        crm.add(key)
    crm.refuse("A")
    records = [Record(key, {"x_leadcast_tier": "SQL"}, str(101 + place)) for place, key in enumerate("ABCD")]
    outcomes = {one.key: one.status for one in sink_of(crm, tmp_path).write(records)}
    assert outcomes == {"A": "rejected", "B": "written", "C": "written", "D": "written"}
    assert [len(rows) for _, rows in loads(crm)] == [4, 1, 3]


def test_rows_are_halved_where_none_is_named(crm: OdooCrm, tmp_path: Path) -> None:
    for key in "ABCD":
        crm.add(key)
    crm.triggered.add(103)
    records = [Record(key, {"x_leadcast_tier": "SQL"}, str(101 + place)) for place, key in enumerate("ABCD")]
    outcomes = iter(sink_of(crm, tmp_path).write(records))
    assert next(outcomes).key == "A"  # it was told of what had stopped all, and went alone
    with pytest.raises(WholeBatchError):
        next(outcomes)
    delivery = Delivery(tmp_path, crm.settings, crm.environment)
    assert ways(delivery.push(dict.fromkeys("ABCD", Lead("MQL")))) == {"written": 3, "rejected": 1}
    assert list(delivery.known("rejected")) == ["C"]


def test_a_message_of_several_rows_names_none() -> None:
    several = {"type": "error", "message": "a team has too many", "rows": {"from": 0, "to": 3}}
    assert told_of([several], 4) == Told({}, False, 4)
    one = {"type": "error", "message": "a team has too many", "rows": {"from": 2, "to": 2}}
    assert told_of([several, one], 4) == Told({2: Bad("rejected", "a team has too many")}, False, 4)


def test_a_lead_that_somebody_else_writes_to_is_tried_again_and_holds_up_no_other(crm: OdooCrm, tmp_path: Path) -> None:
    for key in "ABC":
        crm.add(key)
    sink = sink_of(crm, tmp_path, {"tier": "x_leadcast_tier"})
    sink.read(list("ABC"))
    crm.contended.add(102)
    records = [Record(key, {"x_leadcast_tier": "SQL"}, str(101 + place)) for place, key in enumerate("ABC")]
    outcomes = iter(sink.write(records))
    assert {next(outcomes).key, next(outcomes).key} == {"A", "C"}
    with pytest.raises(LaterError, match="concurrent update"):
        next(outcomes)
    assert [row.get("x_leadcast_tier") for row in crm.rows.values()] == ["SQL", None, "SQL"]


def test_a_field_that_went_away_ends_the_reading(crm: OdooCrm, tmp_path: Path) -> None:
    crm.add("A")
    sink = sink_of(crm, tmp_path, {"tier": "x_leadcast_tier"})
    del crm.types["x_leadcast_tier"]
    # JSON-2 answers 500 to it, as to whatever passes by itself.
    with pytest.raises(DeliveryError if crm.interface == "jsonrpc" else LaterError, match="Invalid field"):
        sink.read(["A"])


def test_records_of_other_fields_are_loaded_apart(crm: OdooCrm, tmp_path: Path) -> None:
    crm.add("A")
    crm.add("B")
    sink = sink_of(crm, tmp_path)
    records = [
        Record("A", {"x_leadcast_tier": "SQL"}, "101"),
        Record("B", {"x_leadcast_tier": "SQL", "x_leadcast_action": "wait"}, "102"),
    ]
    assert {one.status for one in sink.write(records)} == {"written"}
    assert [fields for fields, _ in loads(crm)] == [
        [".id", "x_leadcast_tier"], [".id", "x_leadcast_tier", "x_leadcast_action"],
    ]  # fmt: skip


def test_of_several_leads_with_one_key_the_only_active_one_is_the_lead(crm: OdooCrm, tmp_path: Path) -> None:
    for active in (False, True, False):
        crm.add("A")
        crm.rows[max(crm.rows)]["active"] = active
    found = sink_of(crm, tmp_path).read(["A"])
    assert (found["A"].remote_id, found["A"].closed, found["A"].refused) == ("102", False, None)
    delivery = Delivery(tmp_path, crm.settings, crm.environment)
    assert ways(delivery.push({"A": Lead("SQL")})) == {"written": 1}
    assert [row.get("x_leadcast_tier") for row in crm.rows.values()] == [None, "SQL", None]


@pytest.mark.parametrize("active", [True, False])
def test_several_leads_with_one_key_that_are_alike_are_refused(crm: OdooCrm, tmp_path: Path, *, active: bool) -> None:
    for key in "AAB":
        crm.add(key)
        crm.rows[max(crm.rows)]["active"] = active
    found = sink_of(crm, tmp_path).read(["A", "B"])
    assert {key: remote.refused for key, remote in found.items()} == {
        "A": "several leads have this x_lead_number",
        "B": None,
    }
    delivery = Delivery(tmp_path, crm.settings, crm.environment)
    assert ways(delivery.push({"A": Lead("SQL")})) == {"skipped": 1}
    assert delivery.known("skipped") == {"A": "several leads have this x_lead_number"}
    assert [row.get("x_leadcast_tier") for row in crm.rows.values()] == [None, None, None]


def test_odoos_own_ids_are_whole_numbers(crm: OdooCrm, tmp_path: Path) -> None:
    crm.add("A")
    sink = sink_of(crm, tmp_path, key_field="id")
    assert list(sink.read(["101", "0101", "1e2", "A", "99999999999", "-101"])) == ["101"]


NATIVE = {"probability": "probability", "tier": "x_leadcast_tier"}


@pytest.mark.parametrize(
    ("probability", "written"),
    [
        (0.4321, 43.21),
        (0.125, 12.51),  # Odoo has computed 12.50: the same would be overwritten by its next scoring
        (0.0, 0.01),  # 0 and 100 would count as lost and won
        (1.0, 99.99),
    ],
)
def test_odoos_own_probability_stays_open_and_apart(
    crm: OdooCrm, tmp_path: Path, probability: float, written: float
) -> None:
    crm.add("A")
    delivery = Delivery(tmp_path, crm.settings | {"fields": NATIVE}, crm.environment)
    assert ways(delivery.push({"A": Lead("MQL", probability)})) == {"written": 1}
    assert crm.rows[101]["probability"] == written
    # What was moved by a hundredth is no edit by a person, and no reason to write again.
    assert ways(delivery.push({"A": Lead("SQL", probability)})) == {"written": 1}
    with_refresh = delivery.push({"A": Lead("SQL", probability)}, refresh_after="0h")
    assert (ways(with_refresh), with_refresh.tally.edited) == ({"unchanged": 1}, 0)


def test_odoo_17_has_another_name_for_the_rights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with OdooCrm("jsonrpc", version=17) as crm:
        monkeypatch.setenv("ODOO_API_KEY", crm.token)
        assert sink_of(crm, tmp_path).check() == []


def test_what_is_wrong_with_the_access_is_told(crm: OdooCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = sink_of(crm, tmp_path, database="test").check()
    assert "database" in problem
    monkeypatch.setenv("ODOO_API_KEY", "another-key-than-that")
    (problem,) = sink_of(crm, tmp_path).check()
    assert "key" in problem
    assert "another-key-than-that" not in problem
    if crm.interface == "jsonrpc":
        with pytest.raises(SettingsError, match="user is missing"):
            sink_of(crm, tmp_path, user=None)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("psycopg2.errors.SerializationFailure", LaterError),
        ("odoo.exceptions.AccessError", DeliveryError),
    ],
)
def test_what_a_method_raises_is_told_apart(
    crm: OdooCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: type[Exception]
) -> None:
    crm.add("A")
    sink = sink_of(crm, tmp_path)
    sink.read(["A"])

    def refuse(_: Request) -> Answer:
        error = {"name": name, "message": "could not serialize access due to concurrent update"}
        if crm.interface == "json2":
            return Answer(error, 422)
        return Answer(
            {"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "Odoo Server Error", "data": error}}
        )

    monkeypatch.setattr(crm, "answer", refuse)
    with pytest.raises(kind, match="could not serialize"):
        list(sink.write([Record("A", {"x_leadcast_tier": "SQL"}, "101")]))


def test_a_page_instead_of_an_answer_means_a_wrong_address(
    crm: OdooCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crm, "answer", lambda _: Answer("<html>Welcome</html>"))
    (problem,) = sink_of(crm, tmp_path).check()
    assert "check push.sink.url" in problem


def test_the_name_says_where_without_who(crm: OdooCrm, tmp_path: Path) -> None:
    name = sink_of(crm, tmp_path).name
    assert name == f"odoo {crm.url.removeprefix('http://')} {DATABASE} crm.lead"
