"""What a feature is: a measure over a filter and a window, declared as frozen data.

A declaration that makes no sense can't be built. What it means, number by number, stands in
``features.engines.reference``; how it is computed fast, in ``features.engines.kernel``. Names are derived:

>>> Feature("count", Filter(event_type="email_open"), window=timedelta(days=30)).slug
'count__email_open__30d'
>>> Feature("momentum", window=timedelta(days=7), baseline=timedelta(days=28), scope="account").slug
'account__momentum__all__7d_of_28d'
>>> Feature("count", Filter(), half_life=timedelta(days=7))
Traceback (most recent call last):
    ...
ValueError: count takes no half_life; leave it out, or use decayed_count
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from features.core.errors import nearest
from features.core.schema import ACTORS
from features.core.time import DAY, HOUR, LONGEST, format_duration, parse_duration
from features.language.filters import OTHER, Filter, Pooled, Value
from features.language.measures import MEASURES, SHARED, TOUCHED, Counterpart, Part, Setting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Scope = Literal["lead", "account"]
"""Whose events: the lead's own, or those of the other leads of its account."""
SCOPES: tuple[Scope, ...] = ("lead", "account")


@dataclass(frozen=True)
class Feature:
    """A measure over the events that pass a filter within a window before ``as_of``.

    ``window`` of None reaches back to the first event. Raises ValueError where the parts don't go together.
    """

    measure: str
    filter: Filter = field(default_factory=Filter)
    window: timedelta | None = None
    half_life: timedelta | None = None
    baseline: timedelta | None = None
    """Of momentum: the longer window, which its own is compared with."""
    of: Part | None = None
    """Of entropy and the touches: what the events are told by. Of share: the condition that the whole drops."""
    position: int | None = None
    """Of the touches: 2 is the second, or the last but one."""
    than: Value = None
    """Of came_after: the event type that the last event is compared with."""
    scope: Scope = "lead"

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise ValueError(f"{self.measure!r} is no measure; {nearest(self.measure, MEASURES)}")
        if self.scope not in SCOPES:
            raise ValueError(f"{self.scope!r} is no scope; {nearest(self.scope, SCOPES)}")
        measure = MEASURES[self.measure]
        for name, example in _EXAMPLES.items():
            given = getattr(self, name) is not None
            if given and name not in measure.takes:
                takers = [other.name for other in MEASURES.values() if name in other.takes]
                advice = "count over that window" if name == "window" else f"use {' or '.join(takers)}"
                raise ValueError(f"{self.measure} takes no {name}; leave it out, or {advice}")
            if not given and name in measure.needs:
                raise ValueError(f"{self.measure} needs {example}")
        for name in ("window", "half_life", "baseline"):
            length = getattr(self, name)
            if length is not None and (length < HOUR or length % HOUR):
                raise ValueError(f"{name} must be a multiple of an hour, as in '36h'; got {length}")
            if length is not None and length > _LONGEST[name]:
                raise ValueError(f"{name} can't be longer than {_LONGEST[name].days:,} days; got {length}")
        self._refuse_nonsense()

    def _refuse_nonsense(self) -> None:
        measure = MEASURES[self.measure]
        if self.baseline is not None and self.window is not None and self.baseline <= self.window:
            raise ValueError(
                f"{self.measure} compares a window with a longer baseline, as in window: 7d, baseline: 28d"
            )
        if self.position is not None and self.position < 1:
            raise ValueError(f"position counts from 1; got {self.position}")
        if self.than is not None and self.filter.event_type is None:
            advice = "needs an event_type, the last event of which is compared with the last 'than'"
            raise ValueError(f"{self.measure} {advice}")
        if self.than is not None and self.than == self.filter.event_type:
            raise ValueError(f"{self.measure} compares two event types, and both are {self.than!r}; name another")
        if self.scope == "account" and "created_at" in measure.reads:
            raise ValueError(f"{self.measure} is of the lead alone; leave out scope: account")
        if self.of is not None and self.of not in measure.parts:
            advice = nearest(self.of, measure.parts)
            raise ValueError(f"{self.of!r} is nothing that {self.measure} is computed of; {advice}")
        if measure.has_whole:
            conditions = [part for part in measure.parts if getattr(self.filter, part) is not None]
            if not conditions or (self.of is not None and self.of not in conditions):
                wanted = self.of or "an event_type, a channel, a campaign, a content, hours or weekdays"
                raise ValueError(f"{self.measure} needs {wanted} to filter by: without, it is always 1")

    @property
    def whole(self) -> Filter:
        """The events that a share is a share of."""
        dropped = SHARED if self.of is None else (self.of,)
        open_again: dict[str, Any] = dict.fromkeys(dropped)
        return replace(self.filter, **open_again)

    @property
    def rival(self) -> Filter:
        """The events that came_after compares with."""
        return replace(self.filter, event_type=self.than)

    def events_of(self, counterpart: Counterpart) -> tuple[Filter, timedelta | None]:
        """Give the filter and the window of the events that a measure of two parts compares with."""
        return getattr(self, counterpart.filter), getattr(self, counterpart.window)

    @property
    def slug(self) -> str:
        """The name, as long as no other feature shares it."""
        parts = ["account"] if self.scope == "account" else []
        parts.append(self.measure)
        if self.of is not None:
            parts.append(self.of + (f"_{self.position}" if self.position not in {None, 1} else ""))
        filter_parts = self._filter_slugs()
        parts += filter_parts or ["all"]
        if self.than is not None:
            parts.append(f"than_{_slug_of(self.than)}")
        if self.filter.actors == ACTORS:
            parts.append("any_actor")
        elif self.filter.actors != ("lead",):
            parts.append("by_" + "_".join(self.filter.actors))
        if self.half_life is not None:
            parts.append(f"half_{format_duration(self.half_life)}")
        if self.window is not None:
            parts.append(
                format_duration(self.window) + (f"_of_{format_duration(self.baseline)}" if self.baseline else "")
            )
        return "__".join(parts)

    def _filter_slugs(self) -> list[str]:
        given = self.filter
        slugs = [] if given.event_type is None else [_slug_of(given.event_type)]
        slugs += [f"{name}_{_slug_of(value)}" for name in ("channel", "campaign", "content")
                  if (value := getattr(given, name)) is not None]  # fmt: skip
        if given.hours is not None:
            slugs.append(f"hours_{given.hours[0]}_{given.hours[1]}")
        if given.weekdays is not None:
            slugs.append("_".join(given.weekdays))
        return slugs

    def to_json(self) -> dict[str, Any]:
        """Give the declaration as JSON; ``from_json`` reads it back. What came later is written where it is given."""
        later = {
            "baseline": self.baseline and format_duration(self.baseline),
            "of": self.of,
            "position": self.position,
            "than": _to_json(self.than),
            "scope": None if self.scope == "lead" else self.scope,
            "content": _to_json(self.filter.content),
            "hours": self.filter.hours and list(self.filter.hours),
            "weekdays": self.filter.weekdays and list(self.filter.weekdays),
        }
        return {
            "measure": self.measure,
            "event_type": _to_json(self.filter.event_type),
            "channel": _to_json(self.filter.channel),
            "campaign": _to_json(self.filter.campaign),
            "actors": list(self.filter.actors),
            "window": None if self.window is None else format_duration(self.window),
            "half_life": None if self.half_life is None else format_duration(self.half_life),
        } | {name: value for name, value in later.items() if value is not None}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Feature:
        """Read a declaration that ``to_json`` wrote."""
        lengths = {
            name: None if data.get(name) is None else parse_duration(data[name])
            for name in ("window", "half_life", "baseline")
        }
        hours, weekdays = data.get("hours"), data.get("weekdays")
        return cls(
            data["measure"],
            Filter(
                event_type=_from_json(data["event_type"]),
                channel=_from_json(data["channel"]),
                campaign=_from_json(data["campaign"]),
                content=_from_json(data.get("content")),
                actors=tuple(data["actors"]),
                hours=None if hours is None else (hours[0], hours[1]),
                weekdays=None if weekdays is None else tuple(weekdays),
            ),
            **lengths,
            of=data.get("of"),
            position=data.get("position"),
            than=_from_json(data.get("than")),
            scope=data.get("scope", "lead"),
        )


