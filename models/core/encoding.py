"""From a frame to the numbers that trees and weights read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .trees import ArtefactError

ROWS_AT_ONCE = 2048
"""Rows that are encoded before the trees read them: few enough to stay in a core's cache in between."""


class Numbers(NamedTuple):
    """A frame as the numbers that a model reads of it."""

    rows: int
    columns: list[NDArray[Any]]
    """In the order of the model's columns, each of shape (rows,)."""


def in_blocks(rows: int, answer: Callable[[slice], None], threads: int, *, rows_at_once: int = ROWS_AT_ONCE) -> None:
    """Have rows answered block by block, a block a thread: encoding is shared among the cores, too, memory bounded."""
    step = min(rows_at_once, max(rows // threads, 1))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(answer, (slice(first, min(first + step, rows)) for first in range(0, rows, step))))


def encode(
    frame: pd.DataFrame, columns: Sequence[str], categories: Mapping[str, Sequence[str]]
) -> NDArray[np.float32] | NDArray[np.float64]:
    """Turn a frame into the numbers the trees read: shape (n, len(columns)).

    Columns are picked by name: LightGBM goes by position alone and would not notice another order. Other columns
    are ignored. Numbers are cast to float64, or stay in half the room where none needs more than float32. In a category
    column the i-th level becomes i + 1, any other text 0 ("other"). What is missing becomes NaN.

    Raises `ArtefactError` where a column is missing, or is neither a number nor a category.

    >>> frame = pd.DataFrame({"source": ["web", None, "fax"], "clicks": [3, None, 1]})
    >>> encode(frame, ["clicks", "source"], {"source": ["mail", "web"]})
    array([[ 3.,  2.],
           [nan, nan],
           [ 1.,  0.]])
    """
    numbers = numbers_of(frame, columns, categories)
    is_narrow = all(
        column in categories or np.can_cast(values.dtype, np.float32)
        for column, values in zip(columns, numbers, strict=True)
    )
    matrix = np.empty((len(frame), len(columns)), dtype=np.float32 if is_narrow else np.float64)
    for first in range(0, len(frame), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        for position, values in enumerate(numbers):
            matrix[rows, position] = values[rows]
    return matrix


def numbers_of(
    frame: pd.DataFrame, columns: Sequence[str], categories: Mapping[str, Sequence[str]]
) -> list[NDArray[Any]]:
    """Give each column as numbers that NumPy casts to float64 by itself, without a copy where it holds such."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ArtefactError(
            f"the model reads {len(columns)} columns, of which the frame lacks {', '.join(map(repr, missing))}:"
            " make the frame with the features that the model was trained on."
        )
    return [
        _codes(frame[column], categories[column]) if column in categories else _numbers(frame[column])
        for column in columns
    ]


def _numbers(values: pd.Series) -> NDArray[Any]:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf":
        plain: NDArray[Any] = values.to_numpy()
        return plain
    try:
        numbers: NDArray[np.float64] = values.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ArtefactError(
            f"the column {values.name!r} must hold numbers, but its type is {values.dtype} ({error})."
        ) from error
    return numbers


def _codes(values: pd.Series, levels: Sequence[str]) -> NDArray[np.float64]:
    # Each distinct text is looked up once, however many rows share it.
    positions, distinct = pd.factorize(values)
    codes = pd.Index(levels, dtype=object).get_indexer(pd.Index(distinct, dtype=object)) + 1.0
    encoded: NDArray[np.float64] = np.append(codes, np.nan)[positions]  # what is missing has position -1: the last
    return encoded
