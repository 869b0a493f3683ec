"""From a table of events to the settings of a source: what happened, when, to which lead, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.discovery.links import Link, Way, find_key
from pipeline.discovery.profile import Column, Profile
from pipeline.discovery.roles import LeadTable, occurred_column
from pipeline.discovery.tables import in_settings
from pipeline.discovery.words import (
    CAMPAIGN,
    CHANNEL,
    CLICK_ID,
    CREATED,
    CURRENCY,
    EVENT_TYPE,
    EVENT_WORDS,
    KNOWN,
    LEAD,
    LIFECYCLE,
    LOST,
    MILESTONES,
    OURS,
    QUANTITY,
    STAGE,
    THEIRS,
    TRAFFIC,
    VALUE,
    WON,
    has,
    plain,
    rank,
    singular,
)
from pipeline.sql import identifier, literal

LINKED = "linked_lead_id"
KNOWN_SINCE = "known_since"
NO_LEAD = "(none)"
"""Stands for the lead of an event that belongs to none: it is set aside as that of an unknown lead."""
_NEW_VALUES = {"new value", "newvalue", "value", "to"}
_ALWAYS = 0.99
"""Of the rows: some dirt is expected."""
_OVERWRITTEN = (
    r"modified|updated|update|last|latest|recent|birth|due|next|maj|modification|expected|forecast|planned|scheduled"
)
_CLOSED = r"closed?|won|lost|end|ended|decided|decision|cloture|signed|finished|resolved|outcome"
_LATER = r"convert(?:ed|ion)|" + _CLOSED


@dataclass
class Proposed:
    """A part of the settings, the comments on its lines by their places in it, and the tables that its query reads."""

    name: str
    table: str
    """The table that its rows come from."""
    settings: dict[str, Any]
    comments: dict[str, str] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)


def reading(profile: Profile, used: Sequence[str], *, from_query: bool = False) -> dict[str, Any]:
    """Give the settings that say how a table is read, as far as they differ from the defaults."""
    settings = {} if from_query else profile.table.settings.model_dump(exclude_defaults=True, mode="json")
    columns = [profile.columns[name] for name in used if name in profile.columns]
    formats = [text for column in columns if column.kind == "time" for text in column.formats]
    distinct = list(dict.fromkeys(formats))
    if distinct and distinct != ["iso"]:
        settings["time_format"] = distinct[0] if len(distinct) == 1 else distinct
    written = {column.number_format for column in columns if column.kind == "number"}
    if "comma" in written:
        settings |= {"decimal": ",", "thousands": "."}
    elif "grouped" in written:
        settings["thousands"] = ","
    return settings


def event_source(
    profile: Profile,
    found: Sequence[Way],
    lead: LeadTable | None,
    lead_column: str | None,
    profiles: Mapping[str, Profile],
    constants: Sequence[str] = (),
) -> Proposed:
    """Propose the source that reads the events of a table; ``constants`` say the same in all rows of a lead."""
    occurred = occurred_column(profile)
    assert occurred is not None  # noqa: S101 - only tables with times hold events
    direct = lead_column or next((way[0].column for way in found if _is_direct(way, lead)), None)
    # A column of times that is called by what happened then (won_date) says it better than any type.
    happened = event_name(occurred.name) if _is_called_by_its_event(occurred.name) else None
    types = [] if happened else type_columns(profile, apart_from=[direct or "", occurred.name])
    event_type: Any = types if len(types) > 1 else types[0] if types else {"constant": underscored(profile.name)}
    if happened:
        event_type = {"constant": happened}
    ends = [c.name for c in profile.of_kind("time") if c is not occurred and _is_called_by_its_event(c.name)]
    is_record = not types and not happened and rank(underscored(profile.name), LEAD) > 0
    if is_record:  # of a contact or an account only its coming to be is an event
        event_type = {"constant": f"{underscored(profile.name)}_created"}
    columns: dict[str, Any] = {"occurred_at": occurred.name, "event_type": event_type}
    if ends:  # a row tells of several moments
        begun = happened or f"{underscored(profile.name)}_created"
        columns = {"events": {occurred.name: begun, **{name: event_name(name) for name in ends}}}
    columns |= where_from(profile, [*types, *constants])
    known, why = known_at(profile, occurred)
    comments = {
        "columns.occurred_at": f"{occurred.filled:.0%} filled, as in {occurred.examples[0]}",
        "known_at": why,
    }
    if types:
        first = profile.columns[types[0]]
        comments["columns.event_type"] = f"{first.distinct:,} kinds, as in {', '.join(first.examples[:3])}"
    used = [occurred.name, *ends, *([known["column"]] if isinstance(known, dict) and "column" in known else [])]
    used += [columns["value"]] if "value" in columns else []
    if lead is not None and (direct is None or len(found) > 1):
        query, linked = join_query(profile.name, found, lead, profiles=profiles, occurred=occurred)
        if linked and known == "as_it_occurred":
            known = {"column": KNOWN_SINCE}
            comments["known_at"] = "not before the row was tied to its lead"
        settings = {"query": query, **reading(profile, used, from_query=True)}
        columns = {"lead_id": LINKED, **columns}
        comments["columns.lead_id"] = "the lead that the ids of the row lead to"
        name = f"{underscored(profile.name)}_events"
        reads = tables_read(profile, found)
    else:
        settings = reading(profile, used)
        columns = {"lead_id": direct, **columns}
        comments["columns.lead_id"] = f"{profile.columns[str(direct)].distinct:,} distinct"
        key = find_key(profile)
        if key is not None and key.name != direct:
            columns["event_id"] = key.name
        name, reads = profile.name, []
    settings |= {
        "known_at": known,
        "actor": "system" if is_record or happened or ends or _is_history(types) else actor(profile, types),
        "columns": columns,
    }
    return Proposed(name, profile.name, settings, comments, reads)


def _is_history(types: Sequence[str]) -> bool:
    """Tell a history of fields: what people, or the CRM, wrote into it."""
    return len(types) > 1 and plain(types[1]) in _NEW_VALUES


def _is_called_by_its_event(name: str) -> bool:
    return bool(rank(name, WON) or rank(name, LOST))


def underscored(table: str) -> str:
    """Write a table's name in the singular, as the name of a source or an event type."""
    return singular(table).replace(" ", "_")


