"""The company of the sample world: its channels, events, people and the numbers of its chain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.sample.chain import EXITS, STATES, Chain, Exit, Floats, Source, State, Turn
from pipeline.sample.contents import CONTENT_SHARES
from pipeline.sample.timeline import DAY, HOUR, SECOND

LEVELS = ("unaware", "curious", "interested", "ready", "bot")
CHANNELS = ("seo", "sea", "social", "email", "webinar", "referral", "direct")
CHANNEL_MIX = np.array([0.24, 0.16, 0.14, 0.12, 0.08, 0.08, 0.18])

# The largest market first, each with the zone of its people and its share of leads.
COUNTRIES = ("NL", "DE", "BE", "GB", "FR", "PT", "US")
TIME_ZONES = (
    "Europe/Amsterdam",
    "Europe/Berlin",
    "Europe/Brussels",
    "Europe/London",
    "Europe/Paris",
    "Europe/Lisbon",
    "America/New_York",
)
COUNTRY_MIX = np.array([0.44, 0.18, 0.14, 0.09, 0.07, 0.04, 0.04])

LARGE_COMPANY = 50  # employees
COOKIE_SHARE, LONGEST_COOKIE_PHASE = 0.10, 21 * DAY
DUPLICATE_SHARE, DUPLICATE_FILING = 0.02, 0.5
EARLIEST_MERGE, LATEST_MERGE = 20 * DAY, 120 * DAY
MAIL_CONSENT = 0.8
HORIZON_DAYS = 30
# From a loss to the earliest return, in the order of LOSS_REASONS; longer than the horizon.
PAUSES = np.array([60, 120, 90, 180, 60]) * DAY

# When a row of each source becomes known, whatever the lead's intent. The CRM knows at once; the mail provider
# delivers its log six hours later, and its file doesn't say so.
PROMPT_DELAY = SECOND
LATE_SHARE, SHORTEST_LATENESS, LONGEST_LATENESS = 0.10, DAY, 10 * DAY
EMAIL_DELAY = 6 * HOUR


@dataclass(frozen=True)
class EventType:
    """One type of event: its rates a week by level, and the factors on them by state.

    rates: one for each of LEVELS, while the lead is open.
    activity: factors while anonymous, open, handed over, accepted, an opportunity, a customer, and after a loss.
    by_sales: sales acts, not the lead.
    shared: may be filed under a duplicate.
    contact: sales speaks with the lead, which may move its intent.
    """

    name: str
    source: Source
    rates: tuple[float, float, float, float, float]
    activity: tuple[float, float, float, float, float, float, float]
    by_sales: bool = False
    shared: bool = True
    contact: bool = False


_WEB = (1.0, 1.0, 1.0, 1.2, 1.3, 0.35, 0.08)
_MAIL = (0.0, 1.0, 1.0, 1.0, 1.0, 0.60, 0.12)
EVENT_TYPES = (
    EventType("page_view", Source.WEB, (0.90, 1.70, 2.50, 3.20, 30.0), _WEB),
    EventType("download", Source.WEB, (0.05, 0.14, 0.25, 0.30, 1.0), _WEB),
    EventType("pricing_view", Source.WEB, (0.03, 0.08, 0.28, 0.70, 1.0), _WEB),
    # A form names its sender, and a form of a lost lead or of a customer opens a new case.
    EventType("form", Source.WEB, (0.02, 0.05, 0.10, 0.16, 0.4), (0.0, 1.0, 1.0, 1.2, 1.2, 0.0, 0.0)),
    EventType("cart", Source.WEB, (0.01, 0.03, 0.08, 0.22, 0.1), _WEB),
    EventType("newsletter_open", Source.EMAIL, (0.35, 0.50, 0.55, 0.55, 0.9), _MAIL),
    EventType("newsletter_click", Source.EMAIL, (0.03, 0.09, 0.14, 0.16, 0.9), _MAIL),
    EventType("email_open", Source.EMAIL, (0.30, 0.50, 0.70, 0.85, 0.9), _MAIL),
    EventType("email_click", Source.EMAIL, (0.03, 0.08, 0.20, 0.32, 0.9), _MAIL),
    # Who unsubscribes names the address that is written to, which is never the duplicate's.
    EventType("unsubscribe", Source.EMAIL, (0.030, 0.012, 0.006, 0.004, 0.001), _MAIL, shared=False),
    EventType(
        "webinar_attended", Source.CRM, (0.010, 0.035, 0.060, 0.060, 0.0005), (0.0, 1.0, 1.0, 1.0, 1.0, 0.3, 0.1)
    ),
    EventType("call_answered", Source.CRM, (0.10, 0.20, 0.35, 0.50, 0.01), (0.0, 0.1, 0.1, 1.0, 1.0, 0.0, 0.0)),
    EventType("quote_request", Source.CRM, (0.002, 0.008, 0.035, 0.120, 0.0005), (0.0, 0.5, 0.5, 1.0, 1.5, 0.0, 0.0)),
    EventType(
        "meeting",
        Source.CRM,
        (0.01, 0.04, 0.12, 0.28, 0.0005),
        (0.0, 0.05, 0.0, 1.0, 1.5, 0.0, 0.0),
        shared=False,
        contact=True,
    ),
    EventType(
        "call_made",
        Source.CRM,
        (0.70, 0.80, 0.95, 1.10, 0.5),
        (0.0, 0.06, 0.0, 1.0, 1.0, 0.0, 0.0),
        by_sales=True,
        shared=False,
        contact=True,
    ),
    EventType(
        "mail_sent",
        Source.CRM,
        (0.60, 0.70, 0.80, 0.90, 0.5),
        (0.0, 0.10, 0.0, 1.0, 1.0, 0.0, 0.0),
        by_sales=True,
        shared=False,
    ),
)
TYPE_NAMES = tuple(event_type.name for event_type in EVENT_TYPES)
BY_LEAD = frozenset(event_type.name for event_type in EVENT_TYPES if not event_type.by_sales)

# Where people came from colours what they do, whatever their intent.
_CHANNEL_FACTORS = {
    ("email", "newsletter_open"): 1.6,
    ("email", "email_open"): 1.4,
    ("webinar", "webinar_attended"): 2.5,
    ("sea", "page_view"): 1.2,
    ("social", "page_view"): 0.8,
    ("direct", "pricing_view"): 1.3,
}

# Levels in the order of LEVELS; nobody becomes a bot and no bot becomes a person.
_PLAIN = np.array(
    [
        [0.950, 0.043, 0.006, 0.001, 0],
        [0.060, 0.875, 0.057, 0.008, 0],
        [0.015, 0.075, 0.840, 0.070, 0],
        [0.010, 0.030, 0.110, 0.850, 0],
        [0, 0, 0, 0, 1],
    ]
)
# What a contact does before the week turns: nothing to the unaware and the ready, some of the curious are put off, and
# many of the interested are won.
CONTACT_EFFECT = np.array(
    [
        [1, 0, 0, 0, 0],
        [0.20, 0.79, 0.01, 0, 0],
        [0, 0.03, 0.52, 0.45, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 0, 1],
    ]
)
# Who has bought has no need for a while.
_AFTER_SALE = (0.45, 0.40, 0.13, 0.02, 0)

_INITIAL_BY_CHANNEL = {
    "seo": (0.48, 0.35, 0.13, 0.03, 0.01),
    "sea": (0.51, 0.32, 0.12, 0.04, 0.01),
    "social": (0.66, 0.26, 0.06, 0.01, 0.01),
    "email": (0.50, 0.35, 0.12, 0.02, 0.01),
    "webinar": (0.31, 0.41, 0.23, 0.045, 0.005),
    "referral": (0.30, 0.36, 0.24, 0.095, 0.005),
    "direct": (0.45, 0.31, 0.16, 0.065, 0.015),
}
_LARGE_COMPANY_FACTORS = (0.8, 1.0, 1.4, 1.7, 1.0)

# Hazards a week, by level.
_CONVERSION_BY_CHANNEL = (1.0, 0.85, 0.65, 0.9, 1.2, 1.5, 1.1)
_ACCEPTED_LOSSES = (0.300, 0.180, 0.090, 0.040, 0.80)
_CONVERT = {
    State.OPEN: (0.0001, 0.0003, 0.0019, 0.0185, 0),
    State.HANDED_OVER: (0.0001, 0.0003, 0.0019, 0.0185, 0),
    State.ACCEPTED: (0.0003, 0.0010, 0.0040, 0.0280, 0),
    State.OPPORTUNITY: (0.0006, 0.0020, 0.0100, 0.0780, 0),
}
_LOSE = {
    State.OPEN: (0.120, 0.075, 0.040, 0.025, 0.10),
    State.HANDED_OVER: (0.060, 0.040, 0.020, 0.010, 0.05),
    State.ACCEPTED: _ACCEPTED_LOSSES,
    State.OPPORTUNITY: _ACCEPTED_LOSSES,
}
_MOVE = {
    (Exit.HAND_OVER, State.OPEN): (0.010, 0.030, 0.100, 0.300, 0.03),
    (Exit.ACCEPT, State.HANDED_OVER): (0.8, 1.6, 3.0, 4.5, 0.3),
    (Exit.OPEN_OPPORTUNITY, State.ACCEPTED): (0.010, 0.030, 0.120, 0.350, 0),
}
_REFUSE = (2.4, 1.5, 0.8, 0.3, 3.0)
# Why, in the order of REFUSAL_REASONS, by level: too early, no budget, no need, not reached, wrong contact, outside.
_WHY_REFUSED = (
    (0.15, 0.10, 0.30, 0.20, 0.15, 0.10),
    (0.35, 0.15, 0.15, 0.15, 0.12, 0.08),
    (0.35, 0.30, 0.05, 0.15, 0.10, 0.05),
    (0.20, 0.45, 0.02, 0.20, 0.10, 0.03),
    (0.02, 0.03, 0.05, 0.40, 0.10, 0.40),
)
# Why, in the order of LOSS_REASONS, by level: no answer, no need, budget postponed, competitor, outside the target.
_WHY_LOST = (
    (0.40, 0.35, 0.05, 0.05, 0.15),
    (0.35, 0.30, 0.15, 0.10, 0.10),
    (0.25, 0.15, 0.30, 0.24, 0.06),
    (0.15, 0.05, 0.40, 0.37, 0.03),
    (0.60, 0.05, 0.00, 0.00, 0.35),
)
_RETURN = (0.002, 0.010, 0.030, 0.060, 0)
_RETURN_BY_REASON = (1.0, 0.5, 2.0, 0.7, 0.0)
_BUY_AGAIN = (0.001, 0.004, 0.015, 0.050, 0)

AWAY_FACTOR = 0.08
"""What is left of sales' acts and decisions in weeks in which nobody is there: a colleague looks in."""
SHIFTED_MIX_FACTORS = np.array([1, 2, 2, 1, 1, 1, 1])
SHIFTED_CONVERSION, SHIFTED_PRICING_VIEWS = 0.6, 0.35
"""After a shift, where one is asked for: prices have moved to the product pages, and fewer buy."""
AWAY, SHIFTED = 1, 2
"""Regimes: their sum says which hold in a week."""
_REGIMES = AWAY + SHIFTED + 1


