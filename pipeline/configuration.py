"""The settings: what ``params.yaml`` may say, checked whole before any work begins."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    field_validator,
    model_validator,
)

from features.declarations import Feature
from features.duration import DAY, HOUR
from features.errors import SettingsError, nearest
from features.filters import ACTORS, WEEKDAYS, Filter
from features.snapshots import AgePolicy, CalendarPolicy, EventPolicy, Policy, Split
from models.learner import checked_parameters
from models.verdicts import KINDS
from pipeline.push_configuration import Push
from pipeline.setting_types import Duration, Moment, Name, Size, Strict, by_key, read_moment
from pipeline.source_configuration import Ingest

RegistryName = Annotated[str, Field(pattern=r"^[\w .-]+$")]
"""What MLflow takes as a name without quoting."""


class Validate(Strict):
    """Great Expectations over the interactions and the leads."""

    sample_rows: PositiveInt = 20_000
    """Rows that the row-level expectations look at."""


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
    of: Literal["event_type", "channel", "campaign", "hours", "weekdays"] | None = None
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
        conditions = (self.event_type, self.channel, self.campaign, tuple(sorted(actors)), self.hours, days)
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
    memory_limit: Size = "1GB"
    """How much the computation may hold at once, beside the process itself; a single lead or account may need more."""

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


class Train(Strict):
    """LightGBM and the calibration of its probabilities."""

    seed: NonNegativeInt = 7
    """Equal seeds and equal data give an equal model, to the byte."""
    calibration: Literal["auto", "sigmoid", "isotonic"] = "auto"
    """How raw scores become probabilities: auto takes isotonic where it is clearly better than sigmoid."""
    minimum_conversions: PositiveInt = 20
    """In each of fit, early stopping and calibration; as many must not convert."""
    parameters: dict[str, int | float | str | bool] = Field(default_factory=dict)
    """Handed to LightGBM over the defaults. Class weights and resampling are refused: they break the probabilities."""

    @field_validator("parameters")
    @classmethod
    def _of_the_learner(cls, parameters: dict[str, int | float | str | bool]) -> dict[str, int | float | str | bool]:
        try:
            checked_parameters(parameters, rows=1)
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return parameters


class Evaluate(Strict):
    """The figures on the test part, and where they are tracked."""

    replicates: PositiveInt = 500
    """Bootstrap draws over leads behind each interval."""
    experiment: RegistryName = "leadcast"
    """The MLflow experiment."""
    model_name: RegistryName = "lead-conversion"
    """The name in the MLflow registry."""
    acquitted: dict[Name, str] = Field(default_factory=dict)
    """Verdicts that you know to be harmless, by their code (or code:subject, where one column or source is meant), each
    with the reason, which is shown with it; docs/verdicts.md lists them all."""

    @field_validator("acquitted")
    @classmethod
    def _known_and_with_a_reason(cls, acquitted: dict[str, str]) -> dict[str, str]:
        codes = {name: name.partition(":")[0] for name in acquitted}
        wrong = [
            f"{name!r}: there is no verdict {code!r}; {nearest(code, KINDS)}"
            for name, code in codes.items()
            if code not in KINDS
        ]
        wrong += [
            f"{name!r} is declared, not acquitted: by closed, quiet, observed_until or closed_days of its source"
            for name, code in codes.items()
            if code in {"source_silent", "source_thin"}
        ]
        wrong += [
            f"{name!r} has no reason; say why it is harmless" for name, why in acquitted.items() if not why.strip()
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return acquitted


class Tiers(Strict):
    """From which probability on a lead is recommended to whom."""

    mql: Annotated[float, Field(gt=0, lt=1)]
    """From this probability on marketing takes the lead."""
    sql: Annotated[float, Field(gt=0, lt=1)]
    """From this probability on sales takes the lead."""


class Maturity(Strict):
    """From which multiple of the base rate on a lead is warm, or hot."""

    warm: PositiveFloat = 1.0
    """From this multiple on a lead is warm; below it, cold."""
    hot: PositiveFloat = 3.0
    """From this multiple on a lead is hot."""


class DecisionPolicy(Strict):
    """What a probability is turned into."""

    tiers: Tiers
    """Who works on the lead next."""
    maturity: Maturity = Maturity()
    """How far the lead is."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        wrong = []
        if self.tiers.mql >= self.tiers.sql:
            wrong.append(f"tiers.mql ({self.tiers.mql}) must be below tiers.sql ({self.tiers.sql})")
        if self.maturity.warm >= self.maturity.hot:
            wrong.append(f"maturity.warm ({self.maturity.warm}) must be below maturity.hot ({self.maturity.hot})")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


def _latest_or_moment(text: object) -> object:
    return text if text == "latest" else read_moment(text)


class Score(Strict):
    """Which moment the leads are scored at, and whose probability is explained."""

    as_of: Annotated[Literal["latest"] | datetime, BeforeValidator(_latest_or_moment)] = "latest"
    """Of the score stage: latest (the end of the log) or a quoted date."""
    maximum_age: Duration = 2 * DAY
    """How old the log may be when leadcast score is asked for now, beside the longest time in which nothing happened:
    the moment up to which every source that feeds features reaches. Whether one has stopped is judged by its rhythm."""
    reasons_for: tuple[Literal["IQL", "MQL", "SQL"], ...] = ("MQL", "SQL")
    """The tiers whose leads get reasons: IQL, MQL, SQL, or [] for none. Explaining a lead takes ten times as long as
    scoring it, so that it is done where somebody reads it."""


class Parameters(Strict):
    """All of ``params.yaml``. Every section of a stage must be there, be it empty: DVC watches each by its name."""

    data_root: Name
    """The folder that all source paths start from."""
    ingest: Ingest
    """What is read, and how it is turned into one log."""
    validate_: Annotated[Validate, Field(alias="validate")]
    """What Great Expectations checks."""
    episodes: Episodes
    """What counts as a conversion, and as a loss."""
    snapshots: Snapshots
    """When we look at a lead, and how far ahead."""
    features: Features
    """What is computed of each lead."""
    train: Train
    """How the model learns."""
    evaluate: Evaluate
    """How it is measured, and where that is kept."""
    policy: DecisionPolicy
    """What is recommended."""
    score: Score
    """When the leads are scored."""
    push: Push | None = None
    """Where leadcast push writes scores to; it may be left out."""
