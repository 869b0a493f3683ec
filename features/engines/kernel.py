"""The compiled walk over the events of leads; what it computes is defined in ``features.engines.reference``.

Declarations arrive as arrays of codes (``features.engines.plan``), so nothing is recompiled for a new one. Every event
carries a *pattern*, the number of its combination of event type, channel, campaign, content, actor, hour and weekday;
the events that pass one filter are a *stream*. A group (a lead, or an account) is taken in three strides:

1. its events are dealt out to the streams, by their patterns;
2. each stream is gathered into arrays side by side, with running totals of quantities, days and sessions, once for all
   snapshots; only where a snapshot must not see some of the events (not known yet, or the lead's own in its account)
   is it gathered anew for that snapshot, by the same function;
3. a window of a snapshot is then a slice of the stream: most measures are a difference of two running totals, the
   others a loop over the slice in the dataset's order.

All compiled functions are in this file, and what may change is handed over: Numba's cache misses a change elsewhere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from features.core.time import DAY, HOUR, microseconds

(
    COUNT, SUM, MEAN_VALUE, MAX_VALUE, ACTIVE_DAYS, DAYS_SINCE_FIRST, DAYS_SINCE_LAST, DAYS_TO_FIRST, DECAYED_COUNT,
    MEAN_GAP, GAP_DEVIATION, MAX_GAP, SESSIONS, SESSION_MINUTES, SESSION_EVENTS, ENTROPY, FIRST_TOUCH, LAST_TOUCH,
    LAST_PLACE,
) = range(19)  # fmt: skip
"""What a step computes of a slice. LAST_PLACE is the row of its last event."""

NEEDS_DAYS, NEEDS_SESSIONS = 1, 2
"""What a stream must keep running totals of, beside quantities."""

FOREVER = np.iinfo(np.int64).max
"""The length of a window that reaches back to the first event."""

_HOUR, _DAY = microseconds(HOUR), microseconds(DAY)
_MINUTE = _HOUR // 60
_NO_DAY = np.iinfo(np.int32).min
_NOBODY, _STALE = -1, -2
_GATHERED = -FOREVER


class Events(NamedTuple):
    """Columns of the events, shape (events,), in the dataset's order; those that no step reads have length 1."""

    occurred_at: NDArray[np.int64]
    known_at: NDArray[np.int64]
    pattern: NDArray[np.int32]
    value: NDArray[np.float64]
    quantity: NDArray[np.int64]
    """Of length 1 where it is the same for all."""
    local_day: NDArray[np.int32]
    owner: NDArray[np.int32]
    """Whose event it is, where a group has several leads."""


class Groups(NamedTuple):
    """Where the events and the snapshots of each group stand, shapes (groups,) and (groups + 1,)."""

    event_starts: NDArray[np.int64]
    event_ends: NDArray[np.int64]
    snapshot_starts: NDArray[np.int64]


class Snapshots(NamedTuple):
    """Columns of the snapshots, shape (snapshots,); ``owner``: whose own events don't count, -1 for nobody's."""

    as_of: NDArray[np.int64]
    known_until: NDArray[np.int64]
    occurred_until: NDArray[np.int64]
    created_at: NDArray[np.int64]
    owner: NDArray[np.int32]


KIND, WINDOW, POSITION, PART, WEIGHTS_ROW, TARGET = range(6)
"""The columns of a step. PART is the row of the labels that a touch or an entropy reads. TARGET is a row of ``out``
or, below zero, of ``between``: -1 is its first."""


class Program(NamedTuple):
    """What to compute of which stream."""

    steps: NDArray[np.int64]
    """Shape (steps, 6): those of a stream together, the longest window first."""
    starts: NDArray[np.int64]
    """Where the steps of each stream begin, shape (streams + 1,)."""
    needs: NDArray[np.int64]
    """What each stream keeps totals of, shape (streams,)."""
    weights: NDArray[np.float64]
    """Decay by age in whole hours, shape (half-lives, hours)."""
    silence: int
    """What ends a session, in microseconds."""


