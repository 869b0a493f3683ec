"""The funnel, the summary and the pages: figures counted by hand, and nothing that belongs to one lead alone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from world import Project

from features.errors import NotEnoughDataError
from pipeline.artefacts import read_json
from pipeline.configuration import Episodes
from pipeline.snapshots import read_funnel

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
    assert read_funnel(tmp_path / "log.parquet", episodes, settings) == [
        {"stage": "created", "leads": 5},
        {"stage": "with an act of their own", "leads": 2},
        {"stage": "accepted by sales", "leads": 2},
        {"stage": "opportunity", "leads": 2},
        {"stage": "converted", "leads": 1},
    ]


@pytest.fixture(scope="module")
def with_milestones(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = world.copy_to(tmp_path_factory.mktemp("milestones") / "project", leave_out=("raw",))
    project = project.with_settings(
        {"episodes.milestones": {"case <opened>": ["case_opened"], "[bold]meeting": ["meeting"]}}
    )
    project.run("snapshots", "report")
    return project


def test_the_funnel_of_a_log_starts_with_all_leads_and_names_the_milestones(with_milestones: Project) -> None:
    root = with_milestones.root
    counts = read_json(root / "data/snapshots.json")
    stages = {stage["stage"]: stage["leads"] for stage in counts["funnel"]}
    assert list(stages) == ["created", "with an act of their own", "case <opened>", "[bold]meeting", "converted"]
    log = pq.read_table(root / "data/interactions.parquet", columns=["lead_id", "event_type", "actor"]).to_pandas()
    assert stages["created"] == pq.read_metadata(root / "data/leads.parquet").num_rows
    assert stages["with an act of their own"] == log.loc[log["actor"] == "lead", "lead_id"].nunique()
    assert stages["case <opened>"] == log.loc[log["event_type"] == "case_opened", "lead_id"].nunique() > 100
    assert stages["converted"] == counts["leads"]["converted"] == counts["episodes"]["converted"]
    leads = counts["leads"]
    assert leads["all"] == leads["converted"] + leads["lost"] + leads["open"] == stages["created"]


def test_a_milestone_that_never_occurs_is_named_with_the_nearest(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    project = project.with_settings({"episodes.milestones": {"met": ["meetin"]}})
    with pytest.raises(NotEnoughDataError, match="episodes.milestones.met: no event of type 'meetin' in the log"):
        project.run("snapshots")
