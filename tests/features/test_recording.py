"""From when on outcomes were recorded: found where it was planted, and nobody else is accused."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from companies import DAY, START, moment, snapshots_of, write_company
from numpy.typing import NDArray
from raw_logs import source_of
from small_project import SmallProject

from features.timeline.outcome_holes import find_holes
from features.timeline.recording import CHANCE, Lives, Recording, find_start


def episodes_of(
    created: NDArray[np.float64], lasting: NDArray[np.float64], until: float, *, recorded_from: float = 0
) -> list[Lives]:
    """Give leads that convert after some days, as a log shows them that begins to record it later."""
    at = created + lasting
    seen = (at >= recorded_from) & (at < until)
    keep = created < until
    times = {"started_at": created, "outcome_at": np.where(seen, at, np.nan)}
    frame = pd.DataFrame({name: START + pd.to_timedelta(days, unit="D") for name, days in times.items()})
    return [Lives.of(frame[keep].astype("datetime64[us]"), pd.Series(seen)[keep])]


def start_of(created: NDArray[np.float64], lasting: NDArray[np.float64], until: float, since: float = 0) -> Recording:
    found = find_start(episodes_of(created, lasting, until, recorded_from=since), START + until * DAY)
    assert found is not None
    return found


def test_the_chance_is_the_one_that_is_counted_by_hand() -> None:
    """Ten leads convert at the age of one day, each on a day of its own; as many reached that age before the first."""
    created = np.concatenate([np.arange(10) / 10, 20.0 + np.arange(10)])
    lasting = np.concatenate([np.full(10, 999.0), np.full(10, 1.0)])
    found = start_of(created, lasting, 40)
    # At the first conversion 20 leads reach the age, 10 of them before it; and so for all ten, of ten leads later.
    assert (found.first, found.conversions) == (START + 21 * DAY, 10)
    assert (found.expected, found.chance) == pytest.approx((10 * (1 - math.exp(-1)), 0.5**10))


@pytest.mark.parametrize("seed", range(3))
def test_leads_that_come_in_parts_say_the_same_as_all_at_once(seed: int) -> None:
    random = np.random.default_rng(seed)
    created, lasting = random.uniform(0, 365, 2_000), random.exponential(150, 2_000)
    [whole] = episodes_of(created, lasting, 365, recorded_from=150)
    cuts = sorted(random.integers(0, len(whole.started), 4))
    parts = [Lives(*columns) for columns in zip(*(np.split(column, cuts) for column in whole), strict=True)]
    assert len(parts) == 5
    until = START + 365 * DAY
    assert find_start(parts, until) == find_start([whole], until)
    assert find_holes(parts, until) == find_holes([whole], until)


def test_conversions_of_one_day_count_as_one() -> None:
    created = np.concatenate([np.arange(10) / 10, np.full(10, 20.0)])
    lasting = np.concatenate([np.full(10, 999.0), np.full(10, 1.0)])
    assert start_of(created, lasting, 40).chance == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(5))
def test_a_start_that_was_planted_is_found_to_the_day_or_so(seed: int) -> None:
    random = np.random.default_rng(seed)
    created, lasting = random.uniform(0, 365, 3_000), random.exponential(150, 3_000)
    found = start_of(created, lasting, 365, since=183)
    unseen = (created + lasting < 183).sum()
    assert found.chance < CHANCE / 1_000
    assert 183 <= (found.first - START) / DAY + 1 < 186
    assert 0.8 * unseen < found.expected < 1.25 * unseen


def with_strays(
    created: NDArray[np.float64], lasting: NDArray[np.float64], days: list[int], since: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add a lead for each day, which converted then; of the others, those that did before ``since`` are not seen."""
    lasting = np.where(created + lasting < since, 9e5, lasting)
    return np.append(created, np.array(days) - 9.0), np.append(lasting, np.full(len(days), 9.5))


