"""From raw columns to the schema, as SQL: what each field is made of and when a row can't be used.

Times. A text with an offset (or a zone's name) obeys it, one without is a local time of the table's time zone, a date
alone is its midnight. On the day that summer time ends, the hour that occurs twice is taken as the second one (winter
time); on the day that it begins, a time in the hour that doesn't exist is moved forward by an hour:

    Europe/Amsterdam    2025-10-26 02:30  ->  01:30 UTC     2025-03-30 02:30  ->  01:30 UTC (03:30 there)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from features.duration import microseconds
from features.errors import InputError, SettingsError
from pipeline.readers import RawColumn
from pipeline.source_configuration import (
    ActorByType,
    Column,
    Constant,
    Identities,
    KnownColumn,
    KnownDelay,
    Leads,
    Source,
    Table,
)
from pipeline.sql import literal

SLACK = timedelta(days=1)
"""How far clocks may differ before a time lies in the future."""
LINE_BITS = 40
"""A row's sequence is the number of its file times 2 ** LINE_BITS, plus its line."""

_EPOCHS = {"epoch_seconds": 1_000_000, "epoch_milliseconds": 1_000, "epoch_microseconds": 1}
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999 in microseconds since 1970: other times can't be read."""
_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_LARGEST_WHOLE = 2**53
"""Beyond it a DOUBLE skips whole numbers."""

Columns = Mapping[str, RawColumn]


@dataclass(frozen=True)
class MappedTable:
    """What to compute of each raw row, when it can't be used, and what to keep.

    ``expressions`` are over the raw columns; ``problems`` (condition, reason; the first that holds counts) and
    ``fields`` are over the expressions' names.
    """

    expressions: dict[str, str]
    problems: tuple[tuple[str, str], ...]
    fields: dict[str, str]

    def query(self, relation: str, file_number: int) -> str:
        """Write the SQL: sequence, reason (null where the row can be used), then the fields."""
        expressions = "".join(f", {sql} AS {name}" for name, sql in self.expressions.items())
        cases = " ".join(f"WHEN {condition} THEN {literal(reason)}" for condition, reason in self.problems)
        fields = "".join(f", {sql} AS {name}" for name, sql in self.fields.items())
        return (
            f"SELECT {file_number << LINE_BITS} + line AS sequence, "
            f"CASE WHEN raw_reason IS NOT NULL THEN raw_reason {cases} END AS reason{fields} "
            f"FROM (SELECT line, reason AS raw_reason{expressions} FROM ({relation}))"
        )


def source_columns(source: Source) -> list[str]:
    """List the raw columns that a source needs."""
    columns = source.columns
    known = [source.known_at.column] if isinstance(source.known_at, KnownColumn) else []
    fields: list[Column | None] = [
        columns.lead_id, columns.occurred_at, columns.event_type, columns.channel, columns.campaign,
        columns.value, columns.quantity, columns.event_id,
    ]  # fmt: skip
    return [name for field in fields for name in _names(field)] + known


def lead_columns(leads: Leads) -> list[str]:
    """List the raw columns that the leads table needs."""
    columns = leads.columns
    fields: list[Column | None] = [columns.lead_id, columns.created_at, columns.account_id, columns.time_zone]
    return [name for field in fields for name in _names(field)] + list(leads.attributes)


def identity_columns(identities: Identities) -> list[str]:
    """List the raw columns that the identities table needs."""
    columns = identities.columns
    fields: list[Column | None] = [columns.alias_id, columns.lead_id, columns.linked_at]
    return [name for field in fields for name in _names(field)]


def map_source(source: Source, raw: Columns, now: datetime) -> MappedTable:
    """Map a source onto the interactions, but for source, local_day and local_hour.

    A time is in the future after ``now`` (UTC) and a day; a stated delay is added to that, for what has just occurred
    counts as known only later. Planned events may occur up to 2100 if they are known already.
    """
    columns = source.columns
    limit = now + SLACK
    known_at = "occurred_at"
    expressions = {
        "lead_id": _text(columns.lead_id, raw),
        "event_type": _text(columns.event_type, raw),
        "channel": _text(columns.channel, raw),
        "campaign": _text(columns.campaign, raw),
        "event_id": _text(columns.event_id, raw),
        **_moment("occurred_at", columns.occurred_at, raw, source),
        **_number("value", columns.value, raw),
        **_number("quantity", columns.quantity, raw),
    }
    known_problems: list[tuple[str, str]] = []
    if isinstance(source.known_at, KnownColumn):
        known_at = "known_at"
        expressions |= _moment("known_at", source.known_at.column, raw, source)
        known_problems = _moment_problems("known_at")
    elif isinstance(source.known_at, KnownDelay):
        known_at = f"occurred_at + to_microseconds({microseconds(source.known_at.delay)})"
        limit += source.known_at.delay
    problems = (
        ("lead_id IS NULL", "missing lead_id"),
        *_moment_problems("occurred_at"),
        ("occurred_at >= TIMESTAMP '2100-01-01'", "occurred_at after 2100"),
        *known_problems,
        (f"{known_at} > {_timestamp(limit)}", "known_at in the future"),
        ("event_type IS NULL", "missing event_type"),
        ("value_given AND value IS NULL", "unreadable value"),
        ("NOT isfinite(value)", "value is not finite"),
        ("quantity_given AND quantity IS NULL", "unreadable quantity"),
        (f"NOT isfinite(quantity) OR abs(quantity) > {_LARGEST_WHOLE}", "quantity is not finite"),
        ("quantity <> trunc(quantity)", "quantity is not a whole number"),
        ("quantity < 1", "quantity below 1"),
    )
    fields = {
        "lead_id": "lead_id",
        "occurred_at": "occurred_at",
        "known_at": known_at,
        "event_type": "event_type",
        "actor": _actor(source.actor),
        "channel": "channel",
        "campaign": "campaign",
        "value": "value",
        "quantity": "CASE WHEN quantity IS NULL THEN 1 ELSE TRY_CAST(quantity AS BIGINT) END",
        "event_id": "event_id",
    }
    return MappedTable(expressions, problems, fields)


