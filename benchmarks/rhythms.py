"""How often a healthy source is said to have stopped, and how soon one that has is found: worlds whose truth is known.

Sources are drawn anew for each world: weekdays and hours, growth or decline, days that stray, newsletters, outcomes on
weekdays alone. Alarms of healthy ones are counted over nights; then rows are taken out, and it is counted how often
that is found, and when.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from benchmarks.findings import Finding, Progress
from features.core.time import DAY
from features.timeline.rhythm import (
    FEW,
    Arrivals,
    Calendar,
    find_long_silences,
    find_thin_days,
    measure_days,
    measure_silences,
    silent_for,
)

BEGIN = datetime(2024, 1, 1)
"""A Monday."""
_MINUTES = 1440
_CALENDAR = Calendar()
_DAY_ROWS, _HALF_ROWS = 30, 400
_FALSE, _CAUGHT = 0.01, 0.99
"""What is promised: of healthy nights, and of days that are missing."""
_ENOUGH = 100
"""Of fewer days that are missing, 99 % means nothing."""
_OFFICE = np.array([0] * 8 + [1, 2, 3, 3, 2, 3, 3, 3, 2, 1] + [0] * 6, dtype=float)
_HOME = np.array([2, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 8, 8, 7, 5, 3], dtype=float)
_BUSINESS_WEEK = np.array([1, 1.1, 1.05, 1, 0.9, 0.15, 0.12])
_WORKDAYS = np.array([1, 1, 1, 1, 1, 0, 0], dtype=float)
_EVEN_WEEK = np.array([1, 0.95, 1, 1, 1.05, 1.1, 0.9])


@dataclass(frozen=True)
class Kind:
    """A kind of source: rows a day (the mean of a world is drawn between the two), and how they are spread."""

    name: str
    rows: tuple[float, float]
    week: NDArray[np.float64]
    hours: NDArray[np.float64]
    stray: tuple[float, float] = (0.03, 0.2)
    """How far days stray from their mean, as a share."""
    newsletter: bool = False
    """Whether six times a day's rows come every Tuesday."""


KINDS = (
    Kind("web of a shop", (200, 2000), _EVEN_WEEK, _HOME),
    Kind("web of a business", (30, 300), _BUSINESS_WEEK, _HOME),
    Kind("mails", (30, 200), _EVEN_WEEK, _HOME, newsletter=True),
    Kind("crm", (10, 100), _WORKDAYS, _OFFICE),
    Kind("outcomes", (1, 10), _WORKDAYS, _OFFICE),
    Kind("outcomes of a small company", (0.2, 1), _EVEN_WEEK, _HOME),
)


def draw(kind: Kind, days: int, generator: np.random.Generator) -> Arrivals:
    """Draw the rows of a source over some days."""
    day = np.arange(days)
    level = generator.uniform(*kind.rows) * np.exp(generator.uniform(-0.7, 0.7) * (day - days) / 365)
    season = 1 + 0.15 * np.sin(2 * np.pi * (day / 365 + generator.random()))
    mean = level * season * (kind.week / kind.week.mean())[day % 7]
    if kind.newsletter:
        mean = np.where(day % 7 == 1, mean * 6, mean)
    stray = generator.uniform(*kind.stray) ** 2
    counts = generator.poisson(mean * generator.gamma(1 / stray, stray, days))
    hour = generator.choice(24, counts.sum(), p=kind.hours / kind.hours.sum())
    minute = np.repeat(day, counts) * _MINUTES + hour * 60 + generator.integers(0, 60, counts.sum())
    return arrivals_of(minute)


def arrivals_of(minutes: NDArray[np.int64]) -> Arrivals:
    """Count rows by minute, given in minutes since the beginning."""
    offset = (BEGIN - datetime(1970, 1, 1)) // timedelta(minutes=1)
    unique, rows = np.unique(minutes + offset, return_counts=True)
    return Arrivals(unique.astype(np.int64), rows.astype(np.int64))


def without(arrivals: Arrivals, begin: datetime, end: datetime) -> Arrivals:
    """Take out the rows of a time."""
    moments = arrivals.minutes.astype("datetime64[m]")
    keep = (moments < np.datetime64(begin)) | (moments >= np.datetime64(end))
    return Arrivals(arrivals.minutes[keep], arrivals.rows[keep])