LONGEST_HALF_LIFE = 3_650 * DAY
_LONGEST = {"window": LONGEST, "half_life": LONGEST_HALF_LIFE, "baseline": LONGEST}
"""Of a half-life the weights of forty are kept, by the hour."""
_EXAMPLES: dict[Setting, str] = {
    "window": "a window, as in window: 7d",
    "half_life": "a half_life, as in half_life: 14d",
    "baseline": "a baseline, as in baseline: 28d",
    "of": f"of, as in of: channel ({', '.join(TOUCHED)})",
    "position": "a position, as in position: 2",
    "than": "than, as in than: form",
}


def _to_json(value: Value) -> str | dict[str, str] | None:
    return {"pooled": value.value} if isinstance(value, Pooled) else value


def _from_json(value: str | dict[str, str] | None) -> Value:
    return Pooled(value["pooled"]) if isinstance(value, dict) else value


def _slug_of(value: Value) -> str:
    return "other" if value is OTHER else slugify(str(value))


def slugify(text: str) -> str:
    """Reduce a text to lower-case letters, digits and underscores.

    >>> slugify("W_Nabellen offertes / complete")
    'w_nabellen_offertes_complete'
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", ascii_text.lower()).strip("_") or "x"


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
    import numpy as np  # noqa: PLC0415 - a declaration does without

    hours = half_life // HOUR
    return np.exp2(-np.arange(40 * hours, dtype=np.float64) / hours)
