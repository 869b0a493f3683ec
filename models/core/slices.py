"""Rows of the matrix, with their labels and leads: what is learned from and measured on, and folds of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Slice:
    """The rows of one part of time: features, labels of 0 and 1 of shape (n,), the rows' leads of shape (n,)."""

    frame: pd.DataFrame
    labels: NDArray[np.float64]
    leads: NDArray[Any]
    soon: NDArray[np.float64] | None = None
    """How soon each row converts, shape (n,): 1 at once, 0 at the end of the horizon or not within it; None where
    nobody knows."""

    def __post_init__(self) -> None:
        if self.soon is not None and not (
            len(self.soon) == len(self.labels) and ((self.soon >= 0.0) & (self.soon <= self.labels)).all()
        ):
            raise ValueError("soon must lie between 0 and the label of each row")
        if not len(self.frame) == len(self.labels) == len(self.leads):
            raise ValueError(f"{len(self.frame)} rows, {len(self.labels)} labels, {len(self.leads)} leads")
        if not np.isin(self.labels, (0.0, 1.0)).all():
            raise ValueError("labels must be 0 or 1; rows whose outcome is not known yet don't belong here")

    @property
    def conversions(self) -> int:
        """Rows that convert."""
        return int(np.sum(self.labels))

    @cached_property
    def leads_of_each(self) -> tuple[int, int]:
        """How many leads convert, and how many have a row that doesn't."""
        return count_leads(self.labels, self.leads)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Slice:
        """Give some of the rows, by whether they are wanted, or by their places in the order that is wanted."""
        places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        soon = None if self.soon is None else self.soon[places]
        return Slice(self.frame.iloc[places], self.labels[places], self.leads[places], soon)


def count_leads(labels: NDArray[np.float64], leads: NDArray[Any]) -> tuple[int, int]:
    """Count the leads that have a row which converts, and those that have one which doesn't; shapes (n,).

    Rows of one lead repeat each other: it is leads that are outcomes.
    """
    converts = labels > 0
    return len(pd.unique(leads[converts])), len(pd.unique(leads[~converts]))


FOLDS, FOLDS_OF_MANY, MANY_ROWS = 5, 3, 20_000
"""From so many rows on there are three folds: two thirds of them teach nearly what all do, in half the time."""


def folds_for(rows: int) -> int:
    """Say into how many folds so many rows are dealt."""
    return FOLDS if rows < MANY_ROWS else FOLDS_OF_MANY


@dataclass(frozen=True)
class Dealt:
    """The fold of each row, shape (n,), and how many leads convert in some row, and in none."""

    fold: NDArray[np.int64]
    converting: int
    others: int


def deal(labels: NDArray[np.float64], leads: NDArray[Any], *, seed: int, folds: int = FOLDS) -> Dealt:
    """Deal leads to folds, those that convert and those that don't each in turn: none is split."""
    lead_of_row, distinct = pd.factorize(leads)
    converts = np.zeros(len(distinct), dtype=bool)
    converts[lead_of_row[labels > 0]] = True
    generator = np.random.default_rng(seed)
    fold_of_lead = np.empty(len(converts), dtype=np.int64)
    for kind in (converts, ~converts):
        members = generator.permutation(np.flatnonzero(kind))
        fold_of_lead[members] = np.arange(len(members)) % folds
    return Dealt(fold_of_lead[lead_of_row], int(converts.sum()), int((~converts).sum()))


def whole_leads(leads: NDArray[Any], maximum: int) -> NDArray[np.bool_]:
    """Tell which rows, at most ``maximum``, belong to leads that are drawn by a hash of their ids: shape (n,).

    A lead is in with all its rows or with none, and in a larger draw it is in again.
    """
    if len(leads) <= maximum:
        return np.ones(len(leads), dtype=bool)
    of_row, distinct = pd.factorize(leads)
    order = np.argsort(pd.util.hash_array(np.asarray(distinct, dtype=object)), kind="stable")
    fits = np.cumsum(np.bincount(of_row, minlength=len(distinct))[order]) <= maximum
    chosen = np.zeros(len(distinct), dtype=bool)
    chosen[order[fits]] = True
    return np.asarray(chosen[of_row])


def thinned(leads: NDArray[Any], maximum: int) -> NDArray[np.bool_]:
    """Tell which rows, about ``maximum`` of more, are every second, third ... row of their lead: shape (n,).

    Rows of one lead repeat each other, so nearly all that the rows tell is told by these. Which row of a lead is its
    first one goes by a hash of its id: leads of one row are drawn as often as rows are.
    """
    every = -(-len(leads) // maximum)
    if every <= 1:
        return np.ones(len(leads), dtype=bool)
    of_row, distinct = pd.factorize(leads)
    order = np.argsort(of_row, kind="stable")
    counts = np.bincount(of_row, minlength=len(distinct))
    place = np.empty(len(leads), dtype=np.int64)
    place[order] = np.arange(len(leads)) - np.repeat(np.cumsum(counts) - counts, counts)
    begin = pd.util.hash_array(np.asarray(distinct, dtype=object)) % np.uint64(every)
    return np.asarray((place + begin.astype(np.int64)[of_row]) % every == 0)
