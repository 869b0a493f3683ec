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
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.duration import DAY, microseconds
from features.history import EPOCH, as_integer, as_integers

CHANCE = 0.001
"""What is less likely is no chance."""
_FEWEST = 10
"""Of fewer conversions nothing is said."""
_DAY = microseconds(DAY)


@dataclass(frozen=True)
class Recording:
    """How the conversions of a source set in."""

    first: datetime
    """The day of the first one, 00:00 UTC."""
    conversions: int
    expected: float
    """How many there would be before it, were leads then as they were later."""
    chance: float
    """How likely it is that there is none."""


def find_start(episodes: pd.DataFrame, converted: pd.Series, until: datetime) -> Recording | None:
    """Tell how the conversions of a source set in; None where there are too few.

    ``episodes``: started_at, outcome_at; ``converted``: which of them ended with a conversion of this source. The
    others were observed up to their own end, or to ``until``.
    """
    started = as_integers(episodes["started_at"])
    ended = np.minimum(as_integers(episodes["outcome_at"]), as_integer(until))
    mine = converted.to_numpy(bool) & (ended >= started)
    if mine.sum() < _FEWEST:
        return None
    lived = ended >= started
    first = ended[mine].min() // _DAY * _DAY
    age = (ended - started)[mine]
    lives, lives_before = (ended - started)[lived], (np.minimum(ended, first - 1) - started)[lived]
    everyone, before = _reaching(age, lives), _reaching(age, lives_before)
    after = everyone - before
    chances = pd.Series(np.log(after / everyone)).groupby(ended[mine] // _DAY).mean()
    order = np.argsort(age)
    hazard = np.concatenate([[0], np.cumsum(1 / after[order])])[np.searchsorted(age[order], lives_before, "right")]
    return Recording(
        first=EPOCH + int(first // _DAY) * DAY,
        conversions=len(age),
        expected=float((1 - np.exp(-hazard)).sum()),
        chance=float(np.exp(chances.sum())),
    )


def _reaching(ages: NDArray[np.int64], lived: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count, for each age, the leads that reached it while they were looked at."""
    lived = np.sort(lived)
    return len(lived) - np.searchsorted(lived, ages, side="left")
