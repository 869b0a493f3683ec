"""How long it takes until most of those who will take a step have taken it, where the newest have had little time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST, HALF = 0.9, 0.5
"""The share of those who take a step that is waited for, and that of the typical one."""
FEWEST = 20
"""Of fewer who took the step, or are still watched, nobody can say how long it takes."""
_LATE = 0.9
"""A wait beyond this part of what the log can see says that the log is too short."""


def days_until(share: float, ages: NDArray[np.float64], waits: NDArray[np.float64]) -> int | None:
    """Give the whole days within which a share of those who take a step take it; None where the log is too short.

    ``ages`` is how long each lead has been watched, ``waits`` after how long it took the step, NaN where it has not:
    both in days, shape (n,). Who is young may still take it: so the share that has taken it by each age is Kaplan and
    Meier's (1958), up to the age at which fewer than ``FEWEST`` leads are watched. The log is too short where even
    ``MOST`` of them can't be waited for.

    >>> ages, waits = np.full(100, 400.0), np.full(100, np.nan)
    >>> waits[:50] = np.arange(1.0, 51.0)
    >>> days_until(MOST, ages, waits), days_until(HALF, ages, waits)
    (45, 25)
    """
    took = ~np.isnan(waits)
    if took.sum() < FEWEST:
        return None
    watched = np.where(took, np.minimum(waits, ages), ages)
    order = np.sort(watched)
    last = order[max(len(order) - FEWEST, 0)]
    times, counts = np.unique(np.maximum(np.ceil(waits[took & (waits <= last)]), 0.0), return_counts=True)
    if counts.sum() < FEWEST:
        return None
    at_risk = len(order) - np.searchsorted(order, times - 1.0, side="right")
    shares = 1.0 - np.cumprod(1.0 - np.minimum(counts / at_risk, 1.0))
    most, asked = (times[np.searchsorted(shares, part * shares[-1])] for part in (MOST, share))
    return None if most > _LATE * last else int(asked)


def days_until_most(ages: NDArray[np.float64], waits: NDArray[np.float64]) -> int | None:
    """Give the whole days within which most of those who take a step take it, as ``days_until`` does."""
    return days_until(MOST, ages, waits)
