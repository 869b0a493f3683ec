"""The settings of what is read: tables, sources, leads, identities.

Every class is strict (an unknown key is an error that names the nearest valid one) and frozen.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.settings.events import Actor, Known, Machines, OwnWrites
from pipeline.settings.people import Consents, Decisions
from pipeline.settings.table import Table
from pipeline.settings.types import Column, Constant, Moment, Name, Share, Span, Strict


class TrafficColumns(Strict):
    """Which columns say where an interaction came from; ``ingest.channels`` makes a channel of them."""

    traffic_source: Column | None = None
    """As in utm_source: google, newsletter."""
    traffic_medium: Column | None = None
    """As in utm_medium: organic, cpc, email."""
    click_id: Column | None = None
    """Columns named after click ids (gclid, fbclid), or the page's address that holds them."""
    referrer: Column | None = None
    """The address of the page, or its host, that the visit came from."""

    def traffic(self) -> dict[str, Column]:
        """Give the columns that are mapped, by field."""
        fields = {name: getattr(self, name) for name in TrafficColumns.model_fields}
        return {name: column for name, column in fields.items() if column is not None}


def _check_channel(columns: InteractionColumns | SpendColumns) -> None:
    """Check what all that comes over a channel shares: one word for it, and currencies that are codes."""
    if columns.channel and columns.traffic():
        raise ValueError(f"channel and {next(iter(columns.traffic()))} both say where it came from; keep one of them")
    if isinstance(columns.currency, Constant) and not re.fullmatch("[A-Z]{3}", columns.currency.constant):
        raise ValueError(f"currency {columns.currency.constant!r} is no code; write it in three capitals, as in EUR")


class InteractionColumns(TrafficColumns):
    """Which column of the source holds which field of an interaction.

    A row is one event (``occurred_at``, ``event_type``), or several: one for each column of ``events`` that holds a
    time, or for each column of ``counts`` that holds more than 0.
    """

    lead_id: Column
    """Who: the id of the lead, or one of its aliases."""
    occurred_at: Name | None = None
    """When it happened."""
    event_type: Column | None = None
    """What happened, as in email_open; several columns are joined."""
    events: dict[Name, Name] = Field(default_factory=dict)
    """Columns that hold times, each with the event type that happened then, as in won_date: won."""
    counts: dict[Name, Name] = Field(default_factory=dict)
    """Columns that hold counts of a day (``occurred_at``), each with the event type that is counted."""
    channel: Column | None = None
    """Where it came from, as in email; or map traffic_source and its like instead."""
    campaign: Column | None = None
    """The campaign it belongs to."""
    content: Column | None = None
    """What it was about, as in a page group, a white paper, a webinar, a button: a few words, never an address."""
    value: Name | None = None
    """A number that says what it was worth, as in the value of a cart."""
    currency: Column | None = None
    """Of value, as in EUR; values are converted to ingest.currency."""
    quantity: Name | None = None
    """How many such events the row stands for, where it is more than one."""
    event_id: Column | None = None
    """What makes two rows of the source the same event: the second one is set aside as a duplicate."""

    @property
    def width(self) -> int:
        """The number of entries that one row may become."""
        return max(len(self.events), len(self.counts), 1)

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if self.events:
            excess = [name for name in ("occurred_at", "event_type", "counts") if getattr(self, name)]
            if excess:
                raise ValueError(f"events says what happened and when, and so does {excess[0]}; keep one of them")
        elif self.occurred_at is None:
            raise ValueError("occurred_at is missing: the column that says when it happened (or events, for several)")
        elif bool(self.event_type) == bool(self.counts):
            raise ValueError("needs event_type (a column, or {constant: visit}) or counts, and not both")
        if self.counts and self.quantity:
            raise ValueError("counts holds the quantities; leave quantity out")
        if self.currency and not self.value:
            raise ValueError("currency without a value; map value, too")
        _check_channel(self)
        return self


