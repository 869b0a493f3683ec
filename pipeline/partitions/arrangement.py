"""Rows of whole leads in the order of the log, and without those that repeat others: what is done to each part alone.

A part is a table of Arrow with ``lead`` (a whole number that stands for the lead, in the order of the ids),
``occurred_at``, ``source`` (a whole number, in the order of the names), ``sequence``, and any other columns. Nothing
here knows how rows came into a part, or what becomes of them, so that any executor can do it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_MIXER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


class Arranged(NamedTuple):
    """The rows of a part in their order, and of those that repeat others the source and the sequence."""

    rows: pa.Table
    repeats: pa.Table


def arrange(rows: pa.Table, whole_row: Sequence[str], judged: Sequence[int]) -> Arranged:
    """Sort rows by lead, time, source and sequence, and take out those that repeat one of the same source.

    A row repeats another if the two have the same lead and time, and the same in all columns of ``whole_row``; nothing
    is the same as nothing. The first stays. Only rows of the sources in ``judged`` are compared.
    """
    if not len(rows):
        return Arranged(rows, rows)
    order, tied = _order(rows)
    repeated = np.zeros(len(order), bool)
    places = np.flatnonzero(tied)
    places = places[np.isin(numbers_of(rows["source"])[order[places]], judged)]
    if len(places):
        compared = rows.select(["lead", "occurred_at", "source", *whole_row])
        repeated[places] = _repeats(_taken(compared, order[places]))
    repeats = rows.select(["source", "sequence"]).take(pa.array(order[repeated]))
    return Arranged(_taken(rows, order[~repeated] if len(places) else order), repeats)


def _taken(rows: pa.Table, places: NDArray[np.intp]) -> pa.Table:
    """Take rows by their places, all of which there are."""
    return pc.take(rows, pa.array(places), boundscheck=False)


def _order(rows: pa.Table) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Give the order of rows, and which of them, in this order, share lead and time with another one."""
    order, same = _sorted(*(numbers_of(rows[name]) for name in ("lead", "occurred_at")))
    tied = _beside(same)
    places = np.flatnonzero(tied)
    if len(places):
        # Which group of ties a row is of: they lie in a row, so that sorting by it first leaves each in its places.
        group = np.cumsum(np.concatenate([[False], ~same]))[places]
        ties = order[places]
        within, _ = _sorted(group, *(numbers_of(rows[name])[ties] for name in ("source", "sequence")))
        order[places] = ties[within]
    return order, tied


def _sorted(*keys: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Give the order by some keys, in any order where these are the same, and whether each is the same as the next."""
    moved = [_from_zero(key) for key in keys]
    lengths = [int(key.max()).bit_length() for key in moved]
    if sum(lengths) > 64:  # noqa: PLR2004 - the bits of the one number
        order = np.lexsort(moved[::-1])
        return order, np.logical_and.reduce([key[order[1:]] == key[order[:-1]] for key in moved])
    # One number for all is sorted in a tenth of the time.
    packed = moved[0]
    for key, length in zip(moved[1:], lengths[1:], strict=True):
        packed = (packed << np.uint64(length)) | key
    order = np.argsort(packed)
    packed = packed[order]
    return order, packed[1:] == packed[:-1]


def _beside(same: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which of a row of values are the same as one beside them; ``same`` says it of each pair of neighbours."""
    found = np.zeros(len(same) + 1, bool)
    found[1:] = same
    found[:-1] |= same
    return found


def _from_zero(numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    moved = numbers - numbers.min()
    same_bits: NDArray[np.uint64] = moved.view(np.uint64) if moved.dtype == np.int64 else moved.astype(np.uint64)
    return same_bits


def _repeats(rows: pa.Table) -> NDArray[np.bool_]:
    """Tell which rows repeat an earlier one in all columns.

    Hashes find the few candidates, and only these are compared in full.
    """
    keys = [part for column in rows.columns for part in _comparable(column)]
    mixed = np.zeros(len(rows), np.uint64)
    for key in keys:
        mixed = (mixed ^ key.view(np.uint64)) * _MIXER
        mixed ^= mixed >> _SHIFT
    by_hash = np.argsort(mixed)
    hashes = mixed[by_hash]
    same = hashes[1:] == hashes[:-1]
    few = np.sort(by_hash[_beside(same)])
    order = few[np.lexsort([key[few] for key in keys])]  # which is stable: the first of equal ones stays the first
    repeated = np.zeros(len(rows), bool)
    repeated[order[1:]] = np.logical_and.reduce([key[order[1:]] == key[order[:-1]] for key in keys])
    return repeated


def _comparable(column: pa.ChunkedArray) -> list[NDArray[np.int64]]:
    """Give whole numbers that are the same where the values of a column are, with a second array where some lack."""
    array = column.combine_chunks()
    lacks = [] if array.null_count == 0 else [np.asarray(array.is_null()).astype(np.int64)]
    if pa.types.is_floating(array.type):
        values = np.asarray(array.fill_null(0.0)) + 0.0  # of the two zeros, one
        return [values.view(np.int64), *lacks]
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        array = array.dictionary_encode().indices
    return [numbers_of(array.fill_null(0) if lacks else array).astype(np.int64), *lacks]


def numbers_of(column: pa.ChunkedArray | pa.Array) -> NDArray[np.int64]:
    """Give whole numbers, or times as such, without a copy."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_timestamp(array.type):
        array = array.view(pa.int64())
    numbers: NDArray[np.int64] = array.to_numpy(zero_copy_only=True)
    return numbers
