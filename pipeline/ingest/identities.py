"""Uniting the ids of one lead: cookies, contacts and merged duplicates, each with the moment of the link.

A link says that ``alias_id`` is ``lead_id`` since ``linked_at``. Chains are followed to their end:

    link                      linked_at      so
    cookie-1  -> contact-7    2026-03-05     events of cookie-1 are lead-A's, known from 2026-04-01 on:
    contact-7 -> lead-A       2026-04-01     only then did anyone know that both are one

A later link takes nothing back, for nobody knew of it. Where it leads the alias to a second lead, what was known of the
alias before stays the first one's, and what becomes known from then on is nobody's; one that would close a circle is
set aside. Set aside are also links to unknown leads, and links of the same moment to two leads or in a circle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from graphlib import TopologicalSorter

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.core.sql import Relation
from pipeline.ingest.relations import Relations
from pipeline.reading.quarantine import CIRCLE, DUPLICATE, TWO_LEADS, UNKNOWN_LEAD

_EVER = "TIMESTAMP '0001-01-01'"
_ALWAYS = datetime.min  # noqa: DTZ901 - times are in UTC without a zone
_TEXT, _TIME = pa.string(), pa.timestamp("us")
_ALIASES = pa.schema({"alias_id": _TEXT, "lead_id": _TEXT, "linked_at": _TIME, "contested_at": _TIME})


@dataclass(frozen=True)
class Link:
    """One row of the identities table; the time is in UTC."""

    sequence: int
    alias_id: str
    target: str
    linked_at: datetime


@dataclass(frozen=True, order=True)
class Claim:
    """Since when an alias is a lead's; the earliest counts."""

    attached: datetime
    """When its own link gave it a lead: this one, or one that turned out to be this one."""
    in_force: datetime
    """When the last link of the chain was there, and the lead."""
    linked_at: datetime
    via: int = -1
    """The sequence of its own link."""
    rival: datetime | None = field(default=None, compare=False)
    """When another lead's claim showed: where the chain forks, or as soon as another link was there."""


@dataclass(frozen=True)
class Alias:
    """What an alias has become."""

    lead_id: str
    linked_at: datetime
    contested_at: datetime | None
    """When it turned out that another lead claims it, too."""


def untangle(
    links: Iterable[Link], created: Callable[[str], datetime | None]
) -> tuple[dict[str, Alias], dict[int, str]]:
    """Follow chains of links to their ends; ``created`` gives when a lead came to be, None for what is none.

    Gives each alias that has a lead, and the reason of each link set aside, by its sequence. An alias is united with a
    lead from the latest link of the chain on; where several chains end in the same lead, from the earliest of them.
    """
    by_alias: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        by_alias[link.alias_id].append(link)
    circular = _find_circular([link for own in by_alias.values() for link in own])
    sound = {alias: [link for link in own if link.sequence not in circular] for alias, own in by_alias.items()}
    ends, stuck = _find_ends(sound, created)
    aliases = {alias: owner for alias in by_alias if (owner := _owner(ends[alias]))}
    set_aside: dict[int, str] = {}
    for link in (link for own in by_alias.values() for link in own):
        claimed = aliases.get(link.alias_id)
        if link.sequence in circular or (not ends[link.target] and link.target in stuck):
            set_aside[link.sequence] = CIRCLE
        elif not ends[link.target]:
            set_aside[link.sequence] = UNKNOWN_LEAD
        elif claimed is None or claimed.lead_id not in ends[link.target]:
            set_aside[link.sequence] = TWO_LEADS
    return aliases, set_aside


def _owner(claims: dict[str, Claim]) -> Alias | None:
    """Say who has an alias: whose claim is the first, unless two are."""
    if not claims:
        return None
    (lead, first), *others = sorted(claims.items(), key=lambda item: item[1])
    if first.rival is not None and first.rival <= (first.in_force if others[0][1].via == first.via else first.attached):
        return None
    return Alias(lead, first.linked_at, first.rival)


def _find_ends(
    links: dict[str, list[Link]], created: Callable[[str], datetime | None]
) -> tuple[dict[str, dict[str, Claim]], set[str]]:
    """Find, for every id, the leads that its chains end in and since when, and the ids whose chains end in a circle."""
    ends: dict[str, dict[str, Claim]] = {}
    stuck: set[str] = set()
    targets = {alias: {link.target for link in own} for alias, own in links.items()}
    for node in TopologicalSorter(targets).static_order():
        reached: dict[str, Claim] = {}
        if node not in links:
            came = created(node)
            ends[node] = {} if came is None else {node: Claim(came, came, _ALWAYS)}
            continue
        for link in links[node]:
            came = created(link.target)
            for lead, claim in ends[link.target].items():
                way = Claim(
                    max(min(claim.attached, came or claim.attached), link.linked_at),
                    max(claim.in_force, link.linked_at),
                    max(claim.linked_at, link.linked_at),
                    link.sequence,
                    max(claim.rival, link.linked_at) if claim.rival else None,
                )
                reached[lead] = min(reached.get(lead, way), way)
        if not links[node] or any(link.target in stuck for link in links[node]):
            stuck.add(node)
        ends[node] = {lead: replace(claim, rival=_rival(claim, reached)) for lead, claim in reached.items()}
    return ends, stuck


