"""Who owns which of the leads: the table that says it by day, and the attribute of the leads that it goes by.

Who is in no territory that the table names is called by nobody; so it is proposed only where nearly all leads are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from pipeline.core.project import Places
from pipeline.core.sql import fetch_row, file_literal, identifier
from pipeline.discovery.attributes import Attribute
from pipeline.discovery.people import Asked, Lacks, PeopleTables, attempt, largest_first, withdraw
from pipeline.profiling.events import reading
from pipeline.profiling.profile import Profile, read_time, time_sql
from pipeline.profiling.registers import OwnerTable, said_of_owners
from pipeline.profiling.words import has, plain

_MOSTLY = 0.9
_NEXT = "next_begins"
_UNITS = {"hours": r"hours?|heures?|stunden", "calls": r"calls?|appels?|anrufe?", "leads": r"leads?|prospects?"}


def propose_owners(asked: Asked) -> None:
    """Propose who owns which territory, from the tables that say it."""
    owners = {one.table: one for one in asked.roles.owners}
    for name in largest_first(asked.profiles, owners):
        told = said_of_owners(owners[name])
        attempt(asked, "owners", name, told, lambda profile: _owners(asked, profile, owners[profile.name]))


def _owners(asked: Asked, profile: Profile, table: OwnerTable) -> dict[str, Any]:
    """Map who owns what; where a row ends with the next one, and no column says so, a query does."""
    since = profile.columns[table.since]
    until = profile.columns.get(table.until or "")
    territory, begins = identifier(table.territory), f"CAST({read_time(since)} AS DATE)"
    columns: dict[str, str] = {"territory": table.territory, "owner": table.owner, "from": table.since}
    settings: dict[str, Any] = {}
    query = None
    ends = "NULL::DATE" if until is None or until.kind == "empty" else f"CAST({read_time(until)} AS DATE)"
    rows, count, ended, meets, day_before, overlaps, same = asked.tables.ask_row(
        "SELECT count(*), count(DISTINCT territory), count(ends), count(*) FILTER (ends = next), "
        "count(*) FILTER (ends + 1 = next), count(*) FILTER (ends > next OR (ends IS NULL AND next IS NOT NULL)), "
        "count(*) FILTER (begins = next) FROM (SELECT *, lead(begins) OVER "
        f"(PARTITION BY territory ORDER BY begins NULLS FIRST) AS next FROM (SELECT {territory} AS territory, "
        f"{begins} AS begins, {ends} AS ends FROM {profile.table.relation}))"
    )
    if same or (ended and overlaps):
        raise Lacks(f"a {table.territory} has rows that hold on the same day")
    if not ended and overlaps:
        at = time_sql(identifier(since.name), since)
        query = (
            f"SELECT *, lead({identifier(since.name)}) OVER (PARTITION BY {territory} ORDER BY {at} NULLS FIRST) "
            f"AS {_NEXT}\nFROM {profile.table.relation}"
        )
        columns["until"] = _NEXT
        asked.proposal.comments["ingest.owners.columns.until"] = (
            "a row holds until the next one of its territory begins"
        )
    elif ended and until is not None:
        if bool(meets) == bool(day_before):
            raise Lacks(
                f"its rows do not tell whether {until.name} is the last day on which one holds (until_is_last: true), "
                "or the first on which it does not"
            )
        columns["until"] = until.name
        if day_before:
            settings["until_is_last"] = True
        asked.proposal.comments["ingest.owners.columns.until"] = (
            f"the next row begins a day later in {day_before:,} cases"
            if day_before
            else f"the next row begins on this day in {meets:,} cases"
        )
    settings |= _time_of_owners(asked, profile, table, columns)
    if query and profile.table.nested & set(columns.values()):
        raise Lacks("its columns lie inside of others, where no query sees them")
    asked.proposal.comments["ingest.owners"] = f"{rows:,} rows of {count:,} territories; is it kept up?"
    asked.proposal.reads += [profile.name] if query else []
    read = reading(profile, list(columns.values()), from_query=query is not None)
    return {**({"query": query} if query else {}), **read, "columns": columns, **settings}


def _time_of_owners(asked: Asked, profile: Profile, table: OwnerTable, columns: dict[str, str]) -> dict[str, Any]:
    """Map how much time there is where the name says what is counted; hours need a length of a call, too."""
    if table.per_day is None:
        return {}
    column = profile.columns[table.per_day]
    unit = next((unit for unit, pattern in _UNITS.items() if has(column.name, pattern)), None)
    lacks = None
    if column.filled < 1:
        lacks = "it is not always filled"
    elif unit is None:
        lacks = "its name does not say whether it counts leads, calls or hours (unit)"
    elif unit == "hours":
        lacks = "nobody says how long a call takes (decision.work.call_hours)"
    if lacks:
        asked.proposal.notes.append(
            f"{profile.name}.{column.name} may say how much time there is a day (ingest.owners.columns.per_day), but "
            f"{lacks}: without it the list of sales has no end"
        )
        return {}
    columns["per_day"] = column.name
    return {"unit": unit} if unit == "calls" else {}


def settle_owners(
    connection: duckdb.DuckDBPyConnection,
    places: Places,
    attributes: Sequence[Attribute],
    content: dict[str, Any],
    people: PeopleTables,
) -> dict[str, str]:
    """Find which attribute of the leads says whose they are, as they were read for a try; gives what decision says.

    Where none does, the table of owners is left out and told.
    """
    if "owners" not in content["ingest"]:
        return {}
    territory = content["ingest"]["owners"]["columns"]["territory"]
    leads, owned = (f"read_parquet({file_literal(path)})" for path in (places.leads, places.owners))
    usable = [one.name for one in attributes if one.kind == "category" and not one.refused]
    found: dict[str, tuple[int, int]] = {}
    for name in usable:
        is_owned = f"{identifier(name)} IN (SELECT territory FROM {owned})"
        found[name] = fetch_row(connection, f"SELECT count(*) FILTER ({is_owned}), count(*) FROM {leads}")
    fitting = [name for name, (inside, of) in found.items() if inside >= _MOSTLY * of]
    fitting = [name for name in fitting if plain(name) == plain(territory)] or fitting
    if len(fitting) == 1:
        inside, of = found[fitting[0]]
        share = f"{inside:,} of {of:,} leads are in a territory that {people.used['owners']} names"
        people.comments["decision.territory"] = f"{share}; who is in none is called by nobody"
        return {"territory": fitting[0]}
    refused = next((one.refused for one in attributes if plain(one.name) == plain(territory) and one.refused), None)
    best = max(found, key=lambda name: found[name][0], default=None)
    if fitting:
        lacks = f"{' and '.join(fitting)} may both say of which {territory} a lead is (decision.territory)"
    elif refused:
        lacks = f"{territory} is no attribute that can be used ({refused})"
    elif best and found[best][0]:
        lacks = f"by {best} only {found[best][0]:,} of {found[best][1]:,} leads are in a {territory} that it names"
    else:
        lacks = f"no attribute of the leads holds a {territory} that it names"
    withdraw(content, "owners", lacks, people)
    return {}
