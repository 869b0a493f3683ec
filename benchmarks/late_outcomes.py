"""Conversions expected and conversions that happened, in drawn worlds whose future is known.

Outcomes become known late; the more of the leads that look open have in truth converted, the more a model promises that
has not learned from such leads. Each world is files, and goes through the real stages: it ends at a moment, the open
leads are scored there, and what they did after it was drawn with the rest. What was foretold from its origins is held
to what came of it, too.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.findings import Finding, Progress
from models.core.model import Model
from pipeline import features, train
from pipeline.core.project import Project
from pipeline.ingest import stage as ingest
from pipeline.scoring import open_leads
from pipeline.settings.parameters import Parameters
from pipeline.snapshots import stage as snapshots

START, DAY = datetime(2025, 1, 1), timedelta(days=1)
_SURPRISE = 2.64
"""Standard deviations that chance exceeds once in twenty runs of six comparisons."""
HORIZON, SETTLES_AFTER, ENDS_AFTER = 14, 100, 400
"""In days: how far the question reaches; when there are about as many old leads as ever, and so how many convert does
not change with time; and how long a log is."""


@dataclass(frozen=True)
class Kept:
    """What a model promised of some rows, and what came of them."""

    world: int
    delay: int
    """After how many days outcomes are known."""
    of: str
    """``foretold``: the snapshots from the origins on. ``scored``: the leads that are open where the log ends."""
    rows: int
    expected: float
    happened: int
    deviation: float
    """The standard deviation of their difference: of what happens by chance, rows of a lead hanging together, and of
    the level that a model has learned from what happened by chance in the rows that were settled."""

    @property
    def surprise(self) -> float:
        """How many standard deviations lie between them."""
        return (self.happened - self.expected) / self.deviation


def measure(worlds: Iterable[int], delays: Sequence[int] = (0, 7, 20), leads: int = 4_000) -> Iterator[Kept]:
    """Draw worlds by their numbers, and compare for each delay; the worlds themselves are the same for all delays."""
    for world in worlds:
        for delay in delays:
            with tempfile.TemporaryDirectory() as folder:
                yield from _measure(Path(folder), world, delay, leads)


def pooled(kept: Iterable[Kept]) -> pd.DataFrame:
    """Add up over worlds: delay, of, expected, happened, and how surprising that is, in standard deviations."""
    frame = pd.DataFrame([vars(one) | {"variance": one.deviation**2} for one in kept])
    sums = frame.groupby(["delay", "of"], as_index=False)[["rows", "expected", "happened", "variance"]].sum()
    return sums.assign(surprise=(sums["happened"] - sums["expected"]) / np.sqrt(sums["variance"]))


def of_late_outcomes(progress: Progress, scale: float = 1.0) -> Iterator[Finding]:
    """Hold expected conversions against those that happened, in ten worlds of outcomes known 0, 7 and 20 days late."""
    worlds = max(2, round(10 * scale))
    progress(f"late outcomes, {worlds} worlds")
    for row in pooled(measure(range(worlds))).itertuples():
        yield Finding(
            f"outcomes known {row.delay} days late: conversions expected of those that happened, {row.of}",
            row.expected / row.happened,
            "100 %, within sampling error",
            abs(row.surprise) < _SURPRISE,
        )


def _measure(root: Path, world: int, delay: int, leads: int) -> Iterator[Kept]:
    truth = draw_world(root / "raw", world, delay, leads)
    project = Project(root, settings())
    for stage in (ingest, snapshots, features, train):
        stage.run(project, lambda _: None)
    model = Model.load(project.model)
    matrix = pq.read_table(project.matrix).to_pandas()
    learned = matrix.assign(probability=model.predict(matrix))
    told = pq.read_table(project.foretold).to_pandas().merge(learned[["lead_id", "as_of", "label"]])
    # What an origin has learned from, the later ones have learned from as well: their levels are off together.
    level = sum(
        float(rows["probability"].sum()) * _level(learned[learned["as_of"] + (HORIZON + delay) * DAY <= origin])
        for origin, rows in told.groupby("origin")
    )
    yield _compare(world, delay, "foretold", told, level)
    as_of = START + ENDS_AFTER * DAY
    scored = open_leads.recommend(project, model, as_of, lambda _: None)[0].to_pandas()
    scored = scored[scored["probability"].notna()]  # of those that have ended nothing is foretold
    converts = scored["lead_id"].map(truth)
    label = (converts >= as_of) & (converts < as_of + HORIZON * DAY)
    level = float(scored["probability"].sum()) * _level(learned)
    yield _compare(world, delay, "scored", scored.assign(label=label), level)


def _compare(world: int, delay: int, of: str, rows: pd.DataFrame, level: float) -> Kept:
    expected = float(rows["probability"].sum())
    deviation = (_variance(rows) + level**2) ** 0.5
    return Kept(world, delay, of, len(rows), expected, int(rows["label"].sum()), deviation)


def _level(learned: pd.DataFrame) -> float:
    """Tell by which share of itself the level is off that a model has learned from these rows, by their chance."""
    return float(_variance(learned) ** 0.5 / learned["probability"].sum())


def _variance(rows: pd.DataFrame) -> float:
    """Of one row a lead it is that of its coin; of several, that of what is seen to hang together."""
    promised, came = rows["probability"], rows["label"].astype(float)
    by_lead = (came - promised).groupby(rows["lead_id"]).sum()
    return float((promised * (1 - promised)).sum()) if len(by_lead) == len(rows) else float((by_lead**2).sum())


def settings() -> Parameters:
    """Give the settings that read such a world."""
    columns = {"lead_id": "lead", "occurred_at": "at", "event_type": "what"}
    sources: dict[str, dict[str, object]] = {
        "web": {"path": "web.csv", "known_at": "as_it_occurred", "actor": "lead"},
        "outcomes": {"path": "outcomes.csv", "known_at": {"column": "seen"}, "actor": "system"},
    }
    end = (START + ENDS_AFTER * DAY).isoformat()
    return Parameters.model_validate(
        {
            "data_root": "raw",
            "ingest": {
                "sources": {name: own | {"columns": columns, "observed_until": end} for name, own in sources.items()},
                "leads": {"path": "leads.csv", "columns": {"lead_id": "lead", "created_at": "created"}},
            },
            "validate": {},
            "episodes": {"conversion": ["won"], "lost": ["lost"]},
            "snapshots": {
                "policies": [{"calendar": "monday"}],
                "start": (START + SETTLES_AFTER * DAY).date().isoformat(),
                "horizon": f"{HORIZON}d",
            },
            "features": {"windows": ["7d", "30d"]},
            "train": {
                "origins": 3,
                "minimum_conversions": 5,
                "parameters": {"num_iterations": 60, "learning_rate": 0.1, "num_leaves": 6, "min_data_in_leaf": 100},
            },
            "evaluate": {},
            "decision": {"tiers": {"mql": 0.1, "sql": 0.3}},
            "recommend": {"reasons_for": []},
            "kpi": {},
            "leads": {},
            "words": {},
        }
    )


def draw_world(folder: Path, world: int, delay: int, leads: int) -> dict[str, datetime]:
    """Write the files of a world as they are at its end; gives when leads truly convert, as far as they do.

    A lead looks at prices now and then. The keener it is, the sooner it buys, and having bought it looks no more.
    """
    random = np.random.default_rng(world)
    created = random.uniform(0, ENDS_AFTER, leads)
    keenness = random.gamma(1.5, 1 / 1.5, leads)
    buys = created + random.exponential(60, leads) / keenness
    leaves = created + random.exponential(90, leads)
    known = np.minimum(buys, leaves) + delay
    folder.mkdir(parents=True)
    with (
        (folder / "leads.csv").open("w", newline="") as people,
        (folder / "web.csv").open("w", newline="") as web,
        (folder / "outcomes.csv").open("w", newline="") as outcomes,
    ):
        people_, web_, outcomes_ = csv.writer(people), csv.writer(web), csv.writer(outcomes)
        people_.writerow(["lead", "created"])
        web_.writerow(["lead", "at", "what"])
        outcomes_.writerow(["lead", "at", "what", "seen"])
        for lead in range(leads):
            people_.writerow([f"L{lead:05}", _moment(created[lead])])
            last = min(buys[lead], leaves[lead], ENDS_AFTER)
            looks = np.sort(
                random.uniform(created[lead], last, random.poisson((last - created[lead]) * keenness[lead] / 8))
            )
            web_.writerows([f"L{lead:05}", _moment(look), random.choice(["price", "page"])] for look in looks)
            if known[lead] < ENDS_AFTER:
                what = "won" if buys[lead] < leaves[lead] else "lost"
                outcomes_.writerow([f"L{lead:05}", _moment(known[lead] - delay), what, _moment(known[lead])])
    return {f"L{lead:05}": START + buys[lead] * DAY for lead in np.flatnonzero(buys < leaves)}


def _moment(days: float) -> str:
    return (START + days * DAY).isoformat(sep=" ", timespec="microseconds")


if __name__ == "__main__":
    print(pooled(measure(range(10))).to_string(index=False))
