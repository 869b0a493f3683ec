"""What to do next: the first rule that fits a lead, through a channel that is open and that it answers to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.core.schema import CHANNELS, LIST_REASONS, LISTS
from models.decision.actions import DEFAULT, Leads, Rule, act

USUAL: dict[str, Any] = {
    "tier": "MQL", "maturity": "warm", "list": "none", "list_reason": None, "recontact": "", "facts": (),
    "open": CHANNELS, "answered": (), "last_act": None, "content": None, "had": (),
}  # fmt: skip
"""A lead of whom nothing is special."""


def leads(*rows: dict[str, Any]) -> Leads:
    """Make leads that differ from the usual one in what is said of each."""
    all_of = [USUAL | row for row in rows]

    def column(name: str) -> Any:  # noqa: ANN401 - an array of any kind
        return np.array([row[name] for row in all_of], dtype=object)

    def among(name: str, values: Any) -> dict[Any, Any]:  # noqa: ANN401 - of what rules name
        return {value: np.array([value in row[name] for row in all_of]) for value in values}

    return Leads(
        tier=column("tier").astype(str),
        maturity=column("maturity").astype(str),
        list=column("list").astype(str),
        list_reason=column("list_reason"),
        recontact=column("recontact").astype(str),
        facts=among("facts", ("demo", "complaint")),
        is_open=among("open", CHANNELS),
        has_answered=among("answered", CHANNELS),
        last_act=column("last_act"),
        content=column("content"),
        has_had=among("had", ("guide", "webinar")),
    )


def said(rules: tuple[Rule, ...], *rows: dict[str, Any]) -> list[tuple[str, str | None]]:
    return list(zip(*(column.tolist() for column in act(rules, leads(*rows))), strict=True))


@pytest.mark.parametrize(
    ("lead", "action"),
    [
        ({"tier": "SQL", "list": "sales"}, ("call_today", "telephone")),
        # whom nobody is to call today
        ({"tier": "SQL", "list_reason": "capacity"}, ("wait_for_place", None)),
        ({"tier": "SQL", "list_reason": "in work"}, ("leave_to_owner", None)),
        ({"tier": "SQL", "list_reason": "in work", "open": ("mail",)}, ("leave_to_owner", None)),
        ({"tier": "SQL", "list_reason": "agreed later"}, ("wait", None)),
        ({"tier": "SQL", "list_reason": "account"}, ("wait", None)),
        ({"tier": "SQL", "list_reason": "no owner"}, ("wait", None)),
        ({"tier": "SQL", "list_reason": "left alone"}, ("keep_nurturing", "mail")),
        ({"tier": "IQL", "list_reason": "untouched"}, ("wait_for_place", None)),
        ({"tier": "IQL", "list_reason": "untouched", "list": "sales"}, ("call_today", "telephone")),
        ({"tier": "recycled"}, ("take_up_again", "mail")),
        ({"tier": "MQL"}, ("keep_nurturing", "mail")),
        ({"tier": "IQL"}, ("wait", None)),
        ({"tier": "customer"}, ("none", None)),
        ({"tier": "disqualified"}, ("none", None)),
        # who was handed over and forgotten is called whatever its tier
        ({"tier": "IQL", "list": "sales"}, ("call_today", "telephone")),
        ({"tier": "MQL", "list": "sales", "open": ("mail",)}, ("keep_nurturing", "mail")),
        # what is closed leaves the lead to a later rule
        ({"tier": "SQL", "list_reason": "channel closed", "open": ("mail",)}, ("keep_nurturing", "mail")),
        ({"tier": "SQL", "list_reason": "channel closed", "open": ()}, ("wait", None)),
        ({"tier": "recycled", "open": ("telephone",)}, ("take_up_again", "telephone")),
        ({"tier": "recycled", "open": ()}, ("wait", None)),
        # the lost, and the quiet
        ({"tier": "disqualified", "recontact": "later"}, ("wait_until", None)),
        ({"tier": "disqualified", "recontact": "close"}, ("close", None)),
        ({"tier": "IQL", "recontact": "now"}, ("take_up_again", "mail")),
        ({"tier": "IQL", "recontact": "now", "open": ()}, ("wait", None)),
    ],
)
def test_without_a_table_the_list_and_the_tier_say_what_to_do(
    lead: dict[str, Any], action: tuple[str, str | None]
) -> None:
    assert said(DEFAULT, lead) == [action]


@given(
    st.sampled_from(["SQL", "recycled", "MQL", "IQL"]),
    st.sampled_from(LISTS),
    st.none() | st.sampled_from(LIST_REASONS),
)
def test_without_a_table_only_the_list_of_sales_is_called(tier: str, listed: str, reason: str | None) -> None:
    ((action, _),) = said(DEFAULT, {"tier": tier, "list": listed, "list_reason": reason})
    assert (action == "call_today") == (listed == "sales")


def test_the_first_rule_that_fits_says_what_to_do() -> None:
    rules = (
        Rule("call_back", ("telephone",), fact=("demo", "complaint"), tier=("SQL",)),
        Rule("remind_of_cart", ("mail",), last_act=("cart",)),
        Rule("send_case_study", ("mail",), sends="guide", maturity=("warm", "hot"), content=("prices",)),
        Rule("invite_to_webinar", ("mail",), sends="webinar", list=("marketing",)),
        Rule("wait"),
    )
    assert said(
        rules,
        {"tier": "SQL", "facts": ("complaint",)},
        {"tier": "SQL", "facts": ("complaint",), "open": ("mail",), "last_act": "cart"},
        {"last_act": "cart"},
        {"content": "prices"},
        {"content": "prices", "maturity": "cold"},
        {"content": "careers", "list": "marketing"},
        {"content": "prices", "list": "marketing", "had": ("guide",)},
        {"content": "prices", "list": "marketing", "had": ("guide", "webinar")},
    ) == [
        ("call_back", "telephone"),
        ("remind_of_cart", "mail"),
        ("remind_of_cart", "mail"),
        ("send_case_study", "mail"),
        ("wait", None),
        ("invite_to_webinar", "mail"),
        ("invite_to_webinar", "mail"),
        ("wait", None),
    ]


def test_a_rule_that_names_no_tier_is_not_about_those_who_have_bought_or_are_closed() -> None:
    rules = (Rule("remind_of_cart", ("mail",), last_act=("cart",)), Rule("congratulate", ("mail",), tier=("customer",)))
    assert said(rules, *({"tier": tier, "last_act": "cart"} for tier in ("IQL", "customer", "disqualified"))) == [
        ("remind_of_cart", "mail"), ("congratulate", "mail"), ("none", None),
    ]  # fmt: skip


def test_of_open_channels_it_is_one_that_the_lead_answers_to() -> None:
    rules = (Rule("take_up_again", ("mail", "telephone", "advertising")),)
    assert said(
        rules,
        {},
        {"answered": ("telephone",)},
        {"answered": ("telephone", "mail")},
        {"answered": ("advertising", "telephone")},
        {"answered": ("telephone",), "open": ("mail", "advertising")},
        {"open": ("advertising",)},
        {"open": ()},
    ) == [
        *(("take_up_again", channel) for channel in ("mail", "telephone", "mail", "telephone", "mail", "advertising")),
        ("none", None),
    ]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"action": "Call today"}, "'Call today' is no code; write small letters, digits and _, as in call_today"),
        ({"action": "send", "sends": "guide"}, "send sends 'guide', but through no channel; name one, as in"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rule(**rule)
