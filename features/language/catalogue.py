"""The features a model is built on: the default catalogue, grown from the vocabulary of the training log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal

import pandas as pd

from features.core.time import HOUR
from features.language.feature import LONGEST_HALF_LIFE, Feature, derive_names, slugify
from features.language.filters import OTHER, Filter, Pooled, Vocabulary
from features.language.measures import MEASURES
from features.language.stories import Story, stories_of

CONTEXT_MEANINGS = {
    "lead_age_days": "days from the lead's creation to as_of",
    "episode_age_days": "days from the start of the lead's episode to as_of",
    "earlier_episodes": "how many episodes the lead had before this one",
}
"""Features of the snapshot itself, which no event is counted for."""
CONTEXT = tuple(CONTEXT_MEANINGS)

Kind = Literal["number", "category"]
WHERE_FROM = re.compile(r"channel|source|medium|origin|kanal|quelle|bron|canal|fonte|fuente", re.IGNORECASE)
"""Names of attributes that say where a lead came from."""


@dataclass(frozen=True)
class Catalogue:
    """The features of a model, frozen: an event type never seen in training can't change the columns."""

    vocabulary: Vocabulary
    features: tuple[Feature, ...]
    attributes: tuple[tuple[str, Kind], ...] = ()
    """Static attributes of the lead, with their kinds."""

    @cached_property
    def attribute_columns(self) -> dict[str, str]:
        """The column of each attribute: ``lead__country``."""
        columns = [f"lead__{slugify(name)}" for name, _ in self.attributes]
        return {
            name: column if columns.count(column) == 1 else f"{column}_{position}"
            for position, (column, (name, _)) in enumerate(zip(columns, self.attributes, strict=True))
        }

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns of the event features, in order."""
        return tuple(derive_names(self.features, reserved=CONTEXT))

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the matrix, in order."""
        return (*CONTEXT, *self.attribute_columns.values(), *self.names)

    @property
    def categories(self) -> tuple[str, ...]:
        """The columns that hold texts."""
        texts = zip(self.names, self.features, strict=True)
        return (
            *(self.attribute_columns[name] for name, kind in self.attributes if kind == "category"),
            *(name for name, feature in texts if MEASURES[feature.measure].is_category),
        )

    @cached_property
    def stories(self) -> tuple[Story, ...]:
        """What its columns say of a lead."""
        return stories_of(self)

    @property
    def roles(self) -> dict[str, Any]:
        """Say which columns speak in which role of the short catalogue, `models.learning.additive.Roles`.

        It is what they measure of a whole event type, of what it was about, or of all events, by whoever's acts count.
        """
        plain = [
            (column, feature)
            for column, feature in zip(self.names, self.features, strict=True)
            if feature.scope == "lead"
            and feature.filter == replace(Filter(actors=feature.filter.actors), **_what(feature.filter))
        ]
        by_measure = {
            measure: [(column, feature) for column, feature in plain if feature.measure == measure]
            for measure in ("count", "decayed_count", "days_since_last")
        }
        counts, last = (
            [(column, feature) for column, feature in by_measure[measure] if feature.filter.content is None]
            for measure in ("count", "days_since_last")
        )
        longest = max((feature.window for _, feature in counts if feature.window is not None), default=None)
        categories = set(self.categories)
        attributes = {column: name for name, column in self.attribute_columns.items()}
        return {
            "decayed": [column for column, _ in by_measure["decayed_count"]],
            "recency": [column for column, feature in last if feature.filter.event_type is not None],
            "ages": ["lead_age_days", "episode_age_days"],
            "numbers": ["earlier_episodes", *(column for column in attributes if column not in categories)],
            "channels": [
                column for column, name in attributes.items() if column in categories and WHERE_FROM.search(name)
            ],
            "counts": {
                str(getattr(feature.filter.event_type, "value", feature.filter.event_type)): column
                for column, feature in counts
                if feature.filter.event_type is not None and feature.window == longest
            },
            "frequency": [column for column, feature in counts if feature.filter.event_type is None],
            "last": [column for column, feature in last if feature.filter.event_type is None],
        }

    def to_json(self) -> dict[str, Any]:
        """Give the catalogue as JSON; ``from_json`` reads it back."""
        return {
            "vocabulary": {name: list(values) for name, values in vars(self.vocabulary).items()},
            "features": [feature.to_json() for feature in self.features],
            "attributes": [list(attribute) for attribute in self.attributes],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Catalogue:
        """Read a catalogue that ``to_json`` wrote."""
        return cls(
            Vocabulary(**{name: tuple(values) for name, values in data["vocabulary"].items()}),
            tuple(Feature.from_json(feature) for feature in data["features"]),
            tuple((name, kind) for name, kind in data["attributes"]),
        )


def build_catalogue(
    event_types: pd.DataFrame,
    texts: Mapping[str, pd.DataFrame],
    about: pd.DataFrame,
    *,
    actors: Sequence[str],
    windows: Sequence[timedelta],
    half_life: timedelta,
    minimum_leads: int,
    maximum_types: int,
    ignored_types: Sequence[str],
    declared: Sequence[Feature] = (),
    attributes: Mapping[str, Kind] | None = None,
) -> Catalogue:
    """Grow the default catalogue from what was seen before the last snapshot that is learned from.

    ``event_types``: event_type, actor, leads (how many had such an event), valued (whether any has a value).
    ``texts``: of channel, campaign and content, the texts and their leads; ``about``: event_type, content, leads; these
    of the ``actors`` alone. Types count all actors; only those in ``actors`` make features.
    """
    seen = event_types[event_types["actor"].isin(actors) & ~event_types["event_type"].isin(ignored_types)]
    vocabulary = Vocabulary(
        event_types=_frequent(seen, "event_type", minimum_leads, maximum_types),
        channels=_frequent(texts["channel"], "channel", minimum_leads, maximum_types),
        campaigns=_frequent(texts["campaign"], "campaign", minimum_leads, maximum_types),
        contents=_frequent(texts["content"], "content", minimum_leads, maximum_types),
        ignored_types=tuple(sorted(set(ignored_types))),
        acted_by_us=tuple(sorted(set(event_types.loc[event_types["actor"] == "us", "event_type"]))),
    )
    valued = set(seen.loc[seen["valued"], "event_type"])
    frequent = about["event_type"].isin(vocabulary.event_types) & about["content"].isin(vocabulary.contents)
    frequent &= about["leads"] >= minimum_leads
    pairs = about[frequent].sort_values("leads", ascending=False, kind="stable").head(maximum_types)
    filters = list(_filters(vocabulary, list(zip(pairs["event_type"], pairs["content"], strict=True)), sorted(actors)))
    features = [
        feature
        for position, filter_ in enumerate(filters)
        for feature in _measures(filter_, windows, half_life, valued, is_total=position == 0)
    ]
    kinds: Mapping[str, Kind] = attributes or {}
    return Catalogue(vocabulary, tuple(dict.fromkeys((*features, *declared))), tuple(kinds.items()))


def _frequent(counts: pd.DataFrame, column: str, minimum_leads: int, maximum: int) -> tuple[str, ...]:
    """Give the values that enough leads have, at most ``maximum`` of them, in byte order."""
    totals = counts.groupby(column, sort=True)["leads"].max()
    totals = totals[totals >= minimum_leads].sort_values(ascending=False, kind="stable")
    return tuple(sorted(totals.index[:maximum]))


def _filters(vocabulary: Vocabulary, about: Sequence[tuple[str, str]], by: Sequence[str]) -> Iterator[Filter]:
    actors = tuple(by)
    yield Filter(actors=actors)
    types: list[str | Pooled] = [*vocabulary.event_types, OTHER]
    for event_type in types:
        yield Filter(event_type=event_type, actors=actors)
    channels: list[str | Pooled] = [*vocabulary.channels, OTHER]
    for channel in channels if vocabulary.channels else ():
        yield Filter(channel=channel, actors=actors)
    for event_type, content in sorted(about):
        yield Filter(event_type=event_type, content=content, actors=actors)


def _what(filter_: Filter) -> dict[str, Any]:
    return {"event_type": filter_.event_type, "content": filter_.content}


def _measures(
    filter_: Filter, windows: Sequence[timedelta], half_life: timedelta, valued: set[str], *, is_total: bool
) -> Iterator[Feature]:
    if filter_.content is not None:
        # What it was about refines its type, whose windows say the rest: it fades, and was when it last was.
        yield Feature("days_since_last", filter_)
        yield Feature("decayed_count", filter_, half_life=half_life)
        return
    spans: list[timedelta | None] = [*windows, None]
    for window in spans:
        yield Feature("count", filter_, window)
    if filter_.event_type in valued or (valued and (is_total or filter_.channel is not None)):
        for window in spans:
            yield Feature("sum", filter_, window)
    if is_total:
        for window in spans:
            yield Feature("active_days", filter_, window)
    if filter_.channel is None:
        yield Feature("days_since_first", filter_)
    yield Feature("days_since_last", filter_)
    for pace in paces(half_life) if filter_.channel is None else (half_life,):
        yield Feature("decayed_count", filter_, half_life=pace)


def paces(half_life: timedelta) -> tuple[timedelta, timedelta, timedelta]:
    """Give a quarter of a half-life, itself, and four times as long, in whole hours.

    One pace can't tell a burst of today from a habit of months; by three, what is simpler than trees sees the shape of
    a lead's past.
    """
    return max(half_life // 4 // HOUR * HOUR, HOUR), half_life, min(4 * half_life, LONGEST_HALF_LIFE)
