"""Each event's pattern: the number of its combination of texts, actor, hour and weekday, as far as any filter asks.

Nothing is done per event in Python: texts come as dictionaries, whose entries are looked up once each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.engines.arrays import Patterns
from features.engines.plan import Plan
from features.language.filters import OTHER, WEEKDAYS, Kind, Value, weekday_of
from features.language.measures import TOUCHED

Classified = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Indices of events, and the class of each index."""
_ONE_TEXT = 2
"""Classes of a dictionary of one text: its own, and that of what is missing."""


def find_patterns(events: pa.Table, plan: Plan) -> tuple[NDArray[np.int32], Patterns]:
    """Give each event its pattern, shape (events,), and the streams and labels of each pattern."""
    pattern = np.zeros(len(events), dtype=np.int32)
    keys: list[tuple[int, ...]] = [()]
    for name, names in plan.classes.items():
        keys = _refine(pattern, keys, _classify(events[name], names), len(names) + 2)
    if plan.hour_classes is not None:
        hours = events["local_hour"].to_numpy().astype(np.int32)
        keys = _refine(pattern, keys, [(hours, plan.hour_classes)], len(plan.hour_classes))
    if plan.by_weekday:
        days = events["local_day"].cast(pa.int32()).to_numpy()
        weekdays = np.array([weekday_of(day) for day in range(len(WEEKDAYS))], dtype=np.int32)
        keys = _refine(pattern, keys, [(days % len(WEEKDAYS), weekdays)], len(WEEKDAYS))
    kinds = [_kind(plan, key) for key in keys]
    streams = [plan.streams_of(kind) for kind in kinds]
    labels = np.full((len(TOUCHED), max(len(kinds), 1)), -1, dtype=np.int32)
    counts = np.zeros(len(TOUCHED), dtype=np.int64)
    for row, part in enumerate(TOUCHED):
        if part in plan.labelled:
            labels[row, : len(kinds)] = [plan.label_of(part, getattr(kind, part)) for kind in kinds]
            counts[row] = len(plan.vocabulary.labels(part))
    return pattern, Patterns(
        starts=np.cumsum([0, *map(len, streams)], dtype=np.int64),
        streams=np.array([stream for taking in streams for stream in taking], dtype=np.int64),
        labels=labels,
        label_counts=counts,
    )


def _classify(column: pa.ChunkedArray, names: tuple[str, ...]) -> list[Classified]:
    """Give, part by part, the index of each text in a dictionary, and the class of each index.

    A class is the place of its text in ``names``; then come all others, and what is missing.
    """
    known = pa.array(names, pa.string())
    classified = []
    for part in dictionaries_of(column):
        found = pc.fill_null(pc.index_in(part.dictionary, value_set=known), len(names)).to_numpy(zero_copy_only=False)
        indices = pc.fill_null(part.indices, len(found)) if part.indices.null_count else part.indices
        class_of = np.append(found, len(names) + 1).astype(np.int32)
        classified.append((indices.to_numpy().astype(np.int32, copy=False), class_of))
    return classified


def dictionaries_of(column: pa.ChunkedArray) -> list[pa.DictionaryArray]:
    """Give a column of texts part by part, each with a dictionary of its own: to make one of all takes longer."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return [part for part in column.chunks if len(part)]


def dictionary_of(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Give a column of texts as one array with one dictionary."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    elif column.num_chunks > 1:
        column = column.unify_dictionaries()
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _refine(
    pattern: NDArray[np.int32], keys: list[tuple[int, ...]], parts: Sequence[Classified], classes: int
) -> list[tuple[int, ...]]:
    """Split the patterns by one more column, in place, and give the classes that make up each."""
    only = {int(class_of[0]) if len(class_of) == _ONE_TEXT and not indices.any() else -1 for indices, class_of in parts}
    if len(only) == 1 and -1 not in only:
        return [(*key, *only) for key in keys]
    found = np.empty(len(keys) * classes, dtype=np.int64)
    number_of = np.full(len(found), -1, dtype=np.int32)
    count = start = 0
    for indices, class_of in parts:
        end = start + len(indices)
        count = refine(pattern[start:end], frozen(indices), class_of, classes, number_of, found, count)
        start = end
    return [(*keys[pair // classes], pair % classes) for pair in found[:count].tolist()]


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Forbid writing, as to all that comes from Arrow: otherwise the kernel would be compiled for each mixture."""
    view = array.view()
    view.flags.writeable = False
    return view


def _kind(plan: Plan, key: tuple[int, ...]) -> Kind:
    """Give what filters see of a pattern, from its classes in the order in which it was split."""
    classes = list(key)
    texts: dict[str, Value] = dict.fromkeys(TOUCHED)
    for name, names in plan.classes.items():
        number = classes.pop(0)
        texts[name] = names[number] if number < len(names) else OTHER if number == len(names) else None
    hour = classes.pop(0) if plan.hour_classes is not None else 0
    weekday = classes.pop(0) if plan.by_weekday else 0
    return Kind(**texts, hour=hour, weekday=weekday)  # type: ignore[arg-type] # event_type and actor are never missing


@numba.njit(cache=True, nogil=True)
def refine(
    pattern: NDArray[np.int32],
    indices: NDArray[np.int32],
    class_of: NDArray[np.int32],
    classes: int,
    number_of: NDArray[np.int32],
    found: NDArray[np.int64],
    count: int,
) -> int:
    """Split patterns by one more column, in place: events share one if they did before and are of one class.

    ``class_of`` has the class of each index; ``number_of``, which holds -1 before the first part of a column, has room
    for each pair of a pattern and a class, as has ``found``, which gets the pair behind each new pattern. ``count`` is
    the number of new patterns so far; gives what it is now.
    """
    for event in range(len(pattern)):
        pair = pattern[event] * classes + class_of[indices[event]]
        number = number_of[pair]
        if number < 0:
            number = count
            number_of[pair] = number
            found[number] = pair
            count += 1
        pattern[event] = number
    return count
