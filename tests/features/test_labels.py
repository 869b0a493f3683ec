"""What the log names is told in the words that people have for it; what nobody has named is at least readable."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.language.feature import Feature
from features.language.filters import OTHER, Filter
from features.language.labels import Labels, Part
from features.language.words import describe

WEEK = timedelta(days=7)
ENGLISH: dict[Part, dict[str, tuple[str, ...]]] = {
    "event_types": {
        "pricing_view": ("look(s) at prices", "looked at the prices"),
        "enquiry": ("enquir(y|ies) (by phone)", "enquired"),
    },
    "channels": {"sea": ("SEA",), "seo": ("SEO",)},
}
FRENCH: dict[Part, dict[str, tuple[str, ...]]] = {
    "event_types": {"pricing_view": ("consultation(s) des tarifs", "a consulté les tarifs")},
    "channels": {"seo": ("SEO (référencement naturel)",)},
}
IN_ENGLISH, IN_FRENCH = Labels(ENGLISH, FRENCH), Labels(FRENCH, ENGLISH)


@pytest.mark.parametrize(
    ("labels", "part", "name", "noun", "nouns"),
    [
        (IN_ENGLISH, "event_types", "pricing_view", "look at prices", "looks at prices"),
        (IN_FRENCH, "event_types", "pricing_view", "consultation des tarifs", "consultations des tarifs"),
        (IN_ENGLISH, "event_types", "enquiry", "enquiry (by phone)", "enquiries (by phone)"),
        (IN_FRENCH, "event_types", "enquiry", "enquiry (by phone)", "enquiries (by phone)"),
        (IN_FRENCH, "event_types", "form__sent_", "form sent", "form sent"),
        (IN_ENGLISH, "channels", "pricing_view", "pricing view", "pricing view"),
        (IN_FRENCH, "channels", "seo", "SEO (référencement naturel)", "SEO (référencement naturel)"),
        (IN_ENGLISH, "attributes", "_", "_", "_"),
    ],
)
def test_a_name_is_called_by_the_language_s_noun_or_the_other_s_or_made_readable(
    labels: Labels, part: Part, name: str, noun: str, nouns: str
) -> None:
    assert (labels.noun(part, name), labels.noun(part, name, plural=True)) == (noun, nouns)


def test_what_was_done_is_told_in_the_language_or_in_the_other_or_by_the_name() -> None:
    told = [IN_FRENCH.verb(name) for name in ("pricing_view", "enquiry", "form_sent")]
    assert told == ["a consulté les tarifs", "enquired", "form sent"]


def test_what_lacks_a_word_is_listed_though_the_other_language_has_one() -> None:
    names = ["form_sent", "enquiry", "pricing_view"]
    assert IN_FRENCH.lacking("event_types", names) == ["form_sent", "enquiry"]
    assert IN_ENGLISH.lacking("event_types", names) == ["form_sent"]
    assert IN_ENGLISH.lacking("milestones", ["opportunity"]) == ["opportunity"]


@given(st.text(alphabet="ab_ ()|é\n", min_size=1, max_size=12))
def test_any_name_without_a_word_is_told_without_underscores_and_never_as_nothing(name: str) -> None:
    shown = Labels({}, {}).noun("event_types", name)
    assert shown
    assert "_" not in shown or not name.replace("_", " ").split()


@pytest.mark.parametrize(
    ("feature", "value", "in_english", "in_french"),
    [
        (
            Feature("count", Filter("pricing_view"), WEEK),
            1.0,
            "1 look at prices in the last 7 days",
            "1 consultation des tarifs in the last 7 days",
        ),
        (
            Feature("count", Filter("pricing_view", "sea"), WEEK),
            3.0,
            "3 looks at prices via SEA in the last 7 days",
            "3 consultations des tarifs via SEA in the last 7 days",
        ),
        (Feature("days_since_last", Filter("form_sent")), 2.0, *["last 'form sent' 2.0 days ago"] * 2),
        (
            Feature("days_since_last", Filter("pricing_view")),
            None,
            "no look at prices yet",
            "no consultation des tarifs yet",
        ),
        (
            Feature("came_after", Filter("enquiry"), than="pricing_view"),
            1.0,
            "last enquiry (by phone) came after the last look at prices",
            "last enquiry (by phone) came after the last consultation des tarifs",
        ),
        (
            Feature("first_touch", of="channel"),
            "seo",
            "channel of the first event so far: SEO",
            "channel of the first event so far: SEO (référencement naturel)",
        ),
        (
            Feature("last_touch", of="event_type"),
            "pricing_view",
            "event type of the last event so far: look at prices",
            "event type of the last event so far: consultation des tarifs",
        ),
        (Feature("last_touch", of="campaign"), "spring_26", *["campaign of the last event so far: spring_26"] * 2),
        (
            Feature("share", Filter("pricing_view", "seo"), of="channel"),
            0.5,
            "looks at prices via SEO are 50% of all looks at prices so far",
            "consultations des tarifs via SEO (référencement naturel) are 50% of all consultations des tarifs so far",
        ),
        (Feature("count", Filter(OTHER, OTHER)), 2.0, *["2 other events via other channels so far"] * 2),
    ],
)
def test_a_reason_calls_things_as_people_do(
    feature: Feature, value: float | str | None, in_english: str, in_french: str
) -> None:
    assert describe(feature, value, IN_ENGLISH) == in_english
    assert describe(feature, value, IN_FRENCH) == in_french