def _initial() -> Floats:
    small = np.array([_INITIAL_BY_CHANNEL[channel] for channel in CHANNELS])
    large = small * np.array(_LARGE_COMPANY_FACTORS)
    return np.stack([small, large / large.sum(axis=1, keepdims=True)], axis=1)


def _transitions() -> Floats:
    sold = np.array([*[_AFTER_SALE] * 4, (0, 0, 0, 0, 1)])
    return np.stack([{Turn.PLAIN: _PLAIN, Turn.CONTACTED: CONTACT_EFFECT @ _PLAIN, Turn.SOLD: sold}[t] for t in Turn])


def _rates() -> Floats:
    activity = np.array([event_type.activity for event_type in EVENT_TYPES])
    # A lost lead behaves the same during the pause and after it, whatever the reason.
    activity = activity[:, np.minimum(np.arange(STATES), State.PAUSED)]
    by_level = np.array([event_type.rates for event_type in EVENT_TYPES])
    by_channel = np.array([[_CHANNEL_FACTORS.get((channel, name), 1.0) for name in TYPE_NAMES] for channel in CHANNELS])
    rates = np.repeat(np.einsum("ts,ct,tl->sclt", activity, by_channel, by_level)[None], _REGIMES, axis=0)
    of_sales = [event_type.by_sales or event_type.contact for event_type in EVENT_TYPES]
    rates[AWAY::2, ..., of_sales] *= AWAY_FACTOR
    rates[SHIFTED:, ..., TYPE_NAMES.index("pricing_view")] *= SHIFTED_PRICING_VIEWS
    return rates


