"""The leads whose last episode has ended of late: they are told as such, and nothing is foretold of them."""

from __future__ import annotations

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
from pipeline.scoring.recontact import Recontact
from pipeline.scoring.standing import look
from pipeline.settings.timeline import Snapshots

_TIERS = {CONVERTED: "customer", LOST: "disqualified"}
_STAGES = {CONVERTED: "won", LOST: "lost"}
_TYPES = {field.name: field.arrow for field in RECOMMENDATION}


class Sections(standing.Sections, Protocol):
    """The sections of the settings that are asked for here."""

    snapshots: Snapshots


def tell_ended(
    places: Places,
    parameters: Sections,
    connection: duckdb.DuckDBPyConnection,
    history: History,
    as_of: datetime,
    model_version: pa.DictionaryArray,
    recontact: Recontact,
    actions: Actions,
) -> pa.Table:
    """Give a row for each lead whose last episode ended within ``decision.keep`` before ``as_of`` (UTC), by lead_id.

    It has the columns of RECOMMENDATION that hold something; ``model_version`` holds one, that of the other rows. The
    first fact says how the episode ended, and the stage says it, too, where people decided nothing since. ``recontact``
    says when to come back to those that were lost, and ``actions`` what to do next.
    """
    policy = parameters.decision
    ended = find_ended_at(history, as_of, policy.kept(parameters.snapshots.horizon))
    found = look(places, parameters, connection, ended, as_of)
    outcomes = ended["outcome"].to_list()
    ends = ended["outcome_at"].to_numpy("datetime64[us]")
    decided_since = pc.if_else(pa.array(found.decided_at > ends), found.stage, None)
    ids, tiers = ended["lead_id"].to_list(), [_TIERS[outcome] for outcome in outcomes]
    again = recontact.of_lost(ids, found.closed)
    nowhere = np.full(len(ids), "none")
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
        "list": ["none"] * len(ended),
        **{name: [[]] * len(ended) for name in ("reasons_for", "reasons_against", "reasons")},
        **again,
        **actions.columns(ids, found, np.array(tiers, dtype="U12"), nowhere, again),
        "is_guess": np.zeros(len(ended), dtype=bool),
    }
    table = pa.table({name: pa.array(values, _TYPES[name]) for name, values in columns.items()})
    return table.append_column("model_version", model_version.take(pa.array(np.zeros(len(ended), np.int8))))
