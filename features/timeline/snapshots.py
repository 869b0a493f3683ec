"""Episodes of leads, the moments at which we look at them, and what the future then held.

A worked example, with horizon 30 days and outcomes known as they occur; the log ends on 2026-06-30 at 12:00:

    lead A   created 2026-03-02 09:00   lost 2026-03-20   form 2026-05-25 10:00 (reopens)   won 2026-06-10
    policy   ages 7d; calendar monthly (the first of each month, 00:00 UTC)

    as_of              trigger   episode   label for 30 days
    2026-03-09 09:00   7d        1         no: lost on 2026-03-20, so not converted before 2026-04-08 09:00
    2026-04-01 00:00   monthly   none      no snapshot: no episode is open (nor on 2026-05-01)
    2026-06-01 00:00   monthly   2         none: 2026-07-01 00:00 lies beyond the log's end, though the conversion
                                           of 2026-06-10 has been seen: to count early "yes" but not late "no" would lie
    2026-06-01 10:00   7d        2         none, likewise

And one of a customer who comes back, where a form may follow a conversion, after 60 days:

    event                  state of lead B, created 2026-01-05
    2026-02-01   won       episode 1 converted: what was seen of it has its label by this conversion alone
    2026-03-01   form      none: only 28 days after the conversion
    2026-03-10   won       none: a purchase while no episode is open opens and labels nothing; the pause begins anew
    2026-04-20   form      none: 78 days after the first conversion, and only 41 after the last
    2026-05-09   form      episode 2, exactly 60 days after it; ages count from here
    2026-05-20   won       episode 2 converted
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numba
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.core.time import format_duration, microseconds
from features.timeline.history import (
    CONVERSION,
    LOSS,
    NEVER,
    OUTCOMES,
    REOPEN,
    History,
    as_integer,
    as_integers,
    as_times,
)
from features.timeline.policies import AgePolicy, CalendarPolicy, Policy

ANY = -NEVER
"""Stands for whichever start the episode has."""


def find_episodes(history: History) -> pd.DataFrame:
    """Cut the life of each lead into episodes, as all is known today.

    Gives one row an episode: lead_id, episode (1, 2, ...), started_at, outcome (None, converted, lost), outcome_at.
    A conversion after a loss overrules it, as long as nothing has reopened; a loss before the start ends nothing.
    A conversion after a conversion only makes the pause begin anew.
    """
    lead, number, started, code, at = _cut(
        history.starts, history.created_at, history.occurred_at, history.codes, history.pauses
    )
    return pd.DataFrame(
        {
            "lead_id": pd.array(history.lead_ids[lead], dtype="str"),
            "episode": number,
            "started_at": as_times(started),
            "outcome": pd.array(np.array(OUTCOMES, dtype=object)[code], dtype="str"),
            "outcome_at": as_times(at),
        }
    )


@numba.njit(cache=True)  # type: ignore[untyped-decorator] # numba carries no types
def _step(
    code: int, at: int, pauses: NDArray[np.int64], number: int, started: int, ended_code: int, ended_at: int, rests: int
) -> tuple[int, int, int, int, int]:
    """Take one event into the state of a lead: the one place that says what ends and what opens an episode.

    ``ended_code`` is 0 while the episode is open; ``rests``: from when on the pause counts.
    """
    if code >= REOPEN:
        # Who had converted before its creation comes back only after it.
        if code & ended_code and at >= max(started, rests + pauses[ended_code]):
            return number + 1, at, 0, NEVER, NEVER
    elif ended_code == 0:
        if code == CONVERSION or at >= started:
            return number, started, code, at, at
    elif code == CONVERSION:
        if ended_code == LOSS:
            return number, started, code, at, at
        return number, started, ended_code, ended_at, at
    return number, started, ended_code, ended_at, rests


@numba.njit(cache=True)  # type: ignore[untyped-decorator] # numba carries no types
def _cut(
    starts: NDArray[np.int64],
    created: NDArray[np.int64],
    occurred: NDArray[np.int64],
    codes: NDArray[np.int64],
    pauses: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Give lead, number, start, code and time of the outcome of every episode."""
    size = len(created) + len(codes)
    leads, numbers, begun = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    outcomes, ends = np.empty(size, np.int64), np.empty(size, np.int64)
    row = 0
    for lead in range(len(created)):
        number, started, ended_code, ended_at, rests = 1, created[lead], 0, NEVER, NEVER
        for event in range(starts[lead], starts[lead + 1]):
            before = (number, started, ended_code, ended_at)
            number, started, ended_code, ended_at, rests = _step(
                codes[event], occurred[event], pauses, number, started, ended_code, ended_at, rests
            )
            if number > before[0]:
                leads[row], numbers[row], begun[row], outcomes[row], ends[row] = lead, *before
                row += 1
        leads[row], numbers[row], begun[row], outcomes[row], ends[row] = lead, number, started, ended_code, ended_at
        row += 1
    return leads[:row], numbers[:row], begun[:row], outcomes[:row], ends[:row]


