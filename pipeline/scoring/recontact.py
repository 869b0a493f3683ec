"""When to come back to leads that were lost of late, and to open ones that are quiet; or that they are to be closed.

Quiet is who did nothing itself for longer than ``decision.recycled.silence``, and of whom nobody else says what to do:
it is no SQL, on no list of sales, in nobody's work, not closed, and no call is agreed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.timeline.history import History
from models.decision.recontact import MONTH, Basis, Followed, Rates, advise, rates_of
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

    def of_lost(self, lead_ids: list[str], closed: NDArray[np.bool_]) -> Columns:
        """Give the columns of leads that have ended; nothing is said of who converted, or is ``closed``."""
        found = self.lost.reindex(lead_ids)
        rows = np.flatnonzero(found["since"].notna().to_numpy() & ~closed)
        since = found["since"].to_numpy("datetime64[us]")[rows]
        return self._columns(len(lead_ids), rows, found["reason"].to_numpy(object)[rows], since, of_lost=True)

    def of_open(self, standing: Standing, tiers: NDArray[np.str_], lists: NDArray[np.str_]) -> Columns:
        """Give the columns of open leads, in the order of all three; nothing is said of who is not quiet."""
        now = np.datetime64(self.as_of, "us")
        quiet = now - standing.acted > np.timedelta64(self.policy.recycled.silence)
        busy = standing.closed | standing.held.taken | standing.spoken.word.is_later | (lists == "sales")
        rows = np.flatnonzero(quiet & ~busy & (tiers != "SQL"))
        groups = np.full(len(rows), _QUIET, dtype=object)
        return self._columns(len(tiers), rows, groups, standing.acted[rows], of_lost=False)

    def _columns(
        self,
        length: int,
        rows: NDArray[np.intp],
        groups: NDArray[np.object_],
        since: NDArray[np.datetime64],
        *,
        of_lost: bool,
    ) -> Columns:
        """Say it of the ``rows``, which were lost, or last acted, at ``since``; what is alike is written once."""
        rates = self.of_losses if of_lost else self.of_silences
        now = np.datetime64(self.as_of, "us")
        advice = advise(self.policy.recontact, rates, groups, since, now)
        month = np.maximum((now - since) // np.timedelta64(MONTH), 0)
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


def _followed(frame: pd.DataFrame, groups: pd.Series, until: NDArray[np.datetime64]) -> Followed:
    times = (frame[name].to_numpy("datetime64[us]") for name in ("since", "returned", "converted"))
    since, returned, converted = times
    return Followed(groups.to_numpy(object), since, until, returned, converted)
