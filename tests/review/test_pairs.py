"""Two models on the same rows: differences worked out by hand, and intervals in worlds whose truth is known."""

from __future__ import annotations

from math import log
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from models.evaluation.pairs import (
    CANT_TELL,
    FIGURES,
    NO_DIFFERENCE,
    WORSE,
    Difference,
    are_enough,
    differences,
    differences_by_segment,
)
from pipeline.review.comparison import Comparison
from pipeline.review.gates import ask
from pipeline.settings.review import Gates

MATTERS = {"log_loss": 0.01, "roc_auc": 0.005, "lift_at_10": 0.1, "calibration_slope": 0.1}
Floats = NDArray[np.float64]


def drawn(
    seed: int, noise: tuple[float, float], leads: int = 250, rows: int = 3
) -> tuple[Floats, Floats, Floats, NDArray[Any]]:
    """Draw leads whose rows share a fate, and what two models say of them, each with its own noise over leads."""
    random = np.random.default_rng(seed)
    lead = np.repeat(np.arange(leads), rows)
    odds = -2.5 + random.normal(size=leads)[lead] + 0.7 * random.normal(size=leads * rows)
    shared, own = random.logistic(size=leads)[lead], random.logistic(size=leads * rows)
    labels = (np.where(random.random(leads * rows) < 0.5, shared, own) < odds).astype(float)
    of_a, of_b = (expit(-2.5 + 0.8 * (odds + 2.5) + one * random.normal(size=leads)[lead]) for one in noise)
    return labels, of_a, of_b, lead.astype(str)


def test_figures_and_their_differences_are_those_worked_out_by_hand() -> None:
    labels = np.tile([1.0, 0.0, 0.0, 0.0], 25)
    of_a, of_b = np.full(100, 0.25), np.where(labels > 0, 0.5, 0.1)
    found = differences(labels, of_a, of_b, np.arange(100).astype(str), MATTERS, replicates=20)
    assert tuple(found) == FIGURES
    loss_a, loss_b = -(log(0.25) + 3 * log(0.75)) / 4, -(log(0.5) + 3 * log(0.9)) / 4
    loss = found["log_loss"]
    assert loss.a == pytest.approx(loss_a)
    assert loss.b == pytest.approx(loss_b)
    assert loss.difference == pytest.approx(loss_b - loss_a)
    assert loss.matters == pytest.approx(0.01 * loss_a), "a share of that of A"
    assert loss.low is not None
    assert loss.high is not None
    assert loss.low < loss_b - loss_a < loss.high < 0.0
    assert loss.by_chance == pytest.approx((loss.high - loss.low) / 2)
    assert loss.verdict == "better", "less is better"
    auc = found["roc_auc"]
    assert (auc.a, auc.b, auc.difference, auc.verdict) == (0.5, 1.0, 0.5, "better")
    lift = found["lift_at_10"]
    assert lift.a == pytest.approx(1.0)
    assert lift.b == pytest.approx(4.0), "a quarter converts, and all of the best tenth"
    assert lift.verdict == "better"
    slope = found["calibration_slope"]
    assert (slope.difference, slope.verdict) == (None, CANT_TELL), "one probability for all has no slope"
    swapped = differences(labels, of_b, of_a, np.arange(100).astype(str), MATTERS, replicates=20)
    assert swapped["log_loss"].verdict == swapped["roc_auc"].verdict == WORSE


def test_the_nearer_slope_is_better_on_whichever_side_of_one_it_lies() -> None:
    labels, of_a, _, leads = drawn(1, (0.0, 0.0), leads=3_000)
    odds = np.log(of_a / (1 - of_a))
    bold, shy = expit(-2.5 + 4.0 * (odds + 2.5)), expit(-2.5 + 0.3 * (odds + 2.5))
    for far in (bold, shy):
        found = differences(labels, far, of_a, leads, MATTERS, replicates=30)["calibration_slope"]
        assert found.a is not None
        assert found.b is not None
        assert found.difference is not None
        assert found.difference == pytest.approx(abs(found.b - 1) - abs(found.a - 1))
        assert (found.difference < -0.3, found.verdict) == (True, "better")


def test_two_equal_models_have_no_difference_that_matters() -> None:
    labels, of_a, _, leads = drawn(2, (0.5, 0.5))
    found = differences(labels, of_a, of_a.copy(), leads, MATTERS, replicates=20)
    assert {(one.difference, one.low, one.high, one.by_chance) for one in list(found.values())[:3]} == {(0, 0, 0, 0)}
    assert {found[name].verdict for name in FIGURES[:3]} == {NO_DIFFERENCE}
    assert found["calibration_slope"].difference == 0.0
    assert found["calibration_slope"].verdict in (NO_DIFFERENCE, CANT_TELL)