@numba.njit(cache=True)  # type: ignore[untyped-decorator] # numba carries no types
def _look(
    lead_of: NDArray[np.int64],
    as_of: NDArray[np.int64],
    known_until: NDArray[np.int64],
    created: NDArray[np.int64],
    starts: NDArray[np.int64],
    occurred: NDArray[np.int64],
    known: NDArray[np.int64],
    codes: NDArray[np.int64],
    pauses: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Look at leads at moments: open?, number and start of the episode *as known then*; its true outcome and time.

    What was known then is what was known at ``known_until`` of the time before the moment; of ends that lie ahead it is
    what was known at the moment. ``created``: of each lead as known then, shape (moments,). Where the episode that was
    thought open does not exist in truth, the outcome is that of the last one that had begun by the moment: another
    start of it came to light later, or it was over. Of one that was thought over, outcome and time are as known then,
    too.
    """
    size = len(as_of)
    opened, numbers, begun = np.empty(size, np.bool_), np.empty(size, np.int64), np.empty(size, np.int64)
    outcomes, ends = np.zeros(size, np.int64), np.full(size, NEVER)
    for row in range(size):
        lead, now, until = lead_of[row], as_of[row], known_until[row]
        number, started, ended_code, ended_at, rests = 1, created[row], 0, NEVER, NEVER
        for event in range(starts[lead], starts[lead + 1]):
            is_ahead = codes[event] < REOPEN and known[event] < now
            if known[event] < until and (occurred[event] < now or is_ahead):
                number, started, ended_code, ended_at, rests = _step(
                    codes[event], occurred[event], pauses, number, started, ended_code, ended_at, rests
                )
        opened[row], numbers[row], begun[row] = ended_code == 0, number, started
        if not opened[row]:
            outcomes[row], ends[row] = ended_code, ended_at
            continue
        number, started, ended_code, ended_at, rests = 1, created[row], 0, NEVER, NEVER
        exists = started == begun[row]
        for event in range(starts[lead], starts[lead + 1]):
            number, started, ended_code, ended_at, rests = _step(
                codes[event], occurred[event], pauses, number, started, ended_code, ended_at, rests
            )
            if started == begun[row]:
                exists = True
                outcomes[row], ends[row] = ended_code, ended_at
            elif not exists and started < now:
                outcomes[row], ends[row] = ended_code, ended_at
    return opened, numbers, begun, outcomes, ends


def take_snapshots(
    history: History, triggers: pd.DataFrame, policies: Sequence[Policy], until: datetime, start: datetime | None
) -> pd.DataFrame:
    """List every (lead, as_of) that the policies ask for while an episode is known to be open, up to ``until``.

    ``triggers``: lead_id, known_at, event_type of the events that EventPolicy names. Gives lead_id, as_of,
    created_at, episode, started_at (these three as known at as_of), outcome, outcome_at (as they truly came) and
    trigger, one row for each lead and as_of, sorted by both.
    """
    found = [_candidates(history, triggers, policy, until) for policy in policies]
    lead, as_of, started, trigger = (np.concatenate(column) for column in zip(*found, strict=True))
    begin = -NEVER if start is None else as_integer(start)
    wanted = (as_of <= as_integer(until)) & (as_of >= begin)
    return _take(history, lead[wanted], as_of[wanted], started[wanted], trigger[wanted])


def deal_leads(
    history: History, triggers: pd.DataFrame, policies: Sequence[Policy], until: datetime, most: int
) -> Iterator[tuple[History, pd.DataFrame]]:
    """Deal leads out, in their order, so that ``take_snapshots`` has about ``most`` moments to look at at once.

    ``triggers`` are in the order of the leads. Gives what it takes of some leads at a time; one alone may have more.
    """
    if not len(history.lead_ids):
        return
    position = pd.Index(history.lead_ids).get_indexer(pd.Index(triggers["lead_id"]))
    triggers, position = triggers[position >= 0], position[position >= 0]
    occasions = np.bincount(position, minlength=len(history.lead_ids))
    begins = 1 + np.diff(history.former_starts)
    np.add.at(begins, history.lead_of_event[history.codes >= REOPEN], 1)
    moments = np.zeros(len(history.lead_ids), np.int64)
    for policy in policies:
        if isinstance(policy, AgePolicy):
            moments += begins * len(policy.ages)
        elif isinstance(policy, CalendarPolicy):
            moments += _midnights(history, policy, until)[2]
        else:
            moments += occasions
    share = (np.cumsum(moments) - moments) // most
    cuts = [0, *(np.flatnonzero(np.diff(share)) + 1).tolist(), len(share)]
    bounds = np.searchsorted(position, cuts)
    for first, end, begin, stop in zip(cuts, cuts[1:], bounds, bounds[1:], strict=False):
        yield history.of_leads(first, end), triggers[begin:stop]


def take_snapshots_at(
    history: History,
    as_of: datetime,
    known_until: datetime | None = None,
    *,
    among: NDArray[np.intp] | None = None,
) -> pd.DataFrame:
    """List the leads whose episode is known to be open at ``as_of``, as ``take_snapshots`` does.

    ``known_until`` asks for what was known at another moment of the time before ``as_of``; ``among`` for leads at some
    positions of the history alone, shape (n,).
    """
    lead = np.arange(len(history.lead_ids)) if among is None else among
    at = np.full(len(lead), as_integer(as_of))
    known = at if known_until is None else np.full(len(lead), as_integer(known_until))
    return _take(history, lead, at, np.full(len(lead), ANY), np.full(len(lead), "", dtype=object), known)


def take_snapshots_of(history: History, lead_ids: pd.Series, as_of: pd.Series) -> pd.DataFrame:
    """Look at leads, each at its own ``as_of`` (UTC), as ``take_snapshots`` does: those whose episode was known open.

    Both have the shape (n,). A lead that the history does not know is left out, and what is asked twice comes once.
    """
    lead = pd.Index(history.lead_ids).get_indexer(pd.Index(lead_ids))
    known = lead >= 0
    at = as_integers(as_of)[known]
    return _take(history, lead[known], at, np.full(len(at), ANY), np.full(len(at), "", dtype=object))


def ages_of_open(history: History, log_until: datetime) -> NDArray[np.timedelta64]:
    """Tell how old the episodes are that are open at the end of the log."""
    return ages_of(take_snapshots_at(history, log_until + timedelta(microseconds=1)))


def ages_of(snapshots: pd.DataFrame) -> NDArray[np.timedelta64]:
    """Tell how old the episode of each snapshot is."""
    return np.asarray(snapshots["as_of"] - snapshots["started_at"], dtype="timedelta64[us]")


def find_ended_at(
    history: History, as_of: datetime, keep: timedelta, also: NDArray[np.object_] | None = None
) -> pd.DataFrame:
    """List the leads whose last episode ended in [as_of - keep, as_of), all as it was known at ``as_of`` (UTC).

    Of those named by ``also`` it may have ended before, too. An end that was entered ahead of its time counts as soon
    as it is known. Gives lead_id, as_of, created_at, episode, started_at, outcome (converted, lost) and outcome_at,
    sorted by lead_id; no lead is among these and among those of ``take_snapshots_at``.
    """
    lead = np.arange(len(history.lead_ids))
    at = np.full(len(lead), as_integer(as_of))
    seen = _see(history, lead, at)
    kept = seen.ended_at >= as_integer(as_of - keep)
    if also is not None:
        kept |= pd.Index(history.lead_ids).isin(also)
    return _frame(history, lead, at, seen, seen.is_known & ~seen.is_open & kept).sort_values(
        "lead_id", ignore_index=True
    )


class _Seen(NamedTuple):
    """What looking at leads at moments found, shape (moments,); see ``_look``."""

    created: NDArray[np.int64]
    is_known: NDArray[np.bool_]
    """Whether the lead was known of, and its episode had begun."""
    is_open: NDArray[np.bool_]
    number: NDArray[np.int64]
    begun: NDArray[np.int64]
    code: NDArray[np.int64]
    ended_at: NDArray[np.int64]


def _see(
    history: History, lead: NDArray[np.intp], as_of: NDArray[np.int64], known_until: NDArray[np.int64] | None = None
) -> _Seen:
    known_until = as_of if known_until is None else known_until
    created = history.created_as_known(lead, known_until)
    is_open, number, begun, code, ended_at = _look(
        lead.astype(np.int64),
        as_of,
        known_until,
        created,
        history.starts,
        history.occurred_at,
        history.known_at,
        history.codes,
        history.pauses,
    )
    is_known = (begun < as_of) & (history.lead_known_at[lead] < known_until)
    return _Seen(created, is_known, is_open, number, begun, code, ended_at)


def _frame(
    history: History, lead: NDArray[np.intp], as_of: NDArray[np.int64], seen: _Seen, keep: NDArray[np.bool_]
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "lead_id": pd.array(history.lead_ids[lead[keep]], dtype="str"),
            "as_of": as_times(as_of[keep]),
            "created_at": as_times(seen.created[keep]),
            "episode": seen.number[keep],
            "started_at": as_times(seen.begun[keep]),
            "outcome": pd.array(np.array(OUTCOMES, dtype=object)[seen.code[keep]], dtype="str"),
            "outcome_at": as_times(seen.ended_at[keep]),
        }
    )


def _take(
    history: History,
    lead: NDArray[np.intp],
    as_of: NDArray[np.int64],
    started: NDArray[np.int64],
    trigger: NDArray[np.object_],
    known_until: NDArray[np.int64] | None = None,
) -> pd.DataFrame:
    """Keep the candidates that are open, from the start they count from, once for each lead and as_of."""
    seen = _see(history, lead, as_of, known_until)
    keep = seen.is_known & seen.is_open & ((started == ANY) | (started == seen.begun))
    frame = _frame(history, lead, as_of, seen, keep).assign(trigger=pd.array(trigger[keep], dtype="str"))
    frame = frame.drop_duplicates(["lead_id", "as_of"])  # of the policy that is named first
    return frame.sort_values(["lead_id", "as_of"], kind="stable", ignore_index=True)


_Candidates = tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64], NDArray[np.object_]]


def _candidates(history: History, triggers: pd.DataFrame, policy: Policy, until: datetime) -> _Candidates:
    """Give lead, as_of, the start that an age counts from (or ANY) and the trigger, whether or not the lead is open."""
    leads = np.arange(len(history.lead_ids))
    if isinstance(policy, AgePolicy):
        reopening = history.codes >= REOPEN
        lead = np.concatenate([leads, history.lead_of_former, history.lead_of_event[reopening]])
        started = np.concatenate([history.created_at, history.formerly_created_at, history.occurred_at[reopening]])
        ages = [microseconds(age) for age in policy.ages]
        names = np.array([format_duration(age) for age in policy.ages], dtype=object)
        as_of = np.concatenate([started + age for age in ages])
        return np.tile(lead, len(ages)), as_of, np.tile(started, len(ages)), np.repeat(names, len(lead))
    if isinstance(policy, CalendarPolicy):
        if not len(leads):
            return leads, np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, object)
        calendar, first, counts = _midnights(history, policy, until)
        lead = np.repeat(leads, counts)
        within = np.arange(len(lead)) - np.repeat(np.cumsum(counts) - counts, counts)
        names = np.full(len(lead), policy.calendar, dtype=object)
        return lead, calendar[first[lead] + within], np.full(len(lead), ANY), names
    wanted = triggers[triggers["event_type"] == policy.event]
    lead = pd.Index(history.lead_ids).get_indexer(pd.Index(wanted["lead_id"]))
    as_of = as_integers(wanted["known_at"])[lead >= 0] + 1
    lead = lead[lead >= 0]
    return lead, as_of, np.full(len(lead), ANY), np.full(len(lead), policy.event, dtype=object)


def _midnights(
    history: History, policy: CalendarPolicy, until: datetime
) -> tuple[NDArray[np.int64], NDArray[np.intp], NDArray[np.intp]]:
    """Give the moments of a calendar, with which of them each lead's begin, and how many it has while it may be open.

    There is a lead.
    """
    calendar = _calendar(policy.calendar, pd.Timestamp(history.created_at.min(), unit="us"), until)
    first = np.searchsorted(calendar, history.created_at, side="right")
    last = np.searchsorted(calendar, _last_open(history), side="right")
    return calendar, first, np.maximum(last - first, 0)


def _last_open(history: History) -> NDArray[np.int64]:
    """Give the moment after which each lead is never open again, NEVER where it still is."""
    lead, _, _, code, _ = _cut(history.starts, history.created_at, history.occurred_at, history.codes, history.pauses)
    last = np.full(len(history.lead_ids), -NEVER)
    np.maximum.at(last, history.lead_of_event, history.known_at)
    np.maximum.at(last, history.lead_of_former, history.formerly_until)
    last[lead[code == 0]] = NEVER
    return last


def _calendar(every: str, first: pd.Timestamp, until: datetime) -> NDArray[np.int64]:
    frequency = {"daily": "D", "monthly": "MS"}.get(every) or f"W-{every[:3].upper()}"
    moments = pd.date_range(first.normalize(), until, freq=frequency, unit="us")
    return np.asarray(moments.to_numpy().astype(np.int64))
