"""A real log, of loan applications at a bank: what its publisher says of it, and how well a model may do.

The files are no part of the project; where they are absent, these tests are skipped.
"""

from __future__ import annotations

import json
from typing import Any

import duckdb
from cases import needs_the_loan_log
from world import Project

pytestmark = needs_the_loan_log


def read(project: Project, path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((project.root / path).read_text())
    return content


def test_every_row_is_accounted_for(loans: Project) -> None:
    source = read(loans, "data/ingest.json")["sources"]["interactions"]
    assert source["rows"] == 126_596 == source["used"] + sum(source["set_aside"].values())
    assert read(loans, "data/ingest.json")["leads"]["rows"] == 6_430
    assert source["used"] > 126_000


def test_as_many_leads_convert_and_are_lost_as_the_publisher_says(loans: Project) -> None:
    with duckdb.connect() as connection:
        counts = connection.execute(
            "SELECT event_type, count(DISTINCT lead_id) FROM read_parquet(?) GROUP BY 1",
            [str(loans.root / "data/interactions.parquet")],
        ).fetchall()
    leads = dict(counts)
    assert leads["A_ACTIVATED complete"] == 1_117
    assert (leads["A_DECLINED complete"], leads["A_CANCELLED complete"]) == (3_856, 1_408)
    episodes = read(loans, "data/snapshots.json")["episodes"]
    assert (episodes["converted"], episodes["lost"]) == (1_117, 3_856 + 1_408)
    assert episodes["open"] == 6_430 - 1_117 - 3_856 - 1_408


def test_an_open_outcome_is_no_refusal(loans: Project) -> None:
    snapshots = read(loans, "data/snapshots.json")
    assert snapshots["labelled"]["rows"] + sum(snapshots["unlabelled"].values()) == snapshots["snapshots"]
    assert snapshots["unlabelled"].get("immature", 0) > 0


def test_the_model_is_as_good_as_is_sane_and_no_better(loans: Project) -> None:
    auc = read(loans, "reports/figures.json")["roc_auc"]
    assert 0.62 < auc["value"] < 0.78
    assert auc["high"] < 0.9, "more is a leak: what follows the outcome is mixed with what foretells it"
