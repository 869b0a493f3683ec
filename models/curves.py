"""Curves as tables, for plots: every row is a point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.schema import CONVERTED, LOST
from models.metrics import Blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from models.artefact import Model

# The 97.5 % quantile of the normal distribution: intervals of 95 %.
NORMAL_QUANTILE = 1.959963984540054


def calibration_curve(labels: ArrayLike, probabilities: ArrayLike) -> pd.DataFrame:
    """Promised and observed rates in ten bins of equal mass, lowest first.

    Columns: `bin` (1 to 10; one that ties leave empty is left out), `rows`, `predicted` (mean probability), `observed`
    (share that converts), `low` and `high` (95 % interval of the latter, by `wilson_interval`).
    """
    blocks = Blocks.of(labels, probabilities)
    bins = blocks.bins()
    rows, conversions, promised = (
        np.bincount(bins, weights=weights).astype(np.float64)
        for weights in (blocks.rows, blocks.conversions, blocks.rows * blocks.probability)
    )
    filled = np.flatnonzero(rows)
    low, high = wilson_interval(conversions[filled], rows[filled])
    return pd.DataFrame(
        {
            "bin": filled + 1,
            "rows": rows[filled].astype(np.int64),
            "predicted": promised[filled] / rows[filled],
            "observed": conversions[filled] / rows[filled],
            "low": low,
            "high": high,
        }
    )


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
    """How much each column lowered the loss of the trees, the most important first.

    Columns: `feature`, `gain` (summed over all splits, in LightGBM's units), `share` of all gain.
    """
    gain = np.asarray(model.booster.feature_importance("gain"), dtype=np.float64)
    table = pd.DataFrame({"feature": model.columns, "gain": gain, "share": gain / (gain.sum() or 1.0)})
    return table.sort_values(["gain", "feature"], ascending=[False, True], ignore_index=True)


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


def wilson_interval(
    conversions: NDArray[np.float64], rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high end of the 95 % interval of a rate (Wilson 1927), all of shape (n,).

    >>> low, high = wilson_interval(np.array([0.0, 5.0]), np.array([10.0, 10.0]))
    >>> [(round(float(a), 4), round(float(b), 4)) for a, b in zip(low, high)]
    [(0.0, 0.2775), (0.2366, 0.7634)]
    """
    square = NORMAL_QUANTILE**2
    middle = (conversions + square / 2.0) / (rows + square)
    half = NORMAL_QUANTILE * np.sqrt(conversions * (rows - conversions) / rows + square / 4.0) / (rows + square)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)
