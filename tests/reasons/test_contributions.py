"""Contributions: what TreeSHAP is by definition, what LightGBM says, and the same from tables as row by row."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import combinations
from math import factorial

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_rows import COLUMNS, draw_rows, learn_three
from numpy.typing import NDArray

from models.core.encoding import encode
from models.core.model import Model
from models.core.slices import Slice
from models.core.trees import trees_in, without_settings
from models.explaining.contributions import Contributions
from models.explaining.shapley import MOST_TABLED


@pytest.fixture(scope="module")
def part() -> Slice:
    return draw_rows(2000, seed=1)[0]


@pytest.fixture(scope="module")
def model(part: Slice) -> Model:
    return learn_three(part)


def grown(part: Slice, leaves: int, trees: int = 20, **parameters: float) -> Model:
    """Grow trees of so many leaves, with a category, and values that are missing and that are 0."""
    categories = {"source": ["fair", "fax", "mail", "web"]}
    matrix = encode(part.frame, COLUMNS, categories)
    data = lightgbm.Dataset(matrix, part.labels, categorical_feature=[COLUMNS.index("source")])
    asked = {
        "objective": "binary", "num_leaves": leaves, "min_data_in_leaf": 3, "max_cat_to_onehot": 1, "verbose": -1,
        "min_data_per_group": 5, "cat_smooth": 1.0, "num_threads": 1, **parameters,
    }  # fmt: skip
    booster = lightgbm.train(asked, data, trees)
    text = without_settings(booster.model_to_string())
    return Model((text,), {"method": "none"}, {"columns": COLUMNS, "categories": categories})


def by_lightgbm(model: Model, part: Slice) -> NDArray[np.float64]:
    matrix = encode(part.frame, model.columns, model.categories)
    return np.asarray(model.boosters[0].predict(matrix, pred_contrib=True))


def by_definition(tree: Mapping[str, str], row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over all orders in which columns may become known; of numbers without missing ones alone."""
    features, lefts, rights, of_splits, of_leaves = (
        [int(one) for one in tree[name].split()]
        for name in ("split_feature", "left_child", "right_child", "internal_count", "leaf_count")
    )
    thresholds, values = ([float(one) for one in tree[name].split()] for name in ("threshold", "leaf_value"))

    def rows_at(node: int) -> int:
        return of_splits[node] if node >= 0 else of_leaves[~node]

    def foretold(node: int, known: frozenset[int]) -> float:
        if node < 0:
            return values[~node]
        left, right = lefts[node], rights[node]
        if features[node] in known:
            return foretold(left if row[features[node]] <= thresholds[node] else right, known)
        share = rows_at(left) / rows_at(node)
        return share * foretold(left, known) + (1.0 - share) * foretold(right, known)

    asked = sorted(set(features))
    added = np.zeros(len(row))
    for column in asked:
        others = [one for one in asked if one != column]
        for size in range(len(others) + 1):
            weight = factorial(size) * factorial(len(asked) - size - 1) / factorial(len(asked))
            for known in map(frozenset, combinations(others, size)):
                added[column] += weight * (foretold(0, known | {column}) - foretold(0, known))
    return added


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), leaves=st.integers(2, 14), columns=st.integers(1, 5))
def test_contributions_are_shapley_values_by_their_definition(seed: int, leaves: int, columns: int) -> None:
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(300, columns)).round(1)
    labels = (generator.random(300) < 1.0 / (1.0 + np.exp(-rows.sum(axis=1) * rows[:, 0]))).astype(float)
    asked = {"objective": "binary", "num_leaves": leaves, "min_data_in_leaf": 2, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(asked, lightgbm.Dataset(rows, labels), 1)
    text, names = without_settings(booster.model_to_string()), [f"column {number}" for number in range(columns)]
    model = Model((text,), {"method": "none"}, {"columns": names, "categories": {}})
    some = rows[:3]
    frame = draw_rows(3, seed=0)[0].frame.assign(**{name: some[:, number] for number, name in enumerate(names)})
    [tree] = trees_in(text)
    expected = [by_definition(tree, row) for row in some]
    np.testing.assert_allclose(Contributions(model).of(frame)[:, :-1], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("leaves", [2, 8, 11, 12, 31, 127])
@pytest.mark.parametrize("zero_as_missing", [False, True])
def test_contributions_are_what_lightgbm_says(part: Slice, leaves: int, zero_as_missing: bool) -> None:
    model = grown(part, leaves, zero_as_missing=zero_as_missing)
    splits = [int(tree["num_leaves"]) - 1 for tree in trees_in(model.members[0])]
    assert (max(splits) > MOST_TABLED) == (leaves > 11)
    assert leaves == 2 or any(int(tree["num_cat"]) for tree in trees_in(model.members[0]))
    ours, theirs = Contributions(model).of(part.frame), by_lightgbm(model, part)
    assert ours.shape == theirs.shape == (2000, len(COLUMNS) + 1)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_a_row_is_answered_alone_as_among_many(model: Model, part: Slice) -> None:
    contributions = Contributions(model)
    together = contributions.of(part.frame)
    np.testing.assert_array_equal(contributions.of(part.frame.iloc[1234:1235]), together[1234:1235])
    some = np.array([7, 1234, 7])
    np.testing.assert_array_equal(contributions.at(model.numbers(part.frame), some), together[some])
    assert contributions.at(model.numbers(part.frame), some[:0]).shape == (0, together.shape[1])


def test_trees_that_found_nothing_to_split_are_their_average() -> None:
    part = draw_rows(2000, seed=1)[0]
    model = grown(part, 8, trees=2, min_data_in_leaf=2000)
    expected = np.zeros((2000, len(COLUMNS) + 1))
    expected[:, -1] = model.raw_score(part.frame)[0]
    np.testing.assert_allclose(Contributions(model).of(part.frame), expected, rtol=1e-12)


def test_contributions_add_up_to_the_raw_score(model: Model, part: Slice) -> None:
    contributions = Contributions(model).of(part.frame)
    np.testing.assert_allclose(contributions.sum(axis=1), model.raw_score(part.frame), rtol=0, atol=1e-12)
    assert (contributions[:, COLUMNS.index("constant")] == 0.0).all()
    assert Contributions(model).of(part.frame.iloc[:0]).shape == (0, len(COLUMNS) + 1)


def test_a_model_contributes_the_mean_of_what_its_members_do(model: Model, part: Slice) -> None:
    members = [dataclasses.replace(model, members=(one,)) for one in model.members]
    shares = np.array([Contributions(member).of(part.frame) for member in members])
    assert (np.ptp(shares, axis=0) > 0.0).any()
    np.testing.assert_allclose(Contributions(model).of(part.frame), shares.mean(axis=0), rtol=1e-12, atol=1e-14)
