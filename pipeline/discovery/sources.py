"""The sources that the tables make: histories of stages, what was overwritten in place, and any other events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.discovery.deals import closed_column, created_source, dates_sources, stage_source
from pipeline.discovery.histories import history_source
from pipeline.profiling.events import Proposed, event_source
from pipeline.profiling.joins import is_told
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
    lead, log = roles.lead_table, roles.lead_column.log if roles.lead_column else None
    led_to = lead or log
    assert led_to is not None  # noqa: S101 - one or the other names the lead
    histories: dict[str, Proposed] = {}
    if lead is not None:
        named = {
            name: history_source(tables, profiles[name], ways, lead, profiles) for name, ways in roles.events.items()
        }
        histories = {name: source for name, source in named.items() if source is not None}
    # The tables of things whose stages a history tells.
    told = {way[0].target for name in histories for way in roles.events[name] if way}
    found: list[Proposed | None] = []
    for name, ways in roles.events.items():
        profile = profiles[name]
        # Of what was sold, a row was written when it was; of other things, a status alone does not say when.
        is_sold = has(name, SOLD) or name in {one.table for one in roles.late}
        sold_at = occurred_column(profile) if lead is None and is_sold else None
        is_log = log is not None and name == log.table
        ending = None if is_log else stage_source(tables, profile, ways, led_to, profiles, sold_at)
        if name in histories:
            found.append(histories[name])
        elif ending is not None:
            found.append(created_source(tables, profile, ways, led_to, profiles) if closed_column(profile) else None)
            found.append(None if name in told else ending)
        elif occurred_column(profile) is not None and any(is_told(way, led_to, profiles) for way in ways):
            found.append(event_source(tables, profile, ways, led_to, profiles, constants, event_type))
    if lead is not None and dates:
        profile, is_told_of = profiles[lead.table], lead.table in told
        ending = None if is_told_of else stage_source(tables, profile, [], lead, profiles)
        found += [*dates_sources(tables, profile, lead, ends=is_told_of or ending is not None), ending]
    return [source for source in found if source is not None]
