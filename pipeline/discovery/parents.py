"""What other tables say of a lead: its account's industry, its contact's position, its campaign's channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.core.sql import identifier
from pipeline.discovery.attributes import Attribute, judge_by_name
from pipeline.profiling.links import Link
from pipeline.profiling.profile import Profile
from pipeline.profiling.tables import in_settings
from pipeline.profiling.words import CAMPAIGN, CONVERTED_TO, OURS_IDS, SHARED, has, singular

_MOSTLY = 0.5


@dataclass(frozen=True)
class Parents:
    """The columns that join the leads: their attributes, the SQL that adds them, and the tables that it reads."""

    attributes: tuple[Attribute, ...] = ()
    selected: str = ""
    joins: str = ""
    reads: tuple[str, ...] = ()

    def query(self, leads: str) -> str:
        """Write the SQL of the leads with what others say of them."""
        return f"SELECT lead.*{self.selected}\nFROM {leads} AS lead{self.joins}"


def find_parents(profiles: Mapping[str, Profile], table: str, links: Sequence[Link]) -> Parents:
    """Find what the accounts, contacts and campaigns that a lead names say of it.

    Not those that it got when it was converted, and nothing of our own people, whose choice follows from whom we
    believed in.
    """
    if profiles[table].table.nested:
        return Parents()  # a query would not see the columns that lie inside of others
    attributes: list[Attribute] = []
    selected, joins, reads = "", "", []
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
    return Parents(tuple(attributes), selected, joins, tuple(reads))
