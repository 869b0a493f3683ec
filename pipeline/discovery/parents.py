"""What other tables say of a lead: its account's industry, its contact's position, its campaign's channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.core.sql import identifier
from pipeline.discovery.attributes import Attribute, judge_by_name
from pipeline.profiling.links import Link
from pipeline.profiling.profile import Profile
from pipeline.profiling.tables import in_settings
from pipeline.profiling.words import CAMPAIGN, CONVERTED_TO, OURS_IDS, SHARED, has, singular

_MOSTLY = 0.5


def find_parents(
    profiles: Mapping[str, Profile], table: str, links: Sequence[Link], leads: str
) -> tuple[list[Attribute], str, list[str]]:
    """Find what the accounts, contacts and campaigns that a lead names say of it.

    Gives the attributes, the SQL of the leads that adds them to ``leads``, and the tables that it reads besides.

    Not those that it got when it was converted, and nothing of our own people, whose choice follows from whom we
    believed in.
    """
    attributes: list[Attribute] = []
    selected, joins, reads = "", "", []
    # A query would not see the columns that lie inside of others.
    links = [] if profiles[table].table.nested else links
    taken = {name.casefold() for name in profiles[table].columns}
    for link in links:
        if (
            link.share < _MOSTLY
            or not has(link.column, rf"{SHARED}|{CAMPAIGN}|partner|produit|product|produkt")
            or has(link.column, rf"{OURS_IDS}|{CONVERTED_TO}")
            or link.target in reads
        ):
            continue
        parent = profiles[link.target]
        what = singular(parent.name).replace(" ", "_")
        found = [one for one in judge_by_name(parent, [link.key]) if not one.refused]
        named = {one.name: f"{what}_{one.name}" for one in found}
        named = {name: called for name, called in named.items() if called.casefold() not in taken}
        if not named:
            continue
        taken |= {called.casefold() for called in named.values()}
        attributes += [replace(one, name=named[one.name]) for one in found if one.name in named]
        alias = identifier(f"of_{what}")
        selected += "".join(f",\n  {alias}.{identifier(name)} AS {identifier(as_)}" for name, as_ in named.items())
        values = ", ".join(f"min({identifier(name)}) AS {identifier(name)}" for name in named)
        key = identifier(link.key)
        joins += (
            f"\nLEFT JOIN (\n  SELECT {key} AS key, {values}\n  FROM {identifier(in_settings(link.target))}\n"
            f"  WHERE CAST({key} AS VARCHAR) <> ''\n  GROUP BY 1\n"
            f") AS {alias} ON {alias}.key = lead.{identifier(link.column)}"
        )
        reads.append(link.target)
    return attributes, f"SELECT lead.*{selected}\nFROM {leads} AS lead{joins}", reads
