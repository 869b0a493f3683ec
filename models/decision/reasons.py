"""Why a lead has its probability: what speaks for it and what against, each with a figure that can be checked.

TreeSHAP values (Lundberg & Lee 2017; Lundberg, Erion & Lee 2018) say by how much each column moves the log-odds of one
row away from the average. They add up, so columns that tell one story (the same act in several windows) are summed
before they are ranked: divided among ten windows, no window would look important. A story is told where the leads that
had it in common converted more often, or less, as the model says; what the figures deny is not told, and counted.

A grade is the same sums once more: a letter for who a lead is, a figure for what it did, each the quarter of the leads
that were learned from; A, or 1, is the best. It decides nothing: the probability knows how both go together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.decision.claims import Claims

MOST_FOR, MOST_AGAINST = 5, 3

NEGLIGIBLE = 1e-9
"""In log-odds: less is what rounding leaves of contributions that cancel."""

_LETTERS, _FIGURES = np.array(list("DCBA"), dtype=object), np.array(list("4321"), dtype=object)


@dataclass(frozen=True)
class Telling:
    """How a story is told: the places of its columns among the contributions, the claims of its teller."""

    columns: Sequence[int]
    claims: Claims
    comes_last: bool = False
    """Whether it says that there was something, and not what: it is told behind all that says what."""


@dataclass(frozen=True)
class Reasons:
    """Up to so many reasons for, or against, each row: of shape (n, most), -1 where there are fewer.

    ``stories`` are places in the list of tellings, ``claims`` places among the claims of each, and ``effects`` what the
    story's columns add to the log-odds, 0 where there is none.
    """

    stories: NDArray[np.int64]
    claims: NDArray[np.int64]
    effects: NDArray[np.float64]


@dataclass(frozen=True)
class Explained:
    """The reasons of some rows, and how much of what moves them the figures deny."""

    speak_for: Reasons
    speak_against: Reasons
    denied: float
    """What stories move in log-odds, up or down, no claim of which points the same way."""
    moving: float
    """What all stories move."""


def explain(
    contributions: NDArray[np.float64], values: Sequence[NDArray[np.generic]], tellings: Sequence[Telling]
) -> Explained:
    """Find the reasons of each row, the strongest first.

    ``contributions`` has the shape (n, columns + 1), as `Model.contributions` returns it; ``values`` are those of each
    story's teller, of shape (n,). Of equally strong ones the first is first.

    Raises ValueError where shapes differ.
    """
    rows = len(contributions)
    if len(values) != len(tellings) or any(len(some) != rows for some in values):
        raise ValueError(f"values of {len(values)} tellers for {len(tellings)} stories of {rows} rows")
    effects = effects_of(contributions, tellings)
    claims = np.full(effects.shape, -1)
    for place, telling in enumerate(tellings):
        for is_up in (True, False):
            moved = np.flatnonzero(effects[:, place] > 0.0 if is_up else effects[:, place] < 0.0)
            claims[moved, place] = telling.claims.find(values[place][moved], is_up=is_up)
    told = claims >= 0
    last = np.array([telling.comes_last for telling in tellings], dtype=bool)
    return Explained(
        _strongest(np.where(told & (effects > 0.0), effects, 0.0), claims, last, MOST_FOR),
        _strongest(np.where(told & (effects < 0.0), effects, 0.0), claims, last, MOST_AGAINST),
        denied=float(np.abs(effects[~told]).sum()),
        moving=float(np.abs(effects).sum()),
    )


def effects_of(contributions: NDArray[np.float64], tellings: Sequence[Telling]) -> NDArray[np.float64]:
    """Sum what the columns of each story add to the log-odds: shape (n, stories)."""
    effects = np.zeros((len(contributions), len(tellings)))
    for place, telling in enumerate(tellings):
        effects[:, place] = contributions.T[list(telling.columns)].sum(axis=0)
    effects[np.abs(effects) <= NEGLIGIBLE] = 0.0
    return effects


def _strongest(effects: NDArray[np.float64], claims: NDArray[np.int64], last: NDArray[np.bool_], most: int) -> Reasons:
    """Take the strongest of each row, those that come last behind the others; an effect of 0 is none."""
    strength = np.abs(effects)
    place = np.broadcast_to(np.arange(effects.shape[1]), effects.shape)
    order = np.lexsort((place, -strength, (strength == 0.0) * 2 + last))[:, :most]
    taken = np.take_along_axis(effects, order, axis=1)
    is_one = taken != 0.0
    return Reasons(np.where(is_one, order, -1), np.where(is_one, np.take_along_axis(claims, order, axis=1), -1), taken)


def grades_of(
    contributions: NDArray[np.float64],
    fit: Sequence[int],
    behaviour: Sequence[int],
    quarters: Mapping[str, Sequence[float]],
) -> NDArray[np.object_]:
    """Grade rows by their contributions, of shape (n, columns + 1): shape (n,), as in A1.

    ``fit`` and ``behaviour`` are places of columns, ``quarters`` the bounds of the model's ``reference.json``. None
    where all that was learned from is alike in one of them: there is nothing to be graded by.
    """
    letter, figure = (
        np.searchsorted(quarters[name], contributions.T[list(columns)].sum(axis=0), side="right")
        for name, columns in (("fit", fit), ("behaviour", behaviour))
    )
    if any(quarters[name][0] >= quarters[name][-1] for name in ("fit", "behaviour")):
        return np.full(len(contributions), None, dtype=object)
    return np.asarray(_LETTERS[letter] + _FIGURES[figure], dtype=object)
