"""A tree of LightGBM's as arrays: its splits, and the ways to its leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_NO_MISSING, _ZERO_IS_MISSING = 0, 1
"""How LightGBM writes a split's ``decision_type``: two bits, and above them what is taken for missing."""


class Splits(NamedTuple):
    """The splits of a tree, in LightGBM's order: the root is the first. Each array has one entry a split, but for sets.

    Of a category's split the numbers of those that go left are bits of ``words[sets[split]:sets[split + 1]]``, and what
    is missing goes right; of a number's split there are no such words.
    """

    column: NDArray[np.int64]
    threshold: NDArray[np.float64]
    """The largest value that goes left."""
    missing_left: NDArray[np.bool_]
    zero_is_missing: NDArray[np.bool_]
    sets: NDArray[np.int64]
    words: NDArray[np.uint32]


class Ways(NamedTuple):
    """The ways to the leaves of a tree: a step for each column that is asked on it, a turn each time that it is.

    The steps of a leaf are ``steps[leaf]`` up to ``steps[leaf + 1]``, the turns of a step likewise.
    """

    value: NDArray[np.float64]
    """By leaf: the log-odds that it gives."""
    steps: NDArray[np.int64]
    place: NDArray[np.int64]
    """By step: the column's place among the tree's ``columns``."""
    share: NDArray[np.float64]
    """By step: the share of the rows that were learned from that its turns let pass, one turn after the other."""
    turns: NDArray[np.int64]
    split: NDArray[np.int64]
    """By turn: the split where it is taken."""
    left: NDArray[np.bool_]


class Tree(NamedTuple):
    """A tree of at least two leaves, and the columns that it asks for, sorted."""

    columns: NDArray[np.int64]
    splits: Splits
    ways: Ways


class _Turn(NamedTuple):
    split: int
    left: bool
    share: float


def read_tree(entries: Mapping[str, str]) -> Tree:
    """Read a tree of at least two leaves from its entries, as `models.core.trees.trees_in` gives them."""
    columns = np.unique(_whole(entries["split_feature"]))
    return Tree(columns, _splits(entries), _ways(entries, columns))


def average_of(entries: Mapping[str, str]) -> float:
    """Say what a tree gives on average of the rows that it was learned from."""
    values = _numbers(entries["leaf_value"])
    return float(values[0] if len(values) == 1 else np.average(values, weights=_whole(entries["leaf_count"])))


def _splits(entries: Mapping[str, str]) -> Splits:
    threshold, decisions = _numbers(entries["threshold"]), _whole(entries["decision_type"])
    is_set, missing = decisions & _CATEGORICAL > 0, decisions >> 2
    # Where nothing was missing when the split was learned, what is missing is taken for 0.
    missing_left = np.where(missing == _NO_MISSING, threshold >= 0.0, decisions & _DEFAULT_LEFT > 0)
    bounds, words = _whole(entries.get("cat_boundaries", "0")), _whole(entries.get("cat_threshold", ""))
    sets = [words[bounds[int(one)] : bounds[int(one) + 1]] if is_one else words[:0]
            for one, is_one in zip(threshold, is_set, strict=True)]  # fmt: skip
    return Splits(
        column=_whole(entries["split_feature"]),
        threshold=threshold,
        missing_left=missing_left & ~is_set,
        zero_is_missing=(missing == _ZERO_IS_MISSING) & ~is_set,
        sets=_starts(map(len, sets)),
        words=np.concatenate(sets).astype(np.uint32),
    )


def _ways(entries: Mapping[str, str], columns: NDArray[np.int64]) -> Ways:
    values, asked = _numbers(entries["leaf_value"]), _whole(entries["split_feature"])
    ways: list[dict[int, list[_Turn]]] = [{} for _ in values]
    for leaf, way in _walk(entries):
        for turn in way:
            ways[leaf].setdefault(int(asked[turn.split]), []).append(turn)
    steps = [step for way in ways for step in way.items()]
    turns = [turn for _, some in steps for turn in some]
    return Ways(
        value=values,
        steps=_starts(map(len, ways)),
        place=np.searchsorted(columns, [column for column, _ in steps]),
        share=np.array([np.prod([turn.share for turn in some]) for _, some in steps]),
        turns=_starts(len(some) for _, some in steps),
        split=np.array([turn.split for turn in turns]),
        left=np.array([turn.left for turn in turns]),
    )


def _walk(entries: Mapping[str, str]) -> Iterator[tuple[int, Sequence[_Turn]]]:
    """Give each leaf, and the turns on the way to it."""
    sides = [(True, _whole(entries["left_child"])), (False, _whole(entries["right_child"]))]
    at_splits, at_leaves = _whole(entries["internal_count"]), _whole(entries["leaf_count"])
    waiting: list[tuple[int, tuple[_Turn, ...]]] = [(0, ())]
    while waiting:
        split, way = waiting.pop()
        for left, children in sides:
            child = int(children[split])
            rows = at_splits[child] if child >= 0 else at_leaves[~child]
            further = (*way, _Turn(split, left, float(rows / at_splits[split])))
            if child >= 0:
                waiting.append((child, further))
            else:
                yield ~child, further


def _starts(lengths: Iterable[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *lengths], dtype=np.int64)


def _numbers(text: str) -> NDArray[np.float64]:
    return np.array(text.split(), dtype=np.float64)


def _whole(text: str) -> NDArray[np.int64]:
    return np.array(text.split(), dtype=np.int64)
