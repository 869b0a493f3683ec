"""Tables that look like the leads', and were written when all was over: orders, goals, deals of those who converted.

A lead is created before most of what it does. Where nearly all events of a table's ids lie before its rows, and the log
has ids that it lacks, its rows are what some of the leads came to. That some paid afterwards acquits no table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.sql import identifier
from pipeline.profiling.links import Link
from pipeline.profiling.profile import Profile, read_time
from pipeline.profiling.tables import Tables
from pipeline.profiling.times import occurred_column
from pipeline.profiling.words import LEAD, SOLD, has, rank, singular

_NEARLY_ALL = 0.9
_MOST = 0.5
"""Who has bought comes back: of what is called an order, a smaller share is enough."""
_HARDLY_MISSING = 0.95
_SURELY_A_LEAD = 60


@dataclass(frozen=True)
class Late:
    """A table whose rows come after what their ids did: how many of the events lie before them."""

    table: str
    key: str
    before: int
    events: int


def find_late(
    tables: Tables, profiles: Mapping[str, Profile], links: Sequence[Link], table: str, key: str, created_at: str | None
) -> Late | None:
    """Tell whether a table was written when it was over; None where it wasn't, or is called like leads for sure."""
    if created_at is None or rank(singular(table), LEAD) >= _SURELY_A_LEAD:
        return None
    best: dict[str, Link] = {}
    for link in sorted(links, key=lambda link: (link.key == key, link.share)):
        if link.target == table and not has(link.table, SOLD) and occurred_column(profiles[link.table]):
            best[link.table] = link
    if not any(link.share < _HARDLY_MISSING for link in best.values()):
        return None
    counts = [_count(tables, profiles, link, created_at) for link in best.values()]
    before, events = (sum(part) for part in zip(*counts, strict=True))
    return Late(table, key, before, events) if before > (_MOST if has(table, SOLD) else _NEARLY_ALL) * events else None


def _count(tables: Tables, profiles: Mapping[str, Profile], link: Link, created_at: str) -> tuple[int, int]:
    """Count the events of a table that lie before their id's row in the other one, and all that have such a row."""
    source, target = profiles[link.table], profiles[link.target]
    occurred, created = occurred_column(source), target.columns[created_at]
    assert occurred is not None  # noqa: S101 - the caller asked
    at, since = (read_time(column) for column in (occurred, created))
    over = " + INTERVAL 1 DAY" if created.holds_days else ""
    own, other = (f"CAST({identifier(name)} AS VARCHAR) AS id" for name in (link.column, link.key))
    before, events = tables.ask_row(
        f"SELECT count(*) FILTER (moment < since{over}), count(*) FROM (SELECT {own}, {at} AS moment "
        f"FROM {source.table.relation}) JOIN (SELECT {other}, min({since}) AS since FROM {target.table.relation} "
        "GROUP BY 1) USING (id) WHERE moment IS NOT NULL AND since IS NOT NULL"
    )
    return before, events
