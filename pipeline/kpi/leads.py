"""One row a lead: where it came from, which steps it took, what it brought, and what is still expected of it.

The log is read once, by what was known at a moment; what machines did counts nowhere. A touch is an act of the lead
itself that has a channel. Where leads have an attribute that says where they came from, it goes before the first touch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from features.core.schema import LEAD, MACHINE
from pipeline.core.project import Places
from pipeline.core.sql import Relation, file_literal, identifier, literal
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.kpi import Kpi, Renamed
from pipeline.settings.timeline import Episodes


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    decision: DecisionPolicy
    episodes: Episodes
    kpi: Kpi


def reached(milestone: str) -> str:
    """Name the column that says who reached a milestone."""
    return f"reached {milestone}"


@dataclass(frozen=True)
class Clock:
    """The moment of which everything is told, UTC, and the company's time zone, whose days and months count."""

    as_of: datetime
    time_zone: str

    @property
    def known(self) -> str:
        """The condition that an event had happened, and was known."""
        return f"known_at < {_timestamp(self.as_of)} AND occurred_at < {_timestamp(self.as_of)}"

    @property
    def year_before(self) -> datetime:
        """The same moment a year before; of 29 February, that of the 28th."""
        try:
            return self.as_of.replace(year=self.as_of.year - 1)
        except ValueError:
            return self.as_of.replace(year=self.as_of.year - 1, day=28)

    def local(self, column: str) -> str:
        """Write a time in UTC by the company's clock."""
        if self.time_zone == "UTC":
            return column
        return f"timezone({literal(self.time_zone)}, timezone('UTC', {column}))"

    def day_of(self, column: str) -> str:
        """Write the company's day of a time in UTC."""
        return f"CAST({self.local(column)} AS DATE)"

    def month_of(self, column: str) -> str:
        """Write the month of a time in UTC, as its first day."""
        return f"CAST(date_trunc('month', {self.local(column)}) AS DATE)"


def named_now(column: str, day: str, renamed: Iterable[Renamed]) -> str:
    """Write the name that a channel has now, of what was on a day (a DATE)."""
    cases = [
        f"WHEN {column} = {literal(one.channel)}{_before(day, one.before)} THEN {literal(one.now)}" for one in renamed
    ]
    return f"CASE {' '.join(cases)} ELSE {column} END" if cases else column


def _before(day: str, before: date | None) -> str:
    return "" if before is None else f" AND {day} < DATE '{before}'"


def event_types(types: Iterable[str]) -> str:
    """Write the condition that an event is of one of some types."""
    listed = ", ".join(map(literal, dict.fromkeys(types)))
    return f"event_type IN ({listed})" if listed else "false"


def log_of(places: Places, *, ordered: bool = False) -> str:
    """Write the relation of the log; ``file_row_number`` is the order of its rows, where it is asked for."""
    return f"read_parquet({file_literal(places.interactions)}{', file_row_number = true' if ordered else ''})"


def revenue_of(kpi: Kpi) -> str:
    """Write what an event brings; 0 where its type is none of revenue, or its value is missing."""
    cases = " ".join(f"WHEN {literal(kind)} THEN {float(factor)!r}" for kind, factor in kpi.revenue.items())
    return f"coalesce(value * CASE event_type {cases} ELSE 0.0 END, 0.0)" if cases else "0.0"