def tables_read(profile: Profile, found: Sequence[Way]) -> list[str]:
    """List the tables that the query over a table and its ways reads."""
    return list(dict.fromkeys([profile.name, *(link.target for way in found for link in way)]))


def _is_direct(way: Way, lead: LeadTable | None) -> bool:
    return lead is not None and len(way) == 1 and way[0].target == lead.table and way[0].key == lead.key


def join_query(
    table: str,
    found: Sequence[Way],
    lead: LeadTable,
    select: str = "event.*",
    *,
    profiles: Mapping[str, Profile] | None = None,
    occurred: Column | None = None,
) -> tuple[str, bool]:
    """Write the SQL that gives each row of a table the lead that its ids lead to; no row is lost or doubled.

    Where a table between says when its rows came to be, an event counts as known only from then on: gives, too,
    whether the column KNOWN_SINCE says so.
    """
    joins, leads, since = [], [], []
    starts = [way[0].column for way in found]
    for number, way in enumerate(found):
        # Where an id may also be another thing's, it is the lead's only if there is such a lead.
        is_sure = starts.count(way[0].column) == 1
        if _is_direct(way, lead) and is_sure:
            leads.append(f"nullif(event.{identifier(way[0].column)}, '')")
            continue
        at = f"event.{identifier(way[0].column)}"
        # Where the last link is to the lead's own key, what it starts from is the lead already.
        for step, link in enumerate(way[:-1] if way[-1].key == lead.key and is_sure else way):
            alias = f"link_{number + 1}_{step + 1}"
            wanted = way[step + 1].column if step + 1 < len(way) else lead.key
            made = _made(profiles[link.target]) if profiles and occurred and link.target != lead.table else None
            when = f", min({time_sql(identifier(made.name), made)}) AS since" if made else ""
            since += [f"{alias}.since"] if made else []
            joins.append(
                f"LEFT JOIN (\n  SELECT {identifier(link.key)} AS key, min({identifier(wanted)}) AS value{when}\n"
                f"  FROM {identifier(in_settings(link.target))} GROUP BY 1\n) AS {alias} ON {alias}.key = {at}"
            )
            at = f"{alias}.value"
        leads.append(at)
    known = ""
    if since and occurred:
        moment = time_sql(f"event.{identifier(occurred.name)}", occurred)
        known = f",\n  greatest({moment}, {', '.join(since)}) AS {KNOWN_SINCE}"
    first = f"SELECT coalesce({', '.join(leads)}, {literal(NO_LEAD)}) AS {LINKED}{known},\n  {select}"
    return "\n".join([first, f"FROM {identifier(in_settings(table))} AS event", *joins]), bool(known)


