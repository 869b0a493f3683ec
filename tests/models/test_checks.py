"""What the checks find in models and columns of which it is known what is amiss, against numbers worked out by hand."""

from __future__ import annotations

import dataclasses
import doctest
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from labelled_rows import CATEGORICAL, COLUMNS, QUICK, draw_rows

from benchmarks.verdicts_truth import EXPECTED, World, judge_world
from models.core.model import Model
from models.core.slices import Slice
from models.evaluation import checks, drift, leaks
from models.evaluation.checks import Facts
from models.evaluation.drift import base_rate_drift, drifts, feature_drift, stability_index
from models.evaluation.leaks import Presence, auc_alone, columns_that_know, events_that_know
from models.evaluation.metrics import Estimate, evaluate
from models.learning.learner import Recipe, learn

BASE = 0.1


@cache
def learned() -> tuple[Model, Slice]:
    """Give a model of drawn rows, and these rows."""
    rows = draw_rows(3000, seed=1)[0]
    return learn(rows, Recipe(COLUMNS, CATEGORICAL, QUICK, "platt", seed=1, num_threads=1))[0], rows


def part(labels: list[int]) -> Slice:
    """Make rows of a lead each."""
    return Slice(pd.DataFrame(index=range(len(labels))), np.array(labels, dtype=float), np.arange(len(labels)))


def facts_of(labels: list[int], promised: list[float], **changes: Any) -> Facts:  # noqa: ANN401 - any of Facts
    """Give facts of a model that has learned well, where what is stated was foretold and came."""
    model, rows = learned()
    rates = np.full(len(labels), BASE)
    facts = Facts(model, rows, part(labels), np.array(promised), rates, rates, Estimate(0.7, 0.6, 0.8))
    return dataclasses.replace(facts, **changes)


def other_model(calibrator: dict[str, Any] | None = None, **entries: object) -> Model:
    """Give the model with another calibrator, or other entries of its manifest."""
    model = learned()[0]
    return dataclasses.replace(model, calibrator=calibrator or model.calibrator, manifest={**model.manifest, **entries})


def given(check: checks.Check, facts: Facts) -> dict[str, str]:
    return {verdict.code: verdict.severity for verdict in check(facts)}


@pytest.mark.parametrize("module", [checks, drift, leaks])
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


SOUND = ([1] * 20 + [0] * 180, [0.4] * 15 + [0.06] * 5 + [0.4] * 7 + [0.06] * 173)


def test_the_log_loss_is_compared_with_that_of_the_constant_that_was_known() -> None:
    facts = facts_of(*SOUND)
    own = -(15 * np.log(0.4) + 5 * np.log(0.06) + 7 * np.log(0.6) + 173 * np.log(0.94)) / 200
    constant = -(20 * np.log(BASE) + 180 * np.log(1 - BASE)) / 200
    assert facts.excess_loss.value == pytest.approx(own - constant)
    assert facts.excess_loss.high < 0
    assert given(checks.worse_than_base_rate, facts) == {}
    same = facts_of(SOUND[0], [BASE] * 200)
    assert same.excess_loss.value == 0.0
    assert given(checks.worse_than_base_rate, same) == {"worse_than_base_rate": "wrong"}


def test_of_two_constants_that_were_known_a_model_must_beat_the_better() -> None:
    facts = facts_of([1] * 30 + [0] * 70, [0.3] * 100, latest_rates=np.full(100, 0.3))
    assert facts.known_rates.tolist() == [0.3] * 100
    assert given(checks.worse_than_base_rate, facts) == {"worse_than_base_rate": "wrong"}


def test_what_each_origin_knew_of_its_base_rate_is_no_merit_of_the_model() -> None:
    """At one origin 10 % were known to convert, at the next one 40 %: whoever says just that ranks the rows of both."""
    labels, rates = [1] * 10 + [0] * 90 + [1] * 40 + [0] * 60, np.repeat([0.1, 0.4], 100)
    facts = facts_of(labels, rates.tolist(), base_rates=rates, latest_rates=np.full(200, 0.25))
    assert facts.excess_loss.value == 0.0
    assert given(checks.worse_than_base_rate, facts) == {"worse_than_base_rate": "wrong"}
    assert facts_of(labels, rates.tolist(), base_rates=np.full(200, 0.25)).excess_loss.high < 0.0


