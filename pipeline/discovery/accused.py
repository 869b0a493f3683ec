"""Events that only leads without an outcome have: stamps under another name, or losses that nobody has called so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from pipeline.discovery.outcomes import EventType, Outcomes

_FEWEST_EXPECTED = 10.0
_HARDLY = 0.02

_COUNTS = """
WITH ends AS (
    SELECT lead_id, min(occurred_at) FILTER (list_contains($won, event_type)) AS won,
        min(occurred_at) FILTER (list_contains($ends, event_type)) AS ended
    FROM read_parquet($log) GROUP BY lead_id
), had AS (
    SELECT event_type, lead_id, min(occurred_at) AS first FROM read_parquet($log) GROUP BY ALL
)
SELECT event_type, count(*) FILTER (ended IS NULL), count(*) FILTER (first < won),
    (SELECT count(*) FROM ends WHERE ended IS NULL), (SELECT count(won) FROM ends)
FROM had JOIN ends USING (lead_id) WHERE NOT list_contains($ends, event_type) GROUP BY event_type ORDER BY event_type
"""


def accuse_events(
    connection: duckdb.DuckDBPyConnection,
    log: Path,
    types: Sequence[EventType],
    outcomes: Outcomes,
    sources: dict[str, Any],
) -> list[str]:
    """Find the events that hardly any lead has before it converts, though others have them; gives what to tell of them.

    What is a column of times of its own is taken out of ``sources``; of a type among others, the user is told.
    """
    ends = [*outcomes.conversion, *outcomes.lost]
    counts = connection.execute(_COUNTS, {"log": str(log), "won": list(outcomes.conversion), "ends": ends}).fetchall()
    of = {kind.name: kind.source for kind in types}
    notes = []
    for name, without, before, open_leads, converted in counts:
        expected = converted * without / open_leads if open_leads else 0.0
        if expected < _FEWEST_EXPECTED or before > _HARDLY * expected:
            continue
        seen = (
            f"{without:,} of {open_leads:,} leads without an outcome have it, and {before:,} of the {converted:,} that "
            f"convert had it before ({expected:,.0f} would, if it told nothing)"
        )
        columns = sources[of[name]]["columns"]
        column = next((column for column, event in columns.get("events", {}).items() if event == name), None)
        if column is not None and len(columns["events"]) > 1:
            del columns["events"][column]
            notes.append(f"the event {name} is left out, for it knows the outcome: {seen}")
        else:
            notes.append(f"the event {name} knows the outcome: {seen}; if it means a loss: --lost {name!r}")
    return notes
