"""Where the record of outcomes has a hole: months without a conversion, though leads were there that would have.

As for the begin of a record (``features.timeline.recording``): had all been recorded, each conversion would fall to any
of the leads that reached its age alike, and so into the hole with the share of those that reached it there:

    no conversion from 2026-01-01 to 2026-03-31; of the leads that reached the age of each of
      120 conversions, a fifth did so in that time: none fell into it with chance 0.8 ** 120

Chance is not all. Deals are signed at the end of a quarter, and a company rests in August. So a silence must be far
beyond the others of its source, too, each measured by the conversions that would have come in it; it must last for
six weeks, for a shorter one may be a holiday; and what was as silent in the same weeks of another year is the way of
the company. Days on which nothing is expected (``closed_days``) count for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from features.core.time import DAY
from features.timeline.history import EPOCH
from features.timeline.recording import CHANCE, FEWEST, Lives, Record, read_record

LEAST = 42
"""Days that a hole lasts at least; a shorter silence may be a holiday."""
FAR_LONGER = 1.5
"""How many times the longest of the other silences one must be."""
MOST = 2
"""How many holes there may be: what has happened three times is the way of a source."""
_SILENCES, _TOP = 20, 10
"""How many of the longest silences are measured, and from how many of them the tail is told."""
_YEAR, _AS_LONG = 364, 2 / 3
"""Days, and the share of a silence that another year's must cover to explain it."""

Closed = Sequence[tuple[date, date]]
"""Days on which nothing is expected: first and last of each span."""
_Days = tuple[int, int]
"""The first, and the one after the last, since 1970."""


@dataclass(frozen=True)
class OutcomeHole:
    """Days without a conversion, of which there would have been many."""

    first: date
    last: date
    expected: float
    """How many conversions there would be, were leads then as they were at other times."""
    log_chance: float
    """The logarithm of ``chance``, which may be too small for a number."""

    @property
    def chance(self) -> float:
        """How likely it is, at most, that a silence like this is found where all is recorded."""
        return math.exp(self.log_chance)


@dataclass(frozen=True)
class _Silence:
    first: int
    """Its first day and the one after its last, since 1970."""
    end: int
    days: int
    """Without those that are closed."""
    expected: float
    weight: float
    """How unlikely it is: the logarithm of one over the chance that none falls into it."""


def find_holes(
    lives: Iterable[Lives],
    until: datetime,
    since: datetime = EPOCH,
    closed: Closed = (),
    chance: float = CHANCE,
) -> list[OutcomeHole]:
    """Find the holes in the record of the conversions of a source, which began at ``since``; the oldest first.

    ``lives`` and ``until`` are those of ``features.timeline.recording.find_start``.
    """
    record = read_record(lives, until)
    if record is None:
        return []
    begins = (since - EPOCH) // DAY
    days, spans = record.days[record.days >= begins], _united(closed, begins)
    if len(days) < FEWEST:
        return []
    longest = np.argsort(-_open_days(days[:-1] + 1, days[1:], spans), kind="stable")[:_SILENCES]
    pairs = [(int(days[place]) + 1, int(days[place + 1])) for place in longest]
    silences = _measure(record, begins, pairs, spans)
    count = len(days) - 1
    holes = _beyond_others(silences, count, chance)
    return [
        OutcomeHole(_day(one.first), _day(one.end - 1), one.expected, math.log(count) - one.weight)
        for one in sorted(holes, key=lambda one: one.first)
        if one.days >= LEAST and not _as_in_another_year(one, silences)
    ]


def _measure(record: Record, begins: int, pairs: Sequence[tuple[int, int]], closed: Sequence[_Days]) -> list[_Silence]:
    """Measure silences by the conversions that would have come in them."""
    day_of = record.day_of
    shut_out = np.any([(day_of >= opens) & (day_of < closes) for opens, closes in closed], axis=0)
    chosen = (day_of >= begins) & ~shut_out
    everyone = (record.everyone - record.reached_before(begins) - _reached_within(record, closed))[chosen]
    _, which_day, of_day = np.unique(day_of[chosen], return_inverse=True, return_counts=True)
    silences = []
    for first, end in pairs:
        shut = [(max(first, opens), min(end, closes)) for opens, closes in closed if opens < end and closes > first]
        inside = (_reached_within(record, [(first, end)]) - _reached_within(record, shut))[chosen]
        shares = np.bincount(which_day, inside / everyone) / of_day  # conversions of one day count as one
        expected = float((inside / (everyone - inside)).sum())
        days = end - first - sum(closes - opens for opens, closes in shut)
        silences.append(_Silence(first, end, days, expected, float(-np.log1p(-shares).sum())))
    return silences


def _reached_within(record: Record, spans: Sequence[_Days]) -> NDArray[np.int64]:
    """Count, for each conversion by age, the leads that reached its age on some days."""
    reached = np.zeros_like(record.everyone)
    for first, end in spans:
        reached += record.reached_before(end) - record.reached_before(first)
    return reached


def _beyond_others(silences: Sequence[_Silence], count: int, chance: float) -> list[_Silence]:
    """Give the silences, of ``count``, that are longer than chance lets any be, by their number and by the others."""
    ordered = sorted(silences, key=lambda one: -one.weight)
    for number in range(min(MOST, len(ordered)), 0, -1):
        others = np.array([one.weight for one in ordered[number:]])
        if ordered[number - 1].weight > _limit(others, count, chance):
            return ordered[:number]
    return []


def _limit(others: NDArray[np.float64], count: int, chance: float) -> float:
    """Tell how long a silence is at most: that of ``count`` random ones, and that by the tail of the others."""
    at_random = math.log(count / chance)
    top = min(_TOP, len(others) // 2)
    if not top:
        return at_random
    threshold = float(others[top])
    excess = float((others[:top] - threshold).mean())
    return max(at_random, threshold + excess * math.log(top / chance), FAR_LONGER * float(others[0]))


def _as_in_another_year(silence: _Silence, silences: Sequence[_Silence]) -> bool:
    """Whether the same weeks of another year were as silent."""
    for other in silences:
        years = round((other.first - silence.first) / _YEAR)
        shift = years * _YEAR
        common = min(silence.end + shift, other.end) - max(silence.first + shift, other.first)
        if years and common >= _AS_LONG * (silence.end - silence.first):
            return True
    return False


def _open_days(first: NDArray[np.int64], end: NDArray[np.int64], closed: Sequence[_Days]) -> NDArray[np.int64]:
    days = end - first
    for opens, closes in closed:
        days = days - np.clip(np.minimum(end, closes) - np.maximum(first, opens), 0, None)
    return days


def _united(closed: Closed, begins: int) -> list[_Days]:
    """Give the closed days from a day on as spans that do not overlap, each with its first day and the one after."""
    united: list[_Days] = []
    for first, last in sorted(closed):
        opens, closes = max(_number(first), begins), _number(last) + 1
        if united and opens <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], closes))
        elif opens < closes:
            united.append((opens, closes))
    return united


def _number(day: date) -> int:
    return (datetime(day.year, day.month, day.day) - EPOCH) // DAY


def _day(number: int) -> date:
    return (EPOCH + number * DAY).date()
