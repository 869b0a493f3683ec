"""What a model has to be compared with later on: how its columns were distributed, and how it did at the origins.

It travels with the model: who watches its scores has no need of the rows that it learned from. Counts are of rows, and
plain SQL over the matrix gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.core.encoding import numbers_of
from models.core.slices import Slice, thinned
from models.explaining.contributions import Contributions
from models.learning.backtest import Foretold
from models.learning.ladder import losses

if TYPE_CHECKING:
    from models.core.model import Model

PARTS = 10
"""Of equal size, into which the values of a column are parted; equal values are never parted."""

_MOST_EXPLAINED = 5_000
"""Whose contributions are computed: quarters need no more, and TreeSHAP takes its time."""


def reference_of(
    rows: Slice, columns: Sequence[str], categories: Mapping[str, Sequence[str]], foretold: Iterable[Foretold]
) -> dict[str, Any]:
    """Describe what was learned from, and what was foretold from the origins, as JSON holds it.

    ``columns`` holds, for each column, ``rows`` and ``conversions`` of each of its parts. Part i of a number is of
    values from ``edges[i - 1]`` on and below ``edges[i]``; of a category the first part is any other level, and then
    come its ``levels``. The last part is always what is missing.

    ``origins`` holds, for each origin (UTC), its rows, how many of them converted and how many were expected to, and
    the mean log loss; the newest is the last.
    """
    described = {}
    for column, values in zip(columns, numbers_of(rows.frame, columns, categories), strict=True):
        named: dict[str, list[Any]] = (
            {"levels": list(categories[column])}
            if column in categories
            else {"edges": _edges(values[~np.isnan(values)]).tolist()}
        )
        place, size = _places(values, named)
        described[column] = {
            **named,
            "rows": np.bincount(place, minlength=size).tolist(),
            "conversions": np.bincount(place[rows.labels > 0], minlength=size).tolist(),
        }
    return {
        "rows": len(rows.labels),
        "leads": len(pd.unique(rows.leads)),
        "conversions": rows.conversions,
        "columns": described,
        "origins": [_figures(one) for one in foretold],
    }


def counts_of(
    frame: pd.DataFrame, columns: Sequence[str], categories: Mapping[str, Sequence[str]], described: Mapping[str, Any]
) -> dict[str, NDArray[np.int64]]:
    """Count the rows of a frame in the parts that a reference describes (its ``columns``), by column."""
    counts = {}
    for column, values in zip(columns, numbers_of(frame, columns, categories), strict=True):
        place, size = _places(values, described[column])
        counts[column] = np.bincount(place, minlength=size)
    return counts


def _places(values: NDArray[Any], named: Mapping[str, Any]) -> tuple[NDArray[np.int64], int]:
    """Give the part of each value by the ``levels`` or ``edges`` of its column, and how many parts there are."""
    missing = np.isnan(values)
    if "levels" in named:
        size = len(named["levels"]) + 2
        part = np.where(missing, size - 1, values)
    else:
        size = len(named["edges"]) + 2
        part = np.where(missing, size - 1, np.searchsorted(named["edges"], values, side="right"))
    return part.astype(np.int64), size


def quarters_of(model: Model, rows: Slice, parts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Give the three bounds between the quarters of what each part, by its columns, adds: as JSON holds them."""
    drawn = rows.take(thinned(rows.leads, _MOST_EXPLAINED))
    contributions = Contributions(model).of(drawn.frame)
    place = {column: position for position, column in enumerate(model.columns)}
    quarters = {}
    for name, columns in parts.items():
        added = contributions.T[[place[column] for column in columns]].sum(axis=0)
        quarters[name] = np.quantile(added, (0.25, 0.5, 0.75)).tolist()
    return quarters


def _edges(known: NDArray[Any]) -> NDArray[np.float64]:
    if not len(known):
        return np.empty(0)
    return np.unique(np.quantile(known, np.arange(1, PARTS) / PARTS, method="inverted_cdf")).astype(np.float64)


def _figures(one: Foretold) -> dict[str, Any]:
    return {
        "origin": one.origin and one.origin.moment.isoformat(),
        "rows": len(one.labels),
        "conversions": int(one.labels.sum()),
        "expected": float(one.probabilities.sum()),
        "log_loss": float(losses(one.labels, one.probabilities).mean()),
    }
