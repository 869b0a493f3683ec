"""A look at a lead may be cut: what was known until another moment, and what had occurred by then."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from declared import declarations
from engines import (
    Engine,
    Value,
    events_table,
    interpret,
    moment,
    on_kernel,
    on_reference,
    parse_log,
    snapshots_table,
)  # fmt: skip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from visits import LEADS, VOCABULARY, hours, logs

from features.engines.compiled import compute_event_features
from features.engines.plan import Plan
from features.engines.reference import Interaction
from features.language.feature import Feature
from features.language.filters import Filter
from features.timeline.history import CONVERSION, LOSS, REOPEN, History
from features.timeline.snapshots import take_snapshots_at

DAY = timedelta(days=1)
LOG = parse_log(
    """
    ann  2026-03-02 12:00  click  channel=email
    ann  2026-03-03 12:00  form   known_at=2026-03-09T12:00
    ann  2026-03-08 12:00  click  channel=seo
    ann  2026-03-11 12:00  form   known_at=2026-03-01T12:00
    bob  2026-03-03 12:00  form   known_at=2026-03-09T12:00
    """
)
THEN, NOW = moment("2026-03-05 12:00"), moment("2026-03-10 12:00")


@pytest.mark.parametrize(
    ("feature", "look", "expected"),
    [
        # Of the four events of ann, one was known then, two by now; the last has not occurred, though it was announced.
        (Feature("count"), (THEN, THEN, THEN), 1),
        (Feature("count"), (THEN, NOW, THEN), 2),
        (Feature("count"), (NOW, NOW, THEN), 2),
        (Feature("count"), (NOW, THEN, NOW), 1),
        (Feature("count"), (NOW, NOW, NOW), 3),
        (Feature("count"), (THEN, NOW, NOW), 2),  # what occurred after as_of never counts
        # Ages and windows are those at as_of: eight days since the click that was known then, seven since the form.
        (Feature("days_since_last", Filter("click")), (NOW, THEN, THEN), 8),
        (Feature("days_since_last"), (NOW, NOW, THEN), 7),
        (Feature("count", window=7 * DAY), (NOW, NOW, THEN), 1),
        (Feature("count", window=3 * DAY), (NOW, NOW, THEN), 0),
        (Feature("last_touch", of="event_type"), (NOW, THEN, THEN), "click"),
        (Feature("last_touch", of="event_type"), (NOW, NOW, THEN), "form"),
        (Feature("share", Filter("form")), (NOW, NOW, THEN), 1 / 2),
        (Feature("came_after", Filter("form"), than="click"), (NOW, NOW, THEN), 1),
        (Feature("came_after", Filter("form"), than="click"), (NOW, NOW, NOW), 0),
        (Feature("count", scope="account"), (NOW, THEN, NOW), 0),
        (Feature("count", scope="account"), (THEN, NOW, THEN), 1),
    ],
)
def test_a_cut_look_has_its_hand_computed_value(
    engine: Engine, feature: Feature, look: tuple[int, int, int], expected: Value
) -> None:
    assert engine(LOG, [("ann", *look)], [feature], VOCABULARY) == [[pytest.approx(expected)]]


def test_the_only_event_of_all_does_not_count_before_it_was_known(engine: Engine) -> None:
    told_late = {"bob": LOG["bob"]}
    assert engine(told_late, [("bob", THEN, THEN, THEN)], [Feature("count")], VOCABULARY) == [[0]]
    assert engine(told_late, [("bob", NOW, NOW, NOW)], [Feature("count")], VOCABULARY) == [[1]]


def test_events_that_are_known_as_they_occur_are_not_known_before() -> None:
    # All four events of ann, known as they occur: two before THEN, a third before NOW.
    events = events_table({"ann": LOG["ann"]}).drop_columns("known_at")
    looks = snapshots_table([("ann", NOW, THEN, NOW), ("ann", NOW, NOW, NOW)])
    plan = Plan((Feature("count"), Feature("days_since_last")), VOCABULARY)
    assert compute_event_features(events, looks, plan).tolist() == [[2, 3], [7, 2]]


moments = hours.map(lambda hour: hour * 3_600_000_000)
looks = st.lists(
    st.tuples(st.sampled_from(LEADS), moments, moments, moments | st.integers(-3, 3)), min_size=1, max_size=8
).map(sorted)
slowly = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@given(logs, looks, st.lists(declarations(), min_size=1, max_size=8))
@slowly
def test_the_kernel_equals_the_reference_on_drawn_looks(
    log: dict[str, list[Interaction]], at: list[tuple[str, int, int, int]], declared: list[Feature]
) -> None:
    expected = on_reference(log, at, declared, VOCABULARY)
    assert _same(on_kernel(log, at, declared, VOCABULARY), expected)
    with pytest.MonkeyPatch.context() as patch:
        interpret(patch)
        assert _same(on_kernel(log, at, declared, VOCABULARY), expected)


@given(logs, looks, st.lists(declarations(), min_size=1, max_size=4))
@slowly
def test_a_look_that_is_cut_at_as_of_is_the_look_itself(
    log: dict[str, list[Interaction]], at: list[tuple[str, int, int, int]], declared: list[Feature]
) -> None:
    whole = [(lead, as_of) for lead, as_of, *_ in at]
    cut = [(lead, as_of, as_of, as_of) for lead, as_of in whole]
    for compute in (on_reference, on_kernel):
        assert _same(compute(log, cut, declared, VOCABULARY), compute(log, whole, declared, VOCABULARY))


@given(logs, looks, st.lists(declarations().map(lambda one: replace(one, scope="lead")), min_size=1, max_size=4))
@slowly
def test_a_cut_look_sees_what_a_log_without_the_rest_would_show(
    log: dict[str, list[Interaction]], at: list[tuple[str, int, int, int]], declared: list[Feature]
) -> None:
    for lead, as_of, known_until, occurred_until in at:
        seen = [
            replace(event, known_at=as_of - 1)
            for event in log.get(lead, ())
            if event.known_at < known_until and event.occurred_at < min(as_of, occurred_until)
        ]
        expected = on_reference({lead: seen}, [(lead, as_of)], declared, VOCABULARY)
        assert _same(on_kernel(log, [(lead, as_of, known_until, occurred_until)], declared, VOCABULARY), expected)


def _same(left: list[list[Value]], right: list[list[Value]]) -> bool:
    return all(
        a == b or (a != a and b != b)  # noqa: PLR0124 - only what is missing differs from itself
        for rows in zip(left, right, strict=True)
        for a, b in zip(*rows, strict=True)
    )


def test_an_episode_is_cut_as_its_events_are() -> None:
    leads = pd.DataFrame({"lead_id": ["A", "B", "C"], "created_at": [datetime(2026, 3, 1)] * 3})
    leads["known_at"] = [datetime(2026, 3, 1), datetime(2026, 3, 1), datetime(2026, 3, 8)]
    events = pd.DataFrame(
        [
            # A was lost and came back before we knew; B was won since, and that was announced before.
            ("A", datetime(2026, 3, 2), datetime(2026, 3, 7), LOSS),
            ("A", datetime(2026, 3, 4), datetime(2026, 3, 7), REOPEN | LOSS),
            ("B", datetime(2026, 3, 9), datetime(2026, 3, 8), CONVERSION),
        ],
        columns=["lead_id", "occurred_at", "known_at", "code"],
    )
    history = History.of(leads, events, DAY)
    then, now = datetime(2026, 3, 5), datetime(2026, 3, 10)

    def opened(*moments: datetime) -> dict[str, int]:
        taken = take_snapshots_at(history, *moments)
        return dict(zip(taken["lead_id"], taken["episode"], strict=True))

    assert opened(then) == opened(then, then) == {"A": 1, "B": 1}
    assert opened(then, now) == {"A": 2, "B": 1, "C": 1}  # what occurred after the moment is no end of then
    assert opened(now, then) == {"A": 1, "B": 1}
    assert opened(now) == {"A": 2, "C": 1}


def test_a_creation_is_cut_as_what_was_known_of_it() -> None:
    leads = pd.DataFrame({"lead_id": ["A"], "created_at": [datetime(2026, 3, 1)], "known_at": [datetime(2026, 3, 2)]})
    former = pd.DataFrame({"lead_id": ["A"], "created_at": [datetime(2026, 3, 2)], "until": [datetime(2026, 3, 7)]})
    nothing = pd.DataFrame({"lead_id": [], "occurred_at": [], "known_at": [], "code": []})
    nothing = nothing.astype({"lead_id": "str", "occurred_at": "M8[us]", "known_at": "M8[us]", "code": np.int64})
    history = History.of(leads, nothing, DAY, former)
    created = [
        take_snapshots_at(history, datetime(2026, 3, 5), until)["created_at"].item()
        for until in (datetime(2026, 3, 5), datetime(2026, 3, 8))
    ]
    assert created == [pd.Timestamp(2026, 3, 2), pd.Timestamp(2026, 3, 1)]
