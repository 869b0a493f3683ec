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

Parts go by time. Say the labelled snapshots lie between January and June and the test part begins on
2026-05-01: then fit, early stopping and calibration hold snapshots up to 2026-04-01 (30 days earlier), so none of
their labels looks into May, and those of April are the gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numba
import numpy as np
import pandas as pd

from features.duration import format_duration, microseconds
from features.errors import NotEnoughDataError
from features.schema import CALIBRATION, CONVERTED, EARLY_STOPPING, FIT, GAP, LOST, TEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

OUTCOMES = (None, CONVERTED, LOST)
"""What an outcome's code means; events that reopen have the code 3."""
REOPEN = 3
NEVER = np.iinfo(np.int64).max
"""The time of what has not happened."""
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class AgePolicy:
    """Look at each lead at these ages after the start of its episode."""

    ages: tuple[timedelta, ...]


@dataclass(frozen=True)
class CalendarPolicy:
    """Look at every open lead daily, weekly on a named day, or monthly on the first, at midnight UTC."""

    every: str


@dataclass(frozen=True)
class EventPolicy:
    """Look at a lead one microsecond after an event of this type became known."""

    event_type: str


Policy = AgePolicy | CalendarPolicy | EventPolicy


@dataclass(frozen=True)
class Split:
    """Shares of the parts: early stopping and calibration of what lies before the gap, test of everything."""

    early_stopping: float
    calibration: float
    test: float


def find_episodes(leads: pd.DataFrame, events: pd.DataFrame, reopen_after: timedelta) -> pd.DataFrame:
    """Cut the life of each lead into episodes.

    ``leads``: lead_id, created_at. ``events``: lead_id, occurred_at, known_at, code (1 conversion, 2 loss, 3 an act
    that may reopen), in the dataset's order. Gives one row an episode: lead_id, episode (1, 2, ...), started_at,
    start_known_at, outcome (None, converted, lost), outcome_at, outcome_known_at; missing times are NaT.
    """
    position = pd.Index(leads["lead_id"]).get_indexer(pd.Index(events["lead_id"]))
    events = events[position >= 0]
    position = position[position >= 0]
    order = np.argsort(position, kind="stable")
    starts = np.searchsorted(position[order], np.arange(len(leads) + 1))
    lead, number, times, code = _walk(
        starts.astype(np.int64),
        _as_integers(leads["created_at"]),
        _as_integers(events["occurred_at"])[order],
        _as_integers(events["known_at"])[order],
        events["code"].to_numpy(np.int64)[order],
        microseconds(reopen_after),
    )
    frame = pd.DataFrame({"lead_id": leads["lead_id"].to_numpy()[lead], "episode": number})
    for column, name in enumerate(("started_at", "start_known_at", "outcome_at", "outcome_known_at")):
        frame[name] = _as_times(times[:, column])
    frame["outcome"] = pd.array(np.array(OUTCOMES, dtype=object)[code], dtype="str")
    return frame


