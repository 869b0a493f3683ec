"""From raw columns to the schema, as SQL: what each field is made of and when a row can't be used."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from features.core.time import microseconds
from pipeline.core.sql import literal
from pipeline.ingest.source_table import SourceTable, adds_up
from pipeline.reading import channels, money, totals
from pipeline.reading.mapped_table import MappedTable, Problem, problem
from pipeline.reading.moments import TOO_EARLY, moment, moment_problems, timestamp
from pipeline.reading.nothing import id_problems, is_word, unless_word
from pipeline.reading.owners import map_owners
from pipeline.reading.quarantine import NO_EVENT, OWN_WRITE
from pipeline.reading.texts import LARGEST_WHOLE, Columns, as_text, names, number, text
from pipeline.settings.events import ActorByType, KnownColumn, KnownDelay
from pipeline.settings.ingest import (
    Identities,
    Ingest,
    InteractionColumns,
    Leads,
    Source,
)
from pipeline.settings.types import Column, Strict

SLACK = timedelta(days=1)
"""How far clocks may differ before a time lies in the future."""

DAMAGED = "NUL bytes"
"""What a crash leaves in a file: a name that holds them is not the name it was."""


def required_of(columns: Strict, *fields: str) -> dict[str, list[str]]:
    """List the raw columns of some fields, but for those that are constant."""
    found = {name: names(getattr(columns, name)) for name in fields}
    return {name: listed for name, listed in found.items() if listed}


def plan_tables(settings: Ingest, make: Callable[..., SourceTable]) -> list[SourceTable]:
    """Plan the tables that become part of the log, or of what is beside it; raises SettingsError."""
    found = [
        make(name, source, partial(map_source, source, settings.channels), *_columns_of_source(source))
        for name, source in settings.sources.items()
    ]
    if settings.leads:
        leads, own = settings.leads, settings.leads.columns
        wanted = wanted_of(own.lead_id, own.created_at, own.account_id, own.time_zone) + list(leads.attributes)
        times = {"created_at": own.created_at}
        required = required_of(own, "lead_id", "created_at")
        found.append(make("leads", leads, partial(map_leads, leads), wanted, times, required))
    if settings.identities:
        links, ids = settings.identities, settings.identities.columns
        wanted, times = wanted_of(ids.alias_id, ids.lead_id, ids.linked_at), {"linked_at": ids.linked_at}
        required = required_of(ids, "alias_id", "lead_id", "linked_at")
        found.append(make("identities", links, partial(map_identities, links), wanted, times, required))
    if settings.spend:
        spend, costs = settings.spend, settings.spend.columns
        wanted = wanted_of(
            costs.day, costs.channel, costs.campaign, costs.cost, costs.currency, costs.clicks, costs.visits,
            *costs.traffic().values(),
        )  # fmt: skip
        map_spend = partial(money.map_spend, spend, settings.channels)
        required = required_of(costs, "day", "cost", "currency")
        found.append(make("spend", spend, map_spend, wanted, {"day": costs.day}, required))
    if settings.rates:
        rates, given = settings.rates, settings.rates.columns
        wanted = wanted_of(given.day, given.currency, given.rate)
        required = required_of(given, "day", "currency", "rate")
        found.append(make("rates", rates, partial(money.map_rates, rates), wanted, {"day": given.day}, required))
    if settings.owners:
        owners, own_columns = settings.owners, settings.owners.columns
        days = {"from": own_columns.from_, "until": own_columns.until}
        named = [own_columns.territory, own_columns.owner, *days.values(), own_columns.per_day]
        times = {name: column for name, column in days.items() if column}
        required = required_of(own_columns, "territory", "owner")
        found.append(make("owners", owners, partial(map_owners, owners), wanted_of(*named), times, required))
    return found


def _columns_of_source(source: Source) -> tuple[list[str], dict[str, str], dict[str, list[str]]]:
    """Give the raw columns of a source that are wanted, those that hold times, and those that are required."""
    columns = source.columns
    times = {"occurred_at": columns.occurred_at} if columns.occurred_at else {}
    times |= {column: column for column in columns.events}
    if isinstance(source.known_at, KnownColumn):
        times["known_at"] = source.known_at.column
    wanted = wanted_of(
        columns.lead_id, columns.event_type, columns.channel, columns.campaign, columns.content, columns.value,
        columns.currency, columns.quantity, columns.event_id, *columns.counts, *columns.traffic().values(),
        *times.values(),
        source.own_writes.column if source.own_writes else None,
    )  # fmt: skip
    required = required_of(columns, "lead_id", "occurred_at", "event_type")
    required |= {name: [*listed] for name in ("events", "counts") if (listed := getattr(columns, name))}
    required |= {"known_at": [source.known_at.column]} if isinstance(source.known_at, KnownColumn) else {}
    return wanted, times, required


def wanted_of(*columns: Column | None) -> list[str]:
    """List the raw columns that some fields are made of."""
    return [name for column in columns for name in names(column)]


def _event_id(column: Column | None, raw: Columns) -> str:
    """Give what tells events apart; of several columns their hash, for among them may be what is nobody's business."""
    named = names(column)
    if len(named) < 2:  # noqa: PLR2004 - one column, a constant or none
        return unless_word(text(column, raw)) if column else text(None, raw)
    parts = ", ".join(f"coalesce({as_text(raw[name])}, '')" for name in named)
    return f"CASE WHEN {text(column, raw)} IS NOT NULL THEN md5(concat_ws(chr(31), {parts})) END"


