"""What could be done without us, learned from the same rows: yardsticks that stand in the table beside the model.

All of them add up (`models.core.additive`), so they are fitted, calibrated and asked as a rung of the ladder is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from models.core.additive import Additive, Term, shaped
from models.learning.additive import Roles, terms_of_rates

Baseline = Literal["base_rate", "points", "recency_frequency", "naive_bayes"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
BASELINE_NAMES: dict[Baseline, str] = {
    "base_rate": "the base rate",
    "points": "the rule of points",
    "recency_frequency": "recency and frequency",
    "naive_bayes": "naive Bayes",
}
"""Their names on every page."""
POINTS = (1.0, 5.0, 10.0)
"""Of an act of the most frequent third of types, of the next, and of the rarest: what asks more of a lead is rarer."""
CLAMP = (0.0001, 0.9999)
"""Odoo says no probability beyond these."""
_NO_CAP = 1e9
SMOOTHING = 0.1
"""Where each count of naive Bayes begins, as Odoo's predictive lead scoring does."""


def points_rule(roles: Roles, numbers: Mapping[str, NDArray[Any]], points: Mapping[str, float]) -> Additive:
    """Give the rule that marketing tools offer: points for each act of the longest window, added up.

    ``points`` are those that are stated, by event type; the others get `POINTS` by how rare they are.
    """
    often = sorted(roles.counts, key=lambda name: (-float(np.nansum(numbers[roles.counts[name]])), name))
    worth = {name: points.get(name, POINTS[place * len(POINTS) // len(often)]) for place, name in enumerate(often)}
    return Additive(0.0, tuple(Term(roles.counts[name], "capped", _NO_CAP, weight=worth[name]) for name in often))


def naive_bayes(
    roles: Roles,
    numbers: Mapping[str, NDArray[Any]],
    categories: Mapping[str, Sequence[str]],
    labels: NDArray[np.float64],
) -> Additive:
    """Count each attribute's values, and each last act, among those that convert and those that don't.

    As Odoo's predictive lead scoring, which takes the stage in place of the last act: log-odds are those of the base
    rate and, for each value, the log of the ratio of its shares; counts begin at `SMOOTHING`.
    """
    won, lost = labels.sum() + SMOOTHING, (1.0 - labels).sum() + SMOOTHING
    counted = []
    terms = terms_of_rates(Roles(recency=roles.recency, channels=list(categories)), categories)
    for term, values in zip(terms, shaped(terms, numbers), strict=True):
        converting = float(np.sum(values * labels))
        ratio = (converting + SMOOTHING) / won / ((float(values.sum()) - converting + SMOOTHING) / lost)
        counted.append(replace(term, weight=float(np.log(ratio)), spread=float(values.std())))
    return Additive(float(np.log(won / lost)), tuple(counted))
