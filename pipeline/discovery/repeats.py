"""Rows that only columns without a use tell apart: two pages in the same second are no duplicate of one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.core.sql import identifier
from pipeline.profiling.events import Proposed
from pipeline.profiling.profile import TIMES, Profile
from pipeline.profiling.tables import Tables, in_settings
from pipeline.profiling.words import KNOWN, has
from pipeline.settings.ingest import TrafficColumns

_TRAFFIC = {*TrafficColumns.model_fields}


def tell_rows_apart(tables: Tables, profiles: Mapping[str, Profile], proposed: Sequence[Proposed]) -> list[str]:
    """Name all columns of a table as the event's id where those in use would take different rows for one event.

    Gives what to tell the user. When a row was loaded or changed tells no events apart: exports overlap.
    """
    notes = []
    for source in proposed:
        columns, profile = source.settings["columns"], profiles[source.table]
        if "query" in source.settings or "event_type" not in columns or "event_id" in columns:
            continue
        used = names_read(source)
        whole = [
            column.name
            for column in profile.columns.values()
            if column.name in used
            or (column.kind not in ("empty", "stamp") and not (column.kind in TIMES and has(column.name, KNOWN)))
        ]
        # Of where it came from, only the channel is compared.
        compared = _named({key: value for key, value in columns.items() if key not in _TRAFFIC})
        idle = [name for name in whole if name not in compared and profile.columns[name].distinct > 1]
        if not idle or set(whole) & profile.table.nested:
            continue
        rows = _count(tables, profile, whole) - _count(tables, profile, sorted(compared))
        if rows:
            columns["event_id"] = whole
            source.comments["columns.event_id"] = f"{rows:,} rows are told apart only by {', '.join(idle)}"
            notes.append(
                f"{in_settings(source.name)}: {rows:,} rows differ from another one only in {', '.join(idle)}; they "
                "are kept, as only rows alike in all columns count as duplicates"
            )
    return notes


def names_read(source: Proposed) -> set[str]:
    """List the raw columns that a source names."""
    columns, known = source.settings["columns"], source.settings["known_at"]
    recorded = {known["column"]} if isinstance(known, dict) and "column" in known else set()
    return {*columns.get("events", {}), *_named(columns), *recorded}


def _named(columns: Mapping[str, object]) -> set[str]:
    listed = [value if isinstance(value, list) else [value] for value in columns.values()]
    return {name for names in listed for name in names if isinstance(name, str)}


def _count(tables: Tables, profile: Profile, names: Sequence[str]) -> int:
    listed = ", ".join(identifier(name) for name in names)
    return int(tables.ask_row(f"SELECT count(*) FROM (SELECT DISTINCT {listed} FROM {profile.table.relation})")[0])
