"""The company of the sample world: its channels, events, people and the numbers of its chain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.sample.chain import Chain, Exit, Floats, Source, State
from pipeline.sample.timeline import DAY, HOUR, SECOND

LEVELS = ("unaware", "curious", "interested", "ready", "bot")
CHANNELS = ("seo", "sea", "social", "email", "webinar", "referral", "direct")
CHANNEL_MIX = np.array([0.24, 0.16, 0.14, 0.12, 0.08, 0.08, 0.18])
SHIFTED_MIX = CHANNEL_MIX * np.array([1, 2, 2, 1, 1, 1, 1]) / (1 + CHANNEL_MIX[1] + CHANNEL_MIX[2])

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
PAUSE = 60 * DAY  # from a loss to the earliest return
HORIZON_DAYS = 30

# When a row of each source becomes known, whatever the lead's intent. The CRM knows at once; the mail provider
# delivers its log six hours later, and its file doesn't say so.
PROMPT_DELAY = SECOND
LATE_SHARE, SHORTEST_LATENESS, LONGEST_LATENESS = 0.10, DAY, 10 * DAY
EMAIL_DELAY = 6 * HOUR


@dataclass(frozen=True)
class EventType:
    """One type of event: its rates a week by level, and the factors on them by state.

    rates: one for each of LEVELS, while the lead is open or worked.
    activity: factors while anonymous, open, worked, and after a loss.
    """

    name: str
    source: Source
    rates: tuple[float, float, float, float, float]
    activity: tuple[float, float, float, float]


_WEB = (1.0, 1.0, 1.2, 0.08)
_MAIL = (0.0, 1.0, 1.0, 0.12)
EVENT_TYPES = (
    EventType("page_view", Source.WEB, (0.90, 1.70, 2.50, 3.20, 30.0), _WEB),
    EventType("download", Source.WEB, (0.05, 0.14, 0.25, 0.30, 1.0), _WEB),
    EventType("pricing_view", Source.WEB, (0.03, 0.08, 0.28, 0.70, 1.0), _WEB),
    # A form names its sender, and a lost lead's form reopens the case.
    EventType("form", Source.WEB, (0.02, 0.05, 0.10, 0.16, 0.4), (0.0, 1.0, 1.2, 0.0)),
    EventType("cart", Source.WEB, (0.01, 0.03, 0.08, 0.22, 0.1), _WEB),
    EventType("newsletter_open", Source.EMAIL, (0.35, 0.50, 0.55, 0.55, 0.9), _MAIL),
    EventType("newsletter_click", Source.EMAIL, (0.03, 0.09, 0.14, 0.16, 0.9), _MAIL),
    EventType("email_open", Source.EMAIL, (0.30, 0.50, 0.70, 0.85, 0.9), _MAIL),
    EventType("email_click", Source.EMAIL, (0.03, 0.08, 0.20, 0.32, 0.9), _MAIL),
    EventType("unsubscribe", Source.EMAIL, (0.030, 0.012, 0.006, 0.004, 0.001), _MAIL),
    EventType("webinar_attended", Source.CRM_LEAD, (0.010, 0.035, 0.060, 0.060, 0.0005), (0.0, 1.0, 1.0, 0.1)),
    EventType("call_answered", Source.CRM_LEAD, (0.10, 0.20, 0.35, 0.50, 0.01), (0.0, 0.1, 1.0, 0.0)),
    EventType("meeting", Source.CRM_LEAD, (0.01, 0.04, 0.12, 0.28, 0.0005), (0.0, 0.05, 1.0, 0.0)),
    EventType("quote_request", Source.CRM_LEAD, (0.002, 0.008, 0.035, 0.120, 0.0005), (0.0, 0.5, 1.0, 0.0)),
    EventType("call_made", Source.CRM_SALES, (0.70, 0.80, 0.95, 1.10, 0.5), (0.0, 0.08, 1.0, 0.0)),
    EventType("mail_sent", Source.CRM_SALES, (0.60, 0.70, 0.80, 0.90, 0.5), (0.0, 0.10, 1.0, 0.0)),
)
TYPE_NAMES = tuple(event_type.name for event_type in EVENT_TYPES)

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
_TRANSITION = np.array(
    [
        [0.950, 0.043, 0.006, 0.001, 0],
        [0.060, 0.875, 0.057, 0.008, 0],
        [0.015, 0.075, 0.840, 0.070, 0],
        [0.010, 0.030, 0.110, 0.850, 0],
        [0, 0, 0, 0, 1],
    ]
)
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

_CONVERSION_BY_CHANNEL = (1.0, 0.85, 0.65, 0.9, 1.2, 1.5, 1.1)
_OPEN_HAZARDS = {
    Exit.CONTACT: (0.010, 0.030, 0.100, 0.300, 0.03),
    Exit.CONVERT: (0.0001, 0.0003, 0.0019, 0.0185, 0),
    Exit.LOSE: (0.120, 0.075, 0.040, 0.025, 0.10),
}
_WORKED_HAZARDS = {
    Exit.CONVERT: (0.0003, 0.0010, 0.0058, 0.0550, 0),
    Exit.LOSE: (0.300, 0.180, 0.090, 0.040, 0.80),
}
_REOPEN_HAZARDS = (0.002, 0.010, 0.030, 0.060, 0)


def _initial() -> Floats:
    small = np.array([_INITIAL_BY_CHANNEL[channel] for channel in CHANNELS])
    large = small * np.array(_LARGE_COMPANY_FACTORS)
    return np.stack([small, large / large.sum(axis=1, keepdims=True)], axis=1)


def _rates() -> Floats:
    # A lost lead behaves the same during the pause and after it.
    activity = np.array([(*event_type.activity, event_type.activity[-1]) for event_type in EVENT_TYPES])
    by_level = np.array([event_type.rates for event_type in EVENT_TYPES])
    by_channel = np.array([[_CHANNEL_FACTORS.get((channel, name), 1.0) for name in TYPE_NAMES] for channel in CHANNELS])
    return np.asarray(np.einsum("ts,ct,tl->sclt", activity, by_channel, by_level))


def _hazards() -> Floats:
    hazards = np.zeros((len(Exit) - 1, len(State), len(CHANNELS), len(LEVELS)))
    for state, by_exit in ((State.OPEN, _OPEN_HAZARDS), (State.WORKED, _WORKED_HAZARDS)):
        for exit_, by_level in by_exit.items():
            hazards[exit_, state] = by_level
    hazards[Exit.CONVERT] *= np.array(_CONVERSION_BY_CHANNEL)[:, None]
    hazards[Exit.REOPEN, State.LOST] = _REOPEN_HAZARDS
    return hazards


COMPANY = Chain(
    initial=_initial(),
    transition=_TRANSITION,
    rates=_rates(),
    hazards=_hazards(),
    sources=tuple(event_type.source for event_type in EVENT_TYPES),
)
