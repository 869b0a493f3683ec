"""The stage ``ingest``: raw logs of any schema in, one sorted log of interactions out.

Each table goes through three steps: its files are read and mapped onto the schema, each row with the reason why it
can't be used, if there is one (readers, mapping); what only shows across rows is judged (duplicates, unknown leads,
identities); then rows go into the log or into quarantine, and both are counted.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import duckdb

from features.core.errors import InputError, LeadcastError
from features.core.schema import LEAD, SPENDING
from pipeline.core.project import (
    FORMER_CREATIONS,
    INGEST,
    INTERACTIONS,
    LEADS,
    QUARANTINE,
    SPEND,
    Progress,
    publish,
    write_json,
)
from pipeline.core.sql import connect, fetch_row, identifier, literal
from pipeline.ingest import mapping
from pipeline.ingest.counts import summarise
from pipeline.ingest.creations import date_leads
from pipeline.ingest.id_checks import look_at_ids
from pipeline.ingest.idle_settings import refuse_idle
from pipeline.ingest.log import write_log
from pipeline.ingest.queries import Origins
from pipeline.ingest.reading_advice import advise
from pipeline.ingest.rows import Job, judge
from pipeline.ingest.summary import IngestSummary
from pipeline.ingest.survey import Survey, survey
from pipeline.log.source_verdicts import source_verdicts
from pipeline.reading.quarantine import SetAside, broken_share, said_of_rows, too_many_broken, write_quarantine
from pipeline.reading.readers import OpenFile, check_readable, copy_rows, parquet_rows
from pipeline.settings.ingest import Ingest, Leads
from pipeline.settings.run import Run

_TEMPORARY = Path("data/.tmp/ingest")
_OUTPUT = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"


class Sections(Protocol):
    """The sections of the settings that this stage is handed."""

    data_root: str
    ingest: Ingest
    run: Run


def run(parameters: Sections, root: Path, progress: Progress) -> IngestSummary:
    """Read all sources below ``root``/data_root and write the log, the leads, the quarantine and their summary.

    Outputs replace the former ones at the end; a run that fails leaves them, but for the quarantine of one that fails
    because too many rows are broken. Raises InputError and SettingsError.
    """
    settings = parameters.ingest
    now = datetime.now(UTC).replace(tzinfo=None)
    with _fresh_folder(root / _TEMPORARY) as folder:
        with connect(parameters.run.memory_limit, folder / "spill") as connection, _spilling_to_disk():
            origins = Origins(settings, parameters.run, root / parameters.data_root, folder, connection, progress)
            jobs = _open_jobs(settings, origins, folder)
            refuse_idle(jobs, origins.read)
            with _naming_unreadable_files(connection, jobs):
                surveys = {name: _read(connection, job, now, progress) for name, job in jobs.items()}
                ids = look_at_ids(connection, jobs, surveys)
                judge(connection, jobs, settings.currency)
                jobs |= origins.read
                set_aside = {
                    name: write_quarantine(
                        connection,
                        name,
                        job.judged,
                        [opened.file.name for opened in job.opened],
                        folder / QUARANTINE.name / f"{name}.parquet",
                        job.width,
                    )
                    for name, job in jobs.items()
                }
                _refuse_broken(connection, jobs, set_aside, settings.maximum_broken, root, folder)
                progress("sorting and writing the log")
                write_log(connection, jobs, surveys, folder / INTERACTIONS.name)
                _write_leads(connection, jobs, folder)
                _write_spend(connection, jobs.get("spend"), folder / SPEND.name)
                summary = summarise(connection, settings, jobs, surveys, set_aside, folder, ids)
        write_json(folder / INGEST.name, summary.as_json())
        # The summary goes first and comes last: where it is, everything else is.
        (root / INGEST).unlink(missing_ok=True)
        for path in (QUARANTINE, INTERACTIONS, LEADS, FORMER_CREATIONS, SPEND, INGEST):
            publish(folder / path.name, root / path)
    for warning in [*summary.warnings, *_doubts(summary)]:
        progress(f"warning: {warning}")
    progress(f"{summary.interactions:,} interactions of {summary.lead_count:,} leads")
    return summary


def _doubts(summary: IngestSummary) -> list[str]:
    """Say which sources seem to have stopped, or lack rows; the stages that compute with them refuse, or judge."""
    verdicts = [verdict for verdict in source_verdicts(summary.as_json()) if verdict.severity != "told"]
    return [f"{verdict.subject}: {verdict.title}: {verdict.evidence}. {verdict.remedy}" for verdict in verdicts]


@contextmanager
def _fresh_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside the outputs, removed at the end; a killed run's leftovers go first."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / QUARANTINE.name).mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _spilling_to_disk() -> Iterator[None]:
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise LeadcastError(
            f"ingest: {str(error).splitlines()[0]}; free space on the disk, or raise run.memory_limit"
        ) from None


@contextmanager
def _naming_unreadable_files(connection: duckdb.DuckDBPyConnection, jobs: dict[str, Job]) -> Iterator[None]:
    """Say which file can't be read, of those that are read more than once: the statement that fails reads several."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error:
        for job in jobs.values():
            for opened in filter(job.reads_again, job.opened):
                check_readable(connection, opened)
        raise


