"""What counts as a change, who is taken, and what the ledger remembers: known answers, without any CRM."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pushing import MODEL, Delivery, Lead, ways, write_leads, write_scores

from features.core.errors import InputError
from features.core.recommendation import RECOMMENDATION
from pipeline.core.project import Places
from pipeline.core.suspensions import Suspension, lift, read_suspensions, write_suspensions
from pipeline.delivery.guard import suspended
from pipeline.delivery.ledger import Entry, Intent, Ledger, Write
from pipeline.delivery.records import Selection, Wanted, select, wanted_of
from pipeline.delivery.values import Significance, Values, same
from pipeline.settings.push import Push

MAPPING = {"tier": "t", "probability": "p", "score": "s", "reason_1": "r", "action": "a", "date": "d", "model": "m"}
SIGNIFICANCE = Significance(MAPPING, 0.01)
BEFORE: Values = {
    "t": "MQL", "p": 0.12, "s": 12.0, "r": "2 visits in 7 days", "a": "wait", "d": "2026-06-29", "m": "f00",
}  # fmt: skip


def test_a_reason_s_date_and_figures_alone_are_no_change() -> None:
    asked = (
        "raises: Asked for a quote on {}. Of the looks at {} leads that had within {}, 31% (mean by lead) were followed"
    )
    french = "raises: A demandé un devis le {}. Sur les observations de {} leads, 31\u202f% (moyenne par lead) ont"
    before: Values = {**BEFORE, "r": asked.format("28 June 2026", "1,204", "7 days")}
    assert not SIGNIFICANCE.differs(before, {**before, "r": asked.format("1 July 2026", "98", "24 hours")})
    le_premier: Values = {**BEFORE, "r": french.format("1er juillet 2026", "1\u202f204")}
    assert not SIGNIFICANCE.differs(le_premier, {**BEFORE, "r": french.format("28 juin 2026", "98")})
    assert SIGNIFICANCE.differs(before, {**before, "r": asked.replace("Asked for a quote", "Had a meeting")})


@pytest.mark.parametrize(
    ("changes", "is_significant"),
    [
        ({}, False),
        ({"d": "2026-06-30", "m": "b4r"}, False),
        ({"p": 0.1299, "s": 12.99}, False),
        ({"p": 0.13}, True),
        ({"p": 0.11}, True),
        ({"s": 13.0}, True),
        ({"p": None}, True),
        ({"t": "SQL"}, True),
        ({"a": "call today"}, True),
        ({"r": "14 visits in 7 days"}, False),
        ({"r": "1,250.5 visits in 30 days"}, False),
        ({"r": "2 forms in 7 days"}, True),
        ({"r": "2 visits in 7 days. Of 1,204 leads, 31% converted"}, False),
        ({"r": None}, True),
    ],
)
def test_what_is_worth_a_write(changes: dict[str, str | float | None], is_significant: bool) -> None:
    assert SIGNIFICANCE.differs(BEFORE, {**BEFORE, **changes}) == is_significant


def test_a_reason_in_other_words_alone_is_no_change() -> None:
    for changes, is_significant in (({"r": "3 Besuche"}, False), ({"r": None}, True), ({"t": "SQL"}, True)):
        assert SIGNIFICANCE.differs(BEFORE, {**BEFORE, **changes}, is_same_wording=False) == is_significant


def test_other_fields_are_a_significant_change() -> None:
    assert SIGNIFICANCE.differs({name: value for name, value in BEFORE.items() if name != "a"}, BEFORE)


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("MQL", "MQL", True),
        ("MQL", "mql", False),
        ("", None, True),
        (None, None, True),
        (0.0, None, True),  # a number can't be empty everywhere
        (0.2, None, False),
        ("0", 0.0, True),
        ("0.1234", 0.1234, True),
        (0.12340000271797180, 0.1234, True),  # what single precision makes of it
        (0.1234, 0.1237, False),
        (0.1234, 0.1235, True),  # Odoo's own probability is moved by as much
        ("about 1", 1.0, False),
        (43.21, 43.23, False),
    ],
)
def test_what_a_system_gives_back_is_what_it_was_given(
    one: str | float | None, other: str | float | None, are_same: bool
) -> None:
    assert same(one, other) == are_same
    assert same(other, one) == are_same


@given(st.floats(-1e9, 1e9))
def test_a_number_is_the_same_as_its_text(number: float) -> None:
    assert same(repr(number), number)


def _wanted(
    path: Path, selection: Selection, suspended_leads: dict[str, str] | None = None, **push: object
) -> list[Wanted]:
    settings = Push.model_validate({"sink": {"kind": "files"}, **push})
    return [lead for part in wanted_of(path, settings, selection, suspended_leads or {}) for lead in part]


def test_a_lead_gets_six_fields_by_default(tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "s.parquet", {"L1": Lead("SQL", 0.123456, ("a", "b", "c"))})
    assert _wanted(scores.path, Selection({})) == [
        Wanted(
            "L1",
            {
                "leadcast_tier": "SQL",
                "leadcast_probability": 0.1235,
                "leadcast_reason_1": "a",
                "leadcast_reason_2": "b",
                "leadcast_action": "call today",
                "leadcast_date": "2026-06-30",
            },
        )
    ]


def test_the_mapping_is_the_list_of_what_is_written(tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "s.parquet", {"L1": Lead("IQL", 0.05, ("x" * 300,), "cold")})
    fields = {"score": "points", "maturity": "heat", "reason_1": "why", "reason_3": "more", "model": "by"}
    (wanted,) = _wanted(scores.path, Selection({}), fields=fields)
    assert wanted.values == {
        "points": 5.0, "heat": "cold", "why": "x" * 252 + "...", "more": None, "by": "0123456789abcdef",
    }  # fmt: skip


DECIDED: dict[str, Any] = {
    "stage": "opportunity", "facts": ["2026-06-29 asked", "2026-06-01 " + "long " * 60], "target": "in",
    "expected_value": 1234.5678, "list": "none", "list_reason": "in work", "lottery_group": "left alone", "guess": None,
    "trend": "steady", "what_changed": "Hardly changed since 22 June 2026: time passed",
}  # fmt: skip


def test_what_is_decided_is_pushed_as_codes_and_as_words(tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "s.parquet", {"L1": Lead("SQL", 0.4), "L2": Lead("SQL", 0.3)})
    table = pq.read_table(scores.path)
    for field in RECOMMENDATION:
        if field.name in DECIDED:
            nothing: Any = [] if field.name == "facts" else None
            table = table.append_column(field.name, pa.array([DECIDED[field.name], nothing], field.arrow))
    pq.write_table(table, scores.path)
    fields = {name: name for name in DECIDED}
    first, second = (dict(wanted.values) for wanted in _wanted(scores.path, Selection({}), fields=fields))
    facts = first.pop("facts")
    assert first == {name: value for name, value in DECIDED.items() if name != "facts"} | {"expected_value": 1234.57}
    assert isinstance(facts, str)
    assert facts.startswith("2026-06-29 asked; 2026-06-01 long ")
    assert len(facts) == 255
    assert set(second.values()) == {None}, "nothing of a former night is left standing"
    significance = Significance(fields, 0.01)
    assert not significance.differs(second, second | {"expected_value": 5.0})
    assert significance.differs(second, second | {"list": "sales"})
    # A trend without its day would soon be false where it is written; what has changed stays true.
    assert significance.differs(second, second | {"trend": "declining"})
    assert not significance.differs(second, second | {"what_changed": "Down since 23 June 2026: time passed"})


def test_recommendations_of_an_earlier_version_lack_what_is_mapped(tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "s.parquet", {"L1": Lead("SQL", 0.4)})
    with pytest.raises(InputError, match="maps facts, list, which .* lacks: an earlier version has written it; score"):
        _wanted(scores.path, Selection({}), fields={"list": "x", "facts": "y", "tier": "z"})


CUSTOMER = Lead("customer", None, (), "hot")


def test_a_lead_that_has_ended_is_told_as_such_and_nothing_of_its_score_is_left(tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "s.parquet", {"L1": CUSTOMER})
    fields = {name: name for name in ("tier", "probability", "score", "maturity", "reason_1", "action", "date")}
    (wanted,) = _wanted(scores.path, Selection({}), fields=fields)
    assert wanted.values == {
        "tier": "customer", "probability": None, "score": None, "maturity": "hot", "reason_1": None, "action": "none",
        "date": "2026-06-30",
    }  # fmt: skip


def test_a_lead_that_has_ended_is_written_once_for_another_date_is_no_change(tmp_path: Path) -> None:
    delivery = Delivery(tmp_path, {"sink": {"kind": "files", "folder": "out"}}, {})
    lost = Lead("disqualified", None, (), "cold")
    nights = [
        ({"a": Lead("SQL", 0.4), "b": Lead("MQL", 0.1)}, {"written": 2}),
        ({"a": CUSTOMER, "b": lost}, {"written": 2}),
        ({"a": CUSTOMER, "b": lost}, {"unchanged": 2}),
        ({"a": CUSTOMER, "b": Lead("recycled", 0.1)}, {"unchanged": 1, "written": 1}),
        ({"b": Lead("recycled", 0.1)}, {"unchanged": 1}),
    ]
    for night, (leads, expected) in enumerate(nights, start=1):
        assert ways(delivery.push(leads, as_of=datetime(2026, 6, night))) == expected, night
    rows = [line for path in sorted((tmp_path / "out").glob("*.csv")) for line in path.read_text().splitlines()]
    assert '"a","customer","","","","2026-06-02","none"' in rows
    assert '"b","disqualified","","","","2026-06-02","none"' in rows


def test_a_lead_that_has_ended_has_no_score_that_could_be_suspended(tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "s.parquet", {"a": Lead("SQL"), "b": CUSTOMER})
    path, told = Places(tmp_path).suspensions, list[str]()
    path.parent.mkdir(exist_ok=True)
    path.write_text('[{"where": {"model_version": "' + MODEL + '"}, "since": "2026-06-20"}]')
    assert suspended(Places(tmp_path), scores, told.append) == {"a": "2026-06-20"}
    assert told[0].startswith("suspended since 2026-06-20: 1 open leads (leads with")


def test_a_suspended_lead_keeps_its_tier_and_nothing_of_its_score(tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "s.parquet", {"L1": Lead("SQL", 0.5)})
    fields = {
        "tier": "t",
        "probability": "p",
        "score": "s",
        "maturity": "m",
        "reason_1": "r",
        "action": "a",
        "date": "d",
        "suspended_since": "u",
    }
    (wanted,) = _wanted(scores.path, Selection({}), {"L1": "2026-06-28"}, fields=fields)
    assert wanted.values == {
        "t": "SQL", "p": None, "s": None, "m": "warm", "r": None, "d": "2026-06-30", "u": "2026-06-28",
        "a": "call today",
    }  # fmt: skip


def test_a_share_is_the_same_leads_every_day_and_grows_by_adding(tmp_path: Path) -> None:
    leads = {f"L{number}": Lead() for number in range(4_000)}
    scores = write_scores(tmp_path / "s.parquet", leads)
    tenth = {lead.key for lead in _wanted(scores.path, Selection({}, 0.1))}
    fifth = {lead.key for lead in _wanted(scores.path, Selection({}, 0.2))}
    assert tenth < fifth
    # Within five standard deviations of what chance gives.
    assert abs(len(tenth) - 400) < 5 * (4_000 * 0.1 * 0.9) ** 0.5
    assert tenth == {lead.key for lead in _wanted(scores.path, Selection({}, 0.1))}


def test_conditions_go_by_tier_and_maturity(tmp_path: Path) -> None:
    leads = {"a": Lead("SQL", maturity="hot"), "b": Lead("SQL", maturity="warm"), "c": Lead("MQL", maturity="hot")}
    scores = write_scores(tmp_path / "s.parquet", leads)
    assert [lead.key for lead in _wanted(scores.path, select(["tier=SQL", "maturity=hot"], 1.0))] == ["a"]
    assert [lead.key for lead in _wanted(scores.path, select(["tier=SQL", "tier=MQL"], 1.0))] == ["a", "b", "c"]
    with pytest.raises(InputError, match="'stage=3' is no condition"):
        select(["stage=3"], 1.0)
    with pytest.raises(InputError, match="'tier=sql': there is no such tier; known are: IQL, MQL, SQL"):
        select(["tier=sql"], 1.0)


def test_segments_are_suspended_by_columns_of_the_scores_and_attributes_of_the_leads(tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "s.parquet", {"a": Lead("SQL"), "b": Lead("MQL"), "c": Lead("SQL")})
    path, told = Places(tmp_path).suspensions, list[str]()
    path.parent.mkdir(exist_ok=True)
    assert suspended(Places(tmp_path), scores, told.append) == {}
    write_leads(tmp_path, {"a": "SEO", "b": "SEO", "c": None})
    path.write_text(
        '[{"where": {"channel": "SEO"}, "since": "2026-06-20"}, '
        '{"where": {"tier": "SQL", "channel": "SEO"}, "since": "2026-05-01T10:00"}]'
    )
    assert suspended(Places(tmp_path), scores, told.append) == {"a": "2026-05-01", "b": "2026-06-20"}
    path.write_text('[{"where": {"chanel": "SEO"}, "since": "2026-06-20"}]')
    with pytest.raises(InputError, match="did you mean 'channel'"):
        suspended(Places(tmp_path), scores, told.append)
    for wrong in (
        "{",
        "[{}]",
        '[{"where": {}, "since": "2026-06-20"}]',
        '[{"where": {"tier": "SQL"}, "since": "June"}]',
    ):
        path.write_text(wrong)
        with pytest.raises(InputError, match="can't be read"):
            suspended(Places(tmp_path), scores, told.append)


def test_segments_are_suspended_by_bounds_by_what_is_not_there_and_as_a_whole(tmp_path: Path) -> None:
    leads = {"a": Lead("SQL", 0.5), "b": Lead("MQL", 0.3), "c": Lead("SQL", 0.1), "d": CUSTOMER}
    scores, places = write_scores(tmp_path / "s.parquet", leads), Places(tmp_path)
    write_leads(tmp_path, {"a": "SEO", "b": None, "c": "SEO", "d": None})
    for where, named in (
        ({"probability": {"from": 0.3, "below": 0.5}}, "b"),
        ({"probability": {"below": 0.3}}, "c"),
        ({"channel": None}, "b"),
        ({"channel": "nan"}, ""),
        ({}, "abc"),
    ):
        write_suspensions(places, [Suspension(where, "2026-06-20")])
        assert "".join(sorted(suspended(places, scores, lambda _: None))) == named
    places.suspensions.write_text('[{"where": {"probability": {"above": 1}}, "since": "2026-06-20"}]')
    with pytest.raises(InputError, match="can't be read"):
        suspended(places, scores, lambda _: None)


def test_what_is_lifted_or_of_another_model_suspends_nobody(tmp_path: Path) -> None:
    scores, places = write_scores(tmp_path / "s.parquet", {"a": Lead("SQL")}), Places(tmp_path)
    broken = Suspension({"tier": "SQL"}, "2026-06-20", segment="tier: SQL", model=MODEL)
    other = replace(broken, model="f" * 64, since="2026-05-01")
    write_suspensions(places, [broken, replace(other, segment="of another")])
    assert suspended(places, scores, lambda _: None) == {"a": "2026-06-20"}
    with pytest.raises(InputError, match="no segment 'tier: SQ' is suspended; did you mean 'tier: SQL'"):
        lift(places, "tier: SQ", datetime(2026, 7, 1), "looked into")
    lift(places, "tier: SQL", datetime(2026, 7, 1), "the source was mended")
    assert suspended(places, scores, lambda _: None) == {}
    (lifted,) = (one for one in read_suspensions(places) if one.lifted)
    assert (lifted.lifted, lifted.why) == ("2026-07-01", "the source was mended")
    # The promise of the champion before was broken, too, and nobody has lifted that.
    write_suspensions(places, [other, broken])
    lift(places, "tier: SQL", datetime(2026, 7, 1), "the source was mended")
    assert suspended(places, scores, lambda _: None) == {}


def test_what_was_intended_survives_a_process_that_does_not(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        run = ledger.begin("push", "a sink")
        ledger.intend(run, "a sink", [Intent("L1", {"t": None}, {"t": "SQL"}, {"t": None}, {"t": "SQL"})])
    with Ledger(path) as ledger:
        (known,) = ledger.known("a sink", ["L1"]).values()
        assert (known.status, known.held, known.target) == ("sent", {"t": None}, {"t": "SQL"})
        assert ledger.known("another sink", ["L1"]) == {}
        assert [list(part) for part in ledger.writes(run, 10)] == [[Write("L1", {"t": None}, {"t": "SQL"})]]
        other = ledger.begin("push", "a sink")
        assert other != run
        assert [(one.id, one.state) for one in ledger.runs()] == [(other, "running"), (run, "killed")]


def test_what_was_rejected_is_not_put_back_by_an_undo(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        run = ledger.begin("push", "s")
        ledger.intend(run, "s", [Intent(key, {"t": "x"}, {"t": "y"}, {"t": "x"}, {"t": "y"}) for key in "abc"])
        ledger.settle(
            run, "s",
            [
                Entry("a", "written", {"t": "y"}, {"t": "y"}),
                Entry("b", "rejected", {}, {"t": "y"}, 1, "no"),
                Entry("c", "deferred", {}, {"t": "y"}),
            ],
        )  # fmt: skip
        # Of what waits nobody knows whether it arrived.
        assert [write.key for part in ledger.writes(run, 1) for write in part] == ["a", "c"]
        assert ledger.count("s", "rejected", 1) == 1
        assert ledger.count("s", "rejected", 2) == 0
        assert ledger.revive("s") == 1
        assert ledger.known("s", ["b"])["b"].attempts == 0
        ledger.forget_before(datetime(2100, 1, 1))
        assert list(ledger.writes(run, 10)) == []


def test_a_ledger_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_text("not a database, but long enough to be taken for one" * 100)
    with pytest.raises(InputError, match=r"ledger.sqlite can't be read"):
        Ledger(path)


def test_calls_are_counted_over_a_day(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for calls in (3, 4):
            ledger.end(ledger.begin("push", "s"), "done", {"written": 1}, 1, calls, None)
        ledger.end(ledger.begin("push", "another"), "done", {}, 0, 100, None)
        assert ledger.calls_since("s", datetime(2026, 1, 1)) == 7
        assert ledger.calls_since("s", datetime(2100, 1, 1)) == 0
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM run WHERE ended_at IS NULL").fetchone() == (0,)
