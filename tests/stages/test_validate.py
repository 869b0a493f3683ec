"""Every rule that the log must obey is broken once, and is then named with its count and its rows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from world import Project

from features.core.errors import ContractError
from features.core.schema import INTERACTION, LEAD, RECOMMENDATION
from models.core.additive import Additive
from models.core.horizons import Direction, Step
from pipeline.contracts.expectations import LEAD_LIMITS, interaction_checks, interaction_limits, lead_checks
from pipeline.scoring.open_leads import check

START = datetime(2026, 3, 2, 9)
WEB = "web"
Row = dict[str, Any]


def event(number: int, **changes: object) -> Row:
    """Make a sound row that stands in line ``number`` of the second file of its source."""
    return {
        "lead_id": f"SECRET-{number % 3}",
        "occurred_at": START + timedelta(hours=number),
        "known_at": START + timedelta(hours=number),
        "event_type": "visit",
        "actor": "lead",
        "channel": None,
        "campaign": None,
        "content": None,
        "value": None,
        "quantity": 1,
        "event_id": None,
        "source": WEB,
        "sequence": (1 << 40) + number,
        "local_day": date(2026, 3, 2),
        "local_hour": 9,
    } | changes


def lead(name: str, **changes: object) -> Row:
    return {"lead_id": name, "created_at": START, "known_at": START, "account_id": None, "time_zone": None} | changes


LEADS = [lead(f"SECRET-{number}") for number in range(3)]
EVENTS = [event(number) for number in range(1, 21)]

BROKEN_EVENTS: dict[str, Row] = {
    "lead_id_missing": {"lead_id": None},
    "occurred_at_missing": {"occurred_at": None},
    "occurred_at_range": {"occurred_at": datetime(1969, 12, 31)},
    "known_at_missing": {"known_at": None},
    "known_at_range": {"known_at": datetime(2100, 1, 1)},
    "event_type_missing": {"event_type": None},
    "actor_missing": {"actor": None},
    "actor_unknown": {"actor": "robot"},
    "value_infinite": {"value": float("inf")},
    "quantity_missing": {"quantity": None},
    "quantity_low": {"quantity": 0},
    "source_missing": {"source": None},
    "sequence_missing": {"sequence": None},
    "sequence_low": {"sequence": -1},
    "local_day_missing": {"local_day": None},
    "local_hour_missing": {"local_hour": None},
    "local_hour_low": {"local_hour": -1},
    "local_hour_high": {"local_hour": 24},
    "known_early": {"known_at": START - timedelta(days=400)},
    "place_repeated": {"sequence": (1 << 40) + 1},
    "lead_unknown": {"lead_id": "SECRET-9"},
}
"""For each rule a change that makes a sound row break it; the rows stand in lines 101, 102 ..."""

BROKEN_LEADS: dict[str, list[Row]] = {
    "lead_id_missing": [lead("x", lead_id=None)],
    "created_at_missing": [lead("SECRET-3", created_at=None)],
    "created_at_range": [lead("SECRET-4", created_at=datetime(2100, 1, 1))],
    "known_at_missing": [lead("SECRET-5", known_at=None)],
    "known_at_range": [lead("SECRET-6", known_at=datetime(2100, 1, 1))],
    "lead_repeated": [LEADS[0]],
}


def line_of(name: str) -> int:
    return 101 + list(BROKEN_EVENTS).index(name)


@dataclass(frozen=True)
class Outcome:
    """What a run of the stage left behind."""

    project: Project
    refused: str
    """The message of the error; empty where there was none."""

    @property
    def verdicts(self) -> list[Row]:
        """Read what became of all expectations."""
        content: dict[str, Any] = json.loads((self.project.root / "data/validation.json").read_text())
        verdicts: list[Row] = content["expectations"]
        return verdicts

    def verdict(self, suite: str, name: str) -> Row:
        """Find what became of the one expectation of this name in a suite."""
        (found,) = (verdict for verdict in self.verdicts if (verdict["suite"], verdict["name"]) == (suite, name))
        return found


Judge = Callable[[Sequence[Row], Sequence[Row]], Outcome]


@pytest.fixture(scope="module")
def judge_log(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    def _judge(events: Sequence[Row], leads: Sequence[Row]) -> Outcome:
        project = Project(tmp_path_factory.mktemp("judged"), world.parameters)
        (project.root / "data").mkdir()
        for name, fields, rows in (("interactions", INTERACTION, events), ("leads", LEAD, leads)):
            schema = pa.schema([(field.name, field.arrow) for field in fields])
            pq.write_table(pa.Table.from_pylist(list(rows), schema), project.root / f"data/{name}.parquet")
        try:
            project.run("validate")
        except ContractError as error:
            return Outcome(project, str(error))
        return Outcome(project, "")

    return _judge


@pytest.fixture(scope="module")
def broken(judge_log: Judge) -> Outcome:
    """Break every rule of the interactions and of the leads, each in a row of its own."""
    rows = [event(line_of(name)) | change for name, change in BROKEN_EVENTS.items()]
    return judge_log([*EVENTS, *rows], [*LEADS, *(row for rows in BROKEN_LEADS.values() for row in rows)])


def test_every_rule_has_a_row_that_breaks_it() -> None:
    checks = {check.name for check in interaction_checks()}
    assert checks | {limit.name for limit in interaction_limits("")} == {*BROKEN_EVENTS}
    checks = {check.name for check in lead_checks()}
    assert checks | {limit.name for limit in LEAD_LIMITS} == {*BROKEN_LEADS, "no_leads"}


@pytest.mark.parametrize(
    ("fields", "checks"), [(INTERACTION, interaction_checks()), (LEAD, lead_checks())], ids=["interactions", "leads"]
)
def test_every_field_that_is_never_missing_has_its_check(fields: Any, checks: Any) -> None:  # noqa: ANN401 - two schemas
    wanted = {f"{field.name}_missing" for field in fields if not field.nullable}
    assert len(wanted) > 1
    assert wanted == {check.name for check in checks if check.name.endswith("_missing")}


@pytest.mark.parametrize("name", [rule.name for rule in interaction_checks()])
def test_a_broken_rule_is_counted_and_its_row_is_named(broken: Outcome, name: str) -> None:
    verdict = broken.verdict("interactions", name)
    assert not verdict["success"]
    assert verdict["count"] == 1
    line = line_of(name)
    # A row without a source or a place is named by what it has; -1 has all bits of a line.
    place = {
        "source_missing": f"None:{line}",
        "sequence_missing": f"{WEB}:None",
        "sequence_low": f"{WEB}:{(1 << 40) - 1}",
    }
    assert verdict["examples"] == [place.get(name, f"{WEB}:{line}")]


# A missing id is unknown, too, and is no distinct one.
@pytest.mark.parametrize(
    ("suite", "name", "figure"),
    [
        ("interactions", "place_repeated", 1),
        ("interactions", "lead_unknown", 2),
        ("leads", "lead_id_missing", 1),
        ("leads", "created_at_missing", 1),
        ("leads", "created_at_range", 1),
        ("leads", "known_at_missing", 1),
        ("leads", "known_at_range", 1),
        ("leads", "lead_repeated", 2),
    ],
)
def test_what_shows_on_the_whole_table_is_counted(broken: Outcome, suite: str, name: str, figure: int) -> None:
    verdict = broken.verdict(suite, name)
    assert (verdict["success"], verdict["count"]) == (False, figure)


def test_the_sampled_rows_are_judged_one_by_one(broken: Outcome) -> None:
    found = {
        (verdict["name"], verdict["meaning"].removeprefix("column values to ")): verdict["examples"]
        for verdict in broken.verdicts
        if verdict["suite"] == "interactions (sampled rows)" and not verdict["success"]
    }
    for name in ("occurred_at", "known_at", "event_type", "actor", "quantity", "local_day", "local_hour"):
        assert found[name, "not be null"] == [f"{WEB}:{line_of(f'{name}_missing')}"]
    assert found["actor", "be in set"] == [f"{WEB}:{line_of('actor_unknown')}"]
    assert found["quantity", "be between"] == [f"{WEB}:{line_of('quantity_low')}"]
    hours = [f"{WEB}:{line_of(name)}" for name in ("local_hour_low", "local_hour_high")]
    assert found["local_hour", "be between"] == hours


def test_critical_failures_stop_the_run_and_are_told_in_words(broken: Outcome) -> None:
    row = f"{WEB}:{line_of('quantity_low')}"
    assert f"interactions.quantity_low: quantity is at least 1, but found 1; rows {row}\n" in broken.refused
    assert "leads.lead_repeated: a lead has one row, but found 2" in broken.refused
    assert "See reports/data-docs/index.html; mend the source or its mapping, then run again." in broken.refused
    assert "known_early" not in broken.refused
    assert "Traceback" not in broken.refused
    critical = [verdict for verdict in broken.verdicts if not verdict["success"] and verdict["severity"] == "critical"]
    assert broken.refused.startswith(f"{len(critical)} expectations failed:\n")


def test_data_docs_show_the_failures_and_name_no_lead(broken: Outcome) -> None:
    docs = broken.project.root / "reports/data-docs"
    assert (docs / "index.html").is_file()
    pages = {path: path.read_text(encoding="utf-8") for path in docs.rglob("*.html")}
    assert any("quantity is at least 1" in page or "quantity_low" in page for page in pages.values())
    assert [str(path) for path, page in pages.items() if "SECRET" in page] == []
    assert "SECRET" not in (broken.project.root / "data/validation.json").read_text()
    assert "SECRET" not in broken.refused


def test_a_verdict_is_the_same_on_a_second_run(broken: Outcome) -> None:
    path = broken.project.root / "data/validation.json"
    first = path.read_bytes()
    with pytest.raises(ContractError):
        broken.project.run("validate")
    assert path.read_bytes() == first


def test_a_warning_is_told_and_stops_nothing(judge_log: Judge) -> None:
    early = event(101) | BROKEN_EVENTS["known_early"]
    warned = judge_log([*EVENTS, early], LEADS)
    assert warned.refused == ""
    assert [verdict["name"] for verdict in warned.verdicts if not verdict["success"]] == ["known_early"]
    (told,) = [line for line in warned.project.told if line.startswith("warning: ")]
    rule = "interactions.known_early: an event is rarely known more than a year before it occurs"
    assert told == f"warning: {rule}, but found 1; rows web:101"


def test_a_log_of_no_lead_is_refused(judge_log: Judge) -> None:
    assert "leads.no_leads: there is at least one lead" in judge_log(EVENTS, []).refused


def recommendation(number: int, **changes: object) -> Row:
    return {
        "lead_id": f"SECRET-{number}",
        "as_of": pd.Timestamp(START),
        "probability": 0.25,
        "score": 25.0,
        "maturity": "warm",
        "tier": "SQL",
        "facts": [],
        "list": "sales",
        "reasons": ["raises: last 'form' 1.0 days ago"],
        "is_guess": False,
        "guess": None,
        "model_version": "a" * 64,
    } | changes


def ended(number: int, **changes: object) -> Row:
    """Make a sound row of a lead that was lost."""
    none: Row = {"probability": None, "score": None, "reasons": [], "list": "none"}
    told = {"tier": "disqualified", "stage": "lost", "facts": ["2026-02-20 lost", "2026-02-01 objection"]}
    return recommendation(number) | none | told | changes


CUSTOMER: Row = {"tier": "customer", "stage": "won", "facts": ["2026-02-20 converted"]}


def table_of(recommendations: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(recommendations, pa.schema([(field.name, field.arrow) for field in RECOMMENDATION]))


def test_recommendations_that_break_a_rule_are_refused_with_every_rule_named() -> None:
    changes: list[Row] = [
        {"lead_id": "SECRET-0"},
        {"lead_id": None},
        {"as_of": None},
        {"probability": 1.5, "score": 150.0},
        {"probability": None},
        {"score": 26.0},
        {"maturity": "lukewarm"},
        {"tier": "VIP"},
        {"tier": "IQL"},
        {"model_version": None},
    ]
    rows = [recommendation(0), *(recommendation(number) | change for number, change in enumerate(changes, start=1))]
    with pytest.raises(ContractError) as error:
        check(table_of(rows), ["SQL", "MQL"])
    lines = [line.strip() for line in str(error.value).splitlines()]
    assert lines[0] == "11 expectations failed:"
    assert sorted(lines[1:-1]) == [
        "recommendations.as_of_missing: as_of is never missing, but found 1",
        "recommendations.lead_id_missing: lead_id is never missing, but found 1",
        "recommendations.lead_repeated: a lead is recommended once, but found 1",
        "recommendations.maturity_unknown: maturity is one of 'cold', 'warm', 'hot', but found 1",
        "recommendations.model_version_missing: model_version is never missing, but found 1",
        "recommendations.probability_high: probability is at most 1, but found 1",
        (
            "recommendations.probability_misplaced: an open lead has a probability and a score, and one that "
            "has ended has neither, but found 1"
        ),
        (
            "recommendations.reasons_unasked: a recommendation of any other tier has none, nor has a lead that "
            "has ended, but found 2"
        ),
        "recommendations.score_differs: the score is 100 times the probability, but found 1",
        "recommendations.score_high: score is at most 100, but found 1",
        (
            "recommendations.tier_unknown: tier is one of 'customer', 'disqualified', 'SQL', 'recycled', 'MQL', 'IQL', "
            "but found 1"
        ),
    ]
    assert "SECRET" not in str(error.value)


def test_an_open_lead_has_a_probability_and_one_that_has_ended_has_none() -> None:
    closed = recommendation(2, tier="disqualified", facts=["2026-02-20 objection"], reasons=[], list="none")
    sound = [recommendation(0), recommendation(1, facts=["2026-02-20 lost call"]), closed, ended(3)]
    sound.append(ended(4, **CUSTOMER))
    # One that people took up again after it was lost is told by its first fact all the same.
    sound.append(ended(5, stage="accepted"))
    check(table_of(sound), ["SQL", "disqualified"])
    breaking: list[tuple[Row, str]] = [
        (recommendation(9, probability=None, score=None), "probability_misplaced"),
        (recommendation(9, score=None), "probability_misplaced"),
        (closed | {"lead_id": "SECRET-9", "probability": None, "score": None}, "probability_misplaced"),
        (ended(9, probability=0.25, score=25.0), "probability_misplaced"),
        (ended(9, **CUSTOMER, score=25.0), "probability_misplaced"),
        (ended(9, facts=["2026-02-20 objection", "2026-02-10 lost"]), "probability_misplaced"),
        (ended(9, tier="SQL"), "end_differs"),
        (ended(9, tier="customer"), "end_differs"),
        (ended(9, **CUSTOMER | {"tier": "disqualified"}), "end_differs"),
        (recommendation(9, tier="customer", reasons=[]), "end_differs"),
        (ended(9, list="marketing"), "ended_recommended"),
        (ended(9, rank=1), "ended_recommended"),
        (ended(9, is_guess=True, guess="age"), "ended_recommended"),
        (recommendation(9, is_guess=True), "guess_unsaid"),
        (recommendation(9, guess="channel"), "guess_unsaid"),
        (ended(9, reasons=["raises: x"]), "reasons_unasked"),
    ]
    for row, rule in breaking:
        with pytest.raises(ContractError, match=f"recommendations.{rule}: .*found 1"):
            check(table_of([*sound, row]), ["SQL"])


def test_probabilities_that_contradict_each_other_are_refused() -> None:
    towards: list[tuple[str, Direction]] = [("7d", "shorter"), ("60d", "longer"), ("90d", "longer")]
    steps = [Step(*target, Additive(0.0, ()), {}, {"method": "none"}) for target in towards]

    def further(*horizons: list[float | None]) -> pa.Table:
        table = table_of([recommendation(number) for number in range(len(horizons[0]))])
        for step, said in zip(steps, horizons, strict=True):
            table = table.append_column(f"probability_{step.horizon}", pa.array(said, pa.float64()))
        return table

    check(further([0.1, 0.25], [0.3, 0.25], [0.4, 0.25]), ["SQL"], steps)
    with pytest.raises(ContractError) as error:
        check(further([0.1, 0.26, 0.0, 0.1], [0.3, 0.3, None, 0.2], [0.4, 0.29, 1.0, np.nan]), ["SQL"], steps)
    between = "lies between 0 and 1, and is missing of leads that have ended"
    assert sorted(line.strip() for line in str(error.value).splitlines()[1:-1]) == [
        "recommendations.probability_60d_contradicts: probability_60d is never below probability, but found 1",
        f"recommendations.probability_60d_outside: probability_60d {between}, but found 1",
        f"recommendations.probability_7d_outside: probability_7d {between}, but found 1",
        "recommendations.probability_90d_contradicts: probability_90d is never below probability_60d, but found 1",
        f"recommendations.probability_90d_outside: probability_90d {between}, but found 2",
        "recommendations.probability_contradicts: probability is never below probability_7d, but found 1",
    ]


def test_sound_recommendations_pass_and_one_without_a_reason_only_warns() -> None:
    rows = table_of([recommendation(0), recommendation(1, reasons=[]), recommendation(2, tier="IQL", reasons=[])])
    check(rows, ["SQL"])


@pytest.mark.parametrize(("reasons_for", "accepted"), [(["SQL", "MQL"], True), (["MQL"], False), ([], False)])
def test_reasons_that_nobody_asked_for_are_refused(reasons_for: list[str], accepted: bool) -> None:
    rows = table_of([recommendation(0)])
    if accepted:
        check(rows, reasons_for)
    else:
        with pytest.raises(ContractError, match="reasons_unasked: a recommendation of any other tier has none"):
            check(rows, reasons_for)


def test_nothing_is_written_where_recommendations_are_refused(
    world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline import recommend  # noqa: PLC0415 - only here

    project = Project(tmp_path, world.parameters)
    shutil.copytree(world.root / "data/model", tmp_path / "data/model")
    for name in ("ingest.json", "training.json"):
        shutil.copy(world.root / "data" / name, tmp_path / "data" / name)
    wrong = table_of([recommendation(0), recommendation(0)])
    for horizon in ("7d", "60d"):
        wrong = wrong.append_column(f"probability_{horizon}", wrong["probability"])
    monkeypatch.setattr(recommend, "recommend", lambda *_: (wrong, None, None))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ContractError, match="a lead is recommended once, but found 1\nNothing was written"):
        project.run("recommend")
    assert sorted(tmp_path.rglob("*")) == before
