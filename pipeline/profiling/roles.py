"""What each table is: the leads, events of leads, money spent, ids that belong together, or nothing that is needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from features.core.errors import InputError, nearest
from pipeline.profiling.leads import Late, LeadColumn, LeadTable, find_lead_column, find_lead_table, find_named
from pipeline.profiling.links import (
    FOUND_SHARE,
    Link,
    Way,
    is_key,
    share_found,
    shared_links,
    shared_ways,
    ways,
)
from pipeline.profiling.profile import TIMES, Profile
from pipeline.profiling.registers import SPEND_COST, OwnerTable, Registers, find_owners, find_registers, said_of_owners
from pipeline.profiling.tables import Tables
from pipeline.profiling.words import LEAD, LEFT_FOR_SURE, LINKS, SOLD, has, plain, rank, singular

_NARROW = 5
_SURELY_A_LEAD = 75


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
    late: Sequence[Late] = ()
    """Tables that look like the leads', and were written when it was over: what is in the log's words an outcome."""
    registers: Registers = field(default_factory=lambda: Registers({}))
    """Tables of which no row is an act of a lead."""
    people: Mapping[str, Sequence[Way]] = field(default_factory=dict)
    """Those in which people say something of leads, and leads of themselves, with the ways to the lead."""
    owners: Sequence[OwnerTable] = ()
    """Tables that lead to no lead, and say who owns something from a day on."""


def find_roles(
    tables: Tables,
    profiles: Mapping[str, Profile],
    links: Sequence[Link],
    leads: str | None,
    lead_id: str | None,
    ends: Collection[str] = (),
) -> Roles:
    """Decide what each table is; ``leads``, ``lead_id`` and the ``ends`` of leads are what the user has said.

    Raises InputError where what was said is not there, or no column can be a lead.
    """
    if leads is not None and leads not in profiles:
        raise InputError(f"--leads {leads}: there is no such table; {nearest(leads, profiles)}")
    registers = find_registers(tables, profiles, leads, ends)
    acting = {name: profile for name, profile in profiles.items() if name not in registers.told}
    among = [link for link in links if not {link.table, link.target} & registers.told.keys()]
    found = _find_roles(tables, acting, among, leads, lead_id)
    owners = [one for name in found.unused if (one := find_owners(profiles[name]))]
    owned = {one.table: said_of_owners(one) for one in owners}
    said = [*registers.consents, *(one.table for one in registers.decisions)]
    return replace(
        found,
        unused={**found.unused, **owned, **registers.told},
        registers=registers,
        people=_ways_of_people(tables, {name: profiles[name] for name in said}, profiles, links, found),
        owners=owners,
    )


def _ways_of_people(
    tables: Tables,
    said: Mapping[str, Profile],
    profiles: Mapping[str, Profile],
    links: Sequence[Link],
    found: Roles,
) -> dict[str, Sequence[Way]]:
    lead, column = found.lead_table, found.lead_column
    if lead is not None:
        links = _by_aliases(links, found.identities, lead)
        straight = {name: ways(links, name, lead.table, lead.key) for name in said}
        return {name: way or _called_a_lead(tables, said[name], profiles, lead) for name, way in straight.items()}
    assert column is not None  # noqa: S101 - one or the other names the lead
    ids = [(column.table, column.column)]
    ids += [(found.identities.table, found.identities.alias)] if found.identities else []
    ways_of: dict[str, Sequence[Way]] = dict.fromkeys(said, ())
    for table, key in reversed(ids):
        named = find_named(tables, said, profiles[table], key)
        ways_of |= {name: [(Link(name, named[name], table, key, 1.0),)] for name in said if name in named}
    return ways_of


def _called_a_lead(tables: Tables, profile: Profile, profiles: Mapping[str, Profile], lead: LeadTable) -> Sequence[Way]:
    """Take the column that is called like a lead and holds leads, where no other is tied to them.

    Of a lead that people say one thing of, it looks like the key of a table of its own.
    """
    if lead.key not in profiles[lead.table].columns:
        return []
    key = profiles[lead.table].columns[lead.key]
    shares = {
        column.name: share_found(tables, profile, column, profiles[lead.table], key)
        for column in profile.of_kind("identifier", "number", "category", "text")
        if rank(column.name, LEAD) >= _SURELY_A_LEAD or plain(column.name) in {plain(lead.key), singular(lead.table)}
    }
    best = max(shares, key=lambda name: shares[name], default=None)
    if best is None or shares[best] < FOUND_SHARE:
        return []
    return [(Link(profile.name, best, lead.table, lead.key, shares[best]),)]


def _find_roles(
    tables: Tables, profiles: Mapping[str, Profile], links: Sequence[Link], leads: str | None, lead_id: str | None
) -> Roles:
    spend = next((name for name, profile in profiles.items() if name != leads and _is_spend(profile, links)), None)
    aliases = {name: one for name in profiles if (one := _lone_alias_table(profiles, name))}
    alias = next(iter(aliases.values()), None)
    apart = {*aliases, *([spend] if spend else [])}
    table, late = find_lead_table(tables, profiles, links, leads, lead_id, apart)
    if table is None:
        logs = {name: one for name, one in profiles.items() if name != spend and (alias is None or name != alias.table)}
        column = find_lead_column(tables, logs, links, lead_id, late)
        holding: dict[str, Sequence[Way]] = {
            name: [(Link(name, column.named[name], column.table, column.column, 1.0),)]
            for name in logs
            if name in column.named
        }
        reason = f"it has no column {column.column!r}, nor its ids by another name"
        without = {name: reason for name in logs if name not in holding}
        return Roles(None, column, holding, alias, spend, without, late=[one for one in late if one.table in holding])
    identities = _alias_table(profiles, links, table)
    links = _by_aliases(links, identities, table)
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


def _by_aliases(links: Sequence[Link], identities: AliasTable | None, lead: LeadTable) -> Sequence[Link]:
    """Let what leads to an alias lead to the lead: one is as good as the lead's own id, for ingest unites them."""
    if identities is None:
        return links
    links = [
        replace(link, target=lead.table, key=lead.key)
        if (link.target, link.key) == (identities.table, identities.alias)
        else link
        for link in links
    ]
    best = {
        (link.table, link.column, link.target, link.key): link for link in sorted(links, key=lambda link: link.share)
    }
    return list(best.values())


