"""How long it takes until most of those who will take a step have taken it, where the newest have had little time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST = 0.9
"""The share of those who take a step that is waited for."""
FEWEST = 20
"""Of fewer who took the step, or are still watched, nobody can say how long it takes."""
_LATE = 0.9
"""A wait beyond this part of what the log can see says that the log is too short."""


def days_until_most(ages: NDArray[np.float64], waits: NDArray[np.float64]) -> int | None:
    """Give the whole days within which most of those who take a step take it; None where the log is too short to tell.

    ``ages`` is how long each lead has been watched, ``waits`` after how long it took the step, NaN where it has not:
    both in days, shape (n,). Who is young may still take it: so the share that has taken it by each age is Kaplan and
    Meier's (1958), up to the age at which fewer than ``FEWEST`` leads are watched.

    >>> ages, waits = np.full(100, 400.0), np.full(100, np.nan)
    >>> waits[:50] = np.arange(1.0, 51.0)
    >>> days_until_most(ages, waits)
    45
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
    most = times[np.searchsorted(shares, MOST * shares[-1])]
    return None if most > _LATE * last else int(most)
