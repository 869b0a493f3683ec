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
from raw_logs import source_of
from small_project import SmallProject
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
            "lead_id": [f"lead {number}" for number in range(100)],
            "event_type": ["view"] * 99 + ["won"],
            "actor": ["lead"] * 100,
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
        (
            "episodes.after_conversion",
            {"reopen_on": ["form", "quote_requst"]},
            "episodes.after_conversion.reopen_on: no event of type 'quote_requst' in the log; did you mean 'quote_req",
        ),
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


def test_only_acts_of_the_lead_that_are_named_bring_a_customer_back(tmp_path: Path) -> None:
    """A comes back by a form; B is called and synchronised and looks around; C was lost, and a form follows sales."""
    project = SmallProject(tmp_path).write(
        leads_csv="lead,created\nA,2026-01-01\nB,2026-01-01\nC,2026-01-01\n",
        log_csv="""lead,at,what
A,2026-01-05,won
A,2026-02-04,form
A,2026-02-10,won
B,2026-01-05,won
B,2026-03-01,call
B,2026-03-02,sync
B,2026-03-03,visit
C,2026-01-05,lost
C,2026-03-01,form
C,2026-06-01,visit
""",
    )
    project.set({"log": source_of(actor={"default": "lead", "us": ["call"], "system": ["won", "lost", "sync"]})})
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    content["snapshots"]["policies"] = [{"calendar": "daily"}]
    content["episodes"]["lost"] = ["lost"]

    def counted() -> tuple[dict[str, int], dict[str, int], list[tuple[str, int, str, str, bool]]]:
        """Count leads and episodes, and give lead, episode, first and last look and label of what was looked at."""
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
        assert project.run("snapshots").code == 0
        counts = json.loads((tmp_path / "data/snapshots.json").read_text())
        taken = pq.read_table(tmp_path / "data/snapshots.parquet").to_pandas()
        looks = [
            (lead, number, f"{own['as_of'].min():%m-%d}", f"{own['as_of'].max():%m-%d}", bool(own["label"].all()))
            for (lead, number), own in taken.groupby(["lead_id", "episode"])
        ]
        return counts["leads"], counts["episodes"], looks

    assert project.ingest().code == 0
    leads = {"all": 3, "open": 0, "converted": 2, "lost": 1}
    once = [("A", 1, "01-02", "01-05", True), ("B", 1, "01-02", "01-05", True), ("C", 1, "01-02", "01-05", False)]
    episodes = {"all": 3, "open": 0, "converted": 2, "lost": 1, "after_loss": 0, "after_conversion": 0}
    assert counted() == (leads, episodes, once)
    content["episodes"]["after_conversion"] = {"reopen_on": ["form", "call", "sync"], "reopen_after": "30d"}
    twice = [once[0], ("A", 2, "02-05", "02-10", True), *once[1:]]
    assert counted() == (leads, episodes | {"all": 4, "converted": 3, "after_conversion": 1}, twice)
    content["episodes"]["after_conversion"]["reopen_after"] = "31d"
    assert counted() == (leads, episodes, once)
    content["episodes"] |= {"reopen_on": ["form"]}
    leads, thrice = leads | {"open": 1, "lost": 0}, [*once, ("C", 2, "03-02", "06-01", False)]
    assert counted() == (leads, episodes | {"all": 4, "open": 1, "after_loss": 1}, thrice)
