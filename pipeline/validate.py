"""The stage ``validate``: Great Expectations over the interactions and the leads."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import duckdb
import pandas as pd

from features.core.schema import INTERACTION
from pipeline.contracts.checks import Finding, Suite, judge, refuse_critical
from pipeline.contracts.expectations import (
    LEAD_LIMITS,
    Check,
    count_expectations,
    count_violations,
    interaction_checks,
    interaction_limits,
    lead_checks,
    row_expectations,
)
from pipeline.core.project import HERE, Progress, Project, require, write_json
from pipeline.core.sql import connect, file_literal, line_of, literal
from pipeline.settings.ingest import Ingest
from pipeline.settings.run import Run
from pipeline.settings.validate import Validate

_SPILL = Path("data/.tmp/validate")


class Sections(Protocol):
    """The sections of the settings that this stage is handed."""

    ingest: Ingest
    run: Run
    validate_: Validate


def run(project: Project[Sections], progress: Progress) -> None:
    """Judge the log, write ``validation.json`` and the data docs; raises ContractError on a critical failure."""
    settings = project.parameters.validate_
    interactions, leads = project.interactions, project.leads
    require(interactions, leads)
    line = _line(project.parameters.ingest)
    with _connection(project.parameters.run.memory_limit, project.root / _SPILL) as connection:
        log, people = f"read_parquet({file_literal(interactions)})", f"read_parquet({file_literal(leads)})"
        progress("counting what breaks a rule")
        log_checks = interaction_checks()
        log_limits = interaction_limits(file_literal(leads))
        log_counts = count_violations(connection, log, log_checks, log_limits)
        lead_counts = count_violations(connection, people, lead_checks(), LEAD_LIMITS)
        sample = _sample(connection, interactions, line, settings.sample_rows)
        progress(f"judging the counts, and {len(sample):,} sampled rows one by one")
        findings = judge(
            [
                Suite("interactions", log_counts, count_expectations(log_checks, log_limits)),
                Suite("leads", lead_counts, count_expectations(lead_checks(), LEAD_LIMITS)),
                Suite("interactions (sampled rows)", sample, row_expectations()),
            ],
            project.data_docs,
        )
        findings = [_with_examples(connection, log, line, finding, log_checks) for finding in findings]
    write_json(
        project.validation,
        {"sampled_rows": len(sample), "expectations": [finding.to_json() for finding in findings]},
    )
    for finding in findings:
        if not finding.success and finding.severity == "warning":
            progress(f"warning: {finding}")
    refuse_critical(findings, f"See {HERE.data_docs / 'index.html'}; mend the source or its mapping, then run again.")


@contextmanager
def _connection(memory_limit: str, spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database that counts in any log within the memory that ``ingest`` has."""
    try:
        with connect(memory_limit, spill) as connection:
            yield connection
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _line(settings: Ingest) -> str:
    """Write the SQL for the line of a row, of which a wide table makes several entries."""
    wide = {name: source.columns.width for name, source in settings.sources.items() if source.columns.width > 1}
    cases = " ".join(f"WHEN {literal(name)} THEN {width}" for name, width in wide.items())
    return line_of(f"CASE source {cases} ELSE 1 END" if wide else 1)


def _sample(connection: duckdb.DuckDBPyConnection, interactions: Path, line: str, rows: int) -> pd.DataFrame:
    """Give every n-th row, without the ids of people: rows are named by source and line."""
    columns = ", ".join(f'"{field.name}"' for field in INTERACTION if not field.name.endswith("_id"))
    frame: pd.DataFrame = connection.execute(
        f"SELECT {columns}, {line} AS line FROM read_parquet($path, file_row_number = true) "
        "WHERE file_row_number % greatest((SELECT count(*) FROM read_parquet($path)) // $rows, 1) = 0 LIMIT $rows",
        {"path": str(interactions), "rows": rows},
    ).df()
    return frame


def _with_examples(
    connection: duckdb.DuckDBPyConnection, log: str, line: str, finding: Finding, checks: Sequence[Check]
) -> Finding:
    """Name some rows that break a rule of the interactions."""
    broken = [check.violated for check in checks if check.name == finding.name]
    if finding.success or finding.suite != "interactions" or not broken:
        return finding
    rows = connection.execute(
        f"SELECT source, {line} FROM {log} WHERE {broken[0]} ORDER BY source, sequence LIMIT 5"
    ).fetchall()
    return dataclasses.replace(finding, examples=tuple(f"{source}:{place}" for source, place in rows))
