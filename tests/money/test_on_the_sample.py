"""KPIs of the sample world are what plain SQL over its log counts, and a leaky look ahead changes none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import Project

from benchmarks.money_truth import held_by_channel
from models.evaluation.money import promised_interval
from pipeline.core.project import Places, read_json
from pipeline.core.project import Project as Folder
from pipeline.core.sql import connect
from pipeline.kpi.compute import Kpis, compute
from pipeline.kpi.kept import read_kept
from pipeline.kpi.leads import Clock, make_leads
from pipeline.kpi.tables import table_by, total_of

Ask = Callable[[str], list[tuple[Any, ...]]]
LOCAL = "timezone('Europe/Amsterdam', timezone('UTC', {}))"


def at(project: Places) -> datetime:
    return datetime.fromisoformat(read_json(project.scoring)["as_of"])


@pytest.fixture(scope="module")
def told(world: Project) -> Kpis:
    return compute(world, world.recommendations, at(world))


@pytest.fixture(scope="module")
def ask(world: Project) -> Iterator[Ask]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, path in (("event", world.interactions), ("lead", world.leads), ("spend", world.spend)):
            known = "" if name == "spend" else f"WHERE known_at < TIMESTAMP '{at(world)}' "
            known += f"AND occurred_at < TIMESTAMP '{at(world)}' AND actor <> 'machine'" if name == "event" else ""
            connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{path}') {known}")
        yield lambda query: connection.execute(query).fetchall()


def test_leads_sales_and_revenue_of_each_channel_and_month(told: Kpis, ask: Ask) -> None:
    counted = ask(
        f"SELECT channel, date_trunc('month', {LOCAL.format('created_at')}) AS month, count(*), "
        "count(*) FILTER (lead_id IN (SELECT lead_id FROM event WHERE event_type = 'won')), "
        "coalesce(sum((SELECT sum(value) FROM event WHERE event.lead_id = lead.lead_id "
        "AND event_type IN ('won', 'refund'))), 0), count(*) FILTER (lead_id IN (SELECT lead_id FROM event WHERE "
        "event_type = 'accepted')) "
        f"FROM lead WHERE created_at < TIMESTAMP '{told.as_of}' GROUP BY ALL ORDER BY ALL"
    )
    ours = told.cohorts[(told.cohorts["dimension"] == "channel") & (told.cohorts["leads"] > 0)]
    ours = ours.sort_values(["value", "month"])[
        ["value", "month", "leads", "won", "revenue", "reached accepted by sales"]
    ]  # fmt: skip
    assert len(counted) == len(ours) > 100
    for theirs, row in zip(counted, ours.itertuples(index=False), strict=True):
        assert theirs[:2] == (row[0], row[1].to_pydatetime())
        assert theirs[2:4] == (row[2], row[3])
        assert row[4] == pytest.approx(float(theirs[4]))
        assert theirs[5] == row[5]


def test_what_was_spent_is_all_there_once(told: Kpis, ask: Ask) -> None:
    ((cost, clicks),) = ask("SELECT sum(cost), sum(clicks) FROM spend WHERE day <= DATE '2026-07-01'")
    assert total_of(told)["cost"] == pytest.approx(cost)
    assert told.months["cost"].sum() == pytest.approx(cost)
    for by in ("channel", "campaign", "first_touch", "last_touch"):
        rows = told.cohorts[told.cohorts["dimension"] == by]
        assert rows["cost"].sum() == pytest.approx(cost), by
        assert rows["clicks"].sum() == clicks
        assert rows["leads"].sum() == total_of(told)["leads"]


def test_costs_per_something_are_quotients_of_plain_sums(told: Kpis, ask: Ask) -> None:
    rows = table_by(told, "channel").set_index("value")
    for channel, leads, won in ask(
        "SELECT channel, count(*), count(*) FILTER (lead_id IN (SELECT lead_id FROM event WHERE event_type = 'won')) "
        "FROM lead WHERE channel IN (SELECT channel FROM spend) GROUP BY ALL"
    ):
        ((cost,),) = ask(f"SELECT sum(cost) FROM spend WHERE channel = '{channel}'")
        assert rows.loc[channel, "cpl"] == pytest.approx(cost / leads)
        assert rows.loc[channel, "cac"] == pytest.approx(cost / won)
        assert rows.loc[channel, "cpl_low"] < cost / leads < rows.loc[channel, "cpl_high"]


def test_what_is_still_expected_is_the_sum_of_the_farthest_probabilities(world: Project, told: Kpis) -> None:
    scored = pq.read_table(world.recommendations).to_pandas()
    assert told.horizon == "60d"
    assert total_of(told)["expected"] == pytest.approx(scored["probability_60d"].sum())
    assert total_of(told)["open"] == scored["probability"].notna().sum()


def test_first_and_last_touches_are_the_leads_own(told: Kpis, ask: Ask) -> None:
    first = ask(
        "SELECT channel, count(*) FROM (SELECT lead_id, arg_min(channel, (occurred_at, source, sequence)) AS channel "
        "FROM event WHERE actor = 'lead' AND channel IS NOT NULL GROUP BY lead_id) GROUP BY channel ORDER BY channel"
    )
    ours = table_by(told, "first_touch").set_index("value")["leads"]
    assert {channel: ours[channel] for channel, _ in first} == dict(first)
    last = ask(
        "WITH won AS (SELECT lead_id, min(occurred_at) AS won_at FROM event WHERE event_type = 'won' GROUP BY ALL) "
        "SELECT channel, count(*) FROM (SELECT lead_id, arg_max(channel, (occurred_at, source, sequence)) AS channel "
        "FROM event LEFT JOIN won USING (lead_id) WHERE actor = 'lead' AND channel IS NOT NULL "
        "AND (won_at IS NULL OR occurred_at < won_at) GROUP BY lead_id) GROUP BY channel ORDER BY channel"
    )
    ours = table_by(told, "last_touch").set_index("value")["leads"]
    assert {channel: ours[channel] for channel, _ in last} == dict(last)


def test_linear_shares_are_those_of_days_on_which_the_lead_came(told: Kpis, ask: Ask) -> None:
    shared = ask(
        f"WITH touch AS (SELECT DISTINCT won.lead_id, won.sequence, {LOCAL.format('act.occurred_at')}::DATE AS day, "
        "act.channel FROM event AS won JOIN event AS act USING (lead_id) WHERE won.event_type = 'won' "
        "AND act.actor = 'lead' AND act.channel IS NOT NULL AND act.occurred_at < won.occurred_at) "
        "SELECT channel, sum(1.0 / (SELECT count(*) FROM touch AS other WHERE other.lead_id = touch.lead_id AND "
        "other.sequence = touch.sequence)) FROM touch GROUP BY channel ORDER BY channel"
    )
    ours = told.attribution[told.attribution["rule"] == "linear"].groupby("channel")["conversions"].sum()
    assert {channel: ours[channel] for channel, _ in shared} == pytest.approx(
        {name: float(part) for name, part in shared}
    )
    ((sales,),) = ask("SELECT count(*) FROM event WHERE event_type = 'won'")
    for rule, part in told.attribution.groupby("rule"):
        assert part["conversions"].sum() == pytest.approx(sales), rule


def test_nothing_that_became_known_later_counts(world: Project, told: Kpis, tmp_path: Path) -> None:
    later = pq.read_table(world.interactions).to_pandas()
    planted = later[later["actor"] == "lead"].sample(500, random_state=7)
    planted = planted.assign(event_type="won", actor="system", value=1e6, known_at=pd.Timestamp(told.as_of))
    planted["occurred_at"] -= pd.Timedelta(days=1)
    order = ["lead_id", "occurred_at", "source", "sequence"]
    both = pd.concat([later, planted]).sort_values(order, kind="stable")
    (tmp_path / "data").mkdir()
    leaky = Folder(tmp_path, world.parameters)
    schema = pq.read_schema(world.interactions)
    pq.write_table(pa.Table.from_pandas(both, schema=schema, preserve_index=False), leaky.interactions)
    for name in ("leads", "spend"):
        getattr(leaky, name).symlink_to(getattr(world, name))
    seen = compute(leaky, world.recommendations, told.as_of)
    for name, table in told.tables().items():
        pd.testing.assert_frame_equal(seen.tables()[name], table, obj=name)


def test_bounds_of_what_is_expected_hold_what_happens() -> None:
    random = np.random.default_rng(7)
    held, drawn = 0, 4_000
    for _ in range(drawn):
        leads = int(random.integers(5, 400))
        probabilities = random.beta(0.6, 12.0, leads)
        low, high = promised_interval(
            np.array([probabilities.sum()]), np.array([(probabilities * (1.0 - probabilities)).sum()])
        )
        held += int(low[0] <= (random.random(leads) < probabilities).sum() <= high[0])
    assert 0.94 * drawn <= held <= 0.99 * drawn


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_bounds_allow_for_a_model_that_is_off(seed: int) -> None:
    """Each world's model promises each channel, and each month, another part too much or too little."""
    random, worlds, origins, channels = np.random.default_rng(seed), 60, 6, 7
    held: list[bool] = []
    by_chance: list[bool] = []
    for _ in range(worlds):
        expected = np.tile(random.uniform(20.0, 200.0, channels), origins)
        off = np.tile(random.normal(0.0, 0.1, channels), origins) + np.repeat(
            random.normal(0.0, 0.1, origins), channels
        )
        kept = pd.DataFrame(
            {
                "origin": np.repeat(np.arange(origins), channels),
                "counts": True,
                "expected": expected,
                "variance": 0.9 * expected,
                "happened": random.binomial(np.round(10.0 * expected).astype(int), 0.1 * np.exp(off)),
            }
        )
        held += held_by_channel(kept)
        by_chance += held_by_channel(kept, by_chance=True)
    assert 0.90 <= np.mean(held) <= 0.98
    assert np.mean(by_chance) < 0.85


