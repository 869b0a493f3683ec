"""``leadcast explain``: the value of one feature of one lead, and the events that it was computed from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import duckdb

from features.core.errors import InputError, nearest
from features.core.time import DAY, microseconds
from features.engines.evidence import Evidence, find_evidence, find_evidence_in_account, say_moment
from features.engines.reference import Interaction, compute
from features.language.catalogue import CONTEXT_MEANINGS, Catalogue
from features.language.feature import Feature
from features.language.measures import MEASURES
from features.language.words import describe
from pipeline.core.project import HERE, Places, read_json, require
from pipeline.core.sql import identifier, open_reader
from pipeline.inspection.found_lead import find_lead
from pipeline.log.reach import looked_until
from pipeline.settings.types import read_moment

_EPOCH = datetime(1970, 1, 1)
_MOST_COUNTED, _MOST_OTHERS = 50, 20
"""Events that are listed, the newest first, unless all are asked for."""
_HEADERS = (
    "occurred (UTC)", "known since", "lead", "type", "actor", "channel", "campaign", "content", "value", "quantity",
    "verdict",
)  # fmt: skip
_OPTIONAL = ("known since", "lead", "channel", "campaign", "content", "value", "quantity")
"""Columns that are left out where no event has anything to say in them."""
_EVENT = """
    lead_id, epoch_us(occurred_at), epoch_us(known_at), event_type, actor, channel, campaign, content, value, quantity,
    local_day - DATE '1970-01-01', local_hour
"""


@dataclass(frozen=True)
class Explanation:
    """What there is to say of a value, line by line, and a table of events, newest first."""

    told: tuple[str, ...]
    headers: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


class _Lead(NamedTuple):
    """Times are in microseconds since 1970, UTC."""

    lead_id: str
    created_at: int
    """As known at the moment that is explained."""
    known_at: int
    account_id: str | None
    told: tuple[str, ...]
    """That it was asked for by an alias."""


def explain_value(places: Places, name: str, lead_id: str, when: str, *, everything: bool) -> Explanation:
    """Explain the feature ``name`` of a lead at ``when``: latest (the end of the log), or a date in UTC.

    At most the newest 50 events that were counted are listed, and 20 of the others, unless ``everything`` is asked
    for. Raises InputError where the feature, the lead or the moment is none.
    """
    require(places.catalogue, places.interactions, places.leads, places.aliases, places.former_creations)
    catalogue = Catalogue.from_json(read_json(places.catalogue))
    if name not in catalogue.columns:
        raise InputError(
            f"no feature {name!r} in {places.catalogue}; {nearest(name, catalogue.columns)} "
            "One that is newly declared is there after leadcast features"
        )
    as_of = _moment(places, when)
    with open_reader() as connection:
        lead = _read_lead(connection, places, lead_id, as_of)
        if name not in catalogue.names:
            return Explanation((*lead.told, *_explain_other(connection, places, catalogue, name, lead, as_of)))
        feature = catalogue.features[catalogue.names.index(name)]
        evidence = _find_evidence(connection, places, catalogue, feature, lead, as_of)
    counted = [one for one in evidence if one.is_counted]
    value = compute((one.event for one in counted), as_of, feature, catalogue.vocabulary, lead.created_at)
    told = [
        *lead.told,
        f"{name} at {say_moment(as_of)} UTC is {_as_written(feature, value)}",
        f"in words: {describe(feature, value)}",
        f"{feature.measure}: {MEASURES[feature.measure].meaning}",
        *_doubts(feature, lead, as_of),
        f"counted {len(counted):,} of {len(evidence):,} events",
    ]
    others = [one for one in evidence if not one.is_counted]
    if not everything and (len(counted) > _MOST_COUNTED or len(others) > _MOST_OTHERS):
        counted, others = counted[-_MOST_COUNTED:], others[-_MOST_OTHERS:]
        told.append(
            f"listed are the newest of those that were counted ({len(counted)}), and of those that were not "
            f"({len(others)}); --all lists every one"
        )
    newest_first = sorted([*counted, *others], key=lambda one: one.event.occurred_at, reverse=True)
    rows = [_row(one) for one in newest_first]
    headers = [name for name in _HEADERS if name not in _OPTIONAL or any(row[name] for row in rows)]
    return Explanation(tuple(told), tuple(headers), tuple(tuple(row[name] for name in headers) for row in rows))


def _moment(places: Places, when: str) -> int:
    if when == "latest":
        moment = looked_until(places) + timedelta(microseconds=1)
    else:
        try:
            moment = read_moment(when)
        except ValueError as error:
            raise InputError(f"--as-of: {error}, or as latest") from None
    return microseconds(moment - _EPOCH)


def _read_lead(connection: duckdb.DuckDBPyConnection, places: Places, asked: str, as_of: int) -> _Lead:
    lead = find_lead(connection, places, asked, _EPOCH + timedelta(microseconds=as_of))
    created, known = (microseconds(moment - _EPOCH) for moment in (lead.created_at, lead.known_at))
    told = (f"{asked} is an alias of {lead.lead_id}",) if lead.alias else ()
    return _Lead(lead.lead_id, created, known, lead.account_id, told)


def _find_evidence(
    connection: duckdb.DuckDBPyConnection,
    places: Places,
    catalogue: Catalogue,
    feature: Feature,
    lead: _Lead,
    as_of: int,
) -> list[Evidence]:
    """Judge the events that the feature looks at: the lead's, or those of its account."""
    if feature.scope == "lead":
        events = _read_events(connection, places, [lead.lead_id])
        return find_evidence(events[lead.lead_id], as_of, feature, catalogue.vocabulary)
    rows = connection.execute(
        "SELECT lead_id, epoch_us(known_at) FROM read_parquet(?) WHERE account_id = ? ORDER BY lead_id",
        [str(places.leads), lead.account_id],
    ).fetchall()
    known_since = dict(rows) | {lead.lead_id: lead.known_at}
    account = _read_events(connection, places, list(known_since))
    return find_evidence_in_account(account, lead.lead_id, known_since, as_of, feature, catalogue.vocabulary)


