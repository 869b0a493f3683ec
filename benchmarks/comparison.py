"""Two matrices of the standard task, value by value: no time counts before they agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.standard_task import EXACT, Column, columns

_KEYS = ["lead_id", "as_of"]
_TOLERANCE = 1e-6
"""Relative: two sums of doubles, added up in another order and rounded to float32, differ by no more."""
_SHOWN = 5


class DifferenceError(AssertionError):
    """Two programs have computed something else."""


def compare(ours: Path, theirs: Path) -> None:
    """Compare all columns of two matrices, whatever the order of their rows, one column in memory at a time.

    Whole numbers must be equal, others to a millionth of themselves; null is NaN. Raises DifferenceError, which names
    the column and the first rows that differ.
    """
    our_keys, our_order = _sorted_keys(ours)
    their_keys, their_order = _sorted_keys(theirs)
    if not our_keys.equals(their_keys):
        raise DifferenceError(
            f"other snapshots: {len(our_keys):,} rows in {ours.name}, {len(their_keys):,} in {theirs.name}"
        )
    for column in columns():
        mine = _read(ours, column.name)[our_order]
        other = _read(theirs, column.name)[their_order]
        differing = np.flatnonzero(~_agree(column, mine, other))
        if len(differing):
            raise DifferenceError(_describe(column, our_keys, mine, other, differing))


def _sorted_keys(matrix: Path) -> tuple[pa.Table, NDArray[np.int64]]:
    keys = pq.read_table(matrix, columns=_KEYS)
    keys = keys.set_column(0, "lead_id", keys["lead_id"].cast(pa.string()))
    keys = keys.set_column(1, "as_of", keys["as_of"].cast(pa.timestamp("us")))
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in _KEYS])
    return keys.take(order).combine_chunks(), order.to_numpy()


def _read(matrix: Path, name: str) -> NDArray[np.float64]:
    column = pq.read_table(matrix, columns=[name])[name].cast(pa.float64())
    return np.asarray(column.to_numpy())


def _agree(column: Column, mine: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    if column.measure in EXACT:
        return np.asarray(mine == other)
    return np.isclose(mine, other, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)


def _describe(
    column: Column, keys: pa.Table, mine: NDArray[np.float64], other: NDArray[np.float64], differing: NDArray[np.int64]
) -> str:
    rows = [
        f"  {keys['lead_id'][row]} at {keys['as_of'][row]}: ours {mine[row]}, theirs {other[row]}"
        for row in differing[:_SHOWN].tolist()
    ]
    return "\n".join([f"{column.name} differs in {len(differing):,} of {len(mine):,} rows:", *rows])
