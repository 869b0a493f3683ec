"""The proposed mapping of all tables: ``ingest`` of the settings, with a comment on each line that was inferred."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from features.duration import DAY
from features.errors import InputError, nearest
from pipeline.discovery.assumed import assumed_creation, assumed_outcomes, find_flag, numbered_rows
from pipeline.discovery.attributes import Attribute, judge_by_name
from pipeline.discovery.events import Proposed, reading
from pipeline.discovery.joins import LINKED, time_sql
from pipeline.discovery.links import find_links
from pipeline.discovery.profile import Profile
from pipeline.discovery.roles import ROW, LeadColumn, LeadTable, Roles, find_roles, occurred_column
from pipeline.discovery.sources import propose_sources
from pipeline.discovery.tables import Tables, in_settings
from pipeline.discovery.words import (
    ACCOUNT,
    CAMPAIGN,
    CHANNEL,
    CURRENCY,
    LOST,
    STAGE,
    SURE,
    TIME_ZONE,
    has,
    rank,
    sounds_won,
)
from pipeline.sql import identifier, literal

SPEND_COST = r"cost|spend|spent|cout|kosten|coste|depense|depenses"
_CONSTANT = 0.99
_MOST_CONSTANTS = 40


@dataclass
class Proposal:
    """The proposed ``ingest``; comments by their places in the settings."""

    ingest: dict[str, Any]
    comments: dict[str, str]
    roles: Roles
    attributes: list[Attribute] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    assumed_horizon: timedelta | None = None
    """Where it is assumed when leads converted: the horizon that this was made for."""


def propose(
    tables: Tables,
    profiles: Mapping[str, Profile],
    *,
    leads: str | None,
    lead_id: str | None,
    event_type: str | None,
    outcome: str | None,
    horizon: timedelta | None,
) -> Proposal:
    """Propose how the tables become one log; the options are what the user has said.

    Raises InputError where no table tells of leads, or what was said is not there.
    """
    links = find_links(tables, profiles)
    roles = find_roles(profiles, links, leads, lead_id)
    constants = _constant_columns(tables, profiles, roles.lead_column) if roles.lead_column else []
    if event_type is not None and not any(event_type in profile.columns for profile in profiles.values()):
        columns = [name for profile in profiles.values() for name in profile.columns]
        raise InputError(f"--event-type {event_type}: no table has such a column; {nearest(event_type, columns)[:300]}")
    proposed = propose_sources(tables, profiles, roles, constants, event_type, dates=outcome is None)
    mapping = Proposal({}, {}, roles)
    lead = roles.lead_table
    if lead is not None:
        mapping = _with_lead_table(tables, profiles, roles, lead, proposed, outcome, horizon)
    elif roles.lead_column is not None:
        mapping = _with_lead_column(profiles, roles, proposed, constants)
    if roles.identities is not None:
        alias = roles.identities
        mapping.ingest["identities"] = {
            **reading(profiles[alias.table], [alias.linked_at]),
            "columns": {"alias_id": alias.alias, "lead_id": alias.lead, "linked_at": alias.linked_at},
        }
        mapping.comments["ingest.identities"] = "ids that are one lead, each from the moment it was linked"
    if roles.spend is not None:
        mapping.ingest["spend"] = _spend(profiles[roles.spend])
        mapping.comments["ingest.spend"] = "what was spent on advertising, for the cost of a lead"
    _settle_currency(tables, profiles, mapping)
    mapping.notes += [f"{name} is not used: {reason}" for name, reason in roles.unused.items()]
    mapping.notes += [
        column.note for profile in profiles.values() for column in profile.columns.values() if column.note
    ]
    mapping.notes += _unused_columns(profiles, mapping)
    return mapping


def _unused_columns(profiles: Mapping[str, Profile], mapping: Proposal) -> list[str]:
    """Name the columns of the tables of events that nothing is made of."""
    settings = mapping.ingest
    said = repr([settings["sources"], settings.get("identities"), settings.get("spend"), settings.get("leads")])
    notes = []
    for name in (*mapping.roles.events, *([mapping.roles.lead_table.table] if mapping.roles.lead_table else [])):
        known = {one.name for one in mapping.attributes}
        unused = [column for column in profiles[name].columns if repr(column)[1:-1] not in said and column not in known]
        if unused:
            notes.append(f"of {name} nothing is made of {', '.join(unused)}")
    return notes


def _with_lead_table(
    tables: Tables,
    profiles: Mapping[str, Profile],
    roles: Roles,
    lead: LeadTable,
    proposed: list[Proposed],
    outcome: str | None,
    horizon: timedelta | None,
) -> Proposal:
    profile = profiles[lead.table]
    flag = find_flag(profile, outcome)
    if outcome is not None and flag is None:
        raise InputError(
            f"--outcome {outcome}: {lead.table} has no such column that says yes or no; "
            f"{nearest(outcome, profile.columns)}"
        )
    known_ends = any(_tells_an_end(tables, source, profiles[source.table]) for source in proposed)
    created = lead.created_at
    notes: list[str] = []
    lead_settings: dict[str, Any]
    if created is None:
        lead_settings, created, said = assumed_creation(profile, lead)
        notes.append(said)
    else:
        keyless = lead.key == ROW
        lead_settings = reading(profile, [created, *profile.columns], from_query=keyless)
        if keyless:
            lead_settings = {"query": f"SELECT * FROM {numbered_rows(profile)}", **lead_settings}
            notes.append(f"no column of {profile.name} names its rows: each lead is named by the place of its row")
    assumed = None
    if flag is not None and (outcome is not None or not known_ends):
        assumed = horizon or 30 * DAY
        source, said = assumed_outcomes(profile, lead, flag, assumed)
        proposed = [*proposed, source]
        notes.append(said)
    elif flag is not None:
        notes.append(
            f"{lead.table}.{flag.column} says who converted, too, but not when, and is not used; if it is what you "
            f"mean: --outcome {flag.column!r}"
        )
    notes += [
        f"{lead.table}.{column.name} says that leads are lost ({', '.join(lost[:3])}), but not when: they stay open"
        for column in profile.of_kind("category", "flag")
        if has(column.name, STAGE)
        and (lost := [text for text in column.values if rank(text, LOST)])
        and not any(repr(column.name)[1:-1] in repr(source.settings) for source in proposed)
    ]
    # What an outcome is made of, its amount too, is no attribute of the lead.
    taken = [name for source in proposed if source.table == lead.table for name in _names(source)]
    attributes = judge_by_name(profile, [lead.key, created, *([flag.column] if flag else []), *_taken(profile), *taken])
    columns: dict[str, Any] = {"lead_id": lead.key, "created_at": created}
    for key, pattern in (("account_id", f"(?:{ACCOUNT}) ?(?:id|key|number)"), ("time_zone", TIME_ZONE)):
        named = next((name for name in profile.columns if has(name, pattern) and name != lead.key), None)
        if named:
            columns[key] = named
    ingest, comments = _collect(profiles, proposed)
    ingest["leads"] = {**lead_settings, "columns": columns, "attributes": {}}
    if "query" in lead_settings:
        _add_tables(ingest, profiles, [lead.table])
    count = profile.columns[lead.key].distinct if lead.key != ROW else profile.rows
    comments["ingest.leads"] = f"{lead.table}: {profile.rows:,} rows, {count:,} leads"
    comments["ingest.leads.columns.created_at"] = "when the lead came to be; its age counts from here"
    return Proposal(
        ingest,
        comments,
        roles,
        attributes,
        notes,
        assumed_horizon=assumed,
    )


def _tells_an_end(tables: Tables, source: Proposed, profile: Profile) -> bool:
    """Tell whether one of a source's event types may be a conversion, by its name."""
    columns = source.settings["columns"]
    if source.name.endswith("_outcomes"):
        return True
    types = columns.get("event_type")
    if isinstance(types, dict):
        return sounds_won(types["constant"]) >= SURE
    names = [types] if isinstance(types, str) else types or []
    texts = [*columns.get("events", {}).values()]
    for name in names:
        if name in profile.columns:
            rows = tables.ask(f"SELECT DISTINCT CAST({identifier(name)} AS VARCHAR) FROM {profile.table.relation}")
            texts += [str(row[0]) for row in rows]
    return any(sounds_won(text) >= SURE for text in texts)