def test_what_chance_explains_is_doubtful_where_the_order_is_better_than_chance_and_else_wrong() -> None:
    labels, promised = [1] * 12 + [0] * 100, [0.15] * 7 + [0.09] * 5 + [0.15] * 40 + [0.09] * 60
    facts = facts_of(labels, promised)
    assert facts.excess_loss.value < 0 < facts.excess_loss.high
    assert given(checks.worse_than_base_rate, facts) == {"worse_than_base_rate": "doubtful"}
    coin = dataclasses.replace(facts, roc_auc=Estimate(0.55, 0.45, 0.65))
    assert given(checks.worse_than_base_rate, coin) == {"worse_than_base_rate": "wrong"}
    assert given(checks.ranks_like_a_coin, coin) == {"ranks_like_a_coin": "wrong"}


@pytest.mark.parametrize(
    ("trees", "rate", "severity"), [(10, 0.1, "doubtful"), (10, 0.5, None), (20, 0.1, None), (300, 0.001, "doubtful")]
)
def test_trees_count_by_how_much_each_may_learn(trees: int, rate: float, severity: str | None) -> None:
    facts = facts_of(*SOUND, model=other_model(trees=trees, parameters={"learning_rate": rate}))
    assert given(checks.too_little_learned, facts).get("too_little_learned") == severity


def test_too_little_learned_is_wrong_where_nothing_shows_that_it_is_of_use() -> None:
    few = other_model(trees=3)
    assert given(checks.too_little_learned, facts_of(*SOUND, model=few, later=None)) == {"too_little_learned": "wrong"}
    assert given(checks.too_little_learned, facts_of(*SOUND, later=None)) == {}


@pytest.mark.parametrize(
    ("calibrator", "is_accused"),
    [
        ({"method": "platt", "slope": 0.01, "intercept": 0.0}, True),
        ({"method": "platt", "slope": 0.0100000001, "intercept": 0.0}, True),
        ({"method": "platt", "slope": 0.02, "intercept": 0.0}, False),
        ({"method": "beta", "above": 0.01, "below": 0.01, "intercept": 0.0}, True),
        ({"method": "beta", "above": 0.01, "below": 0.5, "intercept": 0.0}, False),
        ({"method": "quadratic", "ends": [-3, 0], "slopes": [0.01, 0.01], "intercept": 0.0}, True),
        ({"method": "quadratic", "ends": [-3, 0], "slopes": [0.5, 0.01], "intercept": 0.0}, False),
        ({"method": "none"}, False),
    ],
    ids=str,
)
def test_a_calibrator_all_of_whose_slopes_are_at_their_bound_is_wrong(
    calibrator: dict[str, Any], is_accused: bool
) -> None:
    assert bool(given(checks.slope_at_bound, facts_of(*SOUND, model=other_model(calibrator)))) == is_accused


@pytest.mark.parametrize(("rest", "said"), [(0.1, "get 10.0000%"), (0.101, "get between 10.0000% and 10.1000%")])
def test_probabilities_that_hardly_differ_are_wrong_and_told_with_their_bounds(rest: float, said: str) -> None:
    promised = [0.1] * 195 + [rest] * 5
    (verdict,) = checks.same_for_everyone(facts_of(SOUND[0], promised))
    assert verdict.severity == "wrong"
    assert verdict.evidence.startswith(f"all 200 snapshots foretold {said}")
    (unjudged,) = checks.same_for_everyone(facts_of(SOUND[0], promised, later=None))
    assert unjudged.evidence.startswith(f"all 200 snapshots learned from {said}")
    assert given(checks.same_for_everyone, facts_of(*SOUND)) == {}


