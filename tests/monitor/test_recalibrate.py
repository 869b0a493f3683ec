"""``leadcast recalibrate``: the same order, another meaning, judged by what came later."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from command_line import call
from house import ROOT
from numpy.typing import NDArray
from watched import learned_until
from world import Project

from models.core.calibrators import calibrate
from models.learning.recalibration import FEWEST_CONVERTING, lacking, recalibrate
from pipeline.core.project import read_json, write_json
from pipeline.registry.champion import find_model
from pipeline.registry.mlflow import connected

REACH = timedelta(days=30)


def drawn(
    rows: int, *, slope: float, intercept: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.datetime64]]:
    """Draw raw log-odds, labels by a line of them, and the days of half a year on which leads were looked at."""
    generator = np.random.default_rng(1)
    raw = generator.normal(-2.0, 1.5, rows)
    labels = (generator.random(rows) < 1.0 / (1.0 + np.exp(-(slope * raw + intercept)))).astype(float)
    days = np.sort(generator.integers(0, 180, rows))
    return raw, labels, np.arange(rows), np.datetime64("2026-01-01", "us") + days * np.timedelta64(1, "D")


def test_the_line_by_which_labels_were_drawn_is_found() -> None:
    raw, labels, leads, as_of = drawn(60_000, slope=0.6, intercept=-1.0)
    found = recalibrate(raw, labels, leads, as_of, REACH, method="platt", seed=1)
    assert found.calibrator["slope"] == pytest.approx(0.6, abs=0.02)
    assert found.calibrator["intercept"] == pytest.approx(-1.0, abs=0.05)
    said, truth = found.said[found.judged], 1.0 / (1.0 + np.exp(-(0.6 * raw - 1.0)))[found.judged]
    np.testing.assert_allclose(said, truth, rtol=0.25)
    assert said.sum() == pytest.approx(truth.sum(), rel=0.05)


def test_an_origin_knows_nothing_of_what_was_settled_later() -> None:
    raw, labels, leads, as_of = drawn(6_000, slope=1.0, intercept=0.0)
    found = recalibrate(raw, labels, leads, as_of, REACH, method="platt", seed=1)
    origins = np.unique(found.origin[found.judged])
    assert origins.tolist() == [pd.Timestamp(day).to_pydatetime() for day in
                                ("2026-03-01", "2026-04-01", "2026-05-01", "2026-06-01")]  # fmt: skip
    unsettled = as_of + np.timedelta64(REACH) > origins[1]
    other = recalibrate(raw, np.where(unsettled, 1.0 - labels, labels), leads, as_of, REACH, method="platt", seed=1)
    early = found.judged & (found.origin <= origins[1])
    np.testing.assert_array_equal(other.said[early], found.said[early])
    assert (other.said[found.origin > origins[1]] != found.said[found.origin > origins[1]]).all()
    first = found.origin == origins[0]
    assert (as_of[first] >= origins[0]).all()
    assert (as_of[first] < origins[1]).all()


def test_too_few_are_counted_and_refused() -> None:
    raw, labels, leads, as_of = drawn(4_000, slope=1.0, intercept=0.0)
    labels[np.flatnonzero(labels)[FEWEST_CONVERTING - 1 :]] = 0.0
    assert lacking(labels, leads) == "1 more that convert"
    with pytest.raises(ValueError, match="1 more that convert"):
        recalibrate(raw, labels, leads, as_of, REACH, seed=1)


@pytest.fixture(scope="module")
def settled(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Train a champion on the first months of the log, and look at the leads half a year later."""
    return learned_until("2025-11-15", world, tmp_path_factory.mktemp("recalibrated") / "project")


def kill_as_it_fits(project: Project) -> None:
    """Kill a recalibration after it has begun to fit, before anything is kept."""
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline.commands.app", "recalibrate"],
        cwd=project.root, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as command:  # fmt: skip
        assert command.stdout is not None
        said = next((line for line in command.stdout if "fitting a calibrator" in line), None)
        command.kill()
    assert said is not None
    assert command.returncode == -signal.SIGKILL


