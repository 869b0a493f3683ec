"""Leads that are scored at a moment up to which outcomes are not known: some have ended, and it is told how many."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from world import Project

from pipeline.scoring import champion

END = datetime(2026, 6, 30, 23, 57, 17, 549603)
KNOWN = END - timedelta(days=14)
TOLD = "outcomes are known up to 2026-06-16 23:57 UTC, 14 days before this moment: about "


@pytest.fixture(scope="module")
def late(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Take the outcomes of the last two weeks from the small world, and say that they were read so far."""
    project = world.copy_to(tmp_path_factory.mktemp("late") / "project")
    outcomes = project.root / "data/raw/outcomes.csv"
    rows = pd.read_csv(outcomes)
    known = pd.to_datetime(rows["closed_at"], utc=True, format="ISO8601").dt.tz_localize(None) < KNOWN
    rows[known].to_csv(outcomes, index=False)
    project = project.with_settings({"ingest.sources.outcomes.observed_until": f"{KNOWN.isoformat()}Z"})
    project.run("ingest", "recommend", "report", "evaluate")
    return project


def read(project: Project, name: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads((project.root / name).read_text())


def test_it_is_told_how_many_of_the_leads_scored_have_ended_since(late: Project, world: Project) -> None:
    scoring = read(late, "data/scoring.json")
    assert scoring["as_of"] == END.isoformat(), "what leads did in these weeks counts"
    unknown = scoring["outcomes_unknown"]
    assert (unknown["since"], unknown["days"]) == (KNOWN.isoformat(), 14.0)
    table = pq.read_table(late.root / "data/recommendations.parquet").to_pandas()
    scored = table.loc[table["probability"].notna(), "lead_id"]
    truth = pd.read_csv(world.root / "data/raw/outcomes.csv")
    closed = pd.to_datetime(truth["closed_at"], utc=True, format="ISO8601").dt.tz_localize(None)
    ended = scored.isin(truth.loc[(closed >= KNOWN) & (closed < END), "lead_id"]).sum()
    assert ended > 50
    assert 0.75 * ended < unknown["leads_ended"] < 1.25 * ended
    about = f"about {unknown['leads_ended']:,.0f} of"
    (warning,) = (line for line in late.told if line.startswith("warning: outcomes are known"))
    assert TOLD + f"{unknown['leads_ended']:,.0f} of these {scoring['leads']:,} leads have ended since" in warning
    said = f"Outcomes are known up to 2026-06-16, 14 days before: {about} them"
    assert said in " ".join((late.root / "reports/summary.txt").read_text().split())
    assert said in (late.root / "reports/model.html").read_text()


def test_the_champion_says_it_too_and_not_of_a_moment_whose_outcomes_are_known(late: Project) -> None:
    before = len(late.told)
    champion.run(late, late.told.append, "latest", backfill=False)
    assert [line for line in late.told[before:] if TOLD in line]
    before = len(late.told)
    champion.run(late, late.told.append, "2026-06-16", backfill=True)
    assert not [line for line in late.told[before:] if "outcomes are known" in line]


def test_where_outcomes_are_known_to_the_end_nothing_is_said(world: Project) -> None:
    assert "outcomes_unknown" not in read(world, "data/scoring.json")
    assert not [line for line in world.told if "outcomes are known" in line]
    for name in ("summary.txt", "model.html"):
        assert "Outcomes are known" not in (Path(world.root) / "reports" / name).read_text()
