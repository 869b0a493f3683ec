"""Why a lead has its probability: what speaks for it and what against, each with a figure that can be checked.

TreeSHAP values (Lundberg & Lee 2017; Lundberg, Erion & Lee 2018) say by how much each column moves the log-odds of one
row away from the average. They add up, so columns that tell one story (the same act in several windows) are summed
before they are ranked: divided among ten windows, no window would look important. A story is told where the leads that
had it in common converted more often, or less, as the model says; what the figures deny is not told, and counted.

A grade is the same sums once more: a letter for who a lead is, a figure for what it did, each the quarter of the leads
that were learned from; A, or 1, is the best. It decides nothing: the probability knows how both go together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.decision.claims import Claims

DayOf = Callable[[NDArray[np.float64]], NDArray[Any]]
"""Gives the days that moments so many days ago lay on: shape (n,)."""
MOST_FOR, MOST_AGAINST = 5, 3
MOST_OF_A_TYPE = 2
"""Of one event type so many are told for a lead, and so many against it: more say the same of it in other words."""

NEGLIGIBLE = 1e-9
"""In log-odds: less is what rounding leaves of contributions that cancel."""

_NEVER_ANY, _NEVER, _AMOUNT, _USUAL, _STRONG = 1.0, 2.0, 3.0, 4.0, 5.0
"""What is told behind what: the higher before the lower, however much either adds."""
_LETTERS, _FIGURES = np.array(list("DCBA"), dtype=object), np.array(list("4321"), dtype=object)


@dataclass(frozen=True)
class Telling:
    """How a story is told: the places of its columns among the contributions, the claims of its teller."""

    columns: Sequence[int]
    claims: Claims
    comes_last: bool = False
    """Whether it says that there was something, and not what: it is told behind all that says what."""
    is_strong: bool = False
    """Whether it is an act that shows intent: where it was within the days of its claim, it is told first."""
    event_type: str | None = None
    """Of which there are no more than MOST_OF_A_TYPE; None where it may stand beside any others."""
    refines: int | None = None
    """The place of the telling of the same act without its content, which is not told of the same day."""


@dataclass(frozen=True)
class Reasons:
    """Up to so many reasons for, or against, each row: of shape (n, most), -1 where there are fewer.

    ``stories`` are places in the list of tellings, ``claims`` places among the claims of each, and ``effects`` what the
    story's columns add to the log-odds, with those of an act whose place it takes; 0 where there is none. By
    ``weights`` those for and against are told in one order, the highest first; 0 where there is none.
    """

    stories: NDArray[np.int64]
    claims: NDArray[np.int64]
    effects: NDArray[np.float64]
    weights: NDArray[np.float64]


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
    contributions: NDArray[np.float64],
    values: Sequence[NDArray[np.generic]],
    tellings: Sequence[Telling],
    day_of: DayOf = np.floor,
) -> Explained:
    """Find the reasons of each row, the strongest first.

    ``contributions`` has the shape (n, columns + 1), as `Model.contributions` returns it; ``values`` are those of each
    story's teller, of shape (n,); ``day_of`` gives the days that moments so many days ago, shape (n,), lay on.

    A strong act within the days of its claim comes before all others, and is told where it does not lower the
    probability: what goes together with it may have taken the credit. Behind all that says what was come amounts, and
    last, once at most, that something never was. Where an act is told by its content, it takes the place of the same
    act of that day without it, and what that one adds. Of equally strong ones the first is first.

    Raises ValueError where shapes differ.
    """
    rows = len(contributions)
    if len(values) != len(tellings) or any(len(some) != rows for some in values):
        raise ValueError(f"values of {len(values)} tellers for {len(tellings)} stories of {rows} rows")
    effects = effects_of(contributions, tellings)
    claims, ranks = np.full_like(effects, -1, dtype=np.int64), np.zeros_like(effects)
    for place, telling in enumerate(tellings):
        added = effects[:, place]
        for is_up, moved in ((True, added >= 0.0 if telling.is_strong else added > 0.0), (False, added < 0.0)):
            some = np.flatnonzero(moved)
            claims[some, place] = telling.claims.find(values[place][some], is_up=is_up)
        ranks[:, place] = _ranks(telling)[claims[:, place]]
    told = claims >= 0
    denied, moving = float(np.abs(effects[~told]).sum()), float(np.abs(effects).sum())
    speaks_for = told & (effects >= 0.0)
    _unite(effects, ranks, values, tellings, day_of)
    weights = np.where(ranks > 0.0, ranks + _below_one(effects), 0.0)
    return Explained(
        _strongest(np.where(speaks_for, weights, 0.0), effects, claims, tellings, MOST_FOR),
        _strongest(np.where(speaks_for, 0.0, weights), effects, claims, tellings, MOST_AGAINST),
        denied=denied,
        moving=moving,
    )


def effects_of(contributions: NDArray[np.float64], tellings: Sequence[Telling]) -> NDArray[np.float64]:
    """Sum what the columns of each story add to the log-odds: shape (n, stories)."""
    effects = np.zeros((len(tellings), len(contributions))).T  # story by story, as it is read, too
    for place, telling in enumerate(tellings):
        effects[:, place] = contributions.T[list(telling.columns)].sum(axis=0)
    effects[np.abs(effects) <= NEGLIGIBLE] = 0.0
    return effects


def _ranks(telling: Telling) -> NDArray[np.float64]:
    """Give the rank of a story by each of its claims, and behind these, where none is told, 0."""
    kinds = telling.claims.kinds
    usual, never = (_AMOUNT, _NEVER_ANY) if telling.comes_last else (_USUAL, _NEVER)
    strong = _STRONG if telling.is_strong else usual
    return np.select([kinds == "", kinds == "never", kinds == "within"], [0.0, never, strong], usual)


def _below_one(effects: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give a number below 1 that is the higher, the more an effect is, either way."""
    strength = np.abs(effects)
    return strength / (1.0 + strength)


