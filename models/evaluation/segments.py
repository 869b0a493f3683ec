"""Parts of what was foretold: in which of them more is promised than happens, or less, than chance would make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.learning.ladder import losses, mean_and_error

AGES = ((0.0, 7.0, "up to a week"), (7.0, 30.0, "a week to 30 days"), (30.0, 90.0, "30 to 90 days"))
OLDER = "more than 90 days"
FEWEST_LEADS = 50
"""A segment of fewer leads is told, and not judged."""
MOST_SEGMENTS = 12
"""Of one kind: the largest; the rest is pooled."""
_LEVEL = 0.95


@dataclass(frozen=True)
class Segment:
    """One part: how many conversions were promised and how many happened.

    ``away`` is the difference, happened less promised, in its standard errors, which are taken over leads; None where
    nothing can be said. ``gain`` is how much lower the log loss of a row is than that of the base rate.
    """

    kind: str
    name: str
    rows: int
    leads: int
    promised: float
    happened: int
    away: float | None
    gain: float


def segments(
    labels: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    base_rates: NDArray[np.float64],
    leads: NDArray[Any],
    kinds: Mapping[str, NDArray[Any]],
) -> list[Segment]:
    """Measure each value of each kind: arrays of shape (n,); a kind's values are texts, "" where there is none.

    ``base_rates`` are what each row's origin knew of the share that converts.
    """
    found = []
    saved = losses(labels, base_rates) - losses(labels, probabilities)
    for kind, values in kinds.items():
        names, counts = np.unique(values, return_counts=True)
        largest = names[np.argsort(-counts, kind="stable")][:MOST_SEGMENTS]
        pooled = np.where(np.isin(values, largest), values, "other")
        for name in dict.fromkeys([*largest, *(["other"] if len(names) > MOST_SEGMENTS else [])]):
            rows = pooled == name
            number = len(np.unique(leads[rows]))
            mean, error = mean_and_error(labels[rows] - probabilities[rows], leads[rows])
            # Where none converted, the labels' own spread says nothing: by the promise it is at least this.
            count = int(rows.sum())
            least = float(np.sqrt(np.sum(probabilities[rows] * (1.0 - probabilities[rows])))) / count
            away = mean / max(error, least) if number >= FEWEST_LEADS else None
            promised = float(probabilities[rows].sum())
            happened = int(labels[rows].sum())
            found.append(
                Segment(
                    kind, str(name) or "not known", count, number, promised, happened, away, float(saved[rows].mean())
                )
            )
    return found


def worst(found: Sequence[Segment]) -> tuple[list[Segment], float]:
    """Give the segments that lie further away than chance explains, the furthest first, and from where on it does not.

    As many segments as there are, of a model that is right, have one that lies beyond that in one case of twenty (Šidák
    1967).
    """
    judged = [one for one in found if one.away is not None]
    bound = NormalDist().inv_cdf(0.5 + _LEVEL ** (1.0 / max(len(judged), 1)) / 2.0)
    beyond = [one for one in judged if one.away is not None and abs(one.away) > bound]
    return sorted(beyond, key=lambda one: -abs(one.away or 0.0)), bound


def age_of(days: NDArray[np.float64]) -> NDArray[Any]:
    """Name the band of each age in days: shape (n,)."""
    return np.select([days < until for _, until, _ in AGES], [name for _, _, name in AGES], default=OLDER)
