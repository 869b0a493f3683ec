"""Which events count: by what they are, who acted, and when in the lead's own day and week."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from features.core.errors import nearest
from features.core.schema import ACTORS

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of the week, in the lead's time zone."""

HOURS_A_DAY = 24


class Pooled(enum.Enum):
    """The values that are too rare for a feature of their own, and those never seen in training."""

    OTHER = "other"


OTHER = Pooled.OTHER
Value = str | Pooled | None
"""What an event has in one of its texts, or what a filter wants of it; None is missing, or no wish."""


@dataclass(frozen=True)
class Vocabulary:
    """The values that have features of their own; anything else is OTHER, and missing stays missing."""

    event_types: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    campaigns: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    ignored_types: tuple[str, ...] = ()
    """Event types that no feature sees, those of the outcomes among them."""
    acted_by_us: tuple[str, ...] = ()
    """Event types that were our own effort in training: no reason quotes them."""

    @property
    def known_types(self) -> list[str]:
        """Event types that are left out on purpose, outcomes and others, and those that have features of their own."""
        return list(dict.fromkeys((*self.ignored_types, *self.event_types)))

    def of(self, part: str) -> tuple[str, ...]:
        """Give the named values of event_type, channel, campaign or content."""
        named: tuple[str, ...] = getattr(self, f"{part}s")
        return named

    def labels(self, part: str) -> list[str]:
        """Give the texts that a category may hold; a value that is really called other is one of the others."""
        return list(dict.fromkeys((*self.of(part), OTHER.value)))


@dataclass(frozen=True)
class Kind:
    """What an event is to a filter. ``hour`` and ``weekday`` (0 is Monday) are of the lead's time zone."""

    event_type: str | Pooled
    channel: Value
    campaign: Value
    content: Value
    actor: str
    hour: int = 0
    weekday: int = 0


def weekday_of(local_day: int) -> int:
    """Give the weekday, 0 for Monday, of a day counted since 1970-01-01, which was a Thursday.

    >>> WEEKDAYS[weekday_of(0)]
    'thu'
    """
    return (local_day + 3) % 7


@dataclass(frozen=True)
class Filter:
    """Which events count; None lets all pass. Raises ValueError where a part makes no sense.

    ``hours`` is [from, to) in the lead's time zone, past midnight where ``from`` is the larger: (22, 6) is the night.
    """

    event_type: Value = None
    channel: Value = None
    campaign: Value = None
    content: Value = None
    actors: tuple[str, ...] = ("lead",)
    hours: tuple[int, int] | None = None
    weekdays: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for names, known, what in ((self.actors, ACTORS, "actor"), (self.weekdays or WEEKDAYS, WEEKDAYS, "weekday")):
            unknown = [name for name in names if name not in known]
            if unknown:
                raise ValueError(f"{unknown[0]!r} is no {what}; {nearest(unknown[0], known)}")
        if not self.actors or list(self.actors) != sorted(set(self.actors)):
            raise ValueError(f"actors must be some of {ACTORS}, each once and in that order; got {self.actors}")
        if self.weekdays is not None and (
            not self.weekdays or list(self.weekdays) != [day for day in WEEKDAYS if day in self.weekdays]
        ):
            raise ValueError(f"weekdays must be some of {WEEKDAYS}, each once and in that order; got {self.weekdays}")
        if self.hours is not None:
            start, end = self.hours
            if not (0 <= start < HOURS_A_DAY and 0 < end <= HOURS_A_DAY and start != end):
                raise ValueError(f"hours must be [from, to) within a day, as in [9, 17] or [22, 6]; got {self.hours}")
        if self.hours == (0, HOURS_A_DAY) or self.weekdays == WEEKDAYS:
            raise ValueError("all hours, or all days, filter nothing; leave them out")

    def matches(self, kind: Kind, vocabulary: Vocabulary) -> bool:
        """Tell whether an event of this kind counts."""
        return (
            kind.event_type not in vocabulary.ignored_types
            and kind.actor in self.actors
            and _matches(self.event_type, kind.event_type, vocabulary.event_types)
            and _matches(self.channel, kind.channel, vocabulary.channels)
            and _matches(self.campaign, kind.campaign, vocabulary.campaigns)
            and _matches(self.content, kind.content, vocabulary.contents)
            and (self.hours is None or within(self.hours, kind.hour))
            and (self.weekdays is None or WEEKDAYS[kind.weekday] in self.weekdays)
        )


def within(hours: tuple[int, int], hour: int) -> bool:
    """Tell whether an hour of the day lies in [from, to).

    >>> within((22, 6), 23), within((22, 6), 6)
    (True, False)
    """
    start, end = hours
    return start <= hour < end if start < end else hour >= start or hour < end


def _matches(wanted: Value, value: Value, named: tuple[str, ...]) -> bool:
    if wanted is None:
        return True
    if wanted is OTHER:
        return value is not None and value not in named
    return value == wanted