def _made(profile: Profile) -> Column | None:
    """Find the column that says when the rows of a table between came to be."""
    times = [column for column in profile.of_kind("time") if rank(column.name, CREATED) >= 70]  # noqa: PLR2004 - the sure words
    return max(times, key=lambda column: rank(column.name, CREATED), default=None)


def type_columns(profile: Profile, *, apart_from: Sequence[str]) -> list[str]:
    """Choose the columns that say what happened: one, an activity and its lifecycle, or a field and its new value."""
    columns = [
        column
        for column in profile.columns.values()
        if column.name not in apart_from
        and column.kind in ("category", "flag", "identifier", "text")
        and 1 < column.distinct <= 1000  # noqa: PLR2004 - kinds
    ]
    field_column = next(
        (column for column in columns if plain(column.name) in {"field", "field name", "property"}), None
    )
    value_column = next(
        (column for column in profile.columns.values() if plain(column.name) in _NEW_VALUES),
        None,
    )
    if field_column and value_column:
        return [field_column.name, value_column.name]
    kinds = [column for column in columns if _says_what_happened(column.name, profile.name)]
    best = max(kinds, key=lambda column: (rank(column.name, EVENT_TYPE), column.filled), default=None)
    if best is None:
        return []
    cycle = next((column.name for column in columns if has(column.name, LIFECYCLE) and column.name != best.name), None)
    return [best.name, *([cycle] if cycle else [])]


def _says_what_happened(name: str, table: str) -> bool:
    """Tell an event's type from the type of another thing: ``type`` and ``touch_type``, not ``device_type``."""
    if not rank(name, EVENT_TYPE):
        return False
    others = set(plain(name).split()) - set(singular(table).split()) - EVENT_WORDS
    return not others


def where_from(profile: Profile, types: Sequence[str]) -> dict[str, Any]:
    """Map channel or traffic columns, campaign, value with currency, and quantity, as far as they are there."""
    free = {
        name: column
        for name, column in profile.columns.items()
        if name not in types and column.kind not in ("empty", "time")
    }
    columns: dict[str, Any] = {}
    channel = next((name for name in free if has(name, CHANNEL)), None)
    if channel:
        columns["channel"] = channel
    else:
        for key, pattern in TRAFFIC.items():
            named = next((name for name in free if has(name, pattern)), None)
            if named:
                columns[key] = named
        if "traffic_medium" in columns and "traffic_source" not in columns:
            named = next((name for name in free if plain(name) == "source"), None)
            columns |= {"traffic_source": named} if named else {}
        clicks = [name for name in free if has(name, CLICK_ID)]
        if clicks:
            columns["click_id"] = clicks if len(clicks) > 1 else clicks[0]
    campaign = next((name for name in free if has(name, CAMPAIGN) and name not in columns.values()), None)
    if campaign:
        columns["campaign"] = campaign
    values = [column for column in profile.of_kind("number") if rank(column.name, VALUE) and column.name in free]
    if values:
        columns["value"] = max(values, key=lambda column: rank(column.name, VALUE)).name
        currency = next((name for name, column in free.items() if has(name, CURRENCY) and column.distinct < 200), None)  # noqa: PLR2004 - there are no more
        if currency:
            columns["currency"] = currency
    quantity = next(
        (c.name for c in profile.of_kind("number") if has(c.name, QUANTITY) and c.name not in columns.values()), None
    )
    if quantity and all(text.isdigit() and text != "0" for text in profile.columns[quantity].examples):
        columns["quantity"] = quantity
    return columns


