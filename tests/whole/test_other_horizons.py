"""The small world with two horizons beside its own: what is foretold, measured, scored and shown of them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from world import Project

from features.core.errors import NotEnoughDataError
from features.core.recommendation import RECOMMENDATION
from features.timeline.labels import assign_labels
from models.core.model import Model
from models.learning.ladder import losses
from pipeline.core.project import Places
from pipeline.core.trained import open_trained
from pipeline.evaluate.horizons import figures_of, judge_horizons
from pipeline.report.results import Results
from pipeline.report.text import summary
from pipeline.scoring.files import NOT_FOR_PEOPLE

DAY = timedelta(days=1)
HORIZONS = {"7d": 7 * DAY, "60d": 60 * DAY}


@pytest.fixture(scope="module")
def foretold(world: Project) -> pd.DataFrame:
    """Give what was foretold, beside the label of each horizon, missing where it is not known."""
    told = pq.read_table(world.foretold).to_pandas()
    return told.merge(labelled(world), on=["lead_id", "as_of"], validate="one_to_one")


def labelled(world: Project) -> pd.DataFrame:
    """Give lead and moment of all snapshots that are learned from, and their labels, by the labels' own rule."""
    snapshots = pq.read_table(world.snapshots).to_pandas()
    snapshots = snapshots[snapshots["label"].notna()]
    counts = json.loads(world.snapshot_counts.read_text())
    until, delay = datetime.fromisoformat(counts["observed_until"]), timedelta(hours=counts["outcome_delay_hours"])
    labels = {
        name: assign_labels(snapshots, horizon, delay, until)["label"]
        .astype("Float64")
        .to_numpy(float, na_value=np.nan)
        for name, horizon in HORIZONS.items()
    }
    return snapshots[["lead_id", "as_of"]].assign(**labels)


@pytest.fixture(scope="module")
def judged(world: Project) -> dict[str, dict[str, Any]]:
    return {one["horizon"]: one for one in json.loads(world.breakdown.read_text())["horizons"]}


def test_each_horizon_is_measured_on_the_rows_whose_outcome_is_known(
    foretold: pd.DataFrame, judged: dict[str, dict[str, Any]]
) -> None:
    assert list(judged) == list(HORIZONS)
    for name, found in judged.items():
        rows = foretold[foretold[name].notna() & foretold[f"probability_{name}"].notna()]
        assert len(rows) > 1000
        assert (found["rows"], found["leads"]) == (len(rows), rows["lead_id"].nunique())
        assert found["happened"] == rows[name].sum() > 20
        assert found["promised"] == pytest.approx(rows[f"probability_{name}"].sum(), rel=1e-12)
        loss = losses(rows[name].to_numpy(), rows[f"probability_{name}"].to_numpy()).mean()
        assert found["log_loss"]["value"] == pytest.approx(loss, rel=1e-12)
        assert found["log_loss"]["low"] < loss < found["log_loss"]["high"]
        assert found["is_calibrated"] == (found["calibration_error"] <= found["error_by_chance"])
        assert (found["origins"], found["origins_left_out"]) == (
            rows["origin"].nunique(), foretold["origin"].nunique() - rows["origin"].nunique(),
        )  # fmt: skip
    assert judged["60d"]["rows"] < judged["7d"]["rows"] == len(foretold)


def test_the_base_rate_beside_it_is_that_of_what_was_settled_at_the_origin(
    world: Project, foretold: pd.DataFrame, judged: dict[str, dict[str, Any]]
) -> None:
    snapshots = labelled(world)
    for name, horizon in HORIZONS.items():
        lost = []
        rows = foretold[foretold[name].notna()]
        for origin, of_origin in rows.groupby("origin"):
            rate = snapshots.loc[snapshots["as_of"] + horizon <= origin, name].mean()
            lost.append(losses(of_origin[name].to_numpy(), np.full(len(of_origin), rate)))
        assert judged[name]["log_loss_of_base_rate"] == pytest.approx(np.concatenate(lost).mean(), rel=1e-12)


def test_no_horizon_contradicts_another_at_any_origin_or_of_any_open_lead(
    world: Project, foretold: pd.DataFrame
) -> None:
    recommendations = pq.read_table(world.recommendations).to_pandas()
    names = [field.name for field in RECOMMENDATION]
    place = names.index("probability") + 1
    assert list(recommendations) == [*names[:place], "probability_7d", "probability_60d", *names[place:]]
    ended = recommendations["probability"].isna()
    assert recommendations.loc[ended, ["probability_7d", "probability_60d"]].isna().all(axis=None)
    for said in (recommendations[~ended], foretold):
        ordered = said[["probability_7d", "probability", "probability_60d"]].to_numpy()
        assert ((ordered > 0) & (ordered < 1)).all()
        assert (np.diff(ordered, axis=1) >= 0).all()
        assert (np.diff(ordered, axis=1) > 0).mean() > 0.9
    header, *_ = world.recommendations_csv.read_text(encoding="utf-8-sig").splitlines()
    assert header.replace('"', "").split(",") == [name for name in recommendations if name not in NOT_FOR_PEOPLE]


