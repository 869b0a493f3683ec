"""The funnel, counted on a log small enough to check by eye."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.settings.timeline import Episodes
from pipeline.snapshots.counts import read_funnel, stages_of

ACTS = """
A page_view lead
A accepted us
A opportunity us
A won system
B page_view lead
B page_view lead
B opportunity us
C accepted us
C accepted_again us
D lost system
"""
"""What four of five leads did; E did nothing."""


def test_each_stage_of_the_funnel_counts_its_leads_once(tmp_path: Path) -> None:
    rows = [line.split() for line in ACTS.strip().splitlines()]
    names = ("lead_id", "event_type", "actor")
    pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), tmp_path / "log.parquet")
    moment = datetime(2026, 1, 1)
    episodes = pd.DataFrame(
        [("A", 1, "converted"), ("B", 1, None), ("C", 1, "lost"), ("C", 2, None), ("D", 1, "lost"), ("E", 1, None)],
        columns=["lead_id", "episode", "outcome"],
    ).assign(started_at=moment, outcome_at=moment)
    settings = Episodes(
        conversion=("won",),
        milestones={"accepted by sales": ("accepted", "accepted_again"), "opportunity": ("opportunity",)},
    )
    reached = read_funnel(tmp_path / "log.parquet", episodes, settings)
    assert dict(zip(stages_of(settings), reached, strict=True)) == {
        "created": 5,
        "with an act of their own": 2,
        "accepted by sales": 2,
        "opportunity": 2,
        "converted": 1,
    }
