"""A month whose sales or costs are not all known yet is no bad month, nor a cheap one: the page says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from html import unescape

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pages import words
from world import Project

from pipeline.core.project import read_json
from pipeline.kpi.compute import Kpis, compute
from pipeline.report.index import index_page, sales_until
from pipeline.report.results import Results


@pytest.fixture(scope="module")
def results(world: Project) -> Results:
    return Results.read(world)


@pytest.fixture(scope="module")
def told(world: Project) -> Kpis:
    return compute(world, world.recommendations, datetime.fromisoformat(read_json(world.scoring)["as_of"]))


@pytest.fixture(scope="module")
def recommendations(world: Project) -> pd.DataFrame:
    return pq.read_table(world.recommendations).to_pandas()


@pytest.mark.parametrize(
    ("changes", "month", "before"),
    [
        ({}, "June 2026", "May 2026"),
        ({"observed_until": "2026-06-10T00:00:00"}, "May 2026", "April 2026"),
        ({"outcome_delay_hours": 20 * 24.0}, "May 2026", "April 2026"),
        ({"outcome_delay_hours": 40 * 24.0}, "April 2026", "March 2026"),
    ],
)
def test_the_month_is_the_last_one_whose_sales_are_known(
    world: Project,
    results: Results,
    told: Kpis,
    recommendations: pd.DataFrame,
    changes: dict[str, object],
    month: str,
    before: str,
) -> None:
    until = sales_until(replace(results, snapshots=results.snapshots | changes))
    known = compute(world, world.recommendations, told.as_of, sales_until=until)
    assert known.late == (told.today - world.parameters.decision.day_of(min(until, told.as_of))).days
    page = unescape(words(index_page(world.parameters, results, recommendations, known)))
    rows = told.months[told.months["month"] == pd.Timestamp(month)]
    assert f" {month} New leads {rows['created'].sum():,} {before}: " in page
    assert f" Sales {rows['conversions'].sum():,} {before}: " in page


@pytest.mark.parametrize(("until", "is_told"), [(date(2026, 6, 30), False), (date(2026, 6, 20), True), (None, False)])
def test_costs_that_end_before_the_leads_are_told(
    world: Project,
    results: Results,
    told: Kpis,
    recommendations: pd.DataFrame,
    until: date | None,
    *,
    is_told: bool,
) -> None:
    page = unescape(words(index_page(world.parameters, results, recommendations, replace(told, spent_until=until))))
    assert ("Costs are entered up to 20 June 2026 only" in page) == is_told


def test_the_last_day_of_costs_is_the_table_s_own(world: Project, told: Kpis) -> None:
    days = pq.read_table(world.spend)["day"].to_pylist()
    assert told.spent_until == max(day for day in days if day <= told.today)
