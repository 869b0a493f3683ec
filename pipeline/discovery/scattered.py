"""Leads that no table lists: every id of the log is one, in whichever tables it acts, created with its first event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.core.sql import identifier
from pipeline.discovery.attributes import judge_by_name
from pipeline.profiling.leads import LeadColumn
from pipeline.profiling.profile import Column, Profile, time_sql
from pipeline.profiling.roles import AliasTable
from pipeline.profiling.tables import Tables
from pipeline.profiling.times import occurred_column
from pipeline.profiling.words import LEAD, has, is_called_id, rank

_CONSTANT = 0.99
_MOST_CONSTANTS = 40
_ANONYMOUS = r"anonymous|cookie|device|visitor|pseudo|client|session|browser|distinct|fingerprint"
_A_PERSON = 40
_ALWAYS = 0.95
_SEVERAL = 1.5
"""Rows a lead: where it has one, every column says the same in all of them."""


def constants_of_all(
    tables: Tables, profiles: Mapping[str, Profile], column: LeadColumn, names: Sequence[str], own: Sequence[str]
) -> dict[str, list[str]]:
    """List the constant columns of each table in which leads have several rows; a name counts for the first of them."""
    found = {column.table: list(own)}
    for name in names:
        profile = profiles[name]
        ids = profile.columns[column.named[name]]
        if name not in found and profile.rows >= _SEVERAL * max(ids.distinct, 1):
            known = {one for listed in found.values() for one in listed}
            listed = constant_columns(tables, profiles, replace(column, table=name, column=column.named[name]))
            usable = {one.name for one in judge_by_name(profile, []) if not one.refused}
            found[name] = [one for one in listed if one not in known and one in usable]
    return found


def constant_columns(tables: Tables, profiles: Mapping[str, Profile], lead: LeadColumn) -> list[str]:
    """List the columns of a log that say the same in all rows of a lead, from its first row on."""
    profile = profiles[lead.table]
    columns = [
        column.name
        for column in profile.columns.values()
        if column.name not in {lead.column, *profile.table.nested}
        and column.kind in ("number", "category", "flag")
        and column.filled > _CONSTANT
    ][:_MOST_CONSTANTS]
    if not columns:
        return []
    counts = ", ".join(f"avg(CAST(n{number} <= 1 AS DOUBLE))" for number in range(len(columns)))
    distinct = ", ".join(f"count(DISTINCT {identifier(name)}) AS n{number}" for number, name in enumerate(columns))
    row = tables.ask_row(
        f"SELECT {counts} FROM (SELECT {distinct} FROM {profile.table.relation} GROUP BY {identifier(lead.column)})"
    )
    return [name for name, share in zip(columns, row, strict=True) if share >= _CONSTANT]


def said_of_persons(tables: Tables, profiles: Mapping[str, Profile], column: LeadColumn) -> Iterator[str]:
    """Tell where each cookie or device is a lead, though another column says of some of them who they are."""
    for table, name in column.named.items():
        profile = profiles[table]
        for other in profile.of_kind("identifier", "category", "text"):
            is_person = is_called_id(other.name) and rank(other.name, LEAD) >= _A_PERSON and other.filled < _ALWAYS
            if other.name == name or not is_person or not has(name, _ANONYMOUS) or has(other.name, _ANONYMOUS):
                continue
            alias, person = _text(name), _text(other.name)
            devices, known, persons, several, shared = tables.ask_row(
                f"WITH pair AS (SELECT DISTINCT {alias} AS alias, {person} AS person FROM {profile.table.relation} "
                f"WHERE {alias} <> '' AND {person} <> '') SELECT (SELECT count(DISTINCT {alias}) FROM "
                f"{profile.table.relation}), (SELECT count(DISTINCT alias) FROM pair), count(*), "
                "count(*) FILTER (aliases > 1), (SELECT count(*) FROM (SELECT alias FROM pair GROUP BY 1 HAVING "
                "count(*) > 1)) FROM (SELECT person, count(*) AS aliases FROM pair GROUP BY 1)"
            )
            of_many = (
                f"; {shared:,} {name} are of several {other.name}, as a device that people share" if shared else ""
            )
            if several or shared:
                yield (
                    f"{table}: {other.name} says of {known:,} of {devices:,} {name} who they are, and each {name} is a "
                    f"lead all the same: {several:,} of {persons:,} {other.name} are several leads{of_many}. To unite "
                    f"them, add ingest.identities, a query of {name}, {other.name} and since when a row has both: "
                    "docs/your-data.md, GA4"
                )


def scattered_leads(
    tables: Tables,
    profiles: Mapping[str, Profile],
    column: LeadColumn,
    names: Sequence[str],
    constants: Mapping[str, Sequence[str]],
    alias: AliasTable | None,
) -> tuple[str, list[str], list[str]]:
    """List the ids of several tables, with the columns (``constants``) that say the same in all rows of a lead there.

    Gives the SQL that does, the tables that it reads, and what to tell the user.

    Such a column is known once its table has a row of the lead: what came later than the lead's first event is left
    empty, for that it comes at all would foretell what the lead does.
    """
    times = {name: occurred for name in names if (occurred := occurred_column(profiles[name])) is not None}
    acts = [
        f"SELECT {_text(column.named[name])} AS lead_id, {_known(occurred)} AS moment "
        f"FROM {profiles[name].table.relation}"
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
    parts = [
        f"acts AS (\n  {listed}\n)",
        "lead AS (\n  SELECT lead_id, min(moment) AS created_at FROM acts WHERE lead_id <> '' GROUP BY 1\n)",
    ]
    chosen, joins = "", ""
    notes: list[str] = []
    for number, (name, columns) in enumerate(constants.items(), start=1):
        if name not in times or not columns:
            continue
        said, at = f"said_{number}", _known(times[name])
        firsts = "".join(f",\n    arg_min({identifier(one)}, {at}) AS {identifier(one)}" for one in columns)
        part = (
            f"{said} AS (\n  SELECT {_text(column.named[name])} AS lead_id, min({at}) AS moment{firsts}\n"
            f"  FROM {profiles[name].table.relation} GROUP BY 1\n)"
        )
        notes += _said_of_late(tables, [*parts[:2], part], said, name, columns)
        parts.append(part)
        joins += f" LEFT JOIN {said} USING (lead_id)"
        chosen += "".join(
            f",\n  CASE WHEN {said}.moment <= created_at THEN {said}.{identifier(one)} END AS {identifier(one)}"
            for one in columns
        )
    query = f"WITH {', '.join(parts)}\nSELECT lead.lead_id, created_at{chosen}\nFROM lead{joins}"
    return query, reads, notes


def _said_of_late(tables: Tables, parts: Sequence[str], said: str, name: str, columns: Sequence[str]) -> Iterator[str]:
    """Say of how many leads the columns of a table are known, and of how many from the start."""
    counted = f"count(*), count({said}.moment), count(*) FILTER ({said}.moment <= created_at)"
    query = f"WITH {', '.join(parts)} SELECT {counted} FROM lead LEFT JOIN {said} USING (lead_id)"
    leads, known, early = tables.ask_row(query)
    if early < leads:
        yield (
            f"{', '.join(columns)} of {name}: known of {known:,} of {leads:,} leads, of {early:,} from their first "
            "event on. Of the others it is left empty: that it came later would foretell what they did"
        )


def _text(name: str) -> str:
    return f"CAST({identifier(name)} AS VARCHAR)"


def _known(column: Column) -> str:
    at = time_sql(identifier(column.name), column)
    return f"{at} + INTERVAL 1 DAY" if column.holds_days else at
