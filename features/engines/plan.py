"""From declarations to what the kernel runs: filters become streams, measures become steps over their slices.

Measures over one filter share its stream. A measure of two counts (share, momentum) or of two places (came_after) is
put together from its operands, afterwards and for all snapshots at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.core.schema import ACTORS
from features.core.time import microseconds
from features.engines import kernel
from features.engines.arrays import Program
from features.engines.kernel import FOREVER, NEEDS_DAYS, NEEDS_SESSIONS
from features.language.feature import Feature, decay_weights
from features.language.filters import HOURS_A_DAY, OTHER, Filter, Kind, Value, Vocabulary, within
from features.language.measures import MEASURES, SESSION_SILENCE_MINUTES, TOUCHED

STEPS: dict[str, int] = {
    name: getattr(kernel, name.upper()) for name, measure in MEASURES.items() if measure.counterpart is None
}
"""The kernel's code of each measure that is one step."""
_NEEDS = {None: 0, "days": NEEDS_DAYS, "sessions": NEEDS_SESSIONS}


@dataclass(frozen=True)
class Step:
    """What the kernel computes of a stream's slice, by its code."""

    filter: Filter
    kind: int
    window: timedelta | None = None
    half_life: timedelta | None = None
    part: int = 0
    position: int = 1
    needs: int = 0
    """What its stream must keep totals of."""

    @property
    def never(self) -> float:
        """Of an operand, which is a count or a place: its value where no event matches."""
        return -1.0 if self.kind == kernel.LAST_PLACE else 0.0


Combine = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Combination:
    """A feature that is made of two steps."""

    feature: int
    left: int
    right: int
    combine: Combine