def end_as_a_store_that_is_gone(*_: object, **__: object) -> None:
    from mlflow import MlflowException  # noqa: PLC0415 - takes seconds

    raise MlflowException("interrupted")


def test_the_champion_becomes_a_challenger_with_another_calibrator(
    settled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(settled.root)
    kill_as_it_fits(settled)
    for place in ("mlflow.pyfunc.save_model", "mlflow.MlflowClient.create_model_version"):
        with monkeypatch.context() as patch:
            patch.setattr(place, end_as_a_store_that_is_gone)
            code, text = call("recalibrate")
            assert (code, "interrupted" in text) == (8, True)
    code, text = call("recalibrate")
    assert code == 0, text
    assert "it is the challenger" in text
    [origins] = re.findall(r"judged from (\d+) origins", text)
    with connected(settled) as client:
        name = settled.parameters.evaluate.model_name
        champion, challenger = (client.get_model_version_by_alias(name, alias) for alias in ("champion", "challenger"))
        run = client.get_run(challenger.run_id)
        assert len(client.search_model_versions(f"name = '{name}'")) == 2
        assert len(client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")) == 1
        assert run.info.status == "FINISHED"
        assert challenger.description.count("## Who") == 1
    before, after = (
        find_model(settled, settled.parameters.evaluate, version.tags["model_version"])
        for version in (champion, challenger)
    )
    assert before is not None
    assert after is not None
    assert after.members == before.members
    assert after.calibrator != before.calibrator
    assert after.manifest["recalibrated"]["model_version"] == before.version
    assert run.data.tags["origins"] == origins
    assert run.data.metrics["calibration/error"] > 0.0
    assert run.data.params["recalibrated"] == before.version

    kept = pq.read_table(settled.kept_origins / f"{after.version[:16]}.parquet").to_pandas()
    assert kept["as_of"].min() > pd.Timestamp(before.manifest["trained_until"])
    assert (kept["as_of"] >= kept["origin"]).all()
    labels = pq.read_table(settled.snapshots).to_pandas().set_index(["lead_id", "as_of"])["label"]
    expected = labels.loc[list(zip(kept["lead_id"], kept["as_of"], strict=True))]
    assert kept["happened"].tolist() == (expected > 0).tolist()
    assert (calibrate(after.calibrator, np.array([-3.0, 0.0])) > 0.0).all()

    code, again = call("recalibrate")
    assert code == 0, again
    assert "has it already, as version 2" in again

    code, compared = call("compare", "champion", "challenger")
    assert code == 0, compared
    assert f"{len(kept):,}" in compared


def test_what_is_not_settled_yet_is_said_with_its_day(learned: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(learned.root)
    code, text = call("recalibrate")
    assert code != 0
    assert "too early" in text
    assert "dvc repro snapshots" in text


def test_a_time_in_which_conversions_were_not_recorded_is_refused(
    settled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(settled.root)
    counts = read_json(settled.snapshot_counts)
    hole = {"source": "crm", "first": "2026-02-01", "last": "2026-03-20", "told": "no conversion in 48 days"}
    try:
        write_json(settled.snapshot_counts, counts | {"outcome_holes": [hole]})
        code, text = call("recalibrate")
        assert code != 0
        assert "crm: no conversion in 48 days. complete the export" in text
        before = hole | {"first": "2025-06-01", "last": "2025-07-01"}
        write_json(settled.snapshot_counts, counts | {"outcome_holes": [before]})
        assert call("recalibrate")[0] == 0, "what the champion has learned from is not looked at"
    finally:
        write_json(settled.snapshot_counts, counts)


def test_another_question_is_refused(settled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = settled.with_settings({"snapshots.horizon": "14d"})
    monkeypatch.chdir(asked.root)
    code, text = call("recalibrate")
    assert code != 0
    assert "another question" in text
    assert "snapshots.horizon" in text
