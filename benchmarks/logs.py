"""How a peer finds the columns of the task in a log: in the raw file, or in the ingested one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LogColumns:
    """The names of the columns that the task needs; the day is that of the time, since no lead has a zone."""

    lead: str
    time: str
    event: str
    value: str


RAW = LogColumns("lead", "time", "event", "amount")
INGESTED = LogColumns("lead_id", "occurred_at", "event_type", "value")


def columns_of(names: list[str]) -> LogColumns:
    """Tell from the columns of a file which of the two it is."""
    return INGESTED if INGESTED.lead in names else RAW
