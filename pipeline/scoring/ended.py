"""The leads whose last episode has ended: they are told as such, and nothing is foretold of them.

They have a row for ``decision.keep``, so that whoever is told of them learns of the end. Who was lost, and has a date
to come back, keeps it until that date is over, and for as long after it:

    lost on 1 March, kept for 30 days, to come back from 30 May on    tier            recontact_on
    1 March to 29 May                                                 disqualified    30 May
    30 May to 28 June: the lead is due                                recycled        30 May
    29 June to 28 July: it is not any more                            disqualified    none
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.core.recommendation import RECOMMENDATION
from features.core.schema import CONVERTED, LOST
from features.timeline.history import History
from features.timeline.snapshots import find_ended_at
from pipeline.core.project import Places
from pipeline.scoring import standing
from pipeline.scoring.actions import Actions
from pipeline.scoring.in_words import days_of
from pipeline.scoring.recontact import Recontact, states_of
from pipeline.scoring.standing import look
from pipeline.settings.timeline import Snapshots

_TIERS = {CONVERTED: "customer", LOST: "disqualified"}
_STAGES = {CONVERTED: "won", LOST: "lost"}
_TYPES = {field.name: field.arrow for field in RECOMMENDATION}


class Sections(standing.Sections, Protocol):
    """The sections of the settings that are asked for here."""

    snapshots: Snapshots


@dataclass(frozen=True)
class Ended:
    """The leads that have ended."""

    table: pa.Table
    """A row a lead, by lead_id, with those columns of RECOMMENDATION that hold something."""
    of_late: Mapping[str, int]
    """How many of them converted, and were lost, within ``decision.keep``."""


def tell_ended(
    places: Places,
    parameters: Sections,
    connection: duckdb.DuckDBPyConnection,
    history: History,
    as_of: datetime,
    model_version: pa.DictionaryArray,
    recontact: Recontact,
    actions: Actions,
) -> Ended:
    """Give the leads whose last episode ended within ``decision.keep`` before ``as_of`` (UTC), or that are awaited.

    ``model_version`` holds one, that of the other rows. The first fact says how the episode ended, and the stage says
    it, too, where people decided nothing since. ``recontact`` says when to come back to those that were lost, and
    ``actions`` what to do next.
    """
    policy = parameters.decision
    keep = policy.kept(parameters.snapshots.horizon)
    ended = find_ended_at(history, as_of, keep, recontact.awaited(keep))
    found = look(places, parameters, connection, ended, as_of)
    outcomes = ended["outcome"].to_list()
    ends = ended["outcome_at"].to_numpy("datetime64[us]")
    decided_since = pc.if_else(pa.array(found.decided_at > ends), found.stage, None)
    ids = ended["lead_id"].to_list()
    again = recontact.of_lost(ids, found.closed | found.held.taken)
    is_due = states_of(policy, as_of, again) == "now"
    tiers = np.where(is_due, "recycled", [_TIERS[outcome] for outcome in outcomes]).astype("U12")
    lists = np.where(is_due & ~found.held.shut("mail"), "marketing", "none")
    told = zip(days_of(policy, ends), outcomes, found.facts, strict=True)
    columns = {
        "lead_id": ids,
        "as_of": ended["as_of"],
        "maturity": found.maturity,
        "tier": tiers,
        "word": found.spoken.texts,
        "stage": pc.coalesce(decided_since, pa.array([_STAGES[outcome] for outcome in outcomes], pa.string())),
        "facts": [[f"{day} {outcome}", *facts] for day, outcome, facts in told],
        "target": found.target,
        "list": lists,
        **{name: [[]] * len(ended) for name in ("reasons_for", "reasons_against", "reasons")},
        **again,
        **actions.columns(ids, found, tiers, lists, np.full(len(ids), None, dtype=object), again),
        "is_guess": np.zeros(len(ended), dtype=bool),
    }
    table = pa.table({name: pa.array(values, _TYPES[name]) for name, values in columns.items()})
    table = table.append_column("model_version", model_version.take(pa.array(np.zeros(len(ended), np.int8))))
    of_late = ended.loc[ends >= np.datetime64(as_of - keep, "us"), "outcome"]
    return Ended(table, {outcome: int((of_late == outcome).sum()) for outcome in (CONVERTED, LOST)})
