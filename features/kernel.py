"""The compiled walk over the events of leads; what it computes is defined in ``features.reference``.

Declarations arrive as arrays of codes, so nothing is recompiled for a new one. Every event carries a *pattern*, the
number of its combination of event type, channel, campaign and actor; which features a pattern counts for is worked
out beforehand, once per pattern and not per event. All compiled functions are in this file: Numba's cache would miss
a change in another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from features.duration import DAY, HOUR, microseconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNT, SUM, ACTIVE_DAYS, DAYS_SINCE_FIRST, DAYS_SINCE_LAST, DECAYED_COUNT = range(6)
_HOUR, _DAY = microseconds(HOUR), microseconds(DAY)
_NO_DAY = np.iinfo(np.int32).min


@numba.njit(cache=True, nogil=True)
def walk(  # noqa: C901, PLR0912 - one loop, a branch for each measure: calls would cost
    event_starts: NDArray[np.int64],
    event_ends: NDArray[np.int64],
    snapshot_starts: NDArray[np.int64],
    occurred_at: NDArray[np.int64],
    known_at: NDArray[np.int64],
    pattern: NDArray[np.int64],
    value: NDArray[np.float64],
    quantity: NDArray[np.int64],
    local_day: NDArray[np.int32],
    as_of: NDArray[np.int64],
    feature_starts: NDArray[np.int64],
    features: NDArray[np.int64],
    measure: NDArray[np.int64],
    window: NDArray[np.int64],
    weights_of: NDArray[np.int64],
    weights: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Fill ``out``, shape (snapshots, features), which holds each measure's empty value on entry.

    ``event_starts`` and ``event_ends``, shape (leads,): the rows of each lead's events, sorted by occurred_at.
    ``snapshot_starts``, shape (leads + 1,): where the snapshots of each lead begin.
    ``features[feature_starts[p]:feature_starts[p + 1]]`` are the features that pattern ``p`` counts for, longest
    window first. ``weights_of``: a feature's row of ``weights``, shape (half-lives, hours). Times are microseconds
    since 1970 (UTC); ``local_day`` never falls from one event of a lead to the next.
    """
    last_day = np.empty(out.shape[1], np.int32)
    for lead in range(len(snapshot_starts) - 1):
        for snapshot in range(snapshot_starts[lead], snapshot_starts[lead + 1]):
            now = as_of[snapshot]
            last_day[:] = _NO_DAY
            for event in range(event_starts[lead], event_ends[lead]):
                age = now - occurred_at[event]
                if age <= 0:
                    break
                if known_at[event] >= now:
                    continue
                for position in range(feature_starts[pattern[event]], feature_starts[pattern[event] + 1]):
                    feature = features[position]
                    if age > window[feature]:
                        break
                    kind = measure[feature]
                    if kind == COUNT:
                        out[snapshot, feature] += quantity[event]
                    elif kind == SUM:
                        if not np.isnan(value[event]):
                            out[snapshot, feature] += value[event]
                    elif kind == ACTIVE_DAYS:
                        if local_day[event] != last_day[feature]:
                            last_day[feature] = local_day[event]
                            out[snapshot, feature] += 1.0
                    elif kind == DAYS_SINCE_FIRST:
                        if np.isnan(out[snapshot, feature]):
                            out[snapshot, feature] = age / _DAY
                    elif kind == DAYS_SINCE_LAST:
                        out[snapshot, feature] = age / _DAY
                    elif age // _HOUR < weights.shape[1]:
                        out[snapshot, feature] += weights[weights_of[feature], age // _HOUR] * quantity[event]