def _read_events(
    connection: duckdb.DuckDBPyConnection, places: Places, leads: Sequence[str]
) -> dict[str, list[Interaction]]:
    """Read the events of leads, in the dataset's order."""
    wanted = ", ".join("?" * len(leads))
    rows = connection.execute(
        f"SELECT {_EVENT} FROM read_parquet(?) WHERE lead_id IN ({wanted}) ORDER BY occurred_at, source, sequence",
        [str(places.interactions), *leads],
    ).fetchall()
    events: dict[str, list[Interaction]] = {lead: [] for lead in leads}
    for lead, *values in rows:
        events[lead].append(Interaction(*values))
    return events


def _explain_other(
    connection: duckdb.DuckDBPyConnection, places: Places, catalogue: Catalogue, name: str, lead: _Lead, as_of: int
) -> list[str]:
    """Explain a column that no event is counted for: of the snapshot itself, or an attribute of the lead."""
    if name == "lead_age_days":
        age = (as_of - lead.created_at) / microseconds(DAY)
        return [
            f"{name} at {say_moment(as_of)} UTC is {_number(age)}",
            f"{CONTEXT_MEANINGS[name]}; the lead was created at {say_moment(lead.created_at)} UTC",
        ]
    if name in CONTEXT_MEANINGS:
        return [
            f"{name}: {CONTEXT_MEANINGS[name]}",
            f"it is of the snapshot itself: {HERE.snapshots} has its episode, by the rules under episodes",
        ]
    (attribute,) = (key for key, column in catalogue.attribute_columns.items() if column == name)
    rows = connection.execute(
        f"SELECT {identifier(attribute)} FROM read_parquet(?) WHERE lead_id = ?", [str(places.leads), lead.lead_id]
    ).fetchall()
    value = rows[0][0]
    shown = "missing" if value is None else _number(value) if isinstance(value, float) else value
    return [
        f"{name} is {shown}",
        f"it is the attribute {attribute!r} of the lead (ingest.leads.attributes), the same at every moment",
    ]


def _doubts(feature: Feature, lead: _Lead, as_of: int) -> list[str]:
    """Say what may surprise who reads the value."""
    doubts = []
    if lead.known_at >= as_of:
        doubts.append(f"the lead itself was not known until {say_moment(lead.known_at)}: it has no snapshot here")
    if feature.scope == "account" and lead.account_id is None:
        doubts.append("the lead has no account, so there are no others")
    if "created_at" in MEASURES[feature.measure].reads:
        doubts.append(f"the lead was created at {say_moment(lead.created_at)} UTC")
    return doubts


def _as_written(feature: Feature, value: float | str) -> str:
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return "missing"
    unit = MEASURES[feature.measure].unit
    if not unit.endswith("s"):  # a ratio, a share, or of the log's own unit
        return f"{_number(value)} ({unit})"
    return f"{_number(value)} {unit.removesuffix('s') if value == 1 else unit}"


def _number(value: float) -> str:
    """Write a number with up to four decimals.

    >>> _number(1234.50), _number(3.0)
    ('1,234.5', '3')
    """
    return f"{value:,.4f}".rstrip("0").rstrip(".")


def _row(one: Evidence) -> dict[str, str]:
    event = one.event
    return {
        "occurred (UTC)": say_moment(event.occurred_at),
        "known since": "" if event.known_at == event.occurred_at else say_moment(event.known_at),
        "lead": _printable(one.lead),
        "type": _printable(event.event_type),
        "actor": event.actor,
        "channel": _printable(event.channel),
        "campaign": _printable(event.campaign),
        "content": _printable(event.content),
        "value": "" if event.value is None else _number(event.value),
        "quantity": "" if event.quantity == 1 else f"{event.quantity:,}",
        "verdict": _printable(one.verdict),
    }


def _printable(text: str | None) -> str:
    """Give a text of the log as a terminal may print it: without line breaks and control codes."""
    return "" if text is None else text if text.isprintable() else repr(text)[1:-1]
