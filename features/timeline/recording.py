"""From when on outcomes were recorded: before that, that a lead has none says nothing.

Leads may be older than the record of their outcomes. Then those of the first months look as if none had converted. For
each conversion, at whatever age it came, all leads that ever reached that age could have been the one; some of them
reached it before the day of the first conversion. Were outcomes recorded all along, each conversion would fall to any
of them alike:

    the first is of 2026-12-01; of the leads that reached the age of the
      first   conversion, 600 of 1,000 did so before:   none of these has it with chance 0.4
      second  conversion, 500 of 1,000                  ... nor the second with 0.4 * 0.5
      ...
      tenth                                             0.0006: they were not recorded

A young company whose leads take long is not accused: before its first conversion hardly a lead had reached such an age.
Conversions of one day may have been entered together, so a day counts as one.

Somebody may have entered a few by hand before. So other days are asked too, those that end the longest silences: were
far fewer seen before than the leads of that time would have brought? A company may have grown, and few is not none:
they must be too few even had these leads converted a third as often as later ones, and less than a tenth of what is
expected.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.core.time import DAY, microseconds
from features.timeline.history import EPOCH, NEVER, as_integer, as_integers

CHANCE = 0.001
"""What is less likely is no chance."""
FEWEST = 10
"""Of fewer conversions nothing is said."""
_SHARE = 0.1
"""Where at least this share of the expected conversions was seen before a day, they were recorded."""
_GROWTH = 3
"""How much more often leads may convert later, and nothing be wrong."""
_SILENCES = 20
"""How many silences are asked whether they end before the start."""
_DAY = microseconds(DAY)


@dataclass(frozen=True)
class Recording:
    """How the conversions of a source set in."""

    first: datetime
    """The day from which on they were seen, 00:00 UTC: that of the first one, but for strays."""
    conversions: int
    before: int
    """How many were seen before, the strays."""
    expected: float
    """How many there would be before it, were leads then as they were later."""
    log_chance: float
    """The logarithm of ``chance``, which may be too small for a number."""

    @property
    def chance(self) -> float:
        """How likely it is, at most, that there are so few."""
        return math.exp(self.log_chance)


class Lives(NamedTuple):
    """Episodes of some leads, and which of them ended with a conversion of a source; microseconds since 1970, UTC."""

    started: NDArray[np.int64]
    ended: NDArray[np.int64]
    """NEVER where it is open."""
    converted: NDArray[np.bool_]

    @classmethod
    def of(cls, episodes: pd.DataFrame, converted: pd.Series) -> Lives:
        """Take them from a frame with started_at and outcome_at."""
        return cls(
            as_integers(episodes["started_at"]), as_integers(episodes["outcome_at"]), converted.to_numpy(np.bool_)
        )


def find_start(lives: Iterable[Lives], until: datetime) -> Recording | None:
    """Tell how the conversions of a source set in; None where there are too few.

    ``lives`` come in parts, in the order of the leads, and are asked for again and again; what did not convert was
    observed up to its own end, or to ``until``.
    """
    record = read_record(lives, until)
    if record is None:
        return None
    first, *others = record.ends_of_silences()
    strays = (found for found, only_strays in map(record.begin, others) if only_strays)
    return min((record.begin(first)[0], *strays), key=lambda found: found.log_chance)


def read_record(lives: Iterable[Lives], until: datetime) -> Record | None:
    """Read what ``find_start`` is given; None where the conversions are too few to say anything of."""
    record = Record(lives, as_integer(until))
    return None if len(record.ages) < FEWEST else record


class Record:
    """Leads as they were looked at: from when, until when, and which of them had converted then.

    What is held follows the number of conversions; of the lives themselves there is one part at a time.
    """

    def __init__(self, lives: Iterable[Lives], until: int) -> None:
        self._lives, self._until = lives, until
        none = np.empty(0, np.int64)
        mine = [(ended[converted], started[converted]) for started, ended, converted in self._observed()]
        ended, started = (np.concatenate(column) for column in zip((none, none), *mine, strict=True))
        ages = ended - started
        order = np.argsort(ages)
        self.ages = ages[order]
        self.day_of = ended[order] // _DAY
        self.days, self.which_day, self.of_day = np.unique(self.day_of, return_inverse=True, return_counts=True)

    @cached_property
    def everyone(self) -> NDArray[np.int64]:
        """How many leads reached the age of each conversion."""
        return self._reaching(self._by_ages_passed())

    def reached_before(self, day: int) -> NDArray[np.int64]:
        """Count, for each conversion by age, the leads that had reached its age before a day (since 1970) began."""
        return self._reaching(self._by_ages_passed(day * _DAY - 1))

    def ends_of_silences(self) -> list[int]:
        """Give the first day of a conversion, and those that come longest after the one before."""
        longest = 1 + np.argsort(-np.diff(self.days), kind="stable")[:_SILENCES]
        return [int(self.days[0]), *map(int, self.days[longest])]

    def begin(self, day: int) -> tuple[Recording, bool]:
        """Tell how conversions would set in, were they recorded from a day on.

        And whether what was seen before is too little for a record, of a company that has grown, too.
        """
        leads = self._by_ages_passed(day * _DAY - 1)
        before = self._reaching(leads)
        later = self.day_of >= day
        rates = np.zeros(len(later))
        rates[later] = 1 / (self.everyone - before)[later]
        hazard = np.concatenate([[0], np.cumsum(rates)])
        expected = float((leads * (1 - np.exp(-hazard))).sum())
        seen, seen_days, days = int((~later).sum()), int((self.days < day).sum()), len(self.days)
        shares = np.bincount(self.which_day, before / self.everyone) / self.of_day
        share = float(shares.mean())
        # Of a day with many conversions some are left where each comes with a third of its chance.
        share_if_grown = float((shares * (1 - (1 - 1 / _GROWTH) ** self.of_day)).mean())
        only_strays = seen < _SHARE * expected and _log_chance(seen_days, days, share_if_grown) < math.log(CHANCE)
        log_chance = _log_chance(seen_days, days, share)
        return Recording(EPOCH + day * DAY, len(later), seen, expected, log_chance), only_strays

    def _observed(self) -> Iterator[Lives]:
        """Give the lives that had begun when they were last looked at, each until then."""
        for started, ended, converted in self._lives:
            seen = np.minimum(ended, self._until)
            lived = seen >= started
            yield Lives(started[lived], seen[lived], converted[lived])

    def _by_ages_passed(self, until: int = NEVER) -> NDArray[np.int64]:
        """Count the leads by how many of the ages at which one converted they had reached, by a moment at the latest.

        Shape (ages + 1,).
        """
        leads = np.zeros(len(self.ages) + 1, np.int64)
        for started, ended, _ in self._observed():
            passed = np.searchsorted(self.ages, np.minimum(ended, until) - started, side="right")
            leads += np.bincount(passed, minlength=len(leads))
        return leads

    @staticmethod
    def _reaching(leads: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count, for each age at which one converted, the leads that reached it."""
        reaching: NDArray[np.int64] = leads.sum() - np.cumsum(leads)[:-1]
        return reaching


def _log_chance(seen: int, days: int, share: float) -> float:
    """Bound the chance that so few of the days, or fewer, fall where that share of them is expected.

    It is Chernoff's bound, which holds where the shares of the days differ, and is exact for none of equal ones:

    >>> math.exp(_log_chance(0, 10, 0.5)) == 0.5**10
    True
    """
    expected = days * share
    if seen >= expected:
        return 0.0
    few = seen * math.log(expected / seen) if seen else 0.0
    return few + (days - seen) * math.log((days - expected) / (days - seen))
