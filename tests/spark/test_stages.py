"""The stages that ask an executor write the same bytes by either."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases import needs_the_loan_log
from sparks import LOCAL, require_spark
from world import Project

from pipeline.matrix import spark as matrix
from pipeline.sorting import spark as sorting


def test_features_and_recommendations_are_the_same_bytes(
    least: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_spark()
    monkeypatch.setattr(matrix, "PART_EVENTS", 1_500)
    computed = ("features.parquet", "catalogue.json", "recommendations.parquet", "recommendations.csv", "scoring.json")
    there = least.copy_to(tmp_path / "there", leave_out=computed)
    there = there.with_settings({"run": {"executor": "spark", "master": LOCAL}})
    there.run("features", "recommend")
    for name in computed:
        assert (there.root / "data" / name).read_bytes() == (least.root / "data" / name).read_bytes(), name


@needs_the_loan_log
def test_a_real_log_becomes_the_same_matrix_and_the_same_recommendations(
    loans: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is trained and measured between is computed here in either case, from files that are the same."""
    require_spark()
    monkeypatch.setattr(sorting, "STRETCH_ROWS", 50_000)
    monkeypatch.setattr(matrix, "PART_EVENTS", 40_000)
    made = ("interactions", "leads", "snapshots", "features", "recommendations")
    there = loans.copy_to(tmp_path / "there", leave_out=[f"{name}.*" for name in made])
    there = there.with_settings({"run": {"executor": "spark", "master": LOCAL}})
    there.run("ingest", "snapshots", "features", "recommend")
    for name in (*(f"{name}.parquet" for name in made), "recommendations.csv"):
        assert (there.root / "data" / name).read_bytes() == (loans.root / "data" / name).read_bytes(), name
