"""A declaration that makes no sense can't be built; names are derived and never collide."""

from __future__ import annotations

import doctest
import json
import re
from datetime import timedelta
from types import ModuleType

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_features import declarations

from features import declarations as declarations_module
from features import duration, errors, reference
from features.catalogue import Catalogue, build_catalogue
from features.declarations import ACTORS, MEASURES, OTHER, Feature, Filter, Vocabulary, derive_names

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("build", "advice"),
    [
        (lambda: Feature("cuont"), "did you mean 'count'"),
        (lambda: Feature("days_since_last", window=DAY), "takes no window; leave it out"),
        (lambda: Feature("decayed_count"), "needs a half_life, as in"),
        (lambda: Feature("count", half_life=DAY), "takes no half_life"),
        (lambda: Feature("count", window=timedelta(minutes=90)), "multiple of an hour"),
        (lambda: Feature("count", window=timedelta(0)), "multiple of an hour"),
        (lambda: Feature("decayed_count", half_life=timedelta(minutes=5)), "multiple of an hour"),
        (lambda: Filter(actors=("Lead",)), "did you mean 'lead'"),
        (lambda: Filter(actors=("us", "lead")), "in that order"),
        (lambda: Filter(actors=()), "must be some of"),
    ],
)
def test_a_declaration_that_makes_no_sense_says_what_to_do(build: object, advice: str) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match=re.escape(advice)):
        build()


@pytest.mark.parametrize(
    ("feature", "name"),
    [
        (Feature("count", Filter("email_open"), 30 * DAY), "count__email_open__30d"),
        (Feature("count"), "count__all"),
        (Feature("sum", Filter(channel="Google Ads"), 36 * HOUR), "sum__channel_google_ads__36h"),
        (Feature("count", Filter(OTHER, OTHER)), "count__other__channel_other"),
        (Feature("count", Filter("call", actors=("us",))), "count__call__by_us"),
        (Feature("days_since_last", Filter(actors=ACTORS)), "days_since_last__all__any_actor"),
        (Feature("decayed_count", half_life=14 * DAY), "decayed_count__all__half_14d"),
        (Feature("count", Filter(campaign="été 2026")), "count__campaign_ete_2026"),
    ],
)
def test_a_name_is_derived(feature: Feature, name: str) -> None:
    assert derive_names([feature]) == [name]


def test_colliding_slugs_are_told_apart_by_four_digits_whatever_their_order() -> None:
    colliding = [Feature("count", Filter("A b")), Feature("count", Filter("a_B")), Feature("count", Filter("c"))]
    names = derive_names(colliding)
    assert names[2] == "count__c"
    assert all(re.fullmatch(r"count__a_b__[0-9a-f]{4}", name) for name in names[:2])
    assert len(set(names)) == 3
    assert derive_names(colliding[::-1]) == names[::-1]


@given(declarations())
def test_a_declaration_survives_json(feature: Feature) -> None:
    assert Feature.from_json(json.loads(json.dumps(feature.to_json()))) == feature


@given(declarations(), st.floats(0, 1e6))
def test_a_name_is_fit_for_lightgbm_and_every_value_has_words(feature: Feature, value: float) -> None:
    assert re.fullmatch(r"[a-z0-9_]+", feature.slug)
    assert feature.describe(value)
    assert feature.describe(float("nan")).startswith("no ")


def test_every_measure_has_a_code_a_meaning_and_a_unit_of_its_own() -> None:
    assert sorted(measure.code for measure in MEASURES.values()) == list(range(len(MEASURES)))
    assert len({measure.meaning for measure in MEASURES.values()}) == len(MEASURES)
    assert all(measure.unit for measure in MEASURES.values())


@pytest.mark.parametrize("module", [declarations_module, duration, errors, reference])
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


EVENT_TYPES = pd.DataFrame(
    {
        "event_type": ["page", "cart", "call", "won", "rare", "page"],
        "actor": ["lead", "lead", "us", "system", "lead", "us"],
        "leads": [100, 50, 60, 30, 2, 1],
        "valued": [False, True, False, False, False, False],
    },
    index=[9, 9, 1, 1, 0, 0],
)
CHANNELS = pd.DataFrame({"channel": ["seo", "tv"], "leads": [80, 3]}, index=[5, 5])