def test_what_was_expected_and_happened_is_what_plain_sql_counts(world: Project, told: Kpis, ask: Ask) -> None:
    days = int(told.horizon.removesuffix("d"))
    clock = Clock(told.as_of, "Europe/Amsterdam")
    with connect("1GB", world.root / "data/.tmp/kept") as connection:
        leads = make_leads(world, world.parameters, connection, clock)
        kept = read_kept(world, leads, clock, f"probability_{days}d", timedelta(days=days))
    first = (
        f"SELECT lead_id, origin, min(as_of) AS as_of, arg_min(probability_{days}d, as_of) AS p FROM "
        f"read_parquet('{world.foretold}') WHERE probability_{days}d IS NOT NULL GROUP BY ALL"
    )
    counted = ask(
        "SELECT lead.channel, origin, sum(p), sum(p * (1 - p)), count(*) FILTER (lead_id IN (SELECT lead_id FROM event "
        f"WHERE event_type = 'won' AND occurred_at >= as_of AND occurred_at < as_of + INTERVAL {days} DAY)) "
        f"FROM ({first}) AS first JOIN lead USING (lead_id) WHERE as_of <= TIMESTAMP "
        f"'{read_json(world.snapshot_counts)['observed_until']}' - INTERVAL {days} DAY GROUP BY ALL ORDER BY ALL"
    )
    assert len(kept) == len(counted) > 10
    for ours, theirs in zip(kept.itertuples(index=False), counted, strict=True):
        assert tuple(ours)[:2] == theirs[:2]
        assert tuple(ours)[2:] == pytest.approx(theirs[2:])
    assert kept["happened"].sum() > 5


