"""Which rung is taken: the simplest that nothing beats by more than chance, by folds, and by what time has shown."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_rows import CATEGORICAL, COLUMNS, QUICK, draw_rows

from models.core.calibrators import calibrate, shifted
from models.core.model import Model
from models.core.slices import Slice, whole_leads
from models.explaining.contributions import Contributions
from models.learning.additive import Roles
from models.learning.backtest import Foretold, decide, newest
from models.learning.baselines import naive_bayes, points_rule
from models.learning.calibration import fit_shift
from models.learning.ladder import SHIFTED, choose, mean_and_error, rungs_for
from models.learning.learner import Fitting, Recipe, learn
from models.learning.origins import Origin

ROLES = Roles(decayed=["clicks"], ages=["age"], channels=["source"], counts={"click": "clicks"})
RECIPE = Recipe(COLUMNS, CATEGORICAL, QUICK, seed=1, num_threads=1, rung="auto", roles=ROLES)


def test_the_mean_has_the_standard_error_of_its_leads() -> None:
    # Two leads of two rows each, whose sums are -2 and 2 away from the mean of 1: sqrt(8 * 2 / 1) / 4.
    mean, error = mean_and_error(np.array([0.0, 0.0, 2.0, 2.0]), np.array(["a", "a", "b", "b"]))
    assert mean == 1.0
    assert error == pytest.approx(1.0)
    # As four leads their errors don't add up.
    assert mean_and_error(np.array([0.0, 0.0, 2.0, 2.0]), np.arange(4))[1] == pytest.approx(np.sqrt(4.0 * 4 / 3) / 4)


def test_the_simpler_one_is_taken_within_a_standard_error_and_the_better_one_beyond_it() -> None:
    generator = np.random.default_rng(1)
    leads = np.arange(1_000)
    best = generator.random(1_000)
    noise = generator.normal(size=1_000)
    noise -= noise.mean()
    error = float(noise.std() / np.sqrt(1_000))
    assert choose({"simple": best + noise + 0.9 * error, "better": best}, leads) == "simple"
    assert choose({"simple": best + noise + 1.1 * error, "better": best}, leads) == "better"


def test_more_than_base_rates_is_tried_from_ten_wins_on() -> None:
    assert [list(rungs_for(wins)) for wins in (1, 9)] == [["base_rates"]] * 2
    assert list(rungs_for(10)) == ["base_rates", "logistic", "trees", "stack"]


def test_every_rung_makes_a_model_whose_contributions_add_up() -> None:
    rows, _ = draw_rows(3_000, seed=1)
    fresh, truth = draw_rows(4_000, seed=2)
    for rung in rungs_for(40):
        model, log = learn(rows, dataclasses.replace(RECIPE, rung=rung), members=2)
        assert (log.rung, model.manifest["rung"]) == (rung, rung)
        contributions = Contributions(model).of(fresh.frame)
        np.testing.assert_allclose(contributions.sum(axis=1), model.raw_score(fresh.frame), atol=1e-10)
        said = model.predict(fresh.frame)
        assert said.mean() == pytest.approx(truth.mean(), rel=0.1)
        assert model.gains().sum() == pytest.approx(1.0)
        assert len(model.members) == {"base_rates": 1, "logistic": 1, "trees": 2, "stack": 3}[rung]


def test_a_rung_reads_back_from_its_files(tmp_path: pytest.TempPathFactory) -> None:
    rows, _ = draw_rows(3_000, seed=1)
    model, _ = learn(rows, dataclasses.replace(RECIPE, rung="stack"), members=2)
    model.save(str(tmp_path))
    loaded = Model.load(str(tmp_path), model.version)
    np.testing.assert_array_equal(loaded.predict(rows.frame), model.predict(rows.frame))


def test_few_wins_make_a_model_of_base_rates() -> None:
    rows, _ = draw_rows(3_000, seed=1)
    labels = np.zeros(len(rows.labels))
    labels[np.flatnonzero(rows.labels)[:9]] = 1.0
    recipe = dataclasses.replace(RECIPE, minimum_conversions=5)
    model, log = learn(dataclasses.replace(rows, labels=labels), recipe)
    assert log.rung == "base_rates"
    assert model.predict(rows.frame).mean() == pytest.approx(labels.mean(), rel=0.05)


def foretold(rows: Slice, probabilities: dict[str, float]) -> Foretold:
    """Make an origin that says one probability by each rung, and half as much with the shift."""
    count = len(rows.labels)
    said = {name: np.full(count, value) for name, value in probabilities.items()}
    said |= {f"{name}{SHIFTED}": np.full(count, value / 2.0) for name, value in probabilities.items()}
    as_of = np.full(count, np.datetime64("2026-03-01", "us"))
    origin = Origin(pd.Timestamp(2026, 3, 1), pd.Timestamp(2026, 4, 1))
    _, log = learn(rows, RECIPE)
    return Foretold(origin, log, rows.leads, as_of, rows.labels, said["trees"], said)


def test_what_time_has_shown_overrules_the_folds_and_only_what_is_settled_counts() -> None:
    rows, _ = draw_rows(3_000, seed=1)
    fitting = Fitting(rows, RECIPE)
    rate = float(rows.labels.mean())
    by_folds = fitting.choose()
    assert by_folds != "base_rates"
    told = foretold(rows, {"base_rates": rate, "logistic": 0.9, "trees": 0.9, "stack": 0.9})
    assert decide([told], fitting, RECIPE) == ("base_rates", False)
    assert decide([], fitting, RECIPE) == (by_folds, False)
    later = Origin(pd.Timestamp(2026, 3, 20), pd.Timestamp(2026, 4, 1))
    assert decide([told], fitting, RECIPE, settled=later, reach=timedelta(days=30)) == (by_folds, False)
    equal = foretold(rows, dict.fromkeys(fitting.rungs, rate))
    assert decide([equal], fitting, RECIPE) == (by_folds, False), "equal ones don't overrule"


def test_the_shift_is_taken_where_it_was_better_by_more_than_chance() -> None:
    rows, _ = draw_rows(3_000, seed=1)
    fitting = Fitting(rows, RECIPE)
    twice = min(0.9, 2.0 * float(rows.labels.mean()))
    told = foretold(rows, dict.fromkeys(fitting.rungs, twice))
    assert decide([told], fitting, RECIPE)[1]
    with_gaps = dataclasses.replace(RECIPE, may_shift=False)
    assert not decide([told], fitting, with_gaps)[1], "where outcomes lack, nothing follows them"


def test_the_shift_brings_the_newest_rows_to_their_base_rate() -> None:
    rows, _ = draw_rows(6_000, seed=1)
    as_of = np.datetime64(datetime(2026, 1, 1), "us") + np.arange(6_000) * np.timedelta64(1, "h")
    recent = newest(as_of)
    assert recent.sum() == 1_200
    assert recent[-1_200:].all()
    labels = rows.labels.copy()
    labels[recent] = np.where(np.random.default_rng(2).random(1_200) < 0.5, 0.0, labels[recent])
    fitting = Fitting(dataclasses.replace(rows, labels=labels), RECIPE, recent=recent)
    plain, shifting = fitting.assemble("logistic")[0], fitting.assemble("logistic", shift=True)[0]
    newer = rows.frame.iloc[np.flatnonzero(recent)]
    assert plain.predict(newer).mean() > 1.3 * labels[recent].mean()
    assert shifting.predict(newer).mean() == pytest.approx(labels[recent].mean(), rel=0.05)
    said = fitting.foretell(newer)
    np.testing.assert_allclose(said[f"logistic{SHIFTED}"], shifting.predict(newer), rtol=1e-12)
    np.testing.assert_allclose(said["logistic"], plain.predict(newer), rtol=1e-12)


@given(st.floats(-5.0, 5.0), st.integers(1, 50))
def test_a_shift_promises_what_happened(level: float, converting: int) -> None:
    raw = np.linspace(level - 2.0, level + 2.0, 100)
    said = calibrate({"method": "none"}, raw)
    labels = (np.arange(100) < converting).astype(np.float64)
    promised = shifted(said, fit_shift(said, labels)).mean()
    assert promised == pytest.approx((converting + said.mean()) / 101.0, rel=1e-6)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(1, 200))
def test_whole_leads_are_drawn_and_no_more_rows_than_there_may_be(of_row: list[int], maximum: int) -> None:
    leads = np.array([f"lead {number}" for number in of_row])
    drawn = whole_leads(leads, maximum)
    assert drawn.sum() <= max(maximum, 0) or len(leads) <= maximum
    assert set(leads[drawn]).isdisjoint(leads[~drawn])
    more = whole_leads(leads, maximum + 10)
    assert not (drawn & ~more).any()


def test_a_share_of_the_rows_is_learned_from_and_the_manifest_says_which() -> None:
    rows, _ = draw_rows(3_000, seed=1)
    model, log = learn(rows, dataclasses.replace(RECIPE, maximum_rows=1_000))
    assert 900 < log.rows <= 1_000
    assert model.manifest["share_of_rows"] == log.rows / 3_000
    assert learn(rows, RECIPE)[0].manifest["share_of_rows"] == 1.0


def test_naive_bayes_is_counted_as_by_hand() -> None:
    # Of three won two are level 1; of five lost one: with the tenth that counts begin at.
    numbers = {"source": np.array([1.0, 1.0, 2.0, 1.0, 2.0, 2.0, 2.0, 2.0])}
    labels = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    member = naive_bayes(Roles(), numbers, {"source": ["mail", "web"]}, labels)
    expected = np.log(3.1 / 5.1) + np.log((2.1 / 3.1) / (1.1 / 5.1))
    assert member.score({"source": np.array([1.0])}, 1)[0] == pytest.approx(expected)


def test_points_are_more_for_what_is_rarer_or_as_stated() -> None:
    numbers = {"a": np.array([9.0, 9.0]), "b": np.array([2.0, 1.0]), "c": np.array([0.0, 1.0])}
    roles = Roles(counts={"view": "a", "click": "b", "form": "c"})
    assert points_rule(roles, numbers, {}).score(numbers, 2).tolist() == [9.0 + 10.0, 9.0 + 5.0 + 10.0]
    assert points_rule(roles, numbers, {"form": 40.0}).score(numbers, 2).tolist() == [19.0, 9.0 + 5.0 + 40.0]
