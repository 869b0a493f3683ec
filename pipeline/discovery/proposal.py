"""The proposed mapping of all tables: ``ingest`` of the settings, with a comment on each line that was inferred."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from features.core.errors import InputError, nearest
from pipeline.core.sql import identifier, literal
from pipeline.discovery.assumed import Looks, assumed_creation, numbered_rows
from pipeline.discovery.attributes import Attribute, find_parents, judge_by_name
from pipeline.discovery.currencies import settle_currencies
from pipeline.discovery.ends import Ends, ends_of_leads, ends_of_log
from pipeline.discovery.merges import merges_in_leads, settle_merges
from pipeline.discovery.owners import propose_owners
from pipeline.discovery.people import Asked, PeopleTables, propose_people, without_idle_tables
from pipeline.discovery.scattered import constant_columns, constants_of_all, said_of_persons, scattered_leads
from pipeline.discovery.sources import names_read, propose_sources, said_of_tables, tell_rows_apart
from pipeline.discovery.trailing import set_trailing_apart
from pipeline.profiling.empty_words import comment_on_words
from pipeline.profiling.events import Proposed, reading
from pipeline.profiling.joins import LINKED, is_direct
from pipeline.profiling.leads import ROW, LeadColumn, LeadTable
from pipeline.profiling.links import find_links, said_of_shared
from pipeline.profiling.profile import Profile, time_sql
from pipeline.profiling.registers import SPEND_COST
from pipeline.profiling.roles import Roles, find_roles
from pipeline.profiling.tables import HAPPENED, Tables, in_settings
from pipeline.profiling.times import Ask, occurred_column
from pipeline.profiling.words import (
    ACCOUNT,
    CAMPAIGN,
    CHANNEL,
    CREATED,
    CURRENCY,
    IDENTIFIER,
    SURE,
    TIME_ZONE,
    has,
    plain,
    rank,
)
from pipeline.settings.table import Extent


@dataclass
class Proposal:
    """The proposed ``ingest``; comments by their places in the settings."""

    ingest: dict[str, Any]
    comments: dict[str, str]
    roles: Roles
    attributes: list[Attribute] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    looks: Looks | None = None
    """Where it is assumed when leads converted: when they are looked at, and the horizon that this was made for."""
    labels: str | None = None
    """The table that says who converted."""
    reads: Sequence[str] = ()
    """The tables that say more of the leads."""
    people: PeopleTables = field(default_factory=PeopleTables)
    """What people said of leads, and leads of themselves."""


def propose(
    tables: Tables,
    profiles: Mapping[str, Profile],
    *,
    leads: str | None,
    lead_id: str | None,
    event_type: str | None,
    outcome: str | None,
    horizon: timedelta | None,
    survivor: str | None,
    ask: Ask | None,
    said_ends: Collection[str] = (),
) -> Proposal:
    """Propose how the tables become one log; the options are what the user has said, as how leads end.

    Raises InputError where no table tells of leads, or what was said is not there.
    """
    links = find_links(tables, profiles)
    roles = find_roles(tables, profiles, links, leads, lead_id, said_ends)
    if roles.identities is not None:
        settled = settle_merges(tables, profiles, roles.identities, roles.lead_table, survivor, ask)
        roles = replace(roles, identities=settled)
    profiles, no_events = set_trailing_apart(tables, profiles, roles)
    constants = constant_columns(tables, profiles, roles.lead_column) if roles.lead_column else []
    if event_type is not None and not any(event_type in profile.columns for profile in profiles.values()):
        columns = [name for profile in profiles.values() for name in profile.columns]
        raise InputError(f"--event-type {event_type}: no table has such a column; {nearest(event_type, columns)[:300]}")
    proposed = propose_sources(tables, profiles, roles, constants, event_type, dates=outcome is None)
    repeated = tell_rows_apart(tables, profiles, proposed)
    silent = "nothing says when its rows happened, or when their ids became the lead's"
    told_of = {source.table for source in proposed} | {
        link.target for found in roles.events.values() for way in found for link in way
    }
    idle = {name: silent for name in roles.events if name not in told_of}
    roles = replace(roles, unused={**roles.unused, **idle})
    lead, column = roles.lead_table, roles.lead_column
    if lead is not None:
        mapping = _with_lead_table(tables, profiles, roles, lead, proposed, outcome, horizon)
    else:
        assert column is not None  # noqa: S101 - one or the other names the lead
        ends = ends_of_log(tables, profiles, roles, column, proposed, outcome, horizon)
        mapping = _with_lead_column(tables, profiles, roles, column, ends, constants)
    if roles.identities is not None:
        alias = roles.identities
        mapping.ingest["identities"] = {
            **reading(profiles[alias.table], [alias.linked_at]),
            "columns": {"alias_id": alias.alias, "lead_id": alias.lead, "linked_at": alias.linked_at},
        }
        mapping.comments["ingest.identities"] = "ids that are one lead, each from the moment it was linked"
        mapping.comments["ingest.identities.columns.lead_id"] = f"what is left: {alias.alias} is the other one's id"
    elif lead is not None and (merged := merges_in_leads(tables, profiles[lead.table], lead)):
        mapping.ingest["identities"] = merged[0]
        mapping.notes.append(merged[1])
        _add_tables(mapping.ingest, profiles, [lead.table])
    mapping.people = _settle_people(Asked(tables, profiles, roles, mapping.people), mapping)
    told_of_rates = _settle_money(tables, profiles, mapping)
    mapping.ingest = without_idle_tables(mapping.ingest)
    mapping.notes += [*no_events, *repeated, *(note for source in proposed for note in source.notes)]
    found = [profile.table for profile in profiles.values()]
    words = {(table.settings.path, table.settings.sheet): table.empty_words for table in found}
    mapping.comments.update(comment_on_words(mapping.ingest, words))
    if lead is not None:
        told = (said_of_shared(tables, found, lead.table) for found in roles.events.values())
        mapping.notes += [note for note in told if note]
    mapping.notes += [
        f"{one.table} is no table of leads: {one.before:,} of {one.events:,} events of its {one.key} lie before "
        f"its rows, so these are what leads came to; if it is, say so: --leads {one.table}"
        for one in roles.late
    ]
    mapping.notes += said_of_tables(profiles, [source.table for source in proposed])
    used = {mapping.labels, *mapping.reads, *told_of_rates, *mapping.people.used.values()}
    used |= {name for one in found if one.spelled for name in one.spelled.reads}
    unused = {**roles.unused, **mapping.people.lacks}
    mapping.notes += [
        *(f"{name} is not used: {reason}" for name, reason in unused.items() if name not in used),
        *(column.note for profile in profiles.values() for column in profile.columns.values() if column.note),
    ]
    mapping.notes += _unused_columns(
        profiles, mapping, {(one.table, name) for one in proposed for name in one.used_too}
    )
    return mapping


def _settle_people(asked: Asked, mapping: Proposal) -> PeopleTables:
    """Add what leads agreed to, what people decided, and who owns which of the leads."""
    propose_people(asked)
    propose_owners(asked)
    mapping.ingest |= asked.proposal.settings
    mapping.comments |= asked.proposal.comments
    _add_tables(mapping.ingest, asked.profiles, asked.proposal.reads)
    return asked.proposal


def _settle_money(tables: Tables, profiles: Mapping[str, Profile], mapping: Proposal) -> list[str]:
    """Add what was spent, the currency of all amounts, and the rates; gives the table of rates if it tells of it."""
    roles = mapping.roles
    if roles.spend is not None:
        mapping.ingest["spend"] = _spend(profiles[roles.spend])
        mapping.comments["ingest.spend"] = "what was spent on advertising, for the cost of a lead"
        mapping.notes += _said_of_zones(profiles[roles.spend])
    money = settle_currencies(tables, profiles, roles.registers.rates, mapping.ingest)
    mapping.comments |= money.comments
    mapping.notes += money.notes
    _add_tables(mapping.ingest, profiles, money.reads)
    return [roles.registers.rates.table] if roles.registers.rates and money.tells_of_rates else []


def _unused_columns(
    profiles: Mapping[str, Profile], mapping: Proposal, used_too: Collection[tuple[str, str]]
) -> list[str]:
    """Name the columns of the tables of events that nothing is made of."""
    said = repr([mapping.ingest.get(part) for part in ("sources", "identities", "spend", "leads")])
    known = {one.name for one in mapping.attributes}
    notes = []
    for name in (*mapping.roles.events, *([mapping.roles.lead_table.table] if mapping.roles.lead_table else [])):
        unused = [
            column
            for column in profiles[name].columns
            if repr(column)[1:-1] not in said and column not in (*known, HAPPENED) and (name, column) not in used_too
        ]
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
    ends = ends_of_leads(tables, profiles, roles, lead, proposed, outcome, horizon)
    proposed = ends.proposed
    created, relation = lead.created_at, profile.table.relation
    query: str | None = None
    notes: list[str] = []
    if created is None or rank(created, CREATED) < SURE:
        _refuse_unread_creation(profile)
    if created is None:
        query, created, said = assumed_creation(profile, lead)
        relation = f"(\n{query}\n)"
        notes.append(said)
    elif lead.key == ROW:
        relation = numbered_rows(profile)
        query = f"SELECT * FROM {relation}"
        notes.append(f"no column of {profile.name} names its rows: each lead is named by the place of its row")
    of_parents, joined, reads = find_parents(profiles, lead.table, roles.parents, relation)
    query = joined if reads else query
    lead_settings = {"query": query} if query else {}
    read = [created, *(column.name for column in profile.of_kind("number"))]
    lead_settings |= reading(profile, read, from_query=query is not None)
    notes += ends.notes
    # What an outcome is made of, its amount too, is no attribute of the lead.
    taken = [name for source in proposed if source.table == lead.table for name in names_read(source)]
    taken += [name for name in profile.columns if has(name, f"{TIME_ZONE}|{CURRENCY}")]
    attributes = [*judge_by_name(profile, [lead.key, created, *ends.taken, *taken]), *of_parents]
    attributes = _without_changed(attributes, profiles, roles, lead)
    columns: dict[str, Any] = {"lead_id": lead.key, "created_at": created}
    account = rf"(?:{ACCOUNT}) ?(?:{IDENTIFIER})|(?:{IDENTIFIER}) (?:{ACCOUNT})"
    for key, pattern in (("account_id", account), ("time_zone", TIME_ZONE)):
        named = next((name for name in profile.columns if has(name, pattern) and name != lead.key), None)
        if named:
            columns[key] = named
    ingest, comments = _collect(profiles, proposed)
    ingest["leads"] = {**lead_settings, "columns": columns, "attributes": {}}
    if query:
        _add_tables(ingest, profiles, [lead.table, *reads])
    count = profile.columns[lead.key].distinct if lead.key != ROW else profile.rows
    comments["ingest.leads"] = f"{lead.table}: {profile.rows:,} rows, {count:,} leads"
    comments["ingest.leads.columns.created_at"] = "when the lead came to be; its age counts from here"
    return Proposal(
        ingest,
        comments,
        roles,
        attributes,
        notes,
        looks=ends.looks,
        labels=ends.labels,
        reads=reads,
    )


def _refuse_unread_creation(profile: Profile) -> None:
    """Raise InputError where a column is called the creation, and can't be read: another time says something else."""
    for column in profile.columns.values():
        if column.note and rank(column.name, CREATED) >= SURE:
            raise InputError(f"{column.note}, or take the column out if it does not say when leads came to be")


