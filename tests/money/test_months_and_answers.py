"""Months of different lengths are compared by the day, and how soon sales answers is told of all who waited."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from raw_logs import source_of
from small_project import SmallProject

from pipeline.core.project import Project
from pipeline.kpi.compute import Kpis, compute
from pipeline.kpi.funnel import add_up_answers
from pipeline.report.months import Move, TwoMonths, errors_apart
from pipeline.settings.file import load_parameters

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)


def months_of(created: dict[date, float], cost: dict[date, float] | None = None) -> Kpis:
    months = sorted({*created, *(cost or {})})
    frame = pd.DataFrame(
        {
            "channel": "sea",
            "month": pd.to_datetime(months),
            "created": [created.get(month, 0.0) for month in months],
            "conversions": 0.0,
            "revenue": 0.0,
            "cost": [(cost or {}).get(month, np.nan) for month in months],
        }
    )
    return cast("Kpis", SimpleNamespace(months=frame, has_revenue=False))


def test_a_february_that_is_only_shorter_has_not_moved() -> None:
    # 100 leads a day: 3,100 and 2,800. As months they lie 300 / sqrt(5,900) = 3.9 standard errors apart.
    told = TwoMonths.of(months_of({date(2025, 12, 1): 3100.0, JANUARY: 3100.0, FEBRUARY: 2800.0}), MARCH)
    assert told is not None
    assert told.before is not None
    assert told.strongest is None
    assert errors_apart(2800.0, 3100.0, FEBRUARY) == 0.0
    # As many as in January are more by the day: 3,100 * 3 over the root of 28 * 31 * 6,200.
    move = Move("sea", "leads", FEBRUARY, 3100.0, 3100.0)
    assert move.errors == pytest.approx(9300.0 / np.sqrt(28 * 31 * 6200))
    assert move.is_beyond_chance
    assert errors_apart(0.0, 0.0, FEBRUARY) == 0.0


def test_months_of_equal_rates_lie_beyond_two_errors_in_one_of_twenty() -> None:
    generator = np.random.default_rng(5)
    february, january = (generator.poisson(40.0 * days, 4000) for days in (28, 31))
    beyond = np.mean([abs(errors_apart(*both, FEBRUARY)) > 2.0 for both in zip(february, january, strict=True)])
    assert beyond == pytest.approx(0.0455, abs=0.011), "three standard errors of 4,000 draws"


def test_the_first_month_of_leads_is_half_a_month_however_long_costs_are_known() -> None:
    costs = {date(2025, 12, 1): 10.0, JANUARY: 10.0, FEBRUARY: 10.0}
    told = TwoMonths.of(months_of({JANUARY: 100.0, FEBRUARY: 900.0}, costs), MARCH)
    assert told is not None
    assert (told.newest.month, told.before, told.strongest) == (FEBRUARY, None, None)


def test_a_month_that_runs_is_compared_with_none() -> None:
    told = TwoMonths.of(months_of({JANUARY: 900.0, FEBRUARY: 900.0, MARCH: 20.0}), date(2026, 1, 15))
    assert told is not None
    assert (told.newest.month, told.is_over, told.before, told.strongest) == (MARCH, False, None, None)


def test_half_of_all_who_waited_and_not_of_the_months_nor_of_those_called(tmp_path: Path) -> None:
    small = SmallProject(tmp_path)
    # Of January four are called, after 1, 2, 3 and 40 hours; of February one after 30 hours, and three never.
    called = {"a": 1, "b": 2, "c": 3, "d": 40, "e": 30}
    handed = {name: JANUARY if name in "abcd" else FEBRUARY for name in "abcdefgh"}
    log = "".join(f"{name},{month}T00:00,handed\n" for name, month in handed.items())
    log += "".join(
        f"{name},{pd.Timestamp(handed[name]) + pd.Timedelta(hours=hours):%Y-%m-%dT%H:%M},call\n"
        for name, hours in called.items()
    )
    # Handed over yesterday: there is still time, and it says nothing of how long one waits.
    log += "i,2026-03-19T00:00,handed\n"
    small.write(
        log_csv=f"lead,at,what\n{log}", leads_csv="lead,created\n" + "".join(f"{x},2026-01-01\n" for x in "abcdefghi")
    )
    small.set({"log": source_of(actor="us")})
    content = yaml.safe_load((small.root / "params.yaml").read_text())
    content["decision"]["work"] = {"contacts": ["call"], "handed_over": ["handed"]}
    content["decision"]["facts"] = {"in work": {"kind": "taken", "events": ["handed"]}}
    (small.root / "params.yaml").write_text(yaml.safe_dump(content))
    assert small.ingest().code == 0
    empty = {
        "lead_id": pa.array([], pa.string()),
        "probability": pa.array([], pa.float64()),
        "tier": pa.array([], pa.string()),
    }
    pq.write_table(pa.table(empty), small.root / "data/recommendations.parquet")
    project = Project(small.root, load_parameters(small.root / "params.yaml"))
    told = compute(project, project.recommendations, datetime(2026, 3, 20))
    by_month = told.answers.drop(columns="channel").astype({"month": str}).to_numpy().tolist()
    assert by_month[:2] == [["2026-01-01", 4, 2.0, 4, 4], ["2026-02-01", 4, pytest.approx(np.nan, nan_ok=True), 4, 1]]
    assert by_month[2][1:] == [1, pytest.approx(np.nan, nan_ok=True), 0, 0]
    (whole,) = add_up_answers(told.hand_overs, ["channel"]).to_dict("records")
    # Of the eight who are due half were called within 30 hours; the medians of January and of those called are 2 and 3.
    assert (whole["handed_over"], whole["median_hours"], whole["due"], whole["in_time"]) == (9, 30.0, 8, 5)
