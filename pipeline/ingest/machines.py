"""What machines did: scanners that follow every link of a mail, proxies that fetch its images, robots that unsubscribe.

sent 08:00:00   open   08:00:12                       a machine's: nobody reads so fast
                clicks 09:10:03, 09:10:03, 09:10:04   a machine's: all links at once
                unsubscribe 09:10:20                  a machine's: within seconds of what one did
                open   09:30:00                       the lead's

Such rows stay in the log; only their actor is another. A mark rests on rows that occurred within seconds of the marked
one, and that were known within seconds of when it was: what comes later marks nothing (docs/adr/0037).
"""

from __future__ import annotations

from collections.abc import Mapping

from features.core.errors import InputError
from features.core.schema import MACHINE
from pipeline.core.sql import Relation, fetch_row
from pipeline.ingest.mapping import is_listed
from pipeline.ingest.source_table import SourceTable
from pipeline.settings.events import Machines
from pipeline.settings.ingest import Source

AT_ONCE, SOON, FOLLOWED = "clicks at once", "soon after the sending", "followed a machine"
"""The rules by which rows are marked, as they are counted: a click that fits both of the first two is soon."""
_INSTANT = "INTERVAL 1 SECOND"
"""How far clicks at once may lie apart; and by how much a robot may unsubscribe before it follows the other links."""

_ACTS = """
SELECT sequence, rank, campaign, occurred_at, known_at, event_type,
    CASE WHEN {sent} THEN 's' WHEN {opens} THEN 'o' WHEN {clicks} THEN 'c' ELSE 'u' END AS kind
FROM ({rows}) WHERE reason IS NULL AND ({sent} OR {opens} OR {clicks} OR {unsubscribes})
"""
# The earliest known of several is enough: a sending that became known later takes back no mark, and makes none.
_MARKS = """
SELECT sequence, rank, occurred_at, known_at, event_type, CASE WHEN is_soon THEN '{soon}' ELSE '{at_once}' END AS rule
FROM (
    SELECT *, min(known_at) FILTER (kind = 's') OVER before <= known_at + {within} AS is_soon,
        kind = 'c' AND (min(known_at, {clicks}) FILTER (kind = 'c') OVER around)[{clicks}] <= known_at + {within}
        AS is_at_once
    FROM {acts} WINDOW
        before AS (
            PARTITION BY rank, campaign ORDER BY occurred_at RANGE BETWEEN {within} PRECEDING AND CURRENT ROW
        ),
        around AS (
            PARTITION BY rank, campaign ORDER BY occurred_at
            RANGE BETWEEN {instant} PRECEDING AND {instant} FOLLOWING
        )
) WHERE kind IN ('o', 'c') AND (is_soon OR is_at_once)
"""
_ROBOTS = """
SELECT sequence, event_type, '{followed}' AS rule
FROM (
    SELECT *, min(known_at) FILTER (rule IS NOT NULL) OVER near <= known_at + {within} AS has_followed
    FROM (
        SELECT sequence, rank, occurred_at, known_at, event_type, rule FROM {marks}
        UNION ALL SELECT sequence, rank, occurred_at, known_at, event_type, NULL FROM {acts} WHERE kind = 'u'
    ) WINDOW near AS (
        PARTITION BY rank ORDER BY occurred_at RANGE BETWEEN {within} PRECEDING AND {instant} FOLLOWING
    )
) WHERE rule IS NULL AND has_followed
"""


def mark_machines(table: SourceTable, rows: str) -> str:
    """Give the query of the rows of a source in which machines' acts have the actor of machines.

    ``rows`` is the query of its judged rows, aliases united and duplicates set aside. Without rules it is given back.
    Makes ``machines`` of the table. Raises InputError where the times tell no seconds.
    """
    rules = rules_of(table)
    if rules is None:
        return rows
    acts, marks = (Relation(table.connection, f"{what} {table.name}") for what in ("mail acts", "mail marks"))
    kinds = {name: is_listed(types) if types else "false" for name, types in rules.types().items()}
    acts.make_table(_ACTS.format(**kinds, rows=rows))
    whole_minutes = "bool_and(epoch_us(occurred_at) % 60000000 = 0)"
    if fetch_row(table.connection, f"SELECT {whole_minutes} FROM {acts}")[0]:
        raise InputError(
            f"{table.label}.machines: all times are whole minutes, and machines are told by seconds; "
            "export times with seconds, or leave machines out"
        )
    parts = {
        "acts": acts,
        "marks": marks,
        "within": f"INTERVAL {rules.within_seconds} SECONDS",
        "instant": _INSTANT,
        "clicks": rules.clicks_at_once,
        "soon": SOON,
        "at_once": AT_ONCE,
        "followed": FOLLOWED,
    }
    marks.make_table(_MARKS.format(**parts))
    table.machines.make_table(f"SELECT sequence, event_type, rule FROM {marks} UNION ALL {_ROBOTS.format(**parts)}")
    actor = f"CASE WHEN sequence IN (SELECT sequence FROM {table.machines}) THEN '{MACHINE}' ELSE actor END AS actor"
    return f"SELECT * REPLACE ({actor}) FROM ({rows})"


def count_machines(table: SourceTable) -> dict[str, dict[str, int]]:
    """Count what machines did, by the rule and the event type; nothing where no rules tell it."""
    counts: dict[str, dict[str, int]] = {}
    if rules_of(table):
        query = f"SELECT rule, event_type, count(*) FROM {table.machines} GROUP BY ALL ORDER BY ALL"
        for rule, event_type, rows in table.connection.execute(query).fetchall():
            counts.setdefault(rule, {})[event_type] = rows
    return counts


def say_machines(name: str, used: int, counts: Mapping[str, Mapping[str, int]]) -> str:
    """Say how many of the rows used were done by machines.

    >>> say_machines("email", 40_000, {"clicks at once": {"click": 30}, "soon after the sending": {"open": 1_204}})
    'email: 1,234 of 40,000 events were done by machines (30 clicks at once, 1,204 soon after the sending)'
    """
    by_rule = {rule: sum(types.values()) for rule, types in counts.items()}
    told = ", ".join(f"{rows:,} {rule}" for rule, rows in by_rule.items())
    return f"{name}: {sum(by_rule.values()):,} of {used:,} events were done by machines ({told or 'none'})"


def rules_of(table: SourceTable) -> Machines | None:
    """Give the rules by which machines are told in a table; none where it has none."""
    return table.settings.machines if isinstance(table.settings, Source) else None