def _open_jobs(settings: Ingest, origins: Origins, folder: Path) -> dict[str, Job]:
    """Find the rows of all tables and check their columns; the failures of all tables are told at once.

    Files come first: they show in a moment what is wrong, but databases and queries may take their time.
    """
    plans = mapping.plans(settings)
    opened: dict[str, tuple[OpenFile, ...]] = {}
    for from_files in (True, False):
        failures: list[str] = []
        if not from_files:
            origins.prepare()
        for plan in plans:
            if bool(plan.settings.path) is from_files:
                try:
                    opened[plan.name] = origins.open(plan.name, plan.settings, plan.wanted, plan.required)
                except InputError as error:
                    failures.append(str(error))
        if failures:
            raise InputError("\n".join(failures))
    return {
        plan.name: Job(
            plan.name, plan.settings, opened[plan.name], plan.map, folder / f"mapped-{plan.name}", plan.times
        )
        for plan in plans
    }


def _read(connection: duckdb.DuckDBPyConnection, job: Job, now: datetime, progress: Progress) -> Survey:
    """Map the files of a table, and look once at what its rows hold."""
    _map_files(connection, job, now)
    found = survey(connection, job)
    progress(f"{job.name}: {said_of_rows(connection, job.mapped)}")
    return found


def _map_files(connection: duckdb.DuckDBPyConnection, job: Job, now: datetime) -> None:
    """Make the view of the mapped rows of a table, in any order: sequence holds it.

    Rows are copied as they are mapped, but for those of files that are cheaper to read again than to copy.
    """
    job.folder.mkdir()
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"SET TimeZone = {literal(job.settings.time_zone)}")
    parts = []
    for number, opened in enumerate(job.opened):
        mapped = job.map(opened.columns, now)
        if job.reads_again(opened):
            parts.append(mapped.query(parquet_rows(opened), number))
        else:
            target = job.folder / f"{number:06}.parquet"
            copy_rows(connection, opened, partial(mapped.query, file_number=number), target)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = true")
    if len(parts) < len(job.opened):
        parts.append(f"FROM {job.files}")
    connection.execute(f"CREATE TEMP VIEW {job.mapped} AS {' UNION ALL '.join(f'({part})' for part in parts)}")


def _refuse_broken(
    connection: duckdb.DuckDBPyConnection,
    jobs: dict[str, Job],
    set_aside: dict[str, list[SetAside]],
    maximum: float,
    root: Path,
    folder: Path,
) -> None:
    refused = [
        set_aside[name]
        for name, job in jobs.items()
        if broken_share(set_aside[name], fetch_row(connection, f"SELECT count(*) FROM {job.mapped}")[0]) > maximum
    ]
    if refused:
        publish(folder / QUARANTINE.name, root / QUARANTINE)
        raise too_many_broken(refused, maximum, QUARANTINE, advise(connection, jobs, refused, folder))


def _write_leads(connection: duckdb.DuckDBPyConnection, jobs: dict[str, Job], folder: Path) -> None:
    """Write the leads of the table or, without one, every id of the log, created with its first event.

    Beside them stands what their creations were thought to be before; a table of leads says it once and for all.
    """
    if "leads" in jobs:
        attributes = _attributes(jobs["leads"])
        names = [field.name for field in LEAD] + [
            f"attribute_{number} AS {identifier(name)}" for number, name in enumerate(attributes)
        ]
        query = f"SELECT {', '.join(names)} FROM lead"
        former = "SELECT lead_id, created_at, created_at AS until FROM lead WHERE false"
    else:
        former = date_leads(connection, folder / INTERACTIONS.name, linked="identities" in jobs)
        nothing = "NULL::VARCHAR AS account_id, NULL::VARCHAR AS time_zone"
        query = f"SELECT lead_id, created_at, known_at, {nothing} FROM creation"
    connection.execute(f"COPY ({query} ORDER BY lead_id) TO {literal(str(folder / LEADS.name))} {_OUTPUT}")
    target = literal(str(folder / FORMER_CREATIONS.name))
    connection.execute(f"COPY ({former} ORDER BY lead_id, until) TO {target} {_OUTPUT}")


def _write_spend(connection: duckdb.DuckDBPyConnection, job: Job | None, target: Path) -> None:
    """Write what was spent; without such a table, one that is empty."""
    columns = ", ".join(f"CAST({field.name} AS {field.duckdb}) AS {field.name}" for field in SPENDING)
    nothing = ", ".join(f"NULL AS {field.name}" for field in SPENDING)
    rows = f"FROM {job.judged} WHERE reason IS NULL" if job else f"FROM (SELECT {nothing}) WHERE false"
    connection.execute(f"COPY (SELECT {columns} {rows} ORDER BY ALL) TO {literal(str(target))} {_OUTPUT}")


def _attributes(job: Job) -> list[str]:
    return list(job.settings.attributes) if isinstance(job.settings, Leads) else []
