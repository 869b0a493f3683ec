"""What became of the leads that had something in common: the figures behind a reason, counted when a model is learned.

A claim is a condition on one column. Its share is that of leads, each counting once: the mean, over the leads that met
the condition at some look, of the share of those looks that were followed by a conversion within the horizon. Rows
would count most whom we looked at most often. Of each lead its last look alone would be, of those that convert, the one
right before: by it, 8 % of the sample's leads would convert within 30 days, and 3 % do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.core.slices import Slice

DAYS = (1, 7, 30, 90)
"""Within so many days an act was, or for so many nothing was."""
_PARTS = 5
"""Into which the values of a number are parted; equal values are never parted."""


def claims_of(rows: Slice, told: Mapping[str, bool], categories: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Count the leads behind each claim of the columns that are ``told``, as JSON holds it.

    ``told`` says of each column whether it holds the days since something, which makes claims of its own: ``within`` so
    many days, ``silent`` for so many or more. Others are parted: ``from`` (which may be the value itself) and below
    ``below``, or a ``level`` of a category. Where values are missing it is a claim, too. ``leads`` and ``share`` are
    those of all leads.
    """
    of_row, distinct = pd.factorize(rows.leads)
    counted = _Counted(of_row, rows.labels, len(distinct))
    columns: dict[str, list[dict[str, Any]]] = {}
    for column, is_days in told.items():
        claims = _claims(rows.frame[column], categories.get(column), is_days=is_days)
        columns[column] = [{**claim, **found} for claim, met in claims if (found := counted.those(met))["leads"]]
    return {**counted.those(np.ones(len(of_row), dtype=bool)), "columns": columns}


class _Counted:
    """Counts leads by their rows: ``of_row`` has the shape of the labels, and numbers the leads."""

    def __init__(self, of_row: NDArray[np.int64], labels: NDArray[np.float64], leads: int) -> None:
        self._of_row, self._labels, self._leads = of_row, labels, leads

    def those(self, met: NDArray[np.bool_]) -> dict[str, Any]:
        """Count the leads that have such rows, and give the mean of their shares."""
        rows = np.flatnonzero(met)
        looks = np.bincount(self._of_row[rows], minlength=self._leads)
        converting = np.bincount(self._of_row[rows], self._labels[rows], minlength=self._leads)
        has = looks > 0
        share = float((converting[has] / looks[has]).mean()) if has.any() else 0.0
        return {"leads": int(has.sum()), "share": share}


def _claims(
    values: pd.Series[Any], levels: Sequence[str] | None, *, is_days: bool
) -> Iterator[tuple[dict[str, Any], NDArray[np.bool_]]]:
    missing = values.isna().to_numpy()
    if levels is not None:
        texts = values.to_numpy(dtype=object)
        yield from (({"kind": "level", "level": level}, np.asarray(texts == level, dtype=bool)) for level in levels)
    else:
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        yield from _of_days(numbers) if is_days else _of_number(numbers, missing)
    yield {"kind": "missing"}, missing


def _of_days(days: NDArray[np.float64]) -> Iterator[tuple[dict[str, Any], NDArray[np.bool_]]]:
    for bound in DAYS:
        yield {"kind": "within", "days": bound}, days < bound
        yield {"kind": "silent", "days": bound}, days >= bound


def _of_number(
    numbers: NDArray[np.float64], missing: NDArray[np.bool_]
) -> Iterator[tuple[dict[str, Any], NDArray[np.bool_]]]:
    known = numbers[~missing]
    if not len(known):
        return
    inner = np.quantile(known, np.arange(1, _PARTS) / _PARTS, method="inverted_cdf")
    edges = [float(known.min()), *np.unique(inner[inner > known.min()]).tolist()]
    for low, high in zip(edges, [*edges[1:], None], strict=True):
        inside = numbers >= low
        yield {"kind": "part", "from": low, "below": high}, inside if high is None else inside & (numbers < high)