def _alias_table(profiles: Mapping[str, Profile], links: Sequence[Link], lead: LeadTable) -> AliasTable | None:
    """Find a narrow table that gives an id of each row to a lead, at a time.

    Merged duplicates may be leads, too: then either id leads to some, and which is left is found out later.
    """
    for name, profile in profiles.items():
        to_lead = sorted(
            (link for link in links if (link.table, link.target, link.key) == (name, lead.table, lead.key)),
            key=lambda link: -link.share,
        )
        # Who has bought is tied by his order to what he did before, and nobody else would be.
        if not to_lead or not _is_narrow(profile) or has(profile.name, SOLD):
            continue
        led = [link.column for link in to_lead]
        others = [
            column
            for column in profile.of_kind("identifier", "number")
            if column.name != led[0] and (column.name in led or is_key(replace(column, kind="identifier"), profile))
        ]
        others.sort(key=lambda column: (column.name not in led, column.kind != "identifier"))
        called = _ALIASES + "|" + LEFT_FOR_SURE
        if others and (has(profile.name, LINKS) or any(has(one.name, called) for one in others)):
            return AliasTable(name, others[0].name, led[0], profile.of_kind(*TIMES)[0].name)
    return None


def _is_narrow(profile: Profile) -> bool:
    return len(profile.of_kind(*TIMES)) == 1 and len(profile.columns) <= _NARROW


def _lone_alias_table(profiles: Mapping[str, Profile], table: str) -> AliasTable | None:
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
    place = "channel|campaign|source|medium|canal|campagne|kampagne|kanal"
    return (
        not any(link.table == profile.name for link in links)
        and any(has(column.name, SPEND_COST) for column in profile.of_kind("number"))
        and any(has(name, place) for name in profile.columns)
        and bool(profile.of_kind("time"))
    )
