"""Times of a lead that trail its log: the stamp of its last activity, whatever it is called.

Such a column says of every lead when the last thing happened to it. As an event it would tell how long a lead was
worked at, which follows from how it ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.core.sql import identifier
from pipeline.profiling.joins import is_direct
from pipeline.profiling.profile import Column, Profile, read_time
from pipeline.profiling.roles import Roles
from pipeline.profiling.tables import HAPPENED, Tables
from pipeline.profiling.times import occurred_column

_FEWEST_LEADS = 20
_ALL = 0.9
"""A step is taken by some leads; the last activity is there as soon as anything has happened."""
_HARDLY_BEFORE = 0.95
_SAME_DAY = 0.3
"""What is later than the log, and hardly ever on its last day, ended the lead."""


def set_trailing_apart(
    tables: Tables, profiles: Mapping[str, Profile], roles: Roles
) -> tuple[Mapping[str, Profile], list[str]]:
    """Tell from the times of the leads those that follow the latest of their events; gives what to tell the user.

    Only leads with events at several times count: of a lone one, the first is also the last.
    """
    lead = roles.lead_table
    if lead is None:
        return profiles, []
    profile = profiles[lead.table]
    logs = [
        f"SELECT CAST({identifier(ways[0][0].column)} AS VARCHAR) AS id, "
        f"{read_time(occurred)} AS moment FROM {profiles[name].table.relation}"
        for name, ways in roles.events.items()
        if is_direct(ways[0], lead) and (occurred := occurred_column(profiles[name])) is not None
    ]
    # Some tables hold what a CRM counts as an activity, others what it knows nothing of, as a web log.
    among = [[log] for log in logs] + ([logs] if len(logs) > 1 else [])
    trailing = {
        column.name: replace(column, kind="stamp")
        for column in profile.of_kind("time")
        if column.name != lead.created_at
        and any(_trails(tables, profile, lead.key, column, chosen) for chosen in among)
    }
    notes = [
        f"{profile.name}.{name} is no event: it is never before the last event of its lead, so it moves with them"
        for name in trailing
    ]
    # Of a row that is a lead, its query says nothing of what happened.
    own = {name: column for name, column in profile.columns.items() if name != HAPPENED}
    return {**profiles, profile.name: replace(profile, columns={**own, **trailing})}, notes


def _trails(tables: Tables, profile: Profile, key: str, column: Column, logs: Sequence[str]) -> bool:
    leads, filled, after, same = tables.ask_row(
        f"WITH log AS ({' UNION ALL '.join(logs)}), ended AS (SELECT id, CAST(max(moment) AS DATE) AS day FROM log "
        "WHERE id <> '' GROUP BY id HAVING count(DISTINCT moment) > 1), "
        f"lead AS (SELECT CAST({identifier(key)} AS VARCHAR) AS id, "
        f"CAST({read_time(column)} AS DATE) AS own FROM {profile.table.relation}) "
        "SELECT count(*), count(own), count(*) FILTER (own >= day), count(*) FILTER (own = day) "
        "FROM lead JOIN ended USING (id)"
    )
    return bool(
        leads >= _FEWEST_LEADS
        and filled >= _ALL * leads
        and after >= _HARDLY_BEFORE * filled
        and same >= _SAME_DAY * filled
    )
