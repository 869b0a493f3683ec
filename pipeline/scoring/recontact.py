"""When to come back to leads that were lost of late, and to open ones that are quiet; or that they are to be closed.

Quiet is who did nothing itself for longer than ``decision.recycled.silence``, and of whom nobody else says what to do:
it is no SQL, on no list of sales, in nobody's work, not closed, and no call is agreed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.timeline.history import History
from models.decision.recontact import DUE_FOR, MONTH, Advice, Basis, Followed, Rates, advise, rates_of
from pipeline.core.project import Places
from pipeline.log.returns import losses_known, silences_known
from pipeline.scoring.in_words import days_of
from pipeline.scoring.standing import Standing
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.timeline import Episodes, Snapshots
from pipeline.settings.words import Words
from pipeline.wording.recontact import RecontactWords

Columns = dict[str, pa.Array]
_QUIET = ""
"""Silences are one group: nobody says why they began."""


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    decision: DecisionPolicy
    episodes: Episodes
    snapshots: Snapshots
    words: Words


@dataclass(frozen=True)
class Recontact:
    """Says when to come back, by what became of those that were lost, or fell silent, before ``as_of`` (UTC)."""

    policy: DecisionPolicy
    language: str
    as_of: datetime
    lost: pd.DataFrame
    """The last loss of each lead that is still lost: since and reason, by lead_id."""
    of_losses: Mapping[str, Rates]
    """By reason; empty where no act opens another episode."""
    of_silences: Mapping[str, Rates]

    @classmethod
    def learn(
        cls,
        places: Places,
        parameters: Sections,
        connection: duckdb.DuckDBPyConnection,
        history: History,
        as_of: datetime,
        outcomes_until: datetime,
    ) -> Recontact:
        """Count what was known at ``as_of`` (UTC); conversions are known up to ``outcomes_until``."""
        policy, episodes, horizon = parameters.decision, parameters.episodes, parameters.snapshots.horizon
        known = np.datetime64(min(as_of, outcomes_until), "us")
        losses = losses_known(places, connection, episodes.lost, history, as_of)
        of_losses: Mapping[str, Rates] = {}
        if episodes.reopen_on:
            until = np.full(len(losses), np.datetime64(as_of, "us"))
            of_losses = rates_of(_followed(losses, losses["reason"], until), horizon, known, episodes.reopen_after)
        silence = policy.recycled.silence
        silences = silences_known(places, connection, history, as_of, silence)
        nothing = pd.Series(_QUIET, index=silences.index, dtype=object)
        followed = _followed(silences, nothing, silences["until"].to_numpy("datetime64[us]"))
        of_silences = rates_of(followed, horizon, known, silence)
        lost = losses[losses["is_last"]].set_index("lead_id")[["since", "reason"]]
        return cls(policy, parameters.words.language, as_of, lost, of_losses, of_silences)

    def awaited(self, keep: timedelta) -> NDArray[np.object_]:
        """Name the leads that are still lost whose date is to come, has come, or was over within ``keep``."""
        on = self._of_losses(self.lost).on
        is_awaited = np.datetime64(self.as_of, "us") < on + np.timedelta64(DUE_FOR + keep)
        awaited: NDArray[np.object_] = self.lost.index.to_numpy(object)[is_awaited]
        return awaited

    def of_lost(self, lead_ids: list[str], busy: NDArray[np.bool_]) -> Columns:
        """Give the columns of leads that have ended.

        Nothing is said of who converted, whose date is over, or is ``busy``: closed, or in somebody's work.
        """
        found = self.lost.reindex(lead_ids)
        rows = np.flatnonzero(found["since"].notna().to_numpy() & ~busy)
        lost = found.iloc[rows]
        is_over = np.datetime64(self.as_of, "us") >= self._of_losses(lost).on + np.timedelta64(DUE_FOR)
        rows, lost = rows[~is_over], lost[~is_over]
        since = lost["since"].to_numpy("datetime64[us]")
        return self._columns(len(lead_ids), rows, lost["reason"].to_numpy(object), since, since, of_lost=True)

    def _of_losses(self, lost: pd.DataFrame) -> Advice:
        """Say it as of the loss: a month that has paid is over once, and no later one is said in its place."""
        since, reasons = lost["since"].to_numpy("datetime64[us]"), lost["reason"].to_numpy(object)
        return advise(self.policy.recontact, self.of_losses, reasons, since, since)

    def of_open(self, standing: Standing, tiers: NDArray[np.str_], lists: NDArray[np.str_]) -> Columns:
        """Give the columns of open leads, in the order of all three; nothing is said of who is not quiet."""
        now = np.datetime64(self.as_of, "us")
        quiet = now - standing.acted > np.timedelta64(self.policy.recycled.silence)
        busy = standing.closed | standing.held.taken | standing.spoken.word.is_later | (lists == "sales")
        rows = np.flatnonzero(quiet & ~busy & (tiers != "SQL"))
        groups = np.full(len(rows), _QUIET, dtype=object)
        return self._columns(len(tiers), rows, groups, standing.acted[rows], now, of_lost=False)

    def _columns(
        self,
        length: int,
        rows: NDArray[np.intp],
        groups: NDArray[np.object_],
        since: NDArray[np.datetime64],
        asked: np.datetime64 | NDArray[np.datetime64],
        *,
        of_lost: bool,
    ) -> Columns:
        """Say it as of ``asked`` of the ``rows``, which were lost, or last acted, at ``since``; like ones once."""
        rates = self.of_losses if of_lost else self.of_silences
        advice = advise(self.policy.recontact, rates, groups, since, asked)
        month = np.maximum((asked - since) // np.timedelta64(MONTH), 0)
        again = ~np.isnat(advice.on)
        days = np.full(len(rows), None, dtype=object)
        days[again] = days_of(self.policy, advice.on[again])
        alike = pd.MultiIndex.from_arrays([advice.basis, groups, days_of(self.policy, since), days, month])
        codes, distinct = pd.factorize(alike)
        told = np.array([self._told(*one, of_lost=of_lost) for one in distinct], dtype=object)
        on, why = np.full(length, None, dtype=object), np.full(length, None, dtype=object)
        on[rows] = [None if day is None else date.fromisoformat(day) for day in days]
        if len(rows):
            why[rows] = told[codes]
        return {"recontact_on": pa.array(on, pa.date32()), "recontact_why": pa.array(why, pa.string())}

    def _told(self, basis: Basis, group: str, since: str, on: object, month: int, *, of_lost: bool) -> str:
        policy = self.policy
        words = RecontactWords(self.language, policy.recontact.pause, policy.recycled.silence)
        rates = (self.of_losses if of_lost else self.of_silences).get(group)
        day = date.fromisoformat(on) if isinstance(on, str) else None
        waited = (rates.closing(policy.recontact, month) or rates.waited(month)) if rates else (0, 0)
        began = date.fromisoformat(since)
        if of_lost:
            return words.of_lost(basis, began, group, day, rates, waited)
        return words.of_quiet(basis, began, day, rates, waited)


def states_of(policy: DecisionPolicy, as_of: datetime, recontact: Columns) -> NDArray[np.str_]:
    """Say by the columns of each lead whether it is due (now), or later, or to be closed; empty of all others."""
    today = pa.scalar(policy.day_of(as_of), pa.date32())
    on = recontact["recontact_on"]
    dated = pc.if_else(pc.less_equal(on, today), "now", "later")
    told = pc.if_else(pc.is_valid(recontact["recontact_why"]), "close", "")
    states: NDArray[np.str_] = pc.coalesce(dated, told).to_pandas().to_numpy("U5")
    return states


def _followed(frame: pd.DataFrame, groups: pd.Series, until: NDArray[np.datetime64]) -> Followed:
    times = (frame[name].to_numpy("datetime64[us]") for name in ("since", "returned", "converted"))
    since, returned, converted = times
    return Followed(groups.to_numpy(object), since, until, returned, converted)
