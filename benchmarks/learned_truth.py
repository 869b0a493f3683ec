"""How much of what could be known the procedure finds out: on sample worlds, whose truth is known, of all sizes.

The share of the attainable is free of the noise of what happened: log losses are expected ones under p_observable. Each
world is files, and goes through the real stages; it is judged at the six newest origins, as on every page.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from benchmarks.findings import Finding, Progress
from benchmarks.lists_truth import LEAST, LEAST_OF_LARGE, brought, findings_of
from benchmarks.measurement import ROOT
from models.core.encoding import numbers_of
from models.core.slices import Slice
from models.evaluation.rivals import attained, expected_loss
from models.learning.backtest import Foretold, backtest
from models.learning.ladder import losses, mean_and_error
from models.learning.learner import Fitting, Recipe, category_levels
from models.learning.origins import choose_origins
from pipeline import features, train
from pipeline.core.project import Project, read_json
from pipeline.ingest import stage as ingest
from pipeline.matrix.slices import reach_of, read_taught
from pipeline.sample import write_sample
from pipeline.settings.file import load_parameters
from pipeline.snapshots import stage as snapshots

LEADS, SEEDS = 20_000, 5
GOALS = {("lead",): 0.86, ("lead", "us"): 0.90}
"""Shares of the attainable that are aimed at, by whose acts count."""
LARGE = 200_000
"""Leads of the one world that shows what more rows bring: an hour of CPU and up to 22 GB for each of the two below."""
GOALS_OF_LARGE = {("lead",): 0.91, ("lead", "us"): 0.95}
CONVERSIONS, DRAWS = (40, 120, 300, 1_000), 20
_BASELINES_FROM = 300
"""From so many converting rows on no baseline may be better."""


@dataclass(frozen=True)
class World:
    """The matrix of a sample world: its rows, their moments (UTC), what is true of them, and the recipe for them."""

    rows: Slice
    as_of: NDArray[np.datetime64]
    likely: NDArray[np.float64]
    """The limit, p_observable: NaN where there is no truth."""
    recipe: Recipe
    foretold: Sequence[Foretold] = ()


def draw(folder: Path, seed: int, leads: int, actors: Sequence[str], *, judge: bool) -> World:
    """Draw a world and compute its matrix; where it is asked for, judge the procedure at its origins."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["features"]["actors"] = list(actors)
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    raw = folder / content["data_root"]
    if not raw.exists():
        write_sample(raw, leads=leads, seed=seed, truth=True)
    project = Project(folder, load_parameters(folder / "params.yaml"))
    for stage in (ingest, snapshots, features):
        stage.run(project, lambda _: None)
    rows, as_of = read_taught(project)
    truth = pd.read_parquet(raw / "truth.parquet", columns=["lead_id", "as_of", "p_observable"])
    keys = pd.DataFrame({"lead_id": rows.leads.astype(str), "as_of": as_of})
    truth = truth.astype({"lead_id": "str", "as_of": keys["as_of"].dtype})
    likely = keys.merge(truth, on=["lead_id", "as_of"], how="left")["p_observable"].to_numpy(np.float64)
    settings = project.parameters.train
    foretold = train.judge(settings, project, rows, as_of) if judge else []
    return World(rows, as_of, likely, train.recipe_of(settings, project)[0], foretold)


def share_of_attainable(world: World) -> float:
    """Say how much of the log loss that could be saved at the counted origins is saved."""
    likely, said, labels = [], [], []
    place = pd.Series(world.likely, index=pd.MultiIndex.from_arrays([world.rows.leads, world.as_of]))
    for one in world.foretold:
        if one.counts:
            of_rows = place.reindex(pd.MultiIndex.from_arrays([one.leads, one.as_of])).to_numpy()
            known = ~np.isnan(of_rows)
            likely.append(of_rows[known])
            said.append(one.probabilities[known])
            labels.append(one.labels[known])
    return attained(np.concatenate(likely), np.concatenate(said), np.concatenate(labels))


def taught_by_the_truth(world: World) -> float:
    """Say what share trees reach that learn from the truth itself, without the noise of what happened.

    It is what these features can tell at most, near enough: three quarters of the leads teach, the others are foretold.
    """
    rows, known = world.rows, ~np.isnan(world.likely)
    levels = category_levels(rows, world.recipe.categorical, minimum_leads=20)
    numbers = np.stack(numbers_of(rows.frame, world.recipe.columns, levels), axis=1).astype(np.float32)
    others = pd.util.hash_array(rows.leads.astype(object)) % 4 == 0
    teaching, asked = known & ~others, known & others
    categories = [place for place, name in enumerate(world.recipe.columns) if name in levels]
    taught = lightgbm.Dataset(numbers[teaching], world.likely[teaching], categorical_feature=categories)
    trees = lightgbm.train(_TAUGHT, taught, _ROUNDS)
    said = np.asarray(trees.predict(numbers[asked]), np.float64)
    return attained(world.likely[asked], said, rows.labels[asked])


_ROUNDS = 400
_TAUGHT = {
    "objective": "cross_entropy",
    "learning_rate": 0.1,
    "num_leaves": 63,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "seed": 1,
    "verbosity": -1,
}


