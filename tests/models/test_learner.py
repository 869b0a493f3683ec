"""Learning: as many trees as the folds call for, the same bytes each time, and a plain word where it can't be done."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from labelled_rows import CATEGORICAL, COLUMNS, QUICK, draw_rows
from numpy.typing import NDArray
from sklearn.metrics import log_loss as known_log_loss

from features.core.errors import NotEnoughDataError, SettingsError
from models.core.calibrators import calibrate
from models.core.model import Model
from models.core.slices import Slice
from models.learning.calibration import fit_calibrator
from models.learning.learner import MOST_LEVELS, Recipe, TrainingLog, category_levels, learn, log_loss
from models.learning.parameters import DEFAULTS, checked_parameters

RECIPE = Recipe(COLUMNS, CATEGORICAL, QUICK, seed=1, num_threads=1)
PATIENT = QUICK | {"num_iterations": 500}


def learned(part: Slice | None = None, members: int = 1, **changes: Any) -> tuple[Model, TrainingLog]:  # noqa: ANN401 (whatever a recipe takes)
    return learn(
        draw_rows(2000, seed=1)[0] if part is None else part, dataclasses.replace(RECIPE, **changes), members=members
    )


def with_conversions(part: Slice, number: int) -> Slice:
    """Give the rows with so many conversions."""
    labels = np.zeros(len(part.labels))
    labels[:number] = 1.0
    return dataclasses.replace(part, labels=labels)


def test_there_are_as_many_trees_as_the_folds_call_for() -> None:
    part = draw_rows(2000, seed=5)[0]
    shuffled = np.random.default_rng(1).permutation(part.labels)
    _, signal = learned(part, parameters=PATIENT)
    _, nothing = learned(dataclasses.replace(part, labels=shuffled), parameters=PATIENT)
    assert nothing.trees < 10
    assert 30 < signal.trees < 500


def test_every_member_has_the_trees_that_the_folds_called_for() -> None:
    model, log = learned(parameters=PATIENT, members=3)
    assert [booster.num_trees() for booster in model.boosters] == [log.trees] * 3
    assert model.manifest["trees"] == log.trees


def test_patience_ends_the_search() -> None:
    part, told = draw_rows(2000, seed=1)[0], list[int]()
    recipe = dataclasses.replace(RECIPE, parameters=PATIENT)
    _, log = learn(part, recipe, progress=lambda grown, _: told.append(grown))
    assert told[-1] == log.trees + 20


def test_the_calibrator_is_fitted_to_scores_by_trees_that_had_not_seen_the_row() -> None:
    bold: dict[str, Any] = QUICK | {"learning_rate": 0.3, "num_leaves": 31, "min_data_in_leaf": 5}
    part = draw_rows(1000, seed=1)[0]
    model, log = learned(part, parameters=bold, calibration="platt")
    # The trees know their own rows too well: by these, they would be far from bold enough.
    misled = fit_calibrator(model.raw_score(part.frame), part.labels, part.leads, method="platt", seed=1)
    assert misled["slope"] > 1.4
    assert model.calibrator["slope"] < 1.2
    # What is told is lost on rows that are not known, not on those that were learned.
    fresh = draw_rows(10_000, seed=2)[0]
    assert log.log_loss == pytest.approx(log_loss(fresh.labels, model.predict(fresh.frame)), abs=0.02)
    assert log_loss(part.labels, model.predict(part.frame)) < log.log_loss - 0.03


def test_the_model_is_the_same_to_the_byte_for_any_number_of_threads() -> None:
    assert len({learned(num_threads=threads, members=2)[0].version for threads in (1, 1, 2, 3)}) == 1


def test_another_seed_makes_another_model() -> None:
    assert learned(seed=1)[0].version != learned(seed=2)[0].version


def test_members_differ_by_their_seed_alone() -> None:
    # A learning rate at which the last of fifteen trees is the best for any seed, so that all have as many.
    few: dict[str, Any] = {"num_iterations": 15, "bagging_fraction": 0.5, "bagging_freq": 1}
    three, log = learned(parameters=few, members=3)
    assert log.trees == 15
    assert len(set(three.members)) == 3
    assert three.members[:1] == learned(parameters=few)[0].members
    for number in (1, 2):
        alone, other = learned(parameters=few, seed=1 + number)
        assert other.trees == 15
        assert three.members[number] == alone.members[0]


def test_the_number_of_members_changes_nothing_but_the_members() -> None:
    one, two = learned(members=1), learned(members=2)
    assert one[0].calibrator == two[0].calibrator
    assert one[0].manifest == two[0].manifest
    assert one[1] == two[1]


def test_members_need_not_differ_where_nothing_is_drawn() -> None:
    model, _ = learned(parameters=QUICK | {"feature_fraction": 1.0, "bagging_fraction": 1.0}, members=2)
    assert model.members[0] == model.members[1]


def test_the_order_of_columns_in_the_rows_does_not_matter() -> None:
    part = draw_rows(1000, seed=5)[0]
    turned = dataclasses.replace(part, frame=part.frame[part.frame.columns[::-1]])
    assert learned(part)[0].version == learned(turned)[0].version


def test_the_index_of_the_rows_does_not_matter() -> None:
    part = draw_rows(1000, seed=5)[0]
    assert (
        learned(part)[0].version
        == learned(dataclasses.replace(part, frame=part.frame.reset_index(drop=True)))[0].version
    )


def test_progress_is_told_for_each_tree_of_the_folds() -> None:
    told: list[tuple[int, int]] = []
    recipe = dataclasses.replace(RECIPE, parameters={"num_iterations": 5})
    learn(draw_rows(2000, seed=1)[0], recipe, progress=lambda grown, most: told.append((grown, most)))
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_the_log_says_what_was_learned_from_and_lost() -> None:
    part = draw_rows(2000, seed=3)[0]
    model, log = learned(part)
    assert (log.rows, log.leads, log.conversions) == (2000, len(set(part.leads)), int(part.labels.sum()))
    assert log.calibration == model.calibrator["method"]
    # The base rate alone loses more, and the truth itself not less.
    rate, truth = part.labels.mean(), draw_rows(2000, seed=3)[1]
    assert log_loss(part.labels, truth) < log.log_loss < -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))


def test_the_log_loss_is_the_known_one() -> None:
    part, truth = draw_rows(1000, seed=3)
    assert log_loss(part.labels, truth) == pytest.approx(known_log_loss(part.labels, truth), rel=1e-12)


def test_the_manifest_says_what_the_model_is_made_of() -> None:
    part = draw_rows(2000, seed=1)[0]
    recipe = dataclasses.replace(RECIPE, parameters=QUICK | {"lambda_l2": 7})
    model, log = learn(part, recipe, manifest={"horizon": "30d"})
    assert model.manifest["horizon"] == "30d"
    assert model.columns == COLUMNS
    assert model.categories == {"source": ["fax", "mail", "web"]}  # two rows of "fair" are too few
    assert model.manifest["base_rate"] == pytest.approx(log.conversions / 2000)
    assert model.manifest["parameters"]["lambda_l2"] == 7
    assert model.manifest["seed"] == 1
    assert model.manifest["trees"] == log.trees
    assert "num_threads" not in str(model.manifest)


@pytest.mark.parametrize("name", ["columns", "categories", "base_rate", "parameters", "seed", "trees"])
def test_a_manifest_may_not_contradict_the_learner(name: str) -> None:
    with pytest.raises(ValueError, match=rf"manifest: \['{name}'\]"):
        learn(draw_rows(1000, seed=1)[0], RECIPE, manifest={name: []})


def of_source(source: list[str | None], leads: NDArray[Any]) -> Slice:
    part = draw_rows(len(source), seed=1)[0]
    return dataclasses.replace(part, frame=part.frame.assign(source=source), leads=leads)


def test_levels_are_kept_from_a_number_of_leads_on_in_the_order_of_their_text() -> None:
    rows = of_source(["b"] * 20 + ["a"] * 21 + ["c"] * 19 + [None] * 940, np.arange(1000))
    assert category_levels(rows, ["source"], minimum_leads=20) == {"source": ["a", "b"]}


def test_a_lead_that_is_looked_at_often_makes_no_level_of_its_address() -> None:
    leads = np.arange(1000) // 25
    rows = of_source([f"person{lead}@firm.example" for lead in leads], leads)
    assert category_levels(rows, ["source"], minimum_leads=20) == {"source": []}
    model, _ = learned(rows)
    assert "firm.example" not in "".join([*model.members, str(model.manifest)])


def test_of_many_levels_those_are_kept_that_most_leads_have_and_of_equal_ones_the_first() -> None:
    names = [f"level {number:03}" for number in range(MOST_LEVELS + 2)]
    rows = of_source([*names * 20, names[-1]], np.arange(len(names) * 20 + 1))
    assert category_levels(rows, ["source"], minimum_leads=20) == {"source": [*names[: MOST_LEVELS - 1], names[-1]]}


def test_rare_and_unseen_levels_are_treated_alike() -> None:
    model, _ = learned()
    frame = draw_rows(50, seed=9)[0].frame
    rare, unseen = frame.assign(source="fair"), frame.assign(source="billboard")
    np.testing.assert_array_equal(model.predict(rare), model.predict(unseen))


def test_names_that_lightgbm_refuses_are_no_obstacle() -> None:
    names = {"clicks": 'clicks, "all": [7d]', "age": "clicks_ _all__ _7d_", "noise": "größe"}
    columns = [names.get(column, column) for column in COLUMNS]
    part = draw_rows(1000, seed=1)[0]
    model, _ = learned(dataclasses.replace(part, frame=part.frame.rename(columns=names)), columns=columns)
    assert model.columns == columns
    assert model.boosters[0].feature_name()[:2] == ["clicks___all____7d___column_0", "clicks___all____7d___column_1"]


def test_features_that_say_nothing_leave_the_base_rate() -> None:
    part = draw_rows(1000, seed=3)[0]
    model, _ = learned(part, columns=["constant", "never known"], categorical=[], members=2)
    np.testing.assert_allclose(model.predict(part.frame), part.labels.mean(), rtol=1e-9)


@pytest.mark.parametrize("method", ["none", "platt", "beta", "quadratic", "isotonic"])
def test_the_calibrator_that_is_asked_for_is_taken(method: str) -> None:
    model, log = learned(calibration=method)
    assert model.calibrator["method"] == log.calibration == method
    frame = draw_rows(50, seed=9)[0].frame
    np.testing.assert_array_equal(model.predict(frame), calibrate(model.calibrator, model.raw_score(frame)))


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"min_data_in_leaf": -3}, r"LightGBM refuses .*min_data_in_leaf': -3.* Check failed"),
        ({"num_leaves": 1}, r"LightGBM refuses .*num_leaves': 1.* Check failed"),
        ({"feature_fraction": 0.0}, r"LightGBM refuses .*feature_fraction': 0\.0.* Check failed"),
        ({"num_leafs": 3}, "num_leafs is no parameter of the learner, did you mean 'num_leaves'"),
        ({"scale_pos_weight": 3.0}, "scale_pos_weight is refused"),
    ],
)
def test_a_parameter_that_cannot_be_is_a_wrong_setting(parameters: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        learned(parameters=parameters)


def of_single_rows(rows: int) -> Slice:
    """Draw rows of which each is of a lead of its own."""
    part = draw_rows(rows, seed=2)[0]
    return dataclasses.replace(part, leads=np.arange(rows))


def test_too_few_outcomes_are_counted_in_leads_and_help_is_named() -> None:
    part = of_single_rows(1000)
    with pytest.raises(NotEnoughDataError) as caught:
        learned(with_conversions(part, 4))
    assert str(caught.value) == (
        "too few outcomes to learn from: of the leads whose outcome is known 4 convert and 996 have a snapshot that "
        "doesn't, and at least 5 of each are needed: 1 more that convert. What helps: a longer log, a shorter horizon "
        "(more outcomes are known), or looking at leads more often (snapshots.policies)"
    )
    with pytest.raises(NotEnoughDataError, match=r"985 convert and 15 have .* of each are needed: 1 more that don't\."):
        learned(with_conversions(part, 985), minimum_conversions=16)
    # Forty rows that convert are of four leads.
    repeated = dataclasses.replace(part, leads=np.concatenate([np.arange(40) % 4, np.arange(40, 1000)]))
    with pytest.raises(NotEnoughDataError, match="4 convert and 960 have a snapshot that doesn't"):
        learned(with_conversions(repeated, 40))


def test_just_enough_outcomes_are_enough() -> None:
    part = of_single_rows(1000)
    assert learned(with_conversions(part, 5))[1].conversions == 5
    assert learned(with_conversions(part, 995))[1].conversions == 995


def test_of_drawn_leads_too_few_convert_and_it_is_said_what_draws_more() -> None:
    with pytest.raises(NotEnoughDataError, match=r"What helps: more rows to draw leads of \(train.maximum_rows\)"):
        learned(with_conversions(of_single_rows(1000), 20), maximum_rows=50)


def test_one_lead_that_has_all_conversions_gives_no_nonsense() -> None:
    part = draw_rows(2000, seed=1)[0]
    model, log = learned(
        dataclasses.replace(part, leads=np.where(part.labels > 0, "one", part.leads)), minimum_conversions=1
    )
    probabilities = model.predict(part.frame)
    assert log.calibration == "platt"
    assert np.isfinite(log.log_loss)
    assert ((probabilities > 0.0) & (probabilities < 1.0)).all()


@pytest.mark.parametrize(("label", "counts"), [(0.0, "0 convert and 63 have"), (1.0, "63 convert and 0 have")])
def test_rows_of_one_class_are_too_little(label: float, counts: str) -> None:
    part = draw_rows(200, seed=2)[0]
    with pytest.raises(NotEnoughDataError, match=counts):
        learned(dataclasses.replace(part, labels=np.full(200, label)))


def test_no_rows_are_too_little() -> None:
    part = draw_rows(200, seed=2)[0]
    empty = Slice(frame=part.frame.iloc[:0], labels=part.labels[:0], leads=part.leads[:0])
    with pytest.raises(NotEnoughDataError, match="0 convert and 0 have a snapshot that doesn't"):
        learned(empty)


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


def test_leaves_are_smaller_where_rows_are_few_unless_told_otherwise() -> None:
    assert checked_parameters({}, rows=100_000) == DEFAULTS
    assert checked_parameters({}, rows=3000)["min_data_in_leaf"] == 30
    assert checked_parameters({}, rows=100)["min_data_in_leaf"] == 20
    assert checked_parameters({}, rows=1_000_000)["num_leaves"] == 31
    assert checked_parameters({"min_data_in_leaf": 44}, rows=100)["min_data_in_leaf"] == 44
