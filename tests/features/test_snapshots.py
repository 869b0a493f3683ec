"""Episodes, moments and labels: tables small enough to check by eye."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timelines import DRAWN_LEADS, NO_EVENTS, START, draw_events, events, leads, table

import features.timeline.snapshots as module
from features.core.errors import NotEnoughDataError
from features.timeline.history import History
from features.timeline.labels import LabelCounts, assign_labels, refuse_unlabelled
from features.timeline.policies import AgePolicy, CalendarPolicy, EventPolicy, Policy
from features.timeline.snapshots import find_episodes, take_snapshots, take_snapshots_at
from features.timeline.unknown_ends import share_ended
from models.learning.origins import choose_origins

DAY = timedelta(days=1)
END = datetime(2026, 6, 30, 12)


def test_the_worked_example_of_the_docstring() -> None:
    history = History.of(
        leads("A 2026-03-02 09:00"),
        events("A | 2026-03-20 | lost\nA | 2026-05-25 10:00 | form\nA | 2026-06-10 | won"),
        30 * DAY,
    )
    assert table(find_episodes(history), "episode", "started_at", "outcome", "outcome_at") == (
        "1 | 03-02 09:00 | lost | 03-20 00:00\n2 | 05-25 10:00 | converted | 06-10 00:00"
    )
    snapshots = take_snapshots(history, NO_EVENTS, [AgePolicy((7 * DAY,)), CalendarPolicy("monthly")], END, None)
    labelled = assign_labels(snapshots, 30 * DAY, timedelta(0), END)
    assert table(labelled, "as_of", "trigger", "episode", "outcome", "label", "unlabelled") == (
        "03-09 09:00 | 7d | 1 | lost | False | -\n"
        "06-01 00:00 | monthly | 2 | converted | - | immature\n"
        "06-01 10:00 | 7d | 2 | converted | - | immature"
    )
    assert set(labelled["observed_until"]) == {pd.Timestamp(END)}


def test_episodes_end_with_an_outcome_and_reopen_only_after_a_loss_and_the_pause() -> None:
    history = History.of(
        leads("A 2026-01-01\nB 2026-01-01\nC 2026-01-01\nD 2026-01-01\nE 2026-02-01\nF 2026-02-01"),
        events(
            """
            A | 2026-01-05 | form
            A | 2026-01-10 | lost
            A | 2026-01-20 | form
            A | 2026-02-09 | form | 2026-02-20
            A | 2026-03-01 | lost | 2026-03-05
            A | 2026-03-02 | won
            B | 2026-01-10 | won
            B | 2026-06-01 | form
            D | 2026-01-10 | lost
            D | 2026-01-11 | won
            D | 2026-02-10 | form
            E | 2026-01-15 | won
            F | 2026-01-15 | lost
            X | 2026-01-15 | won
            """
        ),
        30 * DAY,
    )
    assert table(find_episodes(history), "lead_id", "episode", "started_at", "outcome", "outcome_at") == (
        "A | 1 | 01-01 00:00 | lost | 01-10 00:00\n"
        # a conversion after a loss overrules it
        "A | 2 | 02-09 00:00 | converted | 03-02 00:00\n"
        "B | 1 | 01-01 00:00 | converted | 01-10 00:00\n"
        "C | 1 | 01-01 00:00 | - | -\n"
        "D | 1 | 01-01 00:00 | converted | 01-11 00:00\n"
        # converted before its creation: a customer already, and never open; a loss before it ends nothing
        "E | 1 | 02-01 00:00 | converted | 01-15 00:00\n"
        "F | 1 | 02-01 00:00 | - | -"
    )
    assert take_snapshots_at(history, datetime(2026, 2, 2))["lead_id"].tolist() == ["C", "F"]
    some = take_snapshots_at(history, datetime(2026, 2, 2), among=np.array([5, 0]))
    assert some["lead_id"].tolist() == ["F"]


def test_what_was_not_known_yet_neither_ends_nor_opens_an_episode() -> None:
    """A loss of January is learned in March; the form of February that came after it reopens only then."""
    history = History.of(
        leads("A 2026-01-01"), events("A | 2026-01-10 | lost | 2026-03-15\nA | 2026-02-20 | form"), 30 * DAY
    )
    looks = pd.concat([take_snapshots_at(history, datetime(2026, *day)) for day in ((1, 5), (2, 25), (3, 16))])
    assert table(looks, "as_of", "episode", "started_at", "outcome", "outcome_at") == (
        "01-05 00:00 | 1 | 01-01 00:00 | lost | 01-10 00:00\n"
        "02-25 00:00 | 1 | 01-01 00:00 | lost | 01-10 00:00\n"
        "03-16 00:00 | 2 | 02-20 00:00 | - | -"
    )
    labelled = assign_labels(looks, 30 * DAY, timedelta(0), datetime(2026, 6, 1))
    assert table(labelled, "label", "unlabelled") == "False | -\nFalse | -\nFalse | -"


def test_an_episode_whose_first_act_is_learned_late_is_labelled_by_its_own_end() -> None:
    """On 03-01 A seems open since the form of 02-20; in truth it is since that of 02-15, and it converts in March.

    B seems so, too; in truth the episode of 02-15 was lost on 02-18, and the form of 02-20 came too soon after that.
    """
    history = History.of(
        leads("A 2026-01-01\nB 2026-01-01"),
        events(
            """
            A | 2026-01-10 | lost
            A | 2026-02-15 | form | 2026-04-01
            A | 2026-02-20 | form
            A | 2026-03-10 | won
            B | 2026-01-10 | lost
            B | 2026-02-15 | form | 2026-04-01
            B | 2026-02-18 | lost
            B | 2026-02-20 | form
            """
        ),
        30 * DAY,
    )
    looks = take_snapshots_at(history, datetime(2026, 3, 1))
    labelled = assign_labels(looks, 30 * DAY, timedelta(0), datetime(2026, 6, 1))
    assert table(labelled, "lead_id", "started_at", "outcome", "outcome_at", "label") == (
        "A | 02-20 00:00 | converted | 03-10 00:00 | True\nB | 02-20 00:00 | lost | 02-18 00:00 | False"
    )


def test_a_lead_that_was_heard_of_late_is_not_open_before() -> None:
    late = leads("A 2026-01-01").assign(known_at=pd.Timestamp("2026-01-20"))
    history = History.of(late, events("A | 2026-02-01 | won"), 30 * DAY)
    policy = [CalendarPolicy("daily")]
    assert take_snapshots(history, NO_EVENTS, policy, END, None)["as_of"].min() == pd.Timestamp("2026-01-21")


def test_a_lead_is_open_from_after_its_start_until_its_end_is_known() -> None:
    history = History.of(leads("A 2026-03-01"), events("A | 2026-03-10 | won | 2026-03-12"), 30 * DAY)

    def is_open(moment: datetime) -> bool:
        return len(take_snapshots_at(history, moment)) == 1

    microsecond = timedelta(microseconds=1)
    assert not is_open(datetime(2026, 3, 1))
    assert is_open(datetime(2026, 3, 1) + microsecond)
    assert is_open(datetime(2026, 3, 12))
    assert not is_open(datetime(2026, 3, 12) + microsecond)


def test_policies_mix_and_a_moment_asked_for_twice_counts_once() -> None:
    history = History.of(leads("A 2026-03-02 00:00\nB 2026-03-04 10:00"), events("B | 2026-03-10 | lost"), 30 * DAY)
    triggers = pd.DataFrame(
        {
            "lead_id": ["A", "A", "B", "B", "X"],
            "known_at": pd.to_datetime(
                ["2026-03-03 10:00", "2026-03-03 10:00", "2026-03-05 00:00", "2026-03-11 00:00", "2026-03-05 00:00"]
            ),
            "event_type": ["quote", "quote", "other", "quote", "quote"],
        }
    )
    policies: list[Policy] = [CalendarPolicy("monday"), AgePolicy((7 * DAY, timedelta(hours=1))), EventPolicy("quote")]
    snapshots = take_snapshots(history, triggers, policies, datetime(2026, 3, 16), None)
    assert table(snapshots, "lead_id", "as_of", "trigger") == (
        "A | 03-02 01:00 | 1h\n"
        "A | 03-03 10:00 | quote\n"
        "A | 03-09 00:00 | monday\n"
        "A | 03-16 00:00 | monday\n"
        "B | 03-04 11:00 | 1h\n"
        "B | 03-09 00:00 | monday"
    )
    assert snapshots["as_of"].iloc[1] == pd.Timestamp("2026-03-03 10:00:00.000001")
    later = take_snapshots(history, triggers, policies, datetime(2026, 3, 16), datetime(2026, 3, 9))
    assert later["as_of"].min() == pd.Timestamp("2026-03-09")


@pytest.mark.parametrize(
    ("outcome", "outcome_at", "label", "unlabelled"),
    [
        ("converted", "2026-03-01", True, None),
        ("converted", "2026-03-30 23:59:59.999999", True, None),
        ("converted", "2026-03-31", False, None),
        ("lost", "2026-03-05", False, None),
        (None, None, False, None),
        ("converted", "2026-02-28 23:59:59.999999", False, None),  # over, unknown to us: it is scored, too
        ("lost", "2026-02-01", False, None),
    ],
)
def test_the_label_looks_into_as_of_to_horizon(
    outcome: str | None, outcome_at: str | None, label: bool | None, unlabelled: str | None
) -> None:
    snapshot = pd.DataFrame(
        {
            "as_of": pd.to_datetime(["2026-03-01"]),
            "outcome": pd.array([outcome], dtype="str"),
            "outcome_at": pd.to_datetime([outcome_at]).astype("datetime64[us]"),
        }
    )
    row = assign_labels(snapshot, 30 * DAY, timedelta(0), datetime(2026, 3, 31)).iloc[0]
    assert (None if pd.isna(row["label"]) else row["label"]) == label
    assert (None if pd.isna(row["unlabelled"]) else row["unlabelled"]) == unlabelled
    # one microsecond less of observation, or a delay of the outcomes, and there is no label at all
    for until, delay in ((datetime(2026, 3, 30, 23, 59, 59, 999999), timedelta(0)), (datetime(2026, 3, 31), DAY)):
        assert pd.isna(assign_labels(snapshot, 30 * DAY, delay, until)["label"].iloc[0])


drawn_outcomes = st.lists(
    st.tuples(st.integers(0, 150 * 24), st.sampled_from([None, "converted", "lost"]), st.integers(-100, 60 * 24)),
    max_size=60,
)


def with_outcomes(drawn: list[tuple[int, str | None, int]]) -> pd.DataFrame:
    """Give looks, by the hour, at leads that end some hours after them, or had ended before."""
    hour = timedelta(hours=1)
    ends = [START + (look + after) * hour if outcome else None for look, outcome, after in drawn]
    return pd.DataFrame(
        {
            "as_of": pd.Series([START + look * hour for look, _, _ in drawn], dtype="datetime64[us]"),
            "outcome": pd.array([outcome for _, outcome, _ in drawn], dtype="str"),
            "outcome_at": pd.Series(ends, dtype="datetime64[us]"),
        }
    )


@given(drawn_outcomes, st.integers(1, 40 * 24), st.integers(0, 9 * 24))
def test_what_is_settled_at_an_origin_had_its_label_by_then(
    drawn: list[tuple[int, str | None, int]], hours: int, late: int
) -> None:
    """As it was known then: without the ends that came to light after it, and where outcomes were observed until it."""
    horizon, delay = timedelta(hours=hours), timedelta(hours=late)
    snapshots = with_outcomes(drawn)
    known = assign_labels(snapshots, horizon, delay, END).dropna(subset="label")
    as_of, labels = known["as_of"].to_numpy(), known["label"].to_numpy(dtype=float)
    leads = np.arange(len(labels))
    for origin in choose_origins(as_of, labels, leads, horizon + delay, count=9, minimum=1):
        was_known = snapshots["outcome_at"] + delay <= origin.moment
        then = snapshots.assign(
            outcome=snapshots["outcome"].where(was_known), outcome_at=snapshots["outcome_at"].where(was_known)
        )
        labelled = assign_labels(then, horizon, delay, origin.moment.to_pydatetime()).dropna(subset="label")
        assert labelled["label"].equals(known.loc[origin.settled(as_of, horizon + delay), "label"])


def test_without_a_single_label_it_is_said_why_and_what_to_do() -> None:
    looks = pd.DataFrame({"as_of": [START, START + 9 * DAY, START + 10 * DAY]}).astype("datetime64[us]")
    looks = looks.assign(lead_id="A", started_at=START, outcome=pd.array([None] * 3, dtype="str"), outcome_at=pd.NaT)
    looks = looks.astype(dict.fromkeys(("started_at", "outcome_at"), "datetime64[us]"))

    def refuse(labelled: pd.DataFrame) -> None:
        refuse_unlabelled(LabelCounts.of(labelled), 30 * DAY, delay, until)

    until, since = START + 39 * DAY, START + 10 * DAY
    for delay in (timedelta(0), timedelta(hours=1)):  # with a day more of observation the last look has a label
        refuse(assign_labels(looks, 30 * DAY, delay, until + DAY + delay, since))
        unlabelled = assign_labels(looks, 30 * DAY, delay, until, since)
        with pytest.raises(NotEnoughDataError) as told:
            refuse(unlabelled)
        assert str(told.value).startswith(
            "snapshots: none of 3 snapshots has a label: of 1 the horizon of 30d is not over by 2026-02-09, until when "
            "outcomes were observed, 2 come before conversions were recorded (observed_from); the first label will be "
            f"known once outcomes are observed until {START + 40 * DAY + delay:%Y-%m-%d %H:%M} UTC; shorten snapshots.h"
        )
    with pytest.raises(NotEnoughDataError, match="none of 0 snapshots has a label: there is none; shorten"):
        refuse(unlabelled.iloc[:0])


drawn_events = draw_events("won", "lost", "form")


@given(drawn_events, st.integers(0, 5), st.integers(1, 35))
@settings(max_examples=300)
def test_a_lead_looks_as_it_did_when_only_that_was_known(drawn: pd.DataFrame, pause: int, day: int) -> None:
    as_of = START + day * DAY + timedelta(hours=1)
    columns = ["lead_id", "as_of", "episode", "started_at"]
    known = drawn[(drawn["known_at"] < as_of)]
    now = take_snapshots_at(History.of(DRAWN_LEADS, drawn, pause * DAY), as_of)
    then = take_snapshots_at(History.of(DRAWN_LEADS, known, pause * DAY), as_of)
    assert now[columns].equals(then[columns])


@given(drawn_events, st.integers(0, 5))
@settings(max_examples=60)
def test_a_calendar_finds_every_open_moment_and_the_compiled_walks_equal_the_uncompiled(
    drawn: pd.DataFrame, pause: int
) -> None:
    history = History.of(DRAWN_LEADS, drawn, pause * DAY)
    policies = [CalendarPolicy("daily")]
    until = START + 40 * DAY
    compiled = find_episodes(history)
    found = take_snapshots(history, NO_EVENTS, policies, until, None)
    each = pd.concat([take_snapshots_at(history, START + day * DAY) for day in range(41)])
    each = each.sort_values(["lead_id", "as_of"], ignore_index=True)
    assert found.drop(columns="trigger").equals(each.drop(columns="trigger"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_step", "_cut", "_look"):
            patch.setattr(module, name, getattr(module, name).py_func)
        assert compiled.equals(find_episodes(history))
        assert found.equals(take_snapshots(history, NO_EVENTS, policies, until, None))
    # an episode begins where the last one was lost, after the pause; a conversion is the end of all
    for _, own in compiled.groupby("lead_id"):
        assert own["episode"].tolist() == list(range(1, len(own) + 1))
        assert set(own["outcome"].iloc[:-1]) <= {"lost"}
        gaps = own["started_at"].to_numpy()[1:] - own["outcome_at"].to_numpy()[:-1]
        assert (gaps >= np.timedelta64(pause, "D")).all()


@pytest.mark.parametrize(
    ("since", "share"), [(datetime(2026, 3, 20), 3 / 6), (None, 4 / 14), (datetime(2026, 4, 5), None)]
)
def test_of_leads_that_seem_open_as_many_have_ended_as_at_earlier_such_moments(
    since: datetime | None, share: float | None
) -> None:
    # On 04-11, blind since 04-01: A, C and D seem open, and A and D have ended. On 04-01, blind since 03-22: A, B and
    # C, and B has. On 03-22 A, B, C and E, and E has; on 03-12 the same four, and none of them has.
    history = History.of(
        leads("A 2026-03-01\nB 2026-03-01\nC 2026-03-01\nD 2026-04-03\nE 2026-03-01"),
        events("A | 2026-04-05 | won\nB | 2026-03-25 | lost\nD | 2026-04-08 | lost\nE | 2026-03-15 | won"),
        30 * DAY,
    )
    assert share_ended(history, datetime(2026, 4, 11), 10 * DAY, since) == share
