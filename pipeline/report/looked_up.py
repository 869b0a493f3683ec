"""What is looked up of the leads that a page shows, and stands in no recommendation: the last act, the territory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.project import Places, Project
from pipeline.core.sql import Relation, file_literal, identifier, open_reader
from pipeline.reading import lead_columns
from pipeline.settings.leads import Shown


@dataclass(frozen=True)
class Act:
    """What a lead did itself, and when (UTC)."""

    event_type: str
    occurred_at: datetime


@dataclass(frozen=True)
class LookedUp:
    """What else is known of leads, by their ids; who is not in it did nothing, or has none."""

    acts: Mapping[str, Act] = field(default_factory=dict)
    """The last act of each."""
    territories: Mapping[str, str] = field(default_factory=dict)
    """Whose each is, as ``decision.territory`` says."""
    people: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By what people know each (``leads.shown``), as the raw table says when the page is made: it is kept nowhere."""


def last_acts(places: Places, leads: Sequence[str], as_of: datetime) -> dict[str, Act]:
    """Find the last act of each lead's own that was known at ``as_of`` (UTC) and had occurred by then."""
    with open_reader() as connection, Relation(connection, "shown leads").show(ids_of(leads)) as shown:
        found = connection.execute(
            f"SELECT lead_id, event_type, occurred_at FROM read_parquet({file_literal(places.interactions)}) "
            f"SEMI JOIN {shown} USING (lead_id) WHERE actor = 'lead' AND known_at < $moment AND occurred_at < $moment "
            "QUALIFY row_number() OVER (PARTITION BY lead_id "
            "ORDER BY occurred_at DESC, source DESC, sequence DESC) = 1",
            {"moment": as_of},
        ).fetchall()
    return {lead_id: Act(event_type, occurred_at) for lead_id, event_type, occurred_at in found}


def territories_of(places: Places, leads: Sequence[str], attribute: str | None) -> dict[str, str]:
    """Tell of which territory each lead is, by the attribute that says so; of none where leads have no such."""
    if attribute is None or attribute not in pq.read_schema(places.leads).names:
        return {}
    with open_reader() as connection, Relation(connection, "shown leads").show(ids_of(leads)) as shown:
        found = connection.execute(
            f"SELECT lead_id, CAST({identifier(attribute)} AS VARCHAR) AS territory FROM "
            f"read_parquet({file_literal(places.leads)}) SEMI JOIN {shown} USING (lead_id) WHERE territory IS NOT NULL"
        ).fetchall()
    return dict(found)


def people_of(
    project: Project[lead_columns.Sections], shown: Shown, leads: Sequence[str], as_of: datetime
) -> dict[str, dict[str, str]]:
    """Tell by what people know leads, by their ids and the names of what is shown; what a lead lacks is not there.

    Raises SettingsError where the table has no such column, InputError where it can't be read.
    """
    if not shown.columns:
        return {}
    found = lead_columns.read_of_leads(project, shown.places, as_of, leads)
    fields = {place: field for field, place in zip(shown.columns, shown.places, strict=True)}
    return {lead: {fields[place]: text for place, text in texts.items()} for lead, texts in found.items()}


def ids_of(leads: Sequence[str]) -> pa.Table:
    """Give ids as a table that a question is put for."""
    return pa.table({"lead_id": pa.array(leads, pa.string())})
