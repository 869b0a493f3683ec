"""The settings of what is read: tables, sources, leads, identities; and what all settings share.

Every class is strict (an unknown key is an error that names the nearest valid one) and frozen.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
)

from features.duration import parse_duration
from features.errors import nearest

Duration = Annotated[timedelta, BeforeValidator(parse_duration), WithJsonSchema({"type": "string"})]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1)]


def read_moment(text: object) -> datetime:
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
    return name


Moment = Annotated[datetime, BeforeValidator(read_moment), WithJsonSchema({"type": "string"})]
Zone = Annotated[str, AfterValidator(_zone)]


class Strict(BaseModel):
    """A section of the parameters: no unknown keys, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Constant(Strict):
    """The same text for every row of the source."""

    constant: Name


def by_key(*sections: type[Strict], otherwise: str) -> Callable[[object], str]:
    """Choose among alternatives by what was written, so that a mistake is told of the one that was meant.

    A mapping is the section that has the key most like one of its own; anything else is ``otherwise``.
    """

    def likeness(section: type[Strict], value: dict[object, object]) -> float:
        pairs = [(str(key), name) for key in value for name in section.model_fields]
        return max((difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs), default=0.0)

    def choose(value: object) -> str:
        if isinstance(value, Strict):
            return type(value).__name__
        if isinstance(value, dict):
            return max(sections, key=lambda section: likeness(section, value)).__name__
        return "List" if otherwise == "Text" and isinstance(value, list) else otherwise

    return choose


Column = Annotated[
    Annotated[Name, Tag("Text")] | Annotated[list[Name], Tag("List")] | Annotated[Constant, Tag("Constant")],
    Discriminator(by_key(Constant, otherwise="Text")),
]
"""A column's name, several columns whose texts are joined by a space, or a constant."""


class KnownColumn(Strict):
    """The source says in a column when each event became known to us."""

    column: Name


class KnownDelay(Strict):
    """Every event becomes known a fixed time after it occurred."""

    delay: Duration


Known = Annotated[
    Annotated[Literal["as_it_occurred"], Tag("Literal")]
    | Annotated[KnownColumn, Tag("KnownColumn")]
    | Annotated[KnownDelay, Tag("KnownDelay")],
    Discriminator(by_key(KnownColumn, KnownDelay, otherwise="Literal")),
]


class ActorByType(Strict):
    """Who acted, by event type; every type that is not listed is the default's."""

    default: Literal["lead", "us", "system"]
    lead: tuple[Name, ...] = ()
    us: tuple[Name, ...] = ()
    system: tuple[Name, ...] = ()


Actor = Annotated[
    Annotated[Literal["lead", "us", "system"], Tag("Literal")] | Annotated[ActorByType, Tag("ActorByType")],
    Discriminator(by_key(ActorByType, otherwise="Literal")),
]


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
    known_at: Known
    """When an event became known to us: {column: ...}, {delay: 6h}, or as_it_occurred."""
    actor: Actor
    """Who acted: the lead, us (calls, mails we send), or a system."""
    observed_until: Moment | None = None
    """Until when the source was read; its last known event where it is not given."""


class LeadColumns(Strict):
    """Which column of the leads table holds which field of a lead."""

    lead_id: Column
    created_at: Name
    account_id: Column | None = None
    time_zone: Name | None = None


_RESERVED = {"lead_id", "created_at", "known_at", "account_id", "time_zone", "as_of", "started_at", "episode"}


class Leads(Table):
    """The table of leads, one row each."""

    columns: LeadColumns
    attributes: dict[Name, Literal["number", "category"]] = {}
    """Columns that never change after creation. One that is overwritten in place (a CRM's stage) leaks the outcome."""

    @field_validator("attributes")
    @classmethod
    def _distinct(cls, attributes: dict[str, str]) -> dict[str, str]:
        names = [name.casefold() for name in attributes]
        repeated = sorted(name for name in attributes if names.count(name.casefold()) > 1)
        if repeated:
            raise ValueError(f"{repeated} differ only in case; keep one of them")
        return attributes

    @field_validator("attributes")
    @classmethod
    def _no_reserved(cls, attributes: dict[str, str]) -> dict[str, str]:
        reserved = _RESERVED & {name.casefold() for name in attributes}
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
    """Without it every id of the log is a lead, created with its first event; with identities, every id they name."""
    identities: Identities | None = None
    memory_limit: Annotated[str, Field(pattern=r"^\d+(MB|GB)$")] = "2GB"
    """What DuckDB may use; beyond it, it spills to disk."""
    maximum_broken: Share = 0.05
    """Share of a source's rows that may be broken; above it the run fails. Duplicates and unknown leads don't count."""

    @field_validator("sources")
    @classmethod
    def _fit_for_a_file(cls, sources: dict[str, Source]) -> dict[str, Source]:
        wrong = [name for name in sources if not re.fullmatch(r"[\w-]+", name) or name in {"leads", "identities"}]
        if wrong:
            raise ValueError(
                f"{wrong} can't name a source, since a quarantine file is named after it; "
                "use letters, digits, _ and -, and neither leads nor identities"
            )
        return sources
