"""Who is a lead: a row of a table, or each id of a log.

Some tables look like the leads', and were written when all was over: orders, goals, deals of those who converted. A
lead is created before most of what it does. Where nearly all events of a table's ids lie before its rows, and the log
has ids that it lacks, its rows are what some of the leads came to. That some paid afterwards acquits no table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from features.core.errors import InputError, nearest
from pipeline.core.sql import identifier
from pipeline.profiling.links import FOUND_BY_VALUE, FOUND_SHARE, Link, find_keys, is_counting, is_key, share_found
from pipeline.profiling.profile import Column, Profile, read_time
from pipeline.profiling.tables import Tables
from pipeline.profiling.times import created_column, occurred_column
from pipeline.profiling.words import (
    KIND,
    LEAD,
    OUTCOMES,
    SOLD,
    has,
    is_called_id,
    plain,
    rank,
    singular,
)

_MOST_KINDS = 20
ROW = "row_number"
"""Names the leads of a table without a key: the place of each among the rows."""
_FEWEST_EVENTS = 1.15
"""Events a lead, on average: where an id has fewer, it rather names the events."""
_NEARLY_ALL = 0.9
_MOST = 0.5
"""Who has bought comes back: of what is called an order, a smaller share is enough."""
_HARDLY_MISSING = 0.95
_SURELY_A_LEAD = 60


@dataclass(frozen=True)
class LeadTable:
    """The table of leads: its key, and when each was created (None where no column says it)."""

    table: str
    key: str
    created_at: str | None


@dataclass(frozen=True)
class LeadColumn:
    """Where there is no table of leads: the column of the log that names the lead, and what else could have."""

    table: str
    column: str
    others: tuple[str, ...]
    kind: tuple[str, str] | None = None
    """Where rows of several kinds of things share the column: the column of the kind, and the kind that is a lead."""
    named: Mapping[str, str] = field(default_factory=dict)
    """What the tables that hold its ids call it."""

    @property
    def log(self) -> LeadTable:
        """The log, as what the ids of other tables lead to."""
        return LeadTable(self.table, self.column, None)


def find_lead_table(
    tables: Tables,
    profiles: Mapping[str, Profile],
    links: Sequence[Link],
    leads: str | None,
    lead_id: str | None,
    apart: Collection[str],
) -> tuple[LeadTable | None, list[Late]]:
    """Find the table of leads: the one that is said, or called so, or that most others refer to.

    Tables ``apart`` are none. Gives, too, the tables that look like it, and were written when it was over.
    """
    if leads is not None:
        profile = profiles[leads]
        keys = _keys(profile, lead_id)
        if not keys:
            raise InputError(
                f"--leads {leads}: no column names its rows; say which one does: --lead-id COLUMN "
                f"(it holds {', '.join(profile.columns)})"
            )
        key = next((key for key in keys if _referring(links, leads, key.name)), keys[0])
        return LeadTable(leads, key.name, created_column(profile)), []
    late: dict[str, Late] = {}
    # What names the rows may be known to no other table, where an address is: then that is what names the lead.
    for most in (1, None):
        for found in _candidates(profiles, links, lead_id, apart, most):
            seen = find_late(tables, profiles, links, found.table, found.key, found.created_at)
            if seen is None:
                return found, list(late.values())
            late.setdefault(found.table, seen)
    return (None if late else _keyless(profiles)), list(late.values())


def _candidates(
    profiles: Mapping[str, Profile],
    links: Sequence[Link],
    lead_id: str | None,
    apart: Collection[str],
    most: int | None,
) -> list[LeadTable]:
    """List what may be the table of leads, the likeliest first; of each table the likeliest keys, ``most`` of them."""
    found: list[tuple[int, str, LeadTable]] = []
    for name, profile in profiles.items():
        if name in apart or (len(profiles) > 1 and has(name, OUTCOMES) and created_column(profile) is None):
            continue  # or it says who converted, of leads that the log knows
        for key in _keys(profile, lead_id)[:most]:
            if not is_key(key, profile) or (most is None and has(name, SOLD)):
                continue
            referring = _referring(links, name, key.name)
            referred = {link.target for link in links if link.table == name}
            called = rank(singular(name), LEAD) or rank(key.name, LEAD) // 2
            if not called and _repeats_a_log(profiles, links, name, key.name):
                continue
            weight = 2 * called + 15 * len(referring) - 5 * len(referred)
            if referring or (len(profiles) == 1 and not _is_log(profile, called)):
                found.append((weight, name, LeadTable(name, key.name, created_column(profile))))
    return [table for *_, table in sorted(found, key=lambda one: one[:2], reverse=True)]


def _keys(profile: Profile, said: str | None) -> list[Column]:
    if said is None:
        return find_keys(profile)
    return [profile.columns[said]] if said in profile.columns else []


def _referring(links: Sequence[Link], table: str, key: str) -> set[str]:
    return {link.table for link in links if (link.target, link.key) == (table, key)}


def _repeats_a_log(profiles: Mapping[str, Profile], links: Sequence[Link], table: str, key: str) -> bool:
    """Tell a log of which other tables repeat some rows, each by its own id, as trackers write them to a warehouse."""
    named = any(rank(column.name, LEAD) for column in _repeated_ids(profiles[table]))
    to_it = [link for link in links if (link.target, link.key) == (table, key)]
    return named and all(is_key(profiles[link.table].columns[link.column], profiles[link.table]) for link in to_it)


def _keyless(profiles: Mapping[str, Profile]) -> LeadTable | None:
    """Take a lone table whose rows nothing names for leads, each named by its place, unless it holds events."""
    if len(profiles) > 1:
        return None
    (profile,) = profiles.values()
    return None if _repeated_ids(profile) else LeadTable(profile.name, ROW, created_column(profile))


def _is_log(profile: Profile, called: int) -> bool:
    """Tell whether a table holds events, not leads: an id that is called more like a lead than its key repeats."""
    holds_changes = profile.table.spelled is not None and bool(profile.table.spelled.fields)
    return any(holds_changes or rank(column.name, LEAD) > called or not called for column in _repeated_ids(profile))


def _repeated_ids(profile: Profile) -> list[Column]:
    """List the columns that may name what an event belongs to: ids that repeat."""
    return [
        column
        for column in profile.of_kind("identifier", "category", "text")
        if column.distinct > min(_MOST_KINDS, profile.rows // 4)
        and is_called_id(column.name)
        and column.filled * profile.rows >= _FEWEST_EVENTS * column.distinct
    ]


def find_lead_column(
    tables: Tables,
    profiles: Mapping[str, Profile],
    links: Sequence[Link],
    lead_id: str | None,
    late: Sequence[Late],
) -> LeadColumn:
    """Choose the column that names the lead in a log: filled in nearly every row, and called like a lead.

    Of several, it is the one that says whose the outcomes are which other tables hold.
    """
    logs = [profile for profile in profiles.values() if profile.of_kind("time")]
    log = max(logs, key=lambda profile: profile.rows, default=None)
    if log is None:
        odd = [column.note for profile in profiles.values() for column in profile.columns.values() if column.note]
        raise InputError(
            "no table has a column of times, so there is no log; bring one that says when each event happened "
            f"(tables: {', '.join(profiles)}){''.join(f'{chr(10)}  {note}' for note in odd)}"
        )
    if lead_id is not None:
        holding = [profile for profile in logs if lead_id in profile.columns]
        if not holding:
            raise InputError(f"--lead-id {lead_id}: no table with times has it; {nearest(lead_id, log.columns)}")
        return LeadColumn(holding[0].name, lead_id, (), named=find_named(tables, profiles, holding[0], lead_id))
    tied = {link.column for one in late for link in links if (link.table, link.target) == (log.name, one.table)}
    candidates = sorted(
        _repeated_ids(log),
        key=lambda column: (
            column.filled < 0.9,  # noqa: PLR2004 - dirt
            column.name not in tied,
            has(column.name, "event id|session|message|resource|owner|agent|campaign|product|item|sku"),
            -rank(column.name, LEAD),
            -(plain(column.name) in {"id", "lead", "case"}),
            column.distinct,
        ),
    )
    if not candidates:
        raise InputError(
            f"no column of {log.name} can name the lead: none repeats and is called like an id; "
            f"say which one does: --lead-id COLUMN (it holds {', '.join(log.columns)})"
        )
    best, *rest = candidates
    others = tuple(column.name for column in rest)
    return LeadColumn(log.name, best.name, others, _kind(log, best), find_named(tables, profiles, log, best.name))


def find_named(tables: Tables, profiles: Mapping[str, Profile], log: Profile, column: str) -> dict[str, str]:
    """Find what other tables call the column: by its very name or, where the values agree, by a like one or another."""
    named = {log.name: column}
    for name, profile in profiles.items():
        if name == log.name or column in profile.columns:
            named[name] = column
            continue
        shares = {
            other.name: share_found(tables, profile, other, log, log.columns[column])
            for other in profile.of_kind("identifier", "number", "category", "text")
            if plain(other.name) == plain(column) or (other.kind == "identifier" and not is_counting(other))
        }
        best = max(shares, key=lambda other: (plain(other) == plain(column), shares[other]), default=None)
        if best and shares[best] >= (FOUND_BY_VALUE if plain(best) == plain(column) else FOUND_SHARE):
            named[name] = best
    return named


def _kind(log: Profile, column: Column) -> tuple[str, str] | None:
    """Find the column that says what kind of thing a row is about, and which kind is a lead."""
    if not has(column.name, "entity|object|record|subject|who|id"):
        return None
    for kind in log.of_kind("category", "flag"):
        if has(kind.name, KIND) and kind.distinct > 1 and any(rank(text, LEAD) for text in kind.examples):
            return kind.name, max(kind.examples, key=lambda text: rank(text, LEAD))
    return None


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