def map_source(source: Source, rules: channels.Rules, raw: Columns, now: datetime) -> MappedTable:
    """Map a source onto the interactions, but for source, local_day and local_hour.

    A time is in the future after ``now`` (UTC) and a day; a stated delay is added to that, for what has just occurred
    counts as known only later. Planned events may occur up to 2100 if they are known already.
    """
    columns = source.columns
    limit = now + SLACK
    known_at = "occurred_at"
    shape = _shape(columns, raw, source)
    expressions = {
        "lead_id": text(columns.lead_id, raw),
        "campaign": text(columns.campaign, raw),
        "content": text(columns.content, raw),
        "event_id": _event_id(columns.event_id, raw),
        **channels.expressions(columns, columns.channel, raw),
        **number("value", columns.value, raw, source, money.constant(columns.currency)),
        **money.expressions(columns.currency, raw),
        **shape.expressions,
    }
    if columns.occurred_at and adds_up(columns):
        expressions |= totals.labels(columns, columns.occurred_at, raw)
    known_problems: list[Problem] = []
    if isinstance(source.known_at, KnownColumn):
        known_at = "known_at"
        expressions |= moment("known_at", source.known_at.column, raw, source)
        known_problems = moment_problems("known_at")
    elif isinstance(source.known_at, KnownDelay):
        known_at = f"occurred_at + to_microseconds({microseconds(source.known_at.delay)})"
        limit += source.known_at.delay
    own_problems: list[Problem] = []
    if source.own_writes:
        expressions["own_user"] = text(source.own_writes.column, raw)
        own_problems = [problem(f"trim(own_user) IN ({', '.join(map(literal, source.own_writes.users))})", OWN_WRITE)]
    problems = (
        *own_problems,
        problem("lead_id IS NULL", "missing lead_id"),
        problem(damaged("lead_id"), DAMAGED),
        *id_problems("lead_id"),
        *shape.problems,
        *known_problems,
        problem(f"{known_at} > {timestamp(limit)}", "known_at in the future"),
        problem("event_type IS NULL", "missing event_type"),
        problem(damaged("event_type"), DAMAGED),
        problem("value_given AND value IS NULL", "unreadable value"),
        problem("NOT isfinite(value)", "value is not finite"),
        *money.problems(columns.currency, "value"),
        problem("NOT isfinite(quantity)", "quantity is not finite"),
        problem(f"abs(quantity) >= {LARGEST_WHOLE}", "quantity is too large"),
        problem("quantity <> trunc(quantity)", "quantity is not a whole number"),
        problem("quantity < 1", "quantity below 1"),
    )
    fields = {
        "lead_id": "lead_id",
        "occurred_at": "occurred_at",
        "known_at": known_at,
        "event_type": "event_type",
        "actor": _actor(source.actor),
        "campaign": "campaign",
        "content": "content",
        "value": "value",
        "quantity": "CASE WHEN quantity IS NULL THEN 1 ELSE TRY_CAST(quantity AS BIGINT) END",
        "event_id": "event_id",
        **channels.fields(columns, rules),
        **money.fields(columns.currency),
        **(totals.LABELS if adds_up(columns) else {}),
    }
    return replace(shape, expressions=expressions, problems=problems, fields=fields)