@dataclass(frozen=True)
class Plan:
    """Declarations of one scope as the kernel runs them."""

    features: tuple[Feature, ...]
    vocabulary: Vocabulary

    @cached_property
    def filters(self) -> tuple[Filter, ...]:
        """The filters, each of which makes a stream."""
        return tuple(dict.fromkeys(step.filter for step, _ in self._steps))

    @cached_property
    def operands(self) -> tuple[Step, ...]:
        """The steps that features are put together from."""
        pairs = (pair for feature in self.features if (pair := _pair(feature)) is not None)
        return tuple(dict.fromkeys(step for left, right, _ in pairs for step in (left, right)))

    @cached_property
    def combinations(self) -> tuple[Combination, ...]:
        """The features that are put together."""
        return tuple(
            Combination(number, self.operands.index(pair[0]), self.operands.index(pair[1]), pair[2])
            for number, feature in enumerate(self.features)
            if (pair := _pair(feature)) is not None
        )

    @cached_property
    def _steps(self) -> tuple[tuple[Step, int], ...]:
        """Every step with its target: a feature or, below zero, an operand."""
        own = [(_step(feature), number) for number, feature in enumerate(self.features) if feature.measure in STEPS]
        return (*own, *((step, -1 - number) for number, step in enumerate(self.operands)))

    @cached_property
    def program(self) -> Program:
        """The steps as arrays."""
        half_lives = sorted({step.half_life for step, _ in self._steps if step.half_life is not None})
        tables = [decay_weights(half_life) for half_life in half_lives]
        weights = np.zeros((max(len(tables), 1), max((len(table) for table in tables), default=1)))
        for row, table in enumerate(tables):
            weights[row, : len(table)] = table
        stream_of = {filter_: number for number, filter_ in enumerate(self.filters)}
        # Longest window first, so that each is looked for once.
        ordered = sorted(self._steps, key=lambda item: (stream_of[item[0].filter], -_length(item[0].window)))
        streams = np.array([stream_of[step.filter] for step, _ in ordered], dtype=np.int64)
        needs = np.zeros(len(self.filters), dtype=np.int64)
        for step, _ in ordered:
            needs[stream_of[step.filter]] |= step.needs
        steps = [
            (
                step.kind,
                _length(step.window),
                step.position,
                step.part,
                0 if step.half_life is None else half_lives.index(step.half_life),
                target,
            )
            for step, target in ordered
        ]
        return Program(
            steps=_frozen(np.array(steps, dtype=np.int64).reshape(-1, 6)),
            starts=_frozen(np.searchsorted(streams, np.arange(len(self.filters) + 1)).astype(np.int64)),
            needs=_frozen(needs),
            weights=_frozen(weights),
            silence=microseconds(timedelta(minutes=SESSION_SILENCE_MINUTES)),
        )

    @cached_property
    def labelled(self) -> tuple[str, ...]:
        """Of event_type, channel, campaign and content, those that an entropy or a touch reads."""
        read = {feature.of for feature in self.features if "label" in MEASURES[feature.measure].reads}
        return tuple(part for part in TOUCHED if part in read)

    @cached_property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """The columns that patterns are made of, each with the texts that are told apart; all others are one class.

        A column that no filter and no label looks at is not read.
        """
        parts: dict[str, tuple[str, ...]] = {"event_type": self._names("event_type", *self.vocabulary.ignored_types)}
        for part in TOUCHED[1:]:
            if part in self.labelled or any(getattr(filter_, part) is not None for filter_ in self.filters):
                parts[part] = self._names(part)
        return parts | {"actor": ACTORS}

    def _names(self, part: str, *others: str) -> tuple[str, ...]:
        wanted = (getattr(filter_, part) for filter_ in self.filters)
        return tuple(sorted({name for name in wanted if isinstance(name, str)} | {*self.vocabulary.of(part), *others}))

    @cached_property
    def hour_classes(self) -> NDArray[np.int32] | None:
        """The class of each hour of the day: hours that the same filters take are alike; None where none asks."""
        bands = sorted({filter_.hours for filter_ in self.filters if filter_.hours is not None})
        if not bands:
            return None
        signatures = [tuple(within(band, hour) for band in bands) for hour in range(HOURS_A_DAY)]
        return np.array([signatures.index(signature) for signature in signatures], dtype=np.int32)

    @property
    def by_weekday(self) -> bool:
        """Whether any filter asks for the day of the week."""
        return any(filter_.weekdays is not None for filter_ in self.filters)

    @cached_property
    def event_columns(self) -> tuple[str, ...]:
        """The columns of the events that are read, beside those that say whose they are."""
        names = ["occurred_at", "known_at", *self.classes, "quantity"]
        read = {name for feature in self.features for name in MEASURES[feature.measure].reads}
        names += ["value"] * ("value" in read)
        names += ["local_day"] * (self.by_weekday or "local_day" in read)
        names += ["local_hour"] * (self.hour_classes is not None)
        return tuple(names)

    def streams_of(self, kind: Kind) -> list[int]:
        """List the streams that take events of a kind; each kind is asked for once, however many batches have it."""
        known = self._streams_of
        if kind not in known:
            known[kind] = [n for n, filter_ in enumerate(self.filters) if filter_.matches(kind, self.vocabulary)]
        return known[kind]

    @cached_property
    def _streams_of(self) -> dict[Kind, list[int]]:
        return {}

    def label_of(self, part: str, value: Value) -> int:
        """Give the number of a text's label, -1 where it is missing: what is not in the vocabulary is other."""
        labels = self.vocabulary.labels(part)
        return -1 if value is None else labels.index(value if value in labels else OTHER.value)


def _step(feature: Feature) -> Step:
    kind, needs = STEPS[feature.measure], _NEEDS[MEASURES[feature.measure].keeps]
    part = 0 if feature.of is None else TOUCHED.index(feature.of)
    return Step(feature.filter, kind, feature.window, feature.half_life, part, feature.position or 1, needs)


def _pair(feature: Feature) -> tuple[Step, Step, Combine] | None:
    """Give the two steps that a feature is put together from, and how; None where it is one step."""
    counterpart = MEASURES[feature.measure].counterpart
    if counterpart is None:
        return None
    kind = getattr(kernel, counterpart.operand.upper())
    filter_, window = feature.events_of(counterpart)
    steps = Step(feature.filter, kind, feature.window), Step(filter_, kind, window)
    if counterpart.operand == "last_place":
        return *steps, _is_later
    pace = window / feature.window if window is not None and feature.window is not None else 1.0
    return *steps, lambda count, usual: _quotient(count * pace, usual)


def _quotient(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    quotient: NDArray[np.float64] = np.divide(left, right, out=np.full(left.shape, np.nan), where=right > 0)
    return quotient


def _is_later(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    later: NDArray[np.float64] = np.where((left < 0) & (right < 0), np.nan, left > right)
    return later


def _length(window: timedelta | None) -> int:
    return FOREVER if window is None else microseconds(window)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