def _with_lead_column(
    profiles: Mapping[str, Profile], roles: Roles, proposed: list[Proposed], constants: Sequence[str]
) -> Proposal:
    """Take the leads from the log, each created with its first event, with what each of its rows says alike."""
    column = roles.lead_column
    assert column is not None  # noqa: S101 - the caller asked
    profile = profiles[column.table]
    ingest, comments = _collect(profiles, proposed)
    place = f"ingest.sources.{column.table}.columns.lead_id"
    others = f"; it could also be {', '.join(column.others[:3])}: --lead-id" if column.others else ""
    comments[place] = f"{profile.columns[column.column].distinct:,} leads{others}"
    occurred = occurred_column(profile)
    mapping = Proposal(ingest, comments, roles)
    in_query = {column.column, occurred.name if occurred else column.column}
    if occurred is None or not (constants or column.kind) or in_query & profile.table.nested:
        return mapping
    time = time_sql(identifier(occurred.name), occurred)
    first = "".join(f",\n  arg_min({identifier(name)}, {time}) AS {identifier(name)}" for name in constants)
    only = ""
    if column.kind:
        kind, value = column.kind
        only = f"WHERE {identifier(kind)} = {literal(value)} "
        _tell_kinds_apart(ingest["sources"], column.table, column.column, kind, value)
        _add_tables(ingest, profiles, [column.table])
        mapping.notes.append(
            f"{kind} tells several kinds of things apart: {value} is taken for the lead, the others are set aside"
        )
    query = (
        f"SELECT {identifier(column.column)} AS lead_id, min({time}) AS created_at{first}\n"
        f"FROM {identifier(in_settings(column.table))} {only}GROUP BY 1"
    )
    mapping.attributes = [one for one in judge_by_name(profile, []) if one.name in constants]
    ingest["leads"] = {
        "query": query,
        "columns": {"lead_id": "lead_id", "created_at": "created_at"},
        "attributes": {},
    }
    comments["ingest.leads"] = "each id of the log, created with its first event"
    return mapping