class Patterns(NamedTuple):
    """Which streams take the events of a pattern, and how these are labelled."""

    starts: NDArray[np.int64]
    """``streams[starts[p]:starts[p + 1]]`` take pattern ``p``; shape (patterns + 1,)."""
    streams: NDArray[np.int64]
    labels: NDArray[np.int32]
    """The label of each pattern, or -1; shape (parts, patterns)."""
    label_counts: NDArray[np.int64]
    """How many labels there are, shape (parts,)."""


EVENT, TIME, LATEST, QUANTITY, DAYS, BREAKS, ACTIVE = range(7)
"""The rows of what is held of a stream: its events and their times, when all up to each were known, and the totals
before each of quantities, days, breaks between sessions, and time within sessions."""


@numba.njit(cache=True, nogil=True)
def walk(  # noqa: C901, PLR0912, PLR0915 - to hand arrays to another function costs more than most steps
    events: Events,
    groups: Groups,
    snapshots: Snapshots,
    program: Program,
    patterns: Patterns,
    out: NDArray[np.float32],
    between: NDArray[np.float64],
) -> None:
    """Fill ``out``, shape (features, snapshots), and ``between``, shape (operands, snapshots).

    Both hold each one's value for "never" on entry. Times are microseconds since 1970 (UTC).
    """
    occurred_at, known_at, pattern, value_of, quantity_of, local_day, owner_of = events
    event_starts, event_ends, snapshot_starts = groups
    steps, step_starts, needs_of, weights, silence = program
    stream_starts, streams, labels, label_counts = patterns
    largest = 0
    for group in range(len(event_starts)):
        largest = max(largest, event_ends[group] - event_starts[group])
    held = np.zeros((7, largest + 1), np.int64)
    order = np.empty(4 * largest, np.int64)
    ends, touched = np.zeros(len(needs_of), np.int64), np.empty(len(needs_of), np.int64)
    tally = np.zeros(max(1, label_counts.max()), np.int64)
    for group in range(len(event_starts)):
        first, last = event_starts[group], event_ends[group]
        count, total = 0, 0
        for event in range(first, last):
            for place in range(stream_starts[pattern[event]], stream_starts[pattern[event] + 1]):
                stream = streams[place]
                if ends[stream] == 0:
                    touched[count] = stream
                    count += 1
                ends[stream] += 1
                total += 1
        if total > len(order):
            order = np.empty(2 * total, np.int64)
        begin = 0
        for number in range(count):
            size = ends[touched[number]]
            ends[touched[number]] = begin
            begin += size
        for event in range(first, last):
            for place in range(stream_starts[pattern[event]], stream_starts[pattern[event] + 1]):
                stream = streams[place]
                order[ends[stream]] = event
                ends[stream] += 1
        begin = 0
        for number in range(count):
            stream = touched[number]
            end = ends[stream]
            ends[stream] = 0
            needs = needs_of[stream]
            gathered_for = _STALE
            size, in_order = 0, True
            for row in range(snapshot_starts[group], snapshot_starts[group + 1]):
                now, known_until, owner = snapshots.as_of[row], snapshots.known_until[row], snapshots.owner[row]
                until = min(now, snapshots.occurred_until[row])
                limit = FOREVER if gathered_for != owner else _GATHERED
                high = 0
                while True:
                    if limit != _GATHERED:
                        size, in_order = _gather(
                            order, begin, end, limit, owner, needs, silence,
                            occurred_at, known_at, quantity_of, local_day, owner_of, held,
                        )  # fmt: skip
                        gathered_for = owner if limit == FOREVER else _STALE
                    high = size if size == 0 or held[TIME, size - 1] < until else _find(held, 0, size, until)
                    if limit == known_until or high == 0 or held[LATEST, high - 1] < known_until:
                        break
                    limit = known_until
                if high == 0:
                    continue
                low, window = 0, FOREVER
                for step in range(step_starts[stream], step_starts[stream + 1]):
                    if steps[step, WINDOW] != window:
                        window = steps[step, WINDOW]
                        if held[TIME, high - 1] < now - window:
                            break  # and so is all that asks for less
                        if held[TIME, low] < now - window:
                            low = _find(held, low + 1, high, now - window)
                    kind = steps[step, KIND]
                    if kind == COUNT:
                        value = float(held[QUANTITY, high] - held[QUANTITY, low])
                    elif kind == DAYS_SINCE_LAST:
                        value = (now - held[TIME, high - 1]) / _DAY
                    elif kind == DAYS_SINCE_FIRST:
                        value = (now - held[TIME, low]) / _DAY
                    elif kind == ACTIVE_DAYS and in_order:
                        value = float(held[DAYS, high] - held[DAYS, low + 1] + 1)
                    elif kind == DECAYED_COUNT:
                        value, decay = 0.0, steps[step, WEIGHTS_ROW]
                        for place in range(_find(held, low, high, now - weights.shape[1] * _HOUR + 1), high):
                            quantity = held[QUANTITY, place + 1] - held[QUANTITY, place]
                            value += weights[decay, (now - held[TIME, place]) // _HOUR] * quantity
                    elif kind == SUM:
                        value = 0.0
                        for place in range(low, high):
                            amount = value_of[held[EVENT, place]]
                            if not math.isnan(amount):
                                value += amount
                    else:
                        value = _measure(
                            kind, low, high, steps[step, PART], steps[step, POSITION], snapshots.created_at[row],
                            pattern, value_of, local_day, labels, label_counts, held, tally,
                        )  # fmt: skip
                    target = steps[step, TARGET]
                    if target >= 0:
                        out[target, row] = value
                    else:
                        between[-1 - target, row] = value
            begin = end


@numba.njit(cache=True, nogil=True, inline="always")
def _find(held: NDArray[np.int64], low: int, high: int, moment: int) -> int:
    """Find the first of the places ``low`` to ``high`` whose time is not before ``moment``."""
    while low < high:
        middle = (low + high) // 2
        if held[TIME, middle] < moment:
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(cache=True, nogil=True, inline="always")
def _gather(
    order: NDArray[np.int64],
    begin: int,
    end: int,
    limit: int,
    owner: int,
    needs: int,
    silence: int,
    occurred_at: NDArray[np.int64],
    known_at: NDArray[np.int64],
    quantity_of: NDArray[np.int64],
    local_day: NDArray[np.int32],
    owner_of: NDArray[np.int32],
    held: NDArray[np.int64],
) -> tuple[int, bool]:
    """Hold the events of ``order[begin:end]`` that were known before ``limit`` and are not the owner's.

    Gives their number, and whether their local days never fall: the clocks of two leads differ, and in some zones a
    clock that is set back falls into the day before.
    """
    size, latest, quantity, days, breaks, active = 0, -FOREVER, 0, 0, 0, 0
    day, in_order = _NO_DAY, True
    each = quantity_of[0]
    has_quantity = len(quantity_of) > 1
    for place in range(begin, end):
        event = order[place]
        known = known_at[event]
        if known >= limit or (owner != _NOBODY and owner_of[event] == owner):
            continue
        time = occurred_at[event]
        latest = max(latest, known)
        if needs & NEEDS_SESSIONS and size:
            gap = time - held[TIME, size - 1]
            if gap < silence:
                active += gap
            else:
                breaks += 1
        held[EVENT, size] = event
        held[TIME, size] = time
        held[LATEST, size] = latest
        size += 1
        quantity += quantity_of[event] if has_quantity else each
        held[QUANTITY, size] = quantity
        if needs & NEEDS_SESSIONS:
            held[BREAKS, size] = breaks
            held[ACTIVE, size] = active
        if needs & NEEDS_DAYS:
            if local_day[event] > day:
                day = local_day[event]
                days += 1
            elif local_day[event] < day:
                in_order = False
            held[DAYS, size] = days
    return size, in_order


@numba.njit(cache=True, nogil=True)
def _measure(  # noqa: C901, PLR0911 - a branch a measure
    kind: int,
    low: int,
    high: int,
    part: int,
    position: int,
    created_at: int,
    pattern: NDArray[np.int32],
    value_of: NDArray[np.float64],
    local_day: NDArray[np.int32],
    labels: NDArray[np.int32],
    label_counts: NDArray[np.int64],
    held: NDArray[np.int64],
    tally: NDArray[np.int64],
) -> float:
    """Compute one of the other measures of the held events from ``low`` to ``high``, of which there are some."""
    if kind == DAYS_TO_FIRST:
        return float((held[TIME, low] - created_at) / _DAY)
    if kind == ACTIVE_DAYS:
        return float(len(np.unique(local_day[held[EVENT, low:high]])))
    if kind in (MEAN_VALUE, MAX_VALUE):
        return float(_measure_values(kind, low, high, value_of, held))
    if kind in (MEAN_GAP, GAP_DEVIATION, MAX_GAP):
        return float(_measure_gaps(kind, low, high, held))
    if kind in (SESSIONS, SESSION_MINUTES, SESSION_EVENTS):
        sessions = 1 + held[BREAKS, high] - held[BREAKS, low + 1]
        if kind == SESSIONS:
            return float(sessions)
        if kind == SESSION_EVENTS:
            return float((held[QUANTITY, high] - held[QUANTITY, low]) / sessions)
        return float((held[ACTIVE, high] - held[ACTIVE, low + 1]) / _MINUTE / sessions)
    if kind == ENTROPY:
        return float(_entropy(low, high, pattern, labels[part], held, tally[: label_counts[part]]))
    if kind == LAST_PLACE:
        return float(held[EVENT, high - 1])
    for place in range(high - low):
        event = held[EVENT, low + place if kind == FIRST_TOUCH else high - 1 - place]
        label = labels[part, pattern[event]]
        position -= label >= 0
        if position == 0:
            return float(label)
    return math.nan


@numba.njit(cache=True, nogil=True)
def _measure_values(kind: int, low: int, high: int, value_of: NDArray[np.float64], held: NDArray[np.int64]) -> float:
    total, largest, count = 0.0, -math.inf, 0
    for place in range(low, high):
        value = value_of[held[EVENT, place]]
        if not math.isnan(value):
            total += value
            largest = max(largest, value)
            count += 1
    if count == 0:
        return math.nan
    return largest if kind == MAX_VALUE else total / count


@numba.njit(cache=True, nogil=True)
def _measure_gaps(kind: int, low: int, high: int, held: NDArray[np.int64]) -> float:
    gaps = high - low - 1
    if gaps < 1 or (gaps == 1 and kind == GAP_DEVIATION):
        return math.nan
    mean = (held[TIME, high - 1] - held[TIME, low]) / gaps
    if kind == MEAN_GAP:
        return float(mean / _DAY)
    largest, squares = 0, 0.0
    for place in range(low + 1, high):
        gap = held[TIME, place] - held[TIME, place - 1]
        largest = max(largest, gap)
        squares += (gap - mean) * (gap - mean)
    return largest / _DAY if kind == MAX_GAP else math.sqrt(squares / (gaps - 1)) / _DAY


@numba.njit(cache=True, nogil=True)
def _entropy(
    low: int,
    high: int,
    pattern: NDArray[np.int32],
    labels: NDArray[np.int32],
    held: NDArray[np.int64],
    tally: NDArray[np.int64],
) -> float:
    tally[:] = 0
    for place in range(low, high):
        label = labels[pattern[held[EVENT, place]]]
        if label >= 0:
            tally[label] += held[QUANTITY, place + 1] - held[QUANTITY, place]
    whole = tally.sum()
    if whole == 0:
        return math.nan
    bits = 0.0
    for quantity in tally:
        if quantity:
            share = quantity / whole
            bits += share * math.log2(share)
    return 0.0 - bits
