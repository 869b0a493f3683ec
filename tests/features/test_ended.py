"""Leads whose last episode has ended of late, as it was known: tables small enough to check by eye."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timelines import DRAWN_LEADS, START, draw_events, events, leads, table

import features.timeline.snapshots as module
from features.timeline.history import History
from features.timeline.snapshots import find_ended_at, take_snapshots_at

DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
MARCH = datetime(2026, 3, 10)


def test_a_conversion_and_a_loss_of_the_last_thirty_days_are_found_and_no_open_lead() -> None:
    history = History.of(
        leads("A 2026-01-01\nB 2026-01-01\nC 2026-01-01\nD 2026-01-01\nE 2026-01-01\nF 2026-02-20"),
        events(
            """
            A | 2026-03-05 | won
            B | 2026-02-20 09:30 | lost
            C | 2026-01-20 | lost
            E | 2026-01-10 | lost
            E | 2026-02-15 | form
            E | 2026-03-01 | lost
            F | 2026-02-22 | lost
            F | 2026-03-02 | won
            """
        ),
        30 * DAY,
    )
    found = find_ended_at(history, MARCH, 30 * DAY)
    assert table(found, "lead_id", "episode", "started_at", "outcome", "outcome_at") == (
        # C was lost 49 days before, and D is open
        "A | 1 | 01-01 00:00 | converted | 03-05 00:00\n"
        "B | 1 | 01-01 00:00 | lost | 02-20 09:30\n"
        "E | 2 | 02-15 00:00 | lost | 03-01 00:00\n"
        # a conversion after a loss overrules it
        "F | 1 | 02-20 00:00 | converted | 03-02 00:00"
    )
    assert set(found["as_of"]) == {pd.Timestamp(MARCH)}
    assert take_snapshots_at(history, MARCH)["lead_id"].tolist() == ["D"]


def test_an_end_counts_from_when_it_is_known_for_as_long_as_it_is_kept() -> None:
    history = History.of(leads("A 2026-01-01"), events("A | 2026-03-01 | lost | 2026-03-04"), 30 * DAY)

    def is_found(moment: datetime) -> bool:
        return len(find_ended_at(history, moment, 10 * DAY)) == 1

    assert not is_found(datetime(2026, 3, 4))
    assert is_found(datetime(2026, 3, 4) + MICROSECOND)
    assert is_found(datetime(2026, 3, 11))
    assert not is_found(datetime(2026, 3, 11) + MICROSECOND)


def test_a_lead_that_came_back_is_found_only_while_nobody_knows_of_it() -> None:
    lost_and_back = "A | 2026-02-20 | lost\nA | 2026-03-05 | form | 2026-03-08"
    history = History.of(leads("A 2026-01-01"), events(lost_and_back), 10 * DAY)
    assert table(find_ended_at(history, datetime(2026, 3, 7), 30 * DAY), "episode", "outcome_at") == "1 | 02-20 00:00"
    assert find_ended_at(history, datetime(2026, 3, 9), 30 * DAY).empty


def test_a_conversion_that_becomes_known_later_does_not_overrule_a_loss_before() -> None:
    history = History.of(
        leads("A 2026-01-01"), events("A | 2026-03-01 | lost\nA | 2026-03-03 | won | 2026-03-20"), 30 * DAY
    )
    looks = pd.concat([find_ended_at(history, datetime(2026, 3, day), 60 * DAY) for day in (10, 21)])
    assert table(looks, "outcome", "outcome_at") == "lost | 03-01 00:00\nconverted | 03-03 00:00"


def test_an_end_that_was_entered_ahead_of_its_time_counts() -> None:
    history = History.of(leads("A 2026-01-01"), events("A | 2026-03-15 | won | 2026-03-05"), 30 * DAY)
    assert table(find_ended_at(history, MARCH, 7 * DAY), "outcome", "outcome_at") == "converted | 03-15 00:00"


def test_a_lead_that_nobody_had_heard_of_is_not_found() -> None:
    late = leads("A 2026-01-01\nB 2026-03-09").assign(known_at=pd.to_datetime(["2026-03-10", "2026-03-09"]))
    history = History.of(late, events("A | 2026-03-01 | won\nB | 2026-03-01 | won"), 30 * DAY)
    # B had bought before it came to be: a customer all the same.
    assert find_ended_at(history, MARCH, 30 * DAY)["lead_id"].tolist() == ["B"]


@pytest.mark.parametrize("kinds", [("won", "lost", "form"), ("won", "lost", "renewal")])
@given(st.data())
@settings(max_examples=150)
def test_what_is_found_follows_from_what_was_known_and_is_never_open(
    kinds: tuple[str, ...], data: st.DataObject
) -> None:
    drawn = data.draw(draw_events(*kinds))
    as_of = START + data.draw(st.integers(1, 35)) * DAY + timedelta(hours=1)
    keep = data.draw(st.integers(0, 20)) * DAY
    known = drawn[drawn["known_at"] < as_of]
    now, then = (History.of(DRAWN_LEADS, rows, 3 * DAY) for rows in (drawn, known))
    found = find_ended_at(now, as_of, keep)
    assert found.equals(find_ended_at(then, as_of, keep))
    assert not set(found["lead_id"]) & set(take_snapshots_at(now, as_of)["lead_id"])
    assert set(found["outcome"]) <= {"converted", "lost"}
    assert (found["outcome_at"] >= as_of - keep).all()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_step", "_look"):
            patch.setattr(module, name, getattr(module, name).py_func)
        assert found.equals(find_ended_at(now, as_of, keep))