def _tell_kinds_apart(sources: dict[str, Any], table: str, column: str, kind: str, value: str) -> None:
    """Let the source name only the wanted kind by its bare id, so that the others are no leads."""
    source = sources.pop(table)
    at, of = identifier(column), identifier(kind)
    query = f"SELECT CASE WHEN {of} = {literal(value)} THEN {at} ELSE concat_ws(' ', {of}, {at}) END AS {LINKED}, *\n"
    reading_keys = {"path", "delimiter", "encoding", "database", "query"}
    rest = {key: part for key, part in source.items() if key not in reading_keys}
    rest["columns"] = {**rest["columns"], "lead_id": LINKED}
    sources[f"{table}_events"] = {"query": f"{query}FROM {identifier(in_settings(table))}", **rest}


def _constant_columns(tables: Tables, profiles: Mapping[str, Profile], lead: LeadColumn) -> list[str]:
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
    row = tables.ask(
        f"SELECT {counts} FROM (SELECT {distinct} FROM {profile.table.relation} GROUP BY {identifier(lead.column)})"
    )[0]
    return [name for name, share in zip(columns, row, strict=True) if float(str(share)) >= _CONSTANT]


def _collect(profiles: Mapping[str, Profile], proposed: Sequence[Proposed]) -> tuple[dict[str, Any], dict[str, str]]:
    ingest: dict[str, Any] = {"tables": {}, "sources": {}}
    comments: dict[str, str] = {}
    for source in proposed:
        name = in_settings(source.name)
        ingest["sources"][name] = source.settings
        comments |= {f"ingest.sources.{name}.{place}": text for place, text in source.comments.items()}
    for source in proposed:
        _add_tables(ingest, profiles, [name for name in source.reads if in_settings(name) not in ingest["sources"]])
    if not ingest["tables"]:
        del ingest["tables"]
    return ingest, comments


