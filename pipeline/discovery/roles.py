"""What each table is: the leads, events of leads, money spent, ids that belong together, or nothing that is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from features.errors import InputError, nearest
from pipeline.discovery.companies import shared_links, shared_ways
from pipeline.discovery.links import Link, Way, find_key, is_key, ways
from pipeline.discovery.profile import TIMES, Column, Profile
from pipeline.discovery.tables import Tables
from pipeline.discovery.words import (
    CHANGED,
    CREATED,
    KIND,
    KNOWN,
    LEAD,
    LEFT_FOR_SURE,
    LINKS,
    OCCURRED,
    OUTCOMES,
    PLANNED,
    has,
    is_called_id,
    plain,
    rank,
    singular,
)

_NARROW = 5
_MOST_KINDS = 20
_MOSTLY = 0.8
ROW = "row_number"
"""Names the leads of a table without a key: the place of each among the rows."""
_FEWEST_EVENTS = 1.15
"""Events a lead, on average: where an id has fewer, it rather names the events."""


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


@dataclass(frozen=True)
class AliasTable:
    """The table that unites ids of one lead: which column is the alias, which the lead, and since when."""

    table: str
    alias: str
    lead: str
    linked_at: str


@dataclass(frozen=True)
class Roles:
    """Who is a lead, and which tables hold its events, each with the ways to the lead."""

    lead_table: LeadTable | None
    lead_column: LeadColumn | None
    events: Mapping[str, Sequence[Way]]
    identities: AliasTable | None
    spend: str | None
    unused: Mapping[str, str]
    """Tables that are not needed, each with the reason."""
    timeless: Mapping[str, Sequence[Way]] = field(default_factory=dict)
    """Tables that lead to a lead, and hold no times."""
    parents: Sequence[Link] = ()
    """The links from the leads to tables that say more of them."""


def find_roles(
    tables: Tables, profiles: Mapping[str, Profile], links: Sequence[Link], leads: str | None, lead_id: str | None
) -> Roles:
    """Decide what each table is; ``leads`` and ``lead_id`` are what the user has said.

    Raises InputError where what was said is not there, or no column can be a lead.
    """
    if leads is not None and leads not in profiles:
        raise InputError(f"--leads {leads}: there is no such table; {nearest(leads, profiles)}")
    spend = next((name for name, profile in profiles.items() if name != leads and _is_spend(profile, links)), None)
    table = _lead_table(profiles, links, leads, lead_id, spend)
    if table is None:
        alias = next((one for name in profiles if (one := lone_alias_table(profiles, name))), None)
        column = _lead_column({n: p for n, p in profiles.items() if alias is None or n != alias.table}, lead_id, spend)
        holding: dict[str, Sequence[Way]] = {
            name: [()]
            for name, profile in profiles.items()
            if name != spend and column.column in profile.columns and (alias is None or name != alias.table)
        }
        without = {
            name: f"it has no column {column.column!r}"
            for name in profiles
            if name not in holding and name != spend and (alias is None or name != alias.table)
        }
        return Roles(None, column, holding, alias, spend, without)
    identities = _alias_table(profiles, links, table)
    if identities:
        # An id that is an alias is as good as the lead's own: ingest unites them.
        links = [
            replace(link, target=table.table, key=table.key)
            if (link.target, link.key) == (identities.table, identities.alias)
            else link
            for link in links
        ]
        best = {
            (link.table, link.column, link.target, link.key): link
            for link in sorted(links, key=lambda link: link.share)
        }
        links = list(best.values())
    shared = shared_links(tables, profiles, table.table, table.key)
    events: dict[str, Sequence[Way]] = {}
    timeless: dict[str, Sequence[Way]] = {}
    unused: dict[str, str] = {}
    for name, profile in profiles.items():
        if name in (table.table, spend) or (identities and name == identities.table):
            continue
        found = ways(links, name, table.table, table.key)
        found += shared_ways(profile, found, links, shared, table.table, table.key)
        if not found:
            unused[name] = "no column leads to a lead"
        elif not profile.of_kind("time"):
            timeless[name] = found
            unused[name] = "it holds no times" + _on_a_way(name, profiles, links, table)
        else:
            events[name] = found
    used = {link.target for found in (*events.values(), *timeless.values()) for way in found for link in way}
    unused |= {name: "it only ties others to their lead" for name in unused if name in used and name not in timeless}
    parents = [link for link in links if link.table == table.table and link.target in unused]
    return Roles(table, None, events, identities, spend, unused, timeless, parents)


def _alias_table(profiles: Mapping[str, Profile], links: Sequence[Link], lead: LeadTable) -> AliasTable | None:
    """Find a narrow table that gives an id of each row to a lead, at a time.

    Merged duplicates may be leads, too: then either id leads to some, and which is left is found out later.
    """
    for name, profile in profiles.items():
        to_lead = sorted(
            (link for link in links if (link.table, link.target, link.key) == (name, lead.table, lead.key)),
            key=lambda link: -link.share,
        )
        if not to_lead or not _is_narrow(profile):
            continue
        led = [link.column for link in to_lead]
        others = [
            column
            for column in profile.of_kind("identifier", "number")
            if column.name != led[0] and (column.name in led or is_key(replace(column, kind="identifier"), profile))
        ]
        others.sort(key=lambda column: (column.name not in led, column.kind != "identifier"))
        if others and _is_called_link(profile, others):
            return AliasTable(name, others[0].name, led[0], profile.of_kind(*TIMES)[0].name)
    return None


def _is_narrow(profile: Profile) -> bool:
    return len(profile.of_kind(*TIMES)) == 1 and len(profile.columns) <= _NARROW


def _is_called_link(profile: Profile, ids: Sequence[Column]) -> bool:
    return has(profile.name, LINKS) or any(has(one.name, _ALIASES + "|" + LEFT_FOR_SURE) for one in ids)


def lone_alias_table(profiles: Mapping[str, Profile], table: str) -> AliasTable | None:
    """Take a table for links where nothing holds the leads: two ids and a time, called so."""
    profile = profiles[table]
    ids = profile.of_kind("identifier")
    if len(profiles) > 1 and _is_narrow(profile) and len(ids) == 2 and has(profile.name, LINKS):  # noqa: PLR2004 - a pair
        return AliasTable(table, ids[0].name, ids[1].name, profile.of_kind(*TIMES)[0].name)
    return None


_ALIASES = r"alias|cookie|visitor|anonymous|duplicate|merged|old|loser|winner|secondary|survivor|master"


def _on_a_way(name: str, profiles: Mapping[str, Profile], links: Sequence[Link], table: LeadTable) -> str:
    used = any(
        link.target == name for other in profiles for way in ways(links, other, table.table, table.key) for link in way
    )
    return "; it only ties others to their lead" if used else ""


def _is_spend(profile: Profile, links: Sequence[Link]) -> bool:
    if any(link.table == profile.name for link in links):
        return False
    cost = [
        column
        for column in profile.of_kind("number")
        if has(column.name, "cost|spend|spent|cout|kosten|coste|depense|depenses")
    ]
    place = [
        name for name in profile.columns if has(name, "channel|campaign|source|medium|canal|campagne|kampagne|kanal")
    ]
    return bool(cost and place and profile.of_kind("time"))


def _lead_table(
    profiles: Mapping[str, Profile], links: Sequence[Link], leads: str | None, lead_id: str | None, spend: str | None
) -> LeadTable | None:
    """Find the table of leads: the one that is said, or called so, or that most others refer to."""
    if leads is not None:
        profile = profiles[leads]
        key = profile.columns.get(lead_id) if lead_id else find_key(profile)
        if key is None:
            raise InputError(
                f"--leads {leads}: no column names its rows; say which one does: --lead-id COLUMN "
                f"(it holds {', '.join(profile.columns)})"
            )
        return LeadTable(leads, key.name, _created(profile))
    candidates = []
    for name, profile in profiles.items():
        key = profile.columns.get(lead_id) if lead_id else find_key(profile)
        if name == spend or key is None or not is_key(key, profile) or lone_alias_table(profiles, name):
            continue
        if leads is None and len(profiles) > 1 and has(name, OUTCOMES) and _created(profile) is None:
            continue  # who converted, of leads that the log knows
        referring = {link.table for link in links if (link.target, link.key) == (name, key.name)}
        referred = {link.target for link in links if link.table == name}
        called = rank(singular(name), LEAD) or rank(key.name, LEAD) // 2
        weight = 2 * called + 15 * len(referring) - 5 * len(referred)
        if referring or (len(profiles) == 1 and not _is_log(profile, called)):
            candidates.append((weight, name, key.name))
    if not candidates:
        return _keyless(profiles)
    _, name, key_name = max(candidates, key=lambda one: (one[0], one[1]))
    return LeadTable(name, key_name, _created(profiles[name]))


def _keyless(profiles: Mapping[str, Profile]) -> LeadTable | None:
    """Take a lone table whose rows nothing names for leads, each named by its place, unless it holds events."""
    if len(profiles) > 1:
        return None
    (profile,) = profiles.values()
    return None if _repeated_ids(profile) else LeadTable(profile.name, ROW, _created(profile))


def _is_log(profile: Profile, called: int) -> bool:
    """Tell whether a table holds events, not leads: an id that is called more like a lead than its key repeats."""
    return any(rank(column.name, LEAD) > called or not called for column in _repeated_ids(profile))


def _created(profile: Profile) -> str | None:
    """Find when a lead was created: a time that is always there, by its name or as the earliest."""
    times = [column for column in profile.of_kind("time") if column.filled > _MOSTLY and not has(column.name, _LATE)]
    best = max(times, key=lambda column: (rank(column.name, CREATED), column.filled), default=None)
    return best.name if best else None


_LATE = rf"{CHANGED}|{PLANNED}|closed?|won|lost|converted|cloture"


def _repeated_ids(profile: Profile) -> list[Column]:
    """List the columns that may name what an event belongs to: ids that repeat."""
    return [
        column
        for column in profile.of_kind("identifier", "category", "text")
        if column.distinct > min(_MOST_KINDS, profile.rows // 4)
        and is_called_id(column.name)
        and column.filled * profile.rows >= _FEWEST_EVENTS * column.distinct
    ]


def _lead_column(profiles: Mapping[str, Profile], lead_id: str | None, spend: str | None) -> LeadColumn:
    """Choose the column that names the lead in a log: filled in nearly every row, and called like a lead."""
    logs = [profile for name, profile in profiles.items() if name != spend and profile.of_kind("time")]
    log = max(logs, key=lambda profile: profile.rows, default=None)
    if log is None:
        raise InputError(
            "no table has a column of times and one that names the lead, so there is no log; "
            f"say which column names the lead: --lead-id COLUMN (tables: {', '.join(profiles)})"
        )
    if lead_id is not None:
        holding = [profile for profile in logs if lead_id in profile.columns]
        if not holding:
            raise InputError(f"--lead-id {lead_id}: no table with times has it; {nearest(lead_id, log.columns)}")
        return LeadColumn(holding[0].name, lead_id, ())
    candidates = sorted(
        _repeated_ids(log),
        key=lambda column: (
            column.filled < 0.9,  # noqa: PLR2004 - dirt
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
    best = candidates[0]
    return LeadColumn(log.name, best.name, tuple(column.name for column in candidates[1:]), _kind(log, best))


def _kind(log: Profile, column: Column) -> tuple[str, str] | None:
    """Find the column that says what kind of thing a row is about, and which kind is a lead."""
    if not has(column.name, "entity|object|record|subject|who|id"):
        return None
    for kind in log.of_kind("category", "flag"):
        if has(kind.name, KIND) and kind.distinct > 1 and any(rank(text, LEAD) for text in kind.examples):
            return kind.name, max(kind.examples, key=lambda text: rank(text, LEAD))
    return None


def occurred_column(profile: Profile, *, apart_from: Sequence[str] = ()) -> Column | None:
    """Find when the events of a table happened."""
    times = [column for column in profile.of_kind("time") if column.name not in apart_from]
    return max(
        times,
        key=lambda column: (
            column.filled > 0.5,  # noqa: PLR2004 - a time that is often missing is another matter
            not has(column.name, _LATE),
            not has(column.name, rf"{KNOWN}|end|ended|finished|due"),
            not has(column.name, "original|client|device|dvce|user|previous"),
            not column.holds_days,
            rank(column.name, OCCURRED),
            column.filled,
        ),
        default=None,
    )
