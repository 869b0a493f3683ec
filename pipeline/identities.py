"""Uniting the ids of one lead: cookies, contacts and merged duplicates, each with the moment of the link.

A link says that ``alias_id`` is ``lead_id`` since ``linked_at``. Chains are followed to their end:

    link                      linked_at      so
    cookie-1  -> contact-7    2026-03-05     events of cookie-1 are lead-A's, known from 2026-04-01 on:
    contact-7 -> lead-A       2026-04-01     only then did anyone know that both are one

Set aside are links in a circle, to unknown leads, and all links of an alias that would lead to two leads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from graphlib import CycleError, TopologicalSorter

import duckdb
import pyarrow as pa

from pipeline.quarantine import CIRCLE, DUPLICATE, TWO_LEADS, UNKNOWN_LEAD

_ALWAYS, _NEVER = datetime.min, datetime.max  # noqa: DTZ901 - times are in UTC without a zone


@dataclass(frozen=True)
class Link:
    """One row of the identities table; the time is in UTC."""

    sequence: int
    alias_id: str
    target: str
    linked_at: datetime


@dataclass(frozen=True)
class Untangled:
    """What became of links: each alias with its lead and since when, and the reason of each link set aside."""

    aliases: dict[str, tuple[str, datetime]]
    set_aside: dict[int, str]


def untangle(links: Iterable[Link], is_known: Callable[[str], bool]) -> Untangled:
    """Follow chains of links to their ends.

    An alias is united with a lead from the latest link of the chain on; where several chains end in the same lead,
    from the earliest of them.
    """
    by_alias: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        by_alias[link.alias_id].append(link)
    circular = _find_circular({alias: {link.target for link in own} for alias, own in by_alias.items()})
    sound = {
        alias: [link for link in own if not (alias in circular and link.target in circular)]
        for alias, own in by_alias.items()
    }
    ends = _find_ends(sound, is_known)
    aliases = {alias: next(iter(ends[alias].items())) for alias, own in sound.items() if own and len(ends[alias]) == 1}
    set_aside = {
        link.sequence: reason
        for alias, own in by_alias.items()
        for link in own
        if (reason := _judge(link, circular, ends))
    }
    return Untangled(aliases, set_aside)


def _judge(link: Link, circular: set[str], ends: dict[str, dict[str, datetime]]) -> str | None:
    if link.alias_id in circular and link.target in circular:
        return CIRCLE
    if not ends[link.target]:
        return UNKNOWN_LEAD
    return TWO_LEADS if len(ends[link.alias_id]) > 1 else None


def _find_ends(links: dict[str, list[Link]], is_known: Callable[[str], bool]) -> dict[str, dict[str, datetime]]:
    """Find, for every id, the leads that its chains end in and since when; there is no circle."""
    ends: dict[str, dict[str, datetime]] = {}
    targets = {alias: {link.target for link in own} for alias, own in links.items()}
    for node in TopologicalSorter(targets).static_order():
        if not links.get(node):
            ends[node] = {node: _ALWAYS} if is_known(node) else {}
            continue
        reached: dict[str, datetime] = {}
        for link in links[node]:
            for lead, since in ends[link.target].items():
                reached[lead] = min(reached.get(lead, _NEVER), max(since, link.linked_at))
        ends[node] = reached
    return ends


def _find_circular(targets: dict[str, set[str]]) -> set[str]:
    """Find the aliases whose chains have no end: those of a circle, and those that lead into it."""
    sorter = TopologicalSorter(targets)
    try:
        sorter.prepare()
    except CycleError:
        ended: set[str] = set()
        while ready := sorter.get_ready():
            ended.update(ready)
            sorter.done(*ready)
        return {alias for alias in targets if alias not in ended}
    return set()


def unite(connection: duckdb.DuckDBPyConnection, mapped: str, known: str | None) -> None:
    """Make the tables ``alias`` (alias_id, lead_id, linked_at) and ``refused_link`` (sequence, reason).

    ``mapped`` is the relation of mapped links, ``known`` the query that lists the ids of leads; without it every end
    of a chain is a lead. Plain links, nearly all of them, are settled in SQL; only chains come into Python.
    """
    connection.execute(
        "CREATE TEMP TABLE link AS SELECT sequence, alias_id, lead_id AS target, linked_at, "
        "row_number() OVER (PARTITION BY alias_id, lead_id ORDER BY linked_at, sequence) AS repeat "
        f"FROM {mapped} WHERE reason IS NULL"
    )
    connection.execute(
        f"CREATE TEMP TABLE refused_link AS SELECT sequence, '{DUPLICATE}' AS reason FROM link WHERE repeat > 1"
    )
    connection.execute("DELETE FROM link WHERE repeat > 1")
    connection.execute(
        "CREATE TEMP TABLE tangled AS SELECT sequence FROM link WHERE "
        "target IN (SELECT alias_id FROM link) OR alias_id IN (SELECT target FROM link) "
        "OR alias_id IN (SELECT alias_id FROM link GROUP BY alias_id HAVING count(*) > 1)"
    )
    end = f"target IN ({known})" if known else "true"
    plain = "FROM link WHERE sequence NOT IN (SELECT sequence FROM tangled)"
    connection.execute(f"CREATE TEMP TABLE alias AS SELECT alias_id, target AS lead_id, linked_at {plain} AND {end}")
    connection.execute(f"INSERT INTO refused_link SELECT sequence, '{UNKNOWN_LEAD}' {plain} AND NOT ({end})")
    rows = connection.execute(
        f"SELECT sequence, alias_id, target, linked_at, {end} FROM link SEMI JOIN tangled USING (sequence) ORDER BY ALL"
    ).fetchall()
    leads = {target for _, _, target, _, is_lead in rows if is_lead}
    _store(connection, untangle((Link(*row[:4]) for row in rows), leads.__contains__))


def _store(connection: duckdb.DuckDBPyConnection, untangled: Untangled) -> None:
    aliases = pa.table(
        [
            pa.array(list(untangled.aliases), pa.string()),
            pa.array([lead for lead, _ in untangled.aliases.values()], pa.string()),
            pa.array([since for _, since in untangled.aliases.values()], pa.timestamp("us")),
        ],
        names=["alias_id", "lead_id", "linked_at"],
    )
    refused = pa.table(
        [
            pa.array(list(untangled.set_aside), pa.int64()),
            pa.array(list(untangled.set_aside.values()), pa.string()),
        ],
        names=["sequence", "reason"],
    )
    for table, content in (("alias", aliases), ("refused_link", refused)):
        connection.register("untangled", content)
        connection.execute(f"INSERT INTO {table} SELECT * FROM untangled")
        connection.unregister("untangled")
