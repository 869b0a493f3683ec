"""The sources that the tables make: histories of stages, what was overwritten in place, and any other events.

Rows of them that only columns without a use tell apart: two pages in the same second are no duplicate of one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.core.sql import identifier
from pipeline.discovery.deals import closed_column, created_source, dates_sources, stage_source
from pipeline.discovery.histories import history_source
from pipeline.profiling.events import Proposed, event_source
from pipeline.profiling.joins import is_told
from pipeline.profiling.profile import TIMES, Profile
from pipeline.profiling.roles import Roles
from pipeline.profiling.tables import Tables, in_settings
from pipeline.profiling.times import occurred_column
from pipeline.profiling.words import KNOWN, LOOKED, SOLD, TIME_ZONE, has, plain
from pipeline.settings.ingest import TrafficColumns

_OPERATION = r"op|operation|dml(?: type)?|change type|cdc \w+|row kind|header operation"
_AGAIN = {"u", "d", "update", "updated", "delete", "deleted", "update after", "update before"}
_AT_FIRST = {"i", "c", "r", "insert", "inserted", "create", "created", "read"}
"""What a log of changes to a table's rows says of each change."""
_TRAFFIC = {*TrafficColumns.model_fields}


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


def tell_rows_apart(tables: Tables, profiles: Mapping[str, Profile], proposed: Sequence[Proposed]) -> list[str]:
    """Name all columns of a table as the event's id where those in use would take different rows for one event.

    Gives what to tell the user. When a row was loaded or changed tells no events apart: exports overlap.
    """
    notes = []
    for source in proposed:
        columns, profile = source.settings["columns"], profiles[source.table]
        if "query" in source.settings or "event_type" not in columns or "event_id" in columns:
            continue
        used = names_read(source)
        whole = [
            column.name
            for column in profile.columns.values()
            if column.name in used
            or (
                column.kind not in ("empty", "stamp")
                and not (column.kind in TIMES and has(column.name, f"{KNOWN}|{LOOKED}"))
            )
        ]
        # Of where it came from, only the channel is compared.
        compared = _named({key: value for key, value in columns.items() if key not in _TRAFFIC})
        idle = [name for name in whole if name not in compared and profile.columns[name].distinct > 1]
        if not idle or set(whole) & profile.table.nested:
            continue
        rows = _count(tables, profile, whole) - _count(tables, profile, sorted(compared))
        if rows:
            columns["event_id"] = whole
            source.comments["columns.event_id"] = f"{rows:,} rows are told apart only by {', '.join(idle)}"
            notes.append(
                f"{in_settings(source.name)}: {rows:,} rows differ from another one only in {', '.join(idle)}; they "
                "are kept, as only rows alike in all columns count as duplicates"
            )
    return notes


def said_of_tables(profiles: Mapping[str, Profile], names: Iterable[str]) -> list[str]:
    """Tell of which tables times are taken for UTC because they carry no offset, and which columns may say the zone.

    And which tables hold the changes of rows, not the rows as they are: each change counts.
    """
    local, notes = [], []
    for name in dict.fromkeys(names):
        profile = profiles[name]
        for one in profile.of_kind("category", "flag"):
            said = {plain(text) for text in one.values}
            if has(one.name, _OPERATION) and said & _AGAIN and said <= _AGAIN | _AT_FIRST:
                notes.append(
                    f"{name} holds the changes of rows, by its {one.name} ({', '.join(one.values)}), and each counts: "
                    "export the rows as they are, or let a query take the last change of each, if it deletes nothing"
                )
        if not any(column.is_local and not has(column.name, "utc|gmt") for column in profile.of_kind("time")):
            continue
        local.append(name)
        zones = [one.name for one in profile.of_kind("category", "flag") if has(one.name, f"{TIME_ZONE}|offset")]
        if zones:
            notes.append(
                f"{name}.{zones[0]} may say in which zone the times of its row are written, and is not used: they are "
                "taken for UTC. Let a query turn them, or export them with their offset"
            )
    if local:
        notes.append(
            f"the times of {', '.join(local)} carry no offset and are taken for UTC; where they are of another zone, "
            "say so of each table, as in time_zone: Europe/Paris"
        )
    return notes


def names_read(source: Proposed) -> set[str]:
    """List the raw columns that a source names."""
    columns, known = source.settings["columns"], source.settings["known_at"]
    recorded = {known["column"]} if isinstance(known, dict) and "column" in known else set()
    return {*columns.get("events", {}), *_named(columns), *recorded}


def _named(columns: Mapping[str, object]) -> set[str]:
    listed = [value if isinstance(value, list) else [value] for value in columns.values()]
    return {name for names in listed for name in names if isinstance(name, str)}


def _count(tables: Tables, profile: Profile, names: Sequence[str]) -> int:
    listed = ", ".join(identifier(name) for name in names)
    return int(tables.ask_row(f"SELECT count(*) FROM (SELECT DISTINCT {listed} FROM {profile.table.relation})")[0])