def make_leads(places: Places, parameters: Sections, connection: duckdb.DuckDBPyConnection, clock: Clock) -> Relation:
    """Make the table of the leads that were created and known by then.

    Beside the columns of a lead it has one a milestone, with the time at which it was reached. ``won_before`` tells
    whether the lead had converted, as it was known a year before.
    """
    acts, leads = Relation(connection, "kpi_act"), Relation(connection, "kpi_lead")
    acts.make_table(_acts(places, parameters, clock))
    kpi = parameters.kpi
    attribute = _attribute(places.leads, kpi.channel)
    own = (
        f"coalesce(nullif(trim(lead.{identifier(attribute)}), ''), act.first_touch)" if attribute else "act.first_touch"
    )
    day = clock.day_of("lead.created_at")
    steps = [identifier(reached(name)) for name in parameters.episodes.milestones]
    leads.make_table(
        f"SELECT lead.lead_id, lead.created_at, {clock.month_of('lead.created_at')} AS month, "
        f"{named_now(own, day, kpi.renamed)} AS channel, act.campaign, act.content, "
        f"{named_now('act.first_touch', clock.day_of('act.first_at'), kpi.renamed)} AS first_touch, "
        f"{named_now('act.last_touch', clock.day_of('act.last_at'), kpi.renamed)} AS last_touch, "
        f"coalesce(act.worked, false) AS worked, {''.join(f'act.{step}, ' for step in steps)}act.won_at, "
        "coalesce(act.conversions, 0) AS conversions, coalesce(act.won_before, false) AS won_before, act.lost_at, "
        "coalesce(act.revenue, 0.0) AS revenue "
        f"FROM read_parquet({file_literal(places.leads)}) AS lead LEFT JOIN {acts} AS act USING (lead_id) "
        f"WHERE lead.known_at < {_timestamp(clock.as_of)} AND lead.created_at < {_timestamp(clock.as_of)}"
    )
    connection.execute(f"DROP TABLE {acts}")
    return leads


def _acts(places: Places, parameters: Sections, clock: Clock) -> str:
    """Ask for what each lead did, and what was done: one pass over the log, in its own order.

    The last touch of a customer is the last before it first converted.
    """
    episodes, first = parameters.episodes, "file_row_number"
    won, touch = event_types(episodes.conversion), "actor = 'lead' AND channel IS NOT NULL"
    before_it, known = "coalesce(occurred_at < converted.won_at, true)", f"{clock.known} AND actor <> '{MACHINE}'"
    # A newsletter is sent to everybody: who was worked says what a contact is, where the settings do.
    contacts = parameters.decision.work.contacts
    contacted = event_types(contacts) if contacts else "actor = 'us'"
    converted = (
        f"SELECT lead_id, min(occurred_at) AS won_at FROM {log_of(places)} WHERE {known} AND {won} GROUP BY lead_id"
    )
    steps = {reached(name): event_types(types) for name, types in episodes.milestones.items()}
    reaching = "".join(
        f"min(occurred_at) FILTER ({condition}) AS {identifier(name)}, " for name, condition in steps.items()
    )
    return (
        f"SELECT lead_id, arg_min(channel, {first}) FILTER ({touch}) AS first_touch, "
        f"min(occurred_at) FILTER ({touch}) AS first_at, "
        f"arg_max(channel, {first}) FILTER ({touch} AND {before_it}) AS last_touch, "
        f"max(occurred_at) FILTER ({touch} AND {before_it}) AS last_at, "
        f"arg_min(campaign, {first}) FILTER (actor = 'lead' AND campaign IS NOT NULL) AS campaign, "
        f"arg_min(content, {first}) FILTER (actor = 'lead' AND content IS NOT NULL) AS content, "
        f"bool_or({contacted}) AS worked, {reaching}"
        f"any_value(converted.won_at) AS won_at, count(*) FILTER ({won}) AS conversions, "
        f"bool_or({won} AND known_at < {_timestamp(clock.year_before)} "
        f"AND occurred_at < {_timestamp(clock.year_before)}) AS won_before, "
        f"max(occurred_at) FILTER ({event_types(episodes.lost)}) AS lost_at, sum({revenue_of(parameters.kpi)}) AS "
        "revenue "
        f"FROM {log_of(places, ordered=True)} LEFT JOIN ({converted}) AS converted USING (lead_id) WHERE {known} "
        "GROUP BY lead_id"
    )


def _attribute(leads: Path, name: str) -> str | None:
    """Give the attribute that says where leads came from, if there is one of that name that is a text."""
    schema = pq.read_schema(leads)
    known = name in schema.names and name not in {field.name for field in LEAD}
    return name if known and pa.types.is_string(schema.field(name).type) else None


def _timestamp(moment: datetime) -> str:
    return f"TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S.%f}'"