@pytest.mark.parametrize(
    ("auc", "severity"),
    [(Estimate(0.96, 0.95, 0.97), None), (Estimate(0.98, 0.96, 0.99), "doubtful"), (Estimate(0.99, 0.98, 1), "wrong")],
)
def test_what_is_too_good_is_told_with_the_column_that_gains_most(auc: Estimate, severity: str | None) -> None:
    found = list(checks.too_good(facts_of(*SOUND, roc_auc=auc)))
    assert [verdict.severity for verdict in found] == ([severity] if severity else [])
    assert all("most of it by clicks" in verdict.evidence for verdict in found)


def test_a_model_is_judged_by_all_checks_and_one_that_learned_well_by_none_accused() -> None:
    model, rows = learned()
    later = draw_rows(3000, seed=2)[0]
    rates = np.full(3000, rows.labels.mean())
    promised = model.predict(later.frame)
    auc = evaluate(later.labels, promised, later.leads, replicates=50, seed=1)["roc_auc"]
    facts = Facts(model, rows, later, promised, rates, rates, auc)
    assert checks.check(facts) == []
    backwards = dataclasses.replace(facts, promised=1.0 - promised, roc_auc=Estimate(1 - auc.value, 0.1, 0.4))
    assert {verdict.code for verdict in checks.check(backwards)} == {
        "worse_than_base_rate", "ranks_like_a_coin", "promises_not_kept",
    }  # fmt: skip


def test_a_model_of_labels_that_nothing_foretells_is_wrong_by_what_it_has_learned() -> None:
    rows = draw_rows(3000, seed=1)[0]
    rows = dataclasses.replace(rows, labels=np.random.default_rng(3).permutation(rows.labels))
    model, _ = learn(rows, Recipe(COLUMNS, CATEGORICAL, QUICK, "platt", seed=1, num_threads=1))
    rates = np.full(3000, rows.labels.mean())
    unjudged = Facts(model, rows, None, model.predict(rows.frame), rates, rates, None)
    found = {verdict.code: verdict.severity for verdict in checks.check(unjudged)}
    assert found.pop("not_judged") == "told"
    assert {"too_little_learned"} <= set(found)
    assert set(found.values()) == {"wrong"}


@pytest.mark.parametrize(
    ("times", "severity"), [(1.0, None), (1.2, None), (1.6, "doubtful"), (4.0, "wrong"), (0.2, "wrong")]
)
def test_promises_are_held_to_what_happened(times: float, severity: str | None) -> None:
    labels = [1] * 200 + [0] * 1800
    facts = facts_of(labels, [0.1 * times] * 2000)
    assert given(checks.promises_not_kept, facts).get("promises_not_kept") == severity


def test_a_few_conversions_more_or_less_are_chance() -> None:
    assert given(checks.promises_not_kept, facts_of([1] * 3 + [0] * 97, [0.06] * 100)) == {}
    assert given(checks.promises_not_kept, facts_of([0] * 1000, [0.2] * 1000)) == {"promises_not_kept": "wrong"}


def test_too_few_leads_that_convert_are_not_judged_rather_than_accused() -> None:
    facts = facts_of([1] * 9 + [0] * 200, [0.5] * 209, roc_auc=Estimate(0.5, 0.3, 0.7))
    assert given(checks.not_judged, facts) == {"not_judged": "told"}
    assert given(checks.worse_than_base_rate, facts) == given(checks.ranks_like_a_coin, facts) == {}


def test_one_lead_with_many_rows_is_one_witness() -> None:
    labels = [1] * 40 + [0] * 200
    assert facts_of(labels, [0.5] * 240).is_judged
    later = dataclasses.replace(part(labels), leads=np.maximum(np.arange(240), 39))
    facts = facts_of(labels, [0.5] * 240, later=later)
    assert facts.leads == (1, 200)
    assert not facts.is_judged


def test_without_an_origin_it_is_said_that_nobody_knows() -> None:
    facts = facts_of(*SOUND, later=None, roc_auc=None)
    (verdict,) = checks.check(facts)
    assert (verdict.name, verdict.severity) == ("not_judged", "told")
    assert "train.origins is 0" in verdict.evidence


