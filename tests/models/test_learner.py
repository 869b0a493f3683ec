"""Learning: probabilities close to the truth, the same bytes each time, and a plain word where it can't be done."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from labelled_rows import CATEGORICAL, COLUMNS, draw_rows

from features.core.errors import NotEnoughDataError, SettingsError
from models.core.slices import Slice
from models.evaluation.metrics import evaluate
from models.learning.learner import TrainingLog, category_levels, fit
from models.learning.parameters import DEFAULTS, checked_parameters


def learn(rows: int = 2000, **changes: Any) -> tuple[Any, TrainingLog]:  # noqa: ANN401 (whatever `fit` takes)
    arguments: dict[str, Any] = {
        "fitting": draw_rows(rows, seed=1)[0],
        "early_stopping": draw_rows(rows // 2, seed=2)[0],
        "calibration": draw_rows(rows // 2, seed=3)[0],
        "columns": COLUMNS,
        "categorical": CATEGORICAL,
        "parameters": {"num_iterations": 60},
        "seed": 1,
        "num_threads": 1,
    }
    return fit(**(arguments | changes))


def test_probabilities_come_close_to_the_truth_and_mean_what_they_say() -> None:
    model, _ = learn(20_000, parameters={})
    rows, truth = draw_rows(20_000, seed=4)
    probabilities = model.predict(rows.frame)
    figures = evaluate(rows.labels, probabilities, rows.leads, replicates=2, seed=0)
    best = evaluate(rows.labels, truth, rows.leads, replicates=2, seed=0)
    assert figures["calibration_slope"].value == pytest.approx(1.0, abs=0.08)
    assert figures["roc_auc"].value > best["roc_auc"].value - 0.01
    assert np.abs(probabilities - truth).mean() < 0.02


def test_the_mean_probability_on_the_calibration_slice_is_its_base_rate() -> None:
    calibration = draw_rows(1000, seed=3)[0]
    model, _ = learn(calibration=calibration)
    assert model.predict(calibration.frame).mean() == pytest.approx(calibration.labels.mean(), abs=1e-12)


def test_the_model_is_the_same_to_the_byte_for_any_number_of_threads() -> None:
    versions = {learn(num_threads=threads)[0].version for threads in (1, 1, 2)}
    assert len(versions) == 1


def test_another_seed_makes_another_model() -> None:
    assert learn(seed=1)[0].version != learn(seed=2)[0].version


def test_the_order_of_columns_in_the_slices_does_not_matter() -> None:
    slices: dict[str, Any] = {
        name: draw_rows(1000, seed=seed)[0] for name, seed in (("fitting", 5), ("early_stopping", 6))
    }
    turned: dict[str, Any] = {
        name: dataclasses.replace(part, frame=part.frame[part.frame.columns[::-1]]) for name, part in slices.items()
    }
    assert learn(**slices)[0].version == learn(**turned)[0].version


def test_trees_stop_where_the_later_slice_stops_to_gain() -> None:
    noise = draw_rows(2000, seed=5)[0]
    shuffled = np.random.default_rng(1).permutation(noise.labels)
    patience = {"num_iterations": 500, "early_stopping_round": 10}
    _, learned = learn(parameters=patience)
    _, nothing = learn(fitting=dataclasses.replace(noise, labels=shuffled), parameters=patience)
    assert nothing.best_iteration < 10 < learned.best_iteration < 500


def test_the_model_keeps_the_trees_up_to_the_best_iteration() -> None:
    model, log = learn(parameters={"num_iterations": 500, "early_stopping_round": 10})
    assert model.booster.num_trees() == log.best_iteration


def test_progress_is_told_for_each_tree() -> None:
    told: list[tuple[int, int]] = []
    learn(parameters={"num_iterations": 5}, progress=lambda grown, most: told.append((grown, most)))
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_the_log_says_what_each_slice_held_and_lost() -> None:
    calibration = draw_rows(1000, seed=3)[0]
    model, log = learn(calibration=calibration)
    assert log.rows == {"fit": 2000, "early_stopping": 1000, "calibration": 1000}
    assert log.conversions["calibration"] == int(calibration.labels.sum())
    assert log.calibration_method == "sigmoid"
    known = evaluate(calibration.labels, model.predict(calibration.frame), calibration.leads, replicates=2, seed=0)
    assert log.log_loss["calibration"] == pytest.approx(known["log_loss"].value, rel=1e-9)
    # The base rate alone loses more.
    rate = calibration.labels.mean()
    assert log.log_loss["calibration"] < -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))


def test_the_manifest_says_what_the_model_is_made_of() -> None:
    model, log = learn(manifest={"horizon": "30d"}, parameters={"num_iterations": 60, "lambda_l2": 7})
    assert model.manifest["horizon"] == "30d"
    assert model.columns == COLUMNS
    assert model.categories == {"source": ["fax", "mail", "web"]}  # two rows of "fair" are too few
    assert model.manifest["base_rate"] == pytest.approx(sum(log.conversions.values()) / 4000)
    assert model.manifest["parameters"]["lambda_l2"] == 7
    assert model.manifest["seed"] == 1
    assert "num_threads" not in str(model.manifest)


def test_a_manifest_may_not_contradict_the_learner() -> None:
    with pytest.raises(ValueError, match=r"manifest: \['columns'\]"):
        learn(manifest={"columns": []})


def test_levels_are_kept_from_a_number_of_rows_on_in_the_order_of_their_text() -> None:
    frame = draw_rows(1000, seed=1)[0].frame.assign(source=["b"] * 20 + ["a"] * 21 + ["c"] * 19 + [None] * 940)
    assert category_levels(frame, ["source"], minimum_rows=20) == {"source": ["a", "b"]}


def test_rare_and_unseen_levels_are_treated_alike() -> None:
    model, _ = learn()
    frame = draw_rows(50, seed=9)[0].frame
    rare, unseen = frame.assign(source="fair"), frame.assign(source="billboard")
    np.testing.assert_array_equal(model.predict(rare), model.predict(unseen))


def test_names_that_lightgbm_refuses_are_no_obstacle() -> None:
    names = {"clicks": 'clicks, "all": [7d]', "age": "clicks_ _all__ _7d_", "noise": "größe"}
    columns = [names.get(column, column) for column in COLUMNS]
    parts: dict[str, Any] = {
        name: dataclasses.replace(part, frame=part.frame.rename(columns=names))
        for name, part in (
            ("fitting", draw_rows(1000, seed=1)[0]),
            ("early_stopping", draw_rows(1000, seed=2)[0]),
            ("calibration", draw_rows(1000, seed=3)[0]),
        )
    }
    model, _ = learn(columns=columns, **parts)
    assert model.columns == columns
    assert model.booster.feature_name()[:2] == ["clicks___all____7d___column_0", "clicks___all____7d___column_1"]


def test_features_that_say_nothing_leave_the_base_rate() -> None:
    calibration = draw_rows(1000, seed=3)[0]
    model, _ = learn(columns=["constant", "never known"], categorical=[], calibration=calibration)
    np.testing.assert_allclose(model.predict(calibration.frame), calibration.labels.mean(), rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("scale_pos_weight", "probabilities no longer mean what they say"),
        ("is_unbalance", "probabilities no longer mean what they say"),
        ("neg_bagging_fraction", "probabilities no longer mean what they say"),
        ("objective", "learned by the log loss"),
        ("num_threads", "the same for any number of threads"),
    ],
)
def test_parameters_that_break_probabilities_or_repetition_are_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is refused: .*{reason}"):
        checked_parameters({name: 2.0}, rows=1000)


def test_all_wrong_parameters_are_named_at_once_and_a_typo_with_its_neighbour() -> None:
    with pytest.raises(SettingsError) as caught:
        checked_parameters({"num_leafs": 3, "is_unbalance": True, "lambda_l2": 1.0}, rows=1000)
    assert "num_leafs is no parameter of the learner, did you mean 'num_leaves'?" in str(caught.value)
    assert "is_unbalance is refused" in str(caught.value)
    assert "lambda_l2" not in str(caught.value)


def test_a_value_that_lightgbm_refuses_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match=r"LightGBM refuses .*min_data_in_leaf': -3.* Check failed"):
        learn(parameters={"min_data_in_leaf": -3})


def test_leaves_are_smaller_where_rows_are_few_unless_told_otherwise() -> None:
    assert checked_parameters({}, rows=100_000) == DEFAULTS
    assert checked_parameters({}, rows=3000)["min_data_in_leaf"] == 30
    assert checked_parameters({}, rows=100)["min_data_in_leaf"] == 20
    assert checked_parameters({}, rows=1_000_000)["num_leaves"] == 31
    assert checked_parameters({"min_data_in_leaf": 44}, rows=100)["min_data_in_leaf"] == 44


def test_too_few_outcomes_are_itemised() -> None:
    scarce = draw_rows(1000, seed=2)[0]
    labels = np.zeros(1000)
    labels[:19] = 1.0
    with pytest.raises(NotEnoughDataError) as caught:
        learn(early_stopping=dataclasses.replace(scarce, labels=labels), minimum_conversions=20)
    lines = str(caught.value).splitlines()
    assert "each slice needs at least 20 rows that convert" in lines[0]
    assert lines[1].startswith("  fit: 2000 rows, of which ")
    assert not lines[1].endswith("too few")
    assert lines[2] == "  early_stopping: 1000 rows, of which 19 convert and 981 don't  <- too few"
    assert lines[4].startswith("What helps: ")


def test_just_enough_outcomes_are_enough() -> None:
    scarce = draw_rows(1000, seed=2)[0]
    labels = np.zeros(1000)
    labels[:20] = 1.0
    _, log = learn(early_stopping=dataclasses.replace(scarce, labels=labels), minimum_conversions=20)
    assert log.conversions["early_stopping"] == 20


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_slice_of_one_class_is_too_little(label: float) -> None:
    part = draw_rows(200, seed=2)[0]
    with pytest.raises(NotEnoughDataError, match=r"calibration: 200 rows"):
        learn(calibration=dataclasses.replace(part, labels=np.full(200, label)))


def test_an_empty_slice_is_too_little() -> None:
    part = draw_rows(200, seed=2)[0]
    empty = Slice(frame=part.frame.iloc[:0], labels=part.labels[:0], leads=part.leads[:0])
    with pytest.raises(NotEnoughDataError, match="fit: 0 rows, of which 0 convert"):
        learn(fitting=empty)


def test_a_slice_must_be_whole_and_labelled() -> None:
    part = draw_rows(10, seed=1)[0]
    with pytest.raises(ValueError, match="10 rows, 9 labels, 10 leads"):
        dataclasses.replace(part, labels=part.labels[:9])
    with pytest.raises(ValueError, match="labels must be 0 or 1"):
        dataclasses.replace(part, labels=np.full(10, np.nan))


def test_threads_that_wait_for_each_other_do_not_spin() -> None:
    """They would take a core from the neighbour they wait for; the runtime itself says what it was told."""
    shown = subprocess.run(
        [sys.executable, "-c", "import models.learning.learner, lightgbm"],
        env={name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
        | {"OMP_DISPLAY_ENV": "TRUE"},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in shown
