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
from typing import Any

import duckdb

from features.errors import InputError, LeadcastError
from features.schema import INTERACTION, LEAD, SORT_ORDER
from pipeline import mapping
from pipeline.artefacts import INGEST, INTERACTIONS, LEADS, QUARANTINE, Progress, write_json
from pipeline.configuration import Parameters
from pipeline.ingest_summary import IngestSummary, LeadsSummary, SourceSummary, TableSummary
from pipeline.quarantine import SetAside, broken_share, too_many_broken, write_quarantine
from pipeline.raw_files import fingerprint
from pipeline.readers import copy_rows, open_table
from pipeline.source_configuration import Ingest, Leads, Source, Table
from pipeline.sql import connect, file_literal, identifier, literal
from pipeline.verdicts import Job, Map, judge

_TEMPORARY = Path("data/.tmp/ingest")
_OUTPUT = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"


def run(parameters: Parameters, root: Path, progress: Progress) -> IngestSummary:
    """Read all sources below ``root``/data_root and write the log, the leads, the quarantine and their summary.

    Outputs replace the former ones at the end; a run that fails leaves them, but for the quarantine of one that fails
    because too many rows are broken. Raises InputError and SettingsError.
    """
    settings = parameters.ingest
    now = datetime.now(UTC).replace(tzinfo=None)
    with _fresh_folder(root / _TEMPORARY) as folder:
        jobs = _open_jobs(settings, root / parameters.data_root, folder)
        with connect(settings.memory_limit, folder / "spill") as connection, _spilling_to_disk():
            for job in jobs.values():
                _map_files(connection, job, now, progress)
            judge(connection, jobs)
            set_aside = {
                name: write_quarantine(
                    connection,
                    name,
                    job.judged,
                    [opened.file.name for opened in job.raw.files],
                    folder / QUARANTINE.name / f"{name}.parquet",
                )
                for name, job in jobs.items()
            }
            _refuse_broken(connection, jobs, set_aside, settings.maximum_broken, root, folder)
            progress("sorting and writing the log")
            _write_log(connection, jobs, folder / INTERACTIONS.name)
            _write_leads(connection, jobs, folder)
            summary = _summarise(connection, settings, jobs, set_aside, folder)
        write_json(folder / INGEST.name, summary.as_json())
        # The summary goes first and comes last: where it is, everything else is.
        (root / INGEST).unlink(missing_ok=True)
        for path in (QUARANTINE, INTERACTIONS, LEADS, INGEST):
            _publish(folder / path.name, root / path)
    progress(f"{summary.interactions:,} interactions of {summary.lead_count:,} leads")
    return summary


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
            f"ingest: {str(error).splitlines()[0]}; free space on the disk, or raise ingest.memory_limit"
        ) from None


def _publish(new: Path, old: Path) -> None:
    if old.is_dir():
        shutil.rmtree(old)
    new.replace(old)


def _open_jobs(settings: Ingest, data_root: Path, folder: Path) -> dict[str, Job]:
    """Find the files of all tables and check their columns; the failures of all tables are told at once."""
    tables: list[tuple[str, str, Table, list[str], Map]] = [
        (name, f"ingest.sources.{name}", source, mapping.source_columns(source), partial(mapping.map_source, source))
        for name, source in settings.sources.items()
    ]
    if settings.leads:
        wanted, table_map = mapping.lead_columns(settings.leads), partial(mapping.map_leads, settings.leads)
        tables.append(("leads", "ingest.leads", settings.leads, wanted, table_map))
    if settings.identities:
        wanted, map_links = (
            mapping.identity_columns(settings.identities),
            partial(mapping.map_identities, settings.identities),
        )
        tables.append(("identities", "ingest.identities", settings.identities, wanted, map_links))
    jobs: dict[str, Job] = {}
    failures: list[str] = []
    for name, label, table, wanted, map_table in tables:
        try:
            raw = open_table(label, table, wanted, data_root)
        except InputError as error:
            failures.append(str(error))
        else:
            jobs[name] = Job(name, table, raw, map_table, folder / f"mapped-{name}")
    if failures:
        raise InputError("\n".join(failures))
    return jobs


def _map_files(connection: duckdb.DuckDBPyConnection, job: Job, now: datetime, progress: Progress) -> None:
    """Read the files of a table and write their rows as mapped, in any order: sequence holds it."""
    job.folder.mkdir()
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"SET TimeZone = {literal(job.settings.time_zone)}")
    for number, opened in enumerate(job.raw.files):
        mapped = job.map(job.raw.columns(opened), now)
        target = job.folder / f"{number:06}.parquet"
        copy_rows(connection, job.raw, opened, partial(mapped.query, file_number=number), target)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = true")
    rows, unusable = _row(connection, f"SELECT count(*), count(reason) FROM {job.mapped}")
    progress(f"{job.name}: {rows:,} rows read, {unusable:,} of them unusable")


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
        if broken_share(set_aside[name], _row(connection, f"SELECT count(*) FROM {job.mapped}")[0]) > maximum
    ]
    if refused:
        _publish(folder / QUARANTINE.name, root / QUARANTINE)
        raise too_many_broken(refused, maximum, QUARANTINE)