def _without_changed(
    attributes: Sequence[Attribute], profiles: Mapping[str, Profile], roles: Roles, lead: LeadTable
) -> list[Attribute]:
    """Refuse the attributes of which a history of the leads' fields tells that they changed."""
    changed = {
        plain(field): name
        for name, ways in roles.events.items()
        if (spelled := profiles[name].table.spelled) and any(is_direct(way, lead) for way in ways)
        for field in spelled.fields
    }
    return [
        replace(one, refused=f"{changed[plain(one.name)]} says that it changes")
        if plain(one.name) in changed and not one.refused
        else one
        for one in attributes
    ]


def _with_lead_column(
    tables: Tables,
    profiles: Mapping[str, Profile],
    roles: Roles,
    column: LeadColumn,
    ends: Ends,
    constants: Sequence[str],
) -> Proposal:
    """Take the leads from the log, each created with its first event, with what each of its rows says alike."""
    profile = profiles[column.table]
    ingest, comments = _collect(profiles, ends.proposed)
    place = f"ingest.sources.{column.table}.columns.lead_id"
    others = f"; it could also be {', '.join(column.others[:3])}: --lead-id" if column.others else ""
    comments[place] = f"{profile.columns[column.column].distinct:,} leads{others}"
    occurred = occurred_column(profile)
    notes = [*ends.notes, *(() if roles.identities else said_of_persons(tables, profiles, column))]
    mapping = Proposal(ingest, comments, roles, notes=notes, looks=ends.looks, labels=ends.labels)
    if occurred is None or {column.column, occurred.name} & profile.table.nested:
        return mapping
    if not (constants or column.kind or roles.identities or len(ends.proposed) > 1):
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
    untimed = ends.labels if ends.looks else None
    names = list(dict.fromkeys(source.table for source in ends.proposed if source.table != untimed))
    if column.kind is None and (len(names) > 1 or roles.identities):
        said = constants_of_all(tables, profiles, column, names, constants)
        query, reads, said_of_late = scattered_leads(tables, profiles, column, names, said, roles.identities)
        constants = [one for listed in said.values() for one in listed]
        mapping.notes += said_of_late
        _add_tables(ingest, profiles, reads)
    if not (constants or column.kind or roles.identities):
        return mapping
    judged = [one for name in dict.fromkeys([column.table, *names]) for one in judge_by_name(profiles[name], [])]
    mapping.attributes = [one for one in {one.name: one for one in reversed(judged)}.values() if one.name in constants]
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
    reading_keys = {"path", "delimiter", "encoding", "database", "query", *Extent.model_fields}
    rest = {key: part for key, part in source.items() if key not in reading_keys}
    rest["columns"] = {**rest["columns"], "lead_id": LINKED}
    sources[f"{table}_events"] = {"query": f"{query}FROM {identifier(in_settings(table))}", **rest}


