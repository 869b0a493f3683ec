"""The settings of ``episodes`` and ``snapshots``: what ends an episode, when we look, and how far ahead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Self

from pydantic import (
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from features.core.time import DAY, HOUR, Duration
from features.timeline.policies import AgePolicy, CalendarPolicy, EventPolicy
from pipeline.settings.types import Moment, Name, Strict, by_key


class AfterConversion(Strict):
    """What brings a customer back: the next episode asks whether it converts once more."""

    reopen_on: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Acts of the lead itself that open a new episode after a conversion."""
    reopen_after: Duration = 30 * DAY
    """How long after the latest conversion such an act must come."""


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
    after_conversion: AfterConversion | None = None
    """What opens a new episode after a conversion; without it a conversion is the end of all."""
    milestones: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Steps on the way that people decided, each with the event types that mean it was reached, in the order of the
    funnel: {accepted by sales: [accepted], opportunity: [opportunity_created]}."""

    @property
    def event_types(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Give the event types that are named, by the place that names them."""
        for place in ("conversion", "lost", "reopen_on"):
            yield f"episodes.{place}", getattr(self, place)
        if self.after_conversion:
            yield "episodes.after_conversion.reopen_on", self.after_conversion.reopen_on
        for milestone, names in self.milestones.items():
            yield f"episodes.milestones.{milestone}", names

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        both = set(self.conversion) & set(self.lost)
        if both:
            raise ValueError(f"{sorted(both)} can't be a conversion and a loss at once; keep each in one list")
        return self

    @model_validator(mode="after")
    def _reopened_by_acts(self) -> Self:
        named = self.after_conversion.reopen_on if self.after_conversion else ()
        ends = {*named} & {*self.conversion, *self.lost}
        if ends:
            raise ValueError(
                f"{sorted(ends)} can't end an episode and open the next one (after_conversion.reopen_on); name what "
                "the lead does when it asks anew"
            )
        return self


PolicySettings = Annotated[
    Annotated[AgePolicy, Tag("AgePolicy")]
    | Annotated[CalendarPolicy, Tag("CalendarPolicy")]
    | Annotated[EventPolicy, Tag("EventPolicy")],
    Discriminator(by_key(AgePolicy, CalendarPolicy, EventPolicy, otherwise="AgePolicy")),
]


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

    @field_validator("horizon")
    @classmethod
    def _at_least_an_hour(cls, horizon: timedelta) -> timedelta:
        if horizon < HOUR:
            raise ValueError("the horizon must be an hour or more, as in '30d'")
        return horizon

    @property
    def triggers(self) -> list[str]:
        """The event types that a lead is looked at after."""
        return [policy.event for policy in self.policies if isinstance(policy, EventPolicy)]

    @property
    def follow_a_calendar(self) -> bool:
        """Whether some leads are looked at however old they are."""
        return any(isinstance(policy, CalendarPolicy) for policy in self.policies)

    def what_would_teach_age(self, *, is_assumed: bool) -> str:
        """Say what would teach a model about older leads; nothing would, where init has assumed when leads convert."""
        if is_assumed:
            return "when leads convert is assumed (see ingest.sources); knowing it would teach it"
        if self.follow_a_calendar:
            return "the log is too short to teach of that age; a longer one would"
        return "snapshots.policies looks at none of that age: add '- calendar: monday' to it"


def told_of_older(older: int, leads: int, learned_days: float) -> str:
    """Say how many of the open leads are older than any that was learned from, and how old that one was."""
    return (
        f"{older:,} of {leads:,} open leads ({older / leads:.1%}) are older than any that was learned from "
        f"({learned_days:,.1f} days): their probabilities are a guess"
    )
