"""The stages that ask an executor write the same bytes by either."""

from __future__ import annotations

from pathlib import Path

import pytest
from sparks import LOCAL, require_spark
from world import Project

from pipeline.matrix import spark


def test_features_and_recommendations_are_the_same_bytes(
    least: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_spark()
    monkeypatch.setattr(spark, "PART_EVENTS", 1_500)
    computed = ("features.parquet", "catalogue.json", "recommendations.parquet", "recommendations.csv", "scoring.json")
    there = least.copy_to(tmp_path / "there", leave_out=computed)
    there = there.with_settings({"run": {"executor": "spark", "master": LOCAL}})
    there.run("features", "recommend")
    for name in computed:
        assert (there.root / "data" / name).read_bytes() == (least.root / "data" / name).read_bytes(), name