@pytest.mark.parametrize("days", [[40], [20, 90, 140], [30, 30, 31, 160, 170], list(range(15, 180, 16))])
@pytest.mark.parametrize("seed", range(5))
def test_a_few_strays_do_not_hide_the_start(days: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    created, lasting = random.uniform(0, 365, 3_000), random.exponential(150, 3_000)
    unseen = (created + lasting < 183).sum()
    found = start_of(*with_strays(created, lasting, days, since=183), 365)
    assert found.chance < CHANCE / 1_000
    assert 183 <= (found.first - START) / DAY + 1 < 186
    assert found.before == len(days)
    assert 0.8 * unseen < found.expected < 1.25 * unseen


def test_the_chance_of_a_stray_is_bounded_as_by_hand() -> None:
    """A hundred convert, each on a day of its own, after a hundred others had reached their age: of these, one did."""
    created = np.concatenate([np.arange(100) / 100, 100.0 + np.arange(100)])
    lasting = np.concatenate([[1.0], np.full(99, 999.0), np.full(100, 1.0)])
    found = start_of(created, lasting, 300)
    assert (found.first, found.before, found.conversions) == (START + 101 * DAY, 1, 101)
    # Each of 101 falls before with chance 1/2: at most one does with 102 / 2^101, which the bound must not undercut.
    bound = 101 * 0.5 * (101 * 0.5 / 100) ** 100
    assert found.chance == pytest.approx(bound)
    assert 102 * 0.5**101 < bound < 3 * 102 * 0.5**101


def test_a_tenth_of_what_is_expected_is_no_stray() -> None:
    """A company that converts one lead in eight of what it converts later is believed, however certain that is."""
    random = np.random.default_rng(0)
    created, lasting = random.uniform(0, 365, 9_000), random.exponential(150, 9_000)
    early = created + lasting < 183
    lasting = np.where(early & (random.random(9_000) > 1 / 8), 9e5, lasting)
    assert start_of(created, lasting, 365).chance > CHANCE


def tripling(created: NDArray[np.float64], lasting: NDArray[np.float64]) -> NDArray[np.float64]:
    """Let the rate at which leads convert rise by a factor of 3 within 365 days."""
    growth = math.log(3) / 365
    return np.log(np.exp(growth * created) + growth * lasting) / growth - created


def accused(draws: int, draw: str) -> int:
    count = 0
    for seed in range(draws):
        random = np.random.default_rng(seed)
        created = random.uniform(0, 300, 1_500)
        lasting = {
            "at any time": random.exponential(400, 1_500),
            "after half a year": random.normal(170, 10, 1_500),
            "seldom": random.exponential(20_000, 1_500),
            "a few at once": np.where(random.random(1_500) < 0.2, random.lognormal(3, 1, 1_500), 9e5),
            "at the end of a month": 30 * np.ceil((created + random.exponential(60, 1_500)) / 30) - created,
            "ever more": tripling(created, random.exponential(400, 1_500)),
            "ever more, seldom": tripling(created, random.exponential(10_000, 1_500)),
        }[draw]
        found = find_start(episodes_of(created, lasting, 300), START + 300 * DAY)
        count += found is not None and found.chance < CHANCE
    return count


@pytest.mark.parametrize(
    "draw",
    [
        "at any time",
        "after half a year",
        "seldom",
        "a few at once",
        "at the end of a month",
        "ever more",
        "ever more, seldom",
    ],
)
def test_an_honest_company_is_not_accused(draw: str) -> None:
    assert accused(200, draw) <= 2


def test_before_outcomes_were_recorded_there_is_no_label_and_it_is_told(tmp_path: Path) -> None:
    project = SmallProject(tmp_path / "project")
    conversions, unseen = write_company(project, since=183)
    told, counts, snapshots = snapshots_of(project)
    start = counts["outcomes_from"]["deals"]
    assert start["observed_from"] == "2025-12-01T00:00:00"
    assert (start["stated"], start["conversions"]) == (False, conversions)
    assert start["chance"] < 1e-9
    assert 0.8 * unseen < start["expected_before"] < 1.25 * unseen
    assert "deals: no conversion before 2025-12-01" in told
    assert "ingest.sources.deals.observed_from" in told
    early = snapshots["as_of"] < datetime(2025, 12, 1)
    assert counts["unlabelled"]["unobserved"] == early.sum() > 1_000
    assert set(snapshots.loc[early, "unlabelled"]) == {"unobserved"}
    assert snapshots.loc[early, "label"].isna().all()
    assert counts["labelled"]["from"] == snapshots.loc[snapshots["label"].notna(), "as_of"].min().isoformat()
    assert snapshots.loc[~early & (snapshots["as_of"] < datetime(2026, 4, 1)), "label"].notna().all()


@pytest.mark.parametrize(("strays", "words"), [(1, "1 conversion before"), (3, "3 conversions before")])
def test_strays_before_the_start_are_told(tmp_path: Path, strays: int, words: str) -> None:
    project = SmallProject(tmp_path / "project")
    _, unseen = write_company(project, since=183, strays=strays)
    told, counts, snapshots = snapshots_of(project)
    start = counts["outcomes_from"]["deals"]
    assert (start["observed_from"], start["conversions_before"]) == ("2025-12-01T00:00:00", strays)
    assert 0.8 * unseen < start["expected_before"] < 1.25 * unseen
    assert f"deals: {words} 2025-12-01, far fewer than the {start['expected_before']:,.0f} expected" in told
    assert snapshots.loc[snapshots["as_of"] < datetime(2025, 12, 1), "label"].isna().all()


def test_what_a_source_states_is_believed(tmp_path: Path) -> None:
    project = SmallProject(tmp_path / "project")
    write_company(project, since=183)
    told, counts, _ = snapshots_of(project, observed_from="2025-06-01")
    assert counts["outcomes_from"]["deals"]["stated"]
    assert "conversions are observed from 2025-06-01 on, as stated" in told
    assert "unobserved" not in counts["unlabelled"]
    _, counts, snapshots = snapshots_of(project, observed_from="2026-01-15")
    assert counts["unlabelled"]["unobserved"] == (snapshots["as_of"] < datetime(2026, 1, 15)).sum()


def test_losses_that_were_seldom_entered_and_late_say_nothing_of_who_had_converted(tmp_path: Path) -> None:
    project = SmallProject(tmp_path / "project")
    write_company(project, since=0)
    _, without, _ = snapshots_of(project)
    # Somebody noted six losses in the first spring, each two months after it had happened.
    losses = "".join(f"L{lead},{moment(60 + lead)},lost,{moment(120 + lead)}\n" for lead in range(6))
    project.write(lost_csv=f"lead,at,what,noted\n{losses}")
    _, counts, snapshots = snapshots_of(project, source_of("lost.csv", actor="us", known_at={"column": "noted"}))
    assert counts["observed_until"] == without["observed_until"] > "2026-05-20"
    assert counts["outcome_delay_hours"] == 0.0
    assert snapshots.loc[snapshots["label"].notna(), "as_of"].max() > datetime(2026, 4, 20)


def test_who_recorded_all_along_is_told_nothing(tmp_path: Path) -> None:
    project = SmallProject(tmp_path / "project")
    write_company(project, since=0)
    told, counts, _ = snapshots_of(project)
    assert counts["outcomes_from"] == {}
    assert "deals" not in told
    assert set(counts["unlabelled"]) == {"immature"}


def test_a_start_of_a_source_without_conversions_has_no_effect_and_is_refused(tmp_path: Path) -> None:
    project = SmallProject(tmp_path / "project")
    project.set({"log": source_of(), "web": source_of("web.csv", observed_from="2025-12-01")})
    project.write(web_csv="lead,at,what\nA,2026-01-03,visit\n")
    assert project.run("ingest").code == 0
    outcome = project.run("snapshots")
    assert outcome.code != 0
    assert "ingest.sources.web.observed_from has no effect: the source brings no conversion (won)" in outcome.text