def grow(**changes: object) -> Catalogue:
    settings: dict[str, object] = {
        "actors": ("lead",),
        "windows": (DAY, 7 * DAY),
        "half_life": 14 * DAY,
        "minimum_leads": 20,
        "maximum_types": 60,
        "ignored_types": ("won",),
    }
    return build_catalogue(EVENT_TYPES, CHANNELS, **(settings | changes))  # type: ignore[arg-type] # a test's shorthand


def test_the_catalogue_follows_the_vocabulary() -> None:
    catalogue = grow(attributes={"Größe": "number", "country": "category"})
    assert catalogue.vocabulary == Vocabulary(("cart", "page"), ("seo",), ("won",), ())
    assert catalogue.columns[:5] == (
        "lead_age_days",
        "episode_age_days",
        "earlier_episodes",
        "lead__groe",
        "lead__country",
    )
    assert catalogue.categories == ("lead__country",)
    assert [name for name in catalogue.names if "cart" in name] == [
        "count__cart__1d",
        "count__cart__7d",
        "count__cart",
        "sum__cart__1d",
        "sum__cart__7d",
        "sum__cart",
        "days_since_first__cart",
        "days_since_last__cart",
        "decayed_count__cart__half_14d",
    ]
    assert not any("rare" in name or "won" in name or "call" in name or "tv" in name for name in catalogue.names)
    assert {"count__other__7d", "count__channel_other__7d", "active_days__all__1d"} <= set(catalogue.names)


def test_the_most_frequent_types_are_kept_and_the_rest_pooled() -> None:
    assert grow(maximum_types=1).vocabulary.event_types == ("page",)


def test_what_we_did_is_counted_only_when_asked_and_never_quoted() -> None:
    catalogue = grow(actors=("lead", "system", "us"))
    assert "count__call__any_actor__1d" in catalogue.names
    quoting = {
        name
        for name, feature in zip(catalogue.names, catalogue.features, strict=True)
        if feature.quotes_us(catalogue.vocabulary)
    }
    assert "count__call__any_actor__1d" in quoting
    assert "count__all__any_actor__1d" in quoting
    assert "count__cart__any_actor__1d" not in quoting


def test_declared_features_join_once() -> None:
    extra = Feature("count", Filter("page"), timedelta(days=3))
    catalogue = grow(declared=(extra, Feature("count", Filter("page"), DAY)))
    assert catalogue.features[-1] == extra
    assert len(set(catalogue.features)) == len(catalogue.features)


def test_a_catalogue_survives_json() -> None:
    catalogue = grow(attributes={"country": "category"})
    assert Catalogue.from_json(json.loads(json.dumps(catalogue.to_json()))) == catalogue


@pytest.mark.parametrize(
    ("feature", "value", "words"),
    [
        (Feature("count", Filter("pricing_view"), 7 * DAY), 3.0, "3 'pricing_view' in the last 7 days"),
        (Feature("count"), 1.0, "1 event so far"),
        (Feature("count", window=DAY), 0.0, "0 events in the last day"),
        (Feature("sum", Filter(channel="seo"), 36 * HOUR), 12.5, "events via seo worth 12.50 in the last 36 hours"),
        (Feature("active_days"), 1.0, "active on one day so far (events)"),
        (Feature("active_days", window=7 * DAY), 4.0, "active on 4 days in the last 7 days (events)"),
        (Feature("days_since_last", Filter("form")), 2.04, "last 'form' 2.0 days ago"),
        (Feature("days_since_first", Filter(OTHER, OTHER)), None, "no other event via other channels yet"),
        (
            Feature("decayed_count", Filter("click", campaign="spring"), half_life=DAY),
            2.84,
            "2.8 recent 'click' of campaign spring, older ones counting less",
        ),
    ],
)
def test_a_value_reads_as_a_reason(feature: Feature, value: float | None, words: str) -> None:
    assert feature.describe(value) == words