class Source(Table):
    """One source of interactions; an outcomes table is a source like any other."""

    columns: InteractionColumns
    """Which column holds what."""
    known_at: Known
    """When an event became known to us: {column: ...}, {delay: 6h}, or as_it_occurred."""
    actor: Actor
    """Who acted: the lead, us (calls, mails we send), or a system."""
    own_writes: OwnWrites | None = None
    """How a row tells that leadcast push wrote it: it is set aside, and counted, for a score is no interaction."""
    machines: Machines | None = None
    """How to tell what scanners of mails and proxies of images did; without it all is taken for people's doing."""
    observed_until: Moment | None = None
    """Until when the source was read; its last known event where it is not given."""
    closed: Moment | None = None
    """When the source ended for good, as in '2026-05-31': from then on its silence is no fault, and nothing waits for
    it."""
    quiet: bool = False
    """Whether its silence says nothing, as of a fair once a year: it is never taken to have stopped."""
    closed_days: tuple[Span, ...] = ()
    """Days of its time zone on which few rows, or none, are right: holidays, or a day that is lost for good. A day, or
    the first and last of several, each quoted: ['2026-12-25', ['2026-12-24', '2027-01-01']]."""
    observed_from: Moment | None = None
    """From when on the source recorded conversions; where it is not given, the log itself shows whether there was a
    time without, or with a few strays, in which leads would have converted had they been recorded."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.machines and (self.columns.counts or self.columns.quantity):
            raise ValueError("machines are told by the second of each act, and its rows count several; leave it out")
        if self.closed and self.quiet:
            raise ValueError("closed and quiet both say why it is silent; keep one of them")
        if self.quiet and self.closed_days:
            raise ValueError("closed_days have no effect on a source that is quiet; keep one of them")
        if self.observed_from and self.observed_until and self.observed_from >= self.observed_until:
            raise ValueError("observed_from lies after observed_until; the source would never have been observed")
        return self


class LeadColumns(Strict):
    """Which column of the leads table holds which field of a lead."""

    lead_id: Column
    """The id of the lead, as the sources or the identities name it."""
    created_at: Name
    """When it became a lead; its first episode starts here."""
    account_id: Column | None = None
    """The company or household that the lead belongs to."""
    time_zone: Name | None = None
    """The lead's own zone, as in Europe/Amsterdam, for its local days and hours."""


ASSUMED_OUTCOMES = "answer_of_each"
"""What the SQL names it that init writes where no table says when leads converted."""
OWN_TABLES = ("leads", "identities", "decisions", "consents", "spend", "rates", "owners")
"""The tables beside the sources that each have a place of their own."""
_RESERVED = {"lead_id", "created_at", "known_at", "account_id", "time_zone", "as_of", "started_at", "episode"}


class Leads(Table):
    """The table of leads, one row each."""

    columns: LeadColumns
    """Which column holds what."""
    attributes: dict[Name, Literal["number", "category"]] = Field(default_factory=dict)
    """Columns that never change after creation. One that is overwritten in place (a CRM's stage) leaks the outcome."""

    @field_validator("attributes")
    @classmethod
    def _distinct_and_not_reserved(cls, attributes: dict[str, str]) -> dict[str, str]:
        names = [name.casefold() for name in attributes]
        repeated = sorted(name for name in attributes if names.count(name.casefold()) > 1)
        if repeated:
            raise ValueError(f"{repeated} differ only in case; keep one of them")
        reserved = _RESERVED & set(names)
        if reserved:
            raise ValueError(
                f"{sorted(reserved)} are fields of every lead and can't be attributes; map them under columns"
            )
        return attributes


class IdentityColumns(Strict):
    """Which column of the identities table holds which field."""

    alias_id: Column
    """The other id: a cookie, a contact, a merged duplicate."""
    lead_id: Column
    """The lead that it belongs to."""
    linked_at: Name
    """When that became known; the alias's events are known from then on."""


class Identities(Table):
    """The table that unites the ids of one lead: cookies, contacts, merged duplicates."""

    columns: IdentityColumns
    """Which column holds what."""


class ChannelRule(Strict):
    """A channel, and what an interaction must have to be of it: all that is stated, each by one of its texts.

    Texts are compared without regard to case; ``*`` stands for any letters. ``""`` is a missing one.
    """

    channel: Name
    """The name of the channel, as in SEO."""
    traffic_source: tuple[str, ...] = ()
    """Sources, as in google."""
    traffic_medium: tuple[str, ...] = ()
    """Media, as in cpc."""
    click_id: tuple[Name, ...] = ()
    """Names of click ids that are there, as in gclid."""
    referrer: tuple[str, ...] = ()
    """Hosts: google.* is also www.google.com."""

    @model_validator(mode="after")
    def _states_something(self) -> Self:
        if not (self.traffic_source or self.traffic_medium or self.click_id or self.referrer):
            raise ValueError(f"the rule of channel {self.channel!r} states nothing; name a traffic_source, medium ...")
        return self


class SpendColumns(TrafficColumns):
    """Which column of the table holds which field of what was spent; its channel, or what makes one."""

    day: Name
    """The day the money was spent."""
    channel: Column | None = None
    """Where it was spent, as in SEA; or map traffic_source and its like instead."""
    campaign: Column | None = None
    """What it was spent on."""
    cost: Name
    """How much was spent."""
    currency: Column | None = None
    """Of cost, as in EUR; costs are converted to ingest.currency."""
    clicks: Name | None = None
    """How many clicks it brought."""
    visits: Name | None = None
    """How many visitors came by the channel that day, whether or not they became leads. A row that has some needs no
    cost: of search engines or direct access nobody knows one."""

    @model_validator(mode="after")
    def _one_channel(self) -> Self:
        _check_channel(self)
        return self


class Spend(Table):
    """What was spent on advertising, by day, channel and campaign."""

    columns: SpendColumns
    """Which column holds what."""


