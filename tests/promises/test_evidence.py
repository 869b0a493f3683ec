"""The evidence of a value: what of a lead's log was counted, what was not, and why."""

from __future__ import annotations

import dataclasses
import doctest
from datetime import timedelta

import pytest
from declared import declarations
from engines import moment, parse_log
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from visits import VISITS, VOCABULARY, example_of, hours, interactions

from features.core.schema import ACTORS, MACHINE
from features.engines import evidence
from features.engines.evidence import find_evidence, find_evidence_in_account
from features.engines.reference import Interaction, compute, events_of_others
from features.language.feature import Feature
from features.language.filters import OTHER, Filter
from features.language.measures import MEASURES

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOON = moment("2026-03-10 12:00")  # a Tuesday
LOG = parse_log(
    """
    ann  2026-02-28 12:00  click  channel=email campaign=may value=3
    ann  2026-03-09 12:00  click  channel=email known_at=2026-03-12T00:00
    ann  2026-03-10 09:00  form   channel=seo   value=10
    ann  2026-03-10 09:30  call   actor=us
    ann  2026-03-10 10:00  won    actor=system
    ann  2026-03-10 11:00  rare   campaign=june value=nan
    ann  2026-03-10 12:00  click  known_at=2026-03-10T11:00
    bob  2026-03-08 10:00  form   channel=email
    cyd  2026-03-09 10:00  click
    cyd  2026-03-09 11:00  click  known_at=2026-03-15T08:30
    """
)
LATE, NOW = "not known until 2026-03-12 00:00", "not before as_of"
WON = "of type 'won', which no feature uses"


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        (Feature("count"), ["counted", LATE, "counted", "acted by us", WON, "counted", NOW]),
        (
            Feature("count", Filter("click"), 9 * DAY),
            ["more than 9 days before as_of", LATE, "of type 'form'", "of type 'call'", WON, "of type 'rare'", NOW],
        ),
        (
            Feature("count", Filter("form", hours=(9, 10)), DAY),
            ["more than one day before as_of", LATE, "counted", "of type 'call'", WON, "of type 'rare'", NOW],
        ),
        (
            Feature("count", Filter(channel="email", actors=ACTORS), HOUR),
            ["more than one hour before as_of", LATE, *["more than one hour before as_of"] * 3,
             "without a channel", NOW],
        ),
        (
            Feature("count", Filter(OTHER, actors=("lead", "us"))),
            ["of type 'click', which has features of its own", LATE, "of type 'form', which has features of its own",
             "counted", WON, "counted", NOW],
        ),
        (
            Feature("count", Filter(channel=OTHER, actors=("us",))),
            ["via email, which has features of its own", LATE, "acted by the lead", "without a channel", WON,
             "without a channel", NOW],
        ),
        (
            Feature("sum", Filter(campaign="may")),
            ["counted", LATE, "without a campaign", "without a campaign", WON, "of campaign june", NOW],
        ),
        (
            Feature("count", Filter(actors=ACTORS, hours=(9, 11), weekdays=("sat", "sun"))),
            ["at 12 o'clock, local time", LATE, *["on a Tuesday, local time"] * 2, WON, "at 11 o'clock, local time",
             NOW],
        ),
        (Feature("mean_value"), ["counted", LATE, "counted", "acted by us", WON, "without a value", NOW]),
        (
            Feature("last_touch", of="channel"),
            ["counted", LATE, "counted", "acted by us", WON, "without a channel", NOW],
        ),
        (
            Feature("entropy", of="event_type"),
            ["counted", LATE, "counted", "acted by us", WON, "counted", NOW],
        ),
        (
            Feature("share", Filter("click")),
            ["counted", LATE, "counted in the whole alone: of type 'form'", "acted by us", WON,
             "counted in the whole alone: of type 'rare'", NOW],
        ),
        (
            Feature("share", Filter("click", "email"), of="event_type"),
            ["counted", LATE, "via seo", "without a channel", WON, "without a channel", NOW],
        ),
        (
            Feature("momentum", window=DAY, baseline=14 * DAY),
            ["counted in the baseline alone: more than one day before as_of", LATE, "counted", "acted by us", WON,
             "counted", NOW],
        ),
        (
            Feature("momentum", window=HOUR, baseline=DAY),
            ["more than one day before as_of", LATE,
             "counted in the baseline alone: more than one hour before as_of", "acted by us", WON, "counted", NOW],
        ),
        (
            Feature("came_after", Filter("click", "email"), than="form"),
            ["counted", LATE, "via seo", "of type 'call'", WON, "of type 'rare'", NOW],
        ),
        (
            Feature("came_after", Filter("click"), than="form"),
            ["counted", LATE, "counted as the rival: of type 'form'", "of type 'call'", WON, "of type 'rare'", NOW],
        ),
        (
            Feature("came_after", Filter("rare"), than=OTHER),
            ["of type 'click', which has features of its own", LATE, "of type 'form', which has features of its own",
             "acted by us", WON, "counted on both sides", NOW],
        ),
    ],
    ids=lambda value: value.slug if isinstance(value, Feature) else "",
)  # fmt: skip
def test_each_event_is_counted_or_has_the_first_reason_why_not(feature: Feature, expected: list[str]) -> None:
    found = find_evidence(LOG["ann"], NOON, feature, VOCABULARY)
    assert [one.verdict for one in found] == expected
    assert [one.is_counted for one in found] == [verdict.startswith("counted") for verdict in expected]
    assert [one.event for one in found] == LOG["ann"]


