"""Which lead is meant by an id, and who it is: an alias is followed to the lead that it has become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb

from features.core.errors import InputError
from features.core.schema import LEAD
from pipeline.core.project import Places

_OWN = {field.name for field in LEAD}


@dataclass(frozen=True)
class Alias:
    """The id that was asked for, where it is another one's; times in UTC."""

    alias_id: str
    linked_at: datetime
    """Since when it is known whose it is."""
    contested_at: datetime | None
    """Since when another lead claims it, too, so that it is nobody's."""


@dataclass(frozen=True)
class FoundLead:
    """A lead as the log has it; times in UTC."""

    lead_id: str
    created_at: datetime
    """As known at the moment that was asked about."""
    known_at: datetime
    account_id: str | None
    attributes: Mapping[str, float | str | None]
    alias: Alias | None


def find_lead(
    connection: duckdb.DuckDBPyConnection, places: Places, asked: str, moment: datetime | None = None
) -> FoundLead:
    """Find a lead by its id, or by an alias that was linked before ``moment`` (UTC; today without one).

    Raises InputError where it is neither.
    """
    found = _read(connection, places, asked, moment)
    if found:
        return _lead(found, None)
    alias = connection.execute(
        "SELECT lead_id, linked_at, contested_at FROM read_parquet($aliases) WHERE alias_id = $asked "
        "AND ($moment::TIMESTAMP IS NULL OR linked_at < $moment::TIMESTAMP)",
        {"aliases": str(places.aliases), "asked": asked, "moment": moment},
    ).fetchone()
    if alias and (found := _read(connection, places, alias[0], moment)):
        contested = alias[2] if moment is None or (alias[2] and alias[2] < moment) else None
        return _lead(found, Alias(asked, alias[1], contested))
    by_then = "" if moment is None else f" by {moment:%Y-%m-%d %H:%M} UTC"
    raise InputError(
        f"no lead {asked!r} in {places.leads}; write its lead_id letter by letter as it stands there. Nor has an alias "
        f"of this name (a cookie, a merged duplicate) been linked to a lead{by_then}: {places.aliases}"
    )


def _read(
    connection: duckdb.DuckDBPyConnection, places: Places, lead_id: str, moment: datetime | None
) -> dict[str, object] | None:
    """Read a row of the leads, its creation as it was known at the moment."""
    answer = connection.execute(
        "SELECT lead.* REPLACE (coalesce((SELECT arg_min(created_at, until) FROM read_parquet($former) AS former "
        "WHERE former.lead_id = lead.lead_id AND until >= $moment::TIMESTAMP), created_at) AS created_at) "
        "FROM read_parquet($leads) AS lead WHERE lead_id = $lead",
        {"former": str(places.former_creations), "moment": moment, "leads": str(places.leads), "lead": lead_id},
    )
    names = [column[0] for column in answer.description or ()]
    row = answer.fetchone()
    return dict(zip(names, row, strict=True)) if row else None


def _lead(row: dict[str, object], alias: Alias | None) -> FoundLead:
    own = {name: row[name] for name in ("lead_id", "created_at", "known_at", "account_id")}
    attributes = {name: value for name, value in row.items() if name not in _OWN}
    return FoundLead(**own, attributes=attributes, alias=alias)  # type: ignore[arg-type] # the schema of leads says so
