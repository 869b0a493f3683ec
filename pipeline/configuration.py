"""The settings: what ``params.yaml`` may say, checked whole before any work begins.

Every class is strict (an unknown key is an error that names the nearest valid one) and frozen.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from features.declarations import ACTORS, Feature, Filter
from features.duration import DAY, HOUR, parse_duration
from features.errors import nearest
from features.snapshots import AgePolicy, CalendarPolicy, EventPolicy, Policy, Split

Duration = Annotated[timedelta, BeforeValidator(parse_duration), WithJsonSchema({"type": "string"})]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1)]


def _moment(text: object) -> datetime:
    """Read a quoted date or time; without an offset it is UTC."""
    if not isinstance(text, str):
        raise ValueError(f"{text} must be a quoted date, as in '2026-06-29'")  # noqa: TRY004 - pydantic reports ValueErrors
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no date; write it as '2026-06-29' or '2026-06-29T08:00:00'") from error
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)).replace(tzinfo=None)


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no time zone; {nearest(name, available_timezones())[:200]}")
    ZoneInfo(name)
    return name


Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string"})]
Zone = Annotated[str, AfterValidator(_zone)]


class Strict(BaseModel):
    """A section of the parameters: no unknown keys, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Constant(Strict):
    """The same text for every row of the source."""

    constant: Name


Column = Name | list[Name] | Constant
"""A column's name, several columns whose texts are joined by a space, or a constant."""


class KnownColumn(Strict):
    """The source says in a column when each event became known to us."""

    column: Name


class KnownDelay(Strict):
    """Every event becomes known a fixed time after it occurred."""

    delay: Duration


class ActorByType(Strict):
    """Who acted, by event type; every type that is not listed is the default's."""

    default: Literal["lead", "us", "system"]
    lead: tuple[Name, ...] = ()
    us: tuple[Name, ...] = ()
    system: tuple[Name, ...] = ()


