"""Whom chance decides of: nobody without a name, for ever the same, and nobody who asked for something."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from standings import standing_of

from models.decision.lottery import Lottery, draw
from pipeline.scoring.today import Today, lottery_groups, make_lists_of
from pipeline.settings.decision import DecisionPolicy

AS_OF = datetime(2026, 6, 30, 12)  # a Tuesday
IDS = np.array([f"L{number}" for number in range(30_000)], dtype=object)
NO_ARMS = np.full(len(IDS), None, dtype=object)
AGREED = "head of sales"


def policy_of(**lottery: object) -> DecisionPolicy:
    facts = {"in work": {"kind": "taken", "events": ["case"]}}
    return DecisionPolicy.model_validate({"facts": facts, "lottery": {"agreed_by": AGREED, **lottery}})


def test_nobody_is_drawn_by_default() -> None:
    assert not DecisionPolicy().lottery.is_on
    assert set(draw(Lottery(), IDS[:100], NO_ARMS[:100])) == {None}


@pytest.mark.parametrize(
    ("lottery", "complaint"),
    [
        ({"share": 0.1}, "name who agreed to it"),
        ({"share": 0.1, "agreed_by": "  "}, "name who agreed to it"),
        ({"attribute": "arm", "groups": {"A": "worked"}}, "name who agreed to it"),
        ({"share": 1.1, "agreed_by": AGREED}, "share must lie between 0 and 1"),
        ({"attribute": "arm", "agreed_by": AGREED}, "attribute and groups go together"),
        ({"attribute": "arm", "groups": {"A": "called"}, "agreed_by": AGREED}, "'worked', 'left alone' or 'as usual'"),
    ],
)
def test_a_lottery_that_nobody_agreed_to_or_that_makes_no_sense_is_refused(
    lottery: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        DecisionPolicy.model_validate({"lottery": lottery})


def test_a_share_is_drawn_a_third_of_it_each_and_a_larger_share_moves_nobody() -> None:
    few, many = (draw(Lottery(share, AGREED), IDS, NO_ARMS) for share in (0.1, 0.4))
    assert (few != None).mean() == pytest.approx(0.1, abs=0.005)  # noqa: E711 - of an array
    assert (many != None).mean() == pytest.approx(0.4, abs=0.01)  # noqa: E711 - of an array
    for group in ("worked", "left alone", "as usual"):
        assert (many == group).mean() == pytest.approx(0.4 / 3, abs=0.01)
    was_drawn = few != None  # noqa: E711 - of an array
    assert (many[was_drawn] == few[was_drawn]).all()
    # For ever: what these leads were drawn as in the first release.
    assert draw(Lottery(1.0, AGREED), IDS[:6], NO_ARMS[:6]).tolist() == FIRST_SIX


FIRST_SIX = ["as usual", "worked", "left alone", "left alone", "as usual", "as usual"]


def test_where_people_have_drawn_their_word_holds() -> None:
    arms = np.array(["A", "B", "C", None], dtype=object)
    lottery = Lottery(0.0, AGREED, "arm", {"A": "worked", "B": "left alone"})
    assert draw(lottery, IDS[:4], arms).tolist() == ["worked", "left alone", None, None]
    both = Lottery(1.0, AGREED, "arm", {"A": "as usual"})
    assert draw(both, IDS[:4], arms).tolist() == ["as usual", *FIRST_SIX[1:4]]


def lists(groups: list[str | None], tiers: list[str], **standing: list[str | None]) -> list[tuple[str, str | None]]:
    """Give list and reason of leads, a gain of 0.9 for the first and less for each other."""
    policy = policy_of(attribute="arm", groups={"worked": "worked", "left alone": "left alone", "as usual": "as usual"})
    stands = standing_of(len(groups), AS_OF, arm=groups, **standing)
    gain: NDArray[np.float64] = np.linspace(0.9, 0.1, len(groups))
    found, _ = make_lists_of(Today(policy, AS_OF), stands, np.array(tiers, "U12"), gain, IDS[: len(groups)])
    return list(zip(found.list.tolist(), found.reason.tolist(), strict=True))


def test_who_is_drawn_is_worked_whatever_its_tier_or_left_alone_though_it_is_worth_it() -> None:
    assert lists(["left alone", "as usual", None, "worked", "left alone", "as usual"], ["SQL"] * 3 + ["IQL"] * 3) == [
        ("none", "left alone"),
        ("sales", None),
        ("sales", None),
        ("sales", None),
        ("none", None),
        ("none", None),
    ]


def test_marketing_keeps_at_those_that_sales_leaves_alone() -> None:
    assert lists(["left alone", "worked"], ["MQL", "MQL"]) == [("marketing", None), ("sales", None)]


def test_who_is_in_work_is_no_part_of_it() -> None:
    taken = ["2026-06-29", "2026-06-29", None]
    policy = policy_of(share=1.0)
    groups = lottery_groups(policy, standing_of(3, AS_OF, taken=taken), IDS[:3])
    assert groups.tolist() == [None, None, FIRST_SIX[2]]
    assert lists(["worked", "left alone"], ["SQL", "SQL"], taken=["2026-06-29", "2026-06-29"]) == [
        ("none", "in work"),
        ("none", "in work"),
    ]
