"""The stage ``ingest``: raw logs of any schema in, one sorted log of interactions out.

Each table goes through three steps: its files are read and mapped onto the schema, each row with the reason why it
can't be used, if there is one (readers, mapping); what only shows across rows is judged (duplicates, unknown leads,
identities); then rows go into the log or into quarantine, and both are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import duckdb

from features.core.errors import InputError, LeadcastError
from features.core.schema import LEAD, SPENDING
from pipeline.core.project import HERE, Places, Progress, Project, emptied, publish, write_json
from pipeline.core.sql import connect, identifier, literal
from pipeline.ingest.counts import summarise
from pipeline.ingest.creations import date_leads
from pipeline.ingest.id_checks import look_at_ids
from pipeline.ingest.idle_settings import refuse_idle
from pipeline.ingest.log import write_log
from pipeline.ingest.machines import say_machines
from pipeline.ingest.mapping import plan_tables
from pipeline.ingest.people import judge_people, plan_people, write_people
from pipeline.ingest.queries import Origins
from pipeline.ingest.reading_advice import advise
from pipeline.ingest.relations import Relations
from pipeline.ingest.rows import find_repeats_by_parts, judge
from pipeline.ingest.source_table import SourceTable, Tables
from pipeline.ingest.summary import IngestSummary
from pipeline.log.source_verdicts import source_verdicts
from pipeline.reading.owners import owners_written, refuse_two_owners
from pipeline.reading.quarantine import broken_share, too_many_broken, write_quarantine
from pipeline.reading.readers import check_readable
from pipeline.settings.ingest import Ingest, Owners, Source
from pipeline.settings.run import Run
from pipeline.sorting.executors import Executor, executor_of

_TEMPORARY = Path("data/.tmp/ingest")
_OUTPUT = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"


class Sections(Protocol):
    """The sections of the settings that this stage is handed."""

    data_root: str
    ingest: Ingest
    run: Run


def run(project: Project[Sections], progress: Progress) -> IngestSummary:
    """Read all sources below ``data_root`` and write the log, the leads, the quarantine and their summary.

    Outputs replace the former ones at the end; a run that fails leaves them, but for the quarantine of one that fails
    because too many rows are broken. Raises InputError and SettingsError.
    """
    settings = project.parameters.ingest
    now = datetime.now(UTC).replace(tzinfo=None)
    executor = executor_of(project.parameters.run)
    with emptied(project.root / _TEMPORARY) as folder:
        made = Places(folder)
        made.quarantine.mkdir(parents=True)
        with connect(project.parameters.run.memory_limit, folder / "spill") as connection, _spilling_to_disk():
            origins = Origins(
                settings,
                project.parameters.run,
                project.root / project.parameters.data_root,
                folder,
                connection,
                progress,
            )
            relations = Relations(connection)
            make = partial(SourceTable, connection, folder / "mapped")
            planned = [*plan_tables(settings, make), *plan_people(settings, make)]
            tables = {table.name: table for table in planned}
            _open(tables, origins)
            refuse_idle(tables, origins.read)
            find_repeats_by_parts(tables, settings.currency)
            with _naming_unreadable_files(tables):
                for table in _map_files(tables, now, executor, connection):
                    if not table.looked_at_later:
                        progress(f"{table.name}: {table.look()}")
                ids = look_at_ids(tables)
                judge(relations, tables, settings.currency)
                judge_people(relations, tables)
                tables |= origins.read
                write_log(relations, tables, made.interactions, executor, progress)
                for table in tables.values():
                    files = [opened.file.name for opened in table.files]
                    target = made.quarantine / f"{table.name}.parquet"
                    aside = table.aside if isinstance(table.settings, Source) else table.judged
                    table.set_aside = write_quarantine(aside, table.name, files, target, table.width)
                _refuse_broken(tables, settings.maximum_broken, project, made)
                _write_leads(relations, tables, made)
                write_people(connection, tables, made, _OUTPUT)
                _write_spend(connection, tables.get("spend"), made.spend)
                _write_owners(connection, tables.get("owners"), made.owners)
                summary = summarise(relations, settings, tables, made, ids)
        write_json(made.ingested, summary.as_json())
        # The summary goes first and comes last: where it is, everything else is.
        project.ingested.unlink(missing_ok=True)
        for ours, theirs in zip(_outputs(made), _outputs(project), strict=True):
            publish(ours, theirs)
    for name, source in summary.sources.items():
        if settings.sources[name].machines:
            progress(say_machines(name, source.used, source.machines))
    for warning in [*summary.warnings, *_doubts(summary)]:
        progress(f"warning: {warning}")
    progress(f"{summary.interactions:,} interactions of {summary.lead_count:,} leads")
    return summary


def _doubts(summary: IngestSummary) -> list[str]:
    """Say which sources seem to have stopped, or lack rows; the stages that compute with them refuse, or judge."""
    verdicts = [verdict for verdict in source_verdicts(summary.as_json()) if verdict.severity != "told"]
    return [f"{verdict.subject}: {verdict.title}: {verdict.evidence}. {verdict.remedy}" for verdict in verdicts]


def _outputs(places: Places) -> tuple[Path, ...]:
    data = (places.interactions, places.leads, places.aliases, places.former_creations)
    people = (places.decisions, places.consents, places.owners)
    return (places.quarantine, *data, *people, places.spend, places.ingested)


@contextmanager
def _spilling_to_disk() -> Iterator[None]:
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise LeadcastError(
            f"ingest: {str(error).splitlines()[0]}; free space on the disk, or raise run.memory_limit"
        ) from None


@contextmanager
def _naming_unreadable_files(tables: Tables) -> Iterator[None]:
    """Say which file can't be read, of those that are read more than once: the statement that fails reads several."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error:
        for table in tables.values():
            for opened in filter(table.reads_again, table.files):
                check_readable(table.connection, opened)
        raise


