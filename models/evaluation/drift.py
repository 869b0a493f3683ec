"""Whether later rows are still of the kind that was learned from, by what they hold and by how many convert.

Some drift is in the nature of a log: leads grow older in it, and counts grow. So what a column has changed by is
compared with what it changed by before, from the first half of what was learned from to the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from models.core.slices import Slice
from models.core.verdicts import Verdict, found

LARGE = 0.25
"""The population stability index from which on people speak of another population (Siddiqi 2006)."""
USUAL = 4.0
"""In multiples of what a column drifted within what was learned from: a steady trend, twice as far, gives four times
as much."""
ANOTHER_WORLD = 2.0
"""A stability index at which hardly a value is where it was: that is told, however steadily it came about."""
OTHER_RATE = 1.5
"""How many times more, or fewer, convert than in any quarter of what was learned from before it is told."""
BINS = 10
_MOST_LEVELS = 20
_BY_CHANCE = 0.001
_MOST_SHOWN = 3
_MOST_ROWS = 100_000
_QUARTERS = 4
_ERRORS = 3.0


@dataclass(frozen=True)
class Drift:
    """How a column has changed: the stability index of the later rows, and what was usual before."""

    column: str
    index: float
    usual: float

    @property
    def is_beyond(self) -> bool:
        """Whether it is more than the column's usual."""
        return self.index >= LARGE and (self.index > USUAL * self.usual or self.index >= ANOTHER_WORLD)


def stability_index(before: pd.Series, after: pd.Series, *, is_category: bool) -> tuple[float, int]:
    """Give the population stability index of two columns, and how many bins it was summed over.

    Numbers are binned by tenths of ``before``, categories by its twenty most frequent levels; what is missing has a bin
    of its own. Half a row is added to each bin, so that an empty one is not infinitely surprising.

    Half of the rows are in either of two bins before, one and three quarters after: 0.25 * log(3), but for the halves.

    >>> before, after = pd.Series(["a", "b"] * 5000), pd.Series(["a", "b", "b", "b"] * 2500)
    >>> index, bins = stability_index(before, after, is_category=True)
    >>> round(index, 3), bins
    (0.275, 2)
    """
    return stability_of(*_binned(before, after, is_category=is_category))


def stability_of(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, int]:
    """Give the stability index of rows counted in the same bins, shape (bins,), and how many bins it is summed over."""
    is_filled = first + second > 0
    first, second = first[is_filled] + 0.5, second[is_filled] + 0.5
    was, became = first / first.sum(), second / second.sum()
    return float(((became - was) * np.log(became / was)).sum()), len(was)


def _binned(
    before: pd.Series, after: pd.Series, *, is_category: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count both columns over the bins of the first; the last bin is that of what is missing."""
    if is_category:
        levels = pd.Index(before.value_counts().index[:_MOST_LEVELS])
        size = len(levels) + 2
        codes = [
            np.where(column.isna(), size - 1, np.where((place := levels.get_indexer(column)) < 0, size - 2, place))
            for column in (before, after)
        ]
    else:
        numbers = [column.to_numpy(dtype=np.float64, na_value=np.nan) for column in (before, after)]
        known = numbers[0][~np.isnan(numbers[0])]
        edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.empty(0)
        size = len(edges) + 2
        codes = [np.where(np.isnan(column), size - 1, np.searchsorted(edges, column)) for column in numbers]
    first, second = (np.bincount(code, minlength=size).astype(np.float64) for code in codes)
    return first, second


def drifts(fit: Slice, later: Slice, columns: Sequence[str], categories: Mapping[str, object]) -> list[Drift]:
    """Measure the columns that chance can't explain, the most drifted first; ``fit`` is in the order of time."""
    fit, later = _thinned(fit), _thinned(later)
    middle = len(fit.frame) // 2
    leads = [len(pd.unique(part.leads)) for part in (fit, later)]
    spread = sum(1.0 / count for count in leads if count)
    measured = []
    for column in columns:
        before, after, is_category = fit.frame[column], later.frame[column], column in categories
        index, bins = stability_index(before, after, is_category=is_category)
        # A sum of so many squares, were each lead one row: rows of one lead are no independent witnesses.
        by_chance = chi2.ppf(1.0 - _BY_CHANCE / len(columns), max(bins - 1, 1)) * spread
        if index > by_chance:
            usual, _ = stability_index(before.iloc[:middle], before.iloc[middle:], is_category=is_category)
            measured.append(Drift(column, index, usual))
    return sorted(measured, key=lambda one: (-one.index, one.column))


def _thinned(part: Slice) -> Slice:
    """Take every so-manieth row of a large part: shares of a hundred thousand rows are known well enough."""
    step = -(-len(part.frame) // _MOST_ROWS)
    return part if step <= 1 else Slice(part.frame.iloc[::step], part.labels[::step], part.leads[::step])


def feature_drift(
    fit: Slice, later: Slice, columns: Sequence[str], categories: Mapping[str, object]
) -> Iterator[Verdict]:
    """See whether columns have drifted by more than they used to."""
    beyond = [one for one in drifts(fit, later, columns, categories) if one.is_beyond]
    if not beyond:
        return
    shown = "; ".join(f"{one.column} {one.index:.1f} ({one.usual:.1f})" for one in beyond[:_MOST_SHOWN])
    yield found(
        "feature_drift",
        f"{len(beyond):,} of {len(columns):,} columns are not distributed as they were in what was learned from: "
        f"stability index (and that between its halves, {LARGE} being large) of {shown}",
    )


def base_rate_drift(fit: Slice, later: Slice) -> Iterator[Verdict]:
    """See whether the share that converts has left the range that it had in the quarters of what was learned from."""
    quarters = [float(part.mean()) for part in np.array_split(fit.labels, _QUARTERS) if len(part)]
    if not quarters or not len(later.labels):
        return
    low, high, rate = min(quarters), max(quarters), float(later.labels.mean())
    # The luck of the leads: their rows, added up, as one draw each.
    lead_of_row = pd.factorize(later.leads)[0]
    deviations = np.bincount(lead_of_row, weights=later.labels - rate)
    error = float(np.sqrt((deviations**2).sum())) / len(later.labels)
    if low / OTHER_RATE - _ERRORS * error <= rate <= high * OTHER_RATE + _ERRORS * error:
        return
    yield found(
        "base_rate_drift",
        f"{rate:.1%} of the later snapshots convert; of the quarters of what was learned from it were {low:.1%} to "
        f"{high:.1%}",
    )