def map_leads(leads: Leads, raw: Columns, now: datetime) -> MappedTable:
    """Map the leads table: the fields of a lead, then attribute_0, unreadable_0 (a flag), attribute_1 ...

    An attribute that is no finite number where it should be is missing; its row stays.
    """
    columns = leads.columns
    expressions = {
        "lead_id": _text(columns.lead_id, raw),
        "account_id": _text(columns.account_id, raw),
        "time_zone": _text(columns.time_zone, raw),
        **_moment("created_at", columns.created_at, raw, leads),
    }
    fields = {name: name for name in ("lead_id", "created_at", "account_id", "time_zone")}
    for number, (name, kind) in enumerate(leads.attributes.items()):
        attribute = f"attribute_{number}"
        if kind == "number":
            expressions |= _number(attribute, name, raw)
            fields[attribute] = f"CASE WHEN isfinite({attribute}) THEN {attribute} END"
            fields[f"unreadable_{number}"] = f"{attribute}_given AND NOT coalesce(isfinite({attribute}), false)"
        else:
            fields[attribute] = attribute
            fields[f"unreadable_{number}"] = "false"
            expressions[attribute] = _text(name, raw)
    problems = (
        ("lead_id IS NULL", "missing lead_id"),
        *_moment_problems("created_at"),
        (f"created_at > {_timestamp(now + SLACK)}", "created_at in the future"),
    )
    return MappedTable(expressions, problems, fields)


def map_identities(identities: Identities, raw: Columns, now: datetime) -> MappedTable:
    """Map the identities table: alias_id, lead_id, linked_at."""
    columns = identities.columns
    expressions = {
        "alias_id": _text(columns.alias_id, raw),
        "lead_id": _text(columns.lead_id, raw),
        **_moment("linked_at", columns.linked_at, raw, identities),
    }
    problems = (
        ("alias_id IS NULL", "missing alias_id"),
        ("lead_id IS NULL", "missing lead_id"),
        *_moment_problems("linked_at"),
        (f"linked_at > {_timestamp(now + SLACK)}", "linked_at in the future"),
        ("alias_id = lead_id", "links to itself"),
    )
    return MappedTable(expressions, problems, {name: name for name in ("alias_id", "lead_id", "linked_at")})


def _names(column: Column | None) -> list[str]:
    if column is None or isinstance(column, Constant):
        return []
    return column if isinstance(column, list) else [column]


def _text(column: Column | None, raw: Columns) -> str:
    """Texts are taken as given, but an empty one is missing; several are joined, skipping missing ones."""
    if column is None:
        return "NULL::VARCHAR"
    if isinstance(column, Constant):
        return literal(column.constant)
    parts = [_as_text(raw[name]) for name in _names(column)]
    return parts[0] if len(parts) == 1 else f"nullif(concat_ws(' ', {', '.join(parts)}), '')"


def _as_text(column: RawColumn) -> str:
    """Whole numbers are written without a fraction, however they are stored: pandas turns ids into 17.0."""
    sql = column.sql
    if column.type == "VARCHAR":
        return f"nullif({sql}, '')"
    if column.type == "BLOB":
        return f"nullif(TRY(decode({sql})), '')"
    if column.type in ("FLOAT", "DOUBLE"):
        whole = f"{sql} = trunc({sql}) AND abs({sql}) <= {_LARGEST_WHOLE}"
        as_number = f"CASE WHEN {whole} THEN CAST(CAST({sql} AS BIGINT) AS VARCHAR) ELSE CAST({sql} AS VARCHAR) END"
        return f"CASE WHEN NOT isnan({sql}) THEN {as_number} END"
    if column.type.startswith("DECIMAL"):
        whole = f"CAST(CAST({sql} AS HUGEINT) AS VARCHAR)"
        return f"CASE WHEN {sql} = trunc({sql}) THEN {whole} ELSE CAST({sql} AS VARCHAR) END"
    return f"CAST({sql} AS VARCHAR)"


