"""Whether what is expected of a channel's open leads is what happens: by channel and origin, over sample worlds.

At each origin the leads that are open on the first Monday after it are foretold by what had been learned before; of
those
of a channel so many are expected to convert within the horizon, between bounds (``promised_interval``). Then it is
counted how many did.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.findings import Finding, Progress
from benchmarks.learned_truth import World, draw
from benchmarks.lists_truth import is_monday
from models.evaluation.money import promised_interval

LEADS, WORLDS = 6_000, 10
_CHANNEL = "lead__channel"


def of_expected_by_channel(progress: Progress, scale: float = 1.0) -> Iterator[Finding]:
    """Count the channel-months whose conversions lie within the bounds that were told before."""
    held: list[bool] = []
    for seed in range(1, 1 + max(2, round(WORLDS * scale))):
        with tempfile.TemporaryDirectory() as folder:
            world = draw(Path(folder), seed, LEADS, ("lead",), judge=True)
        held += held_by_channel(world)
        progress(f"expected by channel, {seed} worlds: {np.mean(held):.3f} of {len(held)} channel-months")
    what = "channel-months whose conversions lie within the bounds of what was expected"
    yield Finding.within(what, float(np.mean(held)), 0.90, 0.98)


def held_by_channel(world: World) -> list[bool]:
    """Tell of each channel and counted origin whether the conversions of its open leads lie within their bounds."""
    index = pd.MultiIndex.from_arrays([world.rows.leads, world.as_of])
    channels = pd.Series(world.rows.frame[_CHANNEL].to_numpy(object), index=index)
    held = []
    for one in world.foretold:
        calendar = is_monday(one.as_of)
        if not one.counts or not calendar.any():
            continue
        looked = calendar & (one.as_of == one.as_of[calendar].min())
        leads = one.leads[looked]
        named = channels.reindex(pd.MultiIndex.from_arrays([leads, one.as_of[looked]])).to_numpy(object)
        rows = pd.DataFrame({"channel": named, "p": one.probabilities[looked], "label": one.labels[looked]})
        for _, part in rows.groupby("channel"):
            low, high = promised_interval(
                np.array([part["p"].sum()]), np.array([(part["p"] * (1.0 - part["p"])).sum()])
            )
            held.append(bool(low[0] <= part["label"].sum() <= high[0]))
    return held
