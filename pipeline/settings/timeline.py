"""The settings of ``episodes`` and ``snapshots``: what ends an episode, when we look, and how far ahead."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from features.core.time import DAY, HOUR, Duration
from features.timeline.snapshots import AgePolicy, CalendarPolicy, EventPolicy, Policy, Split
from pipeline.settings.types import Moment, Name, Strict, by_key


class Episodes(Strict):
    """What ends an episode, and what opens the next one."""

    conversion: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Event types that mean the lead has converted."""
    lost: tuple[Name, ...] = ()
    """Event types that mean the lead is lost."""
    reopen_on: tuple[Name, ...] = ()
    """Acts of the lead itself that open a new episode after a loss."""
    reopen_after: Duration = 30 * DAY
    """How long after the loss such an act must come."""
    milestones: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Steps on the way that people decided, each with the event types that mean it was reached, in the order of the
    funnel: {accepted by sales: [accepted], opportunity: [opportunity_created]}."""

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        both = set(self.conversion) & set(self.lost)
        if both:
            raise ValueError(f"{sorted(both)} can't be a conversion and a loss at once; keep each in one list")
        return self


class Ages(Strict):
    """Snapshots at ages after the episode's start."""

    ages: Annotated[tuple[Duration, ...], Field(min_length=1)]
    """How long after the start, as in [1d, 3d, 7d]."""

    def policy(self) -> Policy:
        """Give the policy in the features' own terms."""
        return AgePolicy(self.ages)


class Calendar(Strict):
    """Snapshots of every open lead at fixed moments, midnight UTC."""

    calendar: Literal["daily", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "monthly"]
    """Every day, every week on the day that is named, or on the first of every month."""

    def policy(self) -> Policy:
        """Give the policy in the features' own terms."""
        return CalendarPolicy(self.calendar)


class Event(Strict):
    """Snapshots one microsecond after an event of this type became known."""

    event: Name
    """The event type."""

    def policy(self) -> Policy:
        """Give the policy in the features' own terms."""
        return EventPolicy(self.event)


PolicySettings = Annotated[
    Annotated[Ages, Tag("Ages")] | Annotated[Calendar, Tag("Calendar")] | Annotated[Event, Tag("Event")],
    Discriminator(by_key(Ages, Calendar, Event, otherwise="Ages")),
]


class SplitSettings(Strict):
    """Shares of the labelled snapshots, in time order: fit, early stopping, calibration, gap, test."""

    early_stopping: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of the snapshots before the gap."""
    calibration: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the snapshots before the gap."""
    test: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Share of all labelled snapshots. With 0 all are learned from, and nobody knows what the model is worth: it is not
    judged, and becomes the champion only by hand."""

    @model_validator(mode="after")
    def _something_to_fit(self) -> Self:
        if self.early_stopping + self.calibration >= 1:
            raise ValueError("early_stopping and calibration leave nothing to fit; together they must stay below 1")
        return self

    def split(self) -> Split:
        """Give the shares in the features' own terms."""
        return Split(early_stopping=self.early_stopping, calibration=self.calibration, test=self.test)


class Snapshots(Strict):
    """When we look at a lead, and how far into its future."""

    policies: Annotated[tuple[PolicySettings, ...], Field(min_length=1)]
    """The moments at which we look at a lead: the sum of what the policies ask for."""
    horizon: Duration
    """The label: converts in [as_of, as_of + horizon)."""
    outcome_delay: Duration | None = None
    """How long after it occurred an outcome is known at the latest; by default the 99th percentile of the log's own."""
    start: Moment | None = None
    """No snapshot before it."""
    split: SplitSettings = SplitSettings()
    """How the snapshots are divided, in time order."""

    @field_validator("horizon")
    @classmethod
    def _at_least_an_hour(cls, horizon: timedelta) -> timedelta:
        if horizon < HOUR:
            raise ValueError("the horizon must be an hour or more, as in '30d'")
        return horizon
