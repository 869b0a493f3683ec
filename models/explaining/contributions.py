"""What each column adds to the log-odds that a model gives a row."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.core.additive import Additive, adds_up
from models.core.encoding import ROWS_AT_ONCE, Numbers, in_blocks
from models.core.model import Model, threads
from models.core.trees import trees_in
from models.explaining.shapley import MOST_TABLED, Nodes, add_each, add_from_table, nodes_for, tabulate
from models.explaining.tree import Tree, average_of, read_tree

_ROWS_AT_ONCE = 2 * ROWS_AT_ONCE
"""A tree is asked from Python once a block: fewer would cost more than what does not stay in a core's cache."""


class Contributions:
    """Says what each column adds to a model's log-odds; its tables are made once, for all rows that it is asked about.

    Of trees it is TreeSHAP (``shapley``), of a member that adds up its terms' distance from their mean.
    """

    def __init__(self, model: Model) -> None:
        """Make the tables of the model's trees."""
        self._model = model
        self._average = 0.0
        self._trees: list[tuple[float, Tree, Nodes, NDArray[np.float64] | None]] = []
        self._additive: list[tuple[float, Additive]] = []
        for text, weight in zip(model.members, model.weights, strict=True):
            if adds_up(text):
                self._additive.append((weight, Additive.from_text(text, model.columns)))
                continue
            for entries in trees_in(text):
                self._average += weight * average_of(entries)
                if int(entries["num_leaves"]) > 1:
                    self._trees.append((weight, *_tabled(read_tree(entries))))

    def of(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Give what each column adds: shape (n, columns + 1).

        The last column is the model's average; each row sums to the model's `raw_score`.
        """
        return self._of(self._model.numbers(frame), None)

    def at(self, numbers: Numbers, places: NDArray[np.intp]) -> NDArray[np.float64]:
        """Give the same of rows at some places of the model's `numbers`: shape (len(places), columns + 1)."""
        return self._of(numbers, places)

    def _of(self, read_of: Numbers, at: NDArray[np.intp] | None) -> NDArray[np.float64]:
        numbers = read_of.columns
        place = {column: position for position, column in enumerate(self._model.columns)}
        asked = sorted({int(column) for _, tree, *_ in self._trees for column in tree.columns})
        read = sorted({term.column for _, one in self._additive for term in one.terms})
        moved = sorted({*asked, *(place[column] for column in read), len(numbers)})
        # By column, as they are found and summed afterwards; of most columns there is nothing.
        answers = np.zeros((len(numbers) + 1, read_of.rows if at is None else len(at)))

        def answer(rows: slice) -> None:
            taken = rows if at is None else at[rows]
            shape = (len(numbers) + 1, rows.stop - rows.start)
            values, added = np.empty(shape), np.zeros(shape)
            for position in asked:
                values[position] = numbers[position][taken]
            for weight, tree, nodes, table in self._trees:
                if table is None:
                    add_each(values, tree.columns, tree.splits, tree.ways, nodes, weight, added)
                else:
                    add_from_table(values, tree.columns, tree.splits, table, weight, added)
            added[-1] = self._average
            for weight, member in self._additive:
                added[-1] += weight * member.intercept
                for column, part in member.contributions({name: numbers[place[name]][taken] for name in read}):
                    added[place[column]] += weight * part
            for position in moved:
                answers[position, rows] = added[position]

        in_blocks(answers.shape[1], answer, threads(), rows_at_once=_ROWS_AT_ONCE)
        return answers.T


def _tabled(tree: Tree) -> tuple[Tree, Nodes, NDArray[np.float64] | None]:
    nodes, splits = nodes_for(tree), len(tree.splits.column)
    table = tabulate(tree.ways, nodes, splits, len(tree.columns)) if splits <= MOST_TABLED else None
    return tree, nodes, table
