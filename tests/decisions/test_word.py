"""People's word: how long it holds, what it outdoes and what outdoes it, and what a day for a call does to the list."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.core.schema import OPEN_TIERS, TIERS
from models.decision.lists import Places, make_lists
from models.decision.tiers import CutOffs, tiers_of
from models.decision.word import Said, Word, WordPolicy

POLICY = WordPolicy(lasts=timedelta(days=30), call_for=timedelta(days=7))
EVERYBODY = slice(None)


def word_of(
    today: str,
    *,
    decided: str | None = "2026-03-05T09:00",
    tier: str | None = None,
    call_on: str | None = None,
    until: str | None = None,
    ended: str | None = None,
) -> Word:
    """Judge what was said of one lead, at noon of a day."""
    said = Said(
        np.array([decided], "datetime64[us]"),
        np.array([tier or ""]),
        np.array([call_on], "datetime64[D]"),
        np.array([until], "datetime64[D]"),
    )
    ends = np.array([ended], "datetime64[us]")
    return Word.of(POLICY, said, ends, np.datetime64(f"{today}T12:00", "us"), np.datetime64(today, "D"))


def told(word: Word) -> tuple[bool, str | None, bool, bool]:
    return bool(word.holds[0]), str(word.tier[0]) or None, bool(word.is_due[0]), bool(word.is_later[0])


NOTHING = (False, None, False, False)


def test_a_tier_holds_to_the_end_of_the_day_it_was_given_until_or_as_long_as_the_settings_say() -> None:
    assert told(word_of("2026-03-20", tier="SQL", until="2026-03-20")) == (True, "SQL", False, False)
    assert told(word_of("2026-03-21", tier="SQL", until="2026-03-20")) == NOTHING
    assert told(word_of("2026-04-03", tier="MQL")) == (True, "MQL", False, False)  # 29 days and three hours
    assert told(word_of("2026-04-04", tier="MQL")) == NOTHING
    assert told(word_of("2026-09-01", tier="MQL", until="2026-12-31")) == (True, "MQL", False, False)
    assert told(word_of("2026-03-06", decided=None)) == NOTHING


def test_a_day_for_a_call_lets_a_lead_rest_before_it_and_puts_it_first_from_it_on() -> None:
    call = "2026-05-01"
    assert told(word_of("2026-03-06", call_on=call)) == (True, None, False, True)
    assert told(word_of("2026-04-30", call_on=call)) == (True, None, False, True)
    assert told(word_of("2026-05-01", call_on=call)) == (True, "SQL", True, False)
    assert told(word_of("2026-05-07", call_on=call)) == (True, "SQL", True, False)
    assert told(word_of("2026-05-08", call_on=call)) == NOTHING, "seven days after it nobody waits any more"
    assert told(word_of("2026-05-31", call_on=call, until="2026-05-31")) == (True, "SQL", True, False)
    assert told(word_of("2026-06-01", call_on=call, until="2026-05-31")) == NOTHING


def test_a_tier_that_comes_with_a_day_for_a_call_holds_until_that_day_however_far_it_lies() -> None:
    said = {"tier": "IQL", "call_on": "2026-05-01"}
    assert told(word_of("2026-04-30", **said)) == (True, "IQL", False, True), "longer than thirty days"
    assert told(word_of("2026-05-01", **said)) == (True, "SQL", True, False)
    assert told(word_of("2026-05-09", **said)) == NOTHING


def test_a_word_is_over_when_the_lead_converts_or_is_lost() -> None:
    assert told(word_of("2026-03-20", tier="SQL", ended="2026-03-10T00:00")) == NOTHING
    assert told(word_of("2026-05-01", call_on="2026-05-01", ended="2026-03-10T00:00")) == NOTHING
    lost_and_to_be_called = word_of("2026-05-01", call_on="2026-05-01", ended="2026-03-05T09:00")
    assert told(lost_and_to_be_called) == (True, "SQL", True, False), "said with the loss, for the next episode"


def test_a_word_goes_before_facts_and_the_model_but_not_before_an_objection() -> None:
    own = np.array(["MQL", "SQL", "disqualified", "disqualified"])
    nobody = np.zeros(4, dtype=bool)
    word = Word(~nobody, np.array(["SQL", "IQL", "SQL", "SQL"]), nobody, nobody)
    # The third lies outside the target, which people may overrule; the fourth has objected.
    objected = np.array([False, False, False, True])
    assert word.over(own, objected, EVERYBODY).tolist() == ["SQL", "IQL", "SQL", "disqualified"]
    assert word.decides(objected, EVERYBODY).tolist() == [True, True, True, False]
    assert word.over(own[2:], objected[2:], slice(2, 4)).tolist() == ["SQL", "disqualified"]


@given(
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20).map(sorted),
    st.tuples(*[st.booleans()] * 5),
    st.sampled_from(["", *OPEN_TIERS]),
)
def test_more_probability_alone_never_gives_a_lower_tier_whatever_people_said(
    probabilities: list[float], flags: tuple[bool, ...], said: str
) -> None:
    size = len(probabilities)
    closed, out, refused, raised, is_back = (np.full(size, flag) for flag in flags)
    own = tiers_of(
        np.array(probabilities), CutOffs(0.1, 0.3), closed=closed | out, refused=refused, raised=raised, is_back=is_back
    )
    nobody = np.zeros(size, dtype=bool)
    word = Word(~nobody, np.full(size, said), nobody, nobody)
    ranks = [TIERS.index(tier) for tier in word.over(own, closed, EVERYBODY)]
    assert ranks == sorted(ranks, reverse=True)
    assert not closed.any() or set(word.over(own, closed, EVERYBODY)) == {"disqualified"}


def test_who_is_to_be_called_today_comes_first_and_who_is_to_be_called_later_waits() -> None:
    no, nobody = np.zeros(4, dtype=bool), np.full(4, None, dtype=object)
    due, later = np.array([False, False, True, False]), np.array([True, False, False, False])
    lists = make_lists(
        np.full(4, "SQL"), np.array([9.0, 8.0, 1.0, 7.0]), np.array(list("ABCD"), dtype=object),
        taken=no, no_call=no, no_mail=no, accounts=nobody, owners=nobody, places=Places(2),
        word=Word(due | later, np.array(["", "", "SQL", ""]), due, later),
    )  # fmt: skip
    assert lists.list.tolist() == ["none", "sales", "sales", "none"]
    assert lists.reason.tolist() == ["agreed later", None, None, "capacity"]
    assert lists.rank[1:].tolist() == [2.0, 1.0, 3.0]
    assert np.isnan(lists.rank[0])


def test_an_agreed_day_opens_no_closed_channel() -> None:
    no, yes, nobody = np.zeros(1, dtype=bool), np.ones(1, dtype=bool), np.array([None], dtype=object)
    for due, later in ((yes, no), (no, yes)):
        lists = make_lists(
            np.array(["SQL"]), np.array([1.0]), np.array(["A"], dtype=object),
            taken=no, no_call=yes, no_mail=no, accounts=nobody, owners=nobody, places=None,
            word=Word(yes, np.array([""]), due, later),
        )  # fmt: skip
        assert (lists.list[0], lists.reason[0]) == ("none", "channel closed")


@pytest.mark.parametrize("changes", [{"lasts": timedelta(0)}, {"call_for": timedelta(days=-1)}])
def test_a_word_holds_for_some_time(changes: dict[str, timedelta]) -> None:
    with pytest.raises(ValueError, match="longer than nothing"):
        WordPolicy(**changes)
