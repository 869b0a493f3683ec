"""What leads were measured to cost: the calls of ours that new leads and leads in work took in the last days.

A lead is in work from what a fact of the kind taken says until that fact ends, its episode does, or it has been silent
for too long. What is counted is the last 90 whole days of the company's, from what was known at the moment:

    in work at the beginning of a working day    a day of a lead in work
    a contact on a day that begins in work       a call to a lead in work
    taken up on a day that does not              a new lead, and the contacts of that day are its calls
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa

from features.core.schema import MACHINE
from features.core.time import microseconds
from models.decision.capacity import Costs
from models.decision.facts import Fact
from pipeline.core.project import Places
from pipeline.core.sql import fetch_row, file_literal, literal
from pipeline.scoring.earlier import Earlier
from pipeline.scoring.today import Today, owned_on
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.timeline import Episodes

DAYS = 90
"""How many days are looked back."""


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    decision: DecisionPolicy
    episodes: Episodes


def see_today(
    places: Places, parameters: Sections, connection: duckdb.DuckDBPyConnection, as_of: datetime, earlier: Earlier
) -> Today:
    """Tell what is known of the company's day at ``as_of`` (UTC); costs are measured where not leads are counted."""
    policy = parameters.decision
    named = [name for one in policy.capacity for name in one.of or ()]
    today = Today(policy, as_of, owned_on(places, policy.day_of(as_of), named), Costs(), earlier)
    room = today.room
    if room is None or {amount.unit for amount in (*room.of.values(), room.each)} == {"leads"}:
        return today
    return replace(today, costs=measure_costs(places, policy, parameters.episodes, connection, as_of))


def measure_costs(
    places: Places, policy: DecisionPolicy, episodes: Episodes, connection: duckdb.DuckDBPyConnection, as_of: datetime
) -> Costs:
    """Measure what leads cost in the days before that of ``as_of`` (UTC), by what was known then."""
    facts = [fact for fact in policy.facts.values() if fact.kind == "taken"]
    if not facts or not policy.work.contacts:
        return Costs()
    day = policy.day_of(as_of)
    days = [day - timedelta(days=back) for back in range(DAYS, 0, -1)]
    midnights = np.array([_midnight(policy, one) for one in [*days, day]], "datetime64[us]")
    working = midnights[:-1][[policy.works_on(one) for one in days]].astype(np.int64)
    connection.register("company_day", pa.table({"midnight": midnights[:-1]}))
    ends = [*episodes.conversion, *episodes.lost]
    log = f"read_parquet({file_literal(places.interactions)})"
    # The log is read once: what may say something of these days is a part of it.
    connection.execute(f"CREATE TEMP TABLE work_event AS {_events(log, policy, facts, ends, as_of, midnights)}")
    connection.execute(f"CREATE TEMP TABLE work_span AS {_spans(policy, facts, ends, midnights)}")
    spans = connection.execute("SELECT epoch_us(start) AS start, epoch_us(until) AS until FROM work_span").fetchnumpy()
    covered = np.searchsorted(working, spans["until"], "right") - np.searchsorted(working, spans["start"], "right")
    new_leads, calls_of_new, calls_in_work = fetch_row(connection, _calls(policy, facts))
    connection.execute("DROP TABLE work_span; DROP TABLE work_event")
    connection.unregister("company_day")
    return Costs.of(new_leads, int(calls_of_new or 0), int(covered.sum()), int(calls_in_work or 0))


def _midnight(policy: DecisionPolicy, day: date) -> datetime:
    """Give the moment, UTC, at which a day of the company's begins."""
    return datetime.combine(day, time(), ZoneInfo(policy.time_zone)).astimezone(UTC).replace(tzinfo=None)


_Times = np.ndarray[tuple[int], np.dtype[np.datetime64]]


