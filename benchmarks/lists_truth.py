"""What a day's list brings: expected conversions per place, of our order, of the best possible one and of others.

Each Monday of the counted origins sales takes up so many of the leads that are looked at; what a list brings is the sum
of p_observable over its leads, without the noise of what happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.findings import Finding
from models.decision.lists import Places, make_lists

if TYPE_CHECKING:
    from benchmarks.learned_truth import World

SHARE, LEAST, LEAST_OF_LARGE = 0.01, 0.8, 0.9
"""Places of a list, as a share of the leads that are open; what ours must bring of what the best list does, and in a
world of ten times the leads."""
_BASELINES = {"points": "points as marketing tools give", "recency_frequency": "last act first"}
_ROUND = 0.1
"""The round cut-off whose leads are called in any order."""


def brought(world: World) -> Mapping[str, float]:
    """Give the expected conversions per place of our lists and of others', as a share of the best possible ones'."""
    truth = pd.Series(world.likely, index=pd.MultiIndex.from_arrays([world.rows.leads, world.as_of]))
    sums: dict[str, float] = {}
    for one in world.foretold:
        if not one.counts:
            continue
        likely = truth.reindex(pd.MultiIndex.from_arrays([one.leads, one.as_of])).to_numpy()
        orders = {"ours": one.probabilities, "best": likely, "round": _of_cut_off(one.probabilities, one.leads)}
        orders |= {name: one.said[name] for name in _BASELINES}
        for monday in np.unique(one.as_of[is_monday(one.as_of)]):
            rows = np.flatnonzero((one.as_of == monday) & ~np.isnan(likely))
            for name, order in orders.items():
                called = _called(order[rows], one.leads[rows])
                sums[name] = sums.get(name, 0.0) + float(likely[rows][called].sum())
    return {name: total / sums["best"] for name, total in sums.items()}


def findings_of(seeds: Mapping[int, Mapping[str, float]], of: str, least: float) -> Iterator[Finding]:
    """Say what our lists bring on average over worlds of a kind (``least`` is asked), and how much more than others."""
    ours = float(np.mean([found["ours"] for found in seeds.values()]))
    what = f"expected conversions per place of a list, of the best possible list's, {of}"
    yield Finding(what, ours, f"at least {100 * least:g} %", ours >= least)
    for name, told in {**_BASELINES, "round": f"a cut-off of {_ROUND:.0%}, in any order"}.items():
        other = float(np.mean([found[name] for found in seeds.values()]))
        yield Finding(f"the same of {told}", other, f"below ours ({ours:.1%})", other < ours)


def _called(order: NDArray[np.float64], leads: NDArray[np.object_]) -> NDArray[np.bool_]:
    size = len(order)
    no, nobody = np.zeros(size, dtype=bool), np.full(size, None, dtype=object)
    lists = make_lists(
        np.full(size, "SQL"), order, leads, taken=no, no_call=no, no_mail=no, accounts=nobody, owners=nobody,
        places=Places(max(1, round(SHARE * size))),
    )  # fmt: skip
    called: NDArray[np.bool_] = lists.list == "sales"
    return called


def _of_cut_off(probabilities: NDArray[np.float64], leads: NDArray[np.object_]) -> NDArray[np.float64]:
    """Order those above the round cut-off before the others, and each of both by nothing: by what a hash says."""
    by_chance = pd.util.hash_array(np.asarray(leads, dtype=object)) / 2.0**64
    return np.asarray((probabilities >= _ROUND) + by_chance)


def is_monday(moments: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Tell which moments are the midnight (UTC) that begins a Monday: those of the calendar of snapshots."""
    days = pd.DatetimeIndex(moments)
    return np.asarray((days.dayofweek == 0) & (days == days.normalize()))
