"""The definition of every feature, in plain Python and without haste.

The engine must equal this, number by number: property tests hold it to that. Read this file to know what a
feature means. Sums run in the order of the dataset: occurred_at, source, sequence.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from features.core.time import DAY, HOUR, microseconds
from features.language.feature import Feature, decay_weights
from features.language.filters import Filter, Kind, Vocabulary, weekday_of
from features.language.measures import MEASURES, SESSION_SILENCE_MINUTES

_HOUR, _DAY = microseconds(HOUR), microseconds(DAY)
_MINUTE = _HOUR // 60
_SILENCE = SESSION_SILENCE_MINUTES * _MINUTE


@dataclass(frozen=True)
class Interaction:
    """One event of one lead; times in microseconds since 1970, UTC."""

    occurred_at: int
    known_at: int
    event_type: str
    actor: str = "lead"
    channel: str | None = None
    campaign: str | None = None
    content: str | None = None
    value: float | None = None
    quantity: int = 1
    local_day: int = 0
    local_hour: int = 0

    @property
    def kind(self) -> Kind:
        """What a filter looks at."""
        texts = (self.event_type, self.channel, self.campaign, self.content, self.actor)
        return Kind(*texts, self.local_hour, weekday_of(self.local_day))


def is_known(event: Interaction, moment: int) -> bool:
    """Tell whether we knew of the event: the one predicate that keeps the future out."""
    return event.known_at < moment


def in_window(event: Interaction, as_of: int, window: int | None) -> bool:
    """Tell whether the event occurred in [as_of - window, as_of)."""
    return event.occurred_at < as_of and (window is None or event.occurred_at >= as_of - window)


def events_of_others(
    account: Mapping[str, Sequence[Interaction]], lead: str, known_since: Mapping[str, int]
) -> list[Interaction]:
    """Give what the account rolls up for one lead: the events of its other leads, by time and then by lead.

    We know of an event of another lead once we know of both, the event and that lead.
    """
    events = [
        replace(event, known_at=max(event.known_at, known_since[other]))
        for other in sorted(account, key=str.encode)
        if other != lead
        for event in account[other]
    ]
    return sorted(events, key=lambda event: event.occurred_at)


def compute(
    events: Iterable[Interaction],
    as_of: int,
    feature: Feature,
    vocabulary: Vocabulary,
    created_at: int = 0,
    *,
    known_until: int | None = None,
    occurred_until: int | None = None,
) -> float | str:
    """Compute one feature of one lead, as known at ``as_of``; times are microseconds since 1970, UTC.

    ``events`` are in the dataset's order: of the lead or, for a feature of the account, ``events_of_others``.
    ``known_until`` asks for what was known at another moment of the time before ``as_of``, and ``occurred_until``
    leaves out what occurred at or after a moment; ages and windows are those at ``as_of`` in any case.
    """
    known_until = as_of if known_until is None else known_until
    events = [event for event in events if occurred_until is None or event.occurred_at < occurred_until]
    window = None if feature.window is None else microseconds(feature.window)

    def select(filter_: Filter, length: int | None = window) -> list[int]:
        return [
            place
            for place, event in enumerate(events)
            if is_known(event, known_until)
            and in_window(event, as_of, length)
            and filter_.matches(event.kind, vocabulary)
        ]

    places = select(feature.filter)
    matching = [events[place] for place in places]
    if feature.measure == "share":
        whole = _count(events[place] for place in select(feature.whole))
        return _count(matching) / whole if whole else math.nan
    if feature.measure == "momentum":
        assert feature.window is not None  # noqa: S101 - Feature can't be built without both
        assert feature.baseline is not None  # noqa: S101
        usual = _count(events[place] for place in select(feature.filter, microseconds(feature.baseline)))
        return _count(matching) * (feature.baseline / feature.window) / usual if usual else math.nan
    if feature.measure == "came_after":
        last, last_rival = max(places, default=-1), max(select(feature.rival), default=-1)
        return math.nan if last == last_rival == -1 else float(last > last_rival)
    if not matching:
        return MEASURES[feature.measure].never
    return _measure(matching, as_of, feature, vocabulary, created_at)


def _measure(  # noqa: C901, PLR0911, PLR0912 - a case a measure
    events: Sequence[Interaction], as_of: int, feature: Feature, vocabulary: Vocabulary, created_at: int
) -> float | str:
    """Compute a measure of the events that match, of which there is one at least."""
    times = [event.occurred_at for event in events]
    values = [value for event in events if (value := value_of(event)) is not None]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    match feature.measure:
        case "count":
            return _count(events)
        case "sum":
            return _total(values)
        case "mean_value":
            return _total(values) / len(values) if values else math.nan
        case "max_value":
            return max(values, default=math.nan)
        case "active_days":
            return float(len({event.local_day for event in events}))
        case "days_since_first":
            return (as_of - times[0]) / _DAY
        case "days_since_last":
            return (as_of - times[-1]) / _DAY
        case "days_to_first":
            return (times[0] - created_at) / _DAY
        case "decayed_count":
            assert feature.half_life is not None  # noqa: S101 - Feature can't be built without it
            weights = decay_weights(feature.half_life)
            hours = [(as_of - time) // _HOUR for time in times]
            return _total(
                float(weights[age]) * event.quantity
                for age, event in zip(hours, events, strict=True)
                if age < len(weights)
            )
        case "mean_gap":
            return _total(gaps) / len(gaps) / _DAY if gaps else math.nan
        case "gap_deviation":
            if len(gaps) < 2:  # noqa: PLR2004 - of one gap there is no deviation
                return math.nan
            mean = _total(gaps) / len(gaps)
            return math.sqrt(_total((gap - mean) * (gap - mean) for gap in gaps) / (len(gaps) - 1)) / _DAY
        case "max_gap":
            return max(gaps) / _DAY if gaps else math.nan
        case "sessions":
            return float(_sessions(gaps))
        case "session_minutes":
            return sum(gap for gap in gaps if gap < _SILENCE) / _MINUTE / _sessions(gaps)
        case "session_events":
            return _count(events) / _sessions(gaps)
        case "entropy":
            return _entropy(events, feature, vocabulary)
        case "first_touch" | "last_touch":
            labels = [label for event in events if (label := label_of(event, feature, vocabulary)) is not None]
            ordered = labels if feature.measure == "first_touch" else labels[::-1]
            position = (feature.position or 1) - 1
            return ordered[position] if position < len(ordered) else math.nan
    raise ValueError(f"the reference does not know the measure {feature.measure!r}; define it here first")


def value_of(event: Interaction) -> float | None:
    """Give the event's value; None where it is missing, or no number."""
    return None if event.value is None or math.isnan(event.value) else event.value


def _count(events: Iterable[Interaction]) -> float:
    return float(sum(event.quantity for event in events))


def _total(numbers: Iterable[float]) -> float:
    """Add up one by one, from zero and in order: ``sum`` of floats compensates, and would differ in the last bit."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def _sessions(gaps: Sequence[int]) -> int:
    return 1 + sum(gap >= _SILENCE for gap in gaps)


def label_of(event: Interaction, feature: Feature, vocabulary: Vocabulary) -> str | None:
    """Say what the event is told by; what is not in the vocabulary is told as other."""
    value: str | None = getattr(event, feature.of or "")
    return value if value is None or value in vocabulary.of(feature.of or "") else "other"


def _entropy(events: Sequence[Interaction], feature: Feature, vocabulary: Vocabulary) -> float:
    """Shannon's entropy of the labels, in bits, each event weighing its quantity."""
    counts: Counter[str] = Counter()
    for event in events:
        if (label := label_of(event, feature, vocabulary)) is not None:
            counts[label] += event.quantity
    shares = [counts[label] / counts.total() for label in vocabulary.labels(feature.of or "") if counts[label]]
    return 0.0 - _total(share * math.log2(share) for share in shares) if shares else math.nan