def test_a_steady_growth_is_usual_and_a_jump_is_not() -> None:
    draw = np.random.default_rng(1)
    time = np.linspace(0, 1, 4000)
    frame = pd.DataFrame({"growing": draw.random(4000) * (0.5 + time), "jumping": draw.normal(0, 1, 4000)})
    frame.loc[3000:, "jumping"] += 2
    parts = [
        Slice(frame[chosen], np.zeros(chosen.sum()), np.arange(chosen.sum())) for chosen in (time < 0.5, time >= 0.75)
    ]
    measured = {one.column: one for one in drifts(parts[0], parts[1], list(frame), {})}
    assert measured["growing"].index > drift.LARGE, "it would be accused, were it not usual"
    (verdict,) = feature_drift(parts[0], parts[1], list(frame), {})
    assert verdict.evidence.startswith("1 of 2 columns")
    assert "jumping" in verdict.evidence


def test_missing_values_and_new_levels_are_drift_too() -> None:
    texts = pd.Series(["a", "b"] * 500)
    for after in (pd.Series([None] * 1000, dtype="str"), pd.Series(["new"] * 1000)):
        assert stability_index(texts, after, is_category=True)[0] > drift.ANOTHER_WORLD
    numbers = pd.Series(np.arange(1000.0))
    assert stability_index(numbers, pd.Series([np.nan] * 1000), is_category=False)[0] > drift.ANOTHER_WORLD
    assert stability_index(numbers, numbers, is_category=False)[0] == 0.0


@pytest.mark.parametrize(("later", "is_told"), [(60, False), (140, False), (310, True), (10, True)])
def test_a_base_rate_is_compared_with_those_of_the_quarters_before(later: int, is_told: bool) -> None:
    draw = np.random.default_rng(1)
    before = part((draw.random(4000) < 0.08).astype(int).tolist())
    after = part([1] * later + [0] * (1000 - later))
    assert bool(list(base_rate_drift(before, after))) == is_told


CREATED = pd.Series(pd.date_range("2025-01-01", periods=2000, freq="h"))


def test_a_column_that_was_written_after_the_outcome_is_named_and_one_of_the_calendar_is_not() -> None:
    draw = np.random.default_rng(1)
    late = np.arange(2000) >= 1000
    converted = draw.random(2000) < np.where(late, 0.8, 0.02)
    columns = {
        "price": pd.Series(np.where(late, 1.0, 5.0)),
        "stage": pd.Series(np.where(converted & (draw.random(2000) < 0.9), "customer", "contact")),
        "country": pd.Series(draw.choice(["NL", "BE"], 2000)),
    }
    kinds: dict[str, leaks.Kind] = {"price": "number", "stage": "category", "country": "category"}
    (verdict,) = columns_that_know(columns, kinds, converted, CREATED)
    assert (verdict.name, verdict.severity) == ("column_knows_outcome:stage", "wrong")
    by_calendar = auc_alone(columns["price"], "number", converted, CREATED)
    assert by_calendar is not None
    assert by_calendar.value == pytest.approx(0.5)


def test_only_a_value_that_is_missing_may_know_the_outcome() -> None:
    converted = np.arange(2000) % 4 == 0
    contract = pd.Series(np.where(converted, 7.0, np.nan))
    estimate = auc_alone(contract, "number", converted, CREATED)
    assert estimate is not None
    assert estimate.value == 1.0


def test_where_few_convert_nothing_is_said_and_where_chance_may_have_helped_it_is_doubtful() -> None:
    draw = np.random.default_rng(2)
    few = np.arange(2000) < 10
    assert auc_alone(pd.Series(few.astype(float)), "number", few, CREATED) is None
    some = np.arange(200) < 24
    column = pd.Series(1.25 * some + draw.normal(0, 1, 200))
    (verdict,) = columns_that_know(
        {"size": column}, {"size": "number"}, some, CREATED[:200].sample(frac=1, random_state=1)
    )
    assert verdict.severity == "doubtful"


def presence(name: str, *, ended_with: float, ages: int = 4) -> Presence:
    """Of 100 snapshots of each age half have the event; 30 of those without end."""
    full = np.full(ages, 50.0)
    none = np.zeros(ages)
    return Presence(name, full, np.full(ages, ended_with), full, np.full(ages, 30.0), none, none, rows_per_end=2.0)