def alarm(arrivals: Arrivals, until: datetime) -> str | None:
    """Say what a night at ``until`` finds wrong with a source; none where it is as usual."""
    arrivals = without(arrivals, until, until + 1000 * DAY)
    if len(arrivals.minutes) < FEW:
        return None
    silences = measure_silences(arrivals, until, _CALENDAR)
    if silences.count >= FEW and silent_for(arrivals, until, _CALENDAR) > silences.limit:
        return "silent"
    if find_long_silences(arrivals, until, _CALENDAR):
        return "hole"
    holes = find_thin_days(measure_days(arrivals, until, _CALENDAR), _CALENDAR)
    return "thin" if any(hole.end > until - 28 * DAY for hole in holes) else None


@dataclass(frozen=True)
class Found:
    """What was found in the worlds of one kind."""

    nights: int
    alarms: int
    """Of healthy nights."""
    days_missing: int
    """Days of 30 rows or more that were taken out, of the last four weeks."""
    days_found: int
    halves_missing: int
    """Afternoons and evenings of days of 400 rows or more."""
    halves_found: int
    stops_found_late: float
    """Of sources that stopped: the median of the days, beyond the longest silence and a day, until it was noticed."""


def measure_kind(kind: Kind, worlds: int, nights: int = 6) -> Found:
    """Draw worlds of a kind, look at healthy nights, and take rows out."""
    alarms = days = days_found = halves = halves_found = 0
    late = []
    for world in range(worlds):
        generator = np.random.default_rng([7, KINDS.index(kind), world])
        length = int(generator.integers(150, 720))
        healthy = draw(kind, length, generator)
        end = BEGIN + DAY * length
        moments = [end - DAY * float(generator.uniform(0, length - 75)) for _ in range(nights)]
        alarms += sum(alarm(healthy, moment) is not None for moment in moments)
        begin = end - DAY * int(generator.integers(1, 28))
        rows = len(np.repeat(healthy.minutes, healthy.rows)) - int(without(healthy, begin, begin + DAY).rows.sum())
        if rows >= _DAY_ROWS:
            days += 1
            days_found += alarm(without(healthy, begin, begin + DAY), end) is not None
        if rows >= _HALF_ROWS:
            halves += 1
            halves_found += alarm(without(healthy, begin + DAY / 2, begin + DAY), end) is not None
        stopped = without(healthy, end - DAY * float(generator.random()), end)
        if measure_silences(stopped, stopped.last, _CALENDAR).count >= FEW:  # one with fewer is never judged
            late.append(_noticed(stopped))
    median = float(np.median(late)) if late else 0.0
    return Found(nights * worlds, alarms, days, days_found, halves, halves_found, median)


def _noticed(stopped: Arrivals) -> float:
    """Tell how many days beyond its longest silence and a day it takes until a stop is noticed."""
    longest = measure_silences(stopped, stopped.last, _CALENDAR).longest
    silence = longest
    while alarm(stopped, stopped.last + silence) is None:
        silence += timedelta(hours=6)
    return (silence - longest) / DAY - 1


def of_rhythms(progress: Progress, scale: float = 1.0) -> Iterator[Finding]:
    """Give the figures of every kind: alarms of healthy nights, and what is found of what is missing."""
    worlds = max(5, round(200 * scale))
    for kind in KINDS:
        progress(f"rhythms of {kind.name}, {worlds} worlds")
        found = measure_kind(kind, worlds)
        alarms = found.alarms / found.nights
        yield Finding(f"{kind.name}: healthy nights with a false alarm", alarms, "at most 1 %", alarms <= _FALSE)
        for what, missing, seen in (
            ("a missing day", found.days_missing, found.days_found),
            ("half a missing day", found.halves_missing, found.halves_found),
        ):
            if missing:
                share, tells = seen / missing, missing >= _ENOUGH
                yield Finding(
                    f"{kind.name}: {what} is found, of {missing}",
                    share,
                    "at least 99 %" if tells else None,
                    share >= _CAUGHT if tells else None,
                )
