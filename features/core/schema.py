"""The one schema of the project: what an interaction is, and what a lead is.

Every other part (ingest, the contracts, the engine) reads it from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import pyarrow as pa

ACTORS = ("lead", "system", "us")
"""Whose acts settings and features may name, in byte order."""
MACHINE = "machine"
"""Who acted where nobody did: a scanner of mails, a proxy of images. No feature takes it, and no setting names it."""
Tier = Literal["customer", "disqualified", "SQL", "recycled", "MQL", "IQL"]
TIERS: tuple[Tier, ...] = get_args(Tier)
"""What a lead is worth working on; of several that fit, the first is its tier."""
OPEN_TIERS: tuple[Tier, ...] = TIERS[1:]
"""Those of open leads: a customer is none."""
WORKED: tuple[Tier, ...] = ("SQL", "recycled", "MQL")
"""The tiers that somebody works on, the best first: sales, and twice marketing."""
LISTS = ("sales", "marketing", "none")
"""Who gets to see a lead today."""
LIST_REASONS = ("in work", "channel closed", "account", "capacity")
"""Why a lead that is worth an hour of sales gets none today."""
TARGETS = ("in", "out", "unknown")
"""Whether a lead is one that the company wants at all."""
MATURITIES = ("cold", "warm", "hot")
"""How far a lead is, the least first."""
_IN_ARROW = {
    "BIGINT": "int64",
    "BOOLEAN": "bool",
    "DATE": "date32",
    "DOUBLE": "float64",
    "TIMESTAMP": "timestamp[us]",
    "TINYINT": "int8",
    "VARCHAR": "string",
}


@dataclass(frozen=True)
class Field:
    """One column: its type in DuckDB and what must hold of every value."""

    name: str
    duckdb: str
    nullable: bool = False
    allowed: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def arrow(self) -> pa.DataType:
        """Its type in Arrow."""
        import pyarrow as pa  # noqa: PLC0415 - names of columns are read where no column is

        of_one = pa.type_for_alias(_IN_ARROW[self.duckdb.removesuffix("[]")])
        return pa.list_(of_one) if self.duckdb.endswith("[]") else of_one


INTERACTION: tuple[Field, ...] = (
    Field("lead_id", "VARCHAR"),
    Field("occurred_at", "TIMESTAMP"),
    Field("known_at", "TIMESTAMP"),
    Field("event_type", "VARCHAR"),
    Field("actor", "VARCHAR", allowed=tuple(sorted((*ACTORS, MACHINE)))),
    Field("channel", "VARCHAR", nullable=True),
    Field("campaign", "VARCHAR", nullable=True),
    Field("content", "VARCHAR", nullable=True),
    Field("value", "DOUBLE", nullable=True),
    Field("quantity", "BIGINT", minimum=1),
    Field("event_id", "VARCHAR", nullable=True),
    Field("source", "VARCHAR"),
    Field("sequence", "BIGINT", minimum=0),
    Field("local_day", "DATE"),
    Field("local_hour", "TINYINT", minimum=0, maximum=23),
)
"""Times are microseconds in UTC without a zone. Sorted by lead_id (byte order), occurred_at, source, sequence."""

LEAD: tuple[Field, ...] = (
    Field("lead_id", "VARCHAR"),
    Field("created_at", "TIMESTAMP"),
    Field("known_at", "TIMESTAMP"),
    Field("account_id", "VARCHAR", nullable=True),
    Field("time_zone", "VARCHAR", nullable=True),
)
"""Attributes follow, named as in the source: numbers as DOUBLE, categories as VARCHAR. Sorted by lead_id."""

SORT_ORDER = ("lead_id", "occurred_at", "source", "sequence")

SPENDING: tuple[Field, ...] = (
    Field("day", "DATE"),
    Field("channel", "VARCHAR", nullable=True),
    Field("campaign", "VARCHAR", nullable=True),
    Field("cost", "DOUBLE"),
    Field("clicks", "BIGINT", nullable=True, minimum=0),
)
"""What was spent on advertising; sorted by all its columns. Rows that are alike are separate spendings."""

RECOMMENDATION: tuple[Field, ...] = (
    Field("lead_id", "VARCHAR"),
    Field("as_of", "TIMESTAMP"),
    Field("probability", "DOUBLE", nullable=True, minimum=0.0, maximum=1.0),
    Field("score", "DOUBLE", nullable=True, minimum=0.0, maximum=100.0),
    Field("maturity", "VARCHAR", allowed=MATURITIES),
    Field("tier", "VARCHAR", allowed=TIERS),
    Field("stage", "VARCHAR", nullable=True),
    Field("facts", "VARCHAR[]"),
    Field("target", "VARCHAR", nullable=True, allowed=TARGETS),
    Field("expected_value", "DOUBLE", nullable=True),
    Field("list", "VARCHAR", allowed=LISTS),
    Field("rank", "BIGINT", nullable=True, minimum=1),
    Field("list_reason", "VARCHAR", nullable=True, allowed=LIST_REASONS),
    Field("reasons", "VARCHAR[]"),
    Field("is_guess", "BOOLEAN"),
    Field("model_version", "VARCHAR"),
)
"""One row for each open lead, sorted by probability, the highest first, then by lead_id. A probability is a guess where
the lead is older than any that the model has learned from. Behind them, by lead_id, one for each lead whose last
episode has ended of late: it has no probability, and its first fact says how it ended, as in 2026-03-05 lost."""

CONVERTED, LOST = "converted", "lost"