def test_an_event_after_which_nothing_ever_happens_is_one_that_an_end_would_have_overwritten() -> None:
    found = list(
        events_that_know(
            [presence("last_changed", ended_with=0), presence("unsubscribed", ended_with=5)], losses_known=True
        )
    )
    assert [verdict.name for verdict in found] == ["event_knows_outcome:last_changed"]
    assert "0 ended within the horizon, won or lost, where 60 of as many others" in found[0].evidence
    assert not list(events_that_know([presence("rare", ended_with=0, ages=1)], losses_known=True)), "15 might be chance"


def test_an_event_that_comes_with_an_end_which_is_recorded_late_is_told_as_that() -> None:
    # Of each of two ages 100 snapshots have an invoice, and 200 none. 98 of those with it were of leads that had ended.
    # Of those without 20 had ended, too, and 60 of the other 180 end within the horizon.
    two = np.ones(2)
    invoice = Presence("invoice", 100 * two, 0 * two, 200 * two, 60 * two, 98 * two, 20 * two, rows_per_end=1.0)
    [verdict] = events_that_know([invoice], losses_known=True)
    assert (verdict.name, verdict.severity) == ("event_knows_outcome:invoice", "doubtful")
    assert (
        "of 200 snapshots of leads that had invoice before, 196 were of leads that had ended by then"
        in verdict.evidence
    )
    assert "where 20 of as many others of the same age were" in verdict.evidence
    assert "written anew" not in verdict.evidence
    assert "episodes.conversion" in verdict.remedy
    # Had only 20 of them ended, too, the other 80 of each age should have ended as others do: 80 * 60 / 180 = 26.7.
    changed = dataclasses.replace(invoice, over_with=20 * two)
    [verdict] = events_that_know([changed], losses_known=True)
    assert verdict.severity == "wrong"
    assert "0 ended within the horizon, won or lost, where 53 of as many others" in verdict.evidence
    assert "written anew" in verdict.evidence


def test_where_no_losses_are_known_an_event_that_may_mean_no_is_a_doubt() -> None:
    [verdict] = events_that_know([presence("unsubscribed", ended_with=0)], losses_known=False)
    assert (verdict.name, verdict.severity) == ("event_knows_outcome:unsubscribed", "doubtful")
    assert "or it means no" in verdict.evidence
    assert "name it under episodes.lost" in verdict.remedy


@pytest.mark.parametrize(("others", "accused"), [(0, True), (1, True), (20, False)])
def test_a_column_that_is_filled_at_the_conversion_alone_is_named(others: int, accused: bool) -> None:
    # Of 1,000 leads 300 convert; for 135 of these an amount is known, and for some others.
    converted = np.arange(1_000) < 300
    known = (np.arange(1_000) < 135) | (np.arange(1_000) >= 1_000 - others)
    amount = pd.Series(np.where(known, np.arange(1_000) % 7 + 1.0, np.nan))
    created = pd.Series(pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(1_000) * 7919 % 1_000, unit="h"))
    found = list(columns_that_know({"amount": amount}, {"amount": "number"}, converted, created))
    assert [verdict.name for verdict in found] == ["column_knows_outcome:amount"] * accused
    if accused:
        assert f"filled for 135 leads that converted, and for {others} others" in found[0].evidence


def test_an_event_that_all_leads_of_an_age_have_is_compared_with_nobody() -> None:
    reminder = Presence("reminder", np.array([0.0, 90.0]), np.array([0.0, 0.0]), np.array([90.0, 0.0]),
                        np.array([60.0, 0.0]), np.zeros(2), np.zeros(2), rows_per_end=1.0)  # fmt: skip
    assert not list(events_that_know([reminder], losses_known=True))


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_drawn_world_is_judged_by_what_it_is(kind: str) -> None:
    world = World(kind, 1, judge_world(kind, 1))
    assert world.is_right, [(verdict.name, verdict.evidence) for verdict in world.verdicts]
