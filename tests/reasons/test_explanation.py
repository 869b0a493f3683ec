"""Reasons: summed by what they tell, strongest first, for and against apart, and borne out by figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_rows import CATEGORICAL, COLUMNS, QUICK, draw_rows

from models.decision.claims import Claim, Claims
from models.decision.reasons import MOST_AGAINST, MOST_FOR, Explained, Telling, explain, grades_of
from models.explaining.contributions import Contributions
from models.learning.claims import claims_of
from models.learning.learner import Recipe, learn

UP, DOWN = Claim("part", 1_000, 0.3, low=1.0), Claim("part", 1_000, 0.01, low=0.0, below=1.0)
BOTH = Claims([UP, DOWN], 0.1)
"""1 and more convert more often than all do, less than 1 less often."""


def explained(
    contributions: list[list[float]], values: list[list[float]], tellings: list[Telling] | None = None
) -> Explained:
    """Explain rows by contributions without the average, which is added here; each column a story, where not said."""
    matrix = np.column_stack([np.array(contributions, dtype=float), np.full(len(contributions), -3.0)])
    stories = tellings or [Telling([place], BOTH) for place in range(matrix.shape[1] - 1)]
    return explain(matrix, [np.array(some, dtype=float) for some in zip(*values, strict=True)], stories)


def told(found: Explained) -> list[tuple[list[int], list[int]]]:
    """Give the stories for and against of each row."""
    return [
        ([story for story in up if story >= 0], [story for story in down if story >= 0])
        for up, down in zip(found.speak_for.stories.tolist(), found.speak_against.stories.tolist(), strict=True)
    ]


def test_columns_of_one_story_are_summed_before_they_are_ranked() -> None:
    tellings = [Telling([0, 1], BOTH), Telling([2], BOTH)]
    found = explained([[0.3, 0.4, 0.6]], [[5.0, 5.0]], tellings)
    assert told(found) == [([0, 1], [])]
    np.testing.assert_allclose(found.speak_for.effects[0, :2], [0.7, 0.6])


def test_for_and_against_stand_apart_strongest_first_and_no_more_than_so_many() -> None:
    effects = [0.1, -0.5, 0.3, 0.2, -0.05, 0.6, 0.7, 0.8, -0.9, -0.2]
    values = [1.0 if effect > 0 else 0.0 for effect in effects]
    assert told(explained([effects], [values])) == [([7, 6, 5, 2, 3], [8, 1, 9])]
    assert (MOST_FOR, MOST_AGAINST) == (5, 3)


def test_what_the_figures_deny_is_not_told_but_counted() -> None:
    found = explained([[0.5, -0.4, 0.3]], [[0.0, 1.0, 1.0]])
    assert told(found) == [([2], [])]
    assert (found.denied, found.moving) == pytest.approx((0.9, 1.2))


def test_amounts_come_last_however_much_they_add() -> None:
    tellings = [Telling([0], BOTH, comes_last=True), Telling([1], BOTH), Telling([2], BOTH)]
    assert told(explained([[2.0, 0.1, 0.2]], [[1.0, 1.0, 1.0]], tellings)) == [([2, 1, 0], [])]


def test_contributions_that_cancel_are_no_reason() -> None:
    assert 0.1 + 0.2 - 0.3 != 0.0
    assert told(explained([[0.1, 0.2, -0.3]], [[1.0]], [Telling([0, 1, 2], BOTH)])) == [([], [])]


def test_of_equally_strong_stories_the_first_is_first() -> None:
    assert told(explained([[0.5, 0.5, 0.2, 0.5]], [[1.0] * 4])) == [([0, 1, 3, 2], [])]


def test_values_that_do_not_fit_the_stories_are_refused() -> None:
    with pytest.raises(ValueError, match="values of 1 tellers for 2 stories of 1 rows"):
        explain(np.zeros((1, 3)), [np.zeros(1)], [Telling([0], BOTH), Telling([1], BOTH)])


@settings(max_examples=60)
@given(st.integers(1, 9), st.integers(0, 1000))
def test_reasons_equal_those_found_row_by_row(stories: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    contributions = generator.normal(size=(6, 2 * stories)).round(1).tolist()
    values = generator.integers(0, 2, (6, stories)).astype(float).tolist()
    last = generator.random(stories) < 0.3
    tellings = [Telling([place, stories + place], BOTH, comes_last=bool(last[place])) for place in range(stories)]
    expected = []
    for added, shown in zip(contributions, values, strict=True):
        sums = [(added[place] + added[stories + place], place) for place in range(stories)]
        up = [(last[place], -effect, place) for effect, place in sums if effect > 1e-9 and shown[place] == 1.0]
        down = [(last[place], effect, place) for effect, place in sums if effect < -1e-9 and shown[place] == 0.0]
        expected.append(([place for *_, place in sorted(up)][:5], [place for *_, place in sorted(down)][:3]))
    assert told(explained(contributions, values, tellings)) == expected


def test_a_fitted_model_is_explained_by_what_its_labels_follow() -> None:
    rows, _ = draw_rows(4000, seed=1)
    model, _ = learn(rows, Recipe(COLUMNS, CATEGORICAL, QUICK, seed=1, num_threads=1))
    counted = claims_of(rows, dict.fromkeys(COLUMNS, False), model.categories)
    tellings = [Telling([place], Claims.of(counted, column)) for place, column in enumerate(COLUMNS)]
    frame = rows.frame.iloc[:2].assign(
        clicks=[7.0, 0.0], age=[0.01, 4.0], noise=0.0, source=["mail", "web"], constant=1.0
    )
    found = explain(Contributions(model).of(frame), [frame[column].to_numpy() for column in COLUMNS], tellings)
    (keen, _), (_, idle) = (([COLUMNS[one] for one in some] for some in row) for row in told(found))
    assert keen[0] == "clicks"
    assert {"source", "age"} <= set(keen)
    assert set(idle[:2]) == {"clicks", "age"}


def test_a_grade_is_the_quarter_of_what_each_part_adds() -> None:
    quarters = {"fit": [-1.0, 0.0, 1.0], "behaviour": [0.0, 2.0, 4.0]}
    contributions = np.array([[2.0, 5.0, 0.0], [-2.0, -1.0, 0.0], [0.0, 2.0, 0.0], [-0.5, 3.9, 0.0]])
    assert grades_of(contributions, [0], [1], quarters).tolist() == ["A1", "D4", "B2", "C2"]


def test_nobody_is_graded_where_all_are_alike() -> None:
    quarters = {"fit": [0.0, 0.0, 0.0], "behaviour": [0.0, 2.0, 4.0]}
    assert grades_of(np.array([[0.0, 5.0, 0.0]]), [0], [1], quarters).tolist() == [None]
