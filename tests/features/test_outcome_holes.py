"""Months without recorded conversions: found where they were planted, and no honest company is accused."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from companies import snapshots_of, write_company
from numpy.typing import NDArray
from small_project import SmallProject

from features.timeline.outcome_holes import OutcomeHole, find_holes
from features.timeline.recording import Lives

START, DAY = datetime(2023, 1, 2), timedelta(days=1)
NEVER = 9e5
Floats = NDArray[np.float64]


def holes_of(created: Floats, at: Floats, until: float, hole: tuple[float, float] = (0, 0)) -> list[OutcomeHole]:
    """Look for holes in a log of leads that convert ``at`` some time; what lies in ``hole`` was not recorded."""
    return find_holes(lives_of(created, at, until, hole), START + until * DAY)


def lives_of(created: Floats, at: Floats, until: float, hole: tuple[float, float]) -> list[Lives]:
    seen = (at < until) & ((at < hole[0]) | (at >= hole[1]))
    times = {"started_at": created, "outcome_at": np.where(seen, at, np.nan)}
    frame = pd.DataFrame({name: START + pd.to_timedelta(days, unit="D") for name, days in times.items()})
    return [Lives.of(frame.astype("datetime64[us]"), pd.Series(seen))]


def day(number: float) -> date:
    return (START + number * DAY).date()


def test_the_chance_is_the_one_that_is_counted_by_hand() -> None:
    """On each of 100 days, but for 50 in the middle, one of two leads converts at the age of half a day."""
    created = np.repeat(np.arange(150.0), 2)
    at = created + np.tile([0.5, NEVER], 150)
    (hole,) = holes_of(created, at, 200, hole=(50, 100))
    assert (hole.first, hole.last) == (day(50), day(99))
    # All 300 leads reach that age, 100 of them in the hole: none of 100 conversions falls there, of 99 silences.
    assert hole.expected == pytest.approx(100 * 100 / 200)
    assert hole.log_chance == pytest.approx(math.log(99) + 100 * math.log(1 - 1 / 3))


def test_conversions_of_one_day_count_as_one() -> None:
    created = np.repeat(np.arange(0.0, 150, 10), 20)
    at = created + np.tile([0.5] * 10 + [NEVER] * 10, 15)
    assert holes_of(created, at, 200, hole=(50, 100)) == []


def test_a_shorter_silence_is_a_holiday() -> None:
    created = np.repeat(np.arange(400.0), 2)
    at = created + np.tile([0.5, NEVER], 400)
    assert holes_of(created, at, 450, hole=(50, 91)) == []
    assert len(holes_of(created, at, 450, hole=(50, 92))) == 1


def test_what_came_before_the_record_began_is_no_silence_of_it() -> None:
    created = np.repeat(np.arange(300.0), 2)
    at = created + np.tile([0.5, NEVER], 300)
    at[(at > 10) & (at < 100)] = NEVER
    lives = lives_of(created, at, 350, (0, 0))
    until = START + 350 * DAY
    assert [hole.first for hole in find_holes(lives, until)] == [day(10)]
    assert find_holes(lives, until, since=START + 100 * DAY) == []


def test_days_on_which_nothing_is_expected_count_for_nothing() -> None:
    created = np.repeat(np.arange(300.0), 2)
    lives = lives_of(created, created + np.tile([0.5, NEVER], 300), 350, (50, 150))
    until = START + 350 * DAY
    (hole,) = find_holes(lives, until)
    (half,) = find_holes(lives, until, closed=[(day(40), day(99))])
    assert hole.expected == pytest.approx(200 * 200 / 400)
    # Of 300 days 240 are open, 50 of them in the hole, and 190 conversions fall on such days.
    assert half.expected == pytest.approx(190 * 100 / 380)
    assert find_holes(lives, until, closed=[(day(40), day(120)), (day(121), day(160))]) == []


def drawn(seed: int, kind: str) -> tuple[Floats, Floats, float]:
    """Draw a company: when its leads come, when they convert, and how many days it lasts.

    It wins 20 to 3,000 of them in one to three years, soon or late, and has its ways.
    """
    random = np.random.default_rng([seed, *kind.encode()])
    days = float(random.choice([365, 550, 730, 1095] if kind != "rests for a season" else [850, 1095]))
    rate = random.uniform(0.02, 0.4)
    leads = int(np.exp(random.uniform(np.log(20), np.log(3_000))) / rate)
    created = days * random.uniform(0, 1, leads) ** (0.5 if kind == "grows" else 1.0)
    takes = random.choice([5, 20, 60, 150]) * random.lognormal(0, 1, leads)
    at = np.where(random.random(leads) < rate, created + takes, NEVER)
    won, phase = at < NEVER, random.random()
    if kind == "sells in season":
        high = (1 + 0.5 * np.sin(2 * np.pi * (np.where(won, at, 0) / 365 + phase))) / 1.5
        at[random.random(leads) > high] = NEVER
    elif kind == "signs at the end of a month":
        at[won] = 30 * np.ceil(at[won] / 30)
    elif kind == "signs at the end of a quarter":
        late = won & (random.random(leads) < 0.8)
        at[late] = 91 * np.ceil(at[late] / 91)
    elif kind == "has weekends":
        weekend = won & (at // 1 % 7 >= 5)
        at[weekend] = 7 * np.ceil(at[weekend] / 7) + random.random(int(weekend.sum()))
    elif kind.startswith("rests"):
        length = random.uniform(14, 38) if kind == "rests" else random.uniform(42, 90)
        into = (at - phase * (365 - length)) % 365
        resting = won & (into < length)
        back = at + length - into + random.exponential(5, leads)
        at[resting] = np.where(random.random(leads) < 0.5, back, NEVER)[resting]
    return created, at, days


KINDS = [
    "steady", "grows", "sells in season", "signs at the end of a month", "signs at the end of a quarter",
    "has weekends", "rests", "rests for a season",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_an_honest_company_is_not_accused(kind: str) -> None:
    assert sum(bool(holes_of(*drawn(seed, kind))) for seed in range(100)) <= 1


@pytest.mark.parametrize("kind", ["steady", "grows", "sells in season", "has weekends", "rests"])
def test_a_hole_of_three_months_is_found_where_many_conversions_are_lost(kind: str) -> None:
    found = lost = 0
    for seed in range(100):
        created, at, days = drawn(seed, kind)
        begin = days / 3
        missed = ((at >= begin) & (at < begin + 91)).sum()
        if missed >= 30:
            lost += 1
            holes = holes_of(created, at, days, (begin, begin + 91))
            found += any(abs((hole.first - day(begin)).days) < 14 and hole.expected > missed / 3 for hole in holes)
    assert lost >= 20
    assert found >= 0.9 * lost


def test_two_holes_are_found() -> None:
    created = np.random.default_rng(0).uniform(0, 1_000, 4_000)
    at = created + 50.0
    at[(at >= 200) & (at < 290)] = NEVER
    found = holes_of(created, at, 1_000, (600, 700))
    assert [(hole.first, hole.last) for hole in found] == [(day(200), day(289)), (day(600), day(699))]


def test_a_season_that_comes_back_each_year_is_none() -> None:
    created = np.random.default_rng(0).uniform(0, 800, 4_000)
    at = created + 50.0
    resting = (at % 365 >= 200) & (at % 365 < 260)
    at[resting] = NEVER
    assert holes_of(created, at, 800) == []
    assert [hole.first for hole in holes_of(created, at, 500)] == [day(200)]


def lacking(project: SmallProject) -> list[dict[str, Any]]:
    """Give the verdicts on holes, as the list of a run holds them."""
    listed = json.loads((project.root / "reports/verdicts.json").read_text())["verdicts"]
    return [verdict for verdict in listed if verdict["code"] == "outcomes_lack"]


def test_a_hole_is_told_by_all_who_tell_verdicts_and_acquitted_by_name(tmp_path: Path) -> None:
    project = SmallProject(tmp_path / "project")
    happened, _ = write_company(project, since=0)
    recorded, _ = write_company(project, since=0, hole=(150, 240))
    told, counts, _ = snapshots_of(project)
    (hole,) = counts["outcome_holes"]  # on the two days before it nobody happened to convert
    assert (hole["source"], hole["first"], hole["last"]) == ("deals", "2025-10-27", "2026-01-26")
    assert "warning: deals: no conversion from 2025-10-27 to 2026-01-26 (92 days), where " in told
    assert 0.8 * (happened - recorded) < hole["expected"] < 1.25 * (happened - recorded)
    assert hole["told"] in project.run("doctor").text
    set_of_run(project, {})
    assert [project.run(stage).code for stage in ("features", "train", "evaluate")] == [0, 0, 0]
    assert json.loads((project.root / "data/training.json").read_text())["may_shift"] is False
    (verdict,) = lacking(project)
    assert (verdict["severity"], verdict["subject"]) == ("doubtful", "deals")
    assert hole["told"] in verdict["evidence"]
    assert "observed_from: '2026-01-27'" in verdict["remedy"]
    assert "closed_days, as in [['2025-10-27', '2026-01-26']]" in verdict["remedy"]
    set_of_run(project, {"acquitted": {"outcomes_lack:deals": "the office had burnt down"}})
    assert project.run("evaluate").code == 0
    assert [verdict["acquitted"] for verdict in lacking(project)] == ["the office had burnt down"]


def set_of_run(project: SmallProject, evaluate: dict[str, Any]) -> None:
    """Set what the small company needs beside the log; draw little."""
    path = project.root / "params.yaml"
    content = yaml.safe_load(path.read_text())
    content["evaluate"] = {"replicates": 20} | evaluate
    content["train"] = {"minimum_conversions": 5, "parameters": {"num_iterations": 30}}
    path.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    "deals", [{"observed_from": "2026-01-27"}, {"closed_days": [["2025-10-29", "2026-01-26"]]}, {"quiet": True}]
)
def test_what_a_source_states_is_no_hole(tmp_path: Path, deals: dict[str, Any]) -> None:
    project = SmallProject(tmp_path / "project")
    write_company(project, since=0, hole=(150, 240))
    _, counts, _ = snapshots_of(project, **deals)
    assert counts["outcome_holes"] == []


def test_a_hole_before_the_labels_begin_is_none_of_theirs(tmp_path: Path) -> None:
    project = SmallProject(tmp_path / "project")
    write_company(project, since=0, hole=(150, 240))
    for start, holes in (("2026-01-26", 1), ("2026-01-27", 0)):
        snapshots_of(project)
        content = yaml.safe_load((project.root / "params.yaml").read_text())
        content["snapshots"]["start"] = start
        (project.root / "params.yaml").write_text(yaml.safe_dump(content))
        assert project.run("snapshots").code == 0
        assert len(json.loads((project.root / "data/snapshots.json").read_text())["outcome_holes"]) == holes