_AFTER_2100 = "occurred_at >= TIMESTAMP '2100-01-01'"


def _shape(columns: InteractionColumns, raw: Columns, source: Source) -> MappedTable:
    """Map when and what happened, once a row or once for each entry; it keeps no fields yet."""
    if columns.events:
        return _shape_of_events(columns, raw, source)
    assert columns.occurred_at  # the settings ask for it  # noqa: S101 - narrows the type
    occurred = moment("occurred_at", columns.occurred_at, raw, source)
    problems = (*moment_problems("occurred_at"), problem(_AFTER_2100, "occurred_at after 2100"))
    if columns.counts:
        return _shape_of_counts(columns, raw, source, occurred, problems)
    quantity = number("quantity", columns.quantity, raw, source)
    expressions = {**occurred, **quantity, "event_type": text(columns.event_type, raw)}
    unreadable = problem("quantity_given AND quantity IS NULL", "unreadable quantity")
    return MappedTable(expressions, (*problems, unreadable), fields={})


def _shape_of_events(columns: InteractionColumns, raw: Columns, source: Source) -> MappedTable:
    """Make an entry of each column that holds a time; a row without one is an entry that says so."""
    problems = (
        problem("NOT occurred_at_given", NO_EVENT),
        ("occurred_at IS NULL", "'unreadable ' || column_name"),
        *((f"occurred_at {test}", f"column_name || {literal(f' {what}')}") for test, what in TOO_EARLY),
        (_AFTER_2100, "column_name || ' after 2100'"),
    )
    read = [moment("occurred_at", column, raw, source) for column in columns.events]
    listed, parts = _list(columns.events, read, "entry.occurred_at_given")
    quantity = number("quantity", columns.quantity, raw, source)
    return MappedTable(quantity, problems, {}, listed, columns.width, parts)


def _shape_of_counts(
    columns: InteractionColumns,
    raw: Columns,
    source: Source,
    occurred: dict[str, str],
    problems: tuple[Problem, ...],
) -> MappedTable:
    """Make an entry of each column that counts something, or can't be read."""
    counted = (
        *problems,
        problem("NOT quantity_given", NO_EVENT),
        ("quantity IS NULL", "'unreadable ' || column_name"),
        ("quantity < 0", "column_name || ' below 0'"),
    )
    read = [number("quantity", column, raw, source) for column in columns.counts]
    listed, parts = _list(columns.counts, read, "entry.quantity_given AND entry.quantity IS DISTINCT FROM 0")
    return MappedTable(occurred, counted, {}, listed, columns.width, parts)


def _list(types: Mapping[str, str], read: Sequence[dict[str, str]], holds: str) -> tuple[str, tuple[str, ...]]:
    """Write the list of the entries that hold something, or else one that holds nothing; and its members' names.

    ``types`` are the columns with their event types, ``read`` is what is read of each.
    """
    entries = [
        {"position": str(position), "column_name": literal(column), "event_type": literal(event_type)} | values
        for position, ((column, event_type), values) in enumerate(zip(types.items(), read, strict=True))
    ]
    structs = ", ".join("{" + ", ".join(f"'{name}': {sql}" for name, sql in entry.items()) + "}" for entry in entries)
    members = tuple(entries[0])
    given = f"{'occurred_at' if 'occurred_at' in members else 'quantity'}_given"
    nothing = ", ".join(
        f"'{name}': {'0' if name == 'position' else 'false' if name == given else 'NULL'}" for name in members
    )
    found = f"list_filter([{structs}], lambda entry: {holds})"
    listed = f"CASE WHEN len({found}) = 0 THEN [{{{nothing}}}] ELSE {found} END"
    return listed, members[1:]


