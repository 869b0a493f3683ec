"""The stage ``validate``: Great Expectations over the interactions and the leads."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pandas as pd

from features.schema import INTERACTION
from pipeline.artefacts import DATA_DOCS, INTERACTIONS, LEADS, VALIDATION, Progress, require, write_json
from pipeline.configuration import Parameters
from pipeline.contracts import (
    LEAD_LIMITS,
    Check,
    count_expectations,
    count_violations,
    interaction_checks,
    interaction_limits,
    lead_checks,
    row_expectations,
)
from pipeline.judge import Finding, Suite, judge, refuse_critical

_LINE = "sequence & ((1::BIGINT << 40) - 1) AS line"
"""A sequence holds the number of the file above bit 40, and the line below."""


def run(parameters: Parameters, root: Path, progress: Progress) -> None:
    """Judge the log, write ``validation.json`` and the data docs; raises ContractError on a critical failure."""
    settings = parameters.validate_
    interactions, leads = root / INTERACTIONS, root / LEADS
    require(interactions, leads)
    with duckdb.connect() as connection:
        log, people = f"read_parquet({_literal(interactions)})", f"read_parquet({_literal(leads)})"
        progress("counting what breaks a rule")
        log_checks = interaction_checks()
        log_limits = interaction_limits(_literal(leads))
        log_counts = count_violations(connection, log, log_checks, log_limits)
        lead_counts = count_violations(connection, people, lead_checks(), LEAD_LIMITS)
        sample = _sample(connection, interactions, settings.sample_rows)
        progress(f"judging the counts, and {len(sample):,} sampled rows one by one")
        findings = judge(
            [
                Suite("interactions", log_counts, count_expectations(log_checks, log_limits)),
                Suite("leads", lead_counts, count_expectations(lead_checks(), LEAD_LIMITS)),
                Suite("interactions (sampled rows)", sample, row_expectations(INTERACTION)),
            ],
            root / DATA_DOCS,
        )
        findings = [_with_examples(connection, log, finding, log_checks) for finding in findings]
    write_json(
        root / VALIDATION,
        {"sampled_rows": len(sample), "expectations": [finding.to_json() for finding in findings]},
    )
    for finding in findings:
        if not finding.success and finding.severity == "warning":
            progress(f"warning: {finding}")
    refuse_critical(findings, f"See {DATA_DOCS / 'index.html'}; mend the source or its mapping, then run again.")


def _sample(connection: duckdb.DuckDBPyConnection, interactions: Path, rows: int) -> pd.DataFrame:
    """Give every n-th row, without the ids of people: rows are named by source and line."""
    columns = ", ".join(f'"{field.name}"' for field in INTERACTION if not field.name.endswith("_id"))
    frame: pd.DataFrame = connection.execute(
        f"SELECT {columns}, {_LINE} FROM read_parquet($path, file_row_number = true) "
        "WHERE file_row_number % greatest((SELECT count(*) FROM read_parquet($path)) // $rows, 1) = 0 LIMIT $rows",
        {"path": str(interactions), "rows": rows},
    ).df()
    return frame


def _with_examples(
    connection: duckdb.DuckDBPyConnection, log: str, finding: Finding, checks: Sequence[Check]
) -> Finding:
    """Name some rows that break a rule of the interactions."""
    broken = [check.violated for check in checks if check.name == finding.name]
    if finding.success or finding.suite != "interactions" or not broken:
        return finding
    rows = connection.execute(
        f"SELECT source, {_LINE} FROM {log} WHERE {broken[0]} ORDER BY source, sequence LIMIT 5"
    ).fetchall()
    return dataclasses.replace(finding, examples=tuple(f"{source}:{line}" for source, line in rows))


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
