"""The measures: every way there is to turn the events of a window into a value, and all that is special to each.

What each means to the last bit stands in ``features.engines.reference``, how it is computed fast in
``features.engines.kernel``; all else follows from its entry here. ``docs/features.md`` lists them for readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Literal

Setting = Literal["window", "half_life", "baseline", "of", "position", "than"]
"""What a declaration may say beside its filter."""

SESSION_SILENCE_MINUTES = 30
"""This much silence ends a session."""

Part = Literal["event_type", "channel", "campaign", "content", "hours", "weekdays"]
TOUCHED: tuple[Part, ...] = ("event_type", "channel", "campaign", "content")
"""What an event is told by, where a measure asks which one it was."""
SHARED: tuple[Part, ...] = (*TOUCHED, "hours", "weekdays")
"""The conditions of a filter that a share may be of."""

Words = Callable[..., str]
"""Gets, by name, what ``features.language.words.describe`` says of a feature, and ``value`` where there is one."""


@dataclass(frozen=True)
class Counterpart:
    """What a measure of two parts compares its events with: those of another filter, or of another window."""

    alone: str
    """What an event that is in it alone is counted as, in words."""
    both: str = "counted"
    """What an event that is in both parts is counted as."""
    filter: Literal["filter", "whole", "rival"] = "filter"
    """Which of the feature's filters they pass."""
    window: Literal["window", "baseline"] = "window"
    """In which of its windows."""
    operand: Literal["count", "last_place"] = "count"
    """What is compared: how many events either part has, or which row is its last."""