def test_what_a_machine_did_is_said_to_be_a_machines_whoever_counts() -> None:
    scanned = [dataclasses.replace(event, actor=MACHINE) for event in LOG["ann"]]
    for filter_ in (Filter(), Filter("click"), Filter(channel="email", actors=ACTORS), Filter(OTHER)):
        found = find_evidence(scanned, NOON, Feature("count", filter_), VOCABULARY)
        machine = "acted by a machine"
        assert [one.verdict for one in found] == [machine, LATE, machine, machine, machine, machine, NOW]
        assert not any(one.is_counted for one in found)


def test_of_an_account_the_leads_own_events_and_those_of_leads_not_yet_known_do_not_count() -> None:
    known_since = {"ann": 0, "bob": moment("2026-03-11 06:15"), "cyd": moment("2026-03-09 10:30")}
    feature = Feature("count", scope="account")
    found = find_evidence_in_account(LOG, "ann", known_since, NOON, feature, VOCABULARY)
    others = [one for one in found if one.lead != "ann"]
    assert [(one.lead, one.verdict) for one in others] == [
        ("bob", "the lead was not known until 2026-03-11 06:15"),
        ("cyd", "counted"),
        ("cyd", "not known until 2026-03-15 08:30"),
    ]
    assert [one.event for one in others] == events_of_others(LOG, "ann", known_since)
    assert {one.verdict for one in found if one.lead == "ann"} == {"the lead's own"}
    assert [one.event.occurred_at for one in found] == sorted(one.event.occurred_at for one in found)


def test_a_condition_of_a_filter_has_its_words() -> None:
    assert set(evidence._WORDS) == {field.name for field in dataclasses.fields(Filter)}  # noqa: SLF001 - a meta-test


logs = st.lists(interactions(), max_size=12).map(lambda log: sorted(log, key=lambda event: event.occurred_at))
moments = st.tuples(hours, st.integers(-1, 1)).map(lambda pair: pair[0] * 3_600_000_000 + pair[1])


@given(logs, moments, declarations())
@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
def test_the_counted_events_alone_give_the_same_value(log: list[Interaction], as_of: int, feature: Feature) -> None:
    found = find_evidence(log, as_of, feature, VOCABULARY)
    assert [one.event for one in found] == log
    counted = [one.event for one in found if one.is_counted]
    expected = compute(log, as_of, feature, VOCABULARY, 5)
    assert _same(compute(counted, as_of, feature, VOCABULARY, 5), expected)
    assert all(one.verdict.startswith("counted") == one.is_counted and one.verdict for one in found)
    # An event that was not counted changes nothing by being there; neither does a second one like it.
    uncounted = [one.event for one in found if not one.is_counted]
    again = sorted([*log, *uncounted], key=lambda event: event.occurred_at)
    assert _same(compute(again, as_of, feature, VOCABULARY, 5), expected)


@pytest.mark.parametrize("measure", MEASURES)
def test_what_is_said_to_count_does(measure: str) -> None:
    feature = example_of(measure)
    as_of = moment("2026-03-02 10:00") if "baseline" in MEASURES[measure].needs else moment("2026-03-10 12:00")
    found = find_evidence(VISITS["eve"], as_of, feature, VOCABULARY)
    value = compute(VISITS["eve"], as_of, feature, VOCABULARY)
    without = compute([one.event for one in found if not one.is_counted], as_of, feature, VOCABULARY)
    assert not _same(value, without)


def _same(one: float | str, other: float | str) -> bool:
    return one == other or (one != one and other != other)  # noqa: PLR0124 - only what is missing differs from itself


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(evidence).failed == 0
