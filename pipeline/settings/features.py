"""The settings of ``features``: what is computed of each snapshot."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    PositiveInt,
    field_validator,
    model_validator,
)

from features.core.schema import ACTORS
from features.core.time import DAY, HOUR, Duration
from features.language.feature import Feature
from features.language.filters import WEEKDAYS, Filter
from pipeline.settings.types import Name, Strict


class DeclaredFeature(Strict):
    """A feature of the user's own, beside those of the catalogue."""

    measure: str
    """What is computed; docs/features.md lists the measures."""
    event_type: Name | None = None
    """Only events of this type; of all types where it is not given."""
    channel: Name | None = None
    """Only events of this channel."""
    campaign: Name | None = None
    """Only events of this campaign."""
    content: Name | None = None
    """Only events about this: a page group, a white paper, a webinar."""
    hours: tuple[int, int] | None = None
    """Only events of these hours of the lead's day, [from, to): [9, 17], or [22, 6] for the night."""
    weekdays: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] | None = None
    """Only events of these days of the lead's week."""
    window: Duration | None = None
    """Only events this long before the snapshot, in multiples of an hour; all earlier ones where it is not given."""
    half_life: Duration | None = None
    """Of decayed_count, and of it alone: after how long an event counts half."""
    baseline: Duration | None = None
    """Of momentum: the longer window that its own is compared with."""
    of: Literal["event_type", "channel", "campaign", "content", "hours", "weekdays"] | None = None
    """Of entropy and the touches: what events are told by. Of share: the one condition that the whole drops."""
    position: PositiveInt | None = None
    """Of the touches: 2 for the second, or for the last but one."""
    than: Name | None = None
    """Of came_after: the event type that is compared with."""
    scope: Literal["lead", "account"] = "lead"
    """Whose events: the lead's own, or those of the other leads of its account."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        self.feature(ACTORS)
        return self

    def feature(self, actors: tuple[str, ...]) -> Feature:
        """Give the declaration in the features' own terms."""
        days = self.weekdays and tuple(day for day in WEEKDAYS if day in self.weekdays)
        texts = (self.event_type, self.channel, self.campaign, self.content)
        conditions = (*texts, tuple(sorted(actors)), self.hours, days)
        return Feature(
            self.measure,
            Filter(*conditions),
            self.window,
            self.half_life,
            self.baseline,
            self.of,
            self.position,
            self.than,
            self.scope,
        )


class Features(Strict):
    """What is computed of each snapshot."""

    actors: Annotated[tuple[Literal["lead", "us", "system"], ...], Field(min_length=1)] = ("lead",)
    """Whose events count. A model that learns from what we did learns our habits."""
    windows: Annotated[tuple[Duration, ...], Field(min_length=1)] = (DAY, 7 * DAY, 30 * DAY, 90 * DAY)
    """How far back counts, sums and active days look; each is computed over the whole past, too."""
    half_life: Duration = 14 * DAY
    """Of the decayed counts."""
    minimum_leads: PositiveInt = 20
    """Event types and channels seen for fewer leads are pooled as 'other'."""
    maximum_types: PositiveInt = 60
    """The most frequent event types, and channels, that get features of their own."""
    exclude_types: tuple[Name, ...] = ()
    """Event types that no feature may use."""
    declared: tuple[DeclaredFeature, ...] = ()
    """Features of your own; docs/features.md says what can be declared, here or in features/own.py."""

    @field_validator("actors")
    @classmethod
    def _each_once(cls, actors: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(actors)) < len(actors):
            raise ValueError("an actor is named twice; name each once, as in [lead, us]")
        return actors

    @field_validator("declared")
    @classmethod
    def _distinct(cls, declared: tuple[DeclaredFeature, ...]) -> tuple[DeclaredFeature, ...]:
        if len(set(declared)) < len(declared):
            raise ValueError("the same feature is declared twice; keep one of them")
        return declared

    @field_validator("windows")
    @classmethod
    def _whole_hours(cls, windows: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
        if any(window < HOUR or window % HOUR for window in windows) or len(set(windows)) < len(windows):
            raise ValueError("windows must be distinct multiples of an hour, as in [1d, 7d, 30d]")
        return tuple(sorted(windows))

    @field_validator("half_life")
    @classmethod
    def _at_least_an_hour(cls, half_life: timedelta) -> timedelta:
        if half_life < HOUR or half_life % HOUR:
            raise ValueError("half_life must be a multiple of an hour, as in '14d'")
        return half_life