def _add_tables(ingest: dict[str, Any], profiles: Mapping[str, Profile], names: Sequence[str]) -> None:
    for name in names:
        if in_settings(name) not in ingest.get("sources", {}):
            ingest.setdefault("tables", {})[in_settings(name)] = profiles[name].table.settings.model_dump(
                exclude_defaults=True, mode="json"
            )
    if "tables" in ingest:  # first among the keys
        ordered = {"tables": ingest.pop("tables")}
        rest = dict(ingest)
        ingest.clear()
        ingest.update(ordered | rest)


def _names(source: Proposed) -> list[str]:
    """List the raw columns that a source names."""
    columns = source.settings["columns"]
    names: list[str] = [*columns.get("events", {})]
    for value in columns.values():
        names += [value] if isinstance(value, str) else value if isinstance(value, list) else []
    known = source.settings["known_at"]
    return names + ([known["column"]] if isinstance(known, dict) and "column" in known else [])


def _taken(profile: Profile) -> list[str]:
    return [name for name in profile.columns if has(name, TIME_ZONE) or has(name, CURRENCY)]


def _spend(profile: Profile) -> dict[str, Any]:
    day = next(column.name for column in profile.of_kind("time"))
    cost = next(column.name for column in profile.of_kind("number") if has(column.name, SPEND_COST))
    columns: dict[str, Any] = {"day": day, "cost": cost}
    for key, pattern in (
        ("channel", CHANNEL),
        ("traffic_source", "source|utm source"),
        ("traffic_medium", "medium|utm medium"),
        ("campaign", CAMPAIGN),
        ("currency", CURRENCY),
        ("clicks", "clicks|klicks|clics"),
    ):
        named = next((name for name in profile.columns if has(name, pattern) and name not in columns.values()), None)
        if named and not (key.startswith("traffic") and "channel" in columns):
            columns[key] = named
    return {**reading(profile, [day, cost]), "columns": columns}


def _settle_currency(tables: Tables, profiles: Mapping[str, Profile], mapping: Proposal) -> None:
    """Name the currency that most amounts are in; where there are several, rates must be stated."""
    parts = [*mapping.ingest["sources"].values(), *([mapping.ingest["spend"]] if "spend" in mapping.ingest else [])]
    named = {part["columns"]["currency"] for part in parts if "currency" in part["columns"]}
    counts = _count_currencies(tables, profiles, named)
    if not counts:
        return
    most = max(counts, key=lambda text: (counts[text], text))
    mapping.ingest["currency"] = most.upper()
    listed = ", ".join(f"{text} ({count:,})" for text, count in sorted(counts.items(), key=lambda item: -item[1])[:5])
    mapping.comments["ingest.currency"] = f"amounts come in {listed}"
    if len(counts) > 1:
        mapping.notes.append(
            f"amounts come in {len(counts)} currencies ({listed}), so none is used; name a table of exchange rates "
            "under ingest.rates, and map value and currency"
        )
        _leave_money_out(mapping)
        return
    for part in parts:  # every amount needs a currency where one has it
        if {"value", "cost"} & part["columns"].keys() and "currency" not in part["columns"]:
            part["columns"]["currency"] = {"constant": most.upper()}


def _leave_money_out(mapping: Proposal) -> None:
    """Take out what would add up pounds and yen."""
    for part in mapping.ingest["sources"].values():
        for name in ("value", "currency"):
            part["columns"].pop(name, None)
    for name in ("currency", "spend"):
        mapping.ingest.pop(name, None)


def _count_currencies(tables: Tables, profiles: Mapping[str, Profile], named: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for profile in profiles.values():
        for name in sorted(set(named) & profile.columns.keys()):
            column = f"CAST({identifier(name)} AS VARCHAR)"
            rows = tables.ask(
                f"SELECT {column}, count(*) FROM {profile.table.relation} WHERE {column} <> '' GROUP BY 1"
            )
            for text, count in rows:
                counts[str(text)] = counts.get(str(text), 0) + int(str(count))
    return counts
