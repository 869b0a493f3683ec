"""The calendar of the sample world: microseconds since 1970 in UTC, weeks that turn on Monday 00:00 UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from pipeline.sample.chain import Flags, Integers

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
WEEK = 7 * DAY


def microseconds(year: int, month: int, day: int) -> int:
    """Return the moment at which a day begins in UTC."""
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * SECOND


START = microseconds(2025, 1, 1)
END = microseconds(2026, 7, 1)
ORIGIN = microseconds(2024, 12, 30)  # the Monday on or before the start
WEEKS = -(-(END - ORIGIN) // WEEK)
# Summer time, written out, so that the sample is the same on machines without a time zone database. In Amsterdam from
# the last Sunday of March to that of October, 01:00 UTC; in Los Angeles from the second Sunday of March, 10:00 UTC, to
# the first of November, 09:00 UTC.
_AMSTERDAM = (
    (microseconds(2025, 3, 30) + HOUR, microseconds(2025, 10, 26) + HOUR),
    (microseconds(2026, 3, 29) + HOUR, microseconds(2026, 10, 25) + HOUR),
)
_LOS_ANGELES = (
    (microseconds(2025, 3, 9) + 10 * HOUR, microseconds(2025, 11, 2) + 9 * HOUR),
    (microseconds(2026, 3, 8) + 10 * HOUR, microseconds(2026, 11, 1) + 9 * HOUR),
)


def week_of(moment: Integers) -> Integers:
    """Return the number of the week that holds each moment, 0 for the one of the log's start."""
    return np.asarray((moment - ORIGIN) // WEEK)


def turn_of(week: Integers) -> Integers:
    """Return the moment at which each week begins."""
    return np.asarray(ORIGIN + week * WEEK)


def amsterdam_offset(moment: Integers) -> Integers:
    """Microseconds by which the clocks of Amsterdam are ahead of UTC at moments of the log."""
    return np.where(_within(moment, _AMSTERDAM), 2 * HOUR, HOUR)


def los_angeles_offset(moment: Integers) -> Integers:
    """Microseconds by which the clocks of Los Angeles are ahead of UTC (negative) at moments of the log."""
    return np.where(_within(moment, _LOS_ANGELES), -7 * HOUR, -8 * HOUR)


def _within(moment: Integers, stretches: tuple[tuple[int, int], ...]) -> Flags:
    return np.asarray(np.logical_or.reduce([(moment >= first) & (moment < last) for first, last in stretches]))
