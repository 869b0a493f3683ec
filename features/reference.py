"""The definition of every feature, in plain Python and without haste.

The engine must equal this, number by number: property tests hold it to that. Read this file to know what a
feature means. Sums run in the order of the dataset: occurred_at, source, sequence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.declarations import MEASURES, Feature, Vocabulary, decay_weights
from features.duration import DAY, HOUR, microseconds

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOUR, _DAY = microseconds(HOUR), microseconds(DAY)


@dataclass(frozen=True)
class Interaction:
    """One event of one lead; times in microseconds since 1970, UTC."""

    occurred_at: int
    known_at: int
    event_type: str
    actor: str = "lead"
    channel: str | None = None
    campaign: str | None = None
    value: float | None = None
    quantity: int = 1
    local_day: int = 0


def is_known(event: Interaction, as_of: int) -> bool:
    """Tell whether we knew of the event: the one predicate that keeps the future out."""
    return event.known_at < as_of


def in_window(event: Interaction, as_of: int, window: int | None) -> bool:
    """Tell whether the event occurred in [as_of - window, as_of)."""
    return event.occurred_at < as_of and (window is None or event.occurred_at >= as_of - window)


def compute(events: Iterable[Interaction], as_of: int, feature: Feature, vocabulary: Vocabulary) -> float:
    """Compute one feature of one lead from its events, in the dataset's order, at ``as_of`` (microseconds, UTC)."""
    window = None if feature.window is None else microseconds(feature.window)
    matching = [
        event
        for event in events
        if is_known(event, as_of)
        and in_window(event, as_of, window)
        and feature.filter.matches(event.event_type, event.channel, event.campaign, event.actor, vocabulary)
    ]
    if not matching:
        return MEASURES[feature.measure].empty
    match feature.measure:
        case "count":
            return float(sum(event.quantity for event in matching))
        case "sum":
            total = 0.0
            for event in matching:
                total += 0.0 if event.value is None or math.isnan(event.value) else event.value
            return total
        case "active_days":
            return float(len({event.local_day for event in matching}))
        case "days_since_first":
            return (as_of - min(event.occurred_at for event in matching)) / _DAY
        case "days_since_last":
            return (as_of - max(event.occurred_at for event in matching)) / _DAY
        case "decayed_count":
            assert feature.half_life is not None  # noqa: S101 - Feature can't be built without it
            weights = decay_weights(feature.half_life)
            total = 0.0
            for event in matching:
                hours = (as_of - event.occurred_at) // _HOUR
                total += float(weights[hours]) * event.quantity if hours < len(weights) else 0.0
            return total
    raise ValueError(f"the reference does not know the measure {feature.measure!r}; define it here first")
