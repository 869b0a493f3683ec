"""Why a lead has its probability: the strongest reasons, in words.

TreeSHAP values (Lundberg & Lee 2017; Lundberg, Erion & Lee 2018) say by how much each column moves the log-odds of one
row away from the average. They add up, so columns that tell one story (the same event in several windows) are summed
before they are ranked: divided among ten windows, no window would look important.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Wording = Callable[[Any], str]

MOST_REASONS = 3

NEGLIGIBLE = 1e-9
"""In log-odds: less is what rounding leaves of contributions that cancel."""


@dataclass(frozen=True)
class ReasonTemplate:
    """How a column is told: with which others it is summed, and in which words.

    `words` gets the column's value (None where it is missing). Where `words` is None the column is never quoted
    and counts in no reason: what we do ourselves is no reason to do it again.
    """

    group: str
    words: Wording | None


def explain(
    contributions: NDArray[np.float64],
    frame: pd.DataFrame,
    columns: Sequence[str],
    templates: Mapping[str, ReasonTemplate],
) -> list[list[str]]:
    """Up to three reasons for each row, the strongest first: "raises: ..." or "lowers: ...".

    `contributions` has the shape (n, len(columns) + 1), as `Model.contributions` returns it; `frame` holds the values
    of the n rows; every one of `columns` has its template. A group's reason is told by the column that moves it most
    in the direction of its sum. Groups that move nothing are left out; of equally strong ones the first is first.

    Raises `ValueError` where shapes differ or a column has no template.
    """
    if contributions.shape != (len(frame), len(columns) + 1):
        raise ValueError(f"contributions {contributions.shape} for {len(frame)} rows of {len(columns)} columns")
    if untold := [column for column in columns if column not in templates]:
        raise ValueError(f"no template for {untold}")
    members: dict[str, list[int]] = {}
    wordings: dict[int, Wording] = {}
    for position, template in enumerate(templates[column] for column in columns):
        if template.words is not None:
            members.setdefault(template.group, []).append(position)
            wordings[position] = template.words
    groups = [np.array(positions) for positions in members.values()]
    reasons: list[list[str]] = [[] for _ in range(len(frame))]
    if not groups:
        return reasons
    effects = np.stack([contributions[:, group].sum(axis=1) for group in groups], axis=1)
    for group_of_row, effect in _strongest(effects):
        telling = _telling_columns(contributions, groups, group_of_row, effect)
        words = _words(frame, columns, wordings, telling)
        for row in np.flatnonzero(telling >= 0):
            reasons[row].append(f"{'raises' if effect[row] > 0 else 'lowers'}: {words[row]}")
    return reasons


def _strongest(effects: NDArray[np.float64]) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """For each rank the group, of shape (n,), and its effect, of shape (n,)."""
    rows = np.arange(len(effects))
    strengths = np.abs(effects)
    ranks = []
    for _ in range(min(MOST_REASONS, effects.shape[1])):
        group_of_row = strengths.argmax(axis=1)
        strengths[rows, group_of_row] = -1.0
        ranks.append((group_of_row, effects[rows, group_of_row]))
    return ranks


def _telling_columns(
    contributions: NDArray[np.float64],
    groups: Sequence[NDArray[np.int64]],
    group_of_row: NDArray[np.int64],
    effect: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Find the column that tells each row's reason: shape (n,), -1 where there is no effect to tell."""
    telling = np.full(len(effect), -1)
    for number, group in enumerate(groups):
        rows = np.flatnonzero((group_of_row == number) & (np.abs(effect) > NEGLIGIBLE))
        towards = contributions[np.ix_(rows, group)] * np.sign(effect[rows, None])
        telling[rows] = group[towards.argmax(axis=1)]
    return telling


def _words(
    frame: pd.DataFrame,
    columns: Sequence[str],
    wordings: Mapping[int, Wording],
    telling: NDArray[np.int64],
) -> NDArray[np.object_]:
    """Words for each row's column and its value: shape (n,). Each distinct value is worded once."""
    words = np.full(len(telling), "", dtype=object)
    for position in np.unique(telling[telling >= 0]):
        word = wordings[position]
        rows = np.flatnonzero(telling == position)
        codes, distinct = pd.factorize(frame[columns[position]].iloc[rows], use_na_sentinel=False)
        texts = [word(None if pd.isna(value) else value) for value in distinct.tolist()]
        words[rows] = np.array(texts, dtype=object)[codes]
    return words