def known_at(profile: Profile, occurred: Column) -> tuple[Any, str]:
    """Propose when an event was known: a column that says it, a day later where only days are told, or at once."""
    named = [
        column
        for column in profile.of_kind("time")
        if column is not occurred and has(column.name, KNOWN) and column.filled > _ALWAYS
    ]
    if named:
        return {"column": named[0].name}, "when it reached you, as the column says"
    if occurred.holds_days:
        return {"delay": "1d"}, "only the day is told, so it is known when the day is over"
    return "as_it_occurred", "no column says when it reached you: is it delivered later? then {delay: 6h}"


def time_sql(expression: str, column: Column) -> str:
    """Write the SQL that reads a column of times as its formats say; what has no offset is UTC."""
    if column.formats == ("iso",) or not column.formats:
        return (
            f"TRY_CAST({expression} AS TIMESTAMP)"
            if _is_local(column)
            else f"CAST(TRY_CAST({expression} AS TIMESTAMPTZ) AS TIMESTAMP)"
        )
    epochs = {"epoch_seconds": 1_000_000, "epoch_milliseconds": 1_000, "epoch_microseconds": 1}
    named = [name for name in column.formats if name not in epochs and name != "iso"]
    read = [
        f"make_timestamp(TRY_CAST({expression} AS BIGINT) * {epochs[name]})"
        for name in column.formats
        if name in epochs
    ]
    if named:
        listed = ", ".join(map(literal, named))
        read.append(f"CAST(try_strptime({expression}, [{listed}]) AS TIMESTAMP)")
    if "iso" in column.formats:
        read.append(f"CAST(TRY_CAST({expression} AS TIMESTAMPTZ) AS TIMESTAMP)")
    return read[0] if len(read) == 1 else f"coalesce({', '.join(read)})"


def _is_local(column: Column) -> bool:
    return not any(text.endswith("Z") or "+" in text[10:] or "-" in text[10:] for text in column.examples)


def actor(profile: Profile, types: Sequence[str]) -> Any:  # noqa: ANN401 - a word or a mapping
    """Propose who acted, by the table's name and its types: what we do follows from whom we believed in."""
    worked = any(has(name, "owner|rep|agent|assigned|assignee|user|by|proprietaire") for name in profile.columns)
    ours = has(profile.name, "tasks?|calls?|appels|taches") or (worked and has(profile.name, "activit(?:y|ies)|notes?"))
    if not types:
        return "us" if ours else "lead"
    examples = profile.columns[types[0]].examples
    if ours:
        theirs = [text for text in examples if has(text, THEIRS)]
        return {"default": "us", "lead": theirs} if theirs and len(types) == 1 else "us"
    listed = [text for text in examples if has(text, OURS) and not has(text, THEIRS)]
    return {"default": "lead", "us": listed} if listed and len(types) == 1 else "lead"


def stage_source(profile: Profile, found: Sequence[Way], lead: LeadTable) -> Proposed | None:
    """Propose the source that says how a deal, or a lead, ended: its stage when it was closed. None where none does.

    A stage is overwritten in place, so of it only the end is used, at the time of closing; open ones tell nothing yet.
    """
    ending = _endings(profile)
    if ending is None:
        return None
    stage, won, lost = ending
    times = [
        column for column in profile.of_kind("time") if has(column.name, _CLOSED) and not has(column.name, _OVERWRITTEN)
    ]
    closed = max(times, key=lambda column: (has(column.name, "closed?|cloture"), column.filled), default=None)
    if closed is None:
        return None
    own = profile.name == lead.table
    what = underscored(profile.name)
    value = where_from(profile, [stage])
    amount: dict[str, Any] = {key: value[key] for key in ("value", "currency") if key in value}
    extra = "".join(f", event.{identifier(name)}" for name in amount.values())
    listed = [(won, "won"), (lost, "lost")]
    cases = "".join(
        f"\n    WHEN event.{identifier(stage)} IN ({', '.join(map(literal, texts))}) THEN {literal(f'{what}_{end}')}"
        for texts, end in listed
        if texts
    )
    texts = ", ".join(map(literal, [*won, *lost]))
    select = f"event.{identifier(closed.name)} AS occurred_at,\n  CASE{cases}\n  END AS event_type{extra}"
    ways_: Sequence[Way] = [(Link(profile.name, lead.key, lead.table, lead.key, 1.0),)] if own else found
    query = join_query(profile.name, ways_, lead, select)[0] + f"\nWHERE event.{identifier(stage)} IN ({texts})"
    columns: dict[str, Any] = {"lead_id": LINKED, "occurred_at": "occurred_at", "event_type": "event_type", **amount}
    known, why = known_at(profile, closed)
    settings = {
        "query": query,
        **reading(profile, [closed.name, *(name for name in amount.values())], from_query=True),
        "known_at": known if known == {"delay": "1d"} else "as_it_occurred",
        "actor": "system",
        "columns": columns,
    }
    return Proposed(f"{what}_outcomes", profile.name, settings, {"known_at": why}, tables_read(profile, found))


