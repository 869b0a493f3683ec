"""What ``ingest`` reports: the content of ``data/ingest.json``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from features.timeline.rhythm import FEW, Silences
from features.timeline.source_state import SourceState
from pipeline.reading.quarantine import EXPECTED, UNKNOWN_LEAD
from pipeline.settings.ingest import OWN_TABLES


@dataclass(frozen=True)
class TableSummary:
    """What became of the rows of one table; ``set_aside`` counts them by reason."""

    rows: int
    used: int
    set_aside: dict[str, int]
    fingerprint: str
    """SHA-256 over the bytes of the files."""

    @property
    def broken(self) -> dict[str, int]:
        """Those set aside for reasons that sound tables don't have."""
        return {reason: count for reason, count in self.set_aside.items() if reason not in EXPECTED}

    @property
    def unknown_leads(self) -> int:
        """Those set aside because nobody knows their lead."""
        return self.set_aside.get(UNKNOWN_LEAD, 0)


@dataclass(frozen=True)
class UnmappedChannels:
    """The rows used that no rule of a channel fits, and the most frequent sources and mediums of them."""

    rows: int
    share: float
    frequent: list[list[str | int]]


@dataclass(frozen=True)
class SourceSummary(TableSummary):
    """A source, too: until when it was observed, and the times of the events used (UTC)."""

    lines: int
    """Rows of the files: fewer than ``rows`` where one row may be several events."""
    unmapped_channels: UnmappedChannels | None
    """Where the channel is made of where the traffic came from."""
    observed_from: datetime | None
    """From when on it recorded conversions, as stated; none where nothing is."""
    observed_until: datetime | None
    """As stated, or when the last event became known; none where no row could be read."""
    first_occurred_at: datetime | None
    last_occurred_at: datetime | None
    rhythm: SourceState
    """Whether it runs or has stopped, judged by the silences that it has had."""
    machines: dict[str, dict[str, int]]
    """How many of its events machines did, by the rule that tells it and the event type; empty without rules."""


@dataclass(frozen=True)
class LeadsSummary(TableSummary):
    """The leads, too: how many lack a time zone or name an unknown one, and how many attributes couldn't be read."""

    without_time_zone: int
    unknown_time_zone: int
    unreadable_attributes: dict[str, int]


@dataclass(frozen=True)
class SpendSummary(TableSummary):
    """What was spent, too: the sum of its costs (in ingest.currency, where it is named), and its days."""

    total_cost: float
    days: int
    first_day: date | None
    last_day: date | None
    unmapped_channels: UnmappedChannels | None


@dataclass(frozen=True)
class IngestSummary:
    """What was read and what came out."""

    interactions: int
    lead_count: int
    sources: dict[str, SourceSummary]
    tables: dict[str, TableSummary]
    """What queries have read, and is not itself in the log."""
    leads: LeadsSummary | None
    identities: TableSummary | None
    decisions: TableSummary | None
    consents: TableSummary | None
    spend: SpendSummary | None
    rates: TableSummary | None
    owners: TableSummary | None
    silences: Silences
    """Of the log as a whole: times in which no source had a row."""
    warnings: list[str]
    """What is odd, and what to do about it; without ids."""

    def all_tables(self) -> dict[str, TableSummary]:
        """Give all tables that were read by their names."""
        own = {name: getattr(self, name) for name in OWN_TABLES}
        return {**self.sources, **self.tables, **{name: table for name, table in own.items() if table}}

    def as_json(self) -> dict[str, Any]:
        """Give the summary as JSON holds it; times in ISO 8601."""
        content = asdict(self)
        hours = self.silences.longest / timedelta(hours=1) if self.silences.count >= FEW else 0.0
        content["silences"] = {"count": self.silences.count, "longest_hours": round(hours, 2)}
        for name, source in content["sources"].items():
            source["rhythm"] = self.sources[name].rhythm.to_json()
            for key in ("observed_from", "observed_until", "first_occurred_at", "last_occurred_at"):
                source[key] = source[key].isoformat() if source[key] else None
        tables = self.all_tables().values()
        if self.spend:
            for key in ("first_day", "last_day"):
                content["spend"][key] = content["spend"][key].isoformat() if content["spend"][key] else None
        content["totals"] = {
            "rows": sum(table.rows for table in tables),
            "used": sum(table.used for table in tables),
            "set_aside": sum(sum(table.set_aside.values()) for table in tables),
        }
        return content
