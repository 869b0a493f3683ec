"""Cut-offs: every probability has one tier, and a better one never a lower tier."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from features.core.schema import MATURITIES, TIERS
from models.decision.kpis import by_probability, scores
from models.decision.tiers import MaturityPolicy, TierPolicy

PROBABILITIES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30)
CUTS = st.tuples(st.floats(0.001, 0.999), st.floats(0.001, 0.999)).filter(lambda pair: pair[0] < pair[1])


def read(policy: type[object], **settings: float) -> object:
    """Make a policy as the settings do."""
    return TypeAdapter(policy).validate_python(settings)


def test_a_cut_off_belongs_to_the_tier_above_it() -> None:
    policy = TierPolicy(mql=0.05, sql=0.2)
    tiers = policy.tiers(np.array([0.0, 0.0499, 0.05, 0.1999, 0.2, 1.0]))
    assert tiers.tolist() == ["IQL", "IQL", "MQL", "MQL", "SQL", "SQL"]


def test_maturity_is_counted_in_base_rates() -> None:
    policy = MaturityPolicy(warm=1.0, hot=3.0)
    assert policy.maturities([0.039, 0.04, 0.119, 0.12], base_rate=0.04).tolist() == ["cold", "warm", "warm", "hot"]
    assert policy.maturities([0.12, 0.5], base_rate=0.5).tolist() == ["cold", "warm"]


@given(PROBABILITIES, CUTS)
def test_a_higher_probability_never_has_a_lower_tier(probabilities: list[float], cuts: tuple[float, float]) -> None:
    tiers = TierPolicy(*cuts).tiers(sorted(probabilities))
    ranks = [TIERS.index(tier) for tier in tiers]
    assert ranks == sorted(ranks)


@given(PROBABILITIES, CUTS)
def test_every_probability_has_the_one_tier_its_cuts_say(probabilities: list[float], cuts: tuple[float, float]) -> None:
    mql, sql = cuts
    for probability, tier in zip(probabilities, TierPolicy(mql, sql).tiers(probabilities), strict=True):
        belongs = {"IQL": probability < mql, "MQL": mql <= probability < sql, "SQL": probability >= sql}
        assert [name for name, holds in belongs.items() if holds] == [tier]


@given(PROBABILITIES, st.floats(0.001, 0.999))
def test_a_higher_probability_is_never_less_mature(probabilities: list[float], base_rate: float) -> None:
    maturities = MaturityPolicy().maturities(sorted(probabilities), base_rate=base_rate)
    ranks = [MATURITIES.index(maturity) for maturity in maturities]
    assert ranks == sorted(ranks)


def test_a_score_is_a_hundred_times_the_probability() -> None:
    assert scores([0.0, 0.125, 1.0]).tolist() == [0.0, 12.5, 100.0]


def test_no_leads_have_no_tiers() -> None:
    assert TierPolicy(mql=0.1, sql=0.2).tiers([]).shape == (0,)


def test_all_that_is_wrong_with_cut_offs_is_said_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        read(TierPolicy, mql=1.5, sql=0.0)
    assert [(error["loc"], error["msg"]) for error in caught.value.errors()] == [
        (("mql",), "Input should be less than 1"),
        (("sql",), "Input should be greater than 0"),
    ]


def test_cut_offs_in_the_wrong_order_are_refused_whoever_makes_them() -> None:
    with pytest.raises(ValueError, match=r"^tiers.mql \(0.3\) must be below tiers.sql \(0.1\)$"):
        TierPolicy(mql=0.3, sql=0.1)
    with pytest.raises(ValueError, match=r"^maturity.warm \(3.0\) must be below maturity.hot \(1.0\)$"):
        MaturityPolicy(warm=3.0, hot=1.0)


@pytest.mark.parametrize(("mql", "sql"), [(0.2, 0.2), (0.0, 0.2), (0.1, 1.0), (float("nan"), 0.2)])
def test_cut_offs_that_make_no_tiers_are_refused(mql: float, sql: float) -> None:
    with pytest.raises(ValidationError):
        read(TierPolicy, mql=mql, sql=sql)


@pytest.mark.parametrize(("warm", "hot"), [(3.0, 1.0), (0.0, 1.0), (1.0, float("inf"))])
def test_multiples_that_make_no_maturities_are_refused(warm: float, hot: float) -> None:
    with pytest.raises(ValidationError):
        read(MaturityPolicy, warm=warm, hot=hot)


@pytest.mark.parametrize("probability", [float("nan"), -0.1, 1.1])
def test_what_is_no_probability_has_no_tier(probability: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        TierPolicy(mql=0.1, sql=0.2).tiers([0.5, probability])


@given(st.lists(st.floats(0, 1), min_size=1))
def test_every_open_lead_falls_into_one_bin_of_the_distribution(probabilities: list[float]) -> None:
    bins = by_probability(pd.DataFrame({"probability": probabilities}))
    assert sum(row.leads for row in bins) == len(probabilities)
    assert max(row.width for row in bins) == 1.0
    assert bins[-1].leads > 0
