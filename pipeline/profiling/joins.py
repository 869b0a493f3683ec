"""The SQL that gives each row of a table the lead that its ids lead to, and when that was known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.core.sql import identifier, literal
from pipeline.profiling.leads import LeadTable
from pipeline.profiling.links import Link, Way, compared
from pipeline.profiling.profile import Column, Profile, time_sql
from pipeline.profiling.tables import in_settings
from pipeline.profiling.words import CREATED, SOLD, has, is_called_address, rank

LINKED = "linked_lead_id"
KNOWN_SINCE = "known_since"
NO_LEAD = "(none) "
"""With the row's number, stands for the lead of an event that has none: it is set aside as that of an unknown lead."""


def tables_read(profile: Profile, found: Sequence[Way]) -> list[str]:
    """List the tables that the query over a table and its ways reads."""
    return list(dict.fromkeys([profile.name, *(link.target for way in found for link in way)]))


def is_direct(way: Way, lead: LeadTable) -> bool:
    """Tell whether a way is one link to the lead's own key."""
    return len(way) == 1 and way[0].target == lead.table and way[0].key == lead.key


def join_query(
    table: str,
    found: Sequence[Way],
    lead: LeadTable,
    select: str = "event.*",
    *,
    profiles: Mapping[str, Profile] | None = None,
    occurred: Column | None = None,
    known: Column | None = None,
    begun: Column | None = None,
) -> tuple[str, bool]:
    """Write the SQL that gives each row of a table the lead that its ids lead to; no row is lost or doubled.

    Where a table between says when its rows came to be, an event counts as known only from then on: gives, too,
    whether the column KNOWN_SINCE says so. ``begun`` says, where it isn't ``occurred``, at which time a row became that
    of one of several leads.
    """
    joins: list[str] = []
    leads, since = [], []
    at_the_time = begun or occurred
    moment = time_sql(f"event.{identifier(at_the_time.name)}", at_the_time) if at_the_time else None
    starts = [way[0].column for way in found]
    for number, way in enumerate(found):
        # Where an id may also be another thing's, it is the lead's only if there is such a lead.
        is_sure = starts.count(way[0].column) == 1
        if is_direct(way, lead) and is_sure:
            leads.append(f"nullif(event.{identifier(way[0].column)}, '')")
            continue
        at = f"event.{identifier(way[0].column)}"
        # Where the last link is to the lead's own key, what it starts from is the lead already.
        ends = way[-1].is_shared or (way[-1].key == lead.key and is_sure)
        for step, link in enumerate(way[:-1] if ends else way):
            alias = f"link_{number + 1}_{step + 1}"
            wanted = way[step + 1].column if step + 1 < len(way) else lead.key
            made = _tied_at(profiles[link.target], link, lead) if profiles and occurred else None
            over = " + INTERVAL 1 DAY" if made and made.holds_days else ""
            when = f", min({time_sql(identifier(made.name), made)}){over} AS since" if made else ""
            since += [f"{alias}.since"] if made else []
            joins.append(
                f"LEFT JOIN (\n  SELECT {compared(identifier(link.key), link.key)} AS key, "
                f"min({identifier(wanted)}) AS value{when}\n"
                f"  FROM {identifier(in_settings(link.target))} WHERE CAST({identifier(link.key)} AS VARCHAR) <> ''\n"
                f"  GROUP BY 1\n) AS {alias} ON {alias}.key = {compared(at, link.key)}"
            )
            at = f"{alias}.value"
        if way[-1].is_shared:
            at, tied = _one_of_several(way[-1], at, f"link_{number + 1}", lead, profiles, moment, joins)
            since += [tied] if tied else []
        leads.append(at)
    column = ""
    if since and occurred:
        happened = time_sql(f"event.{identifier(occurred.name)}", occurred)
        moments = [f"{happened} + INTERVAL 1 DAY" if occurred.holds_days else happened, *since]
        moments += [time_sql(f"event.{identifier(known.name)}", known)] if known else []
        column = f",\n  greatest({', '.join(moments)}) AS {KNOWN_SINCE}"
    nobody = f"concat({literal(NO_LEAD)}, row_number() OVER ())"
    first = f"SELECT coalesce({', '.join(leads)}, {nobody}) AS {LINKED}{column},\n  {select}"
    return "\n".join([first, f"FROM {identifier(in_settings(table))} AS event", *joins]), bool(column)


def _one_of_several(
    link: Link,
    at: str,
    alias: str,
    lead: LeadTable,
    profiles: Mapping[str, Profile] | None,
    moment: str | None,
    joins: list[str],
) -> tuple[str, str | None]:
    """Join the newest lead that was there at the time or, before there was any, the first one.

    Gives the SQL of its id, of which the first that is there counts, and of when it came to be.
    """
    key, name = identifier(link.key), identifier(lead.key)
    rows = f"FROM {identifier(in_settings(lead.table))} WHERE CAST({key} AS VARCHAR) <> ''"
    created = profiles[lead.table].columns.get(lead.created_at or "") if profiles else None
    if created is None:
        joins.append(f"LEFT JOIN (\n  SELECT {key} AS key, min({name}) AS value\n  {rows}\n  GROUP BY 1\n"
                     f") AS {alias}_first ON {alias}_first.key = {at}")  # fmt: skip
        return f"{alias}_first.value", None
    since = time_sql(identifier(created.name), created)
    if moment:
        joins.append(
            f"ASOF LEFT JOIN (\n  SELECT {key} AS key, {since} AS since, min({name}) AS value\n  {rows} "
            f"AND {since} IS NOT NULL\n  GROUP BY 1, 2\n"
            f") AS {alias}_newest ON {alias}_newest.key = {at} AND {alias}_newest.since <= {moment}"
        )
    joins.append(
        f"LEFT JOIN (\n  SELECT {key} AS key, min({since}) AS since, arg_min({name}, ({since}, {name})) AS value\n"
        f"  {rows}\n  GROUP BY 1\n) AS {alias}_first ON {alias}_first.key = {at}"
    )
    found = [f"{alias}_{which}" for which in (("newest", "first") if moment else ("first",))]
    value, tied = (", ".join(f"{one}.{part}" for one in found) for part in ("value", "since"))
    return value, f"coalesce({tied})"


def _tied_at(profile: Profile, link: Link, lead: LeadTable) -> Column | None:
    """Find when a row was tied to its lead: when the row between came to be or, by an id that a lead got, converted."""
    if link.target == lead.table:
        return None if link.key == lead.key else converted_at(profile)
    times = [column for column in profile.of_kind("time") if rank(column.name, CREATED) >= 70]  # noqa: PLR2004 - the sure words
    return max(times, key=lambda column: rank(column.name, CREATED), default=None)


def converted_at(profile: Profile) -> Column | None:
    """Find when a lead was converted, which is when it got the ids of its contact and its deal."""
    return next((column for column in profile.of_kind("time") if has(column.name, "convert(?:ed|ion)")), None)


def is_told(way: Way, lead: LeadTable, profiles: Mapping[str, Profile]) -> bool:
    """Tell whether it is known when a way came to be; an id that a lead got at a time untold would know the outcome."""
    last = way[-1]
    return (
        last.target != lead.table
        or last.is_shared
        or last.key == lead.key
        # By what was sold nothing is foretold: it ends the episode, whenever its address became the lead's.
        or (is_called_address(last.key) and has(way[0].table, SOLD))
        or converted_at(profiles[lead.table]) is not None
    )
