"""Reasons: summed by what they tell, strongest first, never about ourselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_rows import CATEGORICAL, COLUMNS, QUICK, draw_rows

from models.decision.reasons import ReasonTemplate, explain
from models.learning.learner import Recipe, learn


def told(group: str, name: str) -> ReasonTemplate:
    return ReasonTemplate(group, lambda value: f"{name} {'unknown' if value is None else value}")


def reasons(
    contributions: list[list[float]], values: dict[str, list[Any]], templates: dict[str, ReasonTemplate]
) -> list[list[str]]:
    """Contributions without the average, which is added here."""
    matrix = np.column_stack([np.array(contributions, dtype=float), np.full(len(contributions), -3.0)])
    frame = pd.DataFrame(values, index=[7] * len(contributions))
    return explain(matrix, frame, list(templates), templates)


def test_columns_of_one_group_are_summed_before_they_are_ranked() -> None:
    templates = {
        "visits 7d": told("visits", "visits in a week:"),
        "visits 30d": told("visits", "visits in a month:"),
        "source": told("source", "came by"),
    }
    # 0.3 + 0.4 outweighs 0.6; the month tells it.
    assert reasons([[0.3, 0.4, -0.6]], {"source": ["web"], "visits 7d": [2], "visits 30d": [5]}, templates) == [
        ["raises: visits in a month: 5", "lowers: came by web"]
    ]


def test_a_group_is_told_by_the_column_that_pulls_its_way() -> None:
    templates = {"a": told("one", "a is"), "b": told("one", "b is"), "c": told("one", "c is")}
    # The sum is -0.2: c pulls hardest, but upwards; b tells it.
    values: dict[str, list[Any]] = {"a": [1], "b": [2], "c": [3]}
    assert reasons([[-0.3, -0.4, 0.5]], values, templates) == [["lowers: b is 2"]]


def test_only_the_three_strongest_are_told_strongest_first() -> None:
    templates = {name: told(name, name) for name in "abcde"}
    contributions = [[0.1, -0.5, 0.3, 0.2, -0.05], [0.0, 0.0, 0.2, 0.0, 0.0], [0.0] * 5]
    values = {name: [1, 2, 3] for name in "abcde"}
    assert reasons(contributions, values, templates) == [
        ["lowers: b 1", "raises: c 1", "raises: d 1"],
        ["raises: c 2"],
        [],
    ]


def test_what_we_do_ourselves_is_no_reason() -> None:
    templates = {
        "calls by us": ReasonTemplate("calls", None),
        "calls by the lead": told("calls", "called"),
        "source": told("source", "came by"),
    }
    values: dict[str, list[Any]] = {"calls by us": [9], "calls by the lead": [1], "source": ["web"]}
    assert reasons([[5.0, 0.1, 0.2]], values, templates) == [["raises: came by web", "raises: called 1"]]


def test_nothing_that_may_be_told_gives_no_reasons() -> None:
    assert reasons([[1.0], [2.0]], {"a": [1, 2]}, {"a": ReasonTemplate("a", None)}) == [[], []]


def test_missing_values_are_told_as_missing_whatever_their_type() -> None:
    templates = {name: told(name, name) for name in ("number", "text", "count")}
    values: dict[str, list[Any]] = {
        "number": [np.nan, 1.5],
        "text": [None, "x"],
        "count": [pd.NA, 3],
    }
    assert reasons([[3.0, 2.0, 1.0]] * 2, values, templates) == [
        ["raises: number unknown", "raises: text unknown", "raises: count unknown"],
        ["raises: number 1.5", "raises: text x", "raises: count 3"],
    ]


def test_contributions_that_cancel_are_no_reason() -> None:
    templates = {"a": told("one", "a"), "b": told("one", "b"), "c": told("one", "c")}
    values: dict[str, list[Any]] = {"a": [1], "b": [1], "c": [1]}
    assert 0.1 + 0.2 - 0.3 != 0.0
    assert reasons([[0.1, 0.2, -0.3]], values, templates) == [[]]


def test_groups_of_equal_strength_keep_the_order_of_the_columns() -> None:
    templates = {name: told(name, name) for name in "dcba"}
    values = {name: [1] for name in "abcd"}
    assert reasons([[0.5, -0.5, 0.5, 0.5]], values, templates) == [["raises: d 1", "lowers: c 1", "raises: b 1"]]


def test_wrong_shapes_and_missing_templates_are_refused() -> None:
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(ValueError, match=r"contributions \(1, 1\) for 1 rows of 1 columns"):
        explain(np.zeros((1, 1)), frame, ["a"], {"a": told("a", "a")})
    with pytest.raises(ValueError, match=r"no template for \['a'\]"):
        explain(np.zeros((1, 2)), frame, ["a"], {})


@settings(max_examples=60)
@given(
    groups=st.lists(st.sampled_from(["x", "y", "z", "u", "v"]), min_size=1, max_size=8),
    silent=st.sets(st.integers(0, 7)),
    seed=st.integers(0, 1000),
)
def test_reasons_equal_those_found_row_by_row(groups: list[str], silent: set[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    columns = [f"column {number}" for number in range(len(groups))]
    templates = {
        column: ReasonTemplate(group, None) if number in silent else told(group, column)
        for number, (column, group) in enumerate(zip(columns, groups, strict=True))
    }
    contributions = generator.normal(size=(6, len(columns) + 1))
    frame = pd.DataFrame(generator.integers(0, 3, (6, len(columns))), columns=columns)
    expected = []
    for row in range(6):
        members: dict[str, list[tuple[float, str]]] = {}
        for number, (column, group) in enumerate(zip(columns, groups, strict=True)):
            if number not in silent:
                members.setdefault(group, []).append((contributions[row, number], column))
        told_in_row = []
        for shares in sorted(members.values(), key=lambda shares: -abs(sum(share for share, _ in shares))):
            if sum(share for share, _ in shares) > 0:
                told_in_row.append(f"raises: {max(shares)[1]} {frame[max(shares)[1]].iloc[row]}")
            else:
                told_in_row.append(f"lowers: {min(shares)[1]} {frame[min(shares)[1]].iloc[row]}")
        expected.append(told_in_row[:3])
    assert explain(contributions, frame, columns, templates) == expected


def test_a_fitted_model_is_explained_by_what_its_labels_follow() -> None:
    model, _ = learn(draw_rows(4000, seed=1)[0], Recipe(COLUMNS, CATEGORICAL, QUICK, seed=1, num_threads=1), members=2)
    lead = {"clicks": 7.0, "age": 0.01, "noise": 0.0, "source": "mail", "constant": 1.0, "never known": None}
    frame = pd.DataFrame([lead, lead | {"clicks": 0.0, "age": 4.0, "source": "web"}])
    templates = {column: told(column, column) for column in COLUMNS}
    keen, idle = explain(model.contributions(frame), frame, model.columns, templates)
    assert keen[0] == "raises: clicks 7.0"
    assert "raises: source mail" in keen
    assert {reason.split()[0] for reason in idle} == {"lowers:"}
    assert "lowers: clicks 0.0" in idle
