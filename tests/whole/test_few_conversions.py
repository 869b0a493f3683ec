"""From five leads that convert on there is a model, and what is not known of it is said; of fewer, when it comes."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml
from raw_logs import source_of
from small_project import SmallProject

from models.core.enough import Pace, told_of_lack
from pipeline.evaluate.figures import of_newest

START, DAYS, LEADS = datetime(2026, 1, 1), 200, 300
UNTIL = datetime(2026, 11, 10)
BOTH = (
    "1 more that convert, at the pace so far (4 in 180 days) about 2026-12-25; "
    "2 more that don't, at the pace so far (3 in 180 days) about 2027-03-10"
)


def write_log(root: Path, wins: int, horizon: str = "30d") -> SmallProject:
    """Write a log of 300 leads over 200 days, of whom so many convert, after 3 to 23 days, and half of the rest end.

    Those that convert act twice as often. They come throughout, but for the last 60 days.
    """
    draw = np.random.default_rng(1)
    created = np.sort(draw.random(LEADS)) * DAYS
    won = set(draw.choice(np.flatnonzero(created < DAYS - 60), wins, replace=False).tolist())
    events: list[tuple[str, datetime, str]] = []
    for lead, begin in enumerate(created):
        end = float(DAYS)
        if lead in won:
            end = begin + 3 + 20 * draw.random()
            events.append((f"L{lead}", START + timedelta(days=end), "won"))
        elif draw.random() < 0.5 and begin + 40 < DAYS:
            events.append((f"L{lead}", START + timedelta(days=begin + 40), "lost"))
        for _ in range(draw.poisson(6 if lead in won else 3)):
            at = begin + draw.random() * min(30, end - begin)
            events.append((f"L{lead}", START + timedelta(days=at), ("visit", "mail")[draw.integers(2)]))
    project = SmallProject(root)
    ids, births = [f"L{lead}" for lead in range(LEADS)], [START + timedelta(days=begin) for begin in created]
    pd.DataFrame({"lead": ids, "created": births}).to_csv(project.raw / "leads.csv", index=False)
    pd.DataFrame(events, columns=["lead", "at", "what"]).to_csv(project.raw / "log.csv", index=False)
    project.set({"log": source_of()})
    content = yaml.safe_load((root / "params.yaml").read_text())
    content["episodes"]["lost"] = ["lost"]
    content["snapshots"] = {"horizon": horizon, "policies": [{"calendar": "monday"}, {"ages": ["1d"]}]}
    content["evaluate"] = {"replicates": 20, "model_name": "few"}
    content["train"] = {"members": 1, "parameters": {"num_iterations": 20, "learning_rate": 0.3}}
    (root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return project


def read(project: SmallProject, path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((project.root / path).read_text())
    return content


@pytest.mark.parametrize("wins", [5, 12, 25])
def test_from_five_leads_on_that_convert_all_stages_run_and_say_what_they_cannot(wins: int, tmp_path: Path) -> None:
    project = write_log(tmp_path, wins)
    outcome = project.run("run")
    assert outcome.code == 0, outcome.text
    with duckdb.connect() as connection:
        ((converting,),) = connection.execute(
            f"SELECT count(DISTINCT lead_id) FROM '{tmp_path}/data/features.parquet' WHERE label"
        ).fetchall()
        ((low, high, rows),) = connection.execute(
            f"SELECT min(probability), max(probability), count(*) FROM '{tmp_path}/data/recommendations.parquet'"
        ).fetchall()
    assert converting == wins
    assert 0.0 < low <= high < 1.0
    assert rows > 100
    training = read(project, "data/training.json")
    assert (training["rung"] == "base_rates") == (wins == 5)
    verdicts = {verdict["code"] for verdict in read(project, "reports/verdicts.json")["verdicts"]}
    assert ("not_judged" in verdicts) == (wins < 25)
    summary, page = ((tmp_path / "reports" / name).read_text() for name in ("summary.txt", "model.html"))
    for shown, beside in ((summary, "beside it, on the same rows"), (page, "What else could be done</h3>")):
        assert "nan" not in re.split(r"\W+", shown.lower())
        assert "not judged" in shown or wins == 25
        assert (beside in shown) == (wins > 5)


def test_of_fewer_it_is_said_how_many_lack_and_when_they_are_there(tmp_path: Path) -> None:
    project = write_log(tmp_path, 3)
    for stage in ("ingest", "snapshots", "features"):
        assert project.run(stage).code == 0
    outcome = project.run("train")
    assert outcome.code == 6
    counts = read(project, "data/snapshots.json")
    first, last = (datetime.fromisoformat(counts["labelled"][edge]) for edge in ("from", "to"))
    # Three came in that time, and two lack: in two thirds of it.
    due = datetime.fromisoformat(counts["observed_until"]) + (last - first) * 2 / 3
    days = round((last - first) / timedelta(days=1))
    told = f"2 more that convert, at the pace so far (3 in {days} days) about {due:%Y-%m-%d}"
    assert re.search(r"outcome is known 3 convert and 2\d\d have a snapshot that doesn't", outcome.text)
    assert f"at least 5 of each are needed: {told}. What helps:" in outcome.text
    doctor = project.run("doctor")
    assert doctor.code == 6
    assert f"30d: {told}" in doctor.text


def test_what_can_be_trained_and_not_judged_is_odd_and_not_wrong(tmp_path: Path) -> None:
    """Of a horizon of 120 days labels are known of 80 days: at no moment was a label settled, and another asked for."""
    project = write_log(tmp_path, 25, horizon="120d")
    assert project.ingest().code == 0
    doctor = project.run("doctor")
    assert doctor.code == 0, doctor.text
    assert "the horizon of 120d can be trained, but not judged on later time: the log is too short" in doctor.text
    assert "set snapshots.horizon to 90d, or bring a longer log" in doctor.text
    outcome = project.run("run")
    assert outcome.code == 0, outcome.text
    assert "not judged on later time" in (tmp_path / "reports/summary.txt").read_text()


@pytest.mark.parametrize(
    ("converting", "others", "told"),
    [
        (5, 5, None),
        (900, 412, None),
        # Two more, where three came in 180 days: in 120 days.
        (3, 412, "2 more that convert, at the pace so far (3 in 180 days) about 2027-03-10"),
        (0, 412, "5 more that convert, there is none so far, so nobody can say when"),
        (412, 1, "4 more that don't, at the pace so far (1 in 180 days) about 2028-10-30"),
        (
            4,
            3,
            BOTH,
        ),
    ],
)
def test_what_lacks_is_counted_and_the_pace_says_when_it_is_there(
    converting: int, others: int, told: str | None
) -> None:
    assert told_of_lack(converting, others, 5, Pace(180.0, UNTIL)) == told


def test_without_a_pace_no_day_is_named() -> None:
    assert told_of_lack(3, 412, 5) == "2 more that convert"


@pytest.mark.parametrize(
    ("days", "minimum", "told"),
    [
        (0.0, 5, "all were looked at within a day, which says nothing of when"),
        (0.9, 5, "all were looked at within a day, which says nothing of when"),
        (180.0, 1_000_000_000, "at the pace so far (1 in 180 days) not within a hundred years"),
    ],
)
def test_a_day_that_nothing_says_is_not_named(days: float, minimum: int, told: str) -> None:
    lack = told_of_lack(1, minimum, minimum, Pace(days, UNTIL))
    assert lack == f"{minimum - 1:,} more that convert, {told}"


@pytest.mark.parametrize(("converting", "is_told"), [(1, False), (9, False), (10, True), (91, False)])
def test_the_newest_origin_has_figures_where_ten_leads_convert_and_ten_do_not(converting: int, is_told: bool) -> None:
    leads = np.repeat(np.arange(100), 3)  # rows of one lead repeat each other
    labels = (leads < converting).astype(float)
    probabilities = np.random.default_rng(1).uniform(0.1, 0.9, len(leads))
    assert bool(of_newest(labels, probabilities, leads, replicates=10)) == is_told
