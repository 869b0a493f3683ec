"""Origins: the moments from which a procedure is judged, each by what came after it.

At an origin everything that is settled by then is learned from, and the snapshots until the next origin are foretold.
A snapshot is settled once its label is complete and known: a horizon, and the delay of outcomes, after its ``as_of``.
Origins lie on the calendar, so that models that are trained weeks apart share them. Of a log whose labelled snapshots
end on 31 May 2026, with a horizon of 30 days, the newest origin is 1 May: learned from is what was taken up to 1 April,
foretold are the snapshots of May.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.core.slices import count_leads

FEWEST_MONTHS = 3
"""With fewer firsts of a month than these that can be judged from, Mondays are taken where there are more."""


@dataclass(frozen=True)
class Origin:
    """A moment (UTC), and the next one, or for the last one the end of the snapshots: foretold is [moment, until)."""

    moment: pd.Timestamp
    until: pd.Timestamp

    def settled(self, as_of: NDArray[np.datetime64], reach: timedelta) -> NDArray[np.bool_]:
        """Tell which snapshots are learned from here: shape (n,)."""
        return np.asarray(as_of + np.timedelta64(reach) <= np.datetime64(self.moment))

    def foretold(self, as_of: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Tell which snapshots are judged from here: shape (n,)."""
        return np.asarray((as_of >= np.datetime64(self.moment)) & (as_of < np.datetime64(self.until)))


def choose_origins(
    as_of: NDArray[np.datetime64],
    labels: NDArray[np.float64],
    leads: NDArray[Any],
    reach: timedelta,
    *,
    count: int,
    minimum: int,
) -> list[Origin]:
    """Choose the newest ``count`` origins, the oldest first: firsts of a month, of a short log Mondays.

    ``as_of`` (UTC), ``labels`` of 0 and 1, and ``leads``, of shape (n,), are the labelled snapshots; ``reach`` is the
    horizon and the delay of outcomes. At an origin at least ``minimum`` leads have a settled snapshot that converts,
    and as many have one that doesn't.
    """
    if not len(as_of) or not count:
        return []
    codes = pd.factorize(leads)[0]
    first, last = pd.Timestamp(as_of.min()), pd.Timestamp(as_of.max())
    end = last + pd.Timedelta(microseconds=1)
    able: list[Origin] = []
    for frequency in ("MS", "W-MON"):
        # Before the reach of the first snapshot nothing is settled.
        moments = list(pd.date_range((first + reach).ceil("D"), last.normalize(), freq=frequency))
        chosen = [Origin(*bounds) for bounds in pairwise([*moments, end])]
        found = [origin for origin in chosen if _is_able(origin, as_of, labels, codes, reach, minimum)]
        able = max(able, found, key=len)
        if len(able) >= FEWEST_MONTHS:
            break
    return able[-count:]


def _is_able(
    origin: Origin,
    as_of: NDArray[np.datetime64],
    labels: NDArray[np.float64],
    leads: NDArray[np.int64],
    reach: timedelta,
    minimum: int,
) -> bool:
    settled = origin.settled(as_of, reach)
    return min(count_leads(labels[settled], leads[settled])) >= minimum and bool(origin.foretold(as_of).any())