def _unite(
    effects: NDArray[np.float64],
    ranks: NDArray[np.float64],
    values: Sequence[NDArray[np.generic]],
    tellings: Sequence[Telling],
    day_of: DayOf,
) -> None:
    """Put an act that is told by its content in the place of the same act of that day without it.

    Of several contents it is the strongest. What the other one adds is added to it, and the other's rank is 0.
    """
    contents: dict[int, list[int]] = {}
    for place, telling in enumerate(tellings):
        if telling.refines is not None:
            contents.setdefault(telling.refines, []).append(place)
    for bare, places in contents.items():
        best, which = np.full(len(effects), -1.0), np.full(len(effects), -1)
        for place in places:
            both = (ranks[:, bare] > _NEVER) & (ranks[:, place] > _NEVER)
            rows = np.flatnonzero(both & ((effects[:, bare] < 0.0) == (effects[:, place] < 0.0)))
            of_bare, of_content = (values[one][rows].astype(np.float64) for one in (bare, place))
            rows = rows[day_of(of_bare) == day_of(of_content)]
            rows = rows[np.abs(effects[rows, place]) > best[rows]]
            best[rows], which[rows] = np.abs(effects[rows, place]), place
        rows = np.flatnonzero(which >= 0)
        effects[rows, which[rows]] += effects[rows, bare]
        ranks[rows, bare] = 0.0


def _strongest(
    weights: NDArray[np.float64],
    effects: NDArray[np.float64],
    claims: NDArray[np.int64],
    tellings: Sequence[Telling],
    most: int,
) -> Reasons:
    """Take the highest weights of each row, one by one; a weight of 0 is none."""
    weights = np.array(weights, order="C")  # row by row
    types, _ = pd.factorize(np.array([telling.event_type for telling in tellings], dtype=object))
    rows = np.arange(len(weights))
    stories, taken = np.full((len(rows), most), -1), np.zeros((len(rows), most))
    for place in range(most):
        best = weights.argmax(axis=1)
        stories[:, place], taken[:, place] = best, weights[rows, best]
        weights[rows, best] = 0.0
        # Behind what never was there is nothing but more of its kind.
        weights[taken[:, place] < _AMOUNT] = 0.0
        known = types[stories[:, : place + 1]]
        full = np.flatnonzero(((known == known[:, -1:]) & (known >= 0)).sum(axis=1) == MOST_OF_A_TYPE)
        weights[full] *= types != known[full, -1:]
    is_one = taken > 0.0
    return Reasons(
        np.where(is_one, stories, -1),
        np.where(is_one, np.take_along_axis(claims, stories, axis=1), -1),
        np.where(is_one, np.take_along_axis(effects, stories, axis=1), 0.0),
        taken,
    )


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
