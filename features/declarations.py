"""What a feature is: a measure over a filter and a window, declared as frozen data.

A declaration that makes no sense can't be built. What it means, number by number, stands in
``features.reference``; how it is computed fast, in ``features.kernel``. Names are derived:

>>> Feature("count", Filter(event_type="email_open"), window=timedelta(days=30)).slug
'count__email_open__30d'
>>> Feature("count", Filter(), half_life=timedelta(days=7))
Traceback (most recent call last):
    ...
ValueError: count takes no half_life; leave it out, or use decayed_count
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from features.duration import DAY, HOUR, format_duration, parse_duration
from features.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ACTORS = ("lead", "system", "us")
"""Who can have acted, in byte order."""


@dataclass(frozen=True)
class Measure:
    """One way to turn the events of a window into a number."""

    name: str
    code: int
    """What the kernel knows it by."""
    meaning: str
    unit: str
    empty: float
    """Its value where no event matches."""
    has_window: bool = True
    has_half_life: bool = False


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("count", 0, "how many events (the sum of their quantities)", "events", 0.0),
        Measure("sum", 1, "the sum of the events' values, a missing value counting nothing", "the log's own", 0.0),
        Measure("active_days", 2, "on how many distinct local days there was an event", "days", 0.0),
        Measure("days_since_first", 3, "time from the first event to as_of", "days", np.nan, has_window=False),
        Measure("days_since_last", 4, "time from the last event to as_of", "days", np.nan, has_window=False),
        Measure(
            "decayed_count",
            5,
            "how many events, each halved in weight for every half-life that has passed, by whole hours",
            "events",
            0.0,
            has_half_life=True,
        ),
    )
}


class Pooled(enum.Enum):
    """The values that are too rare for a feature of their own, and those never seen in training."""

    OTHER = "other"


OTHER = Pooled.OTHER


@dataclass(frozen=True)
class Vocabulary:
    """The values that have features of their own; anything else is OTHER, and missing stays missing."""

    event_types: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    ignored_types: tuple[str, ...] = ()
    """Event types that no feature sees, those of the outcomes among them."""
    acted_by_us: tuple[str, ...] = ()
    """Event types that were our own effort in training: no reason quotes them."""


@dataclass(frozen=True)
class Filter:
    """Which events count; None lets all pass."""

    event_type: str | Pooled | None = None
    channel: str | Pooled | None = None
    campaign: str | None = None
    actors: tuple[str, ...] = ("lead",)

    def __post_init__(self) -> None:
        unknown = [actor for actor in self.actors if actor not in ACTORS]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no actor; {nearest(unknown[0], ACTORS)}")
        if not self.actors or list(self.actors) != sorted(set(self.actors)):
            raise ValueError(f"actors must be some of {ACTORS}, each once and in that order; got {self.actors}")

    def matches(
        self, event_type: str, channel: str | None, campaign: str | None, actor: str, vocabulary: Vocabulary
    ) -> bool:
        """Tell whether an event with these four values counts."""
        return (
            event_type not in vocabulary.ignored_types
            and actor in self.actors
            and _matches(self.event_type, event_type, vocabulary.event_types)
            and _matches(self.channel, channel, vocabulary.channels)
            and self.campaign in (None, campaign)
        )


def _matches(wanted: str | Pooled | None, value: str | None, named: tuple[str, ...]) -> bool:
    if wanted is None:
        return True
    if wanted is OTHER:
        return value is not None and value not in named
    return value == wanted


@dataclass(frozen=True)
class Feature:
    """A measure over the events that pass a filter within a window before ``as_of``.

    ``window`` of None reaches back to the first event. Raises ValueError where the parts don't go together.
    """

    measure: str
    filter: Filter = field(default_factory=Filter)
    window: timedelta | None = None
    half_life: timedelta | None = None

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise ValueError(f"{self.measure!r} is no measure; {nearest(self.measure, MEASURES)}")
        measure = MEASURES[self.measure]
        if self.window is not None and not measure.has_window:
            raise ValueError(f"{self.measure} takes no window; leave it out, or count over that window")
        if self.half_life is not None and not measure.has_half_life:
            raise ValueError(f"{self.measure} takes no half_life; leave it out, or use decayed_count")
        if self.half_life is None and measure.has_half_life:
            raise ValueError(f"{self.measure} needs a half_life, as in half_life: 14d")
        for name, length in (("window", self.window), ("half_life", self.half_life)):
            if length is not None and (length < HOUR or length % HOUR):
                raise ValueError(f"{name} must be a multiple of an hour, as in '36h'; got {length}")

    @property
    def slug(self) -> str:
        """The name, as long as no other feature shares it."""
        parts = [self.measure]
        if isinstance(self.filter.event_type, str):
            parts.append(slugify(self.filter.event_type))
        elif self.filter.event_type is OTHER:
            parts.append("other")
        if self.filter.channel is not None:
            parts.append(f"channel_{'other' if self.filter.channel is OTHER else slugify(str(self.filter.channel))}")
        if self.filter.campaign is not None:
            parts.append(f"campaign_{slugify(self.filter.campaign)}")
        if len(parts) == 1:
            parts.append("all")
        if self.filter.actors == ACTORS:
            parts.append("any_actor")
        elif self.filter.actors != ("lead",):
            parts.append("by_" + "_".join(self.filter.actors))
        if self.half_life is not None:
            parts.append(f"half_{format_duration(self.half_life)}")
        if self.window is not None:
            parts.append(format_duration(self.window))
        return "__".join(parts)

    def quotes_us(self, vocabulary: Vocabulary) -> bool:
        """Tell whether its value may come from our own effort, which no reason may quote."""
        if "us" not in self.filter.actors:
            return False
        return not isinstance(self.filter.event_type, str) or self.filter.event_type in vocabulary.acted_by_us

    def describe(self, value: float | None) -> str:
        """Say the value in words, as a reason for a recommendation; None and NaN are missing."""
        kind = self.filter.event_type
        is_one = self.measure in {"days_since_first", "days_since_last"} or (self.measure == "count" and value == 1)
        plural = "" if is_one else "s"
        what = f"other event{plural}" if kind is OTHER else f"'{kind}'" if kind is not None else f"event{plural}"
        if self.filter.channel is not None:
            what += " via other channels" if self.filter.channel is OTHER else f" via {self.filter.channel}"
        if self.filter.campaign is not None:
            what += f" of campaign {self.filter.campaign}"
        when = "so far" if self.window is None else f"in the last {in_words(self.window)}"
        if value is None or np.isnan(value):
            return f"no {what} yet"
        match self.measure:
            case "count":
                return f"{value:.0f} {what} {when}"
            case "sum":
                return f"{what} worth {value:.2f} {when}"
            case "active_days":
                return (
                    f"active on {value:.0f} days {when} ({what})"
                    if value != 1
                    else f"active on one day {when} ({what})"
                )
            case "days_since_first":
                return f"first {what} {value:.1f} days ago"
            case "days_since_last":
                return f"last {what} {value:.1f} days ago"
            case _:
                return f"{value:.1f} recent {what}, older ones counting less"

    def to_json(self) -> dict[str, Any]:
        """Give the declaration as JSON; ``from_json`` reads it back."""
        return {
            "measure": self.measure,
            "event_type": _to_json(self.filter.event_type),
            "channel": _to_json(self.filter.channel),
            "campaign": self.filter.campaign,
            "actors": list(self.filter.actors),
            "window": None if self.window is None else format_duration(self.window),
            "half_life": None if self.half_life is None else format_duration(self.half_life),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Feature:
        """Read a declaration that ``to_json`` wrote."""
        return cls(
            data["measure"],
            Filter(
                event_type=_from_json(data["event_type"]),
                channel=_from_json(data["channel"]),
                campaign=data["campaign"],
                actors=tuple(data["actors"]),
            ),
            None if data["window"] is None else parse_duration(data["window"]),
            None if data["half_life"] is None else parse_duration(data["half_life"]),
        )


def _to_json(value: str | Pooled | None) -> str | dict[str, str] | None:
    return {"pooled": value.value} if isinstance(value, Pooled) else value


def _from_json(value: str | dict[str, str] | None) -> str | Pooled | None:
    return Pooled(value["pooled"]) if isinstance(value, dict) else value


def slugify(text: str) -> str:
    """Reduce a text to lower-case letters, digits and underscores.

    >>> slugify("W_Nabellen offertes / complete")
    'w_nabellen_offertes_complete'
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", ascii_text.lower()).strip("_") or "x"