def _endings(profile: Profile) -> tuple[str, list[str], list[str]] | None:
    """Find the column of stages, and which of them are won, and lost."""
    for column in profile.of_kind("category", "flag"):
        if not has(column.name, STAGE + r"|is won|won"):
            continue
        won = [text for text in column.examples if rank(text, WON) >= 80]  # noqa: PLR2004 - the sure words
        lost = [text for text in column.examples if rank(text, LOST) and text not in won]
        if won:
            return column.name, won, lost
    return None


def created_source(
    profile: Profile, found: Sequence[Way], lead: LeadTable, profiles: Mapping[str, Profile]
) -> Proposed | None:
    """Propose the event that a deal, or another thing that is overwritten later, was created."""
    times = [column for column in profile.of_kind("time") if not has(column.name, _OVERWRITTEN + "|" + _LATER)]
    if not times:
        return None
    created = times[0]
    what = underscored(profile.name)
    select = f"event.{identifier(created.name)} AS occurred_at"
    known, why = known_at(profile, created)
    query, linked = join_query(profile.name, found, lead, select, profiles=profiles, occurred=created)
    if linked and known == "as_it_occurred":
        known, why = {"column": KNOWN_SINCE}, "not before the row was tied to its lead"
    settings = {
        "query": query,
        **reading(profile, [created.name], from_query=True),
        "known_at": known,
        "actor": "us",
        "columns": {"lead_id": LINKED, "occurred_at": "occurred_at", "event_type": {"constant": f"{what}_created"}},
    }
    return Proposed(f"{what}_creations", profile.name, settings, {"known_at": why}, tables_read(profile, found))


def dates_source(profile: Profile, lead: LeadTable, *, ends: bool) -> Proposed | None:
    """Propose the source of events that lie wide in the table of leads: each column of times is an event type.

    Where another source ``ends`` the episodes, by the stage, the time of closing has been used.
    """
    times = [
        column
        for column in profile.of_kind("time")
        if column.name != lead.created_at
        and not has(column.name, _OVERWRITTEN + (f"|{_CLOSED}" if ends else ""))
        and column.filled > 0
    ]
    if lead.created_at is None or not times:
        return None
    days = [column.holds_days for column in times]
    events = {column.name: event_name(column.name) for column in times}
    settings = {
        **reading(profile, list(events)),
        "known_at": {"delay": "1d"} if any(days) else "as_it_occurred",
        "actor": _actor_of_dates(list(events.values())),
        "columns": {"lead_id": lead.key, "events": events},
    }
    comments = {"known_at": "only days are told, so they are known when the day is over" if any(days) else "at once"}
    comments |= {f"columns.events.{column.name}": f"{column.filled:.1%} of the leads have it" for column in times}
    return Proposed(f"{underscored(profile.name)}_dates", profile.name, settings, comments)


def _actor_of_dates(types: Sequence[str]) -> Any:  # noqa: ANN401 - a word or a mapping
    ends = [
        name
        for name in types
        if rank(name, WON) or rank(name, LOST) or any(has(name, words) for words in MILESTONES.values())
    ]
    us = [name for name in types if name not in ends and has(name, OURS) and not has(name, THEIRS)]
    listed = {"system": ends, "us": us}
    listed = {name: texts for name, texts in listed.items() if texts}
    return {"default": "lead", **listed} if listed else "lead"


def event_name(column: str) -> str:
    """Name the event of a column of times.

    >>> [event_name(name) for name in ("won_date", "First Contact Date", "converted_at", "date_signed")]
    ['won', 'first_contact', 'converted', 'signed']
    """
    words = [
        word
        for word in plain(column).split()
        if word not in {"date", "at", "on", "time", "timestamp", "datetime", "le", "day"}
    ]
    return "_".join(words) or "event"
