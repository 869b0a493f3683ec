"""What to do next with a lead, and through which channel: the first rule of a table that fits it.

    tier  maturity  last act  rule                                                       the lead
    SQL   hot       meeting   {tier: [SQL], action: call_today, channels: [telephone]}   call today, by telephone
    SQL   hot       meeting   the same; but the telephone is closed                      what a later rule says
    MQL   warm      cart      {last_act: [cart], action: remind_of_cart, channels: [mail]}      remind, by mail
    MQL   warm      download  {tier: [MQL], action: send_case_study, sends: buying-guide, channels: [mail]}
                              send the guide; but who has had it already: what a later rule says

Of the open channels of a rule it is one that the lead has answered to; of several of these, or where it has answered to
none, the one that the rule names first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import MinLen

from features.core.schema import Channel, ListReason, Tier
from features.core.section import SettingsSection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Maturity = Literal["cold", "warm", "hot"]
Listed = Literal["sales", "marketing", "none"]
Recontact = Literal["now", "later", "close"]
Text = Annotated[str, MinLen(1)]
NOTHING = "none"
"""Of a lead that no rule fits."""
_OPEN: tuple[Tier, ...] = ("SQL", "recycled", "MQL", "IQL")
WAIT_UNTIL = "wait_until"
"""Until the date to come back, which the words of it name."""
ACTIONS: Mapping[str, str] = {
    "call_today": "call today",
    "leave_to_owner": "leave to its owner",
    "wait_for_place": "wait for a place",
    "take_up_again": "take up again",
    "keep_nurturing": "keep nurturing",
    "invite_to_webinar": "invite to a webinar",
    "send_case_study": "send the case study",
    "remind_of_cart": "remind of the cart",
    "wait": "wait",
    WAIT_UNTIL: "wait until {day}",
    "close": "close",
    NOTHING: "none",
}
"""The actions that we have words for, in those that a CRM is given; {day} is the date to come back."""


@dataclass(frozen=True)
class Rule(SettingsSection):
    """What to do with leads of which all holds that it asks for; what it does not ask for may be anything."""

    action: Annotated[str, MinLen(1)]
    """The code of what is to be done: call_today, or one of your own, in small letters."""
    channels: tuple[Channel, ...] = ()
    """Ways to the lead: mail, telephone, advertising. One must be open; without any, none is needed."""
    sends: Text | None = None
    """The content that the action gives the lead: who has an event with it already is left to later rules."""
    tier: tuple[Tier, ...] | None = None
    """Its tier is one of these; without it, any but customer and disqualified, or any where recontact is given."""
    maturity: tuple[Maturity, ...] | None = None
    """Its maturity is one of these."""
    list: tuple[Listed, ...] | None = None
    """It is on one of these lists today."""
    list_reason: tuple[ListReason, ...] | None = None
    """For one of these reasons it gets no hour of sales today, though it is worth one; untouched marks some that do."""
    fact: tuple[Text, ...] | None = None
    """One of these facts holds, by its name under decision.facts."""
    last_act: tuple[Text, ...] | None = None
    """What it did last itself is of one of these event types."""
    content: tuple[Text, ...] | None = None
    """The last content that it dealt with itself is one of these."""
    recontact: tuple[Recontact, ...] | None = None
    """It was lost or is quiet, and the date to come back (recontact_on) has come, is to come, or it is to be closed."""

    def __post_init__(self) -> None:
        if not self.action.isascii() or not self.action.replace("_", "").isalnum() or not self.action.islower():
            raise ValueError(f"action: {self.action!r} is no code; write small letters, digits and _, as in call_today")
        if self.sends is not None and not self.channels:
            raise ValueError(f"{self.action} sends {self.sends!r}, but through no channel; name one, as in [mail]")


DEFAULT: tuple[Rule, ...] = (
    Rule("call_today", ("telephone",), list=("sales",)),
    Rule("leave_to_owner", list_reason=("in work",)),
    Rule("wait_for_place", list_reason=("capacity", "untouched")),
    Rule("wait", list_reason=("agreed later", "account", "no owner")),
    Rule("close", recontact=("close",)),
    Rule(WAIT_UNTIL, recontact=("later",)),
    Rule("take_up_again", ("mail", "telephone"), recontact=("now",)),
    Rule("take_up_again", ("mail", "telephone"), tier=("recycled",)),
    Rule("keep_nurturing", ("mail",), tier=("SQL", "MQL")),
    Rule("wait"),
)


@dataclass(frozen=True)
class Leads:
    """What rules ask of leads, each of shape (n,)."""

    tier: NDArray[np.str_]
    maturity: NDArray[np.str_]
    list: NDArray[np.str_]
    list_reason: NDArray[np.object_]
    """None where there is none."""
    recontact: NDArray[np.str_]
    """now, later or close; empty where nothing is said of when to come back."""
    facts: Mapping[str, NDArray[np.bool_]]
    """Whether each fact holds, by its name."""
    is_open: Mapping[Channel, NDArray[np.bool_]]
    has_answered: Mapping[Channel, NDArray[np.bool_]]
    last_act: NDArray[np.object_]
    content: NDArray[np.object_]
    """The last content that each dealt with, None where there is none; as last_act."""
    has_had: Mapping[str, NDArray[np.bool_]]
    """Who had each content already, of those that rules send."""

    def fitting(self, rule: Rule) -> NDArray[np.bool_]:
        """Tell which leads are all that a rule asks for, whatever channels are open."""
        import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

        fits = np.ones(len(self.tier), dtype=bool)
        if rule.tier is None and rule.recontact is None:
            fits &= np.isin(self.tier, _OPEN)
        for name in ("tier", "maturity", "list", "list_reason", "recontact", "last_act", "content"):
            asked = getattr(rule, name)
            if asked is not None:
                fits &= _is_among(getattr(self, name), asked)
        if rule.fact is not None:
            fits &= np.any([self.facts[name] for name in rule.fact], axis=0)
        if rule.sends is not None:
            fits &= ~self.has_had[rule.sends]
        return fits


def _is_among(values: NDArray[np.generic], asked: Sequence[str]) -> NDArray[np.bool_]:
    import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

    found = np.zeros(len(values), dtype=bool)
    for one in asked:
        found |= values == one
    return found


def act(rules: Sequence[Rule], leads: Leads) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Give what to do with each lead and through which channel, None where none is needed: each of shape (n,)."""
    import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

    actions = np.full(len(leads.tier), NOTHING, dtype=object)
    channels = np.full(len(leads.tier), None, dtype=object)
    is_left = np.ones(len(leads.tier), dtype=bool)
    for rule in rules:
        fits = is_left & leads.fitting(rule)
        chosen = np.full(len(fits), None, dtype=object)
        # The last to write wins: open ones, then those that were answered, each with the first named at the end.
        for name in reversed(rule.channels):
            chosen[leads.is_open[name]] = name
        for name in reversed(rule.channels):
            chosen[leads.is_open[name] & leads.has_answered[name]] = name
        if rule.channels:
            fits &= chosen != None  # noqa: E711 - of each
        actions[fits], channels[fits] = rule.action, chosen[fits]
        is_left &= ~fits
    return actions, channels
