"""What is counted and added up for those who decide: frames and figures in, named figures out; pages print them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from features.core.schema import OPEN_TIERS
from models.decision.maturity import HOTTEST_FIRST

if TYPE_CHECKING:
    import pyarrow as pa

_COUNTED = (
    ("tiers", "tier"),
    ("maturities", "maturity"),
    ("stages", "stage"),
    ("lists", "list"),
    ("list_reasons", "list_reason"),
    ("targets", "target"),
)
_EDGES = (0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
"""Finer where most leads are: conversions are rare."""


class OfTier(NamedTuple):
    """The open leads of a tier: how many, and how many of them are expected to convert."""

    tier: str
    leads: int
    expected: float
    of_all_expected: float


class Bin(NamedTuple):
    """How many open leads have a probability from ``low`` to ``high``; ``width`` is their share of the largest bin."""

    low: float
    high: float
    leads: int
    width: float


def scores(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Turn probabilities into what people are shown: a hundred times them."""
    return 100.0 * np.asarray(probabilities, dtype=np.float64)


def sums(recommendations: pa.Table) -> dict[str, object]:
    """Count the open leads, by tier, maturity, stage and list, too, and add up how many are expected to convert.

    Beside them, ``ended`` counts the leads that have ended, by tier.
    """
    counting = recommendations.select(["probability", *(column for _, column in _COUNTED)])
    is_open = pc.is_valid(counting["probability"])
    opened, ended = counting.filter(is_open), counting.filter(pc.invert(is_open))
    counted = {plural: _counts(opened[column]) for plural, column in _COUNTED}
    expected = _expected(opened["probability"])
    return {"leads": len(opened), "expected_conversions": expected, **counted, "ended": _counts(ended["tier"])}


def by_tier(recommendations: pd.DataFrame) -> list[OfTier]:
    """Count the open leads of each tier and add up their probabilities, the best first."""
    total, rows = _expected(recommendations["probability"]), []
    for tier in OPEN_TIERS:
        probabilities = recommendations.loc[recommendations["tier"] == tier, "probability"]
        expected = _expected(probabilities)
        rows.append(OfTier(tier, len(probabilities), expected, expected / total))
    return rows


def by_tier_and_maturity(recommendations: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count the open leads by tier, and by maturity within it, the best first."""
    counts = recommendations.groupby(["tier", "maturity"]).size()
    return {tier: {maturity: int(counts.get((tier, maturity), 0)) for maturity in HOTTEST_FIRST} for tier in OPEN_TIERS}


def by_probability(recommendations: pd.DataFrame) -> list[Bin]:
    """Count the open leads by probability; bins above the last lead are left out."""
    counts = np.histogram(recommendations["probability"], bins=_EDGES)[0]
    last = int(np.flatnonzero(counts)[-1])
    return [
        Bin(low, high, int(count), float(count / counts.max()))
        for low, high, count in zip(_EDGES[: last + 1], _EDGES[1:], counts, strict=False)
    ]


def reached_by_best_tenth(lift: float) -> float:
    """Give the share of all conversions that the best tenth holds, whose leads convert ``lift`` times as often."""
    return min(0.1 * lift, 1.0)


def _counts(values: pa.ChunkedArray) -> dict[str, int]:
    return {count["values"]: count["counts"] for count in pc.value_counts(values.drop_null()).to_pylist()}


def _expected(probabilities: ArrayLike) -> float:
    return float(np.asarray(probabilities).sum())
