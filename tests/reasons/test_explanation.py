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

NEVER = Claim("missing", 1_000, 0.05)
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


ACT = Claims([Claim("within", 1_000, 0.3, days=30), Claim("silent", 1_000, 0.02, days=30), NEVER], 0.1, is_of_act=True)
"""An act raises what follows within a month, and lowers it after that and where it never was."""


def test_a_strong_act_is_told_first_though_it_adds_little_or_nothing() -> None:
    tellings = [Telling([0], BOTH), Telling([1], ACT, is_strong=True), Telling([2], ACT, is_strong=True)]
    assert told(explained([[2.0, 0.1, 0.2]], [[1.0, 3.0, 3.0]], tellings)) == [([2, 1, 0], [])]
    found = explained([[2.0, 0.0, -0.1]], [[1.0, 3.0, 3.0]], tellings)
    assert told(found) == [([1, 0], [])]
    assert found.speak_for.weights[0, 0] > found.speak_for.weights[0, 1]


def test_a_strong_act_older_than_its_claim_is_none_and_its_absence_no_strong_one() -> None:
    tellings = [Telling([0], ACT, is_strong=True), Telling([1], BOTH)]
    assert told(explained([[0.0, 0.5]], [[45.0, 1.0]], tellings)) == [([1], [])]
    assert told(explained([[0.3, 0.5]], [[45.0, 1.0]], tellings)) == [([1], [])]
    assert told(explained([[-0.9, -0.1]], [[np.nan, 0.0]], tellings)) == [([], [1, 0])]


def test_what_never_was_is_told_last_and_once() -> None:
    amount = Telling([3], BOTH, comes_last=True)
    tellings = [Telling([0], ACT), Telling([1], ACT), Telling([2], ACT), amount]
    assert told(explained([[-0.9, -0.8, -0.1, -0.05]], [[np.nan, np.nan, 45.0, 0.0]], tellings)) == [([], [2, 3, 0])]
    assert told(explained([[-0.8, -0.9]], [[np.nan, np.nan]], tellings[:2])) == [([], [1])]


def test_of_one_event_type_two_are_told() -> None:
    tellings = [Telling([place], BOTH, event_type="visit" if place < 4 else "form") for place in range(5)]
    assert told(explained([[0.5, 0.4, 0.3, 0.6, 0.1]], [[1.0] * 5], tellings)) == [([3, 0, 4], [])]
    assert told(explained([[0.5, -0.4, -0.3, 0.6, 0.1]], [[1.0, 0.0, 0.0, 1.0, 1.0]], tellings)) == [
        ([3, 0, 4], [1, 2])
    ]


def test_of_a_day_an_act_is_told_by_its_content_which_takes_its_place() -> None:
    tellings = [
        Telling([0], ACT, event_type="visit"), Telling([1], BOTH), Telling([2], ACT, event_type="visit", refines=0),
        Telling([3], ACT, event_type="visit", refines=0),
    ]  # fmt: skip
    found = explained([[0.5, 0.4, 0.2, 0.1]], [[3.1, 1.0, 3.7, 3.2]], tellings)
    assert told(found) == [([2, 1, 3], [])]
    np.testing.assert_allclose(found.speak_for.effects[0, :3], [0.7, 0.4, 0.1])
    assert (found.denied, found.moving) == pytest.approx((0.0, 1.2))
    # Of another day both are told, of which the one says nothing of the other.
    assert told(explained([[0.5, 0.4, 0.2, 0.0]], [[1.9, 1.0, 3.7, 3.2]], tellings)) == [([0, 1, 2], [])]
    # A content that the figures deny, or that speaks against, leaves the act its place.
    assert told(explained([[0.5, 0.4, -0.2, -0.1]], [[3.1, 1.0, 3.7, 3.2]], tellings)) == [([0, 1], [])]
    assert told(explained([[-0.5, 0.0, -0.2, 0.0]], [[45.1, 1.0, 45.7, 3.2]], tellings)) == [([], [2])]


def one_by_one(sums: list[float], values: list[float], tellings: list[Telling]) -> tuple[list[int], list[int]]:
    """Find the reasons of a row as docs and ADR say it, one story after the other."""
    kinds, moved = {}, dict(enumerate(sums))
    for place, (effect, value, telling) in enumerate(zip(sums, values, tellings, strict=True)):
        raises = effect > 0.0 or (effect == 0.0 and telling.is_strong)
        kind = "never" if np.isnan(value) else "within" if value < 30.0 else "silent"
        if (kind == "within" and raises) or (kind != "within" and effect < 0.0):
            kinds[place] = kind
    for place in range(len(tellings)):
        same = [
            other
            for other, one in enumerate(tellings)
            if one.refines == place and {place, other} <= kinds.keys() and kinds[other] != "never" != kinds[place]
            and values[other] // 1 == values[place] // 1 and (sums[other] < 0.0) == (sums[place] < 0.0)
        ]  # fmt: skip
        if same:
            strongest = max(same, key=lambda other: (abs(sums[other]), -other))
            moved[strongest] += moved[place]
            del kinds[place]

    def order(place: int) -> tuple[bool, bool, bool, float, int]:
        kind, telling = kinds[place], tellings[place]
        is_never = kind == "never"
        is_strong = telling.is_strong and kind == "within"
        return is_never, telling.comes_last, not is_strong, -abs(moved[place]), place

    both: tuple[list[int], list[int]] = ([], [])
    for chosen, most, is_up in ((both[0], 5, True), (both[1], 3, False)):
        for place in sorted((place for place in kinds if (sums[place] >= 0.0) == is_up), key=order):
            of = tellings[place].event_type
            twice = of is not None and [tellings[one].event_type for one in chosen].count(of) == 2
            again = kinds[place] == "never" and any(kinds[one] == "never" for one in chosen)
            if not twice and not again and len(chosen) < most:
                chosen.append(place)
    return both


@settings(max_examples=200)
@given(st.integers(1, 9), st.integers(0, 10_000))
def test_reasons_equal_those_found_row_by_row(stories: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    contributions = generator.integers(-3, 4, (6, 2 * stories)) / 8.0
    values = generator.choice([1.2, 1.7, 2.0, 45.1, 45.6, np.nan], (6, stories))
    tellings: list[Telling] = []
    for place in range(stories):
        kind = generator.choice(["visit", "form", ""])
        tellings.append(
            Telling(
                [place, stories + place],
                ACT,
                comes_last=kind == "" and bool(generator.random() < 0.5),
                is_strong=kind == "form",
                event_type=kind or None,
                refines=0 if place and kind and kind == tellings[0].event_type else None,
            )
        )
    sums = contributions[:, :stories] + contributions[:, stories:]
    expected = [one_by_one(added, shown, tellings) for added, shown in zip(sums.tolist(), values.tolist(), strict=True)]
    assert told(explained(contributions.tolist(), values.tolist(), tellings)) == expected


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
