"""The calendar of the sample world: microseconds since 1970 in UTC, weeks that turn on Monday 00:00 UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from pipeline.sample.chain import Integers

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
WEEK = 7 * DAY


def _microseconds(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * SECOND


START = _microseconds(2025, 1, 1)
END = _microseconds(2026, 7, 1)
MIX_SHIFT = _microseconds(2026, 4, 1)
ORIGIN = _microseconds(2024, 12, 30)  # the Monday on or before the start
# Summer time in Amsterdam, from the last Sunday of March to that of October, 01:00 UTC. Written out, so that the
# sample is the same on machines without a time zone database.
_SUMMERS = (
    (_microseconds(2025, 3, 30) + HOUR, _microseconds(2025, 10, 26) + HOUR),
    (_microseconds(2026, 3, 29) + HOUR, _microseconds(2026, 10, 25) + HOUR),
)
WEEKS = -(-(END - ORIGIN) // WEEK)


def week_of(moment: Integers) -> Integers:
    """Return the number of the week that holds each moment, 0 for the one of the log's start."""
    return np.asarray((moment - ORIGIN) // WEEK)


def turn_of(week: Integers) -> Integers:
    """Return the moment at which each week begins."""
    return np.asarray(ORIGIN + week * WEEK)


def amsterdam_offset(moment: Integers) -> Integers:
    """Microseconds by which the clocks of Amsterdam are ahead of UTC at moments of the log."""
    summer = np.logical_or.reduce([(moment >= first) & (moment < last) for first, last in _SUMMERS])
    return np.where(summer, 2 * HOUR, HOUR)
