"""Conversions with their value, and open leads with what is expected of them, for advertising platforms.

A row leaves the house only where the lead agrees to advertising at the moment the file is made, whenever it converted:
consent that was taken back since counts, and consent that is given for later does not yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq

from features.core.errors import InputError, SettingsError
from features.core.schema import MACHINE
from pipeline.core.project import Project, require
from pipeline.core.sql import open_reader
from pipeline.core.suspensions import find_suspended
from pipeline.exports import click_ids, scored
from pipeline.exports.scored import NO_CONSENT_KNOWN, is_unknown, known_until, read_scored
from pipeline.kpi.history import Scored
from pipeline.kpi.leads import Clock, event_types, log_of
from pipeline.scoring.standing import hold
from pipeline.settings.kpi import Kpi

WITHOUT_CONSENT = "without consent for advertising"
WITHOUT_CLICK = "without a click id"
SUSPENDED = "suspended, for the promise to such leads is broken"
BROKEN_CLICK = "with a text in place of the click id"


class Sections(click_ids.Sections, scored.Sections, Protocol):
    """The sections of the settings that are asked for here."""

    kpi: Kpi


class Conversion(NamedTuple):
    """A row of the file; the time is ISO 8601 in the company's zone, an unknown value is None."""

    click_id: str
    conversion_name: str
    conversion_time: str
    value: float | None
    currency: str | None


@dataclass
class Conversions:
    """The rows of the file, in the order of their times, and how many of which kind were left out."""

    rows: list[Conversion] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    """What else should be known of the file, a line each."""


class _Found(NamedTuple):
    lead_id: str
    name: str
    at: datetime
    value: float | None


def find_conversions(
    project: Project[Sections], now: datetime, since: date | None = None, expected: Scored | None = None
) -> Conversions:
    """Find what may be told of conversions known before ``now`` (UTC), on and after a day of the company's.

    ``expected``: the scores whose open leads are told, too, each at the moment of its creation, so that a lead that is
    told every night is one conversion. Raises SettingsError where no click id is configured, or nothing is worth
    anything, InputError where stages have not run.
    """
    parameters = project.parameters
    require(project.interactions, project.leads, project.aliases, project.consents)
    made = Conversions()
    with open_reader() as connection:
        clicks = click_ids.read_click_ids(project, now)
        if is_unknown(project, connection, "advertising", now):
            made.told.append(NO_CONSENT_KNOWN)
        made.told.append(known_until(project, connection, now))
        found = list(_happened(project, connection, now, since))
        if expected:
            found += _expected(project, connection, expected, now, since, made)
        ids = sorted({one.lead_id for one in found})
        shut = dict(zip(ids, hold(project, parameters.decision, connection, ids, now).shut("advertising"), strict=True))
    zone = ZoneInfo(parameters.decision.time_zone)
    currency = parameters.ingest.currency
    for one in sorted(found, key=lambda one: (one.at, one.lead_id, one.name)):
        click = clicks.get(one.lead_id)
        if shut[one.lead_id]:
            made.left_out[WITHOUT_CONSENT] += 1
        elif click is None:
            made.left_out[WITHOUT_CLICK] += 1
        elif not click_ids.is_click_id(click):
            made.left_out[BROKEN_CLICK] += 1
        else:
            at = one.at.replace(tzinfo=UTC).astimezone(zone).isoformat(timespec="seconds")
            money = None if one.value is None else currency
            made.rows.append(Conversion(click, one.name, at, one.value, money))
    if unknown := sum(row.value is None for row in made.rows):
        made.told.append(f"{unknown:,} rows have no value: the log has none for these conversions")
    if currency is None and any(row.value is not None for row in made.rows):
        made.told.append("no currency is stated (ingest.currency): platforms take their own")
    return made


def _happened(
    project: Project[Sections], connection: duckdb.DuckDBPyConnection, now: datetime, since: date | None
) -> Iterator[_Found]:
    """List each conversion with what it brought: its own value, times the number in kpi.revenue."""
    parameters = project.parameters
    clock = Clock(now, parameters.decision.time_zone)
    called = parameters.exports.names if parameters.exports else {}
    rows = connection.execute(
        f"SELECT lead_id, event_type, occurred_at, value FROM {log_of(project)} WHERE {clock.known} "
        f"AND actor <> '{MACHINE}' AND {event_types(parameters.episodes.conversion)} "
        f"AND ($since::DATE IS NULL OR {clock.day_of('occurred_at')} >= $since::DATE)",
        {"since": since},
    ).fetchall()
    for lead_id, kind, at, value in rows:
        worth = None if value is None else value * parameters.kpi.revenue.get(kind, 1.0)
        yield _Found(lead_id, called.get(kind, kind), at, worth)


def _expected(
    project: Project[Sections],
    connection: duckdb.DuckDBPyConnection,
    scores: Scored,
    now: datetime,
    since: date | None,
    made: Conversions,
) -> Iterator[_Found]:
    """List open leads with the value that is expected of each; count the others."""
    parameters = project.parameters
    if parameters.decision.money is None:
        raise SettingsError(
            "nobody says what a conversion is worth, so no value can be expected; state decision.money, and score "
            "anew: docs/exports.md"
        )
    assert parameters.exports is not None  # noqa: S101 - whoever has click ids has the section
    leads = read_scored(project, parameters, connection, scores, now)
    is_open = leads["why"].isna()
    if leads.loc[is_open, "expected_value"].isna().any():
        raise InputError("the newest scores hold no expected value; score anew: leadcast score --as-of now")
    made.left_out.update(leads.loc[~is_open, "why"])
    has_version = "model_version" in pq.read_schema(scores.recommendations).names
    version = pq.read_table(scores.recommendations, columns=["model_version"] * has_version, partitioning=None)[:1]
    of = version.to_pylist()[0].get("model_version", "") if len(version) else ""
    suspended = find_suspended(project, scores.recommendations, of)
    is_suspended = is_open & leads["lead_id"].isin([lead for _, held in suspended for lead in held])
    made.left_out[SUSPENDED] += int(is_suspended.sum())
    is_open &= ~is_suspended
    for row in leads[is_open].itertuples(index=False):
        if since is None or parameters.decision.day_of(row.created_at) >= since:
            yield _Found(row.lead_id, parameters.exports.expected, row.created_at.to_pydatetime(), row.expected_value)
    made.told.append(f"what is expected is that of the scores of {scores.as_of:%Y-%m-%d %H:%M} UTC")
