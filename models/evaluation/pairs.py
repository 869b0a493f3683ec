"""Two models on the same rows: which is better, where that shows, and where nobody can tell.

What one model is beyond the other is measured on the same draws of leads (a paired bootstrap): luck with the leads that
were drawn raises or lowers both, and cancels. A difference is judged twice: whether chance explains it, and whether it
is large enough to matter to anybody, which people say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from models.evaluation.checks import FEWEST_LEADS
from models.evaluation.intervals import NORMAL_QUANTILE
from models.evaluation.metrics import measure_draws
from models.evaluation.segments import FEWEST_LEADS as FEWEST_OF_SEGMENT
from models.evaluation.segments import MOST_SEGMENTS
from models.learning.ladder import losses, mean_and_error

FIGURES = ("log_loss", "roc_auc", "lift_at_10", "calibration_slope")
"""What is compared: how much is known, who comes first, and whether it is said too boldly."""
BETTER, WORSE = "better", "worse"
NO_DIFFERENCE, CANT_TELL = "no difference that matters", "can't tell"
LESS_IS_BETTER = frozenset({"log_loss", "calibration_slope"})
"""Figures of which a difference below 0 is B's gain."""
_LEVEL = 0.95
_SMALLEST = 1e-15


@dataclass(frozen=True)
class Difference:
    """A figure of both on the same rows, and their difference (B less A) with its 95 % interval; None: can't be said.

    Of a calibration slope it is the difference of the distances to 1: below 0, B is nearer.
    """

    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    by_chance: float | None
    """So far from 0 chance alone would move the difference of two equal models in 95 of 100 cases."""
    matters: float
    """From which size on the difference would matter."""
    verdict: str
    """better, worse, no difference that matters, or can't tell; of B."""


@dataclass(frozen=True)
class SegmentDifference:
    """A part of the rows; ``difference_share`` is how much higher the log loss of B is, as a share of that of A.

    The interval is as wide as it must be for all segments to be right at once in 95 of 100 cases; None where the leads
    are too few to judge.
    """

    name: str
    """What it is a segment by, such as the channel."""
    value: str
    rows: int
    conversions: int
    difference_share: float
    low: float | None
    high: float | None
    badly: bool
    """Whether B is surely worse here, and by more than may be."""


def are_enough(labels: NDArray[np.float64], leads: NDArray[Any]) -> bool:
    """Tell whether ten leads convert and ten don't: with fewer no model is told from another."""
    converts = labels > 0
    return min(len(np.unique(leads[converts])), len(np.unique(leads[~converts]))) >= FEWEST_LEADS


def differences(
    labels: NDArray[np.float64],
    of_a: NDArray[np.float64],
    of_b: NDArray[np.float64],
    leads: NDArray[Any],
    matters: Mapping[str, float],
    *,
    replicates: int,
) -> dict[str, Difference]:
    """Compare FIGURES of two models on the same rows, all of shape (n,), of which some convert and some don't.

    ``matters`` says of each figure from which size on a difference would matter: of the log loss as a share of that of
    A, of the others as it is.
    """
    (whole_a, draws_a), (whole_b, draws_b) = (
        measure_draws(labels, said, leads, replicates=replicates) for said in (of_a, of_b)
    )
    found = {}
    for name in FIGURES:
        drawn = np.array([[one[name], two[name]] for one, two in zip(draws_a, draws_b, strict=True)])
        size = matters[name] * (whole_a[name] if name == "log_loss" else 1.0)
        found[name] = _judged(name, whole_a[name], whole_b[name], drawn[np.isfinite(drawn).all(axis=1)], float(size))
    return found


def _judged(name: str, a: float, b: float, drawn: NDArray[np.float64], matters: float) -> Difference:
    """Judge a figure of both by what it is of each draw, shape (draws, 2)."""
    if not np.isfinite([a, b]).all() or not drawn.size:
        return Difference(_known(a), _known(b), None, None, None, None, matters, CANT_TELL)
    if name == "calibration_slope":
        difference, half = _nearer_to_1(a, b, drawn)
    else:
        difference, half = b - a, NORMAL_QUANTILE * float(np.std(drawn[:, 1] - drawn[:, 0]))
    low, high = difference - half, difference + half
    gains = (-high, -low) if name in LESS_IS_BETTER else (low, high)
    verdict = verdict_of(*gains, matters)
    return Difference(float(a), float(b), float(difference), float(low), float(high), half, matters, verdict)


