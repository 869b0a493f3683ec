"""What each column adds to what a tree says of a row: exact TreeSHAP, from tables.

A tree of n splits can't tell more than 2^n rows apart: what its columns add depends on the outcomes of the splits
alone, a bit each. So the answers of a small tree (most have eight leaves) are written down once, and a row costs a look
at its splits and a line of the table. Of a larger tree each row is answered anew.

An answer is a sum over leaves. A row comes to a leaf of value v if all columns asked on the way agree: o_j is 1 where
column j does, else 0. Where column j is not known, the share z_j of the rows that were learned from goes on. The
Shapley value of column i is then, in the integral form of Owen (1972, "Multilinear extensions of games"),

    v (o_i - z_i) times the integral, for t from 0 to 1, of the product over the others of z_j (1 - t) + o_j t,

of a polynomial, for which half as many nodes of Gauss and Legendre as there are columns are exact. That is TreeSHAP by
paths (Lundberg, Erion & Lee 2018, arXiv 1802.03888), as LightGBM's ``pred_contrib`` computes it.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from models.explaining.tree import Splits, Tree, Ways

MOST_TABLED = 10
"""Splits of the largest tree that has a table: at most 1,024 rows."""

_NOTHING = 1e-35
"""What LightGBM takes for 0, where a 0 means that a value is missing."""


class Nodes(NamedTuple):
    """Where, between 0 and 1, a polynomial is asked for its integral, and what each answer weighs.

    Row n of both is exact up to the degree 2 n + 1 and has n + 1 entries that count.
    """

    at: NDArray[np.float64]
    weights: NDArray[np.float64]


def nodes_for(tree: Tree) -> Nodes:
    """Give the nodes that the longest way of a tree needs, and all shorter ones."""
    most = (int(np.diff(tree.ways.steps).max()) + 1) // 2
    nodes = Nodes(np.zeros((most, most)), np.zeros((most, most)))
    for row in range(most):
        at, weights = np.polynomial.legendre.leggauss(row + 1)
        nodes.at[row, : row + 1], nodes.weights[row, : row + 1] = (at + 1.0) / 2.0, weights / 2.0
    return nodes


@numba.njit(cache=True, nogil=True)
def tabulate(ways: Ways, nodes: Nodes, splits: int, columns: int) -> NDArray[np.float64]:
    """Give what the columns of a tree add, by the outcomes of its splits: shape (2^splits, columns).

    Bit i of a row's number is set where split i goes left.
    """
    table = np.zeros((1 << splits, columns))
    left = np.zeros(splits, dtype=np.bool_)
    for outcome in range(1 << splits):
        for split in range(splits):
            left[split] = (outcome >> split) & 1
        _answer(ways, nodes, left, table[outcome])
    return table


@numba.njit(cache=True, nogil=True)
def add_from_table(
    values: NDArray[np.float64],
    columns: NDArray[np.int64],
    splits: Splits,
    table: NDArray[np.float64],
    weight: float,
    added: NDArray[np.float64],
) -> None:
    """Add ``weight`` times what the columns of a tree add; ``values`` and ``added`` have the shape (columns, rows)."""
    rows = values.shape[1]
    outcome = np.zeros(rows, dtype=np.int64)
    for split in range(len(splits.column)):
        of_column = values[splits.column[split]]
        for row in range(rows):
            outcome[row] |= np.int64(_goes_left(splits, split, of_column[row])) << split
    for place in range(len(columns)):
        of_column = added[columns[place]]
        for row in range(rows):
            of_column[row] += weight * table[outcome[row], place]


@numba.njit(cache=True, nogil=True)
def add_each(
    values: NDArray[np.float64],
    columns: NDArray[np.int64],
    splits: Splits,
    ways: Ways,
    nodes: Nodes,
    weight: float,
    added: NDArray[np.float64],
) -> None:
    """Add the same as `add_from_table`, of a tree that is too large for a table."""
    left = np.zeros(len(splits.column), dtype=np.bool_)
    answer = np.zeros(len(columns))
    for row in range(values.shape[1]):
        for split in range(len(left)):
            left[split] = _goes_left(splits, split, values[splits.column[split], row])
        answer[:] = 0.0
        _answer(ways, nodes, left, answer)
        for place in range(len(columns)):
            added[columns[place], row] += weight * answer[place]


@numba.njit(cache=True, nogil=True, inline="always")
def _goes_left(splits: Splits, split: int, value: float) -> bool:
    if np.isnan(value) or (splits.zero_is_missing[split] and abs(value) <= _NOTHING):
        return bool(splits.missing_left[split])
    first, end = splits.sets[split], splits.sets[split + 1]
    if first == end:
        return bool(value <= splits.threshold[split])
    number = np.int64(value)
    if number < 0 or number >= 32 * (end - first):
        return False
    return bool((splits.words[first + number // 32] >> np.uint32(number % 32)) & np.uint32(1))


@numba.njit(cache=True, nogil=True)
def _answer(ways: Ways, nodes: Nodes, left: NDArray[np.bool_], answer: NDArray[np.float64]) -> None:
    """Add up the Shapley values of a row, by the outcomes of the splits, into ``answer``, of shape (columns,)."""
    most = nodes.at.shape[0] * 2
    agrees, factor, before, total = np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most)
    for leaf in range(len(ways.value)):
        first, columns = ways.steps[leaf], ways.steps[leaf + 1] - ways.steps[leaf]
        for step in range(columns):
            agrees[step] = 1.0
            for turn in range(ways.turns[first + step], ways.turns[first + step + 1]):
                if left[ways.split[turn]] != ways.left[turn]:
                    agrees[step] = 0.0
        total[:columns] = 0.0
        exact = (columns + 1) // 2 - 1
        for node in range(exact + 1):
            at, product = nodes.at[exact, node], 1.0
            for step in range(columns):
                factor[step] = ways.share[first + step] * (1.0 - at) + agrees[step] * at
                before[step] = product
                product *= factor[step]
            product = nodes.weights[exact, node]
            for step in range(columns - 1, -1, -1):
                total[step] += before[step] * product
                product *= factor[step]
        for step in range(columns):
            answer[ways.place[first + step]] += (
                ways.value[leaf] * (agrees[step] - ways.share[first + step]) * total[step]
            )
