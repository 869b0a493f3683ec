"""What people decided of a lead, and what it agreed to, as ingest has written it, and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from pipeline.core.project import Places
from pipeline.core.sql import identifier


class Decision(NamedTuple):
    """What people decided of a lead, in the order of its query; times in UTC, days as they were written."""

    decided_at: datetime
    known_at: datetime
    tier: str | None
    call_on: date | None
    until: date | None
    by: str | None
    reason: str | None


class Change(NamedTuple):
    """What a lead said of a purpose, in the order of its query; times in UTC."""

    changed_at: datetime
    known_at: datetime
    purpose: str
    status: str


def read_decisions(
    connection: duckdb.DuckDBPyConnection, places: Places, lead_id: str, moment: datetime | None
) -> list[Decision]:
    """Read what was decided of a lead and was known at ``moment`` (UTC), all without one, the oldest first."""
    order = "decided_at, known_at, sequence"
    rows = _read_known(connection, places.decisions, Decision._fields, order, lead_id, moment)
    return [Decision(*row) for row in rows]


def read_consents(
    connection: duckdb.DuckDBPyConnection, places: Places, lead_id: str, moment: datetime | None
) -> list[Change]:
    """Read what a lead agreed to, as known at ``moment`` (UTC), all without one, the oldest first."""
    order = "changed_at, known_at, purpose, status"
    rows = _read_known(connection, places.consents, Change._fields, order, lead_id, moment)
    return [Change(*row) for row in rows]


def _read_known(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    fields: Sequence[str],
    order: str,
    lead_id: str,
    moment: datetime | None,
) -> list[tuple[Any, ...]]:
    """Read fields of what is said of a lead and known by then; the first of the ``order`` is when it was said."""
    said_at = order.partition(",")[0]
    rows: list[tuple[Any, ...]] = connection.execute(
        f"SELECT {', '.join(map(identifier, fields))} FROM read_parquet($path) WHERE lead_id = $lead AND "
        f"($moment::TIMESTAMP IS NULL OR (known_at < $moment::TIMESTAMP AND {said_at} < $moment::TIMESTAMP)) "
        f"ORDER BY {order}",
        {"path": str(path), "lead": lead_id, "moment": moment},
    ).fetchall()
    return rows


def in_words(said: Mapping[str, Any]) -> str:
    """Say what people decided, of the fields of a Decision: what, until when, who decided, and why.

    >>> in_words({"tier": "SQL", "call_on": None, "until": date(2026, 4, 1), "by": "K2", "reason": "budget approved"})
    'SQL until 2026-04-01, by K2: budget approved'
    """
    what = ", ".join(filter(None, [said["tier"], f"call on {said['call_on']}" if said["call_on"] else None]))
    until = f" until {said['until']}" if said["until"] else ""
    who = f", by {said['by']}" if said["by"] else ""
    why = f": {said['reason']}" if said["reason"] else ""
    return f"{what}{until}{who}{why}"
