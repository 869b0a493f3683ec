"""How the change of a probability is split, and what is said of it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.decision.changes import CAUSES, Change, log_odds, strongest_stories
from models.decision.claims import Claims
from models.decision.reasons import Telling

probabilities = st.floats(1e-12, 1.0 - 1e-12)
ways = st.lists(st.tuples(*[probabilities] * 6), min_size=1, max_size=5)


def split(
    kept: float, corrected: float, *way: float, replayed: float | None = None, is_earlier_model: bool = True
) -> Change:
    steps = (kept, kept if replayed is None else replayed, corrected, *way)
    return Change.between(*(np.array([one]) for one in steps), is_earlier_model=is_earlier_model)


def shares(*odds: float) -> list[float]:
    """Give the probabilities of odds to one."""
    return [one / (1.0 + one) for one in odds]


@given(ways, st.booleans(), st.permutations(range(4)))
def test_the_parts_add_up_to_the_last_digit_in_any_order(
    drawn: list[tuple[float, ...]], is_earlier_model: bool, order: list[int]
) -> None:
    columns = [np.array(column) for column in zip(*drawn, strict=True)]
    change = Change.between(*columns, is_earlier_model=is_earlier_model)
    wholes = log_odds(columns[-1]) - log_odds(columns[0])
    for parts, whole, told in zip(change.parts, wholes, change.whole, strict=True):
        assert sum(Fraction(part) for part in parts) == Fraction(whole) == Fraction(told)
        total = 0.0
        for place in order:
            total += parts[place]
        assert total == whole


@given(probabilities)
def test_log_odds_are_those_of_the_probability_to_a_billionth(probability: float) -> None:
    (told,) = log_odds(np.array([probability]))
    assert 1.0 / (1.0 + np.exp(-told)) == pytest.approx(probability, rel=1e-9)


def test_each_step_is_a_part_of_its_own() -> None:
    # Odds of 1 to 8; known better 1 to 4; a while later 1 to 8; then an act: 1 to 2; and the new model says even.
    change = split(*shares(1 / 8, 1 / 4, 1 / 8, 1 / 2, 1))
    assert change.parts[0] == pytest.approx(np.log([2, 1 / 2, 4, 2]), abs=1e-8)
    assert CAUSES[change.strongest[0]] == "behaviour"
    assert change.directions.tolist() == [1]
    assert change.trends.tolist() == ["improving"]  # time and behaviour double the odds
    assert change.had_a_part("data").tolist() == change.had_a_part("model").tolist() == [True]


def test_what_became_known_late_is_told_from_what_the_log_says_otherwise() -> None:
    odds = shares(1 / 8, 1 / 2)
    late = [split(*odds, 0.5, 0.5, 0.5, replayed=share).is_mostly_late[0] for share in shares(1 / 8, 1 / 5, 1 / 3, 1)]
    assert late == [True, True, False, False]
    assert not split(0.2, 0.2, 0.5, 0.5, 0.5).is_mostly_late[0]


def test_where_the_earlier_model_is_gone_data_and_model_are_one_part() -> None:
    change = split(*shares(1 / 8, 1 / 4, 1 / 8, 1 / 2, 1 / 2), is_earlier_model=False)
    assert np.isnan(change.data).all()
    assert change.parts[0] == pytest.approx(np.log([1, 1 / 2, 4, 2]), abs=1e-8)


@pytest.mark.parametrize(
    ("way", "strongest", "direction", "trend"),
    [
        ((0.2, 0.2, 0.2, 0.2, 0.2), -1, 0, "steady"),
        ((0.2, 0.2, 0.1, 0.1, 0.1), 1, -1, "declining"),
        # Corrected data and another model move the probability, and say nothing of which way the lead goes.
        ((0.2, 0.4, 0.4, 0.4, 0.4), 0, 1, "steady"),
        ((0.2, 0.2, 0.2, 0.2, 0.4), 3, 1, "steady"),
        # An act outweighs what data took away; it goes down, though, so that is what is told.
        ((0.5, 0.1, 0.1, 0.3, 0.3), 0, -1, "improving"),
        ((0.2, 0.2, 0.21, 0.19, 0.2), 2, 0, "steady"),
    ],
)
def test_the_strongest_part_is_one_that_goes_where_the_whole_does(
    way: tuple[float, ...], strongest: int, direction: int, trend: str
) -> None:
    change = split(*way)
    assert (change.strongest[0], change.directions[0], change.trends[0]) == (strongest, direction, trend)


def test_a_trend_begins_where_the_odds_have_moved_by_a_quarter() -> None:
    moved = [split(*shares(1, 1, factor, factor, factor)).trends[0] for factor in (1.24, 1.26, 1 / 1.24, 1 / 1.26)]
    assert moved == ["steady", "improving", "steady", "declining"]


def test_without_an_earlier_score_nothing_is_split_and_nothing_is_said() -> None:
    nothing, some = np.array([np.nan]), np.array([0.3])
    for is_earlier_model in (True, False):
        change = Change.between(nothing, some, some, some, some, some, is_earlier_model=is_earlier_model)
        assert np.isnan([change.data, change.time, change.behaviour, change.model]).all()
        assert np.isnan(change.whole).all()
        assert change.trends.tolist() == ["not enough information"]
        assert change.strongest.tolist() == [-1]
        assert not change.had_a_part("model").any()


def test_the_story_that_moved_a_row_most_is_told_and_amounts_only_where_nothing_else_did() -> None:
    nothing = Claims((), 0.1)
    tellings = [Telling([0, 1], nothing), Telling([2], nothing), Telling([3], nothing, comes_last=True)]
    before = np.zeros((5, 5))
    after = np.array(
        [
            [0.4, 0.3, 0.5, 2.0, 0.0],  # two columns of one story weigh more than one of another
            [0.4, -0.4, 0.1, 2.0, 0.0],
            [-0.1, 0.0, -0.2, -0.1, 0.0],
            [-0.1, 0.0, 0.0, 0.3, 0.0],
            [0.0, 0.0, 0.0, 0.0, 9.0],
        ]
    )
    directions, is_new = np.array([1.0, 1.0, -0.3, 0.2, 1.0]), np.ones((5, 3), dtype=bool)
    assert strongest_stories(before, after, tellings, directions, is_new).tolist() == [0, 1, 1, 2, -1]
    is_new[0, :2] = is_new[2, 1] = False  # what is not new moved a row by something else, as a share does
    assert strongest_stories(before, after, tellings, directions, is_new).tolist() == [2, 1, 0, 2, -1]
