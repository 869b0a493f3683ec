"""A declaration that makes no sense can't be built; names are derived and never collide."""

from __future__ import annotations

import doctest
import json
import re
from datetime import timedelta
from types import ModuleType

import pandas as pd
import pytest
from declared import declarations
from hypothesis import given
from hypothesis import strategies as st

from features.core import errors
from features.core import time as duration
from features.core.schema import ACTORS
from features.engines import reference
from features.language import feature as declarations_module
from features.language import filters, labels
from features.language import words as wording
from features.language.catalogue import Catalogue, build_catalogue, paces
from features.language.feature import LONGEST_HALF_LIFE, Feature, derive_names
from features.language.filters import OTHER, WEEKDAYS, Filter, Vocabulary
from features.language.words import describe, quotes_us

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
        (lambda: Filter(hours=(9, 9)), "as in [9, 17] or [22, 6]; got (9, 9)"),
        (lambda: Filter(hours=(24, 6)), "must be [from, to) within a day"),
        (lambda: Filter(hours=(0, 24)), "all hours, or all days, filter nothing"),
        (lambda: Filter(weekdays=WEEKDAYS), "all hours, or all days, filter nothing"),
        (lambda: Feature("came_after", than="form"), "came_after needs an event_type"),
        (lambda: Feature("count", window=40_000 * DAY), "window can't be longer than 36,525 days"),
        (lambda: Feature("decayed_count", half_life=3_651 * DAY), "half_life can't be longer than 3,650 days"),
        (lambda: Filter(weekdays=("sun", "mon")), "in that order"),
        (lambda: Filter(weekdays=("Sun",)), "did you mean 'sun'"),
        (lambda: Feature("momentum", window=DAY), "momentum needs a baseline, as in baseline: 28d"),
        (lambda: Feature("momentum", window=DAY, baseline=DAY), "a window with a longer baseline"),
        (lambda: Feature("count", baseline=DAY), "count takes no baseline; leave it out, or use momentum"),
        (lambda: Feature("share"), "share needs an event_type, a channel"),
        (lambda: Feature("share", Filter("click"), of="channel"), "share needs channel to filter by"),
        (lambda: Feature("entropy"), "entropy needs of, as in of: channel"),
        (lambda: Feature("entropy", of="hours"), "'hours' is nothing that entropy is computed of"),
        (lambda: Feature("last_touch", of="channel", position=0), "position counts from 1; got 0"),
        (lambda: Feature("came_after", Filter("form")), "came_after needs than, as in than: form"),
        (lambda: Feature("came_after", Filter("form"), than="form"), "both are 'form'; name another"),
        (lambda: Feature("days_to_first", scope="account"), "is of the lead alone; leave out scope: account"),
        (lambda: Feature("count", scope="acount"), "did you mean 'account'"),  # type: ignore[arg-type] # as users do
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
        (Feature("momentum", Filter("form"), 7 * DAY, baseline=28 * DAY), "momentum__form__7d_of_28d"),
        (Feature("share", Filter(hours=(22, 6), weekdays=("sat", "sun"))), "share__hours_22_6__sat_sun"),
        (Feature("share", Filter("form", "seo"), of="channel"), "share__channel__form__channel_seo"),
        (Feature("last_touch", of="event_type", position=3), "last_touch__event_type_3__all"),
        (Feature("came_after", Filter("form"), than=OTHER), "came_after__form__than_other"),
        (Feature("count", Filter(campaign=OTHER), scope="account"), "account__count__campaign_other"),
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
    assert describe(feature, value)
    assert describe(feature, float("nan")).startswith("no ")


@pytest.mark.parametrize("module", [declarations_module, duration, errors, filters, labels, reference, wording])
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
CAMPAIGNS = pd.DataFrame({"campaign": ["may", "june"], "leads": [30, 19]}, index=[4, 4])
CONTENTS = pd.DataFrame({"content": ["careers", "demo"], "leads": [45, 40]})
ABOUT = pd.DataFrame({
    "event_type": ["cart", "page", "page", "call"], "content": ["demo", "demo", "careers", "demo"],
    "leads": [5, 35, 40, 60],
})  # fmt: skip


def grow(**changes: object) -> Catalogue:
    settings: dict[str, object] = {
        "actors": ("lead",),
        "windows": (DAY, 7 * DAY),
        "half_life": 14 * DAY,
        "minimum_leads": 20,
        "maximum_types": 60,
        "ignored_types": ("won",),
    }
    texts = {"channel": CHANNELS, "campaign": CAMPAIGNS, "content": CONTENTS}
    return build_catalogue(EVENT_TYPES, texts, ABOUT, **(settings | changes))  # type: ignore[arg-type] # a test's shorthand


def test_the_catalogue_follows_the_vocabulary() -> None:
    catalogue = grow(attributes={"Größe": "number", "country": "category"})
    assert catalogue.vocabulary == Vocabulary(
        ("cart", "page"), ("seo",), ("may",), ("careers", "demo"), ("won",), ("call", "page")
    )
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
        "decayed_count__cart__half_84h",
        "decayed_count__cart__half_14d",
        "decayed_count__cart__half_56d",
    ]
    assert [name for name in catalogue.names if "seo" in name and "decayed" in name] == [
        "decayed_count__channel_seo__half_14d"
    ], "channels fade at one pace"
    assert [name for name in catalogue.names if "content" in name] == [
        f"{measure}__page__content_{content}{half}"
        for content in ("careers", "demo")
        for measure, half in (
            ("days_since_last", ""),
            ("decayed_count", "__half_14d"),
        )
    ], "of a cart too few leads are known that were about a demo, and a call is nothing that the lead did"
    assert not any("rare" in name or "won" in name or "call" in name or "tv" in name for name in catalogue.names)
    assert {"count__other__7d", "count__channel_other__7d", "active_days__all__1d"} <= set(catalogue.names)


