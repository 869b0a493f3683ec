"""Months are compared by the day, an answer is told of all who waited, and costs and amounts that lack are told."""

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
from raw_logs import LEADS, source_of
from small_project import SmallProject

from models.evaluation.money import revenue_interval
from pipeline.core.project import Project
from pipeline.kpi.compute import Kpis, compute
from pipeline.kpi.funnel import add_up_answers
from pipeline.kpi.tables import told_of
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


@pytest.mark.parametrize(
    ("sales", "differ", "least"), [(5, 0.0, 0.96), (5, 0.5, 0.93), (20, 0.8, 0.92), (100, 0.5, 0.93)]
)
def test_what_few_sales_bring_is_covered(sales: int, differ: float, least: float) -> None:
    # By the normal law it was held in 0.87 of the first two, and 0.90 of the third.
    generator = np.random.default_rng(3)
    of_world = np.repeat(np.arange(2000), generator.poisson(sales, 2000))
    amounts = np.exp(differ * generator.standard_normal(len(of_world)))
    revenue, squares = (np.bincount(of_world, weights=of, minlength=2000) for of in (amounts, amounts**2))
    low, high = revenue_interval(revenue.astype(np.float64), squares.astype(np.float64))
    earned = revenue > 0.0
    assert np.isnan(low[~earned]).all()
    truth = sales * np.exp(differ**2 / 2.0)
    assert least < np.mean((low <= truth) & (truth <= high), where=earned) < 0.995


def told_at(
    small: SmallProject,
    moment: datetime,
    sales_until: datetime | None = None,
    has_revenue: bool = True,
    **decision: object,
) -> Kpis:
    content = yaml.safe_load((small.root / "params.yaml").read_text())
    content["decision"] |= decision
    content["kpi"] = {"revenue": {"won": 1}} if has_revenue else {}
    (small.root / "params.yaml").write_text(yaml.safe_dump(content))
    assert small.ingest().code == 0
    nobody = {"lead_id": pa.string(), "probability": pa.float64(), "tier": pa.string()}
    table = pa.table({name: pa.array([], kind) for name, kind in nobody.items()})
    pq.write_table(table, small.root / "data/recommendations.parquet")
    project = Project(small.root, load_parameters(small.root / "params.yaml"))
    return compute(project, project.recommendations, moment, sales_until=sales_until)


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
    people = "".join(f"{name},2026-01-01\n" for name in "abcdefghi")
    small.write(log_csv=f"lead,at,what\n{log}", leads_csv=f"lead,created\n{people}")
    small.set({"log": source_of(actor="us")})
    taken = {"in work": {"kind": "taken", "events": ["handed"]}}
    work = {"contacts": ["call"], "handed_over": ["handed"]}
    told = told_at(small, datetime(2026, 3, 20), has_revenue=False, work=work, facts=taken)
    by_month = told.answers.drop(columns="channel").astype({"month": str}).to_numpy().tolist()
    assert by_month[:2] == [["2026-01-01", 4, 2.0, 4, 4], ["2026-02-01", 4, pytest.approx(np.nan, nan_ok=True), 4, 1]]
    assert by_month[2][1:] == [1, pytest.approx(np.nan, nan_ok=True), 0, 0]
    (whole,) = add_up_answers(told.hand_overs, ["channel"]).to_dict("records")
    # Of the eight who are due half were called within 30 hours; the medians of January and of those called are 2 and 3.
    assert (whole["handed_over"], whole["median_hours"], whole["due"], whole["in_time"]) == (9, 30.0, 8, 5)


