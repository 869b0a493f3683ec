"""Leads that have ended in a time of whose outcomes nothing is known yet: how many there are, by earlier such times.

Outcomes are known up to day 100, and leads are looked at on day 114. Of those who seem open then, some have ended in
the 14 days between. On day 100, had nobody known the outcomes since day 86, 200 leads would have seemed open, and 30 of
them had ended: so had 15 in 100 of those who seem open now. Days 86, 72 and 58 are asked likewise.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from features.timeline.history import EPOCH, NEVER, REOPEN, History, as_integer
from features.timeline.labels import ended_unknown
from features.timeline.snapshots import take_snapshots_at

_LOOKS = 4
_MICROSECOND = timedelta(microseconds=1)


def share_ended(history: History, known_until: datetime, lag: timedelta, since: datetime | None) -> float | None:
    """Give the share of the leads seeming open that have ended, where outcomes of the last ``lag`` are not known.

    ``known_until``: up to when they are; ``since``: from when on they were recorded, if not all along. None where there
    is no earlier time that could tell.
    """
    seeming = ended = 0
    for look in range(_LOOKS):
        moment = known_until - look * lag
        if moment - lag < (since or EPOCH):
            break
        ends = history.codes < REOPEN
        hidden = ends & (history.known_at > as_integer(moment - lag))
        blind = replace(history, known_at=np.where(hidden, NEVER, history.known_at))
        taken = take_snapshots_at(blind, moment + _MICROSECOND)
        seeming += len(taken)
        ended += int(ended_unknown(taken).sum())
    return ended / seeming if seeming else None
