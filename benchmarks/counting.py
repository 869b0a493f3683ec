"""What leads cost and bring, counted over a large log: all KPIs, on one core. The world is drawn by a hash."""

from __future__ import annotations

import shutil
import time
from datetime import datetime
from pathlib import Path

import duckdb

from benchmarks.measurement import ROOT
from pipeline.core.project import Project
from pipeline.core.sql import file_literal
from pipeline.kpi.compute import compute
from pipeline.settings.file import load_parameters

EVENTS = 40
"""Of each lead."""
_NOW = datetime(2026, 7, 1)
_TYPES = (
    *["page_view"] * 60, *["newsletter_open"] * 20, *["download"] * 5, *["form"] * 3, *["pricing_view"] * 4,
    "quote_request", "meeting", "unsubscribe", "case_opened", "accepted", "opportunity_opened", "refused", "call_made",
)  # fmt: skip
_OURS = ("case_opened", "accepted", "opportunity_opened", "refused", "call_made")
_CHANNELS = ("sea", "seo", "social", "email", "direct", "referral", "webinar")


def write_world(root: Path, leads: int) -> None:
    """Write the settings, and what counting reads: of fifty leads, one has bought, and half are open."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "params.yaml", root / "params.yaml")
    project = Project(root, None)
    (root / "data").mkdir(exist_ok=True)
    channel = f"{list(_CHANNELS)!r}[CAST(1 + hash({{}}) % {len(_CHANNELS)} AS BIGINT)]"
    own = ", ".join(f"'{kind}'" for kind in _OURS)
    drawn = f"{list(_TYPES)!r}[CAST(1 + hash(number, lead) % {len(_TYPES)} AS BIGINT)]"
    queries = {
        project.interactions: f"""
            WITH drawn AS (
                SELECT lead, number, format('L{{:08d}}', lead) AS lead_id,
                    TIMESTAMP '2026-06-30' - to_minutes(CAST(hash(lead, number) % 777600 AS INTEGER)) AS occurred_at,
                    CASE WHEN number = 0 AND lead % 50 = 0 THEN 'won' WHEN number = 1 AND lead % 500 = 0 THEN 'refund'
                        ELSE {drawn} END AS event_type
                FROM range({leads}) AS leads(lead), range({EVENTS}) AS events(number)
            )
            SELECT lead_id, occurred_at, occurred_at AS known_at, CAST(occurred_at AS DATE) AS local_day, event_type,
                CASE WHEN event_type IN ({own}) THEN 'us' WHEN event_type IN ('won', 'refund') THEN 'system'
                    ELSE 'lead' END AS actor,
                {channel.format("number, lead, 1")} AS channel, 'campaign ' || (hash(lead, 2) % 30) AS campaign,
                'page ' || (hash(lead, number, 3) % 50) AS content,
                CASE event_type WHEN 'won' THEN 1000.0 WHEN 'refund' THEN -100.0 END AS value
            FROM drawn ORDER BY lead_id, occurred_at""",
        project.leads: f"""
            SELECT format('L{{:08d}}', lead) AS lead_id, created_at, created_at AS known_at,
                {channel.format("lead")} AS channel
            FROM (SELECT lead, TIMESTAMP '2025-01-01' + to_minutes(CAST(hash(lead) % 777600 AS INTEGER)) AS created_at
                FROM range({leads}) AS leads(lead))""",
        project.spend: f"""
            SELECT DATE '2025-01-01' + CAST(day AS INTEGER) AS day, channel, 'campaign 1' AS campaign, 100.0 AS cost,
                50::BIGINT AS clicks, NULL::BIGINT AS visits
            FROM range(540) AS days(day), unnest({list(_CHANNELS[:3])!r}) AS channels(channel)""",
        project.recommendations: f"""
            SELECT format('L{{:08d}}', lead) AS lead_id, (hash(lead) % 1000) / 20000.0 AS probability, 'MQL' AS tier
            FROM range(1, {leads}, 2) AS leads(lead)""",
    }  # fmt: skip
    with duckdb.connect() as connection:
        for path, query in queries.items():
            connection.execute(f"COPY ({query}) TO {file_literal(path)}")


def count(root: Path) -> float:
    """Count all KPIs; gives the seconds of a core."""
    project = Project(root, load_parameters(root / "params.yaml"))
    start = time.process_time()
    told = compute(project, project.recommendations, _NOW)
    seconds = time.process_time() - start
    if not told.cohorts["won"].sum() or not told.attribution["conversions"].sum():
        raise ValueError("a world in which nobody buys measures nothing")
    return seconds


def group(root: Path) -> float:
    """Find the first event of each lead and type in the same log, as DuckDB does; gives the seconds of a core."""
    log = file_literal(Project(root, None).interactions)
    start = time.process_time()
    with duckdb.connect(config={"threads": 1}) as connection:
        first = "SELECT lead_id, event_type, min(occurred_at) AS first"
        connection.execute(f"CREATE TABLE first AS {first} FROM read_parquet({log}) GROUP BY ALL")
    return time.process_time() - start
