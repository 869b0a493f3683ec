"""The one schema of the project: what an interaction is, and what a lead is.

Every other part (ingest, the contracts, the engine) reads it from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import pyarrow as pa

ACTORS = ("lead", "system", "us")
"""Whose acts settings and features may name, in byte order."""
MACHINE = "machine"
"""Who acted where nobody did: a scanner of mails, a proxy of images. No feature takes it, and no setting names it."""
Language = Literal["en", "fr"]
"""What pages, lists and spreadsheets are written in."""
Tier = Literal["customer", "disqualified", "SQL", "recycled", "MQL", "IQL"]
TIERS: tuple[Tier, ...] = get_args(Tier)
"""What a lead is worth working on; of several that fit, the first is its tier."""
OPEN_TIERS: tuple[Tier, ...] = TIERS[1:]
"""Those of open leads: a customer is none."""
WORKED: tuple[Tier, ...] = ("SQL", "recycled", "MQL")
"""The tiers that somebody works on, the best first: sales, and twice marketing."""
Group = Literal["worked", "left alone", "as usual"]
GROUPS: tuple[Group, ...] = get_args(Group)
"""What a lottery decides of a lead."""
LISTS = ("sales", "marketing", "none")
"""Who gets to see a lead today."""
ListReason = Literal[
    "in work", "channel closed", "agreed later", "account", "no owner", "capacity", "untouched", "left alone"
]
LIST_REASONS: tuple[ListReason, ...] = get_args(ListReason)
"""Why a lead that is worth an hour of sales gets none today; of untouched, why it gets one."""
Channel = Literal["mail", "telephone", "advertising"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
"""The ways to a lead that a fact closes, and that it agrees to or not."""
TARGETS = ("in", "out", "unknown")
"""Whether a lead is one that the company wants at all."""
GUESSES: Mapping[str, str] = {
    "age": "it is older than any lead that the model learned from",
    "channel": "the model learned from no lead, or too few, of its channel",
    "main act": "most of what it did is of event types that the model does not know",
}
"""Why a probability is a guess."""
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
    meaning: str = ""
    """What it says; docs/recommendations.md quotes this, and what follows."""
    unit: str = ""
    empty: str = ""
    """When it is empty."""
    means: Mapping[str, str] = field(default_factory=dict)
    """What each of the allowed values means."""

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
    Field("cost", "DOUBLE", nullable=True),
    Field("clicks", "BIGINT", nullable=True, minimum=0),
    Field("visits", "BIGINT", nullable=True, minimum=0),
)
"""What was spent on advertising, and how many came; a row without a cost has visits.
Sorted by all its columns. Rows that are alike are separate spendings."""

OWNERSHIP: tuple[Field, ...] = (
    Field("territory", "VARCHAR"),
    Field("owner", "VARCHAR"),
    Field("begins", "DATE", nullable=True),
    Field("ends", "DATE", nullable=True),
    Field("unit", "VARCHAR", nullable=True, allowed=("leads", "calls", "hours")),
    Field("places", "DOUBLE", nullable=True, minimum=0.0),
)
"""Who owns a territory from the day it begins until the day before it ends, and how many of a unit a working day holds.
Sorted by territory and begins; no two rows of a territory hold on the same day."""

DECISION: tuple[Field, ...] = (
    Field("lead_id", "VARCHAR"),
    Field("decided_at", "TIMESTAMP"),
    Field("known_at", "TIMESTAMP"),
    Field("tier", "VARCHAR", nullable=True, allowed=OPEN_TIERS),
    Field("call_on", "DATE", nullable=True),
    Field("until", "DATE", nullable=True),
    Field("by", "VARCHAR", nullable=True),
    Field("reason", "VARCHAR", nullable=True),
    Field("sequence", "BIGINT", minimum=0),
)
"""What people said of leads; a tier, a day on which to call, or both. Sorted by lead_id, decided_at, sequence."""

CONSENT_STATUSES = ("given", "refused", "withdrawn", "objected")
"""What a lead says of a purpose; all but given close it."""
EVERYTHING = "everything"
"""The purpose of who says it of all of them."""
OBJECTED = "objected to everything"
"""The fact that nothing outdoes, as recommendations name it."""
CONSENT: tuple[Field, ...] = (
    Field("lead_id", "VARCHAR"),
    Field("own_id", "VARCHAR"),
    Field("purpose", "VARCHAR", allowed=(*CHANNELS, EVERYTHING)),
    Field("status", "VARCHAR", allowed=CONSENT_STATUSES),
    Field("changed_at", "TIMESTAMP"),
    Field("known_at", "TIMESTAMP"),
    Field("linked_at", "TIMESTAMP", nullable=True),
)
"""What leads agreed to and what not. ``own_id`` is the id that said so: the lead's, or an alias's, which is known as
the lead's since ``linked_at``. Sorted by all columns but that."""

CONVERTED, LOST = "converted", "lost"

WORDING = "wording"
"""The key of a file of recommendations, beside its columns, under which it says how reasons are worded."""
