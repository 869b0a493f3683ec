"""What people said of leads, and leads of themselves, as tables beside the log: read, united, and written.

What is said of an alias is its lead's, and known as such from the link on, as events are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import duckdb

from features.core.schema import CHANNELS, CONSENT, CONSENT_STATUSES, DECISION, EVERYTHING, OPEN_TIERS, Field
from pipeline.core.project import Places
from pipeline.core.sql import literal
from pipeline.ingest.duplicates import find_duplicates
from pipeline.ingest.mapping import DAMAGED, SLACK, damaged, required_of, wanted_of
from pipeline.ingest.relations import Relations
from pipeline.ingest.rows import IS_ALIAS
from pipeline.ingest.source_table import SourceTable, Tables
from pipeline.reading.mapped_table import MappedTable, Problem, problem
from pipeline.reading.moments import TOO_EARLY, day_of, moment, moment_problems, timestamp
from pipeline.reading.nothing import id_problems
from pipeline.reading.quarantine import DUPLICATE, UNKNOWN_LEAD
from pipeline.reading.texts import Columns, text
from pipeline.settings.ingest import Ingest
from pipeline.settings.people import Consents, Decisions

_NO_TIME = {"{}": "NULL::TIMESTAMP", "{}_given": "false"}
_OF_DECISION = {"by": "decided_by", "reason": "why"}
"""Fields that are called otherwise while they are judged, where ``reason`` says why a row is set aside."""
_WHOLE_ROWS = {
    "decisions": ["lead_id", "decided_at", "known_at", "tier", "call_on", "until", "decided_by", "why"],
    "consents": ["lead_id", "purpose", "status", "changed_at", "known_at"],
}


def plan_people(settings: Ingest, make: Callable[..., SourceTable]) -> Iterator[SourceTable]:
    """Plan the tables in which people say something of leads."""
    if settings.decisions:
        table, own = settings.decisions, settings.decisions.columns
        named = ("decided_at", "known_at", "call_on", "until")
        times = {name: column for name in named if (column := getattr(own, name))}
        wanted = wanted_of(own.lead_id, own.tier, own.by, own.reason, *times.values())
        required = required_of(own, "lead_id", "decided_at")
        yield make("decisions", table, partial(map_decisions, table), wanted, times, required)
    if settings.consents:
        table_of, given = settings.consents, settings.consents.columns
        times = {name: column for name in ("changed_at", "known_at") if (column := getattr(given, name))}
        wanted = wanted_of(given.lead_id, given.purpose, given.status, *times.values())
        required = required_of(given, "lead_id", "purpose", "status", "changed_at")
        yield make("consents", table_of, partial(map_consents, table_of), wanted, times, required)


def map_decisions(table: Decisions, raw: Columns, now: datetime) -> MappedTable:
    """Map what people decided: lead_id, decided_at, known_at, tier, call_on, until, decided_by, why.

    Days are those of the table's time zone. A time is in the future after ``now`` (UTC) and a day.
    """
    columns = table.columns
    expressions = {
        "lead_id": text(columns.lead_id, raw),
        "word": f"nullif(lower(trim({text(columns.tier, raw)})), '')",
        "decided_by": text(columns.by, raw),
        "why": text(columns.reason, raw),
        **moment("decided_at", columns.decided_at, raw, table),
    }
    for name in ("known_at", "call_on", "until"):
        column = getattr(columns, name)
        expressions |= (
            moment(name, column, raw, table) if column else {key.format(name): sql for key, sql in _NO_TIME.items()}
        )
    tier = _translated("word", {**{name.lower(): name for name in OPEN_TIERS}, **table.tiers})
    call_on, until, decided_on = (day_of(name, table.time_zone) for name in ("call_on", "until", "decided_at"))
    problems = (
        problem("lead_id IS NULL", "missing lead_id"),
        problem(damaged("lead_id"), DAMAGED),
        *id_problems("lead_id"),
        *_moments_of("decided_at", columns.known_at, now),
        *_day_problems("call_on"),
        *_day_problems("until"),
        problem(f"word IS NOT NULL AND {tier} IS NULL", "tier is none that people give"),
        problem("word IS NULL AND call_on IS NULL", "neither a tier nor a day for a call"),
        problem(f"{until} < {decided_on}", "until lies before decided_at"),
        problem(f"{call_on} > {until}", "call_on lies after until"),
    )
    fields = {
        "lead_id": "lead_id",
        "decided_at": "decided_at",
        "known_at": "known_at" if columns.known_at else "decided_at",
        "tier": tier,
        "call_on": call_on,
        "until": until,
        "decided_by": "decided_by",
        "why": "why",
    }
    return MappedTable(expressions, problems, fields)


def map_consents(table: Consents, raw: Columns, now: datetime) -> MappedTable:
    """Map what leads agreed to: lead_id, own_id, purpose, status, changed_at, known_at."""
    columns = table.columns
    expressions = {
        "lead_id": text(columns.lead_id, raw),
        "about": f"lower(trim({text(columns.purpose, raw)}))",
        "said": f"lower(trim({text(columns.status, raw)}))",
        **moment("changed_at", columns.changed_at, raw, table),
        **(moment("known_at", columns.known_at, raw, table) if columns.known_at else {}),
    }
    purpose = _translated("about", {name: name for name in (*CHANNELS, EVERYTHING)} | table.purposes)
    status = _translated("said", {name: name for name in CONSENT_STATUSES} | table.statuses)
    problems = (
        problem("lead_id IS NULL", "missing lead_id"),
        problem(damaged("lead_id"), DAMAGED),
        *id_problems("lead_id"),
        *_moments_of("changed_at", columns.known_at, now),
        problem("coalesce(about, '') = ''", "missing purpose"),
        problem(f"{purpose} IS NULL", "purpose is none that is known"),
        problem("coalesce(said, '') = ''", "missing status"),
        problem(f"{status} IS NULL", "status is none that is known"),
    )
    fields = {
        "lead_id": "lead_id",
        "own_id": "lead_id",
        "purpose": purpose,
        "status": status,
        "changed_at": "changed_at",
        "known_at": "known_at" if columns.known_at else "changed_at",
    }
    return MappedTable(expressions, problems, fields)


def judge_people(relations: Relations, tables: Tables) -> None:
    """Make ``judged`` of each table that people speak in: aliases united, duplicates and unknown leads set aside."""
    for name, key in _WHOLE_ROWS.items():
        if name not in tables:
            continue
        table = tables[name]
        find_duplicates(table.mapped, key, "sequence", table.duplicates)
        lead_id = "coalesce(alias.lead_id, mapped.lead_id)"
        table.judged.make_view(
            f"SELECT mapped.* REPLACE ({lead_id} AS lead_id, greatest(mapped.known_at, alias.linked_at) AS known_at, "
            f"coalesce(reason, CASE WHEN sequence IN (FROM {table.duplicates}) THEN '{DUPLICATE}' "
            f"WHEN lead.lead_id IS NULL THEN '{UNKNOWN_LEAD}' END) AS reason), alias.linked_at AS linked_at "
            f"FROM {table.mapped} AS mapped LEFT JOIN {relations.aliases} AS alias ON {IS_ALIAS} "
            f"LEFT JOIN {relations.leads} AS lead ON lead.lead_id = {lead_id}"
        )


def write_people(connection: duckdb.DuckDBPyConnection, tables: Tables, made: Places, how: str) -> None:
    """Write what people and leads said; of a table that there is none of, one that is empty.

    ``how`` are the options of the files.
    """
    order = ("lead_id", "decided_at", "sequence")
    _write(connection, tables.get("decisions"), DECISION, _OF_DECISION, order, made.decisions, how)
    names = tuple(field.name for field in CONSENT[:-1])
    _write(connection, tables.get("consents"), CONSENT, {}, names, made.consents, how)


def _write(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable | None,
    fields: Sequence[Field],
    called: Mapping[str, str],
    order: Sequence[str],
    target: Path,
    how: str,
) -> None:
    read = {field.name: called.get(field.name, field.name) if table else "NULL" for field in fields}
    columns = ", ".join(f"CAST({read[field.name]} AS {field.duckdb}) AS {field.name}" for field in fields)
    rows = f"FROM {table.judged} WHERE reason IS NULL" if table else "WHERE false"
    kept = f"SELECT * FROM (SELECT {columns} {rows}) ORDER BY {', '.join(order)}"
    connection.execute(f"COPY ({kept}) TO {literal(str(target))} {how}")


def _translated(word: str, words: Mapping[str, str]) -> str:
    """Write the SQL of what a word in lower case means, null where it means nothing that is known."""
    cases = " ".join(f"WHEN {literal(name)} THEN {literal(meaning)}" for name, meaning in words.items())
    return f"CASE {word} {cases} END"


def _moments_of(name: str, known_at: str | None, now: datetime) -> Iterator[Problem]:
    """List what may be wrong with when something was said, and when it became known."""
    for one in (name, "known_at") if known_at else (name,):
        yield from moment_problems(one)
        yield problem(f"{one} > {timestamp(now + SLACK)}", f"{one} in the future")


def _day_problems(name: str) -> Iterator[Problem]:
    """List what may be wrong with a day that need not be there."""
    yield problem(f"{name}_given AND {name} IS NULL", f"unreadable {name}")
    for test, what in TOO_EARLY:
        yield problem(f"{name} {test}", f"{name} {what}")
