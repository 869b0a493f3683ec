"""Local time of events, by days: on nearly all days, a zone is ahead of UTC by the same time all day long.

    zone                day           ahead by
    Europe/Amsterdam    2026-03-28    1 hour
    Europe/Amsterdam    2026-03-29    (it changes: each event of the day is looked at by itself)
    Europe/Amsterdam    2026-03-30    2 hours

A look into this table takes an eighth of the time that turning one moment after the other takes.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.sql import Relation, fetch_row
from pipeline.ingest.relations import Relations
from pipeline.ingest.source_table import SourceTable
from pipeline.reading.moments import timestamp

LOCAL_TIME = (
    "CASE WHEN time_zone IS NULL THEN occurred_at "
    "WHEN ahead IS NOT NULL THEN make_timestamp(epoch_us(occurred_at) + ahead) "
    "ELSE timezone(time_zone, timezone('UTC', occurred_at)) END"
)
"""The local time of a row of ``join_local_days``."""


def tabulate_local_days(relations: Relations, sources: Sequence[SourceTable]) -> bool:
    """Make the table ``local_days`` for the zones of the leads.

    Tells whether any lead has one. No zone changes twice within a day.
    """
    zones = f"SELECT DISTINCT time_zone AS zone FROM {relations.leads} WHERE time_zone IS NOT NULL"
    first = min((seen.first_occurred_at for seen in sources if seen.first_occurred_at), default=None)
    last = max((seen.last_occurred_at for seen in sources if seen.last_occurred_at), default=None)
    if first is None or last is None or not fetch_row(relations.connection, f"SELECT count(*) FROM ({zones})")[0]:
        return False
    relations.local_days.make_table(
        "SELECT zone, CAST(midnight AS DATE) AS day, "
        f"CASE WHEN {_ahead('midnight')} = {_ahead('midnight + INTERVAL 1 DAY')} THEN {_ahead('midnight')} END "
        f"AS ahead FROM ({zones}), (SELECT unnest(generate_series(CAST({timestamp(first)} AS DATE), "
        f"CAST({timestamp(last)} AS DATE), INTERVAL 1 DAY)) AS midnight)"
    )
    return True


def join_local_days(relations: Relations, judged: Relation) -> str:
    """Give rows, of events with their leads' time zones, what makes their local time."""
    days = f"{relations.local_days} AS local_day"
    return f"{judged} LEFT JOIN {days} ON local_day.zone = time_zone AND local_day.day = CAST(occurred_at AS DATE)"


def _ahead(moment: str) -> str:
    return f"epoch_us(timezone(zone, timezone('UTC', {moment}))) - epoch_us({moment})"
