"""Curves as tables, for plots: every row is a point."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from features.core.schema import CONVERTED, LOST
from models.core.model import Model
from models.evaluation.chance import Chance, of_a_perfect_model
from models.evaluation.intervals import wilson_interval
from models.evaluation.metrics import BINS, Blocks, bin_of_each_row


def calibration_curve(
    labels: ArrayLike, probabilities: ArrayLike, leads: ArrayLike, as_of: ArrayLike, horizon: timedelta
) -> pd.DataFrame:
    """Promised and observed rates in ten bins of equal mass, lowest first; the rows' values are of shape (n,).

    Columns: `bin` (1 to 10; one that ties leave empty is left out), `rows`, `predicted` (mean probability), `observed`
    (share that converts), `low` and `high` (95 % interval of the latter alone), `band_low` and `band_high` (where the
    shares of a perfect model lie, all ten at once, in 95 of 100 cases: see `models.evaluation.chance`).

    The interval is Wilson's for as many independent rows as tell as much as these do, which share their lead's fate:
    the variance of the shares over draws of leads, with all their rows, says how many. It is spread over the bins as
    in a perfect model, for a bin alone holds too few conversions to say.
    """
    chance = of_a_perfect_model(labels, probabilities, leads, as_of, horizon)
    return calibration_beside(chance, labels, probabilities, leads)


def calibration_beside(chance: Chance, labels: ArrayLike, probabilities: ArrayLike, leads: ArrayLike) -> pd.DataFrame:
    """Give the same as `calibration_curve` to whom knows already what a perfect model shows of these rows."""
    outcomes, scores = np.asarray(labels, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    bins = bin_of_each_row(Blocks.of(outcomes, scores), scores)
    rows = np.bincount(bins, minlength=BINS)
    conversions, promised = (np.bincount(bins, weights=weights, minlength=BINS) for weights in (outcomes, scores))
    table = pd.DataFrame(
        {
            "bin": np.arange(1, BINS + 1),
            "rows": rows,
            "predicted": promised / np.maximum(rows, 1),
            "observed": conversions / np.maximum(rows, 1),
        }
    )
    each = np.maximum(chance.rows_for_one * _over_leads(bins, outcomes, leads, chance.rows_for_one), 1.0)
    table["low"], table["high"] = wilson_interval(conversions / each, np.maximum(rows, 1) / each)
    table["band_low"], table["band_high"] = chance.low, chance.high
    return table[rows > 0].reset_index(drop=True)


def _over_leads(
    bins: NDArray[np.int64], outcomes: NDArray[np.float64], leads: ArrayLike, rows_for_one: NDArray[np.float64]
) -> float:
    """Compare the variance of the shares, over draws of leads with all their rows, with the one that is expected."""
    lead = pd.factorize(np.asarray(leads))[0]
    rows, conversions = np.bincount(bins, minlength=BINS), np.bincount(bins, weights=outcomes, minlength=BINS)
    share = conversions / np.maximum(rows, 1)
    seen = np.sum(np.bincount(lead * BINS + bins, weights=outcomes - share[bins]) ** 2)
    expected = np.nansum(rows * share * (1.0 - share) * rows_for_one)
    return float(seen / expected) if expected > 0.0 else 1.0


def gains_curve(labels: ArrayLike, probabilities: ArrayLike, *, points: int = 100) -> pd.DataFrame:
    """Show what calling the best first brings.

    Columns: `share_contacted` (1 / points to 1), `share_of_conversions` among them, `lift` (the second over the first).
    A cut within rows of one probability counts the expected number over their orders.

    Raises `ValueError` where nothing converts.
    """
    blocks = Blocks.of(labels, probabilities)
    if not blocks.converted[-1]:
        raise ValueError("without a conversion there is nothing to gain")
    contacted = np.arange(1, points + 1) / points
    captured = blocks.captured(contacted) / blocks.converted[-1]
    return pd.DataFrame({"share_contacted": contacted, "share_of_conversions": captured, "lift": captured / contacted})


def precision_recall_curve(labels: ArrayLike, probabilities: ArrayLike, *, points: int = 200) -> pd.DataFrame:
    """Precision against recall at up to `points` thresholds, evenly spread over recall, the highest first.

    Columns: `threshold` (all with at least this probability are called), `recall`, `precision`.

    Raises `ValueError` where nothing converts.
    """
    blocks = Blocks.of(labels, probabilities)
    if not blocks.converted[-1]:
        raise ValueError("without a conversion there is no recall")
    recall = blocks.converted / blocks.converted[-1]
    shown = np.unique(np.searchsorted(recall, np.arange(1, points + 1) / points))
    return pd.DataFrame(
        {
            "threshold": blocks.probability[shown],
            "recall": recall[shown],
            "precision": blocks.converted[shown] / blocks.contacted[shown],
        }
    )


def importance(model: Model) -> pd.DataFrame:
    """How much of the model's work each column does, the most important first.

    Columns: `feature` and `share`, as `Model.gains` has it.
    """
    table = pd.DataFrame({"feature": model.columns, "share": model.gains()})
    return table.sort_values(["share", "feature"], ascending=[False, True], ignore_index=True)


def conversion_curve(days: ArrayLike, ends: Sequence[str | None]) -> pd.DataFrame:
    """Say what share has converted by when, counting also those that have been watched only for a while.

    `days` from the start to the end of each, or to when it was last seen, and `ends`, both of length n: "converted",
    "lost", or missing where it is still open. Columns: `days` (0, then each at which something ended), `watched`
    (how many were still open just before, and seen so long), `converted` and `lost` (shares, by Aalen & Johansen 1978).

    Of four, one converts on day 2, one is last seen open on day 3, one is lost on day 5, one converts on day 6. After
    day 2 three quarters are open; two of them are watched until day 5, so each stands for 3/8:

    >>> print(conversion_curve([2, 3, 5, 6], ["converted", None, "lost", "converted"]).to_string(index=False))
     days  watched  converted  lost
      0.0        4      0.000 0.000
      2.0        4      0.250 0.000
      5.0        2      0.250 0.375
      6.0        1      0.625 0.375

    Raises `ValueError` where a length is missing or negative.
    """
    length, end = np.asarray(days, dtype=np.float64), pd.Series(np.asarray(ends, dtype=object))
    if length.shape != end.shape or not (length >= 0.0).all():
        raise ValueError(f"days {length.shape} and ends {end.shape} must be of one shape (n,), and no day below 0")
    moments, position = np.unique(length, return_inverse=True)
    converted, lost = (np.bincount(position[end == name], minlength=len(moments)) for name in (CONVERTED, LOST))
    watched = len(length) - np.searchsorted(np.sort(length), moments)
    open_before = (
        np.concatenate([[1.0], np.cumprod(1.0 - (converted + lost) / watched)[:-1]]) if len(length) else watched
    )
    table = pd.DataFrame(
        {
            "days": moments,
            "watched": watched,
            "converted": np.cumsum(open_before * converted / watched),
            "lost": np.cumsum(open_before * lost / watched),
        }
    )
    start = pd.DataFrame({"days": [0.0], "watched": [len(length)], "converted": [0.0], "lost": [0.0]})
    return pd.concat([start, table[converted + lost > 0]], ignore_index=True)
