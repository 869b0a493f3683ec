"""Every rule that recommendations must obey is broken once, and is then named; a spreadsheet runs none of them."""

from __future__ import annotations

import csv
import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile import rename_leads
from world import Project

from features.core.errors import ContractError
from features.core.recommendation import RECOMMENDATION
from models.core.additive import Additive
from models.core.horizons import Direction, Step
from pipeline.scoring.open_leads import check

START = datetime(2026, 3, 2, 9)
Row = dict[str, Any]


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
        "reasons_for": [],
        "reasons_against": [],
        "reasons": ["raises: last 'form' 1.0 days ago"],
        "action": "call_today",
        "next_step": "call today",
        "is_guess": False,
        "guess": None,
        "model_version": "a" * 64,
    } | changes


def ended(number: int, **changes: object) -> Row:
    """Make a sound row of a lead that was lost."""
    none: Row = {"probability": None, "score": None, "reasons": [], "list": "none"}
    told = {"tier": "disqualified", "stage": "lost", "facts": ["2026-02-20 lost", "2026-02-01 objection"]}
    return recommendation(number) | none | told | changes


CHANGED: Row = {
    "trend": "steady",
    "what_changed": "Hardly changed since 23 February 2026: time passed",
    "compared_with": pd.Timestamp(2026, 2, 23),
    "change_data": 0.0,
    "change_time": -0.25,
    "change_behaviour": 0.125,
    "change_model": 0.0,
}
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
        {"tier": "VIP", "list": "none"},
        {"tier": "IQL", "list": "none"},
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
            "recommendations.reasons_unasked: any other recommendation has none and no grade, nor has a lead that has "
            "ended, but found 2"
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
    due: Row = {"tier": "recycled", "recontact_on": date(2026, 3, 1), "list": "marketing"}
    sound += [ended(10, **due), ended(11, **due | {"list": "none"})]
    # Who is called is explained, whatever its tier.
    sound.append(recommendation(12, tier="IQL", grade="D4", **CHANGED))
    sound += [recommendation(6, **CHANGED), recommendation(7, **CHANGED | {"change_data": None})]
    sound.append(recommendation(8, trend="not enough information"))
    check(table_of(sound), ["SQL", "disqualified"])
    breaking: dict[str, list[Row]] = {
        "probability_misplaced": [
            recommendation(9, probability=None, score=None),
            recommendation(9, score=None),
            closed | {"probability": None, "score": None},
            ended(9, probability=0.25, score=25.0),
            ended(9, **CUSTOMER, score=25.0),
            ended(9, facts=["2026-02-20 objection", "2026-02-10 lost"]),
        ],
        "end_differs": [
            ended(9, tier="SQL"),
            ended(9, **due | {"recontact_on": None, "list": "none"}),
            ended(9, tier="customer"),
            ended(9, **CUSTOMER | {"tier": "disqualified"}),
            recommendation(9, tier="customer", reasons=[]),
        ],
        "ended_recommended": [
            ended(9, list="marketing"),
            ended(9, **due | {"list": "sales"}),
            ended(9, rank=1),
            ended(9, is_guess=True, guess="age"),
        ],
        "guess_unsaid": [recommendation(9, is_guess=True), recommendation(9, guess="channel")],
        "reasons_unasked": [
            ended(9, reasons=["raises: x"]),
            ended(9, reasons_for=["x"]),
            ended(9, reasons_against=["x"]),
            ended(9, grade="A1"),
        ],
        "change_unasked": [recommendation(9, **CHANGED, tier="IQL", list="none", reasons=[]), ended(9, **CHANGED)],
        "change_partial": [
            *(recommendation(9, **CHANGED | {name: None}) for name in CHANGED if name not in ("trend", "change_data")),
            recommendation(9, **CHANGED | {"trend": None}),
            recommendation(9, **CHANGED | {"trend": "not enough information"}),
        ],
    }
    for rule, rows in breaking.items():
        told = [row | {"lead_id": f"SECRET-{number}"} for number, row in enumerate(rows, start=len(sound))]
        with pytest.raises(ContractError, match=f"recommendations.{rule}: .*found {len(rows)}"):
            check(table_of([*sound, *told]), ["SQL"])


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


@pytest.mark.parametrize(
    ("reasons_for", "listed", "accepted"),
    [
        (["SQL", "MQL"], "none", True),
        (["MQL"], "none", False),
        (["MQL"], "marketing", False),
        (["MQL"], "sales", True),
        ([], "sales", False),
    ],
)
def test_reasons_that_nobody_asked_for_are_refused(reasons_for: list[str], listed: str, accepted: bool) -> None:
    rows = table_of([recommendation(0, list=listed)])
    if accepted:
        check(rows, reasons_for)
    else:
        with pytest.raises(ContractError, match="reasons_unasked: any other recommendation has none"):
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


def test_a_spreadsheet_runs_no_lead(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    renamed = rename_leads(project, pq.read_table(world.recommendations)["lead_id"].to_pylist()[:12])
    project.run("recommend")
    scored = pq.read_table(project.root / "data/recommendations.parquet").to_pandas()
    assert set(renamed.values()) <= set(scored["lead_id"]), "the Parquet file keeps the names"
    with (project.root / "data/recommendations.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    cells = [row["lead_id"] for row in rows]
    defused = [f"'{name}" if name[0] in "=+-@\t\r" else name for name in scored["lead_id"]]
    assert cells == defused
    assert sum(cell.startswith("'") for cell in cells) == 6
    assert not [cell for row in rows for cell in row.values() if cell[:1] in {*"=+-@\t\r"}]
