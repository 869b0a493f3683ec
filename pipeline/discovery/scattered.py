"""Leads that no table lists: every id of the log is one, in whichever tables it acts, created with its first event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.discovery.joins import time_sql
from pipeline.discovery.profile import Column, Profile
from pipeline.discovery.roles import AliasTable, LeadColumn, occurred_column
from pipeline.discovery.tables import Tables
from pipeline.sql import identifier


@dataclass(frozen=True)
class Scattered:
    """The SQL that lists the leads, the tables that it reads, and what to tell the user."""

    query: str
    reads: tuple[str, ...]
    notes: tuple[str, ...]


def scattered_leads(
    tables: Tables,
    profiles: Mapping[str, Profile],
    column: LeadColumn,
    names: Sequence[str],
    constants: Sequence[str],
    alias: AliasTable | None,
) -> Scattered:
    """List the ids of several tables, with the columns that say the same in all rows of a lead in its own table.

    Such a column is known once its table has a row of the lead: what came later than the lead's first event is left
    empty, for that it comes at all would foretell what the lead does.
    """
    times = {name: occurred for name in names if (occurred := occurred_column(profiles[name])) is not None}
    acts = [
        f"SELECT {_text(column.column)} AS lead_id, {_known(occurred)} AS moment FROM {profiles[name].table.relation}"
        for name, occurred in times.items()
    ]
    reads = list(times)
    if alias is not None:  # who is left was there by the time of the merge, if it never acts itself
        profile = profiles[alias.table]
        acts.append(
            f"SELECT {_text(alias.lead)} AS lead_id, {_known(profile.columns[alias.linked_at])} AS moment "
            f"FROM {profile.table.relation}"
        )
        reads.append(alias.table)
    listed = "\n  UNION ALL ".join(acts)
    lead = (
        f"acts AS (\n  {listed}\n), lead AS (\n"
        "  SELECT lead_id, min(moment) AS created_at FROM acts WHERE lead_id <> '' GROUP BY 1\n)"
    )
    if not constants:
        return Scattered(f"WITH {lead}\nSELECT lead_id, created_at FROM lead", tuple(reads), ())
    at = _known(times[column.table])
    firsts = "".join(f",\n    arg_min({identifier(name)}, {at}) AS {identifier(name)}" for name in constants)
    chosen = "".join(
        f",\n  CASE WHEN said.moment <= created_at THEN said.{identifier(name)} END AS {identifier(name)}"
        for name in constants
    )
    query = (
        f"WITH {lead}, said AS (\n  SELECT {_text(column.column)} AS lead_id, min({at}) AS moment{firsts}\n"
        f"  FROM {profiles[column.table].table.relation} GROUP BY 1\n)\n"
        f"SELECT lead.lead_id, created_at{chosen}\nFROM lead LEFT JOIN said USING (lead_id)"
    )
    counted = "count(*), count(said.moment), count(*) FILTER (said.moment <= created_at)"
    row = tables.ask(
        f"WITH {lead}, said AS (SELECT {_text(column.column)} AS lead_id, min({at}) AS moment "
        f"FROM {profiles[column.table].table.relation} GROUP BY 1) "
        f"SELECT {counted} FROM lead LEFT JOIN said USING (lead_id)"
    )[0]
    leads, known, early = (int(str(count)) for count in row)
    note = (
        f"{', '.join(constants)} of {column.table}: known of {known:,} of {leads:,} leads, of {early:,} from their "
        "first event on. Of the others it is left empty: that it came later would foretell what they did"
    )
    return Scattered(query, tuple(reads), (note,) if early < leads else ())


def _text(name: str) -> str:
    return f"CAST({identifier(name)} AS VARCHAR)"


def _known(column: Column) -> str:
    at = time_sql(identifier(column.name), column)
    return f"{at} + INTERVAL 1 DAY" if column.holds_days else at