@numba.njit(cache=True)  # type: ignore[untyped-decorator] # numba carries no types
def _walk(
    starts: NDArray[np.int64],
    created: NDArray[np.int64],
    occurred: NDArray[np.int64],
    known: NDArray[np.int64],
    codes: NDArray[np.int64],
    pause: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    size = len(created) + len(codes)
    lead = np.empty(size, np.int64)
    number = np.empty(size, np.int64)
    times = np.empty((size, 4), np.int64)
    outcome = np.empty(size, np.int64)
    row = 0
    for position in range(len(created)):
        is_open, episode, last_code, last_at = True, 1, 0, 0
        started, start_known = created[position], created[position]
        for event in range(starts[position], starts[position + 1]):
            code = codes[event]
            if is_open and code != REOPEN:
                lead[row], number[row], outcome[row] = position, episode, code
                times[row, 0], times[row, 1], times[row, 2], times[row, 3] = (
                    started,
                    start_known,
                    occurred[event],
                    known[event],
                )
                row += 1
                is_open, last_code, last_at = False, code, occurred[event]
            elif not is_open and code == REOPEN and last_code == 2 and occurred[event] >= last_at + pause:  # noqa: PLR2004 - lost
                is_open, episode, started, start_known = True, episode + 1, occurred[event], known[event]
        if is_open:
            lead[row], number[row], outcome[row] = position, episode, 0
            times[row, 0], times[row, 1], times[row, 2], times[row, 3] = started, start_known, NEVER, NEVER
            row += 1
    return lead[:row], number[:row], times[:row], outcome[:row]


def take_snapshots(
    episodes: pd.DataFrame, triggers: pd.DataFrame, policies: Sequence[Policy], until: datetime, start: datetime | None
) -> pd.DataFrame:
    """List every (lead, as_of) that the policies ask for while an episode is known to be open, up to ``until``.

    ``triggers``: lead_id, known_at, event_type of the events that EventPolicy names. Gives the episodes' columns
    with as_of and trigger, one row for each lead and as_of, sorted by both.
    """
    parts = [_moments(episodes, triggers, policy, until) for policy in policies]
    chosen = np.concatenate([part[0] for part in parts])
    as_of = np.concatenate([part[1] for part in parts])
    trigger = np.concatenate([part[2] for part in parts])
    begin = -NEVER if start is None else _as_integer(start)
    keep = _is_open(episodes, chosen, as_of) & (as_of <= _as_integer(until)) & (as_of >= begin)
    frame = episodes.take(chosen[keep]).reset_index(drop=True)
    frame.insert(1, "as_of", _as_times(as_of[keep]))
    frame["trigger"] = trigger[keep]
    return _one_each(frame)


def take_snapshots_at(episodes: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    """List the leads whose episode is known to be open at ``as_of``, as ``take_snapshots`` does."""
    moment = np.full(len(episodes), _as_integer(as_of))
    frame = episodes[_is_open(episodes, np.arange(len(episodes)), moment)].reset_index(drop=True)
    frame.insert(1, "as_of", _as_times(moment[: len(frame)]))
    return _one_each(frame)


def _one_each(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep one row for each lead and as_of: of the latest episode, and of the policy that is named first."""
    frame = frame.sort_values(["lead_id", "as_of", "episode"], ascending=[True, True, False], kind="stable")
    return frame.drop_duplicates(["lead_id", "as_of"]).reset_index(drop=True)


def _is_open(episodes: pd.DataFrame, chosen: NDArray[np.intp], as_of: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell whether the start of the episode is known at as_of, and no end of it."""
    start_known = _as_integers(episodes["start_known_at"])[chosen]
    end_known = _as_integers(episodes["outcome_known_at"])[chosen]
    return (start_known < as_of) & ~(end_known < as_of)


def _moments(
    episodes: pd.DataFrame, triggers: pd.DataFrame, policy: Policy, until: datetime
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.object_]]:
    """Give the row of the episode, the as_of and the trigger of each candidate."""
    started = _as_integers(episodes["started_at"])
    rows = np.arange(len(episodes))
    if isinstance(policy, AgePolicy):
        ages = [microseconds(age) for age in policy.ages]
        names = [format_duration(age) for age in policy.ages]
        return (
            np.tile(rows, len(ages)),
            np.concatenate([started + age for age in ages]),
            np.repeat(np.array(names, dtype=object), len(rows)),
        )
    if isinstance(policy, CalendarPolicy):
        calendar = _calendar(policy.every, episodes["started_at"].min(), until)
        first = np.searchsorted(calendar, _as_integers(episodes["start_known_at"]), side="right")
        last = np.searchsorted(calendar, _as_integers(episodes["outcome_known_at"]), side="right")
        counts = np.maximum(last - first, 0)
        chosen = np.repeat(rows, counts)
        within = np.arange(len(chosen)) - np.repeat(np.cumsum(counts) - counts, counts)
        return chosen, calendar[first[chosen] + within], np.full(len(chosen), policy.every, dtype=object)
    wanted = triggers.loc[triggers["event_type"] == policy.event_type, ["lead_id", "known_at"]].drop_duplicates()
    joined = wanted.merge(episodes[["lead_id"]].assign(row=rows), on="lead_id")
    as_of = _as_integers(joined["known_at"]) + 1
    return joined["row"].to_numpy(np.intp), as_of, np.full(len(joined), policy.event_type, dtype=object)


def _calendar(every: str, first: pd.Timestamp, until: datetime) -> NDArray[np.int64]:
    frequency = {"daily": "D", "monthly": "MS"}.get(every) or f"W-{every[:3].upper()}"
    if pd.isna(first):
        return np.empty(0, np.int64)
    moments = pd.date_range(first.normalize(), until, freq=frequency, unit="us")
    integers: NDArray[np.int64] = moments.to_numpy().astype(np.int64)
    return integers


def assign_labels(
    snapshots: pd.DataFrame, horizon: timedelta, outcome_delay: timedelta, observed_until: datetime
) -> pd.DataFrame:
    """Say of each snapshot whether the lead converts in [as_of, as_of + horizon).

    Adds ``observed_until``, ``label`` (True, False, or missing) and ``unlabelled`` (why it is missing): ``immature``
    where as_of + horizon + outcome_delay lies beyond ``observed_until``, ``ended`` where the episode was in truth
    over at as_of and nobody knew.
    """
    as_of = snapshots["as_of"]
    immature = as_of + horizon + outcome_delay > observed_until
    ended = (snapshots["outcome_at"] < as_of).fillna(value=False)
    converts = (snapshots["outcome"] == CONVERTED) & (snapshots["outcome_at"] < as_of + horizon)
    return snapshots.assign(
        observed_until=pd.Series(observed_until, index=snapshots.index, dtype="datetime64[us]"),
        label=converts.astype("boolean").mask(immature | ended),
        unlabelled=_texts(np.select([ended, immature], ["ended", "immature"], ""), snapshots),
    )


def assign_parts(snapshots: pd.DataFrame, horizon: timedelta, outcome_delay: timedelta, split: Split) -> pd.DataFrame:
    """Cut the labelled snapshots by time into fit, early_stopping, calibration, gap and test; adds ``part``.

    Walks back from the last labelled ``as_of``: the test part is the last ``split.test`` of the labelled snapshots.
    A snapshot is before the gap if its label was complete and known when the test part begins. Unlabelled snapshots
    have no part. Raises NotEnoughDataError where a part would be empty.
    """
    labelled = snapshots.loc[snapshots["label"].notna(), "as_of"].sort_values(kind="stable", ignore_index=True)
    reach = horizon + outcome_delay
    if labelled.empty:
        raise NotEnoughDataError(
            f"snapshots: none of {len(snapshots):,} snapshots has a label, since the log ends before the horizon of "
            f"{format_duration(horizon)} is over; shorten snapshots.horizon, or bring a longer log"
        )
    test = labelled[int((1 - split.test) * len(labelled))]
    before = labelled[labelled + reach <= test]
    cuts = [1 - split.early_stopping - split.calibration, 1 - split.calibration]
    if before.empty or before.nunique() < len(cuts) + 1:
        raise NotEnoughDataError(
            f"snapshots: {len(labelled):,} labelled snapshots from {labelled.iloc[0]:%Y-%m-%d} to "
            f"{labelled.iloc[-1]:%Y-%m-%d} can't be split: only {before.nunique()} moments lie a horizon "
            f"({format_duration(reach)}) before the test part, which begins on {test:%Y-%m-%d}; shorten "
            "snapshots.horizon, lower snapshots.split.test, or bring a longer log"
        )
    early_stopping, calibration = (before.iloc[int(cut * len(before))] for cut in cuts)
    as_of = snapshots["as_of"]
    part = np.select(
        [snapshots["label"].isna(), as_of >= test, as_of + reach > test, as_of >= calibration, as_of >= early_stopping],
        ["", TEST, GAP, CALIBRATION, EARLY_STOPPING],
        FIT,
    )
    parted = snapshots.assign(part=_texts(part, snapshots))
    missing = [name for name in (FIT, EARLY_STOPPING, CALIBRATION, TEST) if not (parted["part"] == name).any()]
    if missing:
        raise NotEnoughDataError(
            f"snapshots: nothing is left for {', '.join(missing)}; the snapshots fall on too few moments. "
            "Add a policy to snapshots.policies, or change the shares of snapshots.split"
        )
    return parted


def _texts(texts: NDArray[np.str_], frame: pd.DataFrame) -> pd.Series:
    """Give a column of texts in which the empty one is missing."""
    return pd.Series(texts, index=frame.index, dtype="str").replace("", None)


def _as_integers(times: pd.Series) -> NDArray[np.int64]:
    """Give times as microseconds since 1970, a missing one as NEVER."""
    integers = times.to_numpy("datetime64[us]").astype(np.int64)
    return np.where(integers == np.iinfo(np.int64).min, NEVER, integers)


def _as_integer(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // _MICROSECOND


def _as_times(integers: NDArray[np.int64]) -> NDArray[np.datetime64]:
    return np.where(integers == NEVER, np.iinfo(np.int64).min, integers).astype("datetime64[us]")
