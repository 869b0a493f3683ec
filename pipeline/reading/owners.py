"""Who owns which territory, and from when: mapped, judged, and written beside the log."""

from __future__ import annotations

from datetime import datetime

import duckdb

from features.core.errors import InputError
from features.core.schema import OWNERSHIP
from pipeline.core.sql import Relation, literal
from pipeline.reading.mapped_table import MappedTable, Problem, problem
from pipeline.reading.moments import TOO_EARLY, day_of, moment
from pipeline.reading.texts import Columns, number, text
from pipeline.settings.ingest import Owners

_DAYS = (("begins", "from"), ("ends", "until"))
"""What the days are called in the table that is written, and in the settings."""
KEY = ("territory", "owner", "begins", "ends", "places")
"""What makes two rows the same."""


def map_owners(owners: Owners, raw: Columns, _now: datetime) -> MappedTable:
    """Map the table of owners: territory, owner, begins, ends (the first day on which it holds no more), places."""
    columns = owners.columns
    parts = {
        "territory": text(columns.territory, raw),
        "owner": text(columns.owner, raw),
        **number("places", columns.per_day, raw, owners),
    }
    found: list[Problem] = [
        problem("coalesce(territory, '') = ''", "missing territory"),
        problem("coalesce(owner, '') = ''", "missing owner"),
    ]
    days = {}
    for (name, called), column in zip(_DAYS, (columns.from_, columns.until), strict=True):
        days[name] = "NULL::DATE"
        if column:
            parts |= moment(name, column, raw, owners)
            found.append(problem(f"{name}_given AND {name} IS NULL", f"unreadable {called}"))
            found += [problem(f"{name} {test}", f"{called} {what}") for test, what in TOO_EARLY]
            days[name] = day_of(name, owners.time_zone)
    if owners.until_is_last:
        days["ends"] += " + 1"
    found.append(problem(f"{days['ends']} <= {days['begins']}", "until before from"))
    if columns.per_day:
        found += [
            problem("NOT places_given", "missing per_day"),
            problem("places IS NULL", "unreadable per_day"),
            problem("NOT isfinite(places)", "per_day is not finite"),
            problem("places < 0", "per_day below 0"),
        ]
    if owners.unit != "hours":
        found.append(problem("places <> trunc(places)", "per_day is not a whole number"))
    kept = {"territory": "territory", "owner": "owner", **days, "places": "places"}
    return MappedTable(parts, tuple(found), kept)


def refuse_two_owners(usable: str, connection: duckdb.DuckDBPyConnection) -> None:
    """Raise InputError where no row is ``usable``, or a territory has two of them on the same day."""
    before = "PARTITION BY territory ORDER BY begins NULLS FIRST, ends ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
    rows = connection.execute(
        "SELECT territory, begins, count(*) OVER () FROM "
        f"(SELECT *, max(coalesce(ends, DATE 'infinity')) OVER ({before}) AS held_until FROM ({usable})) "
        "WHERE coalesce(begins, DATE '-infinity') < held_until ORDER BY begins NULLS FIRST, territory LIMIT 1"
    ).fetchone()
    if rows:
        territory, day, overlaps = rows
        when = "before its first change" if day is None else f"on {day}"
        more = f", and {overlaps - 1} more times" if overlaps > 1 else ""
        raise InputError(
            f"ingest.owners: the territory {territory!r} has two rows that hold {when}{more}; let each end (until) "
            "where the next begins (from), and set until_is_last where until is the last day on which a row holds"
        )
    if connection.execute(f"SELECT count(*) FROM ({usable})").fetchone() == (0,):
        raise InputError("ingest.owners: no row can be used, so nobody would be called; mend the table or its mapping")


def owners_written(judged: Relation | None, unit: str | None) -> str:
    """Write the query of the table of owners that is kept beside the log; an empty one where there is no table."""
    if judged is None:
        columns = ", ".join(f"NULL::{field.duckdb} AS {field.name}" for field in OWNERSHIP)
        return f"SELECT {columns} WHERE false"
    return (
        f"SELECT territory, owner, begins, ends, {literal(unit) if unit else 'NULL::VARCHAR'} AS unit, "
        f"CAST(places AS DOUBLE) AS places FROM {judged} WHERE reason IS NULL ORDER BY territory, begins NULLS FIRST"
    )
