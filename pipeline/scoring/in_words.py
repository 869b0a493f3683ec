"""What holds of leads, in words: since which day of the company's, and what."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.decision.facts import Held
from pipeline.settings.decision import DecisionPolicy

_OUTSIDE = "outside the target"


def days_of(policy: DecisionPolicy, times: NDArray[np.datetime64]) -> list[str]:
    """Write the company's days of times in UTC.

    >>> days_of(DecisionPolicy(time_zone="Europe/Paris"), np.array(["2026-03-04T23:30"], "datetime64[us]"))
    ['2026-03-05']
    """
    local = pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(ZoneInfo(policy.time_zone)).tz_localize(None)
    # Of a million times there are few days: each is written once.
    days, places = np.unique(local.to_numpy().astype("datetime64[D]"), return_inverse=True)
    written: list[str] = np.datetime_as_string(days).astype(object)[places].tolist()
    return written


def facts_in_words(
    policy: DecisionPolicy,
    held: Held,
    broken: Iterable[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]],
    leads: int,
) -> list[list[str]]:
    """Say which facts hold of each of ``leads`` leads, then the rules of the target that are ``broken``, by whom."""
    told: list[list[str]] = [[] for _ in range(leads)]
    rows, since, names = held.told()
    for row, day, name in zip(rows.tolist(), days_of(policy, since), names.tolist(), strict=True):
        told[row].append(f"{day} {name}")
    for words, is_out, _ in broken:
        for row in np.flatnonzero(is_out).tolist():
            told[row].append(f"{_OUTSIDE}: {words}")
    return told