def test_the_summary_and_the_pages_show_them(world: Project, judged: dict[str, dict[str, Any]]) -> None:
    summary, page, leads = (path.read_text() for path in (world.summary, world.model_page, world.leads_page))
    assert '<h3 id="horizons">Other horizons</h3>' in page
    for name, found in judged.items():
        assert f"{name}: {found['rows']:,} snapshots of {found['leads']:,} leads, calibration error" in summary
        assert f'<tr><th scope="row">{name}</th><td class="number">{found["rows"]:,}<br>' in page
        assert (f"{name} is NOT calibrated" in summary) == (not found["is_calibrated"])
    first = pq.read_table(world.recommendations).slice(0, 1).to_pylist()[0]
    for name in HORIZONS:
        assert f"<small>{name}: {100 * first[f'probability_{name}']:.1f}" in leads


def test_a_horizon_within_which_fewer_than_ten_leads_convert_has_no_figures(
    world: Project, foretold: pd.DataFrame, tmp_path: Path
) -> None:
    few = Places(tmp_path)
    few.snapshots.parent.mkdir()
    shutil.copy(world.snapshots, few.snapshots)
    shutil.copy(world.snapshot_counts, few.snapshot_counts)
    steps = [step for step in open_trained(world).steps if step.horizon == "7d"]
    converting = foretold.loc[foretold["7d"] > 0, "lead_id"].unique()
    told = pq.read_table(world.foretold).to_pandas()
    for count in (9, 10):
        told[~told["lead_id"].isin(converting[count:])].to_parquet(few.foretold)
        (found,) = judge_horizons(few, steps, replicates=10)
        assert ("rows" in found) == (count == 10)
        assert bool(figures_of([found])) == (count == 10)


def test_a_horizon_that_is_not_calibrated_or_not_judged_is_told_with_the_figures(world: Project) -> None:
    results = Results.read(world)
    shorter, longer = results.breakdown["horizons"]
    worse = shorter | {"is_calibrated": False, "promised": 400.0, "happened": 300, "calibration_error": 0.0512}
    unknown = {"horizon": "60d", "origins": 0, "origins_left_out": 3}
    told = replace(results, breakdown=results.breakdown | {"horizons": [worse, unknown]})
    text = " ".join(summary(world.parameters, told).split())
    assert "calibration error 0.0512, by chance up to" in text
    assert "7d is NOT calibrated: it is further off than chance explains, promising too much" in text
    assert "60d is not judged: of what was foretold and is known fewer than ten leads convert, or don't" in text
    fewer = replace(
        results, breakdown=results.breakdown | {"horizons": [longer | {"origins": 2, "origins_left_out": 1}]}
    )
    assert "60d is judged from 2 of 3 origins" in " ".join(summary(world.parameters, fewer).split())


def test_metrics_hold_their_figures(world: Project, judged: dict[str, dict[str, Any]]) -> None:
    metrics = json.loads(world.figures.read_text())
    for name, found in judged.items():
        assert metrics[f"horizon_{name}_log_loss"] == found["log_loss"]
        assert metrics[f"horizon_{name}_roc_auc"] == found["roc_auc"]
        assert metrics[f"horizon_{name}_calibration_error"] == {"value": found["calibration_error"]}
        assert metrics[f"horizon_{name}_calibration_error_by_chance"] == {"quantile_95": found["error_by_chance"]}


def test_the_models_own_horizon_is_the_same_without_them(
    least: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = least.copy_to(tmp_path_factory.mktemp("alone") / "project", leave_out=("raw",))
    project = project.with_settings({"train.other_horizons": []})
    project.run("train", "evaluate", "recommend", "report")
    model, alone = (Model.load(of.model) for of in (least, project))
    assert [step.horizon for step in model.steps] == ["60d"]
    assert (alone.steps, alone.members, alone.calibrator) == ((), model.members, model.calibrator)
    assert not (project.model / "horizons.json").exists()
    for place in ("foretold", "recommendations"):
        with_them, without = (pq.read_table(getattr(of, place)).to_pandas() for of in (least, project))
        names = [name for name in without if name != "model_version"]
        assert set(with_them) - set(without) == {"probability_60d"}
        pd.testing.assert_frame_equal(with_them[names], without[names])
    figures, without = (json.loads(of.figures.read_text()) for of in (least, project))
    assert {name: figure for name, figure in figures.items() if not name.startswith("horizon_")} == without
    assert json.loads(project.breakdown.read_text())["horizons"] == []
    assert "Other horizons" not in project.model_page.read_text()


def test_a_horizon_that_the_log_is_too_short_for_is_an_error_before_anything_is_learned(
    world: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = world.copy_to(tmp_path_factory.mktemp("short") / "project", leave_out=("raw", "reports"))
    project = project.with_settings({"train.other_horizons": ["60d", "600d"]})
    with pytest.raises(NotEnoughDataError, match="train.other_horizons: no snapshot tells of 600d"):
        project.run("train")
    assert project.training.exists(), "what was learned before is left alone"


def test_each_step_is_told_with_what_it_learned_from(world: Project) -> None:
    snapshots = labelled(world)
    own = pq.read_table(world.snapshots, columns=["lead_id", "as_of", "label"]).to_pandas().dropna()
    rows = snapshots.merge(own, on=["lead_id", "as_of"])
    shorter, longer = json.loads(world.training.read_text())["steps"]
    converts = rows[rows["label"].astype(bool)]
    left = rows[~rows["label"].astype(bool) & rows["60d"].notna()]
    assert (shorter["horizon"], shorter["rows"], shorter["conversions"]) == ("7d", len(converts), converts["7d"].sum())
    assert (longer["horizon"], longer["rows"], longer["conversions"]) == ("60d", len(left), left["60d"].sum())