def test_an_interval_holds_the_truth_where_neither_model_is_better() -> None:
    """What either says is drawn alike, so that no figure differs in truth: 40 worlds, of which 2 may be missed."""
    held = dict.fromkeys(FIGURES, 0)
    badly = 0
    for seed in range(40):
        labels, of_a, of_b, leads = drawn(seed, (0.5, 0.5))
        for name, one in differences(labels, of_a, of_b, leads, MATTERS, replicates=40).items():
            assert one.low is not None
            assert one.high is not None
            held[name] += one.low <= 0.0 <= one.high
        kinds = {"part": np.array([f"part {int(lead) % 4}" for lead in leads])}
        badly += any(one.badly for one in differences_by_segment(labels, of_a, of_b, leads, kinds, badly=0.05))
    assert min(held.values()) >= 35, held
    assert badly <= 3, "at most one world in twenty has a segment that is called badly worse"


def test_a_model_that_is_worse_by_far_is_found_to_be() -> None:
    labels, of_a, of_b, leads = drawn(3, (0.2, 1.2), leads=1_500)
    found = differences(labels, of_a, of_b, leads, MATTERS, replicates=40)
    assert found["log_loss"].verdict == found["roc_auc"].verdict == WORSE


def test_a_segment_that_is_hit_is_found_and_only_it() -> None:
    labels, of_a, _, leads = drawn(4, (0.0, 0.0), leads=2_000)
    part = np.where(leads.astype(int) % 4 == 0, "hit", "spared")
    of_b = np.where(part == "hit", 1.0 - of_a, of_a)
    found = {one.value: one for one in differences_by_segment(labels, of_a, of_b, leads, {"part": part}, badly=0.05)}
    hit, spared = found["hit"], found["spared"]
    rows = part == "hit"
    loss = [-np.log(np.where(labels > 0, said, 1 - said))[rows].mean() for said in (of_a, of_b)]
    assert hit.difference_share == pytest.approx(loss[1] / loss[0] - 1)
    assert (hit.rows, hit.conversions) == (int(rows.sum()), int(labels[rows].sum()))
    assert (hit.badly, spared.badly) == (True, False)
    assert (spared.difference_share, spared.low, spared.high) == (0.0, 0.0, 0.0)
    may_be = differences_by_segment(labels, of_a, of_b, leads, {"part": part}, badly=100.0)
    assert not any(one.badly for one in may_be), "what may be is not bad"


def test_intervals_of_segments_are_wider_the_more_of_them_are_judged() -> None:
    labels, of_a, of_b, leads = drawn(5, (0.4, 0.6), leads=2_000)
    half = np.where(leads.astype(int) % 2 == 0, "even", "odd")
    (one, *_) = differences_by_segment(labels, of_a, of_b, leads, {"half": half}, badly=0.05)
    many = {f"kind {place}": half for place in range(10)}
    (same, *_) = differences_by_segment(labels, of_a, of_b, leads, many, badly=0.05)
    assert one.low is not None
    assert same.low is not None
    assert one.difference_share == same.difference_share
    assert same.low < one.low


def test_a_segment_of_few_leads_or_conversions_is_told_and_not_judged() -> None:
    labels, of_a, of_b, leads = drawn(6, (0.1, 2.0), leads=400)
    number = leads.astype(int)
    part = np.where(number < 30, "few leads", np.where((labels == 0) & (number < 200), "nobody converts", "rest"))
    found = {one.value: one for one in differences_by_segment(labels, of_a, of_b, leads, {"": part}, badly=0.0)}
    assert found["rest"].low is not None
    for name in ("few leads", "nobody converts"):
        assert (found[name].low, found[name].high, found[name].badly) == (None, None, False)


def test_ten_leads_that_convert_and_ten_that_do_not_are_enough() -> None:
    leads = np.repeat(np.arange(20), 3).astype(str)
    labels = (leads.astype(int) < 10).astype(float)
    assert are_enough(labels, leads)
    assert not are_enough(np.where(leads == "0", 0.0, labels), leads)
    assert not are_enough(np.where(leads == "19", 1.0, labels), leads)


def test_a_lead_that_is_looked_at_every_night_is_one_witness() -> None:
    # Twelve leads that convert, each scored in thirty nights: 360 conversions, and twelve leads to tell by.
    loss = Difference(0.1, 0.1, 0.0, -0.1, 0.1, 0.1, 0.01, "can't tell")
    found = SimpleNamespace(
        figures={"log_loss": loss},
        segments=(),
        churn=None,
        details={"no_lists": "none"},
        conversions=360,
        converting=12,
    )
    asked = ask(Gates(), [], {}, cast("Comparison", found), origins=1)
    (gate,) = (one for one in asked if one.name == "enough to tell")
    assert gate.told() == "NOT kept: enough to tell: 12 (asked: 30 leads that convert, and both have foretold)"