def in_words(length: timedelta) -> str:
    """Say a length of time.

    >>> in_words(timedelta(days=7)), in_words(timedelta(hours=1))
    ('7 days', 'hour')
    """
    number, unit = (length // DAY, "day") if length % DAY == timedelta(0) else (length // HOUR, "hour")
    return unit if number == 1 else f"{number} {unit}s"


def derive_names(features: Sequence[Feature], reserved: Sequence[str] = ()) -> list[str]:
    """Name the features; where two slugs collide, four hexadecimal digits of each declaration tell them apart."""
    slugs = [feature.slug for feature in features]
    taken = {slug for slug in slugs if slugs.count(slug) > 1} | set(reserved)
    return [
        f"{slug}__{hashlib.sha256(json.dumps(feature.to_json(), sort_keys=True).encode()).hexdigest()[:4]}"
        if slug in taken
        else slug
        for slug, feature in zip(slugs, features, strict=True)
    ]


def decay_weights(half_life: timedelta) -> NDArray[np.float64]:
    """Give the weight of an event by its age in whole hours, an array of shape (40 half-lives in hours,).

    One table for every executor: ``exp2`` differs in its last bit between libraries. Older events weigh nothing.
    """
    hours = half_life // HOUR
    return np.exp2(-np.arange(40 * hours, dtype=np.float64) / hours)
