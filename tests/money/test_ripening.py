"""How leads ripen: a table worked out by hand, plain SQL over the sample's log, and a naive look at every moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import words
from small_project import SmallProject
from world import Project

from models.decision.maturity import MaturityPolicy
from models.evaluation.ripening import Events, Ripens, rows_of_steps
from pipeline.core.project import Project as Folder
from pipeline.core.project import read_json
from pipeline.core.sql import connect
from pipeline.kpi import ripening
from pipeline.kpi.compute import Kpis, compute
from pipeline.kpi.leads import Clock, make_leads
from pipeline.kpi.ripening import Ripening, measure_ripening
from pipeline.report.index import index_page
from pipeline.report.results import Results
from pipeline.settings.file import load_parameters
from pipeline.settings.parameters import Parameters
from pipeline.wording.locales import Writing

LEADS = """lead,created
A,2026-01-10 08:00
B,2026-01-31 23:30
C,2026-02-10 08:00
D,2026-06-25 08:00
E,2026-06-30 12:00
"""
# B is of February in Paris; D's download is learned of later; E is not a day old at the moment.
LOG = """lead,at,known,what,who
A,2026-01-10 08:00,2026-01-10 08:00,visit,lead
A,2026-01-12 08:00,2026-01-12 08:00,mail,us
A,2026-01-13 08:00,2026-01-13 08:00,accepted,us
A,2026-01-15 08:00,2026-01-15 08:00,download,lead
A,2026-01-20 08:00,2026-01-20 08:00,visit,lead
A,2026-01-21 08:00,2026-01-21 08:00,call,us
A,2026-01-22 09:00,2026-01-22 09:00,quote,lead
A,2026-02-01 08:00,2026-02-01 08:00,won,system
A,2026-02-02 08:00,2026-02-02 08:00,quote,lead
B,2026-02-01 08:00,2026-02-01 08:00,visit,lead
B,2026-02-03 08:00,2026-02-03 08:00,visit,lead
B,2026-02-05 08:00,2026-02-05 08:00,visit,lead
B,2026-06-05 08:00,2026-06-05 08:00,quote,lead
C,2026-02-10 12:00,2026-02-10 12:00,download,lead
C,2026-02-20 08:00,2026-02-20 08:00,meeting,us
D,2026-06-26 10:00,2026-06-26 10:00,visit,lead
D,2026-06-28 08:00,2026-07-02 08:00,download,lead
D,2026-07-02 08:00,2026-07-02 08:00,quote,lead
E,2026-06-30 13:00,2026-06-30 13:00,quote,lead
"""
AS_OF = datetime(2026, 7, 1)
WITHIN = timedelta(days=30)


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Ripening:
    small = SmallProject(tmp_path_factory.mktemp("ripening"))
    small.write(log_csv=LOG, leads_csv=LEADS)
    names = {"lead_id": "lead", "occurred_at": "at", "event_type": "what"}
    small.set(
        {
            "log": {
                "path": "log.csv",
                "delimiter": ",",
                "known_at": {"column": "known"},
                "columns": names,
                "actor": {"default": "lead", "us": ["mail", "call", "accepted", "meeting"], "system": ["won"]},
            }
        }
    )
    content = yaml.safe_load((small.root / "params.yaml").read_text())
    content["episodes"] = {"conversion": ["won"], "milestones": {"accepted by sales": ["accepted"]}}
    content["decision"] |= {
        "time_zone": "Europe/Paris",
        "maturity": {
            "strong": ["quote"],
            "medium": ["download"],
            "hot_for": "14d",
            "warm_for": "30d",
            "active_days": 3,
        },
        "facts": {"had a meeting": {"kind": "raises", "events": ["meeting"], "lasts": "14d"}},
    }
    (small.root / "params.yaml").write_text(yaml.safe_dump(content))
    assert small.ingest().code == 0
    return measured(Folder(small.root, load_parameters(small.root / "params.yaml")), AS_OF, WITHIN)


def measured(project: Folder[Parameters], as_of: datetime, within: timedelta) -> Ripening:
    clock = Clock(as_of, project.parameters.decision.time_zone)
    with connect("1GB", project.root / "data/.tmp/ripening") as connection:
        leads = make_leads(project, project.parameters, connection, clock)
        return measure_ripening(project, project.parameters, leads, clock, within)


def test_steps_are_those_worked_out_by_hand(by_hand: Ripening) -> None:
    rows = by_hand.steps
    assert set(rows["within"]) == {30.0}
    assert rows[["median_days", "typical_days"]].isna().all(axis=None), "of so few nobody can say how long it takes"
    told = rows[["month", "began", "became", "leads", "had_time", "took_it", "taken"]].astype({"month": str})
    assert sorted(map(tuple, told.to_numpy().tolist())) == [
        ("2026-01-01", "cold", "customer", 1, 1, 1, 1),
        ("2026-01-01", "cold", "hot", 1, 1, 1, 1),
        ("2026-01-01", "cold", "warm", 1, 1, 1, 1),
        ("2026-02-01", "cold", "customer", 1, 1, 0, 0),
        # B asked for a quote after four months: so far, but not within 30 days.
        ("2026-02-01", "cold", "hot", 1, 1, 0, 1),
        ("2026-02-01", "cold", "warm", 1, 1, 1, 1),
        ("2026-02-01", "warm", "customer", 1, 1, 0, 0),
        ("2026-02-01", "warm", "hot", 1, 1, 1, 1),
        ("2026-06-01", "cold", "customer", 1, 0, 0, 0),
        ("2026-06-01", "cold", "hot", 1, 0, 0, 0),
        ("2026-06-01", "cold", "warm", 1, 0, 0, 0),
    ]


def test_what_came_right_before_is_that_worked_out_by_hand(by_hand: Ripening) -> None:
    acts = by_hand.acts.drop(columns="month").groupby(["began", "became", "what", "event_type"]).sum()
    told = {key: (row["steps"], row["others"]) for key, row in acts.iterrows()}
    # A by its download, after a visit and a mail; B by its third day. Beside them D's visit, and B's second.
    assert told["cold", "warm", "by", "download"] == (1, 0)
    assert told["cold", "warm", "by", "visit"] == (1, 2)
    assert told["cold", "warm", "act", "visit"] == (2, 1)
    assert told["cold", "warm", "act", "none"] == (0, 1)
    assert told["cold", "warm", "touch", "mail"] == (1, 0)
    assert told["cold", "warm", "touch", "none"] == (1, 2)
    # A's download and visit, B's two visits of later days and D's are the other acts of who had not been hot yet.
    assert told["cold", "hot", "by", "quote"] == (2, 0)
    assert told["cold", "hot", "act", "visit"] == (1, 3)
    assert told["cold", "hot", "act", "download"] == (0, 1)
    assert told["cold", "hot", "act", "none"] == (1, 1), "B's last act was four months before"
    assert told["cold", "hot", "touch", "call"] == (1, 0)
    assert told["cold", "hot", "touch", "mail"] == (0, 2)
    assert told["cold", "customer", "act", "quote"] == (1, 0)
    assert told["warm", "hot", "by", "meeting"] == (1, 0)
    assert told["warm", "hot", "act", "download"] == (1, 0)
    assert not [key for key in told if key[1:3] == ("customer", "by") or key[3] == "accepted"]


def test_without_acts_that_make_warm_nothing_ripens(tmp_path: Path) -> None:
    small = SmallProject(tmp_path / "small")
    assert small.ingest().code == 0
    found = measured(Folder(small.root, load_parameters(small.root / "params.yaml")), datetime(2026, 1, 20), WITHIN)
    assert found.steps.empty
    assert found.acts.empty


def at(world: Project) -> datetime:
    return datetime.fromisoformat(read_json(world.scoring)["as_of"])


@pytest.fixture(scope="module")
def told(world: Project) -> Kpis:
    return compute(world, world.recommendations, at(world))


@pytest.fixture(scope="module")
def steps(world: Project, told: Kpis) -> Iterator[duckdb.DuckDBPyConnection]:
    """Plain SQL: the events known, and of each lead when it first was warm, hot and a customer."""
    policy = world.parameters.decision.maturity
    raising = [
        kind for fact in world.parameters.decision.facts.values() if fact.kind == "raises" for kind in fact.events
    ]
    assert policy.strong, "a world without them shows nothing"
    hot_for, back = f"INTERVAL {policy.hot_for.days} DAY", policy.active_days - 1
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"CREATE TABLE event AS SELECT *, file_row_number AS place FROM read_parquet('{world.interactions}', "
            f"file_row_number = true) WHERE known_at < TIMESTAMP '{told.as_of}' AND occurred_at < TIMESTAMP "
            f"'{told.as_of}' AND actor <> 'machine'"
        )
        connection.execute(
            "CREATE TABLE step AS WITH "
            "day AS (SELECT lead_id, local_day, min(occurred_at) AS first, max(occurred_at) AS last FROM event "
            "WHERE actor = 'lead' GROUP BY ALL), "
            f"back AS (SELECT lead_id, min(first) AS at FROM (SELECT *, lag(last, {back}) OVER (PARTITION BY lead_id "
            f"ORDER BY local_day) AS earlier FROM day) WHERE earlier >= first - {hot_for} GROUP BY ALL), "
            "hot AS (SELECT lead_id, min(occurred_at) AS at FROM event WHERE (actor = 'lead' AND event_type IN "
            f"{(*policy.strong, '')}) OR event_type IN {(*raising, '')} GROUP BY ALL), "
            "medium AS (SELECT lead_id, min(occurred_at) AS at FROM event WHERE actor = 'lead' AND event_type IN "
            f"{(*policy.medium, '')} GROUP BY ALL), "
            "won AS (SELECT lead_id, min(occurred_at) AS at FROM event WHERE event_type = 'won' GROUP BY ALL), "
            "found AS (SELECT lead.*, least(hot.at, medium.at, back.at) AS warm_at, hot.at AS hot_at, won.at AS won_at "
            f"FROM read_parquet('{world.leads}') AS lead LEFT JOIN hot USING (lead_id) LEFT JOIN medium USING (lead_id)"
            " LEFT JOIN back USING (lead_id) LEFT JOIN won USING (lead_id)), "
            "counted AS (SELECT lead_id, created_at, won_at, CASE WHEN won_at IS NULL OR warm_at < won_at THEN warm_at "
            "END AS warm_at, CASE WHEN won_at IS NULL OR hot_at < won_at THEN hot_at END AS hot_at FROM found) "
            "SELECT *, date_trunc('month', timezone('Europe/Amsterdam', timezone('UTC', created_at))) AS month, "
            "CASE WHEN hot_at <= created_at + INTERVAL 1 DAY THEN 'hot' WHEN warm_at <= created_at + INTERVAL 1 DAY "
            f"THEN 'warm' ELSE 'cold' END AS began FROM counted WHERE created_at <= TIMESTAMP '{told.as_of}' - "
            "INTERVAL 1 DAY"
        )
        yield connection


def test_shares_of_each_month_are_what_plain_sql_counts(told: Kpis, steps: duckdb.DuckDBPyConnection) -> None:
    days = int(told.ripening["within"].iloc[0])
    assert f"{days}d" == told.horizon
    ripe = f"created_at <= TIMESTAMP '{told.as_of}' - INTERVAL {days} DAY"
    seen = 0
    for (began, became), rows in told.ripening.groupby(["began", "became"]):
        column = "won_at" if became == "customer" else f"{became}_at"
        counted = steps.execute(
            f"SELECT month, count(*), count(*) FILTER ({ripe}), count(*) FILTER ({ripe} AND {column} <= created_at + "
            f"INTERVAL {days} DAY), count({column}) FROM step WHERE began = '{began}' GROUP BY month ORDER BY month"
        ).fetchall()
        ours = rows.sort_values("month")[["month", "leads", "had_time", "took_it", "taken"]]
        assert [tuple(row) for row in ours.itertuples(index=False)] == counted
        seen += int(rows["taken"].sum())
    assert seen > 100


def test_what_came_before_is_what_plain_sql_counts(
    world: Project, told: Kpis, steps: duckdb.DuckDBPyConnection
) -> None:
    kept = f"INTERVAL {world.parameters.decision.maturity.hot_for.days} DAY"
    noted = {"case_opened", "accepted", "opportunity_opened", "refused"}
    touches = {kind for (kind,) in steps.execute("SELECT DISTINCT event_type FROM event WHERE actor = 'us'").fetchall()}
    touches -= noted
    order = "OVER (PARTITION BY lead_id ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    columns = ", ".join(
        f"arg_max(event_type, place) FILTER ({which}) {order} AS {name}, "
        f"arg_max(occurred_at, place) FILTER ({which}) {order} AS {name}_at"
        for name, which in (("act", "actor = 'lead'"), ("touch", f"actor = 'us' AND event_type IN {(*touches, '')}"))
    )
    steps.execute(f"CREATE OR REPLACE TABLE before AS SELECT *, {columns} FROM event")
    for began, became, column, first in (("cold", "hot", "hot_at", "hot_at"), ("cold", "customer", "won_at", "won_at")):
        is_step = f"occurred_at = {first} AND event_type IN ('quote_request', 'meeting', 'won')"
        for what in ("act", "touch"):
            counted = steps.execute(
                f"SELECT CASE WHEN occurred_at - {what}_at <= {kept} THEN {what} ELSE 'none' END AS kind, "
                f"count(*) FILTER ({is_step}), count(*) FILTER (NOT coalesce({is_step}, false) AND actor = 'lead' AND "
                f"occurred_at > created_at + INTERVAL 1 DAY AND coalesce(occurred_at < won_at, true) AND "
                f"coalesce(occurred_at <= {column}, true)) FROM before JOIN step USING (lead_id) "
                f"WHERE began = '{began}' GROUP BY kind"
            ).fetchall()
            acts = told.ripening_acts
            acts = acts[(acts["began"] == began) & (acts["became"] == became) & (acts["what"] == what)]
            ours = acts.groupby("event_type")[["steps", "others"]].sum()
            assert {key: tuple(row) for key, row in ours.iterrows()} == {
                key: (taken, others) for key, taken, others in counted if taken or others
            }
            assert ours["steps"].sum() > 20


def test_the_log_is_read_in_parts_of_whole_leads(world: Project, told: Kpis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ripening, "_ROWS", 997)
    days = timedelta(days=float(told.ripening["within"].iloc[0]))
    found = measured(world, told.as_of, days)
    pd.testing.assert_frame_equal(found.steps, told.ripening)
    pd.testing.assert_frame_equal(found.acts, told.ripening_acts)


def test_the_page_gives_shares_of_those_who_had_the_time_alone(world: Project, told: Kpis) -> None:
    scored = pq.read_table(world.recommendations).to_pandas()
    page = unescape(words(index_page(world.parameters, Results.read(world), scored, told)))
    section = page[page.index("How leads ripen") :]
    rows = told.ripening[(told.ripening["began"] == "cold") & (told.ripening["became"] == "warm")].set_index("month")
    ripe, recent = (rows.loc[month] for month in ("2026-02-01", "2026-06-01"))
    assert ripe["had_time"] == ripe["leads"] > recent["had_time"]
    share = Writing("en").share(ripe["took_it"] / ripe["leads"])
    assert f" February 2026 {ripe['leads']} {share} {ripe['took_it']} " in section
    assert f" June 2026 {recent['leads']} {recent['taken']} so far, too recent " in section


POLICY = MaturityPolicy(("quote",), ("download",), timedelta(days=3), timedelta(days=5), 3)
US = timedelta(microseconds=1)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 12 * 24),
            st.sampled_from(["visit", "visit", "quote", "download", "won", "raised", "mail"]),
        ),
        max_size=25,
    )
)
def test_the_first_moment_is_the_one_that_a_look_at_every_moment_finds(drawn: list[tuple[int, int, str]]) -> None:
    """At each event the policy itself is asked, of what had happened by then alone."""
    rows = sorted(drawn, key=lambda row: row[:2])
    lead, at, kind = (np.array([row[place] for row in rows]) for place in range(3))
    events = events_of(lead.astype(np.int64), at.astype(np.int64), kind.astype(str))
    ripens = Ripens(round(POLICY.hot_for / US), POLICY.active_days)
    found = rows_of_steps(events, 3, ripens)
    for one in range(3):
        assert found[one].tolist() == naive(rows, one)
    for end in range(len(rows)):
        earlier = rows_of_steps(upto(events, end), 3, ripens)
        assert (earlier == np.where(found < end, found, -1)).all(), "what came later has no say"


def upto(events: Events, end: int) -> Events:
    return Events(**{name: column[:end] for name, column in events._asdict().items()})


def events_of(lead: np.ndarray, hours: np.ndarray, kind: np.ndarray) -> Events:
    own = np.isin(kind, ["visit", "quote", "download"])
    return Events(
        lead,
        hours * 3_600_000_000,
        np.unique(kind, return_inverse=True)[1].astype(np.int64),
        hours // 24,
        own,
        kind == "mail",
        (kind == "quote") | (kind == "raised"),
        kind == "download",
        kind == "won",
    )


def naive(rows: list[tuple[int, int, str]], lead: int) -> list[int]:
    first = {"warm": -1, "hot": -1, "won": -1}
    of_lead = [(place, hours, kind) for place, (who, hours, kind) in enumerate(rows) if who == lead]
    for place, now, kind in of_lead:
        if kind == "won" and first["won"] < 0:
            first["won"] = place
        if first["won"] >= 0:
            continue
        past = [(hours, what) for other, hours, what in of_lead if other <= place]

        def last(name: str, past: list[tuple[int, str]] = past) -> np.ndarray:
            hours = max((hours for hours, what in past if what == name), default=None)
            return np.array([np.datetime64("NaT") if hours is None else np.datetime64(hours, "h")], "datetime64[us]")

        since = now - POLICY.hot_for // timedelta(hours=1)
        days = {hours // 24 for hours, what in past if hours >= since and what in ("visit", "quote", "download")}
        raised = max((hours for hours, what in past if what == "raised"), default=-1) == now
        (state,) = POLICY.maturities(
            last("quote"),
            last("download"),
            np.array([len(days) >= POLICY.active_days]),
            np.array([raised]),
            np.array([np.datetime64(now, "h")], "datetime64[us]"),
        )
        if state != "cold" and first["warm"] < 0:
            first["warm"] = place
        if state == "hot" and first["hot"] < 0:
            first["hot"] = place
    return [first["warm"], first["hot"], first["won"]]
