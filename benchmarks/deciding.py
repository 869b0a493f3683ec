"""Deciding for many open leads: how they stand, who has time, tiers and today's list, from a log on disk.

Probabilities are given. The world is drawn by a hash: a million leads, ten events each, by the sample's settings, with
consents and what people said; nothing of it has a meaning.
"""

from __future__ import annotations

import shutil
import time
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from benchmarks.measurement import ROOT
from pipeline.core.project import Project
from pipeline.core.sql import connect, file_literal
from pipeline.scoring.deciding import Decider
from pipeline.scoring.earlier import Earlier
from pipeline.scoring.standing import look
from pipeline.scoring.work import see_today
from pipeline.settings.file import load_parameters
from pipeline.settings.types import halve

EVENTS = 10
"""Of each lead."""
_NOW = datetime(2026, 6, 30, 12)
_BASE_RATE = 0.03
_TYPES = (
    *["page_view"] * 60, *["newsletter_open"] * 20, *["download"] * 5, *["form"] * 3, *["pricing_view"] * 4,
    "quote_request", "meeting", "unsubscribe", "case_opened", "accepted", "refused", "call_made", "mail_sent",
)  # fmt: skip
_OURS = ("case_opened", "accepted", "refused", "call_made", "mail_sent")


def write_world(root: Path, leads: int) -> None:
    """Write the settings, and what deciding reads."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "params.yaml", root / "params.yaml")
    project = Project(root, None)
    (root / "data").mkdir(exist_ok=True)
    moment = "TIMESTAMP '2026-06-30' - to_minutes(CAST(hash(lead, number) % 259200 AS INTEGER))"
    own = ", ".join(f"'{kind}'" for kind in _OURS)
    queries = {
        project.interactions: f"""
            WITH drawn AS (
                SELECT format('L{{:08d}}', lead) AS lead_id, {moment} AS occurred_at,
                    {list(_TYPES)!r}[CAST(1 + hash(number, lead) % {len(_TYPES)} AS BIGINT)] AS event_type
                FROM range({leads}) AS leads(lead), range({EVENTS}) AS events(number)
            )
            SELECT lead_id, occurred_at, occurred_at AS known_at, event_type,
                CASE WHEN event_type IN ({own}) THEN 'us' ELSE 'lead' END AS actor,
                CAST(occurred_at AS DATE) AS local_day, 1 AS quantity
            FROM drawn ORDER BY lead_id, occurred_at""",
        project.leads: f"""
            SELECT format('L{{:08d}}', lead) AS lead_id, TIMESTAMP '2025-12-01' AS created_at,
                CASE WHEN lead % 3 = 0 THEN format('A{{}}', lead // 6) END AS account_id,
                format('territory {{}}', lead % 8) AS territory
            FROM range({leads}) AS leads(lead)""",
        project.decisions: f"""
            SELECT format('L{{:08d}}', lead) AS lead_id, TIMESTAMP '2026-06-01' AS decided_at,
                TIMESTAMP '2026-06-01' AS known_at, ['SQL', 'MQL', 'IQL'][1 + lead % 3] AS tier,
                NULL::DATE AS call_on, NULL::DATE AS until, 'K1' AS "by", NULL::VARCHAR AS reason, lead AS sequence
            FROM range(0, {leads}, 50) AS leads(lead)""",
        project.consents: f"""
            SELECT format('L{{:08d}}', lead) AS lead_id, format('L{{:08d}}', lead) AS own_id,
                ['mail', 'telephone', 'advertising'][1 + purpose] AS purpose,
                CASE WHEN hash(lead, purpose) % 5 = 0 THEN 'refused' ELSE 'given' END AS status,
                TIMESTAMP '2026-01-01' AS changed_at, TIMESTAMP '2026-01-01' AS known_at, NULL::TIMESTAMP AS linked_at
            FROM range({leads}) AS leads(lead), range(3) AS purposes(purpose)""",
        project.owners: """
            SELECT format('territory {}', place) AS territory, format('S{}', place) AS owner,
                DATE '2026-01-01' AS begins, NULL::DATE AS ends, 'calls' AS unit, 50000.0 AS places
            FROM range(8) AS places(place)""",
    }  # fmt: skip
    with duckdb.connect() as connection:
        for path, query in queries.items():
            connection.execute(f"COPY ({query}) TO {file_literal(path)}")


def decide(root: Path, leads: int) -> float:
    """Decide of all of them; gives the seconds."""
    project = Project(root, load_parameters(root / "params.yaml"))
    created = np.datetime64("2025-12-01", "us")
    ids = np.array([f"L{lead:08d}" for lead in range(leads)], dtype=object)
    asked = pd.DataFrame({"lead_id": ids, "created_at": created, "started_at": created, "episode": 1})
    probabilities = np.random.default_rng(7).beta(0.5, 15.0, leads)
    start = time.perf_counter()
    policy = project.parameters.decision
    of_duckdb, _ = halve(project.parameters.run.memory_limit)
    with connect(of_duckdb, root / "data/.tmp") as connection:
        standing = look(project, project.parameters, connection, asked, _NOW)
        today = see_today(project, project.parameters, connection, _NOW, Earlier())
        decider = Decider(policy, standing, ids, _BASE_RATE, today)
    decided = decider.decide(probabilities, decider.tiers(probabilities, slice(None)))
    seconds = time.perf_counter() - start
    if not 0 < sum(decided.columns["list"].to_numpy(zero_copy_only=False) == "sales") < leads:
        raise ValueError("a list that holds nobody, or everybody, measures nothing")
    return seconds


def group(root: Path) -> float:
    """Find the last event of each lead and type in the same log, as DuckDB does; gives the seconds."""
    log = file_literal(Project(root, None).interactions)
    start = time.perf_counter()
    with duckdb.connect() as connection:
        last = "SELECT lead_id, event_type, max(occurred_at) AS last"
        connection.execute(f"CREATE TABLE last AS {last} FROM read_parquet({log}) GROUP BY ALL")
    return time.perf_counter() - start