def _hazards() -> Floats:
    hazards = np.zeros((EXITS, STATES, len(CHANNELS), len(LEVELS)))
    for (exit_, state), by_level in _MOVE.items():
        hazards[exit_, state] = by_level
    for state, by_level in _CONVERT.items():
        hazards[Exit.CONVERT, state] = np.array(by_level) * np.array(_CONVERSION_BY_CHANNEL)[:, None]
    for reason, shares in enumerate(np.array(_WHY_REFUSED).T):
        hazards[Exit.REFUSE + reason, State.HANDED_OVER] = np.array(_REFUSE) * shares
    for reason, shares in enumerate(np.array(_WHY_LOST).T):
        for state, by_level in _LOSE.items():
            hazards[Exit.LOSE + reason, state] = np.array(by_level) * shares
        hazards[Exit.REOPEN, State.LOST + reason] = np.array(_RETURN) * _RETURN_BY_REASON[reason]
    hazards[Exit.REOPEN, State.CUSTOMER] = _BUY_AGAIN
    hazards = np.repeat(hazards[:, None], _REGIMES, axis=1)
    hazards[Exit.ACCEPT, AWAY::2] *= AWAY_FACTOR
    hazards[Exit.REFUSE : Exit.LOSE, AWAY::2] *= AWAY_FACTOR
    hazards[Exit.OPEN_OPPORTUNITY, AWAY::2] *= AWAY_FACTOR
    hazards[Exit.CONVERT, SHIFTED:] *= SHIFTED_CONVERSION
    return hazards


COMPANY = Chain(
    initial=_initial(),
    transitions=_transitions(),
    rates=_rates(),
    hazards=_hazards(),
    contents=CONTENT_SHARES,
    sources=tuple(event_type.source for event_type in EVENT_TYPES),
    shared=tuple(event_type.shared for event_type in EVENT_TYPES),
    contacts=tuple(event_type.contact for event_type in EVENT_TYPES),
)
