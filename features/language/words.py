"""Features in words: the value of one, told as a reason, and which of them no reason may quote."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from features.core.time import DAY, HOUR
from features.language.filters import OTHER, Filter, Value, Vocabulary

if TYPE_CHECKING:
    from features.language.feature import Feature

_ONE = frozenset({"days_since_first", "days_since_last", "days_to_first", "came_after", "first_touch", "last_touch"})
"""Measures that speak of one event."""
_ORDINALS = {1: "", 2: "second-", 3: "third-", 4: "fourth-", 5: "fifth-"}


def quotes_us(feature: Feature, vocabulary: Vocabulary) -> bool:
    """Tell whether a feature's value may come from our own effort, which no reason may quote."""
    if "us" not in feature.filter.actors:
        return False
    types = [feature.filter.event_type, *([feature.than] if feature.than is not None else [])]
    if feature.measure == "share":
        types.append(None)  # the whole holds what we did
    return any(not isinstance(kind, str) or kind in vocabulary.acted_by_us for kind in types)


def describe(feature: Feature, value: float | str | None) -> str:
    """Say the value of a feature in words, as a reason for a recommendation; None and NaN are missing."""
    is_one = feature.measure in _ONE or (feature.measure == "count" and value == 1)
    what = _events(feature.filter, plural=not is_one)
    when = "so far" if feature.window is None else f"in the last {in_words(feature.window)}"
    whose = " of others in the account" if feature.scope == "account" else ""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return f"{_absence(feature, what)}{whose} {'yet' if feature.window is None else when}"
    if isinstance(value, str):
        return f"{_place(feature)} {what} {when}: {value}{whose}"
    return _number(feature, value, what + whose, when)


def _number(feature: Feature, value: float, what: str, when: str) -> str:  # noqa: C901, PLR0911, PLR0912 - a return a measure
    match feature.measure:
        case "count":
            return f"{value:.0f} {what} {when}"
        case "sum":
            return f"{what} worth {value:.2f} {when}"
        case "mean_value":
            return f"{what} worth {value:.2f} on average {when}"
        case "max_value":
            return f"{what} worth up to {value:.2f} {when}"
        case "active_days":
            days = "one day" if value == 1 else f"{value:.0f} days"
            return f"active on {days} {when} ({what})"
        case "days_since_first":
            return f"first {what} {value:.1f} days ago"
        case "days_since_last":
            return f"last {what} {value:.1f} days ago"
        case "days_to_first":
            return f"first {what} {abs(value):.1f} days {'before' if value < 0 else 'after'} creation"
        case "decayed_count":
            return f"{value:.1f} recent {what}, older ones counting less"
        case "mean_gap":
            return f"{value:.1f} days between {what} on average {when}"
        case "gap_deviation":
            return f"times between {what} {when} vary by {value:.1f} days"
        case "max_gap":
            return f"up to {value:.1f} days between {what} {when}"
        case "momentum":
            baseline = in_words(feature.baseline) if feature.baseline is not None else ""
            return f"{what} {when} at {value:.1f} times the pace of the last {baseline}"
        case "share":
            return f"{what} are {value:.0%} of {_whole(feature)} {when}"
        case "entropy":
            return f"{what} {when} mixed by {_noun(feature)} ({value:.1f} bits)"
        case "sessions":
            return f"{value:.0f} session{'' if value == 1 else 's'} {when} ({what})"
        case "session_minutes":
            return f"sessions of {value:.0f} minutes on average {when} ({what})"
        case "session_events":
            return f"{value:.1f} events a session on average {when} ({what})"
    came = "came after" if value else "came before"
    return f"last {what} {came} the last {_named(feature.than)}"


def _absence(feature: Feature, what: str) -> str:
    if feature.measure in {"mean_gap", "max_gap"}:
        return f"no two {what}"
    if feature.measure == "gap_deviation":
        return f"no three {what}"
    if feature.measure in {"mean_value", "max_value"}:
        return f"no value of {what}"
    if feature.measure == "share":
        return "no event"
    if feature.measure == "came_after":
        return f"no {what} and no {_named(feature.than)}"
    if feature.of is not None:
        return f"no {_place(feature)} {what}"
    return f"no {what}"


def _place(feature: Feature) -> str:
    """Say which event a touch is: ``channel of the last``, ``event type of the second-last``."""
    end = "first" if feature.measure == "first_touch" else "last"
    position = feature.position or 1
    if feature.measure == "entropy":
        return f"{_noun(feature)} of"
    if feature.measure == "first_touch" and position > 1:
        return f"{_noun(feature)} of number {position} of the"
    return f"{_noun(feature)} of the {_ORDINALS.get(position, f'{position}th-')}{end}"


def _noun(feature: Feature) -> str:
    return (feature.of or "event_type").replace("_", " ")


def _events(given: Filter, *, plural: bool) -> str:
    """Say which events pass a filter."""
    ending = "s" if plural else ""
    kind = given.event_type
    what = f"event{ending}" if kind is None else f"other event{ending}" if kind is OTHER else f"'{kind}'"
    if given.channel is not None:
        what += " via other channels" if given.channel is OTHER else f" via {given.channel}"
    if given.campaign is not None:
        what += " of other campaigns" if given.campaign is OTHER else f" of campaign {given.campaign}"
    if given.hours is not None:
        what += f" between {given.hours[0]} and {given.hours[1]} o'clock"
    if given.weekdays is not None:
        what += f" on {', '.join(day.title() for day in given.weekdays)}"
    return what


def _whole(feature: Feature) -> str:
    """Say what a share is a share of."""
    return "all" if feature.of is None else f"all {_events(feature.whole, plural=True)}"


def _named(kind: Value) -> str:
    return "other event" if kind is OTHER else f"'{kind}'"


def in_words(length: timedelta) -> str:
    """Say a length of time.

    >>> in_words(timedelta(days=7)), in_words(timedelta(hours=1))
    ('7 days', 'hour')
    """
    number, unit = (length // DAY, "day") if length % DAY == timedelta(0) else (length // HOUR, "hour")
    return unit if number == 1 else f"{number} {unit}s"
