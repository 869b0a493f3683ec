"""What a feature's value was computed from: of each event whether it was counted and, if not, why not.

Nothing is decided here: ``features.engines.reference`` and ``features.language.filters`` say what counts. They are
asked for all conditions together and, where an event fails, for one after the other, so that the first that it fails
can be named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from features.core.schema import ACTORS, MACHINE
from features.core.time import microseconds
from features.engines.reference import Interaction, events_of_others, in_window, is_known, label_of, value_of
from features.language.feature import Feature
from features.language.filters import OTHER, WEEKDAYS, Filter, Vocabulary, weekday_of
from features.language.measures import MEASURES
from features.language.words import in_words

_EPOCH = datetime(1970, 1, 1)
_DAYS = dict(zip(WEEKDAYS, ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"), strict=True))


@dataclass(frozen=True)
class Evidence:
    """An event, whether it was counted, and the verdict in words: as what it was counted, or the first reason why not.

    Of the account, the event's ``known_at`` is when both it and its lead were known.
    """

    event: Interaction
    is_counted: bool
    verdict: str
    lead: str | None = None
    """Of the account: whose event it is."""


def find_evidence(
    events: Iterable[Interaction], as_of: int, feature: Feature, vocabulary: Vocabulary
) -> list[Evidence]:
    """Judge the events of a lead, in their order, for a feature at ``as_of`` (microseconds since 1970, UTC)."""
    return [_judge(event, as_of, feature, vocabulary) for event in events]


def find_evidence_in_account(
    account: Mapping[str, Sequence[Interaction]],
    lead: str,
    known_since: Mapping[str, int],
    as_of: int,
    feature: Feature,
    vocabulary: Vocabulary,
) -> list[Evidence]:
    """Judge the events of all leads of an account for a feature of one of them, by time and then by lead.

    The arguments are those of ``events_of_others``. The lead's own events never count.
    """
    evidence = [Evidence(event, is_counted=False, verdict="the lead's own", lead=lead) for event in account[lead]]
    for other in sorted(account.keys() - {lead}, key=str.encode):
        seen = events_of_others({other: account[other]}, lead, known_since)
        for own, event in zip(account[other], seen, strict=True):
            judged = replace(_judge(event, as_of, feature, vocabulary), lead=other)
            if is_known(own, as_of) and not is_known(event, as_of):
                judged = replace(judged, verdict=f"the lead was not known until {say_moment(event.known_at)}")
            evidence.append(judged)
    return sorted(evidence, key=lambda one: one.event.occurred_at)


def say_moment(moment: int) -> str:
    """Write a time, given in microseconds since 1970, as far as it says more than zero.

    >>> say_moment(60_000_000), say_moment(61_000_001)
    ('1970-01-01 00:01', '1970-01-01 00:01:01.000001')
    """
    return (_EPOCH + timedelta(microseconds=moment)).isoformat(sep=" ").removesuffix(":00")


def _judge(event: Interaction, as_of: int, feature: Feature, vocabulary: Vocabulary) -> Evidence:
    if not is_known(event, as_of):
        return Evidence(event, is_counted=False, verdict=f"not known until {say_moment(event.known_at)}")
    if not in_window(event, as_of, None):
        return Evidence(event, is_counted=False, verdict="not before as_of")

    def fails(filter_: Filter, window: timedelta | None) -> list[str]:
        is_in_window = in_window(event, as_of, None if window is None else microseconds(window))
        if is_in_window and filter_.matches(event.kind, vocabulary):
            return _lacks(event, feature, vocabulary)
        reasons = [] if is_in_window or window is None else [f"more than {_length(window)} before as_of"]
        return reasons + _refusals(event, filter_, vocabulary)

    own = fails(feature.filter, feature.window)
    counterpart = MEASURES[feature.measure].counterpart
    if counterpart is None:
        return Evidence(event, is_counted=not own, verdict=own[0] if own else "counted")
    others = fails(*feature.events_of(counterpart))
    if own and others:
        # The part that the event comes closest to says why it is in neither.
        return Evidence(event, is_counted=False, verdict=min(others, own, key=len)[0])
    if own:
        return Evidence(event, is_counted=True, verdict=f"{counterpart.alone}: {own[0]}")
    return Evidence(event, is_counted=True, verdict="counted" if others else counterpart.both)


def _lacks(event: Interaction, feature: Feature, vocabulary: Vocabulary) -> list[str]:
    """Say what the measure looks for in an event that matches, and does not find."""
    reads = MEASURES[feature.measure].reads
    if "value" in reads and value_of(event) is None:
        return ["without a value"]
    if "label" in reads and label_of(event, feature, vocabulary) is None:
        return [f"without a {feature.of}"]
    return []


def _refusals(event: Interaction, filter_: Filter, vocabulary: Vocabulary) -> list[str]:
    """Say what a filter refuses an event for; nothing where it matches."""
    if event.actor == MACHINE:
        return ["acted by a machine"]
    if not _ANY.matches(event.kind, vocabulary):
        return [f"of type {event.event_type!r}, which no feature uses"]
    return [
        _WORDS[name](event) + (_POOLED if getattr(filter_, name) is OTHER and getattr(event, name) is not None else "")
        for name, condition in _conditions(filter_)
        if not condition.matches(event.kind, vocabulary)
    ]


_ANY = Filter(actors=ACTORS)
"""Refuses only what no feature may see."""
_POOLED = ", which has features of its own"
"""Why a filter refuses what it would take, were it rare."""


@cache
def _conditions(filter_: Filter) -> tuple[tuple[str, Filter], ...]:
    """Take a filter apart: filters of one condition each."""
    names = [field.name for field in dataclasses.fields(Filter)]
    return tuple((name, replace(_ANY, **{name: getattr(filter_, name)})) for name in names)


def _told(before: str, value: str | None, what: str) -> str:
    return f"without a {what}" if value is None else f"{before} {value}"


_WORDS: dict[str, Callable[[Interaction], str]] = {
    "event_type": lambda event: f"of type {event.event_type!r}",
    "channel": lambda event: _told("via", event.channel, "channel"),
    "campaign": lambda event: _told("of campaign", event.campaign, "campaign"),
    "content": lambda event: _told("about", event.content, "content"),
    "actors": lambda event: f"acted by {'us' if event.actor == 'us' else f'the {event.actor}'}",
    "hours": lambda event: f"at {event.local_hour} o'clock, local time",
    "weekdays": lambda event: f"on a {_DAYS[WEEKDAYS[weekday_of(event.local_day)]]}, local time",
}
"""What an event that a condition of a filter refuses is, in words."""


def _length(length: timedelta) -> str:
    words = in_words(length)
    return words if words[0].isdigit() else f"one {words}"
