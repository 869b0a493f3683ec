"""How often what is shown with 95 % holds the truth, over worlds whose truth is known."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np

from benchmarks.drawn_worlds import HORIZON, World, after_events, irregular, monthly, weekly
from benchmarks.findings import Finding, Progress
from models.evaluation import pairs
from models.evaluation.chance import of_a_perfect_model
from models.evaluation.curves import calibration_beside
from models.evaluation.metrics import WITHOUT_INTERVAL, Estimate, calibration_error_of, compare, evaluate

LEADS = 1_500
WORLDS = 1_000
LEAST, MOST = 0.93, 0.97
REPLICATES = 200
"""Fewer than by default: that is faster, and if anything the intervals are worse for it."""
WRONG_MODELS = 40
_MATTERS = dict.fromkeys(pairs.FIGURES, 1.0)
"""Sizes that would matter: intervals don't depend on them."""
_POPULATION = 10**9
"""Seeds from here on draw the worlds whose figures are taken for the truth: of so many leads that theirs are known."""


@dataclass(frozen=True)
class _Truth:
    """The figures of a perfect model, and how they differ from a worse one's."""

    figures: dict[str, float]
    differences: dict[str, float]
    paired: dict[str, float]
    """As ``leadcast compare`` tells them: of a slope that of the distances to 1."""


def of_what_is_shown(progress: Progress, scale: float = 1.0) -> Iterator[Finding]:
    """Measure every interval and band that a figure, a page or a notebook shows, in worlds of several looks a lead."""
    worlds = max(round(WORLDS * scale), 2)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), get_context("spawn")) as pool:
        for looks in (weekly, monthly, irregular, after_events):
            world, named = World(looks), looks.__name__.replace("_", " ")
            progress(f"what chance shows of perfect models, looks {named}, {worlds:,} worlds")
            yield from _covered(named, pool.map(partial(_chance, world), range(worlds), chunksize=10))
        for looks in (weekly, monthly):
            world, named = World(looks), looks.__name__
            progress(f"intervals of figures, looks {named}, {worlds:,} worlds")
            truth = _truth(world, scale)
            yield from _covered(named, pool.map(partial(_figures, world, truth), range(worlds), chunksize=10))
        progress(f"intervals of differences, looks monthly, {worlds:,} worlds")
        yield from _covered(
            "monthly", pool.map(partial(_differences, World(monthly), truth), range(worlds), chunksize=10)
        )
        progress(f"intervals of paired differences, looks monthly, {worlds:,} worlds")
        # That of a slope is as wide as a fold at 1 asks for: it may hold the truth more often.
        yield from _covered(
            "monthly", pool.map(partial(_paired, World(monthly), truth), range(worlds), chunksize=10), most=1.0
        )
        for leads in (LEADS, 8 * LEADS):
            progress(f"models that promise 1.3 times too much, {leads:,} leads")
            found = list(pool.map(partial(_found_out, World(), leads), range(WRONG_MODELS)))
            yield Finding(
                f"models that promise 1.3 times too much and are found out, {leads:,} leads",
                float(np.mean(found)),
                None,
                None,
            )


def _covered(named: str, worlds: Iterable[dict[str, Sequence[bool]]], *, most: float = MOST) -> Iterator[Finding]:
    counts: dict[str, list[bool]] = defaultdict(list)
    for held in worlds:
        for name, each in held.items():
            counts[name].extend(each)
    for name, each in counts.items():
        yield Finding.within(f"{name}, looks {named}", float(np.mean(each)), LEAST, most)


def _chance(world: World, seed: int) -> dict[str, Sequence[bool]]:
    rows = world.draw(LEADS, seed)
    chance = of_a_perfect_model(rows.labels, rows.probabilities, rows.leads, rows.as_of, HORIZON)
    curve = calibration_beside(chance, rows.labels, rows.probabilities, rows.leads)
    in_band = (curve["band_low"] <= curve["observed"]) & (curve["observed"] <= curve["band_high"])
    held = (curve["low"] <= curve["predicted"]) & (curve["predicted"] <= curve["high"])
    return {
        "calibration error of a perfect model at most the one by chance": [
            calibration_error_of(rows.labels, rows.probabilities) <= chance.error_quantile_95
        ],
        "band: all ten dots of a perfect model within": [bool(in_band.all())],
        "interval of a dot": held.tolist(),
    }


def _truth(world: World, scale: float) -> _Truth:
    """Give the figures of the perfect model, and how they differ from the noisy one's, in a large population."""
    size = max(round(200_000 * scale), 4 * LEADS)
    drawn = [world.draw(size, _POPULATION + part) for part in range(8)]
    labels = np.concatenate([rows.labels for rows in drawn])
    probabilities = np.concatenate([rows.probabilities for rows in drawn])
    noisy = np.concatenate([rows.noisy(_POPULATION + part) for part, rows in enumerate(drawn)])
    everyone = np.arange(len(labels))
    figures = evaluate(labels, probabilities, everyone, replicates=0)
    differences = compare(labels, probabilities, noisy, everyone, replicates=0)
    beside = pairs.differences(labels, probabilities, noisy, everyone, _MATTERS, replicates=2)
    return _Truth(_values(figures), _values(differences), {name: one.difference or 0.0 for name, one in beside.items()})


def _values(estimates: dict[str, Estimate]) -> dict[str, float]:
    return {name: estimate.value for name, estimate in estimates.items()}


def _figures(world: World, truth: _Truth, seed: int) -> dict[str, Sequence[bool]]:
    rows = world.draw(LEADS, seed)
    estimates = evaluate(rows.labels, rows.probabilities, rows.leads, replicates=REPLICATES, seed=seed)
    return _holding("interval of", estimates, truth.figures)


def _differences(world: World, truth: _Truth, seed: int) -> dict[str, Sequence[bool]]:
    rows = world.draw(LEADS, seed)
    estimates = compare(rows.labels, rows.probabilities, rows.noisy(seed), rows.leads, replicates=REPLICATES, seed=seed)
    return _holding("interval of a difference in", estimates, truth.differences)


def _paired(world: World, truth: _Truth, seed: int) -> dict[str, Sequence[bool]]:
    """Compare a perfect model with a worse one, and two that are as bad as each other."""
    rows = world.draw(LEADS, seed)
    noisy, as_noisy = rows.noisy(seed), rows.noisy(seed + _POPULATION // 2)
    held: dict[str, Sequence[bool]] = {}
    for what, of_a, of_b, true in (
        ("of a worse model", rows.probabilities, noisy, truth.paired),
        ("of an equal model", noisy, as_noisy, dict.fromkeys(pairs.FIGURES, 0.0)),
    ):
        found = pairs.differences(rows.labels, of_a, of_b, rows.leads, _MATTERS, replicates=REPLICATES)
        for name, one in found.items():
            if one.low is not None and one.high is not None:
                held[f"paired interval {what}, {name}"] = [one.low <= true[name] <= one.high]
    return held


def _holding(what: str, estimates: dict[str, Estimate], truth: dict[str, float]) -> dict[str, Sequence[bool]]:
    return {
        f"{what} {name}": [estimate.low <= truth[name] <= estimate.high]
        for name, estimate in estimates.items()
        if name not in WITHOUT_INTERVAL
    }


def _found_out(world: World, leads: int, seed: int) -> bool:
    rows = world.draw(leads, seed)
    promised = rows.promising(1.3)
    chance = of_a_perfect_model(rows.labels, promised, rows.leads, rows.as_of, HORIZON)
    return calibration_error_of(rows.labels, promised) > chance.error_quantile_95
