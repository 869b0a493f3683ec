"""The sources that the tables make: histories of stages, what was overwritten in place, and any other events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.discovery.deals import closed_column, created_source, dates_source, stage_source
from pipeline.discovery.histories import history_source
from pipeline.profiling.events import Proposed, event_source
from pipeline.profiling.joins import is_told
from pipeline.profiling.leads import LeadTable
from pipeline.profiling.profile import Profile
from pipeline.profiling.roles import Roles
from pipeline.profiling.tables import Tables
from pipeline.profiling.times import occurred_column
from pipeline.profiling.words import SOLD, has


def propose_sources(
    tables: Tables,
    profiles: Mapping[str, Profile],
    roles: Roles,
    constants: Sequence[str],
    event_type: str | None,
    *,
    dates: bool,
) -> list[Proposed]:
    """Propose a source for each table of events; of what is overwritten in place, only its start and its end.

    Where a history of its stages is there, not even its end. What the table of leads itself tells comes last, if its
    ``dates`` are wanted.
    """
    lead, found = roles.lead_table, []
    log = roles.lead_column.table if roles.lead_column else None
    led_to = lead or (roles.lead_column.log if roles.lead_column else None)
    assert led_to is not None  # noqa: S101 - one or the other names the lead
    histories = _find_histories(tables, profiles, roles)
    for name, ways in roles.events.items():
        profile = profiles[name]
        # Of what was sold, a row was written when it was; of other things, a status alone does not say when.
        sold_at = occurred_column(profile) if lead is None and _is_sold(name, roles) else None
        ending = None if name == log else stage_source(tables, profile, ways, led_to, profiles, sold_at)
        if name in histories:
            found.append(histories[name])
        elif ending is not None:
            begun = created_source(profile, ways, led_to, profiles) if closed_column(profile) else None
            found += [begun] if begun else []
            found += [] if name in _told_by(histories, roles) else [ending]
        elif occurred_column(profile) is not None and any(is_told(way, led_to, profiles) for way in ways):
            found.append(event_source(profile, ways, led_to, profiles, constants, event_type))
    if lead is not None and dates:
        found += _lead_sources(tables, profiles, lead, told=lead.table in _told_by(histories, roles))
    return found


def _is_sold(table: str, roles: Roles) -> bool:
    return has(table, SOLD) or table in {one.table for one in roles.late}


def _find_histories(tables: Tables, profiles: Mapping[str, Profile], roles: Roles) -> dict[str, Proposed]:
    """Propose the sources of the tables that are histories of stages, by the table."""
    lead = roles.lead_table
    if lead is None:
        return {}
    named = {name: history_source(tables, profiles[name], ways, lead, profiles) for name, ways in roles.events.items()}
    return {name: source for name, source in named.items() if source is not None}


def _told_by(histories: Mapping[str, Proposed], roles: Roles) -> set[str]:
    """List the tables of things whose stages a history tells."""
    return {way[0].target for name in histories for way in roles.events[name] if way}


def _lead_sources(tables: Tables, profiles: Mapping[str, Profile], lead: LeadTable, *, told: bool) -> list[Proposed]:
    """Propose what the table of leads tells: its dates and, unless a history has ``told`` it, how each lead ended."""
    profile = profiles[lead.table]
    ending = None if told else stage_source(tables, profile, [], lead, profiles)
    dates = dates_source(profile, lead, ends=told or ending is not None)
    return [source for source in (dates, ending) if source is not None]
