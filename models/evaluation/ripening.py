"""How leads ripen: when each first was warm, and hot, and what came right before, beside what comes before other acts.

A lead becomes warmer by an act alone, and colder by time alone. So the first moment at which it was warm, or hot, is
the moment of an act: a strong one or a fact that raises makes it hot, a medium one warm, and so does the act by which
it came on enough days within the time of coming back. Nothing later than that act has a say.

What came before a step proves nothing: what leads do most comes before everything most. So what came right before steps
stands beside what came right before the other acts of the same leads, as long as they had not taken the step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BEGAN = ("cold", "warm", "hot")
BECAME = ("warm", "hot", "customer")
"""What a lead may have become later; each is further than the one before."""
BY, ACT, TOUCH = WHAT = ("by", "act", "touch")
"""What is told of a step: the event it came by, the lead's own act right before it, our touch right before it."""
NEVER = np.iinfo(np.int64).max
"""The time of what has not happened."""
NOTHING = -1
"""The type of what is not there, or too long ago."""


@dataclass(frozen=True)
class Ripens:
    """For how long what makes warmer lasts, in microseconds, and on how many days a lead that came back has come."""

    hot_for: int
    active_days: int


class Events(NamedTuple):
    """All events of some leads, by lead, and each lead's in the order of the log: arrays of shape (n,).

    ``lead`` numbers the leads in that order, ``moment`` is when it occurred (microseconds, UTC), ``kind`` the number
    of its type, ``day`` that of the lead's day. ``own`` are acts of the lead itself, ``touch`` ours that it could
    notice; ``hot`` and ``warm`` say what makes a lead so by itself, ``won`` what makes it a customer.
    """

    lead: NDArray[np.int64]
    moment: NDArray[np.int64]
    kind: NDArray[np.int64]
    day: NDArray[np.int64]
    own: NDArray[np.bool_]
    touch: NDArray[np.bool_]
    hot: NDArray[np.bool_]
    warm: NDArray[np.bool_]
    won: NDArray[np.bool_]


def rows_of_steps(events: Events, leads: int, ripens: Ripens) -> NDArray[np.int64]:
    """Give the row by which each lead first was warm, hot and a customer: shape (leads, 3), -1 where it never was.

    Who is hot is warm, too. What a customer does afterwards makes it no warmer.
    """
    hot = events.hot
    warm = hot | events.warm | _came_back(events, ripens)
    found = np.full((leads, len(BECAME)), NOTHING, np.int64)
    found[:, 2] = _first(events.won, events.lead, leads)
    before = np.arange(len(events.moment)) < _or_never(found[:, 2])[events.lead]
    found[:, 0] = _first(warm & before, events.lead, leads)
    found[:, 1] = _first(hot & before, events.lead, leads)
    return found


