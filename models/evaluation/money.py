"""What leads cost and bring: rates, costs and returns from sums over leads, each with its interval of 95 %.

Leads are what varies: another year would bring other leads at the same spending. A rate has Wilson's interval, a count
Byar's (Breslow and Day 1987, vol. II, eq. 2.10), a cost per something that of its count, and revenue that of as many
equal sales as vary as much: the variance of a sum over leads that come by chance is the sum of their squares. What is
expected of open leads has bounds between which their number will lie: by chance, and by how far off the model has been
of its channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.evaluation.intervals import NORMAL_QUANTILE, byar_interval, poisson_bounds, wilson_interval

_FEW = 20.0
"""Below so many a count is lopsided."""


def with_costed(cohorts: pd.DataFrame) -> pd.DataFrame:
    """Add to each count and sum its part whose ``cost`` is known, as ``costed NAME``: costs are told of these alone.

    ``visited leads`` are those whose visitors were counted.
    """
    counted = [name for name in cohorts.columns if name not in NO_SUMS]
    costed = cohorts[counted].where(cohorts["cost"].notna(), 0).add_prefix("costed ")
    visited = cohorts["leads"].where(cohorts["visits"].notna(), 0).rename(VISITED)
    return pd.concat([cohorts, costed, visited], axis=1)


VISITED = "visited leads"
GIVEN = ("cost", "clicks", "visits")
NO_SUMS = ("dimension", "value", "month", *GIVEN)
"""The columns of a cohort that are no counts, or are missing where nobody entered any."""


def add_up(cohorts: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Add the rows of ``with_costed`` that agree in ``by``; ``cost`` is missing where no row has one."""
    sums = [name for name in cohorts.columns if name not in NO_SUMS]
    if not by:
        row = {name: cohorts[name].sum() for name in sums}
        return pd.DataFrame([row | {name: cohorts[name].sum(min_count=1) for name in GIVEN}])
    parts = cohorts.groupby(list(by), sort=True, observed=True)
    return pd.concat([parts[sums].sum(), parts[list(GIVEN)].sum(min_count=1)], axis=1).reset_index()


def kpis(sums: pd.DataFrame, steps: Iterable[str], error: float | None = None) -> pd.DataFrame:
    """Give the KPIs of the rows of ``add_up``, in its order; one that can't be told is missing.

    ``error`` is the ``relative_error`` of what is expected; where it is not known, bounds hold chance alone.

    ``steps`` are the columns of the steps between lead and customer. Columns: conversion_rate, and rate NAME of each
    step, of all leads; visit_rate (leads by visitor, where these were counted); cpc, cpl, cost NAME of each step, cac,
    cost_per_expected (of what has converted and what is still expected to), roi, roas; projected (won and expected);
    with NAME_low and NAME_high of each.
    """
    told: dict[str, NDArray[np.float64]] = {}
    leads, won = _of(sums, "leads"), _of(sums, "won")
    for name, count in (("conversion_rate", won), *((f"rate {step}", _of(sums, step)) for step in steps)):
        with np.errstate(invalid="ignore", divide="ignore"):
            told[name] = count / leads
            told[f"{name}_low"], told[f"{name}_high"] = wilson_interval(count, leads)
    cost = sums["cost"].to_numpy(np.float64)
    counts = {"cpl": "leads", **{f"cost {step}": step for step in steps}, "cac": "won"}
    for name, column in counts.items():
        told |= _cost_of(name, cost, _of(sums, f"costed {column}"))
    low, high = byar_interval(_of(sums, VISITED))
    visits = sums["visits"].to_numpy(np.float64)
    for end, count in (("", _of(sums, VISITED)), ("_low", low), ("_high", high)):
        told[f"visit_rate{end}"] = _ratio(count, visits)
    told["cpc"] = _ratio(cost, sums["clicks"].to_numpy(np.float64))
    told |= _cost_of("cost_per_expected", cost, _of(sums, "costed won") + _of(sums, "costed expected"))
    told |= _returns(cost, _of(sums, "costed revenue"), _of(sums, "costed revenue_squares"))
    expected, variance = _of(sums, "expected"), _of(sums, "expected_variance")
    low, high = promised_interval(expected, variance, error or 0.0)
    told |= {"expected_low": low, "expected_high": high}
    told |= {"projected": won + expected, "projected_low": won + low, "projected_high": won + high}
    return pd.DataFrame(told, index=sums.index)


