"""What rules ask of a log: the last act and content of a lead, what it has had, and to what it answers."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from standings import standing_of

from pipeline.core.project import Places
from pipeline.scoring.actions import Actions
from pipeline.settings.decision import DecisionPolicy

JULY = datetime(2026, 7, 1)
IDS = ["A", "B", "C", "D"]
LOG = """
A | 2026-06-01 | lead | cart |
A | 2026-06-02 | lead | visit | prices
A | 2026-06-03 | us | mail | guide
B | 2026-06-01 | lead | visit | careers
B | 2026-06-02 | lead | cart |
B | 2026-06-03 | machine | visit | prices
B | 2026-06-20 | lead | answered | | 2026-07-02
C | 2026-06-01 | lead | answered |
C | 2026-06-02 | lead | visit | prices
C | 2026-06-02 | us | answered | prices
"""


def said(root: Path, rules: list[dict[str, Any]], told: list[str] | None = None, **columns: Any) -> pa.Table:  # noqa: ANN401 - of rows
    rows = [[*(cell.strip() for cell in line.split("|")), ""][:6] for line in LOG.strip().splitlines()]
    times = [pd.Timestamp(row[1]) for row in rows]
    places = Places(root)
    places.interactions.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "lead_id": [row[0] for row in rows],
        "occurred_at": pa.array(times, pa.timestamp("us")),
        "known_at": pa.array([pd.Timestamp(row[5] or row[1]) for row in rows], pa.timestamp("us")),
        "event_type": [row[3] for row in rows],
        "actor": [row[2] for row in rows],
        "content": pa.array([row[4] or None for row in rows], pa.string()),
        "source": ["crm"] * len(rows),
        "sequence": range(len(rows)),
    }
    pq.write_table(pa.table(content), places.interactions)
    facts = {"in work": {"kind": "taken", "events": ["case"]}}
    policy = DecisionPolicy.model_validate(
        {"actions": rules, "facts": facts, "answers": {"telephone": ["answered"]}, "time_zone": "Europe/Paris"}
    )
    size = len(IDS)
    again = {"recontact_on": pa.nulls(size, pa.date32()), "recontact_why": pa.nulls(size, pa.string())} | columns
    with duckdb.connect() as connection:
        actions = Actions(places, connection, policy, "en", JULY)
        actions.warn((told if told is not None else []).append)
        standing = standing_of(size, JULY, taken=["2026-06-20", None, None, None])
        tiers, lists, reasons = np.full(size, "MQL"), np.full(size, "none"), np.full(size, None, dtype=object)
        return pa.table(actions.columns(IDS, standing, tiers, lists, reasons, again))


def test_the_last_act_is_the_leads_own_as_it_was_known(tmp_path: Path) -> None:
    rules: list[dict[str, Any]] = [
        {"last_act": ["cart"], "action": "remind_of_cart", "channels": ["mail"]},
        {"action": "wait"},
    ]
    assert said(tmp_path, rules)["action"].to_pylist() == ["wait", "remind_of_cart", "wait", "wait"]


def test_a_content_is_not_sent_twice_whoever_has_sent_it(tmp_path: Path) -> None:
    rules: list[dict[str, Any]] = [
        {"content": ["prices"], "action": "send_case_study", "sends": "guide", "channels": ["mail", "telephone"]},
        {"fact": ["in work"], "action": "keep_nurturing", "channels": ["mail"]},
        {"action": "wait"},
    ]
    table = said(tmp_path, rules)
    # A has had the guide; what a machine looked at is nothing that B did; C answers calls.
    assert table["action"].to_pylist() == ["keep_nurturing", "wait", "send_case_study", "wait"]
    assert table["channel"].to_pylist() == ["mail", None, "telephone", None]
    assert table["next_step"].to_pylist() == [
        "keep nurturing, by mail", "wait", "send the case study, by telephone", "wait",
    ]  # fmt: skip


def test_a_day_to_come_is_waited_for_and_one_that_has_come_is_now(tmp_path: Path) -> None:
    days = [date(2026, 7, 1), date(2026, 7, 2), None, None]
    rules = [
        {"recontact": ["later"], "action": "wait_until"},
        {"recontact": ["now"], "action": "call_back", "channels": ["telephone"]},
        {"recontact": ["close"], "action": "close"},
        {"action": "send_price_list", "channels": ["mail"]},
    ]
    why = pa.array(["again", "again", "close", None])
    table = said(tmp_path, rules, recontact_on=pa.array(days, pa.date32()), recontact_why=why)
    assert table["next_step"].to_pylist() == [
        "call back, by telephone", "wait until 2 July 2026", "close", "send price list, by mail",
    ]  # fmt: skip


def test_a_content_that_no_event_is_about_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    said(tmp_path, [{"action": "send_case_study", "sends": "guides", "channels": ["mail"]}], told)
    (line,) = told
    assert line == (
        "warning: decision.actions names the content 'guides', and no event is about it; until one is, who has had it "
        "can't be told; did you mean 'guide'?"
    )