def times_of_steps(events: Events, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the times of rows as ``rows_of_steps`` gives them, in their shape; ``NEVER`` where there is none."""
    if not len(events.moment):
        return np.full(rows.shape, NEVER)
    return np.where(rows >= 0, events.moment[rows], NEVER)


def began(times: NDArray[np.int64], created: NDArray[np.int64], first: int) -> NDArray[np.int64]:
    """Say how far each lead came within its ``first`` microseconds: a place in ``BEGAN``, shape (leads,)."""
    until = created + first
    return np.where(times[:, 1] <= until, 2, np.where(times[:, 0] <= until, 1, 0))


def before_steps(
    events: Events,
    rows: NDArray[np.int64],
    begins: NDArray[np.int64],
    since: NDArray[np.int64],
    months: NDArray[np.int64],
    ripens: Ripens,
) -> pd.DataFrame:
    """Count what came right before each step, and before the other acts of leads that had not taken it.

    ``rows`` are those of ``rows_of_steps``; ``begins`` (places in ``BEGAN``), ``since`` (from when on acts and steps
    count, microseconds) and ``months`` (numbers) are of the leads, -1 in ``months`` for who counts nowhere. Columns:
    month, began, became, what (places in ``WHAT``), kind, steps, others. What is longer ago than ``ripens.hot_for`` is
    ``NOTHING``.
    """
    told = dict(
        zip(WHAT, (events.kind, *(_last(events, which, ripens) for which in (events.own, events.touch))), strict=True)
    )
    ends, parts = _or_never(rows), []
    months_of, begins_of = months[events.lead], begins[events.lead]
    watched = np.flatnonzero(events.own & (events.moment > since[events.lead]) & (months_of >= 0))
    watched = watched[watched < ends[events.lead[watched], 2]]
    for became in range(len(BECAME)):
        at_risk = watched[(begins_of[watched] <= became) & (watched < ends[events.lead[watched], became])]
        took = np.flatnonzero((rows[:, became] >= 0) & (begins <= became) & (months >= 0))
        steps = rows[took, became]
        for what, kinds in enumerate(told.values()):
            parts += [
                _counted(months_of[found], begins_of[found], became, what, kinds[found], name)
                for name, found in (("steps", steps), ("others", at_risk))
            ]
    return add_up(parts)


_KEYS = ["month", "began", "became", "what", "kind"]


def add_up(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Add the counts of ``before_steps`` of several parts of the leads."""
    return pd.concat(parts).fillna(0).groupby(_KEYS, as_index=False, sort=True)[["steps", "others"]].sum()


def _counted(
    months: NDArray[np.int64],
    begins: NDArray[np.int64],
    became: int,
    what: int,
    kinds: NDArray[np.int64],
    name: str,
) -> pd.DataFrame:
    size = int(kinds.max(initial=0)) + 2
    keys, counts = _frequencies((months * len(BEGAN) + begins) * size + kinds + 1)
    months_and_begins, kind = np.divmod(keys, size)
    month, begin = np.divmod(months_and_begins, len(BEGAN))
    return pd.DataFrame(
        {"month": month, "began": begin, "became": became, "what": what, "kind": kind - 1, "steps": 0, "others": 0}
        | {name: counts}
    )


def _frequencies(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    counts = np.bincount(keys)
    found = np.flatnonzero(counts)
    return found, counts[found]


def _first(which: NDArray[np.bool_], lead: NDArray[np.int64], leads: int) -> NDArray[np.int64]:
    rows = np.flatnonzero(which)
    found = np.full(leads, NOTHING, np.int64)
    found[lead[rows[::-1]]] = rows[::-1]
    return found


def _or_never(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(rows >= 0, rows, NEVER)


def _last(events: Events, which: NDArray[np.bool_], ripens: Ripens) -> NDArray[np.int64]:
    """Give of each row the type of the last one of some before it, of the same lead and not too long before."""
    rows = np.arange(len(which))
    upto = np.maximum.accumulate(np.where(which, rows, NOTHING))
    before = np.concatenate([[NOTHING], upto[:-1]])
    waited = events.moment - events.moment[before]
    near = (before >= 0) & (events.lead[before] == events.lead) & (waited <= ripens.hot_for)
    return np.where(near, events.kind[before], NOTHING)


def _came_back(events: Events, ripens: Ripens) -> NDArray[np.bool_]:
    """Tell which acts are the first of the day on which the lead has come on enough days."""
    found = np.zeros(len(events.moment), bool)
    own = np.flatnonzero(events.own)
    lead, day = events.lead[own], events.day[own]
    begins = np.ones(len(own), bool)
    begins[1:] = (lead[1:] != lead[:-1]) | (day[1:] != day[:-1])
    firsts = np.flatnonzero(begins)
    back = ripens.active_days - 1
    if len(firsts) <= back:
        return found
    lasts = own[np.append(firsts[1:], len(own)) - 1]
    firsts = own[firsts]
    now, earlier = firsts[back:], lasts[:-back]
    waited = events.moment[now] - events.moment[earlier]
    found[now[(events.lead[now] == events.lead[earlier]) & (waited <= ripens.hot_for)]] = True
    return found