def promised_interval(
    expected: NDArray[np.float64], variance: NDArray[np.float64], error: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Between which whole numbers, in 95 of 100, a count will lie whose leads convert with probabilities told before.

    Its mean is the sum of the probabilities, its variance by chance that of p (1 - p): less than its mean. To it comes
    that of the model, which is off by ``error``, a part of what it expects (``relative_error``). A count is whole, so
    the ends are half of one further out; both of shape (n,).
    """
    half = NORMAL_QUANTILE * np.sqrt(variance + (error * expected) ** 2) + 0.5
    low, high = np.maximum(expected - half, 0.0), expected + half
    few_low, few_high = poisson_bounds(expected)
    few = expected < _FEW
    return np.where(few, np.minimum(low, few_low), low), np.where(few, np.maximum(high, few_high), high)


def relative_error(kept: pd.DataFrame) -> float | None:
    """Say by which part of itself an expected number is off, beyond what chance explains: 0.1 is a tenth.

    ``kept`` has rows of origins and channels: origin, expected, variance (by chance), happened. What the squares of the
    misses exceed their variance by is the model's (a moment estimator, as DerSimonian and Laird's). None of less than
    two origins, or of fewer than ``FEWEST_EXPECTED`` expected: nobody can tell yet.

    >>> kept = pd.DataFrame({"origin": [1, 2], "expected": 100.0, "variance": 75.0, "happened": [113.0, 91.0]})
    >>> round(relative_error(kept) ** 2, 4)
    0.005
    """
    if kept["origin"].nunique() < _FEWEST_ORIGINS or kept["expected"].sum() < FEWEST_EXPECTED:
        return None
    misses = (kept["happened"] - kept["expected"]) ** 2 - kept["variance"]
    return float(np.sqrt(max(misses.sum(), 0.0) / (kept["expected"] ** 2).sum()))


FEWEST_EXPECTED = 50.0
_FEWEST_ORIGINS = 2


def _of(sums: pd.DataFrame, name: str) -> NDArray[np.float64]:
    column: NDArray[np.float64] = sums[name].to_numpy(np.float64)
    return column


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.full(len(above), np.nan)
    np.divide(above, below, out=ratio, where=below > 0.0)
    return ratio


def _cost_of(name: str, cost: NDArray[np.float64], count: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    low, high = byar_interval(count)
    return {name: _ratio(cost, count), f"{name}_low": _ratio(cost, high), f"{name}_high": _ratio(cost, low)}


def _returns(
    cost: NDArray[np.float64], revenue: NDArray[np.float64], squares: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    low, high = revenue_interval(revenue, squares)
    told: dict[str, NDArray[np.float64]] = {}
    for end, earned in (("", revenue), ("_low", low), ("_high", high)):
        roas = _ratio(earned, cost)
        told |= {f"roas{end}": roas, f"roi{end}": roas - 1.0}
    return told


def revenue_interval(
    revenue: NDArray[np.float64], squares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high end of what leads bring on average, from a sum over leads and that of their squares, of shape (n,).

    It is Byar's interval of as many equal sales as vary as much, for few sales are lopsided (Dobson and others 1991).
    Where more was given back than that, it is the normal one; where nothing was earned, nobody knows what a sale
    brings, and both are missing.

    >>> low, high = revenue_interval(np.array([900.0, 0.0, 10.0]), np.array([90_000.0, 0.0, 18_100.0]))
    >>> low.round().tolist(), high.round().tolist()
    ([411.0, nan, -254.0], [1709.0, nan, 274.0])
    """
    half = NORMAL_QUANTILE * np.sqrt(squares)
    sales = _ratio(revenue**2, squares)
    few, many = byar_interval(sales)
    is_sum_of_sales = (revenue > 0.0) & (sales >= 1.0)
    ends = ((revenue - half, few), (revenue + half, many))
    low, high = (np.where(is_sum_of_sales, revenue * _ratio(end, sales), normal) for normal, end in ends)
    nothing = squares <= 0.0
    return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)
