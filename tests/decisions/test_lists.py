"""Who gets an hour today: by gain, through an open channel, once an account, as far as the places go."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.decision.lists import Lists, Places, make_lists

TIERS = ["SQL", "SQL", "SQL", "MQL", "SQL", "recycled", "IQL", "SQL"]
GAIN = [5.0, 9.0, 7.0, 9.9, 7.0, 1.0, 0.5, 8.0]


def make(places: Places | None = None, **given_: list[object]) -> Lists:
    size = len(TIERS)
    columns: dict[str, Any] = {
        name: np.array(given_.get(name, [False] * size)) for name in ("taken", "no_call", "no_mail")
    }
    columns |= {name: np.array(given_.get(name, [None] * size), dtype=object) for name in ("accounts", "owners")}
    ids = np.array([f"L{number}" for number in range(size)], dtype=object)
    return make_lists(np.array(TIERS), np.array(GAIN), ids, **columns, places=places)


def ranks(lists: Lists) -> list[int | None]:
    return [None if np.isnan(rank) else int(rank) for rank in lists.rank]


def test_without_stated_places_the_list_is_all_that_are_worth_an_hour_best_first_and_equal_ones_by_their_ids() -> None:
    lists = make()
    assert ranks(lists) == [5, 1, 3, None, 4, None, None, 2]
    assert lists.list.tolist() == ["sales", "sales", "sales", "marketing", "sales", "marketing", "none", "sales"]
    assert lists.reason.tolist() == [None] * 8
    assert lists.left is None


def test_who_finds_no_place_waits_with_its_rank() -> None:
    lists = make(Places(2))
    assert [name == "sales" for name in lists.list] == [False, True, False, False, False, False, False, True]
    assert ranks(lists) == [5, 1, 3, None, 4, None, None, 2]
    assert lists.reason.tolist() == ["capacity", None, "capacity", None, "capacity", None, None, None]
    assert lists.left == 0
    assert make(Places(9)).left == 4


def test_each_territory_has_its_own_places() -> None:
    owners: list[object] = ["north", "north", "south", None, "north", None, None, "west"]
    lists = make(Places(1, {"west": 0, "east": 3}), owners=owners)
    assert [place for place, name in enumerate(lists.list) if name == "sales"] == [1, 2]
    assert lists.left == 3, "nobody in the east is worth an hour"


def test_who_is_worked_on_or_can_not_be_called_takes_no_place_and_says_so() -> None:
    taken: list[object] = [False, True, False, False, False, False, False, False]
    no_call: list[object] = [False, False, True, False, False, False, False, False]
    lists = make(Places(2), taken=taken, no_call=no_call)
    assert lists.reason.tolist() == ["capacity", "in work", "channel closed", None, None, None, None, None]
    assert ranks(lists) == [3, None, None, None, 2, None, None, 1]


def test_of_an_account_the_best_is_called() -> None:
    accounts: list[object] = ["acme", "acme", None, "acme", None, None, None, "umbrella"]
    lists = make(accounts=accounts)
    assert lists.reason.tolist() == ["account", None, None, None, None, None, None, None]
    taken: list[object] = [False, True, False, False, False, False, False, False]
    assert make(accounts=accounts, taken=taken).list[0] == "sales", "the other of the account is not in question"


def test_marketing_writes_to_nobody_who_closed_mail() -> None:
    no_mail: list[object] = [False, False, False, True, False, False, False, False]
    assert make(no_mail=no_mail).list.tolist()[3] == "none"


@given(
    st.lists(
        st.tuples(st.sampled_from(("SQL", "MQL", "IQL")), st.floats(0, 1), *[st.booleans()] * 2,
                  st.sampled_from((None, "a", "b")), st.sampled_from(("n", "s"))),
        max_size=30,
    ),
    st.integers(0, 5),
)  # fmt: skip
def test_no_list_holds_more_than_its_places_nor_leaves_one_empty_while_somebody_waits(
    leads: list[tuple[str, float, bool, bool, str | None, str]], each: int
) -> None:
    columns = list(zip(*leads, strict=True)) if leads else [()] * 6
    tiers, gain, taken, no_call, accounts, owners = columns
    lists = make_lists(
        np.array(tiers, dtype="U12"), np.array(gain, dtype=float), np.arange(len(leads)).astype(object),
        taken=np.array(taken, dtype=bool), no_call=np.array(no_call, dtype=bool), no_mail=np.zeros(len(leads), bool),
        accounts=np.array(accounts, dtype=object), owners=np.array(owners, dtype=object), places=Places(each),
    )  # fmt: skip
    for owner in ("n", "s"):
        own = [place for place in range(len(leads)) if owners[place] == owner]
        called = [place for place in own if lists.list[place] == "sales"]
        waiting = [place for place in own if lists.reason[place] == "capacity"]
        assert len(called) <= each
        assert not waiting or len(called) == each
        assert all(gain[one] >= gain[other] for one in called for other in waiting)
        assert not any(taken[place] or no_call[place] or tiers[place] != "SQL" for place in called)
    named = [accounts[place] for place in range(len(leads)) if lists.list[place] == "sales" and accounts[place]]
    assert len(named) == len(set(named))
