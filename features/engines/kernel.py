"""The compiled walk over the events of leads; what it computes is defined in ``features.engines.reference``.

Declarations arrive as arrays of codes (``features.engines.plan``), so nothing is recompiled for a new one. Every event
carries a *pattern*, the number of its combination of event type, channel, campaign, content, actor, hour and weekday;
the events that pass one filter are a *stream*. A group (a lead, or an account) is taken in three strides:

1. its events are dealt out to the streams, by their patterns;
2. where a stream needs running totals (of days and sessions, and of quantities that differ), they are added up once
   for all snapshots; only where a snapshot must not see some of the events (not known yet, or the lead's own in its
   account) are those that it sees gathered for it, by the same function;
3. a window of a snapshot is then a slice of the stream: most measures are a difference of two running totals, the
   others a loop over the slice in the dataset's order.

All compiled functions of the walk are in this file, and what may change is handed over: Numba's cache misses a change
elsewhere, but for the types of ``features.engines.arrays``.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from features.core.time import DAY, HOUR, microseconds
from features.engines.arrays import Events, Groups, Patterns, Program, Snapshots

(
    COUNT, SUM, MEAN_VALUE, MAX_VALUE, ACTIVE_DAYS, DAYS_SINCE_FIRST, DAYS_SINCE_LAST, DAYS_TO_FIRST, DECAYED_COUNT,
    MEAN_GAP, GAP_DEVIATION, MAX_GAP, SESSIONS, SESSION_MINUTES, SESSION_EVENTS, ENTROPY, FIRST_TOUCH, LAST_TOUCH,
    LAST_PLACE,
) = range(19)  # fmt: skip
"""What a step computes of a slice. LAST_PLACE is the row of its last event."""

NEEDS_DAYS, NEEDS_SESSIONS, NEEDS_QUANTITIES, NEEDS_KNOWN = 1, 2, 4, 8
"""What a stream must keep running totals of; the last two follow from the events, and not from the stream."""

FOREVER = np.iinfo(np.int64).max
"""The length of a window that reaches back to the first event."""

_HOUR, _DAY = microseconds(HOUR), microseconds(DAY)
_MINUTE = _HOUR // 60
_NO_DAY = np.iinfo(np.int32).min
_NOBODY, _STALE = -1, -2
_DIFFERS = -1
_ONE = np.uint64(1)

KIND, WINDOW, POSITION, PART, WEIGHTS_ROW, TARGET = range(6)
"""The columns of a step. PART is the row of the labels that a touch or an entropy reads. TARGET is a row of ``out``
or, below zero, of ``between``: -1 is its first."""

LATEST, QUANTITY, DAYS, BREAKS, ACTIVE = range(5)
"""The rows of what is held of a stream: when all events up to each were known, and the totals before each of
quantities, days, breaks between sessions, and time within sessions."""


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
    held = np.zeros((5, largest + 1), np.int64)
    order, times = np.empty(4 * largest, np.int64), np.empty(4 * largest, np.int64)
    ends, touched = np.zeros(len(needs_of), np.int64), np.empty(len(needs_of), np.int64)
    seen, kinds = np.zeros(len(stream_starts), np.int64), np.empty(len(stream_starts), np.int64)
    tally = np.zeros(max(1, label_counts.max()), np.int64)
    each = quantity_of[0] if len(quantity_of) == 1 else _DIFFERS
    needs_always = (NEEDS_QUANTITIES if each == _DIFFERS else 0) | (NEEDS_KNOWN if len(known_at) else 0)
    for group in range(len(event_starts)):
        first, last = event_starts[group], event_ends[group]
        count, total = _count(first, last, pattern, stream_starts, streams, seen, kinds, ends, touched)
        room = total + last - first
        if room > len(order):
            order, times = np.empty(2 * room, np.int64), np.empty(2 * room, np.int64)
        _deal(first, last, occurred_at, pattern, stream_starts, streams, ends, order, times)
        begin = 0
        for number in range(count):
            stream = touched[number]
            end = ends[stream]
            ends[stream] = 0
            needs = needs_of[stream] | needs_always
            gathered_for = _STALE
            base, top, in_order = begin, end, True
            for row in range(snapshot_starts[group], snapshot_starts[group + 1]):
                now, known_until, owner = snapshots.as_of[row], snapshots.known_until[row], snapshots.owner[row]
                until = min(now, snapshots.occurred_until[row])
                if not needs & NEEDS_KNOWN:
                    until = min(until, known_until)
                if gathered_for != owner:
                    # What a snapshot must not see is left out behind all streams.
                    base, top = begin if owner == _NOBODY else total, end
                    if needs or owner != _NOBODY:
                        top, in_order = _gather(
                            begin, end, base, FOREVER, owner, needs, silence,
                            known_at, quantity_of, local_day, owner_of, order, times, held,
                        )  # fmt: skip
                    gathered_for = owner
                high = top if top == base or times[top - 1] < until else _find(times, base, top, until)
                if needs & NEEDS_KNOWN and high > base and held[LATEST, high - base - 1] >= known_until:
                    base, gathered_for = total, _STALE
                    top, in_order = _gather(
                        begin, end, base, known_until, owner, needs, silence,
                        known_at, quantity_of, local_day, owner_of, order, times, held,
                    )  # fmt: skip
                    high = top if top == base or times[top - 1] < until else _find(times, base, top, until)
                if high == base:
                    continue
                low, window = base, FOREVER
                for step in range(step_starts[stream], step_starts[stream + 1]):
                    if steps[step, WINDOW] != window:
                        window = steps[step, WINDOW]
                        if times[high - 1] < now - window:
                            break  # and so is all that asks for less
                        if times[low] < now - window:
                            low = _find(times, low + 1, high, now - window)
                    kind = steps[step, KIND]
                    if kind == COUNT:
                        value = float(_quantity(low - base, high - base, each, held))
                    elif kind == DAYS_SINCE_LAST:
                        value = (now - times[high - 1]) / _DAY
                    elif kind == DAYS_SINCE_FIRST:
                        value = (now - times[low]) / _DAY
                    elif kind == ACTIVE_DAYS and in_order:
                        value = float(held[DAYS, high - base] - held[DAYS, low - base + 1] + 1)
                    elif kind == DECAYED_COUNT:
                        value, decay = 0.0, steps[step, WEIGHTS_ROW]
                        for place in range(_find(times, low, high, now - weights.shape[1] * _HOUR + 1), high):
                            quantity = _quantity(place - base, place - base + 1, each, held)
                            value += weights[decay, (now - times[place]) // _HOUR] * quantity
                    elif kind == SUM:
                        value = 0.0
                        for place in range(low, high):
                            amount = value_of[order[place]]
                            if not math.isnan(amount):
                                value += amount
                    else:
                        value = _measure(
                            kind, low, high, base, steps[step, PART], steps[step, POSITION], snapshots.created_at[row],
                            each, pattern, value_of, local_day, labels, label_counts, order, times, held, tally,
                        )  # fmt: skip
                    target = steps[step, TARGET]
                    if target >= 0:
                        out[target, row] = value
                    else:
                        between[-1 - target, row] = value
            begin = end


@numba.njit(cache=True, nogil=True)
def _count(
    first: int, last: int, pattern: NDArray[np.int32], stream_starts: NDArray[np.int64], streams: NDArray[np.int64],
    seen: NDArray[np.int64], kinds: NDArray[np.int64], ends: NDArray[np.int64], touched: NDArray[np.int64],
) -> tuple[np.int64, int]:  # fmt: skip
    """Find the streams that take some of the events: ``touched``, and in ``ends`` where each begins; zero on entry.

    Gives how many these are, and how many events they take together. Here and in ``_deal`` places are unsigned: those
    that might count from an end take twice as long.
    """
    number, count = np.uint64(0), np.uint64(0)
    for event in range(np.uint64(first), np.uint64(last)):
        kind = np.uint64(pattern[event])
        if seen[kind] == 0:
            kinds[number] = kind
            number += _ONE
        seen[kind] += 1
    for one in range(number):
        kind = np.uint64(kinds[one])
        for place in range(np.uint64(stream_starts[kind]), np.uint64(stream_starts[kind + _ONE])):
            stream = np.uint64(streams[place])
            if ends[stream] == 0:
                touched[count] = stream
                count += _ONE
            ends[stream] += seen[kind]
        seen[kind] = 0
    total = 0
    for one in range(count):
        stream = np.uint64(touched[one])
        size = ends[stream]
        ends[stream] = total
        total += size
    return np.int64(count), total


@numba.njit(cache=True, nogil=True)
def _deal(
    first: int, last: int, occurred_at: NDArray[np.int64], pattern: NDArray[np.int32],
    stream_starts: NDArray[np.int64], streams: NDArray[np.int64], ends: NDArray[np.int64], order: NDArray[np.int64],
    times: NDArray[np.int64],
) -> None:  # fmt: skip
    """Write events and their times to their streams, each from its place in ``ends`` on, which moves to its end."""
    for event in range(np.uint64(first), np.uint64(last)):
        kind, time = np.uint64(pattern[event]), occurred_at[event]
        for place in range(np.uint64(stream_starts[kind]), np.uint64(stream_starts[kind + _ONE])):
            stream = np.uint64(streams[place])
            end = np.uint64(ends[stream])
            order[end] = event
            times[end] = time
            ends[stream] = end + _ONE


@numba.njit(cache=True, nogil=True, inline="always")
def _find(times: NDArray[np.int64], low: int, high: int, moment: int) -> int:
    """Find the first of the places ``low`` to ``high`` whose time is not before ``moment``."""
    while low < high:
        middle = (low + high) // 2
        if times[middle] < moment:
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(cache=True, nogil=True, inline="always")
def _quantity(low: int, high: int, each: int, held: NDArray[np.int64]) -> int:
    """Add up the quantities of the events of a stream from one on and before another one."""
    return held[QUANTITY, high] - held[QUANTITY, low] if each == _DIFFERS else (high - low) * each


@numba.njit(cache=True, nogil=True)
def _gather(  # noqa: C901 - a look for each need
    begin: int, end: int, base: int, limit: int, owner: int, needs: int, silence: int, known_at: NDArray[np.int64],
    quantity_of: NDArray[np.int64], local_day: NDArray[np.int32], owner_of: NDArray[np.int32],
    order: NDArray[np.int64], times: NDArray[np.int64], held: NDArray[np.int64],
) -> tuple[int, bool]:  # fmt: skip
    """Put the events from ``begin`` to ``end`` that were known before ``limit`` and are not the owner's to ``base``.

    Gives where they end, and whether their local days never fall: the clocks of two leads differ, and in some zones a
    clock that is set back falls into the day before.
    """
    size, latest, quantity, days, breaks, active = 0, -FOREVER, 0, 0, 0, 0
    day, in_order = _NO_DAY, True
    for place in range(begin, end):
        event, time = order[place], times[place]
        known = known_at[event] if needs & NEEDS_KNOWN else time
        if known >= limit or (owner != _NOBODY and owner_of[event] == owner):
            continue
        if needs & NEEDS_SESSIONS and size:
            gap = time - times[base + size - 1]
            if gap < silence:
                active += gap
            else:
                breaks += 1
        order[base + size] = event
        times[base + size] = time
        if needs & NEEDS_KNOWN:
            latest = max(latest, known)
            held[LATEST, size] = latest
        size += 1
        if needs & NEEDS_QUANTITIES:
            quantity += quantity_of[event]
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
    return base + size, in_order


@numba.njit(cache=True, nogil=True)
def _measure(  # noqa: C901, PLR0911 - a branch a measure
    kind: int, low: int, high: int, base: int, part: int, position: int, created_at: int, each: int,
    pattern: NDArray[np.int32], value_of: NDArray[np.float64], local_day: NDArray[np.int32],
    labels: NDArray[np.int32], label_counts: NDArray[np.int64], order: NDArray[np.int64], times: NDArray[np.int64],
    held: NDArray[np.int64], tally: NDArray[np.int64],
) -> float:  # fmt: skip
    """Compute one of the other measures of the events from ``low`` to ``high``, of which there are some.

    What is held is counted from ``base`` on.
    """
    if kind == DAYS_TO_FIRST:
        return float((times[low] - created_at) / _DAY)
    if kind == ACTIVE_DAYS:
        return float(len(np.unique(local_day[order[low:high]])))
    if kind in (MEAN_VALUE, MAX_VALUE):
        return float(_measure_values(kind, low, high, value_of, order))
    if kind in (MEAN_GAP, GAP_DEVIATION, MAX_GAP):
        return float(_measure_gaps(kind, low, high, times))
    if kind in (SESSIONS, SESSION_MINUTES, SESSION_EVENTS):
        start, stop = low - base, high - base
        sessions = 1 + held[BREAKS, stop] - held[BREAKS, start + 1]
        if kind == SESSIONS:
            return float(sessions)
        if kind == SESSION_EVENTS:
            return float(_quantity(start, stop, each, held) / sessions)
        return float((held[ACTIVE, stop] - held[ACTIVE, start + 1]) / _MINUTE / sessions)
    if kind == ENTROPY:
        return float(_entropy(low, high, base, each, pattern, labels[part], order, held, tally[: label_counts[part]]))
    if kind == LAST_PLACE:
        return float(order[high - 1])
    for place in range(high - low):
        event = order[low + place if kind == FIRST_TOUCH else high - 1 - place]
        label = labels[part, pattern[event]]
        position -= label >= 0
        if position == 0:
            return float(label)
    return math.nan


@numba.njit(cache=True, nogil=True)
def _measure_values(kind: int, low: int, high: int, value_of: NDArray[np.float64], order: NDArray[np.int64]) -> float:
    total, largest, count = 0.0, -math.inf, 0
    for place in range(low, high):
        value = value_of[order[place]]
        if not math.isnan(value):
            total += value
            largest = max(largest, value)
            count += 1
    if count == 0:
        return math.nan
    return largest if kind == MAX_VALUE else total / count


@numba.njit(cache=True, nogil=True)
def _measure_gaps(kind: int, low: int, high: int, times: NDArray[np.int64]) -> float:
    gaps = high - low - 1
    if gaps < 1 or (gaps == 1 and kind == GAP_DEVIATION):
        return math.nan
    mean = (times[high - 1] - times[low]) / gaps
    if kind == MEAN_GAP:
        return float(mean / _DAY)
    largest, squares = 0, 0.0
    for place in range(low + 1, high):
        gap = times[place] - times[place - 1]
        largest = max(largest, gap)
        squares += (gap - mean) * (gap - mean)
    return largest / _DAY if kind == MAX_GAP else math.sqrt(squares / (gaps - 1)) / _DAY


@numba.njit(cache=True, nogil=True)
def _entropy(
    low: int, high: int, base: int, each: int, pattern: NDArray[np.int32], labels: NDArray[np.int32],
    order: NDArray[np.int64], held: NDArray[np.int64], tally: NDArray[np.int64],
) -> float:  # fmt: skip
    tally[:] = 0
    for place in range(low, high):
        label = labels[pattern[order[place]]]
        if label >= 0:
            tally[label] += _quantity(place - base, place - base + 1, each, held)
    whole = tally.sum()
    if whole == 0:
        return math.nan
    bits = 0.0
    for quantity in tally:
        if quantity:
            share = quantity / whole
            bits += share * math.log2(share)
    return 0.0 - bits
