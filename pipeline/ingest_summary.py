"""What ``ingest`` reports: the content of ``data/ingest.json``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class TableSummary:
    """What became of the rows of one table; ``set_aside`` counts them by reason."""

    rows: int
    used: int
    set_aside: dict[str, int]
    fingerprint: str
    """SHA-256 over the bytes of the files."""


@dataclass(frozen=True)
class SourceSummary(TableSummary):
    """A source, too: until when it was observed, and the times of the events used (UTC)."""

    observed_until: datetime | None
    """As stated, or when the last event became known; none where no row could be read."""
    first_occurred_at: datetime | None
    last_occurred_at: datetime | None


@dataclass(frozen=True)
class LeadsSummary(TableSummary):
    """The leads, too: how many lack a time zone or name an unknown one, and how many attributes couldn't be read."""

    without_time_zone: int
    unknown_time_zone: int
    unreadable_attributes: dict[str, int]


@dataclass(frozen=True)
class IngestSummary:
    """What was read and what came out."""

    interactions: int
    lead_count: int
    sources: dict[str, SourceSummary]
    leads: LeadsSummary | None
    identities: TableSummary | None

    def tables(self) -> list[TableSummary]:
        """List the tables that were read."""
        return [*self.sources.values(), *(table for table in (self.leads, self.identities) if table)]

    def as_json(self) -> dict[str, Any]:
        """Give the summary as JSON holds it; times in ISO 8601."""
        content = asdict(self)
        for source in content["sources"].values():
            for key in ("observed_until", "first_occurred_at", "last_occurred_at"):
                source[key] = source[key].isoformat() if source[key] else None
        tables = self.tables()
        content["totals"] = {
            "rows": sum(table.rows for table in tables),
            "used": sum(table.used for table in tables),
            "set_aside": sum(sum(table.set_aside.values()) for table in tables),
        }
        return content