def map_leads(leads: Leads, raw: Columns, now: datetime) -> MappedTable:
    """Map the leads table: the fields of a lead, then attribute_0, unreadable_0 (a flag), attribute_1 ...

    An attribute that is no finite number where it should be is missing; its row stays.
    """
    columns = leads.columns
    expressions = {
        "lead_id": text(columns.lead_id, raw),
        "account_id": text(columns.account_id, raw),
        "time_zone": text(columns.time_zone, raw),
        **moment("created_at", columns.created_at, raw, leads),
    }
    fields = {name: name for name in ("lead_id", "created_at", "account_id", "time_zone")}
    fields |= {"account_id": unless_word("account_id"), "nameless": f"coalesce({is_word('account_id')}, false)"}
    for position, (name, kind) in enumerate(leads.attributes.items()):
        attribute = f"attribute_{position}"
        if kind == "number":
            expressions |= number(attribute, name, raw, leads)
            fields[attribute] = f"CASE WHEN isfinite({attribute}) THEN {attribute} END"
            fields[f"unreadable_{position}"] = f"{attribute}_given AND NOT coalesce(isfinite({attribute}), false)"
        else:
            fields[attribute] = attribute
            fields[f"unreadable_{position}"] = "false"
            expressions[attribute] = text(name, raw)
    problems = (
        problem("lead_id IS NULL", "missing lead_id"),
        problem(damaged("lead_id"), DAMAGED),
        *id_problems("lead_id"),
        *moment_problems("created_at"),
        problem(f"created_at > {timestamp(now + SLACK)}", "created_at in the future"),
    )
    return MappedTable(expressions, problems, fields)


def map_identities(identities: Identities, raw: Columns, now: datetime) -> MappedTable:
    """Map the identities table: alias_id, lead_id, linked_at."""
    columns = identities.columns
    expressions = {
        "alias_id": text(columns.alias_id, raw),
        "lead_id": text(columns.lead_id, raw),
        **moment("linked_at", columns.linked_at, raw, identities),
    }
    problems = (
        problem("alias_id IS NULL", "missing alias_id"),
        problem("lead_id IS NULL", "missing lead_id"),
        problem(f"{damaged('alias_id')} OR {damaged('lead_id')}", DAMAGED),
        *id_problems("alias_id"),
        *id_problems("lead_id"),
        *moment_problems("linked_at"),
        problem(f"linked_at > {timestamp(now + SLACK)}", "linked_at in the future"),
        problem("alias_id = lead_id", "links to itself"),
    )
    return MappedTable(expressions, problems, {name: name for name in ("alias_id", "lead_id", "linked_at")})


def damaged(field: str) -> str:
    """Write the condition that a text was damaged."""
    return f"contains({field}, chr(0))"


def _actor(actor: str | ActorByType) -> str:
    if not isinstance(actor, ActorByType):
        return literal(actor)
    listed: list[tuple[str, Sequence[str]]] = [("lead", actor.lead), ("us", actor.us), ("system", actor.system)]
    cases = " ".join(f"WHEN {is_listed(types)} THEN '{name}'" for name, types in listed if types)
    return f"CASE {cases} ELSE '{actor.default}' END" if cases else literal(actor.default)


def is_listed(types: Sequence[str]) -> str:
    """Say whether the event type is one of the texts, or fits one that is a glob."""
    globs = "".join(f" OR event_type GLOB {literal(name)}" for name in types if re.search(r"[*?\[]", name))
    return f"(event_type IN ({', '.join(map(literal, types))}){globs})"