class RateColumns(Strict):
    """Which column of the table holds which field of an exchange rate."""

    day: Name
    """The day from which on the rate holds."""
    currency: Column
    """The currency that is converted, as in USD."""
    rate: Name
    """What one unit of the currency is worth in ingest.currency."""


class Rates(Table):
    """Exchange rates; a day takes the last one before or on it."""

    columns: RateColumns
    """Which column holds what."""


class OwnerColumns(Strict):
    """Which column of the table holds which field of who owns a territory."""

    territory: Column
    """The territory, as decision.territory names it of leads."""
    owner: Column
    """Who sells there."""
    from_: Annotated[Name | None, Field(alias="from")] = None
    """The first day on which the row holds, in the company's time zone; where it is empty, from ever on."""
    until: Name | None = None
    """The day before which it holds, on which the next row begins; where it is empty, for good."""
    per_day: Name | None = None
    """How many new leads, calls or hours (unit) a working day has room for there; 0 where nobody is there. Without it,
    decision.capacity says so."""


class Owners(Table):
    """Who owns which territory, and from when: a plan, taken as it stands, of which a day knows what holds on it."""

    columns: OwnerColumns
    """Which column holds what."""
    unit: Literal["leads", "calls", "hours"] = "leads"
    """What per_day counts: new leads that are taken up, calls, or hours for calls."""
    until_is_last: bool = False
    """Whether until names the last day on which a row holds, and not the first on which it does not."""


class Ingest(Strict):
    """Raw files in, one sorted log of interactions out."""

    tables: dict[Name, Table] = Field(default_factory=dict)
    """Tables that queries read by their names, and that are nothing else."""
    sources: Annotated[dict[Name, Source], Field(min_length=1)]
    """The sources of interactions, each with a name of letters, digits, _ and -."""
    leads: Leads | None = None
    """Without it every id of the log is a lead, created with its first event; with identities, every id they name."""
    identities: Identities | None = None
    """The ids that belong to one lead; without it every id is a lead of its own."""
    decisions: Decisions | None = None
    """What people decided of leads, which goes before what we would say."""
    consents: Consents | None = None
    """What leads agreed to, by purpose; without it mail and telephone are open, and nobody agrees to advertising."""
    channels: tuple[ChannelRule, ...] | None = None
    """What makes a channel of traffic source, medium, click id and referrer; the first rule that fits counts. Without
    it, the rules of docs/channels.md do."""
    spend: Spend | None = None
    """What was spent, for the cost of a lead by channel."""
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    """What all values and costs are turned into, as in EUR; needed where a source names currencies."""
    rates: Rates | None = None
    """Exchange rates, needed where there is more than one currency."""
    owners: Owners | None = None
    """Who sells where, and how much time there is, by day."""
    maximum_broken: Share = 0.05
    """Share of a source's rows that may be broken; above it the run fails. Duplicates and unknown leads don't count."""

    @property
    def assumes_when(self) -> bool:
        """Whether init has assumed when leads converted."""
        return any(ASSUMED_OUTCOMES in (source.query or "") for source in self.sources.values())

    @property
    def own_tables(self) -> dict[str, Table]:
        """The tables beside the sources that are given, by their names."""
        given = {name: getattr(self, name) for name in OWN_TABLES}
        return {name: table for name, table in given.items() if table}

    @field_validator("sources", "tables")
    @classmethod
    def _fit_for_a_file(cls, tables: dict[str, Table]) -> dict[str, Table]:
        wrong = [name for name in tables if not re.fullmatch(r"[\w-]+", name) or name in OWN_TABLES]
        if wrong:
            raise ValueError(
                f"{wrong} can't name a table, since a quarantine file is named after it; "
                f"use letters, digits, _ and -, and none of {', '.join(sorted(OWN_TABLES))}"
            )
        return tables

    @model_validator(mode="after")
    def _agree(self) -> Self:
        twice = sorted(set(self.sources) & set(self.tables))
        if twice:
            raise ValueError(f"{twice} is among sources and tables; queries read a source by its name, too: drop one")
        if self.rates and not self.currency:
            raise ValueError("rates without currency; name what they turn values into, as in currency: EUR")
        amounts: dict[str, InteractionColumns | SpendColumns] = {
            f"sources.{name}": source.columns for name, source in self.sources.items() if source.columns.value
        }
        amounts |= {"spend": self.spend.columns} if self.spend else {}
        named = ", ".join(table for table, columns in amounts.items() if columns.currency)
        unnamed = ", ".join(table for table, columns in amounts.items() if not columns.currency)
        if named and not self.currency:
            raise ValueError(f"{named}: amounts name a currency; say which one they are turned into: currency: EUR")
        if named and unnamed:
            raise ValueError(
                f"{unnamed}: the currency of the amounts is missing, and {named} names one; "
                "add it under columns, as in currency: {constant: EUR}"
            )
        return self