class Table(Strict):
    """One table of the raw data: files that share a header."""

    path: Name
    """A file below data_root, or a glob over several; the ending tells the format: .csv, .tsv, .jsonl, .ndjson,
    .parquet, also .gz, .bz2, .zst."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """What separates the columns of a CSV; told from the header where it is not given."""
    time_zone: Zone = "UTC"
    """The zone of times that carry no offset."""
    time_format: Name | None = None
    """How times are written: strptime, epoch_seconds, epoch_milliseconds, epoch_microseconds; by default ISO 8601."""


class InteractionColumns(Strict):
    """Which column of the source holds which field of an interaction."""

    lead_id: Column
    occurred_at: Name
    event_type: Column
    channel: Column | None = None
    campaign: Column | None = None
    value: Name | None = None
    quantity: Name | None = None
    event_id: Column | None = None


class Source(Table):
    """One source of interactions; an outcomes table is a source like any other."""

    columns: InteractionColumns
    known_at: Literal["as_it_occurred"] | KnownColumn | KnownDelay
    """When an event became known to us: {column: ...}, {delay: 6h}, or as_it_occurred."""
    actor: Literal["lead", "us", "system"] | ActorByType
    """Who acted: the lead, us (calls, mails we send), or a system."""
    observed_until: Moment | None = None
    """Until when the source was read; its last known event where it is not given."""


class LeadColumns(Strict):
    """Which column of the leads table holds which field of a lead."""

    lead_id: Column
    created_at: Name
    account_id: Column | None = None
    time_zone: Name | None = None


class Leads(Table):
    """The table of leads, one row each."""

    columns: LeadColumns
    attributes: dict[Name, Literal["number", "category"]] = {}
    """Columns that never change after creation. One that is overwritten in place (a CRM's stage) leaks the outcome."""

    @field_validator("attributes")
    @classmethod
    def _no_reserved(cls, attributes: dict[str, str]) -> dict[str, str]:
        reserved = {"lead_id", "created_at", "account_id", "time_zone"} & set(attributes)
        if reserved:
            raise ValueError(
                f"{sorted(reserved)} are fields of every lead and can't be attributes; map them under columns"
            )
        return attributes


class IdentityColumns(Strict):
    """Which column of the identities table holds which field."""

    alias_id: Column
    lead_id: Column
    linked_at: Name


class Identities(Table):
    """The table that unites the ids of one lead: cookies, contacts, merged duplicates."""

    columns: IdentityColumns


class Ingest(Strict):
    """Raw files in, one sorted log of interactions out."""

    sources: Annotated[dict[Name, Source], Field(min_length=1)]
    leads: Leads | None = None
    """Without it every id of the log is a lead, created with its first event."""
    identities: Identities | None = None
    memory_limit: Annotated[str, Field(pattern=r"^\d+(MB|GB)$")] = "2GB"
    """What DuckDB may use; beyond it, it spills to disk."""
    maximum_broken: Share = 0.05
    """Share of a source's rows that may be broken; above it the run fails. Duplicates and unknown leads don't count."""


class Validate(Strict):
    """Great Expectations over the interactions and the leads."""

    sample_rows: PositiveInt = 20_000
    """Rows that the row-level expectations look at."""
    maximum_silent_days: PositiveInt = 14
    """Days in a row without any event before it warns."""


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

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        both = set(self.conversion) & set(self.lost)
        if both:
            raise ValueError(f"{sorted(both)} can't be a conversion and a loss at once; keep each in one list")
        return self


class Ages(Strict):
    """Snapshots at ages after the episode's start."""

    ages: Annotated[tuple[Duration, ...], Field(min_length=1)]

    def policy(self) -> Policy:
        """Give the policy in the features' own terms."""
        return AgePolicy(self.ages)


class Calendar(Strict):
    """Snapshots of every open lead at fixed moments, midnight UTC."""

    calendar: Literal["daily", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "monthly"]

    def policy(self) -> Policy:
        """Give the policy in the features' own terms."""
        return CalendarPolicy(self.calendar)


class Event(Strict):
    """Snapshots one microsecond after an event of this type became known."""

    event: Name

    def policy(self) -> Policy:
        """Give the policy in the features' own terms."""
        return EventPolicy(self.event)


class SplitSettings(Strict):
    """Shares of the labelled snapshots, in time order: fit, early stopping, calibration, gap, test."""

    early_stopping: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of the snapshots before the gap."""
    calibration: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the snapshots before the gap."""
    test: Annotated[float, Field(gt=0, lt=1)] = 0.25
    """Share of all labelled snapshots."""

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

    policies: Annotated[tuple[Ages | Calendar | Event, ...], Field(min_length=1)]
    horizon: Duration
    """The label: converts in [as_of, as_of + horizon)."""
    outcome_delay: Duration | None = None
    """How long after it occurred an outcome is known at the latest; by default as the sources of the outcomes show."""
    start: Moment | None = None
    """No snapshot before it."""
    split: SplitSettings = SplitSettings()

    @field_validator("horizon")
    @classmethod
    def _at_least_an_hour(cls, horizon: timedelta) -> timedelta:
        if horizon < HOUR:
            raise ValueError("the horizon must be an hour or more, as in '30d'")
        return horizon


class DeclaredFeature(Strict):
    """A feature of the user's own, beside those of the catalogue."""

    measure: str
    event_type: Name | None = None
    channel: Name | None = None
    campaign: Name | None = None
    window: Duration | None = None
    half_life: Duration | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        self.feature(ACTORS)
        return self

    def feature(self, actors: tuple[str, ...]) -> Feature:
        """Give the declaration in the features' own terms."""
        return Feature(
            self.measure,
            Filter(
                event_type=self.event_type, channel=self.channel, campaign=self.campaign, actors=tuple(sorted(actors))
            ),
            self.window,
            self.half_life,
        )


class Features(Strict):
    """What is computed of each snapshot."""

    actors: Annotated[tuple[Literal["lead", "us", "system"], ...], Field(min_length=1)] = ("lead",)
    """Whose events count. A model that learns from what we did learns our habits."""
    windows: Annotated[tuple[Duration, ...], Field(min_length=1)] = (DAY, 7 * DAY, 30 * DAY, 90 * DAY)
    half_life: Duration = 14 * DAY
    """Of the decayed counts."""
    minimum_leads: PositiveInt = 20
    """Event types and channels seen for fewer leads are pooled as 'other'."""
    maximum_types: PositiveInt = 60
    """The most frequent event types, and channels, that get features of their own."""
    exclude_types: tuple[Name, ...] = ()
    """Event types that no feature may use."""
    declared: tuple[DeclaredFeature, ...] = ()
    """Features of your own, each {measure, event_type, channel, campaign, window, half_life}."""

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

    seed: int = 7
    calibration: Literal["auto", "sigmoid", "isotonic"] = "auto"
    minimum_conversions: PositiveInt = 40
    """In the fit part; a quarter of it in each of the other parts."""
    parameters: dict[str, int | float | str | bool] = {}
    """Handed to LightGBM over the defaults. Class weights and resampling are refused: they break the probabilities."""


class Evaluate(Strict):
    """The figures on the test part, and where they are tracked."""

    replicates: PositiveInt = 500
    """Bootstrap draws over leads behind each interval."""
    experiment: Name = "leadcast"
    """The MLflow experiment."""
    model_name: Name = "lead-conversion"
    """The name in the MLflow registry."""


class Tiers(Strict):
    """From which probability on a lead is recommended to whom."""

    mql: Annotated[float, Field(gt=0, lt=1)]
    sql: Annotated[float, Field(gt=0, lt=1)]


class Maturity(Strict):
    """From which multiple of the base rate on a lead is warm, or hot."""

    warm: PositiveFloat = 1.0
    hot: PositiveFloat = 3.0


class DecisionPolicy(Strict):
    """What a probability is turned into."""

    tiers: Tiers
    maturity: Maturity = Maturity()

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


class Score(Strict):
    """Which moment the leads are scored at."""

    as_of: Literal["latest"] | Moment = "latest"
    """Of the score stage: latest (the end of the log) or a quoted date."""
    maximum_age: Duration = 2 * DAY
    """How old the log may be when leadcast score is asked for now."""


class Parameters(Strict):
    """All of ``params.yaml``."""

    data_root: Name = "data/raw"
    """The folder that all source paths start from."""
    ingest: Ingest
    validate_: Annotated[Validate, Field(alias="validate")] = Validate()
    episodes: Episodes
    snapshots: Snapshots
    features: Features = Features()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    policy: DecisionPolicy
    score: Score = Score()
