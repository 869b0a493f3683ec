"""What is learned against the truth that the labels were drawn from, over many drawn worlds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from labelled_rows import CATEGORICAL, COLUMNS, QUICK, draw_rows
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.core.slices import Slice
from models.evaluation.metrics import evaluate
from models.learning.learner import Recipe, learn, log_loss

Floats = NDArray[np.float64]
WORLDS, LITTLE = 40, 0.03


@dataclass(frozen=True)
class Learned:
    """Of one world: what was promised on average, the slope that would mend it, and the log loss told and true."""

    promised: float
    slope: float
    told: float
    true: float
    on_its_own_rows: float


@pytest.fixture(scope="module")
def fresh() -> tuple[Slice, Floats]:
    return draw_rows(5000, seed=999)


@pytest.fixture(scope="module")
def worlds(fresh: tuple[Slice, Floats]) -> list[Learned]:
    rows, truth = fresh
    learned = []
    for seed in range(WORLDS):
        own = draw_rows(1000, seed=100 + seed)[0]
        model, log = learn(own, Recipe(COLUMNS, CATEGORICAL, QUICK | {"num_iterations": 500}, seed=seed, num_threads=1))
        promised = model.predict(rows.frame)
        learned.append(
            Learned(
                promised=float(promised.mean()),
                slope=slope_of(promised, truth),
                told=log.log_loss,
                true=expected_log_loss(promised, truth),
                on_its_own_rows=log_loss(own.labels, model.predict(own.frame)),
            )
        )
    return learned


def slope_of(promised: Floats, truth: Floats) -> float:
    """Give the slope at which the log-odds would be right: each row converts in its true share, without chance."""
    log_odds = np.log(promised / (1.0 - promised))[:, None]
    labels = np.repeat([1.0, 0.0], len(truth))
    weights = np.concatenate([truth, 1.0 - truth])
    fitted = LogisticRegression(C=np.inf).fit(np.concatenate([log_odds] * 2), labels, sample_weight=weights)
    return float(fitted.coef_[0, 0])


def expected_log_loss(promised: Floats, truth: Floats) -> float:
    return float(-np.mean(truth * np.log(promised) + (1.0 - truth) * np.log(1.0 - promised)))


def off(values: list[float], expected: float) -> float:
    """Give by how much the mean of the worlds is off beyond two standard errors."""
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))
    return max(abs(mean - expected) - 2.0 * error, 0.0)


def test_what_is_promised_is_on_average_what_comes(worlds: list[Learned], fresh: tuple[Slice, Floats]) -> None:
    assert off([world.promised for world in worlds], float(fresh[1].mean())) == 0.0


def test_on_average_nothing_is_promised_too_boldly_or_too_timidly(worlds: list[Learned]) -> None:
    # The folds learn from four fifths of the rows: the model, from all, is right to be a little bolder than they were.
    assert off([world.slope for world in worlds], 1.0) < LITTLE
    assert np.std([world.slope for world in worlds]) < 0.2


def test_the_log_loss_told_is_that_of_rows_that_were_not_learned_from(worlds: list[Learned]) -> None:
    told, true, own = (
        np.array([getattr(world, name) for world in worlds]) for name in ("told", "true", "on_its_own_rows")
    )
    # The folds learn from four fifths of the rows: they lose a little more.
    assert told.mean() == pytest.approx(true.mean(), abs=0.01)
    assert own.mean() < told.mean() - 0.03


def test_probabilities_come_close_to_the_truth_and_mean_what_they_say() -> None:
    slopes, errors = [], []
    for seed in range(4):
        model, _ = learn(draw_rows(20_000, seed=seed)[0], Recipe(COLUMNS, CATEGORICAL, seed=1, num_threads=1))
        rows, truth = draw_rows(20_000, seed=400 + seed)
        probabilities = model.predict(rows.frame)
        figures, best = (
            evaluate(rows.labels, said, rows.leads, replicates=2, seed=0) for said in (probabilities, truth)
        )
        slopes.append(slope_of(probabilities, truth))
        errors.append(np.abs(probabilities - truth).mean())
        # What was drawn leans by chance, for the truth as for the model.
        drawn = figures["calibration_slope"].value / best["calibration_slope"].value
        assert drawn == pytest.approx(slopes[-1], abs=0.08)
        assert figures["roc_auc"].value > best["roc_auc"].value - 0.01
    assert np.mean(slopes) == pytest.approx(1.0, abs=0.06)
    assert max(errors) < 0.02


@pytest.mark.parametrize("seed", range(3))
def test_what_names_a_lead_gains_nothing_where_leads_are_kept_together(seed: int) -> None:
    generator = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(200), 10)
    labels = np.repeat((generator.random(200) < 0.3).astype(np.float64), 10)
    frame = pd.DataFrame({"number of the lead": generator.permutation(200)[numbers].astype(np.float64)})
    recipe = Recipe(
        list(frame),
        parameters=QUICK | {"min_data_in_leaf": 5, "num_leaves": 31, "lambda_l2": 5.0},
        calibration="platt",
        num_threads=1,
    )
    kept, parted = (learn(Slice(frame, labels, leads), recipe)[1] for leads in (numbers, np.arange(len(numbers))))
    by_base_rate = log_loss(labels, np.full(len(labels), labels.mean()))
    assert kept.log_loss > by_base_rate - 1e-3
    assert kept.trees < 5
    # Were each row a lead of its own, the other rows of the lead would give it away.
    assert parted.log_loss < 0.3 * by_base_rate


def rising(rows: int, seed: int) -> tuple[Slice, Floats]:
    """Draw rows in the order of time, and the signal in them, which stays the same.

    The base rate jumps from 6 % to 31 %, and a column grows with time by itself, as counts do.
    """
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(rows, 8))
    time = np.arange(rows) / rows
    values[:, 7] = 0.5 * values[:, 7] + 2.0 * time
    signal = 0.4 * values[:, 0] - 0.3 * values[:, 1]
    rate = np.where(time < 0.7, 0.06, 0.31)
    labels = generator.random(rows) < 1.0 / (1.0 + (1.0 - rate) / rate * np.exp(-signal))
    frame = pd.DataFrame(values, columns=list("abcdefgh"))
    return Slice(frame, labels.astype(np.float64), np.arange(rows) // 3), signal


@pytest.mark.parametrize("seed", range(3))
def test_a_base_rate_that_rises_does_not_end_learning(seed: int) -> None:
    """Trees that were stopped by the last rows alone could end at the first one, as none mends the base rate."""
    rows, signal = rising(4000, seed)
    assert rows.labels[:2800].mean() == pytest.approx(0.065, abs=0.02)
    assert rows.labels[2800:].mean() == pytest.approx(0.32, abs=0.03)
    model, log = learn(rows, Recipe(list(rows.frame), seed=seed, num_threads=1))
    assert log.trees > 50
    late = dataclasses.replace(rows, frame=rows.frame.assign(h=2.0))
    assert np.corrcoef(model.raw_score(late.frame), signal)[0, 1] > 0.7


DAYS, MOVING, OFTEN, RARELY = 30, 0.08, 0.02, 0.0005
"""How long is looked ahead, which share of leads draws a new state each day, and the hazards of the two states."""


def fading(rows: int, seed: int) -> tuple[Slice, Floats]:
    """Draw leads of two states, which they move between, and the true probabilities given what is seen of today's.

    Four of twelve columns tell the state of today, with much noise; what a lead does in a month depends on it less.
    """
    generator = np.random.default_rng(seed)
    is_keen = generator.random(rows) < 0.3
    seen = generator.normal(size=(rows, 12))
    seen[:, :4] += 0.8 * is_keen[:, None]
    wait, now, is_open = np.full(rows, np.inf), is_keen, np.ones(rows, dtype=bool)
    for day in range(DAYS):
        converts = is_open & (generator.random(rows) < np.where(now, OFTEN, RARELY))
        wait[converts] = day + generator.random(converts.sum())
        is_open &= ~converts
        now = np.where(generator.random(rows) < MOVING, generator.random(rows) < 0.3, now)
    likely = 1.0 / (1.0 + 0.7 / 0.3 * np.exp(-(0.8 * seen[:, :4] - 0.32).sum(axis=1)))
    left = np.stack([1.0 - likely, likely], axis=1)
    moves = (1.0 - MOVING) * np.eye(2) + MOVING * np.array([0.7, 0.3])
    for _ in range(DAYS):
        left = left * (1.0 - np.array([RARELY, OFTEN])) @ moves
    frame = pd.DataFrame(seen, columns=list("abcdefghijkl"))
    soon = np.where(wait < DAYS, 1.0 - wait / DAYS, 0.0)
    return Slice(frame, (wait < DAYS).astype(float), np.arange(rows), soon), 1.0 - left.sum(axis=1)


def test_how_soon_leads_convert_teaches_more_where_intent_fades_and_promises_stay_true() -> None:
    gains, means = [], []
    for seed in range(3):
        rows, _ = fading(3000, seed)
        later, truth = fading(10_000, 100 + seed)
        assert later.labels.mean() == pytest.approx(truth.mean(), abs=0.01), "the truth is that of the draws"
        nothing = expected_log_loss(np.full(len(truth), rows.labels.mean()), truth)
        best = expected_log_loss(truth, truth)
        recipe = Recipe(list(rows.frame), seed=seed, num_threads=1, rung="trees", calibration="platt")
        said = [learn(one, recipe)[0].predict(later.frame) for one in (rows, dataclasses.replace(rows, soon=None))]
        gains.append([(nothing - expected_log_loss(one, truth)) / (nothing - best) for one in said])
        means.append(said[0].mean() / rows.labels.mean())
    with_waits, by_labels = np.mean(gains, axis=0)
    assert with_waits > by_labels + 0.08
    assert means == pytest.approx([1.0] * 3, abs=0.05), "probabilities are those of the labels"
