"""Scores beside what came of them: a log of a few rows, and scores of it, small enough to check by eye."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from raw_logs import source_of
from small_project import SmallProject
from timelines import DAY, DRAWN_LEADS, START, draw_events

from features.timeline.history import History
from features.timeline.snapshots import take_snapshots_at, take_snapshots_of
from pipeline.core.project import Project
from pipeline.log.settled import settled_scores
from pipeline.scoring.earlier import AS_OF
from pipeline.scoring.files import write_recommendations
from pipeline.settings.file import load_parameters
from pipeline.settings.parameters import Parameters

LEADS = "lead,created\nA,2026-01-01\nB,2026-01-01\nC,2026-01-01\nD,2026-01-01\nE,2026-01-01\nF,2026-01-01\n"
LOG = """lead,at,what,known
A,2026-02-10,won,2026-02-10
B,2026-03-02,won,2026-03-20
C,2026-01-31,won,2026-02-05
D,2026-03-03,won,2026-03-03
E,2026-01-20,won,2026-01-20
F,2026-04-30,visit,2026-04-30
"""
"""At 2026-02-01, for 30 days: A converts; B does on the last day, known late; C did before, and nobody knew; D does on
the first moment beyond; E was over, and is no open lead; F does not. Outcomes are observed until 2026-04-10."""
FEBRUARY, MARCH = datetime(2026, 2, 1), datetime(2026, 3, 15)
MODEL, OTHER = "a" * 64, "b" * 64
MONTH = timedelta(days=30)


def write_scores(project: Project[Parameters], as_of: datetime, model_version: str, said: dict[str, float]) -> None:
    """Write scores of leads as ``leadcast score`` does; one more has ended, and nothing is foretold of it."""
    leads = [*said, "gone"]
    table = pa.table({
        "lead_id": leads,
        "as_of": pa.array([as_of] * len(leads), pa.timestamp("us")),
        "probability": pa.array([*said.values(), None], pa.float64()),
        "tier": ["SQL"] * len(leads),
        "model_version": [model_version] * len(leads),
    })  # fmt: skip
    folder = project.scores / f"{as_of:{AS_OF}}" / f"model={model_version[:16]}"
    write_recommendations(folder / "recommendations.parquet", table)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Project[Parameters]:
    small = SmallProject(tmp_path_factory.mktemp("settled") / "project").write(log_csv=LOG, leads_csv=LEADS)
    known = source_of(known_at={"column": "known"}, observed_until="2026-05-01")
    small.set({"log": known, "deals": source_of("deals.csv", actor="system", observed_until="2026-04-10")})
    small.write(deals_csv="lead,at,what\nF,2026-01-01,opened\nF,2026-04-09,won\n")
    assert small.ingest().code == 0
    project = Project(small.root, load_parameters(small.root / "params.yaml"))
    for as_of in (FEBRUARY, MARCH):
        write_scores(project, as_of, MODEL, dict.fromkeys("ABCDEFX", 0.25))
    write_scores(project, FEBRUARY, OTHER, {"A": 0.5})
    return project


def happened(found: pd.DataFrame) -> dict[str, bool]:
    return dict(zip(found["lead_id"], found["happened"], strict=True))


def test_what_came_of_scores_is_what_the_log_says_of_their_horizon(scored: Project[Parameters]) -> None:
    found = settled_scores(scored, MODEL, MONTH)
    assert set(found["as_of"]) == {pd.Timestamp(FEBRUARY)}, "of March nobody knows yet: 14 April is beyond 10 April"
    expected = {"A": True, "B": True, "C": False, "D": False, "F": False}
    assert happened(found) == expected, "B is known late, C had converted, D comes later, E was over, X is in no log"
    assert set(found["probability"]) == {0.25}
    assert set(found["tier"]) == {"SQL"}
    assert set(found["model_version"]) == {MODEL}


def test_a_horizon_is_over_when_outcomes_are_observed_as_long_as_they_come_late(scored: Project[Parameters]) -> None:
    # The latest conversion came 18 days late. From 15 March to 10 April there are 26 days: 8 of horizon, and no more.
    shorter = settled_scores(scored, MODEL, timedelta(days=8))
    assert set(shorter["as_of"]) == {pd.Timestamp(FEBRUARY), pd.Timestamp(MARCH)}
    assert set(settled_scores(scored, MODEL, timedelta(days=8, hours=1))["as_of"]) == {pd.Timestamp(FEBRUARY)}


def test_scores_are_those_of_the_model_that_is_asked_for_and_after_what_it_knew(scored: Project[Parameters]) -> None:
    assert happened(settled_scores(scored, OTHER, MONTH)) == {"A": True}
    everybody = settled_scores(scored, None, MONTH)
    assert everybody["model_version"].tolist() == [MODEL] * 5 + [OTHER]
    assert settled_scores(scored, MODEL, MONTH, after=FEBRUARY).empty
    assert len(settled_scores(scored, MODEL, MONTH, after=FEBRUARY - timedelta(microseconds=1))) == 5


def test_without_scores_there_is_a_table_without_rows(scored: Project[Parameters], tmp_path: Path) -> None:
    found = settled_scores(Project(tmp_path, scored.parameters), MODEL, MONTH)
    assert found.empty
    assert found.dtypes.equals(settled_scores(scored, MODEL, MONTH).dtypes)


@given(draw_events("won", "lost", "form"), st.integers(1, 30))
def test_looking_at_some_leads_is_looking_at_all_and_taking_some(drawn: pd.DataFrame, day: int) -> None:
    history = History.of(DRAWN_LEADS, drawn, 3 * DAY)
    moment = START + day * DAY
    at_once = take_snapshots_at(history, moment)
    asked = pd.Series(["B", "X", "B"])
    found = take_snapshots_of(history, asked, pd.Series([pd.Timestamp(moment)] * 3).astype("datetime64[us]"))
    assert_frame_equal(found, at_once[at_once["lead_id"] == "B"].reset_index(drop=True))