def _number(name: str, column: str | None, raw: Columns) -> dict[str, str]:
    """Give a DOUBLE that is null where it can't be read, and whether there was anything to read."""
    if column is None:
        return {name: "NULL::DOUBLE", f"{name}_given": "false"}
    text = f"trim({_as_text(raw[column])})" if raw[column].type in ("VARCHAR", "BLOB") else raw[column].sql
    return {name: f"TRY_CAST({text} AS DOUBLE)", f"{name}_given": f"coalesce(CAST({text} AS VARCHAR), '') <> ''"}


def _moment(name: str, column: str, raw: Columns, table: Table) -> dict[str, str]:
    """Give a TIMESTAMP in UTC that is null where it can't be read, and whether there was anything to read."""
    kind, sql = raw[column].type, raw[column].sql
    if kind in ("VARCHAR", "BLOB"):
        text = f"trim({_as_text(raw[column])})"
        moment, given = _read_text(text, table), f"coalesce({text}, '') <> ''"
    elif kind in _WHOLE or kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        if table.time_format not in _EPOCHS:
            raise InputError(
                f"{table.path}: the column {column!r} holds numbers ({kind}); "
                f"state as time_format what they count: {', '.join(_EPOCHS)}"
            )
        moment, given = _read_epoch(sql, table.time_format), f"{sql} IS NOT NULL"
    elif kind == "TIMESTAMP WITH TIME ZONE":
        moment, given = _clip(f"epoch_us({sql})", f"isfinite({sql})"), f"{sql} IS NOT NULL"
    elif kind.startswith("TIMESTAMP") or kind == "DATE":
        moment, given = _from_local(f"CAST({sql} AS TIMESTAMP)", table.time_zone), f"{sql} IS NOT NULL"
    else:
        raise InputError(f"{table.path}: the column {column!r} holds {kind} and no times; map another one")
    return {name: moment, f"{name}_given": given}


def _moment_problems(name: str) -> list[tuple[str, str]]:
    return [
        (f"NOT {name}_given", f"missing {name}"),
        (f"{name} IS NULL", f"unreadable {name}"),
        (f"{name} < TIMESTAMP '1970-01-01'", f"{name} before 1970"),
    ]


def _read_text(text: str, table: Table) -> str:
    if table.time_format in _EPOCHS:
        return _read_epoch(text, table.time_format)
    if table.time_format is not None:
        parsed = f"try_strptime({text}, {literal(table.time_format)})"
        if _parses_offset(table):
            return _clip(f"epoch_us({parsed})", f"isfinite({parsed})")
        return _from_local(parsed, table.time_zone)
    # The cast to TIMESTAMP would drop an offset without a word; this one obeys it. Where there is none it takes the
    # session's zone, which is the table's. Only what starts with a digit is a time: not 'epoch'.
    tidy = f"replace(replace(upper({text}), ' +', '+'), ' -', '-')"
    zoned = f"coalesce(TRY_CAST({text} AS TIMESTAMPTZ), TRY_CAST({tidy} AS TIMESTAMPTZ))"
    return _clip(f"epoch_us({zoned})", f"{text} >= '0' AND {text} < ':'")


def _read_epoch(number: str, time_format: str) -> str:
    exact = f"TRY_CAST({number} AS DECIMAL(38, 6))"
    return _clip(f"TRY_CAST(trunc({exact} * {_EPOCHS[time_format]}) AS BIGINT)", "true")


def _from_local(timestamp: str, zone: str) -> str:
    if zone == "UTC":
        return _clip(f"epoch_us({timestamp})", f"isfinite({timestamp})")
    return _clip(f"epoch_us(timezone({literal(zone)}, {timestamp}))", f"isfinite({timestamp})")


def _clip(epoch: str, readable: str) -> str:
    """Turn microseconds since 1970 into a TIMESTAMP; null outside of the years 1 to 9999."""
    return f"TRY(CASE WHEN {readable} AND {epoch} BETWEEN {_FIRST} AND {_LAST} THEN make_timestamp({epoch}) END)"


def _parses_offset(table: Table) -> bool:
    """Ask DuckDB whether the format holds an offset; raises SettingsError where it is no format at all."""
    try:
        with duckdb.connect() as connection:
            row = connection.execute("SELECT typeof(try_strptime(NULL, ?))", [table.time_format]).fetchone()
    except duckdb.Error as error:
        raise SettingsError(
            f"time_format of {table.path}: {str(error).splitlines()[0]}; write it as in '%d/%m/%Y %H:%M:%S'"
        ) from None
    return row is not None and row[0] == "TIMESTAMP WITH TIME ZONE"


def _actor(actor: str | ActorByType) -> str:
    if not isinstance(actor, ActorByType):
        return literal(actor)
    listed: list[tuple[str, Sequence[str]]] = [("lead", actor.lead), ("us", actor.us), ("system", actor.system)]
    cases = " ".join(
        f"WHEN event_type IN ({', '.join(map(literal, types))}) THEN '{name}'" for name, types in listed if types
    )
    return f"CASE {cases} ELSE '{actor.default}' END" if cases else literal(actor.default)


def _timestamp(moment: datetime) -> str:
    return f"TIMESTAMP {literal(moment.isoformat(sep=' '))}"
