"""How often names come and go on the list of sales from night to night, with and without the bonus for who is on it.

A lead flaps where it leaves the list and is back within seven nights. What the bonus costs is counted in expected
conversions of the lists of Mondays, by p_observable, without the noise of what happened.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc
import yaml

from benchmarks.findings import Finding, Progress
from benchmarks.measurement import ROOT
from models.core.model import Model
from pipeline import features, train
from pipeline.core.project import Project, read_json
from pipeline.ingest import stage as ingest
from pipeline.sample import write_sample
from pipeline.scoring.earlier import Earlier
from pipeline.scoring.open_leads import recommend
from pipeline.settings.file import load_parameters
from pipeline.settings.parameters import Parameters
from pipeline.snapshots import stage as snapshots

LEADS, SEEDS, NIGHTS = 12_000, (1, 2, 3), 28
WITHIN = timedelta(days=7)
MOST_FLAPS, MOST_LOST = 0.5, 0.02
"""What is left of the flaps at most, and which share of the expected conversions is lost."""
_NO_BONUS = 0.0


@dataclass(frozen=True)
class Nights:
    """The lists of many nights: how often leads flap, and what those of Mondays bring."""

    flaps: int
    expected: float


def flaps(lists: Mapping[date, frozenset[str]]) -> int:
    """Count how often a lead left the list and was back within seven nights; days without a list are left out.

    >>> a, b = frozenset("a"), frozenset("b")
    >>> flaps({date(2026, 3, 2): a, date(2026, 3, 3): b, date(2026, 3, 9): a, date(2026, 3, 17): b})
    1
    """
    last_on: dict[str, date] = {}
    before: frozenset[str] = frozenset()
    count = 0
    for day, called in sorted(lists.items()):
        count += sum(lead in last_on and day - last_on[lead] <= WITHIN for lead in called - before)
        last_on |= dict.fromkeys(called, day)
        before = called
    return count


def write_world(folder: Path, seed: int, leads: int) -> Project[Parameters]:
    """Draw a world and train a model of it; nobody is explained, no origin is judged."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["train"] |= {"origins": 0, "other_horizons": []}
    content["recommend"]["reasons_for"] = []
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    write_sample(folder / content["data_root"], leads=leads, seed=seed, truth=True)
    project = Project(folder, load_parameters(folder / "params.yaml"))
    for stage in (ingest, snapshots, features, train):
        stage.run(project, lambda _: None)
    return project


def follow(project: Project[Parameters], nights: Sequence[datetime], stay: float) -> Nights:
    """Make the list of each night (midnights, UTC), each with the one before it in mind."""
    decision = project.parameters.decision.model_copy(update={"stay": stay})
    project = Project(project.root, project.parameters.model_copy(update={"decision": decision}))
    truth = pd.read_parquet(
        project.root / project.parameters.data_root / "truth.parquet", columns=["lead_id", "as_of", "p_observable"]
    )
    model, lists, called, expected = Model.load(project.model), {}, frozenset[str](), 0.0
    for night in nights:
        table, _, decided = recommend(project, model, night, lambda _: None, Earlier(called))
        if not decided.is_working_day:
            continue
        called = frozenset(table.filter(pc.equal(table["list"], "sales"))["lead_id"].to_pylist())
        lists[decided.day] = called
        known = truth[(truth["as_of"] == night) & truth["lead_id"].isin(called)]
        expected += float(known["p_observable"].sum())
    return Nights(flaps(lists), expected)


def of_flapping(progress: Progress, scale: float = 1.0) -> Iterator[Finding]:
    """Compare the nights before the end of the log, of which the model has not learned how they went on."""
    without, with_bonus = [], []
    for seed in SEEDS[: max(1, round(len(SEEDS) * scale))]:
        with tempfile.TemporaryDirectory() as folder:
            project = write_world(Path(folder), seed, max(3_000, int(LEADS * scale)))
            end = datetime.fromisoformat(read_json(project.snapshot_counts)["log_until"]).replace(
                hour=0, minute=0, second=0, microsecond=0
            )
            nights = [end - timedelta(days=back) for back in reversed(range(NIGHTS))]
            without.append(follow(project, nights, _NO_BONUS))
            with_bonus.append(follow(project, nights, project.parameters.decision.stay))
        progress(f"lists of {NIGHTS} nights, seed {seed}: {without[-1]} without a bonus, {with_bonus[-1]} with it")
    left = sum(one.flaps for one in with_bonus) / sum(one.flaps for one in without)
    lost = 1.0 - sum(one.expected for one in with_bonus) / sum(one.expected for one in without)
    what = "of the leads that left the list and were back within seven nights, those left by the bonus for who is on it"
    yield Finding(what, left, f"at most {100 * MOST_FLAPS:g} %", left <= MOST_FLAPS)
    what = "expected conversions of the lists that the bonus costs"
    yield Finding(what, lost, f"at most {100 * MOST_LOST:g} %", lost <= MOST_LOST)