@dataclass(frozen=True)
class Measure:
    """One way to turn the events of a window into a value: a number or, where ``unit`` is "category", a text."""

    name: str
    meaning: str
    unit: str
    _: KW_ONLY
    words: Words
    """Puts a value into words, as a reason for a recommendation."""
    absent: Words = "no {events}".format
    """Puts a missing value into words."""
    never: float = math.nan
    """Its value where no event matches; NaN is missing."""
    example: tuple[Mapping[str, object], float | str]
    """What a declaration may say, as in the settings, and a value that it may have."""
    takes: tuple[Setting, ...] = ("window",)
    needs: tuple[Setting, ...] = ()
    """Those of ``takes`` that it can't be computed without."""
    parts: tuple[Part, ...] = TOUCHED
    """What ``of`` may name."""
    reads: tuple[Literal["value", "label", "local_day", "created_at"], ...] = ()
    """What it asks for beside times and quantities. A label is what ``of`` names; ``created_at`` is the lead's."""
    keeps: Literal["days", "sessions"] | None = None
    """What the kernel must keep running totals of."""
    counterpart: Counterpart | None = None
    tells_when: bool = False
    """Whether its value is how long ago the last event was: reasons tell by it on which day."""

    @property
    def is_category(self) -> bool:
        """Whether its values are texts."""
        return self.unit == "category"

    @property
    def has_whole(self) -> bool:
        """Whether it is a share of a whole, for which conditions are dropped."""
        return self.counterpart is not None and self.counterpart.filter == "whole"


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure(
            "count",
            "how many events (the sum of their quantities)",
            "events",
            words=lambda value, event, events, when, **_: f"{value:.0f} {event if value == 1 else events} {when}",
            never=0.0,
            example=({"event_type": "quote_request", "window": "30d"}, 3.0),
        ),
        Measure(
            "sum",
            "the sum of the events' values, a missing value counting nothing",
            "the log's own",
            words="{events} worth {value:.2f} {when}".format,
            never=0.0,
            example=({"event_type": "cart", "window": "90d"}, 129.9),
            reads=("value",),
        ),
        Measure(
            "mean_value",
            "the mean of the values that are not missing",
            "the log's own",
            words="{events} worth {value:.2f} on average {when}".format,
            absent="no value of {events}".format,
            example=({"event_type": "cart"}, 43.3),
            reads=("value",),
        ),
        Measure(
            "max_value",
            "the largest value",
            "the log's own",
            words="{events} worth up to {value:.2f} {when}".format,
            absent="no value of {events}".format,
            example=({"event_type": "cart", "window": "90d"}, 79.0),
            reads=("value",),
        ),
        Measure(
            "active_days",
            "on how many distinct local days there was an event",
            "days",
            words=lambda value, events, when, **_: (
                f"active on {'one day' if value == 1 else f'{value:.0f} days'} {when} ({events})"
            ),
            never=0.0,
            example=({"window": "7d"}, 4.0),
            reads=("local_day",),
            keeps="days",
        ),
        Measure(
            "days_since_first",
            "time from the first event to as_of",
            "days",
            words="first {event} {value:.1f} days ago".format,
            absent="no {event}".format,
            example=({"channel": "email"}, 61.5),
            takes=(),
        ),
        Measure(
            "days_since_last",
            "time from the last event to as_of",
            "days",
            words="last {event} {value:.1f} days ago".format,
            absent="no {event}".format,
            example=({"event_type": "page_view"}, 0.4),
            takes=(),
            tells_when=True,
        ),
        Measure(
            "days_to_first",
            "time from the lead's creation to the first event; negative where it came before",
            "days",
            words=lambda value, event, **_: (
                f"first {event} {abs(value):.1f} days {'before' if value < 0 else 'after'} creation"
            ),
            absent="no {event}".format,
            example=({"event_type": "quote_request"}, 2.5),
            takes=(),
            reads=("created_at",),
        ),
        Measure(
            "decayed_count",
            "how many events, each halved in weight for every half-life that has passed, by whole hours",
            "events",
            words="{value:.1f} recent {events}, older ones counting less".format,
            never=0.0,
            example=({"event_type": "email_click", "half_life": "14d"}, 1.7),
            takes=("window", "half_life"),
            needs=("half_life",),
        ),
        Measure(
            "mean_gap",
            "the mean time between one event and the next",
            "days",
            words="{value:.1f} days between {events} on average {when}".format,
            absent="no two {events}".format,
            example=({"window": "30d"}, 2.2),
        ),
        Measure(
            "gap_deviation",
            "the standard deviation of the times between events (of a sample: at least two gaps)",
            "days",
            words="times between {events} {when} vary by {value:.1f} days".format,
            absent="no three {events}".format,
            example=({}, 1.3),
        ),
        Measure(
            "max_gap",
            "the longest time between one event and the next",
            "days",
            words="up to {value:.1f} days between {events} {when}".format,
            absent="no two {events}".format,
            example=({"event_type": "page_view"}, 12.0),
        ),
        Measure(
            "momentum",
            "the rate of events in the window over their rate in the longer baseline, which ends with it: "
            "1 is steady, more is speeding up",
            "ratio",
            words="{events} {when} at {value:.1f} times the pace of the last {baseline}".format,
            example=({"window": "7d", "baseline": "28d"}, 2.4),
            takes=("window", "baseline"),
            needs=("window", "baseline"),
            counterpart=Counterpart("counted in the baseline alone", window="baseline"),
        ),
        Measure(
            "share",
            "which share of the actors' events passes the filter; `of` names the one condition to drop for the whole, "
            "all are dropped without it",
            "share",
            words="{events} are {value:.0%} of {whole} {when}".format,
            absent="no event".format,
            example=({"event_type": "page_view", "channel": "email", "window": "30d", "of": "channel"}, 0.25),
            takes=("window", "of"),
            parts=SHARED,
            counterpart=Counterpart("counted in the whole alone", filter="whole"),
        ),
        Measure(
            "entropy",
            "how mixed the events are by what `of` names: 0 where all are alike",
            "bits",
            words="{events} {when} mixed by {of} ({value:.1f} bits)".format,
            absent="no {of} of {events}".format,
            example=({"window": "30d", "of": "channel"}, 1.5),
            takes=("window", "of"),
            needs=("of",),
            reads=("label",),
        ),
        Measure(
            "sessions",
            f"how many sessions: {SESSION_SILENCE_MINUTES} minutes' silence ends one",
            "sessions",
            words=lambda value, events, when, **_: f"{value:.0f} session{'' if value == 1 else 's'} {when} ({events})",
            never=0.0,
            example=({"window": "7d"}, 5.0),
            keeps="sessions",
        ),
        Measure(
            "session_minutes",
            "the mean length of a session, from its first event to its last",
            "minutes",
            words="sessions of {value:.0f} minutes on average {when} ({events})".format,
            example=({"event_type": "page_view"}, 12.0),
            keeps="sessions",
        ),
        Measure(
            "session_events",
            "the mean number of events in a session",
            "events",
            words="{value:.1f} events a session on average {when} ({events})".format,
            example=({"weekdays": ["sat", "sun"]}, 3.4),
            keeps="sessions",
        ),
        Measure(
            "first_touch",
            "what `of` names, of the first event that has it (`position` 2: of the second)",
            "category",
            words="{of} of {first} {event} {when}: {value}".format,
            absent="no {of} of {first} {event}".format,
            example=({"of": "channel"}, "email"),
            takes=("window", "of", "position"),
            needs=("of",),
            reads=("label",),
        ),
        Measure(
            "last_touch",
            "what `of` names, of the last event that has it (`position` 2: of the last but one)",
            "category",
            words="{of} of {last} {event} {when}: {value}".format,
            absent="no {of} of {last} {event}".format,
            example=({"of": "event_type", "position": 2}, "page_view"),
            takes=("window", "of", "position"),
            needs=("of",),
            reads=("label",),
        ),
        Measure(
            "came_after",
            "1 where the last event came after the last one of the type `than`, or there was none of that; otherwise 0",
            "yes or no",
            words=lambda value, event, than, **_: f"last {event} came {'after' if value else 'before'} the last {than}",
            absent="no {event} and no {than}".format,
            example=({"event_type": "unsubscribed", "than": "quote_request"}, 1.0),
            takes=("than",),
            needs=("than",),
            counterpart=Counterpart(
                "counted as the rival", "counted on both sides", filter="rival", operand="last_place"
            ),
        ),
    )
}