def test_half_lives_are_a_quarter_one_and_four_in_whole_hours_and_within_what_a_feature_takes() -> None:
    assert paces(timedelta(days=14)) == (timedelta(hours=84), timedelta(days=14), timedelta(days=56))
    assert paces(timedelta(hours=1)) == (timedelta(hours=1), timedelta(hours=1), timedelta(hours=4))
    assert paces(timedelta(hours=7)) == (timedelta(hours=1), timedelta(hours=7), timedelta(hours=28))
    assert max(paces(LONGEST_HALF_LIFE)) == LONGEST_HALF_LIFE


def test_roles_are_found_by_what_a_column_measures() -> None:
    catalogue = grow(attributes={"size": "number", "Traffic source": "category", "country": "category"})
    roles = catalogue.roles
    assert set(roles["decayed"]) == {
        f"decayed_count__{what}__half_{pace}"
        for what in ("all", "cart", "page", "other")
        for pace in ("84h", "14d", "56d")
    } | {f"decayed_count__page__content_{content}__half_14d" for content in ("careers", "demo")}
    assert roles["recency"] == ["days_since_last__cart", "days_since_last__page", "days_since_last__other"]
    assert roles["counts"] == {"cart": "count__cart__7d", "page": "count__page__7d", "other": "count__other__7d"}
    assert roles["frequency"] == ["count__all__1d", "count__all__7d", "count__all"]
    assert roles["last"] == ["days_since_last__all"]
    assert roles["numbers"] == ["earlier_episodes", "lead__size"]
    assert roles["channels"] == ["lead__traffic_source"]
    assert set(roles["ages"]) < set(catalogue.columns)
    own = grow(declared=(Feature("decayed_count", Filter("page", hours=(9, 17)), half_life=timedelta(days=2)),))
    assert own.roles["decayed"] == roles["decayed"], "a part of a type's events is no whole"


def test_the_most_frequent_types_are_kept_and_the_rest_pooled() -> None:
    assert grow(maximum_types=1).vocabulary.event_types == ("page",)


def test_what_we_did_is_counted_only_when_asked_and_never_quoted() -> None:
    catalogue = grow(actors=("lead", "system", "us"))
    own = Feature("count", Filter("call", actors=("lead", "us")))
    alone = grow(declared=(own,))
    assert alone.vocabulary.acted_by_us == ("call", "page")
    assert quotes_us(own, alone.vocabulary)
    assert "count__call__any_actor__1d" in catalogue.names
    quoting = {
        name
        for name, feature in zip(catalogue.names, catalogue.features, strict=True)
        if quotes_us(feature, catalogue.vocabulary)
    }
    assert "count__call__any_actor__1d" in quoting
    assert "count__all__any_actor__1d" in quoting
    assert "count__cart__any_actor__1d" not in quoting


def test_declared_features_join_once() -> None:
    extra = Feature("count", Filter("page"), timedelta(days=3))
    catalogue = grow(declared=(extra, Feature("count", Filter("page"), DAY)))
    assert catalogue.features[-1] == extra
    assert len(set(catalogue.features)) == len(catalogue.features)
    assert grow(declared=(extra, extra)).columns == grow(declared=(extra,)).columns


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
        (Feature("mean_gap"), 2.5, "2.5 days between events on average so far"),
        (Feature("max_gap", Filter("form")), None, "no two 'form' yet"),
        (Feature("gap_deviation", window=7 * DAY), 0.5, "times between events in the last 7 days vary by 0.5 days"),
        (
            Feature("momentum", Filter("form"), 7 * DAY, baseline=28 * DAY),
            2.0,
            "'form' in the last 7 days at 2.0 times the pace of the last 28 days",
        ),
        (Feature("share", Filter("form"), 7 * DAY), 0.25, "'form' are 25% of all in the last 7 days"),
        (Feature("share", Filter("form", "seo"), of="channel"), 0.5, "'form' via seo are 50% of all 'form' so far"),
        (Feature("share", Filter(hours=(22, 6))), 0.5, "events between 22 and 6 o'clock are 50% of all so far"),
        (Feature("entropy", of="channel"), 1.0, "events so far mixed by channel (1.0 bits)"),
        (Feature("sessions", window=DAY), 1.0, "1 session in the last day (events)"),
        (Feature("session_minutes"), 12.4, "sessions of 12 minutes on average so far (events)"),
        (Feature("session_events"), 2.5, "2.5 events a session on average so far (events)"),
        (Feature("mean_value", Filter("cart")), 9.5, "'cart' worth 9.50 on average so far"),
        (Feature("max_value", Filter("cart")), None, "no value of 'cart' yet"),
        (Feature("days_to_first", Filter("form")), -1.5, "first 'form' 1.5 days before creation"),
        (Feature("first_touch", of="channel"), "seo", "channel of the first event so far: seo"),
        (
            Feature("last_touch", of="event_type", position=2),
            "form",
            "event type of the second-last event so far: form",
        ),
        (Feature("last_touch", of="campaign", window=DAY), None, "no campaign of the last event in the last day"),
        (
            Feature("came_after", Filter("unsubscribe"), than="form"),
            1.0,
            "last 'unsubscribe' came after the last 'form'",
        ),
        (Feature("came_after", Filter("unsubscribe"), than="form"), None, "no 'unsubscribe' and no 'form' yet"),
        (Feature("count", Filter("form"), scope="account"), 2.0, "2 'form' of others in the account so far"),
    ],
)
def test_a_value_reads_as_a_reason(feature: Feature, value: float | str | None, words: str) -> None:
    assert describe(feature, value) == words
