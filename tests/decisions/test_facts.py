"""Which facts hold: the later wins within what it is about, what ends them, and what nothing outdoes."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from models.decision.facts import Fact, Held
from models.decision.maturity import MaturityPolicy

FACTS = {
    "unsubscribed": Fact("closes_channel", ("unsubscribe",), ("subscribe",), channel="mail"),
    "do not call": Fact("closes_channel", ("no_calls",), channel="telephone"),
    "refused": Fact("refuses", ("refused",), ("form",)),
    "quote": Fact("raises", ("quote",), lasts=timedelta(days=30)),
    "objection": Fact("closes", ("objected",)),
    "in work": Fact("taken", ("accepted",), ("refused",), timedelta(days=10)),
}
DAYS = st.one_of(st.none(), st.integers(1, 60))


def held(said: dict[str, int], ended: dict[str, int] | None = None, today: int = 60) -> Held:
    """Say on which day of the year facts of one lead were last told, and ended, as seen at the end of day ``today``."""

    def days(told: dict[str, int]) -> np.ndarray:
        return np.array([[day(told.get(name)) for name in FACTS]])

    return Held.of(FACTS, days(said), days(ended or {}), np.array([day(today + 1)]))


def day(number: int | None) -> np.datetime64:
    return (
        np.datetime64("NaT", "us")
        if number is None
        else np.datetime64("2025-12-31", "us") + np.timedelta64(number, "D")
    )


def test_an_unsubscription_closes_mail_and_nothing_else() -> None:
    one = held({"unsubscribed": 20, "quote": 40})
    assert (one.shut("mail")[0], one.shut("telephone")[0], one.closed[0], one.raised[0]) == (True, False, False, True)
    assert not held({"unsubscribed": 20}, {"unsubscribed": 21}).shut("mail")[0]
    assert held({"unsubscribed": 20}, {"unsubscribed": 19}).shut("mail")[0], "what came before ends nothing"
    assert held({"unsubscribed": 20}, {"unsubscribed": 20}).shut("mail")[0], "of the same moment nothing ends"


def test_of_a_refusal_and_a_request_the_later_wins() -> None:
    assert (held({"refused": 40, "quote": 50}).refused[0], held({"refused": 40, "quote": 50}).raised[0]) == (
        False,
        True,
    )
    assert (held({"refused": 50, "quote": 40}).refused[0], held({"refused": 50, "quote": 40}).raised[0]) == (
        True,
        False,
    )
    assert (held({"refused": 50, "quote": 50}).refused[0], held({"refused": 50, "quote": 50}).raised[0]) == (
        True,
        False,
    )
    assert not held({"refused": 50}, {"refused": 51}).refused[0], "a form ends it"


def test_an_objection_is_outdone_by_nothing_that_comes_later() -> None:
    one = held({"objection": 10, "quote": 55})
    assert one.closed[0]
    assert not one.raised[0]
    assert one.shut("mail")[0]
    assert one.shut("telephone")[0]


def test_a_fact_holds_as_long_as_it_lasts_and_a_refusal_before_it_counts_again() -> None:
    assert held({"quote": 32}).raised[0]
    assert not held({"quote": 31}).raised[0]
    assert held({"refused": 20, "quote": 31}).refused[0]
    assert held({"in work": 55}).taken[0]
    assert not held({"in work": 40}).taken[0], "a case in silence no longer counts"


def test_facts_are_told_the_latest_first() -> None:
    rows, since, names = held({"unsubscribed": 20, "quote": 40, "refused": 50}).told()
    assert (rows.tolist(), names.tolist()) == ([0, 0, 0], ["refused", "quote", "unsubscribed"])
    assert since.tolist() == [day(50), day(40), day(20)]


@given(st.dictionaries(st.sampled_from(list(FACTS)), st.integers(1, 60)), st.integers(1, 60))
def test_what_lies_in_the_future_of_a_day_is_not_asked_for_on_it(said: dict[str, int], today: int) -> None:
    known = {name: number for name, number in said.items() if number <= today}
    one = held(known, today=today)
    assert not (one.raised & one.refused)[0]
    assert not (one.raised & one.closed)[0]
    assert one.closed[0] == ("objection" in known)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "closes_channel", "events": ["stop"]}, "needs a channel, as in channel: mail"),
        ({"kind": "closes", "events": ["stop"], "channel": "mail"}, "has no channel; leave it out"),
        ({"kind": "closes", "events": ["stop"], "ended_by": ["stop"]}, "'stop' can't make and end the same fact"),
        ({"kind": "closes", "events": []}, "at least 1 item"),
        ({"kind": "raises", "events": ["quote"], "lasts": "0d"}, "lasts must be longer than nothing"),
        ({"kind": "loses", "events": ["quote"]}, "closes"),
    ],
)
def test_a_fact_that_makes_no_sense_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(Fact).validate_python(settings)


def test_maturity_is_what_a_lead_did_and_how_lately() -> None:
    policy = MaturityPolicy(("quote",), ("download",), timedelta(days=14), timedelta(days=60))
    nothing = None
    rows = [
        # strong, medium, came back, raised
        (47, nothing, False, False, "hot"),  # fourteen days before the end of day 60
        (46, nothing, False, False, "warm"),
        (nothing, 1, False, False, "warm"),  # sixty days
        (nothing, nothing, True, False, "warm"),
        (nothing, nothing, False, True, "hot"),
        (nothing, nothing, False, False, "cold"),
    ]
    found = policy.maturities(
        np.array([day(row[0]) for row in rows]),
        np.array([day(row[1]) for row in rows]),
        np.array([row[2] for row in rows]),
        np.array([row[3] for row in rows]),
        np.full(len(rows), day(61)),
    )
    assert found.tolist() == [row[4] for row in rows]


def test_an_act_has_one_strength() -> None:
    with pytest.raises(ValueError, match="'quote' can't be strong and medium at once"):
        MaturityPolicy(("quote",), ("quote",))
    with pytest.raises(ValueError, match="no longer than warm_for"):
        MaturityPolicy(hot_for=timedelta(days=90))
