"""Features in words: the value of one, told as a reason, and which of them no reason may quote."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from features.core.time import DAY, HOUR
from features.language.filters import OTHER, Filter, Vocabulary
from features.language.measures import MEASURES

if TYPE_CHECKING:
    from features.language.feature import Feature

_ORDINALS = {1: "", 2: "second-", 3: "third-", 4: "fourth-", 5: "fifth-"}


def quotes_us(feature: Feature, vocabulary: Vocabulary) -> bool:
    """Tell whether a feature's value may come from our own effort, which no reason may quote."""
    if "us" not in feature.filter.actors:
        return False
    types = [feature.filter.event_type, *([feature.than] if feature.than is not None else [])]
    if MEASURES[feature.measure].has_whole:
        types.append(None)  # the whole holds what we did
    return any(not isinstance(kind, str) or kind in vocabulary.acted_by_us for kind in types)


def describe(feature: Feature, value: float | str | None) -> str:
    """Say the value of a feature in words, as a reason for a recommendation; None and NaN are missing."""
    measure = MEASURES[feature.measure]
    event, events = _events(feature.filter, plural=False), _events(feature.filter, plural=True)
    when = "so far" if feature.window is None else f"in the last {in_words(feature.window)}"
    whose = " of others in the account" if feature.scope == "account" else ""
    position = feature.position or 1
    told = {
        "when": when,
        "baseline": "" if feature.baseline is None else in_words(feature.baseline),
        "of": (feature.of or "").replace("_", " "),
        "whole": "all" if feature.of is None else f"all {_events(feature.whole, plural=True)}",
        "first": "the first" if position == 1 else f"number {position} of the",
        "last": f"the {_ORDINALS.get(position, f'{position}th-')}last",
        "than": "other event" if feature.than is OTHER else f"'{feature.than}'",
    }
    if value is None or (isinstance(value, float) and math.isnan(value)):
        absent = measure.absent(event=event, events=events, **told)
        return f"{absent}{whose} {'yet' if feature.window is None else when}"
    if isinstance(value, str):
        return measure.words(value=value, event=event, events=events, **told) + whose
    return measure.words(value=value, event=event + whose, events=events + whose, **told)


def _events(given: Filter, *, plural: bool) -> str:
    """Say which events pass a filter."""
    ending = "s" if plural else ""
    kind = given.event_type
    what = f"event{ending}" if kind is None else f"other event{ending}" if kind is OTHER else f"'{kind}'"
    if given.channel is not None:
        what += " via other channels" if given.channel is OTHER else f" via {given.channel}"
    if given.campaign is not None:
        what += " of other campaigns" if given.campaign is OTHER else f" of campaign {given.campaign}"
    if given.content is not None:
        what += " about other things" if given.content is OTHER else f" about {given.content}"
    if given.hours is not None:
        what += f" between {given.hours[0]} and {given.hours[1]} o'clock"
    if given.weekdays is not None:
        what += f" on {', '.join(day.title() for day in given.weekdays)}"
    return what


def in_words(length: timedelta) -> str:
    """Say a length of time.

    >>> in_words(timedelta(days=7)), in_words(timedelta(hours=1))
    ('7 days', 'hour')
    """
    number, unit = (length // DAY, "day") if length % DAY == timedelta(0) else (length // HOUR, "hour")
    return unit if number == 1 else f"{number} {unit}s"
