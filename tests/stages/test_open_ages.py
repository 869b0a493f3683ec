"""Leads that are open, and older than any that is learned from: counted before training, and told."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from command_line import call
from raw_logs import source_of
from small_project import SmallProject
from world import Project

from features.timeline.snapshots import take_snapshots_at
from pipeline.log.ages import age_verdicts, doubts_of_ages
from pipeline.log.history import read_history

YOUNG = [{"ages": ["1d", "3d", "7d"]}]


def counted(project: Project) -> dict[str, Any]:
    ages: dict[str, Any] = json.loads(project.snapshot_counts.read_text())["open_ages"]
    return ages


@pytest.fixture(scope="module")
def young(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Look at leads of the small world only while they are young; whatever is learned of them."""
    copied = world.copy_to(tmp_path_factory.mktemp("young") / "project", leave_out=("reports",))
    project = copied.with_settings(
        {"snapshots.policies": YOUNG, "train.rung": "base_rates", "train.origins": 2, "train.other_horizons": []}
    )
    project.run("snapshots")
    return project


def test_the_leads_that_are_older_than_any_with_a_label_are_counted_before_training(young: Project) -> None:
    snapshots = pd.read_parquet(young.snapshots)
    age = snapshots["as_of"] - snapshots["started_at"]
    oldest = age[snapshots["label"].notna()].max()
    assert oldest == timedelta(days=7)
    log_until = snapshots["observed_until"].iloc[0]
    last = json.loads(young.snapshot_counts.read_text())["log_until"]
    opened = take_snapshots_at(
        read_history(young, young.parameters.episodes), pd.Timestamp(last).to_pydatetime() + timedelta(microseconds=1)
    )
    assert (opened["as_of"] >= log_until).all()
    older = int((opened["as_of"] - opened["started_at"] > oldest).sum())
    ages = counted(young)
    assert (ages["leads"], ages["older"], ages["learned_days"]) == (len(opened), older, 7.0)
    assert older > len(opened) / 2
    (told,) = (line for line in young.told if "older than any" in line)
    assert told == (
        f"warning: {older:,} of {len(opened):,} open leads ({older / len(opened):.1%}) are older than any that was "
        "learned from (7.0 days): their probabilities are a guess; snapshots.policies looks at none of that age: add "
        "'- calendar: monday' to it"
    )


def test_doctor_says_so_before_training_with_the_same_figures(young: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (verdict,) = doubts_of_ages(young)
    assert list(age_verdicts(counted(young))) == [verdict]
    assert (verdict.code, verdict.severity) == ("ages_unseen", "doubtful")
    monkeypatch.chdir(young.root)
    text = " ".join(call("doctor")[1].split())
    assert f"({verdict.code}): {verdict.evidence}" in text
    assert "add '- calendar: monday' to it" in text


@pytest.mark.parametrize(
    ("last", "learned", "older"),
    [("2026-03-31", 1.0, 1), ("2026-04-01", 60.0, 1), ("2026-02-28", 1.0, 1)],
    ids=["a day too early", "with its label", "never looked at"],
)
def test_a_look_whose_label_is_not_known_yet_teaches_nothing_of_its_age(
    last: str, learned: float, older: int, tmp_path: Path
) -> None:
    """B, created on 1 January, is looked at on 2 March; its thirty days are over on 1 April."""
    project = SmallProject(tmp_path)
    project.write(log_csv=f"lead,at,what\nA,2026-01-09,won\nB,2026-01-01 09:00,visit\nB,{last},visit\n")
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    content["snapshots"]["policies"] = [{"ages": ["1d", "60d"]}]
    content["features"]["minimum_leads"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    assert project.ingest().code == 0
    assert project.run("snapshots").code == 0
    ages = json.loads((tmp_path / "data/snapshots.json").read_text())["open_ages"]
    assert (ages["leads"], ages["older"], ages["learned_days"]) == (1, older, learned)


def test_of_leads_that_never_act_no_age_is_counted(tmp_path: Path) -> None:
    """Twenty leads must have an act before it is a feature; here two do, so that nothing changes as they grow old."""
    project = SmallProject(tmp_path)
    assert project.set({"log": source_of() | {"observed_until": "2026-04-01"}}).ingest().code == 0
    assert project.run("snapshots").code == 0
    assert json.loads((tmp_path / "data/snapshots.json").read_text())["open_ages"] is None


def test_a_calendar_covers_them_and_what_the_log_is_too_short_for_is_only_told(world: Project) -> None:
    ages = counted(world)
    assert ages["older"] <= 0.05 * ages["leads"]
    assert list(age_verdicts(ages)) == []
    (verdict,) = age_verdicts(ages | {"older": ages["leads"]})
    assert verdict.severity == "told"
    assert verdict.remedy == "the log is too short to teach of that age; a longer one would"


def test_up_to_a_tenth_of_them_is_no_verdict() -> None:
    ages = {"leads": 100, "older": 10, "learned_days": 7.0, "by_calendar": False, "advice": "add one"}
    assert list(age_verdicts(ages)) == []
    (verdict,) = age_verdicts(ages | {"older": 11})
    assert "11 of 100 open leads (11.0%) are older than any that was learned from (7.0 days)" in verdict.evidence


def test_the_share_is_told_by_the_stage_that_scores_the_summary_and_the_page(young: Project) -> None:
    young.run("features", "train", "evaluate", "recommend", "report")
    scoring = json.loads(young.scoring.read_text())
    older, leads = scoring["older_than_learned"], scoring["leads"]
    assert 0 < older < leads
    told = (
        f"{older:,} of {leads:,} open leads ({older / leads:.1%}) are older than any that was learned from (7.0 days): "
        "their probabilities are a guess; snapshots.policies looks at none of that age: add '- calendar: monday' to it"
    )
    assert f"warning: {told}" in young.told
    assert told in " ".join(young.summary.read_text().split())
    assert told.replace("'", "&#39;") in " ".join(young.model_page.read_text().split())
    verdicts = {one["code"]: one["severity"] for one in json.loads(young.verdicts.read_text())["verdicts"]}
    assert verdicts["ages_unseen"] == "doubtful"
