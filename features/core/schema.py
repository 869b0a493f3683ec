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
LISTS = ("sales", "marketing", "none")
"""Who gets to see a lead today."""
LIST_CHANGES: Mapping[str, str] = {
    "new": "it was no open lead when the last list was made",
    "fact": "what became known of leads since, what people decided, and time that passed",
    "rules": "as fact; but the rules of decision, or what a conversion is worth, are others, and what they do is not "
    "told apart",
    "score": "what leads are foretold",
    "model": "as score; but the model is another one, and what it does is not told apart",
    "cut-offs": "the cut-offs of the tiers are others",
    "costs": "leads were measured to cost more, or less",
    "owners": "the table of owners says something else of the day, who owns a territory, or the time there",
    "capacity": "sales has more time on this day, or less",
    "unknown": "nobody noted what the last list rests on",
}
"""Why a lead came onto the list of sales, or left it; in this order each is put in the place of what it was."""
LIST_REASONS = ("in work", "channel closed", "agreed later", "account", "no owner", "capacity", "untouched")
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
_QUARTERS = ("best", "second", "third", "last")
GRADES: Mapping[str, str] = {
    f"{letter}{figure}": f"who it is: {fit} quarter; what it did: {behaviour} quarter"
    for letter, fit in zip("ABCD", _QUARTERS, strict=True)
    for figure, behaviour in zip("1234", _QUARTERS, strict=True)
}
"""Who a lead is, by a letter, and what it did, by a figure; the best first."""
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
    Field("cost", "DOUBLE"),
    Field("clicks", "BIGINT", nullable=True, minimum=0),
)
"""What was spent on advertising; sorted by all its columns. Rows that are alike are separate spendings."""

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