def _rival(claim: Claim, claims: Mapping[str, Claim]) -> datetime | None:
    """Say when a claim of another lead showed: along its own link, or by another one."""
    others = [other.attached for other in claims.values() if other.via != claim.via]
    return min([*others, *([claim.rival] if claim.rival else [])], default=None)


def _find_circular(links: Sequence[Link]) -> set[int]:
    """Find the links without which there is no circle: of each circle the latest, or all that are of one moment."""
    circular: set[int] = set()
    while links:
        nodes = sorted({node for link in links for node in (link.alias_id, link.target)})
        numbers = {node: number for number, node in enumerate(nodes)}
        ways = np.array([(numbers[link.alias_id], numbers[link.target]) for link in links])
        graph = coo_array((np.ones(len(ways)), (ways[:, 0], ways[:, 1])), shape=(len(numbers), len(numbers)))
        _, part = connected_components(graph, connection="strong")
        within = [
            (int(part[way[0]]), link) for way, link in zip(ways, links, strict=True) if part[way[0]] == part[way[1]]
        ]
        latest: dict[int, datetime] = {}
        for number, link in within:
            latest[number] = max(latest.get(number, _ALWAYS), link.linked_at)
        closing = {link.sequence for number, link in within if link.linked_at == latest[number]}
        if not closing:
            break
        circular |= closing
        links = [link for link in links if link.sequence not in closing]
    return circular


def unite(relations: Relations, mapped: Relation, known: str | None) -> None:
    """Make the tables ``aliases`` and ``refused_links``.

    ``mapped`` is the relation of mapped links, ``known`` the query that lists lead_id and created_at of the leads;
    without it every end of a chain is a lead. Plain links, nearly all of them, are settled in SQL; only chains come
    into Python.
    """
    links, tangled, aliases, refused = relations.links, relations.tangled, relations.aliases, relations.refused_links
    links.make_table(
        "SELECT sequence, alias_id, lead_id AS target, linked_at, "
        "row_number() OVER (PARTITION BY alias_id, lead_id ORDER BY linked_at, sequence) AS repeat "
        f"FROM {mapped} WHERE reason IS NULL"
    )
    refused.make_table(f"SELECT sequence, '{DUPLICATE}' AS reason FROM {links} WHERE repeat > 1")
    relations.connection.execute(f"DELETE FROM {links} WHERE repeat > 1")
    tangled.make_table(
        f"SELECT sequence FROM {links} WHERE "
        f"target IN (SELECT alias_id FROM {links}) OR alias_id IN (SELECT target FROM {links}) "
        f"OR alias_id IN (SELECT alias_id FROM {links} GROUP BY alias_id HAVING count(*) > 1)"
    )
    end = f"target IN (SELECT lead_id FROM ({known}))" if known else "true"
    plain = f"FROM {links} WHERE sequence NOT IN (FROM {tangled})"
    aliases.make_table(
        f"SELECT alias_id, target AS lead_id, linked_at, NULL::TIMESTAMP AS contested_at {plain} AND {end}"
    )
    refused.insert(f"SELECT sequence, '{UNKNOWN_LEAD}' {plain} AND NOT ({end})")
    came, join = _EVER, ""
    if known:
        came, join = "lead.created_at", f"LEFT JOIN ({known}) AS lead ON lead.lead_id = target "
    rows = relations.connection.execute(
        f"SELECT sequence, alias_id, target, linked_at, {came} FROM {links} SEMI JOIN {tangled} USING (sequence) {join}"
        "ORDER BY sequence"
    ).fetchall()
    leads = {target: came for _, _, target, _, came in rows if came is not None}
    owned, set_aside = untangle((Link(*row[:4]) for row in rows), leads.get)
    owners = [{"alias_id": alias, **vars(owner)} for alias, owner in owned.items()]
    aliases.insert_all(pa.Table.from_pylist(owners, _ALIASES))
    reasons = [list(set_aside), list(set_aside.values())]
    refused.insert_all(pa.table(reasons, schema=pa.schema({"sequence": pa.int64(), "reason": pa.string()})))
