"""Whether what is expected of a channel's open leads is what happened three months later, over sample worlds.

At each origin the leads that are open on the first Monday after it are foretold by what had been learned before; of
those of a channel so many are expected to convert within the farthest horizon, between bounds (``promised_interval``).
Then it is counted how many did. How far off the model is, beyond chance, is learned from the other origins of the same
world, as a page learns it from the origins before its day.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.findings import Finding, Progress
from benchmarks.learned_truth import draw
from benchmarks.lists_truth import is_monday
from features.core.time import format_duration
from models.evaluation.money import promised_interval, relative_error
from models.learning.horizons import Horizons, Waits, foretell_others
from pipeline.core.project import Project, read_json
from pipeline.matrix.slices import delay_of, horizon_of, waits_of
from pipeline.settings.file import load_parameters

LEADS, WORLDS = 12_000, 20
"""The sample's own size."""
_CHANNEL = "lead__channel"


def of_expected_by_channel(progress: Progress, scale: float = 1.0) -> Iterator[Finding]:
    """Count the channel-months whose conversions lie within the bounds that were told before."""
    held: list[bool] = []
    by_chance: list[bool] = []
    for seed in range(1, 1 + max(2, round(WORLDS * scale))):
        with tempfile.TemporaryDirectory() as folder:
            kept = kept_by_channel(Path(folder), seed, LEADS)
        held += held_by_channel(kept)
        by_chance += held_by_channel(kept, by_chance=True)
        progress(f"expected by channel, {seed} worlds: {np.mean(held):.3f} of {len(held)} channel-months")
    what = "channel-months whose conversions three months later lie within the bounds of what was expected"
    yield Finding.within(what, float(np.mean(held)), 0.90, 0.98)
    yield Finding("the same within bounds of chance alone", float(np.mean(by_chance)), None, None)


def kept_by_channel(folder: Path, seed: int, leads: int) -> pd.DataFrame:
    """Draw a world; give what was expected of each channel at each origin, and what happened.

    Columns: origin, channel, counts (whether its origin does), expected, variance, happened. An origin for whose
    horizon nothing was settled then, or of which it is not over, is not there.
    """
    world = draw(folder, seed, leads, ("lead",), judge=True)
    project = Project(folder, load_parameters(folder / "params.yaml"))
    counts = read_json(project.snapshot_counts)
    waits = Waits(world.as_of, waits_of(world.rows, world.as_of, project.snapshots), delay_of(counts))
    horizons = Horizons(horizon_of(counts), project.parameters.train.other_horizons)
    farthest, until = max(horizons.all), np.datetime64(counts["observed_until"])
    rows = pd.DataFrame(
        {"channel": world.rows.frame[_CHANNEL].to_numpy(object), "converts": waits.within(farthest)},
        index=pd.MultiIndex.from_arrays([world.rows.leads, world.as_of]),
    )
    parts = []
    others = foretell_others(world.foretold, world.rows, waits, horizons, world.recipe)
    for one, said in zip(world.foretold, others, strict=True):
        calendar, told = is_monday(one.as_of), said.get(format_duration(farthest))
        if one.origin is None or told is None or not calendar.any():
            continue
        monday = one.as_of[calendar].min()
        if monday + np.timedelta64(farthest + waits.delay) > until:
            continue
        looked = one.as_of == monday
        found = rows.reindex(pd.MultiIndex.from_arrays([one.leads[looked], one.as_of[looked]]))
        part = found.assign(
            origin=one.origin.moment,
            counts=one.counts,
            expected=told[looked],
            variance=told[looked] * (1.0 - told[looked]),
            happened=found["converts"].to_numpy(np.float64),
        )
        parts.append(part.groupby(["origin", "channel", "counts"], as_index=False)[_SUMS].sum())
    return pd.concat(parts, ignore_index=True)


_SUMS = ["expected", "variance", "happened"]


def held_by_channel(kept: pd.DataFrame, *, by_chance: bool = False) -> list[bool]:
    """Tell of each channel and counted origin whether the conversions of its open leads lie within their bounds.

    ``by_chance`` leaves out how far off the model was at the other origins.
    """
    held: list[bool] = []
    for origin, part in kept[kept["counts"]].groupby("origin"):
        error = None if by_chance else relative_error(kept[kept["origin"] != origin])
        expected, variance, happened = (part[name].to_numpy(np.float64) for name in _SUMS)
        low, high = promised_interval(expected, variance, error or 0.0)
        held += ((low <= happened) & (happened <= high)).tolist()
    return held
