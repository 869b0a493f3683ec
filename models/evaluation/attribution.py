"""Attribution: how a conversion is shared among the touches before it, by the rules that marketing knows.

They are agreements, and no measurement of what caused anything: that takes a lottery. Where two rules tell very
different things of a channel, it is told how far.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

RULES = ("first", "last", "last non-direct", "linear", "position", "time decay")
_ENDS = 0.4
"""What position gives to the first and to the last touch; where there is none between, each has half."""


def shares(touches: pd.DataFrame, rule: str, *, direct: Collection[str], half_life: timedelta) -> NDArray[np.float64]:
    """Give the share of its conversion that each touch has; those of a conversion add up to 1.

    ``touches``: conversion, channel, days (how long before it), by conversion and the oldest first.

    >>> touches = pd.DataFrame({"conversion": [0] * 4, "channel": ["a", "b", "b", "c"], "days": [14.0, 7.0, 7.0, 0.0]})
    >>> week = timedelta(days=7)
    >>> shares(touches, "position", direct=(), half_life=week).round(2).tolist()
    [0.4, 0.1, 0.1, 0.4]
    >>> shares(touches, "last non-direct", direct=("c",), half_life=week).tolist()
    [0.0, 0.0, 1.0, 0.0]
    """
    conversion = touches["conversion"].to_numpy()
    starts = np.flatnonzero(np.diff(conversion, prepend=-1))
    if not len(starts):
        return np.zeros(0)
    counts = np.diff(np.append(starts, len(conversion)))
    count, place = np.repeat(counts, counts), np.arange(len(conversion)) - np.repeat(starts, counts)
    match rule:
        case "first":
            weights = place == 0
        case "last":
            weights = place == count - 1
        case "last non-direct":
            weights = place == np.repeat(_last_named(touches, starts, counts, direct), counts)
        case "linear":
            weights = np.ones(len(place))
        case "position":
            ends = (place == 0) | (place == count - 1)
            between = (1.0 - 2.0 * _ENDS) / np.maximum(count - 2, 1)
            weights = np.where(count > 2, np.where(ends, _ENDS, between), 1.0)  # noqa: PLR2004 - the ends are two
        case "time decay":
            days = touches["days"].to_numpy(np.float64)
            # From the newest on, so that the weight of one that is years old is small, and its sum never is.
            since = days - np.repeat(np.minimum.reduceat(days, starts), counts)
            weights = 2.0 ** -(since / (half_life / timedelta(days=1)))
        case _:
            raise ValueError(f"{rule!r} is no rule of attribution; those are {', '.join(RULES)}")
    weights = weights.astype(np.float64)
    result: NDArray[np.float64] = weights / np.repeat(np.add.reduceat(weights, starts), counts)
    return result


def _last_named(
    touches: pd.DataFrame, starts: NDArray[np.intp], counts: NDArray[np.intp], direct: Collection[str]
) -> NDArray[np.intp]:
    """Give the place of the last touch of each conversion that is not direct; of those that are all, of the last."""
    named = ~touches["channel"].isin(list(direct)).to_numpy()
    place = np.arange(len(named)) - np.repeat(starts, counts)
    last = np.maximum.reduceat(np.where(named, place, -1), starts)
    return np.where(last >= 0, last, counts - 1)


def attribute(
    conversions: pd.DataFrame, touches: pd.DataFrame, *, unknown: str, direct: Collection[str], half_life: timedelta
) -> pd.DataFrame:
    """Share all conversions and all revenue by each rule: rule, channel, month, conversions, revenue.

    ``conversions``: month, converts (1 or 0), revenue, of which ``touches`` name the row. What no touch came before
    goes to ``unknown``; so of each rule all conversions and all revenue are there, once.
    """
    untouched = np.setdiff1d(np.arange(len(conversions)), touches["conversion"].to_numpy())
    rows = np.concatenate([touches["conversion"].to_numpy(np.int64), untouched])
    channels = np.concatenate([touches["channel"].to_numpy(object), np.full(len(untouched), unknown, object)])
    told = []
    for rule in RULES:
        share = np.concatenate([shares(touches, rule, direct=direct, half_life=half_life), np.ones(len(untouched))])
        frame = pd.DataFrame(
            {
                "rule": rule,
                "channel": channels,
                "month": conversions["month"].to_numpy()[rows],
                "conversions": share * conversions["converts"].to_numpy()[rows],
                "revenue": share * conversions["revenue"].to_numpy()[rows],
            }
        )
        told.append(frame.groupby(["rule", "channel", "month"], as_index=False, sort=True).sum())
    return pd.concat(told, ignore_index=True)


def disagreement(attributed: pd.DataFrame, column: str = "conversions") -> tuple[str, str, float]:
    """Name the two rules that disagree most, and which share of all ``column`` they give to other channels.

    Of nothing, nothing is given to another.
    """
    if not attributed[column].any():
        return RULES[0], RULES[1], 0.0
    table = attributed.pivot_table(index="channel", columns="rule", values=column, aggfunc="sum", fill_value=0.0)
    total = float(table.iloc[:, 0].sum())
    pairs = [
        (one, other, float((table[one] - table[other]).abs().sum()) / 2.0 / total)
        for place, one in enumerate(RULES)
        for other in RULES[place + 1 :]
        if one in table and other in table
    ]
    return max(pairs, key=lambda pair: pair[2], default=(RULES[0], RULES[1], 0.0))
