"""What the stages before training make of late outcomes, and of types that never occur."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from house import ROOT
from world import Project

from features.core.errors import NotEnoughDataError
from pipeline.core.project import Project as ProjectFolder
from pipeline.log.history import observe
from pipeline.settings.parameters import Parameters


def test_the_delay_of_outcomes_is_their_own_and_not_that_of_their_source(tmp_path: Path) -> None:
    """A hundred page views are known at once, and the one sale in a hundred rows forty days late."""
    moment = datetime(2026, 1, 1)
    table = pa.table(
        {
            "event_type": ["view"] * 99 + ["won"],
            "occurred_at": pa.array([moment] * 100, pa.timestamp("us")),
            "known_at": pa.array([moment] * 99 + [moment + timedelta(days=40)], pa.timestamp("us")),
            "source": ["log"] * 100,
        }
    )
    (tmp_path / "data").mkdir()
    pq.write_table(table, tmp_path / "data/interactions.parquet")
    ingested = {"sources": {"log": {"observed_until": "2026-06-30T00:00:00"}}}
    (tmp_path / "data/ingest.json").write_text(json.dumps(ingested))
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["episodes"] = {"conversion": ["won"]}
    content["snapshots"]["policies"] = [{"calendar": "monday"}]
    assert observe(ProjectFolder(tmp_path, Parameters.model_validate(content))).outcome_delay == timedelta(days=40)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("episodes.lost", ["losst"], "episodes.lost: no event of type 'losst' in the log; did you mean 'lost'"),
        ("episodes.reopen_on", ["from"], "episodes.reopen_on: no event of type 'from' in the log; did you mean 'form'"),
        ("snapshots.policies", [{"event": "quote"}], "snapshots.policies: no event of type 'quote'"),
    ],
)
def test_an_event_type_that_never_occurs_is_named_with_the_nearest(
    world: Project, tmp_path: Path, place: str, value: object, message: str
) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    with pytest.raises(NotEnoughDataError, match=message):
        project.with_settings({place: value}).run("snapshots")


def test_a_typo_among_the_excluded_types_lets_nothing_through(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    with pytest.raises(NotEnoughDataError, match="features.exclude_types: no event of type 'meetin' in the log"):
        project.with_settings({"features.exclude_types": ["meetin"]}).run("features")