def test_costs_of_a_channel_that_end_early_and_sales_without_a_value_are_told(tmp_path: Path) -> None:
    small = SmallProject(tmp_path)
    # Costs of sea come by the day, of fair by the month, up to 31 March; those of social end on the 10th, and two weeks
    # lay between two of them in January. Of tv no lead came since, and of post there is one cost alone.
    days = pd.date_range("2026-01-01", "2026-03-31").strftime("%Y-%m-%d")
    costs = [("sea", day) for day in days] + [("fair", day) for day in days if day.endswith("01")]
    costs += [("social", day) for day in days if day <= "2026-03-10" and not "2026-01-05" < day < "2026-01-19"]
    costs += [("tv", "2026-01-05"), ("tv", "2026-01-06"), ("post", "2026-01-05")]
    spend = "day,channel,cost,visits\n" + "".join(f"{day},{channel},1,\n" for channel, day in costs)
    spend += "2026-01-05,seo,,50\n"
    people = "A,2026-03-20,sea\nB,2026-03-20,fair\nC,2026-03-11,social\nD,2026-01-05,tv\nE,2026-03-20,post\n"
    log = "A,2026-03-21,won,100\nB,2026-03-21,won,\nC,2026-03-21,won,\n"
    small.write(log_csv=f"lead,at,what,value\n{log}", leads_csv=f"lead,created,channel\n{people}", spend_csv=spend)
    names = {name: name for name in ("day", "channel", "cost", "visits")}
    leads = LEADS | {"attributes": {"channel": "category"}}
    sources = {"log": source_of(columns={"value": "value"}, actor="system")}
    small.set(sources, leads=leads, spend={"path": "spend.csv", "columns": names})
    told = told_at(small, datetime(2026, 4, 1))
    assert told.behind == {"social": date(2026, 3, 10)}
    assert told.unvalued == {"won": (2, 3)}
    assert (told.spent_until, told.visited_until) == (date(2026, 3, 31), date(2026, 1, 5))
    lines = list(told_of(told))
    assert "visitors are counted up to 2026-01-05 only: more of them seem to become leads than do" in lines
    assert "costs of social end on 2026-03-10, and leads still come by it: since then they count as free" in lines
    assert "2 of the 3 events won have no value, and count as nothing: revenue and ROI lack them" in lines
    # Three days more than the longest pause, which was 14 days: on the 27th nobody can tell.
    early = told_at(small, datetime(2026, 3, 27, 12))
    assert (early.behind, early.spent_until) == ({}, date(2026, 3, 27))


def test_a_month_is_final_once_its_sales_are_known_and_not_before(tmp_path: Path) -> None:
    small = SmallProject(tmp_path)
    # Every day from 1 January to 10 May brings a lead that never buys and, of the first sixty, one that buys after one
    # to eight days.
    days = pd.date_range("2026-01-01", "2026-05-10")
    people = "".join(f"N{place},{day:%Y-%m-%d}\n" for place, day in enumerate(days))
    people += "".join(f"L{place},{day:%Y-%m-%d}\n" for place, day in enumerate(days[:60]))
    bought = [day + pd.Timedelta(days=place % 8 + 1) for place, day in enumerate(days[:60])]
    log = "".join(f"L{place},{day:%Y-%m-%d},won\n" for place, day in enumerate(bought))
    small.write(log_csv=f"lead,at,what\n{log}N0,2026-05-10,visit\n", leads_csv=f"lead,created\n{people}")
    small.set({"log": source_of(actor="system")})
    told = told_at(small, datetime(2026, 5, 12), has_revenue=False)
    assert (told.late, told.days_until_final, told.final_on(MARCH)) == (0, 8, date(2026, 4, 9))
    # Who bought since 12 March is not known yet: they have had the time who are eight days older than that.
    late = told_at(small, datetime(2026, 5, 12), datetime(2026, 3, 12), has_revenue=False)
    assert (late.late, late.days_until_final, late.final_on(MARCH)) == (61, 8, date(2026, 6, 9))
    assert [int(one.funnel["had_time"].sum()) for one in (told, late)] == [60 + 124, 60 + 63]
    assert [int(one.funnel["took_it"].sum()) for one in (told, late)] == [60, 60]
