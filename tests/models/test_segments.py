"""Beside the figures: rivals on the same rows, and parts in which promises are not kept, told from chance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.evaluation.rivals import compare_with
from models.evaluation.segments import FEWEST_LEADS, MOST_SEGMENTS, OLDER, age_of, segments, worst

Row = NDArray[np.float64]


def drawn(seed: int, leads: int = 2_000, looks: int = 3) -> tuple[Row, Row, NDArray[np.int64]]:
    """Draw leads of one probability each, and labels of which a lead's looks share every other one."""
    generator = np.random.default_rng(seed)
    probabilities = generator.beta(1.0, 12.0, leads)
    own = generator.random((leads, looks)) < probabilities[:, None]
    shared = generator.random(leads) < probabilities
    labels = np.where(generator.random((leads, 1)) < 0.5, shared[:, None], own)
    return labels.ravel().astype(float), np.repeat(probabilities, looks), np.repeat(np.arange(leads), looks)


def test_a_part_is_counted_and_measured_as_by_hand() -> None:
    labels, probabilities = np.array([1.0, 0.0, 0.0, 1.0]), np.array([0.5, 0.5, 0.2, 0.2])
    rates = np.full(4, 0.5)
    (web, mail) = segments(labels, probabilities, rates, np.arange(4), {"channel": np.array(["web", "web", "", ""])})
    assert {web.name, mail.name} == {"web", "not known"}
    unknown = web if web.name == "not known" else mail
    assert (unknown.rows, unknown.leads, unknown.happened) == (2, 2, 1)
    assert unknown.promised == pytest.approx(0.4)
    assert unknown.gain == pytest.approx(np.log(0.8 / 0.5) / 2 + np.log(0.2 / 0.5) / 2)
    assert unknown.away is None, "two leads say nothing"


def test_ages_are_named_by_their_bounds() -> None:
    assert age_of(np.array([0.0, 6.9, 7.0, 89.0, 90.0])).tolist() == [
        "up to a week", "up to a week", "a week to 30 days", "30 to 90 days", OLDER,
    ]  # fmt: skip


def test_of_many_values_the_largest_are_shown_and_the_rest_is_pooled() -> None:
    labels, probabilities, leads = drawn(1)
    values = np.array([f"campaign {number % 40}" if number % 2 else "main" for number in range(len(labels))])
    found = segments(labels, probabilities, probabilities, leads, {"campaign": values})
    assert len(found) == MOST_SEGMENTS + 1
    assert found[0].name == "main"
    assert found[-1].name == "other"
    assert sum(one.rows for one in found) == len(labels)
    assert sum(one.happened for one in found) == labels.sum()


def test_a_model_that_is_right_has_a_part_beyond_chance_in_one_world_of_twenty() -> None:
    worlds, accused = 200, 0
    for seed in range(worlds):
        labels, probabilities, leads = drawn(seed, leads=600)
        kinds = {"a": (leads % 5).astype(str), "b": np.random.default_rng(seed).integers(0, 4, len(labels)).astype(str)}
        beyond, _ = worst(segments(labels, probabilities, probabilities, leads, kinds))
        accused += bool(beyond)
    assert accused <= 20, f"{accused} of {worlds}, where 10 are promised"


def test_a_part_in_which_twice_as_many_convert_is_named_first() -> None:
    labels, probabilities, leads = drawn(3)
    fair = leads % 4 == 0
    promised = np.where(fair, probabilities / 2.0, probabilities)
    found = segments(labels, promised, promised, leads, {"channel": np.where(fair, "fair", "web")})
    beyond, bound = worst(found)
    assert [one.name for one in beyond] == ["fair"]
    assert beyond[0].away is not None
    assert beyond[0].away > bound > 1.96


def test_where_nothing_happened_a_promise_is_measured_by_itself() -> None:
    count = 10 * FEWEST_LEADS
    (one,) = segments(
        np.zeros(count), np.full(count, 0.05), np.full(count, 0.05), np.arange(count), {"a": np.full(count, "x")}
    )
    # 25 are promised, and none comes: of a binomial that is 25 / sqrt(500 * 0.05 * 0.95).
    assert one.away == pytest.approx(-25.0 / np.sqrt(count * 0.05 * 0.95))


def test_rivals_are_told_what_we_don_t_beat_first() -> None:
    labels, truth, leads = drawn(5)
    nobody = np.full(len(labels), labels.mean())
    blurred = 0.5 * truth + 0.5 * nobody
    unknown = np.where(np.arange(len(labels)) < 5, np.nan, truth)
    found = compare_with(labels, blurred, leads, {"nobody": nobody, "truth": truth, "part": unknown})
    assert [one.name for one in found] == ["truth", "nobody"], "who has not said all is not compared"
    best, worse = found
    assert best.gain < 0.0 < worse.low
    assert worse.roc_auc == 0.5
    assert best.log_loss == pytest.approx(-np.log(np.where(labels > 0, truth, 1.0 - truth)).mean())


def test_the_interval_of_a_difference_holds_the_truth_in_95_of_100_worlds() -> None:
    # What it saves to know a probability that is Beta(1, 12), and not only its mean: the integral of p ln(13 p) +
    # (1 - p) ln((1 - p) 13 / 12) over 12 (1 - p)^11.
    saved, held, gains = 0.03248, 0, []
    for seed in range(200):
        labels, truth, leads = drawn(seed, leads=800)
        (one,) = compare_with(labels, truth, leads, {"flat": np.full(len(labels), 1.0 / 13.0)})
        gains.append(one.gain)
        held += one.low <= saved <= one.high
    assert np.mean(gains) == pytest.approx(saved, abs=0.001)
    assert held >= 180
