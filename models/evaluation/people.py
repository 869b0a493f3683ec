"""How often people were right: what came of the leads they gave a tier to, and what was promised of the same words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.intervals import wilson_interval
from models.evaluation.metrics import Estimate
from models.learning.ladder import mean_and_error

SIDES = ("SQL", "less than SQL")
"""What people can say of a lead that is open: that it is worth an hour of sales, or that it is not."""
FEWEST_LEADS = 10
"""Of fewer leads the words are counted, and no share is told."""


@dataclass(frozen=True)
class Right:
    """What came of the words of one side.

    ``share`` is that of the words whose lead converted within the horizon; None where the leads are too few to tell.
    """

    said: str
    words: int
    leads: int
    converted: int
    share: Estimate | None
    foretold: int
    """Words that a probability had been given before."""
    promised: float
    """The sum of these probabilities."""
    foretold_converted: int
    """How many of the words that were foretold converted."""


def judge_words(
    tiers: NDArray[Any], leads: NDArray[Any], converts: NDArray[np.bool_], probabilities: NDArray[np.float64]
) -> list[Right]:
    """Judge words by what was said, arrays of shape (n,): a tier each, and NaN where nothing was foretold before it.

    A side that nobody took is left out.
    """
    found = []
    for side, rows in zip(SIDES, (tiers == "SQL", tiers != "SQL"), strict=True):
        if rows.any():
            told = rows & ~np.isnan(probabilities)
            number = len(np.unique(leads[rows]))
            share = share_over_leads(converts[rows], leads[rows]) if number >= FEWEST_LEADS else None
            found.append(
                Right(
                    side,
                    int(rows.sum()),
                    number,
                    int(converts[rows].sum()),
                    share,
                    int(told.sum()),
                    float(probabilities[told].sum()),
                    int(converts[told].sum()),
                )
            )
    return found


def share_over_leads(converts: NDArray[np.bool_], leads: NDArray[Any]) -> Estimate:
    """Give the share that converts with its 95 % interval, where the words of one lead hang together; shape (n,).

    It is Wilson's, for as many independent words as vary as much as these do, at most all; where none or all convert,
    and so nothing varies, for as many as there are leads.

    >>> of_two = share_over_leads(np.array([True, True, False, False]), np.array(["A", "A", "B", "B"]))
    >>> of_two.value, round(of_two.low, 3), round(of_two.high, 3)
    (0.5, 0.055, 0.945)
    """
    value, error = mean_and_error(converts.astype(np.float64), leads)
    number = float(len(np.unique(leads)))
    if error > 0.0:
        number = min(value * (1.0 - value) / error**2, float(len(leads)))
    low, high = wilson_interval(np.array([value * number]), np.array([number]))
    return Estimate(value, float(low[0]), float(high[0]))


def first_of_repeated(
    tiers: NDArray[Any], leads: NDArray[Any], decided_at: NDArray[np.datetime64], horizon: timedelta
) -> NDArray[np.bool_]:
    """Tell which words count, all of shape (n,) and in the order of time: said again within the horizon, one does not.

    >>> days = np.array(["2026-01-01", "2026-01-20", "2026-01-31"], "datetime64[us]")
    >>> first_of_repeated(np.array(["MQL"] * 3), np.array(["A"] * 3), days, timedelta(days=30)).tolist()
    [True, False, True]
    """
    since: dict[tuple[Any, Any], np.datetime64] = {}
    counts = np.zeros(len(tiers), dtype=bool)
    for row, (word, at) in enumerate(zip(zip(leads, tiers, strict=True), decided_at, strict=True)):
        if word not in since or at >= since[word] + np.timedelta64(horizon):
            since[word], counts[row] = at, True
    return counts