def _nearer_to_1(a: float, b: float, drawn: NDArray[np.float64]) -> tuple[float, float]:
    """Give the difference of the distances to 1, and by how much it may be otherwise.

    Where chance may have put a slope on the other side of 1, it is as uncertain as on whichever side it is more so: a
    distance has a fold there, and draws around a fold vary too little.
    """
    one, two = drawn.T
    same_side, apart = np.std(two - one), np.std(two + one)
    is_known = all(abs(value - 1.0) > NORMAL_QUANTILE * np.std(values) for value, values in ((a, one), (b, two)))
    spread = max(same_side, apart) if not is_known else same_side if (a > 1.0) == (b > 1.0) else apart
    return abs(b - 1.0) - abs(a - 1.0), NORMAL_QUANTILE * float(spread)


def verdict_of(low: float, high: float, matters: float) -> str:
    """Say what an interval of how much better one is than another tells, and from which size on that would matter.

    >>> [verdict_of(low, high, 1.0) for low, high in ((0.5, 2.0), (-3.0, -1.5), (-0.2, 0.4), (0.1, 0.9), (-0.5, 3.0))]
    ['better', 'worse', 'no difference that matters', 'no difference that matters', "can't tell"]
    """
    if -matters < low and high < matters:
        return NO_DIFFERENCE
    if low > 0.0:
        return BETTER
    return WORSE if high < 0.0 else CANT_TELL


def differences_by_segment(
    labels: NDArray[np.float64],
    of_a: NDArray[np.float64],
    of_b: NDArray[np.float64],
    leads: NDArray[Any],
    kinds: Mapping[str, NDArray[Any]],
    *,
    badly: float,
) -> tuple[SegmentDifference, ...]:
    """Compare the log losses in each value of each kind: arrays of shape (n,); values are texts, "" is not known.

    ``badly``: by which share the log loss of B may be higher. The largest segments of a kind come first, the rest is
    pooled.
    """
    loss_a, loss_b = (losses(labels, np.clip(said, _SMALLEST, 1.0 - _SMALLEST)) for said in (of_a, of_b))
    parts = [(kind, value, rows) for kind, values in kinds.items() for value, rows in _parts(values)]
    judged = [_is_judged(labels[rows], leads[rows]) for _, _, rows in parts]
    level = 0.5 + _LEVEL ** (1.0 / max(sum(judged), 1)) / 2.0  # Šidák 1967
    found = []
    for (kind, value, rows), is_judged in zip(parts, judged, strict=True):
        before, after = loss_a[rows], loss_b[rows]
        share = float((after.sum() - before.sum()) / before.sum())
        low = high = None
        if is_judged:
            # Of a ratio of means, by the line that touches it.
            _, error = mean_and_error((after - before - share * before) / before.mean(), leads[rows])
            # Most of a loss lies with those who convert: there are as many witnesses as of them.
            freedom = len(np.unique(leads[rows][labels[rows] > 0])) - 1
            half = float(student.ppf(level, freedom)) * error
            low, high = share - half, share + half
        is_badly = low is not None and low > 0.0 and share > badly
        counts = (int(rows.sum()), int(labels[rows].sum()))
        found.append(SegmentDifference(kind, value or "not known", *counts, share, low, high, is_badly))
    return tuple(found)


def _parts(values: NDArray[Any]) -> Sequence[tuple[str, NDArray[np.bool_]]]:
    """Give the largest values of a kind with their rows, and the others as one."""
    names, counts = np.unique(values, return_counts=True)
    largest = names[np.argsort(-counts, kind="stable")][:MOST_SEGMENTS]
    rest = ~np.isin(values, largest)
    return [(str(name), values == name) for name in largest] + ([("other", rest)] if rest.any() else [])


def _is_judged(labels: NDArray[np.float64], leads: NDArray[Any]) -> bool:
    return len(np.unique(leads)) >= FEWEST_OF_SEGMENT and are_enough(labels, leads)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
