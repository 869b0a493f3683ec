"""The champion scores, and is asked no other question than it learned; what it said is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from tracking_stores import champion_scores, model_of, read_scores
from world import Project

from features.core.errors import InputError, RegistryError, SettingsError, StaleError
from pipeline.registry.champion import load_champion
from pipeline.settings.parameters import Parameters


def test_a_second_scoring_of_the_same_moment_replaces_the_first(tracked: Project) -> None:
    when = "2026-07-01T01:30:00+02:00"
    folder = champion_scores(tracked, when)
    assert folder.parts[-2:] == ("as_of=2026-06-30T23-30-00.000000", f"model={model_of(tracked).version[:16]}")
    first = read_scores(folder)
    assert set(first["as_of"]) == {datetime(2026, 6, 30, 23, 30)}
    before = set((tracked.root / "data/scores").iterdir())
    assert champion_scores(tracked, when) == folder
    assert set((tracked.root / "data/scores").iterdir()) == before
    second = read_scores(folder)
    pd.testing.assert_frame_equal(first.drop(columns="scored_at"), second.drop(columns="scored_at"))
    assert second["scored_at"].iloc[0] > first["scored_at"].iloc[0]


def test_a_moment_that_the_champion_has_learned_from_asks_for_a_backfill(tracked: Project) -> None:
    trained_until = datetime.fromisoformat(model_of(tracked).manifest["trained_until"])
    when = (trained_until - timedelta(days=100)).isoformat()
    with pytest.raises(StaleError, match="has learned: it knows how some of these leads ended.*add --backfill"):
        champion_scores(tracked, when)
    assert len(read_scores(champion_scores(tracked, when, backfill=True))) > 50


def test_now_is_refused_where_the_log_is_old(tracked: Project, tmp_path: Path) -> None:
    old = tracked.copy_to(tmp_path / "project", leave_out=("scores",))
    ingested = json.loads((old.root / "data/ingest.json").read_text())
    for source in ingested["sources"].values():
        source["observed_until"] = "2020-02-29T12:00:00"
    (old.root / "data/ingest.json").write_text(json.dumps(ingested))
    with pytest.raises(StaleError, match="the log ends more than 2d ago .crm on 2020-02-29 12:00 UTC.*leadcast ingest"):
        champion_scores(old, "now")
    assert not (old.root / "data/scores").exists()


def test_what_is_no_moment_is_refused(tracked: Project) -> None:
    with pytest.raises(InputError, match="--as-of 'yesterday' is no date; write now, latest, or a date"):
        champion_scores(tracked, "yesterday")


def test_a_scoring_waits_for_no_other(tracked: Project) -> None:
    tracked.lock.parent.mkdir(exist_ok=True)
    hold = "import sys, filelock\nwith filelock.FileLock(sys.argv[1]):\n    print('held', flush=True)\n    input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tracked.lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another leadcast is at work in this folder .*wait until it is done"):
            champion_scores(tracked, "2026-06-30T23:40")
        other.stdin.write("\n")
        other.stdin.flush()
    assert len(read_scores(champion_scores(tracked, "2026-06-30T23:40"))) > 50


def test_a_missing_champion_says_what_next(tracked: Project, tmp_path: Path) -> None:
    empty = tracked.copy_to(tmp_path / "project")
    nobody = Project(tracked.root, empty.with_settings({"evaluate.model_name": "nobody"}).parameters)
    with pytest.raises(RegistryError, match="no champion of 'nobody' in sqlite:.*; train and register one: make run"):
        champion_scores(nobody, "latest")


def test_one_source_that_is_old_is_enough_to_refuse_now(tracked: Project, tmp_path: Path) -> None:
    """Whether it is old was judged by its rhythm when it was read: here, in February 2020."""
    old = tracked.copy_to(tmp_path / "project", leave_out=("scores",))
    ingested = json.loads((old.root / "data/ingest.json").read_text())
    past, fresh = "2020-02-29T12:00:00", datetime.now(UTC).replace(tzinfo=None).isoformat()
    for name, source in ingested["sources"].items():
        source["observed_until"] = past if name == "web" else fresh
    ingested["sources"]["web"]["rhythm"] |= {"state": "silent", "since": past, "reaches": past}
    (old.root / "data/ingest.json").write_text(json.dumps(ingested))
    with pytest.raises(StaleError, match="web on 2020-02-29 12:00 UTC") as error:
        champion_scores(old, "now")
    assert "crm" not in str(error.value)


def test_a_moment_long_after_the_end_of_the_log_is_refused(tracked: Project) -> None:
    with pytest.raises(StaleError, match="2035-01-01 00:00 lies more than 2d after the end of the log"):
        champion_scores(tracked, "2035-01-01")


CHANGES: dict[str, object] = {
    "episodes.lost": [],
    "episodes.reopen_after": "45d",
    "episodes.after_conversion": {"reopen_on": ["form"]},
    "snapshots.horizon": "45d",
    "ingest.currency": "USD",
    "ingest.sources.email.known_at": "as_it_occurred",
    "ingest.sources.email.columns.channel": {"constant": "newsletter"},
    "ingest.sources.web.actor": "system",
}
"""Each asks for another probability than the champion learned to give."""


@pytest.mark.parametrize("place", CHANGES)
def test_the_champion_is_not_asked_another_question_than_it_learned(
    tracked: Project, tmp_path: Path, place: str
) -> None:
    other = settings_of(tracked, tmp_path, {place: CHANGES[place]})
    with pytest.raises(
        SettingsError, match=rf"(?s)would be asked another question:\n  {place} was .*, and is .*dvc repro"
    ):
        champion_scores(Project(tracked.root, other), "latest")


def settings_of(project: Project, folder: Path, changes: dict[str, object]) -> Parameters:
    """Give the project's settings with some changed."""
    (folder / "params.yaml").write_text((project.root / "params.yaml").read_text())
    return Project(folder, project.parameters).with_settings(changes).parameters


def test_a_champion_of_an_earlier_version_that_noted_no_question_is_a_message(
    tracked: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = load_champion(tracked, tracked.parameters.evaluate)
    known = champion.model.manifest.items()
    former = replace(champion.model, manifest={name: part for name, part in known if name != "question"})
    monkeypatch.setattr("pipeline.scoring.champion.load_champion", lambda *_: champion._replace(model=former))
    with pytest.raises(RegistryError, match="trained by an earlier version, which did not note what it asked"):
        champion_scores(tracked, "latest")


def test_what_changes_no_probability_does_not_keep_the_champion_from_scoring(tracked: Project, tmp_path: Path) -> None:
    before = read_scores(champion_scores(tracked, "2026-06-30T23:50"))
    changes: dict[str, object] = {
        "episodes.milestones": {"renamed": ["accepted"]},
        "episodes.lost": list(reversed(tracked.parameters.episodes.lost)),
        "run": {"memory_limit": "2GB"},
        "ingest.sources.web.path": "elsewhere.parquet",
        "ingest.sources.crm.time_zone": "UTC",
        "ingest.sources.crm.columns.lead_id": "renamed",
        "snapshots.policies": [{"ages": ["9d"]}],
        "decision.maturity": {"hot_for": "3d"},
        "train.seed": 99,
        "train.other_horizons": [],
        "evaluate.replicates": 51,
    }
    other = Project(tracked.root, settings_of(tracked, tmp_path, changes))
    after = read_scores(champion_scores(other, "2026-06-30T23:50"))
    for column in ("probability", "probability_7d", "probability_60d"):
        assert after[column].dropna().tolist() == before[column].dropna().tolist()
