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
    from features.language.labels import Labels

_ORDINALS = {1: "", 2: "second-", 3: "third-", 4: "fourth-", 5: "fifth-"}


def quotes_us(feature: Feature, vocabulary: Vocabulary) -> bool:
    """Tell whether a feature's value may come from our own effort, which no reason may quote."""
    if "us" not in feature.filter.actors:
        return False
    types = [feature.filter.event_type, *([feature.than] if feature.than is not None else [])]
    if MEASURES[feature.measure].has_whole:
        types.append(None)  # the whole holds what we did
    return any(not isinstance(kind, str) or kind in vocabulary.acted_by_us for kind in types)


def describe(feature: Feature, value: float | str | None, labels: Labels | None = None) -> str:
    """Say the value of a feature in words, as a reason for a recommendation; None and NaN are missing.

    Without ``labels`` the names are those of the log, for who looks into it.
    """
    measure = MEASURES[feature.measure]
    event, events = _events(feature.filter, labels, plural=False), _events(feature.filter, labels, plural=True)
    when = "so far" if feature.window is None else f"in the last {in_words(feature.window)}"
    whose = " of others in the account" if feature.scope == "account" else ""
    position = feature.position or 1
    told = {
        "when": when,
        "baseline": "" if feature.baseline is None else in_words(feature.baseline),
        "of": (feature.of or "").replace("_", " "),
        "whole": "all" if feature.of is None else f"all {_events(feature.whole, labels, plural=True)}",
        "first": "the first" if position == 1 else f"number {position} of the",
        "last": f"the {_ORDINALS.get(position, f'{position}th-')}last",
        "than": "other event" if feature.than is OTHER else _event_type(f"{feature.than}", labels),
    }
    if value is None or (isinstance(value, float) and math.isnan(value)):
        absent = measure.absent(event=event, events=events, **told)
        return f"{absent}{whose} {'yet' if feature.window is None else when}"
    if isinstance(value, str):
        if labels is not None and feature.of in ("event_type", "channel"):
            value = labels.noun("channels" if feature.of == "channel" else "event_types", value)
        return measure.words(value=value, event=event, events=events, **told) + whose
    return measure.words(value=value, event=event + whose, events=events + whose, **told)


def _event_type(name: str, labels: Labels | None, *, plural: bool = False) -> str:
    """Say what an event type is called; a name that nobody has a word for stands in quotes."""
    if labels is None:
        return f"'{name}'"
    noun = labels.noun("event_types", name, plural=plural)
    return noun if labels.has("event_types", name) else f"'{noun}'"


def _events(given: Filter, labels: Labels | None, *, plural: bool) -> str:
    """Say which events pass a filter."""
    ending = "s" if plural else ""
    kind = given.event_type
    if isinstance(kind, str):
        what = _event_type(kind, labels, plural=plural)
    else:
        what = f"event{ending}" if kind is None else f"other event{ending}"
    if isinstance(given.channel, str):
        what += f" via {given.channel if labels is None else labels.noun('channels', given.channel)}"
    elif given.channel is OTHER:
        what += " via other channels"
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
