"""What is known of leads beside their events: when each came to be, and what ended or reopened its episodes.

Without a table of leads, a lead came to be with its first event, and which one was its first may have been learned
late. So its creation is a step function:

    event    occurred      known         the lead came to be, as known
    visit    2026-03-05    2026-03-05    on 2026-03-05, up to 2026-03-20
    call     2026-03-01    2026-03-20    on 2026-03-01, after it
    mail     2026-03-03    2026-03-25    (no longer matters)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.core.schema import CONVERTED, LOST
from features.core.time import microseconds

OUTCOMES = (None, CONVERTED, LOST)
"""What an outcome's code means."""
CONVERSION, LOSS, REOPEN = 1, 2, 4
"""An act that may reopen has the code REOPEN, and with it those of the outcomes that it may follow: REOPEN | LOSS."""
NEVER = np.iinfo(np.int64).max
"""The time of what has not happened."""
EPOCH, _MICROSECOND = datetime(1970, 1, 1), timedelta(microseconds=1)
_NOTHING = pd.DataFrame({"lead_id": [], "created_at": [], "until": []})


@dataclass(frozen=True)
class History:
    """The creations and outcomes of all leads, and their acts that may reopen; microseconds since 1970, UTC."""

    lead_ids: NDArray[np.object_]
    created_at: NDArray[np.int64]
    """As known today."""
    lead_known_at: NDArray[np.int64]
    former_starts: NDArray[np.int64]
    """Where what was thought of each lead's creation before begins, shape (leads + 1,); the oldest first."""
    formerly_created_at: NDArray[np.int64]
    formerly_until: NDArray[np.int64]
    """Up to and with which moment this was what was known."""
    starts: NDArray[np.int64]
    """Where the events of each lead begin, shape (leads + 1,); they are in the dataset's order."""
    occurred_at: NDArray[np.int64]
    known_at: NDArray[np.int64]
    codes: NDArray[np.int64]
    """CONVERSION, LOSS, or an act that may reopen: from REOPEN on."""
    pauses: NDArray[np.int64]
    """How long after each outcome an act reopens, by the outcome's code, in microseconds: shape (3,)."""

    @classmethod
    def of(
        cls,
        leads: pd.DataFrame,
        events: pd.DataFrame,
        reopen_after: timedelta,
        former: pd.DataFrame = _NOTHING,
        *,
        reopen_after_conversion: timedelta = timedelta(0),
    ) -> History:
        """Join leads (lead_id, created_at, known_at) and events (lead_id, occurred_at, known_at, code).

        ``former``: lead_id, created_at, until of creations that were thought so before, the oldest of a lead first.
        ``reopen_after`` is the pause after a loss; that after a conversion matters where an act may follow one.
        """
        of_events, event_starts = _join(leads, events)
        of_former, former_starts = _join(leads, former)
        return cls(
            lead_ids=leads["lead_id"].to_numpy(object),
            created_at=as_integers(leads["created_at"]),
            lead_known_at=as_integers(leads["known_at"]),
            former_starts=former_starts,
            formerly_created_at=as_integers(former["created_at"])[of_former],
            formerly_until=as_integers(former["until"])[of_former],
            starts=event_starts,
            occurred_at=as_integers(events["occurred_at"])[of_events],
            known_at=as_integers(events["known_at"])[of_events],
            codes=events["code"].to_numpy(np.int64)[of_events],
            pauses=np.array([0, microseconds(reopen_after_conversion), microseconds(reopen_after)], np.int64),
        )

    @property
    def lead_of_event(self) -> NDArray[np.intp]:
        """The position of each event's lead."""
        return np.repeat(np.arange(len(self.lead_ids)), np.diff(self.starts))

    @property
    def lead_of_former(self) -> NDArray[np.intp]:
        """The position of the lead of each former creation."""
        return np.repeat(np.arange(len(self.lead_ids)), np.diff(self.former_starts))

    def of_leads(self, first: int, end: int) -> History:
        """Give the part of it that is of the leads at some positions: from ``first`` on, before ``end``."""
        events, former = (slice(starts[first], starts[end]) for starts in (self.starts, self.former_starts))
        return replace(
            self,
            lead_ids=self.lead_ids[first:end],
            created_at=self.created_at[first:end],
            lead_known_at=self.lead_known_at[first:end],
            former_starts=self.former_starts[first : end + 1] - self.former_starts[first],
            formerly_created_at=self.formerly_created_at[former],
            formerly_until=self.formerly_until[former],
            starts=self.starts[first : end + 1] - self.starts[first],
            occurred_at=self.occurred_at[events],
            known_at=self.known_at[events],
            codes=self.codes[events],
        )

    def as_known(self, as_of: datetime) -> History:
        """Give what of it was known at a moment (UTC): what came to be known at or after it is in there no more.

        An end that was entered ahead of its time is; an act counts when it has happened, too.
        """
        now = as_integer(as_of)
        keep = (self.known_at < now) & ((self.codes < REOPEN) | (self.occurred_at < now))
        leads = np.arange(len(self.lead_ids))
        return replace(
            self,
            created_at=self.created_as_known(leads, np.full(len(leads), now)),
            former_starts=np.zeros_like(self.former_starts),
            formerly_created_at=self.formerly_created_at[:0],
            formerly_until=self.formerly_until[:0],
            starts=np.concatenate([[0], np.cumsum(keep)])[self.starts],
            occurred_at=self.occurred_at[keep],
            known_at=self.known_at[keep],
            codes=self.codes[keep],
        )

    def created_as_known(self, lead: NDArray[np.intp], as_of: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tell when leads, by their positions, came to be, as it was known at moments."""
        created = self.created_at[lead]
        first, steps = self.former_starts[lead], np.diff(self.former_starts)[lead]
        for step in range(max(steps, default=0) - 1, -1, -1):
            rows = np.flatnonzero(steps > step)
            held = first[rows] + step
            valid = as_of[rows] <= self.formerly_until[held]
            created[rows[valid]] = self.formerly_created_at[held[valid]]
        return created


def _join(leads: pd.DataFrame, rows: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Give the order of rows by the position of their leads, without strangers, and where those of each begin."""
    position = pd.Index(leads["lead_id"]).get_indexer(pd.Index(rows["lead_id"]))
    order = np.argsort(position, kind="stable")
    order = order[np.searchsorted(position[order], 0) :]
    return order, np.searchsorted(position[order], np.arange(len(leads) + 1)).astype(np.int64)


def as_integers(times: pd.Series) -> NDArray[np.int64]:
    """Give times as microseconds since 1970, a missing one as NEVER."""
    integers = times.to_numpy("datetime64[us]").astype(np.int64)
    return np.where(integers == np.iinfo(np.int64).min, NEVER, integers)


def as_integer(moment: datetime) -> int:
    """Give a time as microseconds since 1970."""
    return (moment - EPOCH) // _MICROSECOND


def as_times(integers: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """Give microseconds since 1970 as times, NEVER as a missing one."""
    return np.where(integers == NEVER, np.iinfo(np.int64).min, integers).astype("datetime64[us]")