def _write_log(connection: duckdb.DuckDBPyConnection, jobs: dict[str, Job], target: Path) -> None:
    made = {"local_day": "local_time", "local_hour": "hour(local_time)"}
    columns = ", ".join(
        f"CAST({made.get(field.name, field.name)} AS {field.duckdb}) AS {field.name}" for field in INTERACTION
    )
    parts = [
        f"SELECT {columns} FROM {job.judged} WHERE reason IS NULL"
        for job in jobs.values()
        if isinstance(job.settings, Source)
    ]
    connection.execute(
        f"COPY (SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY {', '.join(SORT_ORDER)}) "
        f"TO {literal(str(target))} {_OUTPUT}"
    )


def _write_leads(connection: duckdb.DuckDBPyConnection, jobs: dict[str, Job], folder: Path) -> None:
    """Write the leads of the table or, without one, every id of the log, created with its first event."""
    if "leads" in jobs:
        attributes = _attributes(jobs["leads"])
        names = ["created_at AS known_at" if field.name == "known_at" else field.name for field in LEAD] + [
            f"attribute_{number} AS {identifier(name)}" for number, name in enumerate(attributes)
        ]
        query = f"SELECT {', '.join(names)} FROM lead"
    else:
        log = f"read_parquet({file_literal(folder / INTERACTIONS.name)})"
        query = (
            "SELECT lead_id, min(occurred_at) AS created_at, greatest(min(occurred_at), min(known_at)) AS known_at, "
            "NULL::VARCHAR AS account_id, NULL::VARCHAR AS time_zone "
            f"FROM {log} GROUP BY lead_id"
        )
    connection.execute(f"COPY ({query} ORDER BY lead_id) TO {literal(str(folder / LEADS.name))} {_OUTPUT}")


def _attributes(job: Job) -> list[str]:
    return list(job.settings.attributes) if isinstance(job.settings, Leads) else []


def _summarise(
    connection: duckdb.DuckDBPyConnection,
    settings: Ingest,
    jobs: dict[str, Job],
    set_aside: dict[str, list[SetAside]],
    folder: Path,
) -> IngestSummary:
    log = f"read_parquet({file_literal(folder / INTERACTIONS.name)})"
    used = {
        name: (count, first, last)
        for name, count, first, last in connection.execute(
            f"SELECT source, count(*), min(occurred_at), max(occurred_at) FROM {log} GROUP BY source"
        ).fetchall()
    }
    if not used:
        reasons = sorted(f"{part.rows:,} {part.reason}" for parts in set_aside.values() for part in parts)
        raise InputError(
            "ingest: no row could be used, so the log is empty; "
            f"check the mapping and the ids of the leads ({', '.join(reasons) or 'the files hold no rows'})"
        )
    sources = {}
    for name, source in settings.sources.items():
        count, first, last = used.get(name, (0, None, None))
        last_known = _row(connection, f"SELECT max(known_at) FROM {jobs[name].mapped} WHERE reason IS NULL")[0]
        sources[name] = SourceSummary(
            **_count(connection, jobs[name], count, set_aside[name]),
            observed_until=source.observed_until or last_known,
            first_occurred_at=first,
            last_occurred_at=last,
        )
    lead_rows, lead_count = _row(
        connection,
        f"SELECT (SELECT count(*) FROM lead), count(*) FROM read_parquet({file_literal(folder / LEADS.name)})",
    )
    leads, links = jobs.get("leads"), jobs.get("identities")
    return IngestSummary(
        interactions=sum(source.used for source in sources.values()),
        lead_count=lead_count,
        sources=sources,
        leads=LeadsSummary(
            **_count(connection, leads, lead_rows, set_aside["leads"]), **_count_unreadable(connection, leads)
        )
        if leads
        else None,
        identities=TableSummary(
            **_count(
                connection,
                links,
                _row(connection, f"SELECT count(*) FROM {links.judged} WHERE reason IS NULL")[0],
                set_aside["identities"],
            )
        )
        if links
        else None,
    )


def _count(connection: duckdb.DuckDBPyConnection, job: Job, used: int, set_aside: list[SetAside]) -> dict[str, Any]:
    """Count the rows of a table; raises LeadcastError where one has been lost or doubled."""
    rows = _row(connection, f"SELECT count(*) FROM {job.mapped}")[0]
    counts = {part.reason: part.rows for part in set_aside}
    if rows != used + sum(counts.values()):
        raise LeadcastError(
            f"{job.name}: {rows} rows were read, but {used} are used and {sum(counts.values())} set aside; "
            "this is a mistake in leadcast itself: please report it"
        )
    digest = fingerprint([opened.file for opened in job.raw.files])
    return {"rows": rows, "used": used, "set_aside": counts, "fingerprint": digest}


def _count_unreadable(connection: duckdb.DuckDBPyConnection, job: Job) -> dict[str, Any]:
    attributes = _attributes(job)
    counts = "".join(f", count(*) FILTER (unreadable_{number})" for number in range(len(attributes)))
    without, unknown, *unreadable = _row(
        connection,
        "SELECT count(*) FILTER (without_zone), count(*) FILTER (time_zone IS NULL AND NOT without_zone)"
        f"{counts} FROM lead",
    )
    return {
        "without_time_zone": without,
        "unknown_time_zone": unknown,
        "unreadable_attributes": dict(zip(attributes, unreadable, strict=True)),
    }


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    return connection.execute(query).fetchone() or ()
