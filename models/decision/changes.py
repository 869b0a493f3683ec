"""What has moved a lead's probability since an earlier score, and which way it goes.

The way from what was foretold then to what is foretold now is walked in steps, each of which changes one thing:

    kept        what was foretold then
    replayed    the same moment, from today's log, as known then             data       the log says something else
    corrected   the same moment, by what is known of it now                  data, too  it became known late
    waited      the present moment, by what had occurred by then             time       only the clock moves on
    seen        the present moment, by all that is known                     behaviour  what occurred since
    now         what is foretold now                                         model      another model says it

The four between are said by the earlier model. A part is the difference of two neighbours in log-odds, so that the
parts add up to the whole, in any order: log-odds are put on a grid on which doubles add and subtract without rounding.
Where the earlier model is gone, today's model takes the steps between, and data and model are one part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from features.core.recommendation import TRENDS
from models.decision.reasons import Telling, effects_of

CAUSES = ("data", "time", "behaviour", "model")
"""What may move a probability, in this order."""
_IMPROVING, _STEADY, _DECLINING, _UNKNOWN = TRENDS
_LEAST_TREND = np.log(1.25)
"""A trend is steady where the odds have moved by less than a quarter."""
_LEAST_PART = np.log(1.1)
"""A part that moves the odds by less than a tenth had no part that is worth a word."""
_GRID = 2.0**30
"""Steps in which log-odds are told: a billionth each."""


def log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the log-odds of probabilities between 0 and 1, on a grid of billionths; NaN of what is missing."""
    exact = np.log(probabilities) - np.log1p(-probabilities)
    return np.asarray(np.round(exact * _GRID) / _GRID, dtype=np.float64)


@dataclass(frozen=True)
class Change:
    """The parts of each lead's change, in log-odds, shape (n,); all NaN where there is no earlier score.

    ``data`` alone is NaN where it is in ``model``, for the earlier model is gone.
    """

    data: NDArray[np.float64]
    time: NDArray[np.float64]
    behaviour: NDArray[np.float64]
    model: NDArray[np.float64]
    late: NDArray[np.float64]
    """What of ``data`` is that something became known late."""
    is_moved: NDArray[np.bool_] | bool = False
    """Whether it has moved the lead to another tier, which a small change may."""

    @classmethod
    def between(
        cls,
        kept: NDArray[np.float64],
        replayed: NDArray[np.float64],
        corrected: NDArray[np.float64],
        waited: NDArray[np.float64],
        seen: NDArray[np.float64],
        now: NDArray[np.float64],
        *,
        is_earlier_model: bool,
    ) -> Self:
        """Split the way from the probabilities ``kept`` to those of ``now``, each of shape (n,).

        ``is_earlier_model``: the four between are said by the model of those that were kept. The last part is what
        the others leave of the whole.
        """
        start, *between, end = map(log_odds, (kept, corrected, waited, seen, now))
        late = between[0] - log_odds(replayed)
        whole = end - start  # NaN where there is no earlier score, and so is what is added to it
        time, behaviour = between[1] - between[0] + 0.0 * whole, between[2] - between[1] + 0.0 * whole
        data = between[0] - start if is_earlier_model else np.full(len(start), np.nan)
        return cls(data, time, behaviour, whole - (np.nan_to_num(data) + time + behaviour), late)

    @property
    def parts(self) -> NDArray[np.float64]:
        """The parts in the order of CAUSES, shape (n, 4): 0 where one is told with another."""
        parts = np.stack([self.data, self.time, self.behaviour, self.model], axis=1)
        parts[np.isnan(self.data) & ~np.isnan(self.model), 0] = 0.0
        return parts

    @property
    def whole(self) -> NDArray[np.float64]:
        """By how much the log-odds have moved, shape (n,)."""
        whole: NDArray[np.float64] = self.parts.sum(axis=1)
        return whole

    @property
    def trends(self) -> NDArray[np.object_]:
        """Which way each lead goes, one of TRENDS: by time and behaviour, for data and model are not the lead's."""
        moved = self.time + self.behaviour
        conditions = [np.isnan(moved), moved >= _LEAST_TREND, moved <= -_LEAST_TREND]
        return np.select(conditions, [_UNKNOWN, _IMPROVING, _DECLINING], _STEADY).astype(object)

    @property
    def directions(self) -> NDArray[np.int64]:
        """Tell whether each lead went up (1), down (-1), or hardly moved (0); shape (n,)."""
        whole = np.nan_to_num(self.whole)
        return np.where((np.abs(whole) >= _LEAST_TREND) | self.is_moved, np.sign(whole), 0.0).astype(np.int64)

    @property
    def is_leads_own(self) -> NDArray[np.bool_]:
        """Tell of which leads neither data nor the model have changed anything: shape (n,)."""
        return np.asarray((self.data == 0.0) & (self.model == 0.0), dtype=bool)

    @property
    def strongest(self) -> NDArray[np.int64]:
        """Find the strongest part that goes where the whole does, by its place in CAUSES: shape (n,), -1 for none.

        Where the whole hardly moved it is the strongest either way; of equally strong ones it is the first.
        """
        parts, directions = np.nan_to_num(self.parts), self.directions[:, None]
        strength = np.where(directions == 0, np.abs(parts), parts * directions)
        place = strength.argmax(axis=1)
        return np.where(strength.max(axis=1) > 0.0, place, -1)

    @property
    def is_mostly_late(self) -> NDArray[np.bool_]:
        """Tell of which leads most of ``data`` is that something became known late: shape (n,)."""
        return np.asarray(self.late * np.sign(self.data) > np.abs(self.data) / 2.0, dtype=bool)

    def had_a_part(self, cause: str) -> NDArray[np.bool_]:
        """Tell of which leads a cause moved the odds by a tenth or more, either way: shape (n,)."""
        return np.asarray(np.abs(np.nan_to_num(self.parts[:, CAUSES.index(cause)])) >= _LEAST_PART, dtype=bool)


def strongest_stories(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    tellings: Sequence[Telling],
    directions: NDArray[np.float64],
    is_new: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Find the story that moved each row most, the way that its ``directions`` say: shape (n,), -1 where none did.

    ``before`` and ``after`` are contributions, of shape (n, columns + 1); only stories that are new of a row, shape
    (n, stories), are found. One that says that there was something, and not what, is found where no other one moved the
    row that way; of equally strong ones it is the first.
    """
    moved = (effects_of(after, tellings) - effects_of(before, tellings)) * np.sign(directions)[:, None]
    moved[~is_new] = 0.0
    last = np.array([telling.comes_last for telling in tellings], dtype=bool)
    found = np.full(len(moved), -1, dtype=np.int64)
    for some in (last, ~last):
        if some.any():
            places = np.flatnonzero(some)
            best = places[moved[:, places].argmax(axis=1)]
            found = np.where(moved[np.arange(len(moved)), best] > 0.0, best, found)
    return found
