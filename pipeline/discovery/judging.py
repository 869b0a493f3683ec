"""The attributes, judged by the log that was ingested for a try, and by whom they are asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from features.core.errors import InputError, nearest
from models.evaluation.written import SUSPECT
from pipeline.core.project import Places
from pipeline.core.sql import identifier, literal
from pipeline.discovery.attributes import Attribute, Lives, judge_by_outcome
from pipeline.ingest.summary import IngestSummary
from pipeline.profiling.outcomes import EventType, Outcomes
from pipeline.profiling.times import Ask

_DAY = 86_400_000_000.0


def vouched_for(attributes: Sequence[Attribute], names: Sequence[str]) -> list[Attribute]:
    """Take in the attributes that the user vouches for; raises InputError where there is none of that name."""
    known = [one.name for one in attributes]
    absent = [name for name in names if name not in known]
    if absent:
        raise InputError(f"--attribute {absent[0]}: the leads have no such column; {nearest(absent[0], known)}")
    return [
        replace(one, refused=None, is_asked=False, is_vouched_for=True) if one.name in names else one
        for one in attributes
    ]


def to_measure(attributes: Sequence[Attribute]) -> dict[str, str]:
    """List what is read for a try, by its kind: also what a name refuses, to say what it is worth."""
    return {one.name: one.kind for one in attributes if one.measured or not one.refused}


def judge_attributes(
    connection: duckdb.DuckDBPyConnection,
    places: Places,
    attributes: Sequence[Attribute],
    outcomes: Outcomes,
    types: Sequence[EventType],
    summary: IngestSummary,
    *,
    assumed: bool,
) -> list[Attribute]:
    """Refuse the columns that know the outcome, by the values that ingest has read."""
    wanted = list(to_measure(attributes))
    if not wanted:
        return list(attributes)
    log, leads = (f"read_parquet({literal(str(path))})" for path in (places.interactions, places.leads))
    columns = "".join(f", lead.{identifier(name)}" for name in wanted)
    frame = connection.execute(
        "SELECT epoch_us(lead.created_at) AS born_us, epoch_us(won) AS won_us, epoch_us(lost) AS lost_us"
        f"{columns} FROM {leads} AS lead LEFT JOIN (SELECT lead_id, "
        "min(occurred_at) FILTER (list_contains($won, event_type)) AS won, "
        "min(occurred_at) FILTER (list_contains($lost, event_type)) AS lost "
        f"FROM {log} GROUP BY lead_id) AS ended USING (lead_id) ORDER BY lead.created_at, lead_id",
        {"won": list(outcomes.conversion), "lost": list(outcomes.lost)},
    ).df()
    converted = frame["won_us"].notna().to_numpy()
    lost = frame["lost_us"].notna().to_numpy() & ~converted
    born = frame["born_us"].to_numpy(float) / _DAY
    at = np.where(converted, frame["won_us"], np.where(lost, frame["lost_us"], np.inf)).astype(float)
    until = _until(summary, types, outcomes) or float(np.nanmax(born))
    lives = Lives(born, at / _DAY - born, lost, until, assumed)
    return judge_by_outcome(attributes, {name: frame[name] for name in wanted}, converted.tolist(), lives)


def _until(summary: IngestSummary, types: Sequence[EventType], outcomes: Outcomes) -> float | None:
    """Give the day up to which outcomes were observed."""
    ends = {*outcomes.conversion, *outcomes.lost}
    named = {kind.source for kind in types if kind.name in ends} & summary.sources.keys()
    moments = [moment for name in named if (moment := summary.sources[name].observed_until) is not None]
    return float(np.datetime64(min(moments).replace(tzinfo=None), "us").astype(np.int64)) / _DAY if moments else None


def ask_about(attributes: Sequence[Attribute], ask: Ask | None) -> list[Attribute]:
    """Ask for each attribute that nothing tells of whether it was there from the start; unasked, it stays out."""
    if ask is None:
        return list(attributes)
    never_changed = [
        one.name
        for one in attributes
        if one.is_asked
        and ask(f"Was {one.name} written when a lead came in, and never since? It {one.refused}", ["no", "yes"], "no")
        == "yes"
    ]
    return vouched_for(attributes, never_changed)


def acquittals(attributes: Sequence[Attribute]) -> dict[str, str]:
    """Acquit, by the name of the verdict, what is taken although it alone tells who converts, each with its reason."""
    return {
        f"column_knows_outcome:{one.name}": (
            "vouched for: it never changes after creation"
            if one.is_vouched_for
            else f"AUC {one.auc:.2f} alone: written at the creation, by its name or by what the newest leads show"
        )
        for one in attributes
        if not one.refused and one.auc is not None and one.auc >= SUSPECT
    }


_FEWEST_EXPECTED = 10.0
_HARDLY = 0.02

_COUNTS = """
WITH ends AS (
    SELECT lead_id, min(occurred_at) FILTER (list_contains($won, event_type)) AS won,
        min(occurred_at) FILTER (list_contains($ends, event_type)) AS ended
    FROM read_parquet($log) GROUP BY lead_id
), had AS (
    SELECT event_type, lead_id, min(occurred_at) AS first FROM read_parquet($log) GROUP BY ALL
)
SELECT event_type, count(*) FILTER (ended IS NULL), count(*) FILTER (first < won),
    (SELECT count(*) FROM ends WHERE ended IS NULL), (SELECT count(won) FROM ends)
