"""How often the verdicts are right: worlds drawn so that it is known whether a model of them is one.

Honest worlds differ in size, in signal, in how often a lead is looked at, in growth and in season: none of them may
be called wrong. In the others something is amiss that must be called wrong, or told: labels that nothing foretells, a
world that turns over before it is judged, a share of conversions that leaves its range, a column written afterwards.
Each is judged as it is in use: at origins, by the models of what was settled by then, and by the one learned from all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.findings import Finding, Progress
from models.core.model import Model
from models.core.slices import Slice
from models.core.verdicts import Verdict
from models.evaluation.checks import Facts, check
from models.evaluation.leaks import columns_that_know
from models.evaluation.metrics import Estimate, evaluate
from models.learning.backtest import Foretold, backtest
from models.learning.learner import Recipe, learn
from models.learning.origins import Origin

WORLDS = 30
"""Of each kind."""
FEATURES = 6
QUICK: dict[str, bool | float | str] = {"learning_rate": 0.25, "early_stopping_round": 15}
_LEAST_RIGHT = 0.9
START, LENGTH, REACH = pd.Timestamp("2026-01-01"), timedelta(days=300), timedelta(days=10)
"""When a world begins, how long it lasts, and how long after a look its label is settled."""
TURNS, JUDGED = 0.62, (0.75, 0.85, 0.95)
"""When a world turns over, and its origins, in its time, which goes from 0 to 1. Shares rise with the first origin."""
EXPECTED: dict[str, set[str]] = {
    "honest": set(),
    "honest, small": set(),
    "honest, growing": set(),
    "labels at random": {"worse_than_base_rate", "ranks_like_a_coin"},
    "turns over": {"slope_at_bound", "ranks_like_a_coin", "worse_than_base_rate", "same_for_everyone"},
    "rises, no signal": {"ranks_like_a_coin", "worse_than_base_rate", "same_for_everyone"},
    "rises": {"promises_not_kept", "base_rate_drift"},
    "another population": {"feature_drift"},
    "a column that knows": {"column_knows_outcome"},
}
"""The verdicts of which at least one must be given, by kind of world; of an honest one none may say wrong."""


@dataclass(frozen=True)
class World:
    """What became of one drawn world."""

    kind: str
    seed: int
    verdicts: list[Verdict]

    @property
    def is_accused(self) -> bool:
        """Whether anything is called wrong."""
        return any(verdict.severity == "wrong" for verdict in self.verdicts)

    @property
    def is_right(self) -> bool:
        """Whether an honest world is left in peace, or what is amiss is named."""
        expected = EXPECTED[self.kind]
        return not self.is_accused if not expected else any(verdict.code in expected for verdict in self.verdicts)


def of_verdicts(progress: Progress, scale: float = 1.0) -> Iterator[Finding]:
    """Draw and judge worlds of each kind: tell how many honest ones are accused, and how many others are found out."""
    count = max(round(WORLDS * scale), 2)
    for kind, expected in EXPECTED.items():
        progress(f"verdicts on {count:,} drawn worlds: {kind}")
        share = sum(World(kind, seed, judge_world(kind, seed)).is_right for seed in range(count)) / count
        what = "found out" if expected else "not called wrong"
        yield Finding.within(f"verdicts on drawn worlds, {kind}: {what}", share, _LEAST_RIGHT, 1.0)


def judge_world(kind: str, seed: int) -> list[Verdict]:
    """Draw a world, train a model on it, and look for what is wrong."""
    draw = np.random.default_rng([seed, *kind.encode()])
    frame, labels, leads, time = _rows(kind, draw)
    rows, as_of = Slice(frame, labels, leads), _moments(time)
    recipe = Recipe(list(frame.columns), ["kind"], QUICK, minimum_conversions=5, seed=seed, num_threads=1)
    bounds = [pd.Timestamp(moment) for moment in _moments(np.array([*JUDGED, 1.0]))]
    origins = [Origin(moment, until) for moment, until in pairwise(bounds)]
    foretold = backtest(rows, as_of, origins, REACH, recipe)
    facts = _facts(learn(rows, recipe)[0], rows, as_of, foretold, seed)
    return [*check(facts), *_columns(kind, labels, leads, as_of, draw)]


def _facts(model: Model, rows: Slice, as_of: NDArray[np.datetime64], foretold: Sequence[Foretold], seed: int) -> Facts:
    """Gather what was foretold from all origins; the rows are in the order of time."""
    origins = [one.origin for one in foretold if one.origin is not None]
    later = rows.take(np.concatenate([np.flatnonzero(origin.foretold(as_of)) for origin in origins]))
    promised = np.concatenate([one.probabilities for one in foretold])
    known = [rows.take(origin.settled(as_of, REACH)) for origin in origins]
    sizes = [len(one.labels) for one in foretold]
    auc = evaluate(later.labels, promised, later.leads, replicates=100, seed=seed)["roc_auc"]
    return Facts(
        model=model,
        learned=known[0],
        later=later,
        promised=promised,
        base_rates=np.repeat([one.labels.mean() for one in known], sizes),
        latest_rates=np.repeat([one.labels[-(len(one.labels) // 4) :].mean() for one in known], sizes),
        roc_auc=Estimate(auc.value, auc.low, auc.high),
    )


def _moments(time: NDArray[np.float64]) -> NDArray[np.datetime64]:
    return np.asarray(START.to_datetime64() + (time * np.timedelta64(LENGTH)).astype("timedelta64[us]"))


def _rows(
    kind: str, draw: np.random.Generator
) -> tuple[pd.DataFrame, NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Draw rows in the order of time: features, labels, leads and times."""
    count = int(draw.integers(500, 800) if kind == "honest, small" else draw.integers(1_500, 5_000))
    looks = draw.integers(1, 5, count)
    leads = np.repeat(np.arange(count), looks)
    begin = draw.random(count)[leads]
    time = np.minimum(begin + draw.exponential(0.03, len(leads)), 0.999999)
    order = np.argsort(time, kind="stable")
    leads, time, begin = leads[order], time[order], begin[order]
    own = draw.normal(0, 1, (count, FEATURES))
    values = own[leads] + draw.normal(0, 0.5, (len(leads), FEATURES))
    texts = draw.choice(["a", "b", "c"], count)[leads]
    base = float(draw.uniform(0.08, 0.25))
    strength = float(draw.uniform(0.5, 1.2))
    is_late = time >= JUDGED[0]
    signal = strength * (values[:, 0] - 0.6 * values[:, 1] + 0.4 * (texts == "a"))
    level = np.full(len(time), np.log(base / (1 - base))) + 0.2 * np.sin(6.28 * time)
    if kind in ("labels at random", "rises, no signal"):
        signal = np.zeros(len(time))
    if kind == "turns over":
        signal = np.where(time >= TURNS, -signal, signal)
    if kind in ("rises", "rises, no signal"):
        level = np.where(is_late, 0.0, np.log(0.06 / 0.94)) + (0 if kind == "rises" else -0.5 * is_late)
    # The rows of a lead hang together: half of the luck is the lead's own.
    luck = np.where(draw.random(len(time)) < 0.5, draw.random(count)[leads], draw.random(len(time)))
    labels = (luck < 1 / (1 + np.exp(-level - signal))).astype(np.float64)
    if kind == "another population":
        values[is_late, 2] += 6.0
    grown = (time - begin) + (2.0 * time if kind == "honest, growing" else 0.0) * draw.random(len(time))
    frame = pd.DataFrame(values, columns=[f"x{number}" for number in range(FEATURES)])
    return frame.assign(age=grown, kind=texts), labels, leads, time


def _columns(
    kind: str,
    labels: NDArray[np.float64],
    leads: NDArray[np.int64],
    as_of: NDArray[np.datetime64],
    draw: np.random.Generator,
) -> list[Verdict]:
    """Judge two attributes of the leads: one that is worth something, and one that may be written after the outcome."""
    rows = (
        pd.DataFrame({"lead": leads, "label": labels, "as_of": as_of})
        .groupby("lead")
        .agg({"label": "max", "as_of": "min"})
    )
    converted = rows["label"].to_numpy(dtype=bool)
    honest = pd.Series(0.8 * converted + draw.normal(0, 1, len(rows)))
    knows = pd.Series((2.0 if kind == "a column that knows" else 0.5) * converted + draw.normal(0, 1, len(rows)))
    created = rows["as_of"].reset_index(drop=True)
    return list(
        columns_that_know({"one": honest, "other": knows}, {"one": "number", "other": "number"}, converted, created)
    )