RECOMMENDATION: tuple[Field, ...] = (
    Field("lead_id", "VARCHAR", meaning="the lead, as the table of leads names it; an alias stands under its lead"),
    Field(
        "as_of",
        "TIMESTAMP",
        meaning="the moment of the decision: what became known at or after it counts nowhere",
        unit="UTC",
    ),
    Field(
        "probability",
        "DOUBLE",
        nullable=True,
        minimum=0.0,
        maximum=1.0,
        meaning="that it converts within snapshots.horizon from as_of on; calibrated: of those with 0.2 a fifth do",
        unit="share, from 0 to 1",
        empty="where the lead has ended",
    ),
    Field(
        "score",
        "DOUBLE",
        nullable=True,
        minimum=0.0,
        maximum=100.0,
        meaning="a hundred times the probability, for people and CRMs",
        unit="percent, from 0 to 100",
        empty="where the lead has ended",
    ),
    Field(
        "maturity",
        "VARCHAR",
        allowed=MATURITIES,
        meaning="how far it is, by what it did and how lately (decision.maturity), never by its probability",
        means={
            "cold": "neither hot nor warm",
            "warm": "a strong or medium act within warm_for, or acts on active_days days within hot_for",
            "hot": "a strong act within hot_for, or a fact that raises it",
        },
    ),
    Field(
        "tier",
        "VARCHAR",
        allowed=TIERS,
        meaning="what it is worth working on, whoever has time: as people said where a word of theirs holds; of "
        "several that fit, the first of this list",
        means={
            "customer": "it has converted, within decision.keep",
            "disqualified": "a fact closes it (closes) or it objects to everything, which no word outdoes; it lies "
            "outside the target, or it was lost of late",
            "SQL": "its probability reaches the cut-off of sales, or a fact raises it; unless a later fact refuses it",
            "recycled": "it came back of late after a loss or a silence (decision.recycled), and is no SQL",
            "MQL": "its probability reaches the cut-off of marketing, and it is none of the above",
            "IQL": "all others",
        },
    ),
    Field(
        "own_tier",
        "VARCHAR",
        nullable=True,
        meaning="what its tier would be without people's word",
        empty="where no word says the tier",
    ),
    Field(
        "word",
        "VARCHAR",
        nullable=True,
        meaning="what people said of it last, as far as it holds (ingest.decisions, decision.word), as in "
        "2026-03-05 SQL until 2026-04-01, by K2: budget approved; it may name people",
        empty="where no word holds",
    ),
    Field(
        "stage",
        "VARCHAR",
        nullable=True,
        meaning="what people decided last in this episode: a name of episodes.milestones, or of a fact that refuses",
        empty="where people have decided nothing in this episode",
    ),
    Field(
        "facts",
        "VARCHAR[]",
        meaning="what holds of it, the latest first: since which day of the company's (decision.time_zone), and the "
        "name under decision.facts, or what it does not agree to, as in mail refused; then each rule that puts it "
        "outside the target",
        empty="a list of none where nothing holds",
    ),
    Field(
        "target",
        "VARCHAR",
        nullable=True,
        allowed=TARGETS,
        meaning="whether the company wants such leads at all (decision.out_of_target)",
        empty="where there is no rule",
        means={
            "in": "no rule puts it outside",
            "out": "a rule does: it is disqualified",
            "unknown": "an attribute that a rule asks for is missing, and no other rule puts it outside",
        },
    ),
    Field(
        "expected_value",
        "DOUBLE",
        nullable=True,
        meaning="its probability times what a conversion of it is worth (decision.money)",
        unit="ingest.currency",
        empty="where decision.money is not given",
    ),
    Field(
        "list",
        "VARCHAR",
        allowed=LISTS,
        meaning="who gets to see it today, on the company's day of as_of",
        means={
            "sales": "SQL that has a place today (decision.capacity, ingest.owners); or whatever is untouched",
            "marketing": "MQL or recycled, unless mail to it is closed",
            "none": "nobody: it waits, or list_reason says why",
        },
    ),
    Field(
        "rank",
        "BIGINT",
        nullable=True,
        minimum=1,
        meaning="its place among those worth an hour of sales today: who is untouched comes before all others, then "
        "those with whom a call was agreed on, then by expected_value or, without money, by probability; who waits for "
        "a place keeps its rank",
        unit="1 is the first",
        empty="where it is no SQL, or list_reason is in work, channel closed or account",
    ),
    Field(
        "list_reason",
        "VARCHAR",
        nullable=True,
        allowed=LIST_REASONS,
        meaning="why a lead that is worth an hour of sales gets none today; untouched marks one that gets one, too",
        empty="where it gets one, or is no SQL",
        means={
            "in work": "a fact says that somebody works on it already (taken)",
            "channel closed": "a fact closes the telephone, or the lead does not agree to calls",
            "agreed later": "people agreed on a later day for a call",
            "account": "another lead of its account is worth more, and one call an account is enough",
            "no owner": "nobody owns its territory today (ingest.owners)",
            "capacity": "the day's places, all or those of its territory or owner, are taken: by better ones, or by "
            "who had them on an earlier list of the day",
            "untouched": "it was handed over, and nobody has contacted it within the agreed time (decision.work): it "
            "is at the head of the list, or waits where no place is left",
        },
    ),
    Field(
        "owner",
        "VARCHAR",
        nullable=True,
        meaning="who owns its territory on the company's day of as_of (ingest.owners)",
        empty="where nobody does, or the lead has ended",
    ),
    Field(
        "grade",
        "VARCHAR",
        nullable=True,
        allowed=tuple(GRADES),
        means=GRADES,
        meaning="who it is, A to D, and what it did, 1 to 4: the quarter of what either adds to its log-odds, beside "
        "the leads that were learned from; A1 is best in both, and the probability knows how both go together",
        empty="for tiers that recommend.reasons_for does not name, and where leads are alike in one of both",
    ),
    Field(
        "reasons_for",
        "VARCHAR[]",
        meaning="up to five, the strongest first: what speaks for it, since when, and of the leads that had the same "
        "in common how many there were and which share converted, each lead counting once; what we did ourselves is "
        "never named",
        empty="a list of none for tiers that recommend.reasons_for does not name, or where nothing speaks for it",
    ),
    Field(
        "reasons_against",
        "VARCHAR[]",
        meaning="up to three, the strongest first: what speaks against it, told as what speaks for it is",
        empty="a list of none for tiers that recommend.reasons_for does not name, or where nothing speaks against it",
    ),
    Field(
        "reasons",
        "VARCHAR[]",
        meaning="the three strongest of reasons_for and reasons_against, behind `raises: ` or `lowers: `",
        empty="a list of none where both are",
    ),
    Field(
        "is_guess",
        "BOOLEAN",
        meaning="whether the model has learned from no lead of its kind: its probability is a guess then",
    ),
    Field(
        "guess",
        "VARCHAR",
        nullable=True,
        allowed=tuple(GUESSES),
        meaning="why it is a guess; of several, the first of this list",
        empty="where it is none",
        means=GUESSES,
    ),
    Field("model_version", "VARCHAR", meaning="the model that gave the probability, by its SHA-256"),
)
"""One row for each open lead, sorted by probability, the highest first, then by lead_id. A probability is a guess where
the model has learned from no lead of its kind. Behind them, by lead_id, one for each lead whose last
episode has ended of late: it has no probability, and its first fact says how it ended, as in 2026-03-05 lost."""

OTHER_HORIZON = Field(
    "probability_<horizon>",
    "DOUBLE",
    minimum=0.0,
    maximum=1.0,
    meaning="that it converts within another horizon, such as probability_60d: a column for each of "
    "train.other_horizons; a longer time never has a lower probability",
    unit="share, from 0 to 1",
)
"""Columns that stand behind ``probability`` where the model has other horizons."""

LIST_CHANGED = Field(
    "list_changed",
    "VARCHAR",
    nullable=True,
    allowed=tuple(LIST_CHANGES),
    meaning="why it came onto the list of sales since the last one, or left it: the last of these that moved it, each "
    "put in its turn in the place of what it was; a lead may be moved by what others do that want the same place",
    empty="where it is on the list as before, or is not as before, or there is no earlier list",
    means=LIST_CHANGES,
)
HISTORY: tuple[Field, ...] = (
    Field("run_id", "VARCHAR", meaning="the run of MLflow that trained the model"),
    Field("scored_at", "TIMESTAMP", meaning="when it was computed, by the clock", unit="UTC"),
    LIST_CHANGED,
)
"""What else the recommendations that ``leadcast score`` keeps have."""

CONVERTED, LOST = "converted", "lost"