def _collect(profiles: Mapping[str, Profile], proposed: Sequence[Proposed]) -> tuple[dict[str, Any], dict[str, str]]:
    ingest: dict[str, Any] = {"sources": {}}
    comments: dict[str, str] = {}
    for source in proposed:
        name = in_settings(source.name)
        ingest["sources"][name] = source.settings
        comments |= {f"ingest.sources.{name}.{place}": text for place, text in source.comments.items()}
    for source in proposed:
        _add_tables(ingest, profiles, source.reads)
    return ingest, comments


def _add_tables(ingest: dict[str, Any], profiles: Mapping[str, Profile], names: Sequence[str]) -> None:
    for name in names:
        if in_settings(name) not in ingest["sources"]:
            settings = profiles[name].table.settings.model_dump(exclude_defaults=True, mode="json")
            ingest.setdefault("tables", {})[in_settings(name)] = settings


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
        ("visits", "visits|visitors|sessions|visites|visiteurs|besuche|besucher"),
    ):
        named = next((name for name in profile.columns if has(name, pattern) and name not in columns.values()), None)
        if named and not (key.startswith("traffic") and "channel" in columns):
            columns[key] = named
    return {**reading(profile, [day, cost]), "columns": columns}


def _said_of_zones(profile: Profile) -> list[str]:
    """Tell that the days of what was spent are taken as they are written, whatever zone a column names."""
    return [
        f"{profile.name}.{column.name} says in which zone a day is ({', '.join(column.values[:3])}); it is not used: "
        "each day counts as it is written"
        for column in profile.of_kind("category", "flag")
        if has(column.name, TIME_ZONE)
    ]