def _open(tables: Tables, origins: Origins) -> None:
    """Find the rows of all tables and check their columns; the failures of all tables are told at once.

    Files come first: they show in a moment what is wrong, but databases and queries may take their time.
    """
    for from_files in (True, False):
        failures: list[str] = []
        if not from_files:
            origins.prepare()
        for table in tables.values():
            if bool(table.settings.path) is from_files:
                try:
                    origins.open(table)
                except InputError as error:
                    failures.append(str(error))
        if failures:
            raise InputError("\n".join(failures))


def _map_files(
    tables: Tables, now: datetime, executor: Executor, connection: duckdb.DuckDBPyConnection
) -> Iterator[SourceTable]:
    """Map the files of all tables, and give each table once its mapped rows are there."""
    files = [table.files_to_map(now) for table in tables.values()]
    for table, copied in zip(tables.values(), executor.map_files(connection, files), strict=True):
        table.show_mapped(copied)
        yield table


def _refuse_broken(tables: Tables, maximum: float, places: Places, made: Places) -> None:
    refused = [table for table in tables.values() if broken_share(table.set_aside, table.rows) > maximum]
    if refused:
        publish(made.quarantine, places.quarantine)
        told = [table.set_aside for table in refused]
        raise too_many_broken(told, maximum, HERE.quarantine, advise(refused, made.root))


def _write_leads(relations: Relations, tables: Tables, made: Places) -> None:
    """Write the leads of the table or, without one, every id of the log, created with its first event.

    Beside them stand the aliases that were united with them, and what their creations were thought to be before; a
    table of leads says it once and for all.
    """
    if "leads" in tables:
        names = [field.name for field in LEAD] + [
            f"attribute_{number} AS {identifier(name)}" for number, name in enumerate(tables["leads"].attributes)
        ]
        query = f"SELECT {', '.join(names)} FROM {relations.leads}"
        former = f"SELECT lead_id, created_at, created_at AS until FROM {relations.leads} WHERE false"
    else:
        former = date_leads(relations, made.interactions, linked="identities" in tables)
        nothing = "NULL::VARCHAR AS account_id, NULL::VARCHAR AS time_zone"
        query = f"SELECT lead_id, created_at, known_at, {nothing} FROM {relations.creations}"
    aliases = f"SELECT alias_id, lead_id, linked_at, contested_at FROM {relations.aliases}"
    for rows, order, path in (
        (query, "lead_id", made.leads),
        (aliases, "alias_id", made.aliases),
        (former, "lead_id, until", made.former_creations),
    ):
        target = literal(str(path))
        relations.connection.execute(f"COPY ({rows} ORDER BY {order}) TO {target} {_OUTPUT}")


def _write_spend(connection: duckdb.DuckDBPyConnection, table: SourceTable | None, target: Path) -> None:
    """Write what was spent; without such a table, one that is empty."""
    columns = ", ".join(f"CAST({field.name} AS {field.duckdb}) AS {field.name}" for field in SPENDING)
    nothing = ", ".join(f"NULL AS {field.name}" for field in SPENDING)
    rows = f"FROM {table.judged} WHERE reason IS NULL" if table else f"FROM (SELECT {nothing}) WHERE false"
    connection.execute(f"COPY (SELECT {columns} {rows} ORDER BY ALL) TO {literal(str(target))} {_OUTPUT}")


def _write_owners(connection: duckdb.DuckDBPyConnection, table: SourceTable | None, target: Path) -> None:
    """Write who owns which territory; without such a table, one that is empty."""
    unit = None
    if table:
        refuse_two_owners(f"FROM {table.judged} WHERE reason IS NULL", connection)
        assert isinstance(table.settings, Owners)  # noqa: S101 - narrows the type
        unit = table.settings.unit if table.settings.columns.per_day else None
    query = owners_written(table.judged if table else None, unit)
    connection.execute(f"COPY ({query}) TO {literal(str(target))} {_OUTPUT}")
