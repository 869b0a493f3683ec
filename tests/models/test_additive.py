"""Members that add up: known shapes, the weights of a known peer, and nothing of a fold in its own scores."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models.core.additive import Additive, Term, shaped
from models.core.slices import deal
from models.core.trees import ArtefactError
from models.learning.additive import Roles, fit_additive, terms_of_rates, terms_of_regression

NAN = np.nan
ROWS = 3_000
HALVES = np.arange(ROWS) // 3 % 2


def drawn(seed: int = 1) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64], NDArray[Any]]:
    """Draw two counts, an age and a category, labels that hang on them, and leads of three rows each."""
    generator = np.random.default_rng(seed)
    numbers = {
        "clicks": generator.poisson(1.0, ROWS).astype(np.float64),
        "visits": generator.poisson(4.0, ROWS).astype(np.float64),
        "age": generator.exponential(20.0, ROWS),
        "source": generator.choice([0.0, 1.0, 2.0, NAN], ROWS, p=[0.1, 0.5, 0.3, 0.1]),
    }
    odds = -2.5 + 0.7 * np.log1p(numbers["clicks"]) - 0.02 * numbers["age"] + 0.8 * (numbers["source"] == 2.0)
    labels = (generator.random(ROWS) < 1.0 / (1.0 + np.exp(-odds))).astype(np.float64)
    return numbers, labels, np.arange(ROWS) // 3


@pytest.mark.parametrize(
    ("term", "values", "expected"),
    [
        (Term("c", "log", 10.0), [0.0, 0.1, 1.0, -5.0, NAN], [0.0, np.log(2.0), np.log(11.0), 0.0, NAN]),
        (Term("c", "capped", 3.0), [0.0, 2.5, 9.0, -1.0, NAN], [0.0, 2.5, 3.0, 0.0, NAN]),
        (Term("c", "decay", 14.0), [0.0, 14.0, -3.0, NAN], [1.0, np.exp(-1.0), 1.0, NAN]),
        (Term("c", "missing"), [0.0, NAN], [0.0, 1.0]),
        (Term("c", "level", 2.0), [1.0, 2.0, 0.0, NAN], [0.0, 1.0, 0.0, 0.0]),
    ],
)
def test_shapes_are_what_the_page_says(term: Term, values: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(shaped([term], {"c": np.array(values)})[0], expected, rtol=1e-14)


def test_the_latest_is_what_came_last_and_the_first_of_equal_ones() -> None:
    numbers = {"a": np.array([3.0, 1.0, NAN, NAN]), "b": np.array([2.0, 1.0, 5.0, NAN])}
    of_a, of_b = shaped([Term("a", "latest"), Term("b", "latest")], numbers)
    assert of_a.tolist() == [0.0, 1.0, 0.0, 0.0]
    assert of_b.tolist() == [1.0, 0.0, 1.0, 0.0]


def test_contributions_are_distances_from_the_mean_and_what_is_missing_lies_there() -> None:
    member = Additive(-2.0, (Term("c", "capped", 10.0, mean=4.0, weight=0.5), Term("d", "missing", weight=3.0)))
    numbers = {"c": np.array([6.0, NAN]), "d": np.array([1.0, NAN])}
    assert [(column, added.tolist()) for column, added in member.contributions(numbers)] == [
        ("c", [1.0, 0.0]),
        ("d", [0.0, 3.0]),
    ]
    assert member.score(numbers, 2).tolist() == [-1.0, 1.0]


def test_a_member_reads_back_as_it_was_written() -> None:
    numbers, labels, leads = drawn()
    member, _ = fit_additive([Term("clicks", "log", 10.0)], numbers, labels, leads, HALVES, prior=1.0)
    assert Additive.from_text(member.to_text(), ["clicks"]) == member


@pytest.mark.parametrize(
    "change",
    [
        {"column": "unknown"},
        {"shape": "cube"},
        {"shape": "decay", "parameter": 0.0},
        {"weight": "much"},
        {"mean": None},
        {"weight": True},
        {"more": 1.0},
    ],
)
def test_a_broken_term_is_told(change: dict[str, Any]) -> None:
    content = json.loads(Additive(0.0, (Term("clicks", "log"),)).to_text())
    content["terms"][0] |= change
    with pytest.raises(ArtefactError, match="the terms of a member are broken"):
        Additive.from_text(json.dumps(content), ["clicks"])


def test_the_weights_are_those_of_a_known_ridge() -> None:
    numbers, labels, leads = drawn()
    roles = Roles(decayed=["clicks", "visits"], ages=["age"])
    terms = terms_of_regression(roles, numbers, {"source": ["mail", "web"]})
    member, _ = fit_additive(terms, numbers, labels, leads, HALVES, prior=16.0)
    design = np.nan_to_num(
        np.stack(
            [
                (values - term.mean) / term.spread
                for term, values in zip(member.terms, shaped(member.terms, numbers), strict=True)
            ],
            axis=1,
        )
    )
    # Three rows a lead: the prior of sixteen leads is one of 48 rows.
    known = LogisticRegression(C=1.0 / (16.0 * 3.0), tol=1e-10, max_iter=1_000).fit(design, labels)
    weights = [term.weight * term.spread for term in member.terms]
    np.testing.assert_allclose(weights, known.coef_[0], atol=2e-4)
    assert member.intercept == pytest.approx(float(known.intercept_[0]), abs=2e-4)


def test_a_log_that_is_looked_at_twice_as_often_teaches_the_same() -> None:
    numbers, labels, leads = drawn()
    twice = {name: np.repeat(values, 2) for name, values in numbers.items()}
    terms = [Term("clicks", "log", 10.0), Term("age", "decay", 14.0)]
    once, _ = fit_additive(terms, numbers, labels, leads, HALVES, prior=16.0)
    again, _ = fit_additive(terms, twice, labels.repeat(2), leads.repeat(2), HALVES.repeat(2), prior=16.0)
    np.testing.assert_allclose([term.weight for term in once.terms], [term.weight for term in again.terms], atol=1e-4)


def test_nothing_of_a_fold_is_in_its_own_scores() -> None:
    numbers, labels, leads = drawn()
    fold = deal(labels, leads, seed=1).fold
    terms = [Term("clicks", "log", 10.0), Term("visits", "capped", 8.0), Term("age", "decay", 14.0)]
    _, scores = fit_additive(terms, numbers, labels, leads, fold, prior=16.0)
    flipped = np.where(fold == 2, 1.0 - labels, labels)
    _, others = fit_additive(terms, numbers, flipped, leads, fold, prior=16.0)
    np.testing.assert_allclose(scores[fold == 2], others[fold == 2], atol=2e-3)
    assert np.abs(scores[fold != 2] - others[fold != 2]).min() > 0.1


def test_the_weights_are_the_same_bytes_on_any_number_of_cores() -> None:
    numbers, labels, leads = drawn()
    fold = deal(labels, leads, seed=1).fold
    terms = terms_of_regression(Roles(decayed=["clicks", "visits"], ages=["age"]), numbers, {"source": ["a", "b"]})
    texts = set()
    for threads in (1, 2, 4):
        with threadpool_limits(threads):
            texts.add(fit_additive(terms, numbers, labels, leads, fold, prior=16.0)[0].to_text())
    assert len(texts) == 1


def test_terms_that_are_the_same_everywhere_are_left_out() -> None:
    numbers, labels, leads = drawn()
    numbers["constant"], numbers["never"] = np.ones(ROWS), np.full(ROWS, NAN)
    terms = [Term("constant", "log"), Term("never", "log"), Term("clicks", "log")]
    member, _ = fit_additive(terms, numbers, labels, leads, HALVES, prior=1.0)
    assert [term.column for term in member.terms] == ["clicks"]
    nothing, scores = fit_additive([], numbers, labels, leads, deal(labels, leads, seed=1).fold, prior=1.0)
    assert nothing.terms == ()
    assert nothing.intercept == pytest.approx(np.log(labels.mean() / (1.0 - labels.mean())), abs=1e-5)
    assert np.unique(scores).size <= 5


def test_base_rates_are_those_of_channel_and_last_act_and_shrunk() -> None:
    generator = np.random.default_rng(3)
    source = generator.choice([1.0, 2.0], ROWS, p=[0.9, 0.1])
    last = generator.random(ROWS) < 0.5
    numbers = {"source": source, "form": np.where(last, 1.0, 9.0), "click": np.where(last, 5.0, 2.0)}
    labels = (generator.random(ROWS) < np.where(last, 0.3, 0.1)).astype(np.float64)
    terms = terms_of_rates(Roles(recency=["form", "click"], channels=["source"]), {"source": ["web", "mail"]})
    member, _ = fit_additive(terms, numbers, labels, np.arange(ROWS), HALVES, prior=4.0)
    said = 1.0 / (1.0 + np.exp(-member.score(numbers, ROWS)))
    for rows in (last, ~last):
        assert said[rows].mean() == pytest.approx(labels[rows].mean(), abs=0.01)
    few = dataclasses.replace(member, terms=tuple(term for term in member.terms if term.column == "source"))
    assert np.abs(few.score(numbers, ROWS) - few.intercept).max() < 0.2, "what says nothing hardly counts"