def test_the_funnel_counts_those_who_had_the_time(told: Kpis, ask: Ask) -> None:
    customers = told.funnel[told.funnel["step"] == "converted"]
    days = customers["days"].iloc[0]
    condition = "true" if np.isnan(days) else f"created_at <= TIMESTAMP '{told.as_of}' - INTERVAL {int(days)} DAY"
    ((ripe, took),) = ask(
        "SELECT count(*), count(*) FILTER (lead_id IN (SELECT lead_id FROM event WHERE event_type = 'won')) "
        f"FROM lead WHERE created_at < TIMESTAMP '{told.as_of}' AND {condition}"
    )
    assert (customers["had_time"].sum(), customers["took_it"].sum()) == (ripe, took)


def test_hand_overs_answered_in_time(told: Kpis, ask: Ask) -> None:
    rows = ask(
        f"SELECT {LOCAL.format('min(occurred_at)')}::DATE AS handed, lead_id, min(occurred_at) FROM event "
        "WHERE event_type = 'case_opened' GROUP BY lead_id"
    )
    due = in_time = 0
    contacts: dict[str, list[tuple[datetime, Any]]] = {}
    for lead, moment, day in ask(
        f"SELECT lead_id, occurred_at, {LOCAL.format('occurred_at')}::DATE FROM event "
        "WHERE event_type IN ('call_made', 'meeting') ORDER BY occurred_at"
    ):
        contacts.setdefault(lead, []).append((moment, day))
    today = np.datetime64(told.today)
    for handed, lead, moment in rows:
        last = np.busday_offset(np.datetime64(handed), 2, roll="backward")
        if last < today:
            due += 1
            after = [day for at_moment, day in contacts.get(lead, []) if at_moment >= moment]
            in_time += bool(after) and np.datetime64(after[0]) <= last
    assert (told.answers["handed_over"].sum(), told.answers["due"].sum()) == (len(rows), due)
    assert told.answers["in_time"].sum() == in_time > 0
