"""The effect of a call: covered by its interval where chance decided, and seen by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.lottery import Arm, effect_of, leads_for


def test_an_effect_is_newcombe_s() -> None:
    # Newcombe (1998), table II, method 10: 56 of 70 against 48 of 80.
    found = effect_of(Arm(70, 56), Arm(80, 48))
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_of_too_few_leads_no_effect_is_told() -> None:
    assert effect_of(Arm(29, 10), Arm(1_000, 10)) is None
    assert effect_of(Arm(1_000, 10), Arm(0, 0)) is None


def test_the_size_that_is_told_gives_the_precision_that_was_asked_for() -> None:
    leads = leads_for(0.02, 0.05)
    found = effect_of(Arm(leads, round(0.05 * leads)), Arm(leads, round(0.05 * leads)))
    assert found is not None
    assert (found.high - found.low) / 2 == pytest.approx(0.02, rel=0.03)


def test_by_lot_alone_the_effect_is_covered_and_by_habit_it_is_not() -> None:
    # Leads differ in what they would do anyway; sales calls those that it believes in, and rightly.
    worlds, leads = 1_000, 1_500
    generator = np.random.default_rng(1)
    covered = misled = 0
    for _ in range(worlds):
        log_odds = generator.normal(-3.0, 1.0, leads)
        alone, called = (1.0 / (1.0 + np.exp(-log_odds - effect)) for effect in (0.0, 0.7))
        truth = float((called - alone).mean())
        by_lot = generator.random(leads) < 0.5
        by_habit = log_odds > np.median(log_odds)
        for is_called, is_lot in ((by_lot, True), (by_habit, False)):
            converts = generator.random(leads) < np.where(is_called, called, alone)
            arms = [Arm(int(part.sum()), int(converts[part].sum())) for part in (is_called, ~is_called)]
            found = effect_of(*arms)
            assert found is not None
            covered += is_lot and found.low <= truth <= found.high
            misled += not is_lot and not found.low <= truth <= found.high
    assert 0.93 <= covered / worlds <= 0.97
    assert misled / worlds > 0.5
