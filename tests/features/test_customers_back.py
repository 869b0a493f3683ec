"""Customers who come back: tables small enough to check by eye, and what holds of any."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timelines import CODES, DAY, DRAWN_LEADS, NO_EVENTS, START, draw_events, events, leads, table

import features.timeline.snapshots as module
from features.timeline.history import History
from features.timeline.labels import assign_labels, ended_unknown
from features.timeline.policies import AgePolicy, CalendarPolicy, Policy
from features.timeline.snapshots import find_episodes, take_snapshots, take_snapshots_at
from features.timeline.unknown_ends import share_ended

LATER = datetime(2026, 12, 31)


def history_of(of_leads: str, of_events: str) -> History:
    """Let a request reopen 60 days after a conversion, a form 30 days after a loss, and a renewal do both."""
    return History.of(leads(of_leads), events(of_events), 30 * DAY, reopen_after_conversion=60 * DAY)


def episodes_of(history: History) -> str:
    return table(find_episodes(history), "lead_id", "episode", "started_at", "outcome", "outcome_at")


def state(history: History, month: int, day: int, microsecond: int = 0) -> str:
    """Give number and start of the episode that is known to be open at a moment, or nothing."""
    moment = datetime(2026, month, day, microsecond=microsecond)
    return table(take_snapshots_at(history, moment), "episode", "started_at")


def test_the_customer_of_the_docstring() -> None:
    history = history_of(
        "B 2026-01-05",
        """
        B | 2026-02-01 | won
        B | 2026-03-01 | request
        B | 2026-03-10 | won
        B | 2026-04-20 | request
        B | 2026-05-09 | request
        B | 2026-05-20 | won
        """,
    )
    assert episodes_of(history) == (
        "B | 1 | 01-05 00:00 | converted | 02-01 00:00\nB | 2 | 05-09 00:00 | converted | 05-20 00:00"
    )
    policies: list[Policy] = [AgePolicy((7 * DAY,)), CalendarPolicy("monthly")]
    looks = take_snapshots(history, NO_EVENTS, policies, LATER, None)
    labelled = assign_labels(looks, 120 * DAY, timedelta(0), LATER)
    # Ages count from either start. The second look reaches beyond the second conversion, and has the first one's label.
    assert table(labelled, "as_of", "trigger", "episode", "outcome_at", "label") == (
        "01-12 00:00 | 7d | 1 | 02-01 00:00 | True\n"
        "02-01 00:00 | monthly | 1 | 02-01 00:00 | True\n"
        "05-16 00:00 | 7d | 2 | 05-20 00:00 | True"
    )
    # Of a shorter horizon the first episode is not labelled by the second conversion, nor by the purchase between.
    short = assign_labels(looks, 20 * DAY, timedelta(0), LATER)
    assert short["label"].tolist() == [False, True, True]


def test_a_look_at_the_first_episode_is_labelled_by_the_first_conversion_alone() -> None:
    """The looks lie after and before conversions that nobody knew of, with the second one within their horizons."""
    history = history_of(
        "A 2026-01-01",
        """
        A | 2026-02-01 | won     | 2026-05-01
        A | 2026-04-10 | request
        A | 2026-04-20 | won     | 2026-05-02
        """,
    )
    assert episodes_of(history) == (
        "A | 1 | 01-01 00:00 | converted | 02-01 00:00\nA | 2 | 04-10 00:00 | converted | 04-20 00:00"
    )
    looks = pd.concat([take_snapshots_at(history, datetime(2026, *day)) for day in ((1, 20), (3, 1), (4, 15))])
    labelled = assign_labels(looks, 100 * DAY, timedelta(0), LATER)
    assert table(labelled.assign(over=ended_unknown(labelled)), "as_of", "episode", "outcome_at", "label", "over") == (
        "01-20 00:00 | 1 | 02-01 00:00 | True | False\n"
        # its episode is over, and nobody knows: it does not convert any more
        "03-01 00:00 | 1 | 02-01 00:00 | False | True\n"
        # nor once the lead has come back, and buys five days later: it is still the first episode that seems open
        "04-15 00:00 | 1 | 02-01 00:00 | False | True"
    )
    # On 05-01 00:00:00.000001 the first conversion is known, and so the second episode, but not its end.
    assert state(history, 5, 1) == "1 | 01-01 00:00"
    assert state(history, 5, 1, 1) == "2 | 04-10 00:00"
    assert state(history, 5, 2, 1) == ""


def test_an_act_that_is_learned_of_late_brings_back_only_then() -> None:
    history = history_of("A 2026-01-01", "A | 2026-01-10 | won\nA | 2026-04-01 | request | 2026-04-20")
    assert state(history, 4, 2) == state(history, 4, 20) == ""
    assert state(history, 4, 20, 1) == "2 | 04-01 00:00"


def test_an_act_from_before_the_sale_brings_nobody_back_however_late_it_is_known() -> None:
    history = history_of("A 2026-01-01", "A | 2026-01-09 | request | 2026-06-01\nA | 2026-01-10 | won")
    assert episodes_of(history) == "A | 1 | 01-01 00:00 | converted | 01-10 00:00"
    assert state(history, 6, 2) == ""


def test_an_act_that_lies_ahead_does_not_count_even_if_it_is_known() -> None:
    history = history_of("A 2026-01-01", "A | 2026-01-10 | won\nA | 2026-05-01 | request | 2026-04-01")
    assert state(history, 4, 15) == state(history, 5, 1) == ""
    assert state(history, 5, 1, 1) == "2 | 05-01 00:00"


def test_a_purchase_that_is_learned_of_late_takes_the_return_back() -> None:
    """The request of 04-01 comes 81 days after the first sale, and 12 after one that is known from 05-01 on."""
    history = history_of(
        "A 2026-01-01",
        """
        A | 2026-01-10 | won
        A | 2026-03-20 | won     | 2026-05-01
        A | 2026-04-01 | request
        A | 2026-04-10 | won
        """,
    )
    assert episodes_of(history) == "A | 1 | 01-01 00:00 | converted | 01-10 00:00"
    look = take_snapshots_at(history, datetime(2026, 4, 5))
    assert table(assign_labels(look, 30 * DAY, timedelta(0), LATER), "episode", "started_at", "outcome", "label") == (
        "2 | 04-01 00:00 | converted | False"
    )
    assert state(history, 5, 2) == ""


@pytest.mark.parametrize(
    ("at", "is_back"), [("2026-03-11 08:59:59.999999", False), ("2026-03-11 09:00", True), ("2026-03-12", True)]
)
def test_the_pause_ends_to_the_microsecond(at: str, is_back: bool) -> None:
    history = history_of("A 2026-01-01", f"A | 2026-01-10 09:00 | won\nA | {at} | request")
    assert len(find_episodes(history)) == 1 + is_back


def test_losses_and_conversions_are_each_followed_by_their_own_acts() -> None:
    history = history_of(
        "A 2026-01-01\nB 2026-01-01\nC 2026-01-01\nD 2026-01-01",
        """
        A | 2026-01-10 | won
        A | 2026-04-01 | form
        A | 2026-04-02 | renewal
        A | 2026-04-10 | lost
        A | 2026-05-01 | renewal
        A | 2026-05-20 | request
        A | 2026-05-21 | form
        A | 2026-05-25 | won
        B | 2026-01-10 | lost
        B | 2026-04-01 | request
        B | 2026-04-02 | renewal
        C | 2026-01-10 | lost
        C | 2026-02-01 | won
        C | 2026-03-15 | form
        C | 2026-04-01 | renewal
        C | 2026-04-02 | renewal
        D | 2026-01-10 | won
        D | 2026-01-20 | lost
        D | 2026-03-05 | form
        D | 2026-03-11 | request
        """,
    )
    assert episodes_of(history) == (
        "A | 1 | 01-01 00:00 | converted | 01-10 00:00\n"
        # a form follows losses alone; the loss of a customer who came back is a loss, with its own acts and pause
        "A | 2 | 04-02 00:00 | lost | 04-10 00:00\n"
        "A | 3 | 05-21 00:00 | converted | 05-25 00:00\n"
        "B | 1 | 01-01 00:00 | lost | 01-10 00:00\n"
        "B | 2 | 04-02 00:00 | - | -\n"
        # a conversion overrules the loss, and the pause is its own: up to 04-02
        "C | 1 | 01-01 00:00 | converted | 02-01 00:00\n"
        "C | 2 | 04-02 00:00 | - | -\n"
        # a loss after the sale is none
        "D | 1 | 01-01 00:00 | converted | 01-10 00:00\n"
        "D | 2 | 03-11 00:00 | - | -"
    )


def test_who_had_bought_before_its_creation_comes_back_only_after_it() -> None:
    history = history_of(
        "A 2026-05-01\nB 2026-05-01", "A | 2026-01-10 | won\nA | 2026-04-01 | request\nB | 2026-01-10 | won"
    )
    assert episodes_of(history) == (
        "A | 1 | 05-01 00:00 | converted | 01-10 00:00\nB | 1 | 05-01 00:00 | converted | 01-10 00:00"
    )
    later = history_of("A 2026-05-01", "A | 2026-01-10 | won\nA | 2026-05-01 | request")
    assert episodes_of(later).splitlines()[-1] == "A | 2 | 05-01 00:00 | - | -"
    assert state(later, 5, 2) == "2 | 05-01 00:00"


def test_of_customers_who_seem_not_to_have_bought_yet_their_episode_is_over() -> None:
    """On 04-11, blind since 04-01: A seems open as before it bought; B, who came back, has bought a second time."""
    history = history_of(
        "A 2026-01-01\nB 2026-01-01",
        "A | 2026-04-05 | won\nB | 2026-01-10 | won\nB | 2026-03-20 | request\nB | 2026-04-08 | won",
    )
    assert share_ended(history, datetime(2026, 4, 11), 10 * DAY, datetime(2026, 4, 1)) == 1.0


drawn_events = draw_events(*CODES)
pauses = st.tuples(st.integers(0, 5), st.integers(0, 5))


def drawn_history(drawn: pd.DataFrame, after: tuple[int, int]) -> History:
    return History.of(DRAWN_LEADS, drawn, after[0] * DAY, reopen_after_conversion=after[1] * DAY)


def without(drawn: pd.DataFrame, *kinds: str) -> pd.DataFrame:
    return drawn[~drawn["code"].isin([CODES[kind] for kind in kinds])]


@given(drawn_events, pauses)
@settings(max_examples=200)
def test_episodes_follow_each_other_and_begin_at_creation_or_by_an_act_that_may_follow(
    drawn: pd.DataFrame, after: tuple[int, int]
) -> None:
    episodes = find_episodes(drawn_history(drawn, after))
    acts = {
        "lost": without(drawn, "won", "lost", "request"),
        "converted": without(drawn, "won", "lost", "form"),
    }
    for lead, own in episodes.groupby("lead_id"):
        created = DRAWN_LEADS.set_index("lead_id").loc[lead, "created_at"]
        assert own["episode"].tolist() == list(range(1, len(own) + 1))
        assert own["started_at"].iloc[0] == created
        assert own["outcome"].iloc[:-1].notna().all()
        before = own.shift()
        for start, ended, ended_at in zip(
            own["started_at"].iloc[1:], before["outcome"].iloc[1:], before["outcome_at"].iloc[1:], strict=True
        ):
            pause = after[0 if ended == "lost" else 1] * DAY
            assert start >= max(ended_at + pause, created)
            assert start in set(acts[ended].loc[acts[ended]["lead_id"] == lead, "occurred_at"])
            if ended == "converted":
                sales = drawn.loc[(drawn["lead_id"] == lead) & (drawn["code"] == CODES["won"]), "occurred_at"]
                assert (sales[sales < start] + pause <= start).all()


@given(draw_events("won", "lost", "form"), pauses)
@settings(max_examples=60)
def test_without_acts_that_may_follow_a_conversion_it_is_the_end_of_all(
    drawn: pd.DataFrame, after: tuple[int, int]
) -> None:
    """And its pause says nothing: the episodes are those without the setting."""
    episodes = find_episodes(drawn_history(drawn, after))
    assert episodes.equals(find_episodes(History.of(DRAWN_LEADS, drawn, after[0] * DAY)))
    assert set(episodes.groupby("lead_id")["outcome"].apply(lambda own: own.iloc[:-1]).dropna()) <= {"lost"}


@given(drawn_events, pauses, st.integers(1, 35))
@settings(max_examples=300)
def test_a_customer_looks_as_when_only_that_was_known(drawn: pd.DataFrame, after: tuple[int, int], day: int) -> None:
    as_of = START + day * DAY + timedelta(hours=1)
    columns = ["lead_id", "as_of", "episode", "started_at"]
    now = take_snapshots_at(drawn_history(drawn, after), as_of)
    then = take_snapshots_at(drawn_history(drawn[drawn["known_at"] < as_of], after), as_of)
    assert now[columns].equals(then[columns])
    # What is wholly in the past is all there is: the last episode, where it is open and the lead has come to be.
    past = drawn[(drawn["known_at"] < as_of) & (drawn["occurred_at"] < as_of)]
    if past.equals(drawn[drawn["known_at"] < as_of]):
        last = find_episodes(drawn_history(past, after)).drop_duplicates("lead_id", keep="last")
        still = last[last["outcome"].isna() & (last["started_at"] < as_of)]
        assert now[columns[2:]].to_numpy().tolist() == still[columns[2:]].to_numpy().tolist()


@given(drawn_events, pauses)
@settings(max_examples=40)
def test_a_calendar_finds_every_open_moment_of_customers_and_the_compiled_walks_equal_the_uncompiled(
    drawn: pd.DataFrame, after: tuple[int, int]
) -> None:
    history = drawn_history(drawn, after)
    until = START + 40 * DAY
    compiled = find_episodes(history)
    found = take_snapshots(history, NO_EVENTS, [CalendarPolicy("daily")], until, None)
    each = pd.concat([take_snapshots_at(history, START + day * DAY) for day in range(41)])
    each = each.sort_values(["lead_id", "as_of"], ignore_index=True)
    assert found.drop(columns="trigger").equals(each.drop(columns="trigger"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_step", "_cut", "_look"):
            patch.setattr(module, name, getattr(module, name).py_func)
        assert compiled.equals(find_episodes(history))
        assert found.equals(take_snapshots(history, NO_EVENTS, [CalendarPolicy("daily")], until, None))


@given(drawn_events, pauses)
@settings(max_examples=60)
def test_no_conversion_labels_looks_at_two_episodes(drawn: pd.DataFrame, after: tuple[int, int]) -> None:
    """Where all is known as it occurs, a look has the outcome of the episode that it lies in."""
    history = drawn_history(drawn.assign(known_at=drawn["occurred_at"]), after)
    episodes = find_episodes(history).set_index(["lead_id", "episode"])
    looks = take_snapshots(history, NO_EVENTS, [CalendarPolicy("daily")], START + 40 * DAY, None)
    own = episodes.loc[list(zip(looks["lead_id"], looks["episode"], strict=True))]
    assert looks["outcome_at"].reset_index(drop=True).equals(own["outcome_at"].reset_index(drop=True))
    labelled = assign_labels(looks, 400 * DAY, timedelta(0), LATER + 400 * DAY)
    converting = labelled[labelled["label"]]
    ends = converting.groupby(["lead_id", "outcome_at"])["episode"].nunique()
    assert (ends == 1).all()
    assert np.array_equal(labelled["label"].to_numpy(bool), (own["outcome"] == "converted").to_numpy())