def of_few_conversions(world: World, conversions: int, draws: int) -> Mapping[str, tuple[float, float]]:
    """Learn from few leads and foretell all others; give each baseline's mean excess loss, and its standard error.

    Losses are expected ones under p_observable. So many leads are drawn that about ``conversions`` of them convert in
    some row; what is drawn repeats for equal numbers.
    """
    distinct, of_row = np.unique(world.rows.leads, return_inverse=True)
    share = conversions / len(np.unique(of_row[world.rows.labels > 0]))
    gains: dict[str, list[float]] = {}
    for number in range(draws):
        generator = np.random.default_rng([conversions, number])
        chosen = generator.random(len(distinct)) < share
        others = (generator.random(len(distinct)) < 0.2) & ~chosen
        learned = world.rows.take(chosen[of_row])
        asked = others[of_row] & ~np.isnan(world.likely)
        fitting = Fitting(learned, replace(world.recipe, minimum_conversions=1))
        said = fitting.foretell(world.rows.frame.iloc[np.flatnonzero(asked)])
        ours = expected_loss(world.likely[asked], said[fitting.choose()])
        for name in ("base_rate", "points", "recency_frequency", "naive_bayes", "logistic"):
            if name in said:
                gains.setdefault(name, []).append(expected_loss(world.likely[asked], said[name]) - ours)
    return {
        name: (float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(len(found))))
        for name, found in gains.items()
    }


def drifted(world: World, seed: int) -> World:
    """Make the base rate five times as high in the last fifth of the time, and let channels shift.

    Rows that convert are kept, and of the others so many are left out of the last fifth, those of one half of the
    channels above all.
    """
    generator = np.random.default_rng(seed)
    late = world.as_of >= np.quantile(world.as_of.astype(np.int64), 0.8).astype("datetime64[us]")
    channel = pd.factorize(world.rows.frame["lead__channel"])[0] % 2 == 0
    kept = ~late | (world.rows.labels > 0) | (generator.random(len(late)) < np.where(channel, 0.08, 0.3))
    return replace(world, rows=world.rows.take(kept), as_of=world.as_of[kept], likely=world.likely[kept])


def of_learning(progress: Progress, scale: float = 1.0) -> Iterator[Finding]:
    """Measure the share of the attainable, the smallest logs, and one whose world changes."""
    with tempfile.TemporaryDirectory() as folder:
        small = draw(Path(folder), 0, max(4_000, int(LEADS * scale)), ("lead",), judge=False)
        project = Project(Path(folder), None)
        reach = reach_of(read_json(project.snapshot_counts))
    for conversions in CONVERSIONS:
        found = of_few_conversions(small, conversions, max(3, round(DRAWS * scale)))
        progress(f"{conversions} conversions: {found}")
        for name, (gain, error) in found.items():
            if name == "base_rate" or conversions >= _BASELINES_FROM:
                what = f"{conversions} conversions: log loss saved against {name}, by the standard error of the draws"
                least = 2.0 if name == "base_rate" else -2.0
                gained = gain / error
                yield Finding(what, gained, f"at least {least:g} s.e.", gained >= least, in_errors=True)
    world = drifted(small, 1)
    origins = choose_origins(world.as_of, world.rows.labels, world.rows.leads, reach, count=8, minimum=5)
    told = backtest(world.rows, world.as_of, origins, reach, world.recipe, counted=6)
    counted = [one for one in told if one.counts]
    excess, error = mean_and_error(
        np.concatenate(
            [losses(one.labels, one.probabilities) - losses(one.labels, one.said["logistic"]) for one in counted]
        ),
        np.concatenate([one.leads for one in counted]),
    )
    yield Finding(
        "a log whose base rate rises fivefold: log loss above that of logistic regression",
        excess / error, "at most 1 s.e.", excess <= error, in_errors=True,
    )  # fmt: skip
    for actors, goal in GOALS.items():
        yield from _of_share(progress, LEADS, actors, goal, max(1, round(SEEDS * scale)), LEAST)
    for actors, goal in GOALS_OF_LARGE.items():
        yield from _of_share(progress, max(LEADS, int(LARGE * scale)), actors, goal, 1, LEAST_OF_LARGE)


def _of_share(
    progress: Progress, leads: int, actors: Sequence[str], goal: float, seeds: int, least: float
) -> Iterator[Finding]:
    """Judge the procedure and its lists on worlds of one size."""
    shares, lists = [], {}
    limit: float | None = None
    whose = " and ".join(actors)
    for seed in range(1, 1 + seeds):
        with tempfile.TemporaryDirectory() as folder:
            judged = draw(Path(folder), seed, leads, actors, judge=True)
        shares.append(share_of_attainable(judged))
        lists[seed] = brought(judged)
        progress(f"{whose}, seed {seed}: {shares[-1]:.4f} of the attainable, lists {lists[seed]['ours']:.4f}")
        limit = taught_by_the_truth(judged) if limit is None else limit
    share = float(np.mean(shares))
    yield Finding(
        f"share of the attainable with {leads:,} leads, acts of {whose}", share, f"at least {goal:.0%}", share >= goal
    )
    what = f"share that trees reach which learn from the truth itself, {leads:,} leads, acts of {whose}"
    yield Finding(what, limit or 0.0, None, None)
    yield from findings_of(lists, f"{leads:,} leads, acts of {whose}", least)