FROM had JOIN ends USING (lead_id) WHERE NOT list_contains($ends, event_type) GROUP BY event_type ORDER BY event_type
"""


def accuse_events(
    connection: duckdb.DuckDBPyConnection,
    log: Path,
    types: Sequence[EventType],
    outcomes: Outcomes,
    sources: dict[str, Any],
) -> list[str]:
    """Find the events that hardly any lead has before it converts, though others have them; gives what to tell of them.

    What is a column of times of its own is taken out of ``sources``; of a type among others, the user is told.
    """
    ends = [*outcomes.conversion, *outcomes.lost]
    counts = connection.execute(_COUNTS, {"log": str(log), "won": list(outcomes.conversion), "ends": ends}).fetchall()
    of = {kind.name: kind.source for kind in types}
    notes = []
    for name, without, before, open_leads, converted in counts:
        expected = converted * without / open_leads if open_leads else 0.0
        if expected < _FEWEST_EXPECTED or before > _HARDLY * expected:
            continue
        seen = (
            f"{without:,} of {open_leads:,} leads without an outcome have it, and {before:,} of the {converted:,} that "
            f"convert had it before ({expected:,.0f} would, if it told nothing)"
        )
        columns = sources[of[name]]["columns"]
        column = next((column for column, event in columns.get("events", {}).items() if event == name), None)
        if column is not None and len(columns["events"]) > 1:
            del columns["events"][column]
            notes.append(f"the event {name} is left out, for it knows the outcome: {seen}")
        else:
            notes.append(f"the event {name} knows the outcome: {seen}; if it means a loss: --lost {name!r}")
    return notes


_FEWEST_STEPS = 20
_NEARLY_ALWAYS = 0.8

_LAST_STEPS = """
WITH won AS (
    SELECT lead_id, occurred_at AS won_at FROM read_parquet($log) WHERE list_contains($won, event_type)
        AND occurred_at <> date_trunc('day', occurred_at)
), other AS (
    SELECT lead_id, event_type, occurred_at FROM read_parquet($log) WHERE NOT list_contains($ends, event_type)
)
SELECT event_type, count(*) AS events, count(*) FILTER (won_at <= other.occurred_at + INTERVAL 1 HOUR) AS followed
FROM other ASOF LEFT JOIN won ON other.lead_id = won.lead_id AND other.occurred_at <= won.won_at
GROUP BY event_type ORDER BY event_type
"""


def said_of_last_steps(connection: duckdb.DuckDBPyConnection, log: Path, outcomes: Outcomes) -> list[str]:
    """Name the event types that a conversion of the same lead follows nearly always, and at once."""
    ends = [*outcomes.conversion, *outcomes.lost]
    rows = connection.execute(_LAST_STEPS, {"log": str(log), "won": list(outcomes.conversion), "ends": ends}).fetchall()
    found = [
        f"{name} ({followed:,} of {events:,})"
        for name, events, followed in rows
        if followed >= max(_FEWEST_STEPS, _NEARLY_ALWAYS * events)
    ]
    if not found:
        return []
    said = (
        f"followed within an hour by the conversion of their lead: {', '.join(found)}. Are they written with it? Then "
        "they tell it too late for any use: list them under features.exclude_types"
    )
    return [said]
