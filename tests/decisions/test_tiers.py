"""What a lead is worth working on: cut-offs, what facts change of it, and that more probability never takes away."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from features.core.schema import TIERS
from models.decision.kpis import by_probability, scores
from models.decision.tiers import CutOffs, Money, Multiples, Recycling, Stated, tiers_of

PROBABILITIES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30)


def read(policy: type[object], **settings: object) -> object:
    """Make a policy as the settings do."""
    return TypeAdapter(policy).validate_python(settings)


def decide(probabilities: list[float], cuts: CutOffs, **facts: list[bool]) -> list[str]:
    none = [False] * len(probabilities)
    given_facts = {
        name: np.array(facts.get(name, none), dtype=bool) for name in ("closed", "refused", "raised", "is_back")
    }
    return [str(tier) for tier in tiers_of(np.array(probabilities), cuts, **given_facts)]


def test_a_cut_off_belongs_to_the_tier_above_it() -> None:
    tiers = decide([0.0, 0.0499, 0.05, 0.1999, 0.2, 1.0], CutOffs(0.05, 0.2))
    assert tiers == ["IQL", "IQL", "MQL", "MQL", "SQL", "SQL"]


def test_facts_say_what_no_probability_does() -> None:
    cuts, yes = CutOffs(0.05, 0.2), [True, True, True]
    assert decide([0.01, 0.1, 0.9], cuts, closed=yes, raised=yes) == ["disqualified"] * 3
    assert decide([0.01, 0.1, 0.9], cuts, raised=yes) == ["SQL"] * 3
    assert decide([0.01, 0.1, 0.9], cuts, refused=yes) == ["IQL", "MQL", "MQL"]
    assert decide([0.01, 0.1, 0.9], cuts, is_back=yes) == ["recycled", "recycled", "SQL"]
    assert decide([0.01, 0.1, 0.9], cuts, is_back=yes, refused=yes) == ["recycled"] * 3


@given(
    PROBABILITIES.map(sorted),
    st.tuples(st.floats(0.001, 0.5), st.floats(0.5, 0.999)),
    st.tuples(*[st.booleans()] * 4),
)
def test_more_probability_alone_never_gives_a_lower_tier(
    probabilities: list[float], cuts: tuple[float, float], facts: tuple[bool, ...]
) -> None:
    same = {
        name: [holds] * len(probabilities)
        for name, holds in zip(("closed", "refused", "raised", "is_back"), facts, strict=True)
    }
    ranks = [TIERS.index(tier) for tier in decide(probabilities, CutOffs(*cuts), **same)]
    assert ranks == sorted(ranks, reverse=True)


def test_where_no_money_is_known_the_cut_offs_are_multiples_of_the_base_rate() -> None:
    few = CutOffs.of(Multiples(mql=1.5, sql=4.0), 0.0002)
    assert (few.mql, few.sql) == pytest.approx((0.0003, 0.0008), rel=1e-3)
    # Of 40 %, whose odds are 2 to 3: one and a half, and four times these.
    many = CutOffs.of(Multiples(mql=1.5, sql=4.0), 0.4)
    assert (many.mql, many.sql) == pytest.approx((0.5, 8 / 11))
    assert CutOffs.of(Stated(mql=0.1, sql=0.3), 0.02) == CutOffs(0.1, 0.3)


def test_effort_pays_where_it_brings_what_it_costs() -> None:
    # 60 for a call, 6 for nurturing; of a conversion worth 1,200 and one worth 300 a tenth comes of the call.
    money = Money(value=1_200.0, sales_contact=60.0, nurturing=6.0, effect=0.1)
    cuts = CutOffs.of(money, 0.02, np.array([1_200.0, 300.0]))
    assert np.asarray(cuts.sql).tolist() == pytest.approx([0.5, 2.0])
    assert np.asarray(cuts.mql).tolist() == pytest.approx([0.05, 0.2])
    # Where nobody measured the effect, a call is not thought to bring less than the whole conversion.
    assumed = CutOffs.of(Money(value=1_200.0, sales_contact=60.0, nurturing=6.0), 0.02)
    assert (assumed.mql, assumed.sql) == pytest.approx((0.005, 0.05))


def test_a_score_is_a_hundred_times_the_probability() -> None:
    assert scores([0.0, 0.125, 1.0]).tolist() == [0.0, 12.5, 100.0]


def test_no_leads_have_no_tiers() -> None:
    assert decide([], CutOffs(0.1, 0.2)) == []


@pytest.mark.parametrize("probability", [float("nan"), -0.1, 1.1])
def test_what_is_no_probability_has_no_tier(probability: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        decide([0.5, probability], CutOffs(0.1, 0.2))


@pytest.mark.parametrize(
    ("policy", "settings", "said"),
    [
        (Multiples, {"mql": 3.0, "sql": 1.0}, r"multiples.mql \(3\) must be below multiples.sql \(1\)"),
        (Multiples, {"mql": 0.0}, "greater than 0"),
        (Stated, {"mql": 0.3, "sql": 0.1}, r"tiers.mql \(0.3\) must be below tiers.sql \(0.1\)"),
        (Stated, {"mql": 0.1, "sql": 1.5}, "less than 1"),
        (Stated, {"mql": float("nan"), "sql": 0.2}, "less than 1"),
        (Money, {"value": 100, "sales_contact": 5, "nurturing": 6}, "nurturing .6. must be below money.sales_contact"),
        (Money, {"value": 100, "sales_contact": 120, "nurturing": 6}, "no lead could ever be worth it"),
        (Money, {"value": 100, "sales_contact": 20, "nurturing": 6, "effect": 0.1}, "would bring .10."),
        (Money, {"value": 100, "sales_contact": 20, "nurturing": 6, "values": {"NL": 5}}, "name it, as in attribute"),
        (Recycling, {"within": "0d"}, "longer than nothing"),
    ],
)
def test_cut_offs_that_make_no_sense_are_refused(policy: type[object], settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        read(policy, **settings)


@given(st.lists(st.floats(0, 1), min_size=1))
def test_every_open_lead_falls_into_one_bin_of_the_distribution(probabilities: list[float]) -> None:
    bins = by_probability(pd.DataFrame({"probability": probabilities}))
    assert sum(row.leads for row in bins) == len(probabilities)
    assert max(row.width for row in bins) == 1.0
    assert bins[-1].leads > 0