def _events(
    log: str, policy: DecisionPolicy, facts: Sequence[Fact], ends: Sequence[str], as_of: datetime, midnights: _Times
) -> str:
    """Ask for what was known at ``as_of`` of acts and contacts that may break a silence, and of what takes or ends."""
    work = policy.work
    moment, today = _timestamp(np.datetime64(as_of, "us")), _timestamp(midnights[-1])
    lasting = [fact.lasts for fact in facts if fact.lasts is not None]
    takes = _among([*_said(facts), *ends, *(kind for fact in facts for kind in fact.ended_by)])
    if len(lasting) == len(facts):
        takes += f" AND occurred_at >= {_timestamp(midnights[0] - np.timedelta64(max(lasting)))}"
    stirs = f"(actor = 'lead' OR {_among(work.contacts)}) AND occurred_at >= "
    stirs += _timestamp(midnights[0] - np.timedelta64(work.silence))
    return (
        f"SELECT lead_id, occurred_at AS happened, event_type, actor, quantity FROM {log} WHERE known_at < {moment} "
        f"AND occurred_at < {today} AND actor <> '{MACHINE}' AND (({takes}) OR ({stirs}))"
    )


def _spans(policy: DecisionPolicy, facts: Sequence[Fact], ends: Sequence[str], midnights: _Times) -> str:
    """Ask for the times, from ``start`` (not included) to ``until``, in which leads were in work; several a lead."""
    flags = {"stirs": f"actor = 'lead' OR {_among([*policy.work.contacts, *_said(facts)])}"}
    flags |= {f"said_{place}": _among(fact.events) for place, fact in enumerate(facts)}
    flags |= {f"ended_{place}": _among([*fact.ended_by, *ends]) for place, fact in enumerate(facts)}
    holding, limits = [], []
    for place, fact in enumerate(facts):
        holds = f"(said_{place} IS NOT NULL AND NOT coalesce(ended_{place} > said_{place}, false))"
        limit = "TIMESTAMP 'infinity'"
        if fact.lasts is not None:
            limit = f"said_{place} + to_microseconds({microseconds(fact.lasts) - 1})"
        holding.append(holds)
        limits.append(f"CASE WHEN {holds} THEN {limit} END")
    silence = f"stirs + to_microseconds({microseconds(policy.work.silence) - 1})"
    until = f"least(next, {silence}, greatest({', '.join(limits)}), {_timestamp(midnights[-1])})"
    marks = ", ".join(f"bool_or({sql}) AS {name}" for name, sql in flags.items())
    held = ", ".join(f"max(happened) FILTER ({name}) OVER own AS {name}" for name in flags)
    moments = (
        f"SELECT lead_id, happened, {marks} FROM work_event "
        f"SEMI JOIN (SELECT lead_id FROM work_event WHERE {_among(_said(facts))}) AS taken USING (lead_id) "
        "GROUP BY lead_id, happened"
    )
    states = (
        f"SELECT lead_id, happened, {held}, coalesce(lead(happened) OVER own, TIMESTAMP 'infinity') AS next "
        f"FROM ({moments}) WINDOW own AS (PARTITION BY lead_id ORDER BY happened)"
    )
    return (
        f"SELECT lead_id, happened AS start, {until} AS until FROM ({states}) "
        f"WHERE ({' OR '.join(holding)}) AND {until} > happened"
    )


def _calls(policy: DecisionPolicy, facts: Sequence[Fact]) -> str:
    """Ask for the new leads, the contacts of the days on which they were taken up, and those of leads in work."""
    contact, taken = _among(policy.work.contacts), _among(_said(facts))
    return (
        f"WITH of_day AS (SELECT lead_id, midnight, bool_or({taken}) AS is_taken, "
        f"sum(quantity) FILTER ({contact}) AS contacts FROM work_event ASOF JOIN company_day ON happened >= midnight "
        f"WHERE {contact} OR {taken} GROUP BY lead_id, midnight), "
        "judged AS (SELECT of_day.*, coalesce(midnight <= work_span.until, false) AS works FROM of_day "
        "ASOF LEFT JOIN work_span ON of_day.lead_id = work_span.lead_id AND midnight > work_span.start) "
        "SELECT count(*) FILTER (is_taken AND NOT works), sum(contacts) FILTER (is_taken AND NOT works), "
        "sum(contacts) FILTER (works) FROM judged"
    )


def _said(facts: Iterable[Fact]) -> list[str]:
    return [kind for fact in facts for kind in fact.events]


def _among(types: Iterable[str]) -> str:
    listed = ", ".join(map(literal, dict.fromkeys(types)))
    return f"event_type IN ({listed})" if listed else "false"


def _timestamp(moment: np.datetime64) -> str:
    return f"TIMESTAMP '{str(moment.astype('datetime64[us]')).replace('T', ' ')}'"
