"""What a call does, where a lottery decided who was called; and how many leads it takes to see it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, hypot

import numpy as np
import pandas as pd

from features.core.schema import GROUPS
from models.evaluation.intervals import NORMAL_QUANTILE, wilson_interval


@dataclass(frozen=True)
class Arm:
    """A group of a lottery whose outcomes are known: how many leads, how many converted, how many were promised to."""

    leads: int
    converted: int
    promised: float = 0.0

    @property
    def share(self) -> float:
        """The share that converted; 0 of none."""
        return self.converted / self.leads if self.leads else 0.0


@dataclass(frozen=True)
class Effect:
    """How much larger the share is that converts of those that are to be called, with its 95 % interval."""

    value: float
    low: float
    high: float


PRECISIONS = (0.005, 0.01, 0.02, 0.05)
"""Half of the interval's width that somebody may want, in shares of the leads."""
FEWEST_LEADS = 30
"""Of fewer leads in either group no effect is told."""


def effect_of(called: Arm, left: Arm) -> Effect | None:
    """Compare two groups that chance has parted; None where either is too small.

    Everybody counts where chance put them, whether they were called or not: else those that could be reached would be
    compared with all. The interval is Newcombe's (1998, method 10), of the intervals of both shares.
    """
    if min(called.leads, left.leads) < FEWEST_LEADS:
        return None
    low, high = wilson_interval(
        np.array([called.converted, left.converted], dtype=np.float64),
        np.array([called.leads, left.leads], dtype=np.float64),
    )
    value = called.share - left.share
    return Effect(
        value,
        value - hypot(called.share - low[0], high[1] - left.share),
        value + hypot(high[0] - called.share, left.share - low[1]),
    )


def leads_for(precision: float, rate: float) -> int:
    """Say how many leads either group needs for an effect that is known to so much either way, at such a base rate.

    >>> leads_for(0.01, 0.03)
    2236
    """
    return ceil(2.0 * rate * (1.0 - rate) * (NORMAL_QUANTILE / precision) ** 2)


def judge_drawn(settled: pd.DataFrame) -> tuple[dict[str, Arm], Effect | None]:
    """Count the groups of drawn leads whose outcome is known, and compare those worked with those left alone.

    ``settled`` has lottery_group, probability and converted. None where either is too small, or nobody is drawn.
    """
    arms: dict[str, Arm] = {
        group: Arm(len(rows), int(rows["converted"].sum()), float(rows["probability"].sum()))
        for group in GROUPS
        if len(rows := settled[settled["lottery_group"] == group])
    }
    nobody = Arm(0, 0)
    return arms, effect_of(arms.get("worked", nobody), arms.get("left alone", nobody))


def sizes_of(base_rate: float) -> dict[str, int]:
    """Say how many leads either group needs, by the precision that is wanted."""
    return {f"{precision:g}": leads_for(precision, base_rate) for precision in PRECISIONS}
