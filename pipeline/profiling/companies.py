"""Ways to a lead by what it shares with other leads: its account, its household, a contact with several leads.

What an account did is said of one lead, so that nothing counts twice: of the newest that was there by then or, before
there was any, of the first, from its creation on. The others see it through features of scope account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

from pipeline.core.sql import identifier
from pipeline.profiling.links import Link, Way, is_key, links_to, ways
from pipeline.profiling.profile import Profile
from pipeline.profiling.tables import Tables, in_settings
from pipeline.profiling.words import ACCOUNT, OURS_IDS, SHARED, has, is_called_id, singular

_MOST_LEADS = 50
"""Leads that share a value, on average: beyond it, it says nothing of one of them."""
_NEARLY_ALL = 0.98


def shared_links(tables: Tables, profiles: Mapping[str, Profile], table: str, key: str) -> list[Link]:
    """Find the columns of other tables that hold what several leads share."""
    leads = profiles[table]
    return [
        replace(link, is_shared=True)
        for column in leads.columns.values()
        if column.name != key
        and column.kind in ("identifier", "category", "number", "text")
        and is_called_id(column.name)
        and has(column.name, SHARED)
        and not has(column.name, OURS_IDS)
        and not is_key(column, leads)
        and column.distinct * _MOST_LEADS >= column.filled * leads.rows
        for link in links_to(tables, profiles, leads, column)
    ]


def shared_ways(
    profile: Profile, found: Sequence[Way], links: Sequence[Link], shared: Sequence[Link], table: str, key: str
) -> list[Way]:
    """List the ways by what leads share, unless others lead nearly every row to its lead already."""
    led = (prod((link.share for link in way), start=profile.columns[way[0].column].filled) for way in found)
    if any(share >= _NEARLY_ALL for share in led):
        return []
    if not found and has(singular(profile.name), rf"{ACCOUNT}|contact|kontakte?|person|personne"):
        return []  # that a person or a company was entered is no act of theirs
    others = [link for link in links if link.target != table]
    return [way for way in ways([*others, *shared], profile.name, table, key) if way[-1].is_shared]


def said_of_shared(tables: Tables, found: Sequence[Way], table: str) -> str | None:
    """Say how many rows of a table lead to a lead only by what several share, and what becomes of them."""
    way = next((way for way in found if way[-1].is_shared), None)
    if way is None:
        return None
    name, at, joins = way[0].table, f"event.{identifier(way[0].column)}", []
    for step, link in enumerate(way):
        wanted = "count(*)" if link.is_shared else f"min({identifier(way[step + 1].column)})"
        target = identifier(in_settings(link.target))
        joins.append(
            f"JOIN (SELECT {identifier(link.key)} AS key, {wanted} AS value FROM {target} GROUP BY 1) AS link_{step} "
            f"ON CAST(link_{step}.key AS VARCHAR) = CAST({at} AS VARCHAR)"
        )
        at = f"link_{step}.value"
    query = f"SELECT count(*), count(*) FILTER ({at} > 1) FROM {identifier(in_settings(name))} AS event"
    rows, several = tables.ask_row(" ".join([query, *joins]))
    by = f"{table}.{way[-1].key}"
    others = "" if len(found) == 1 else ", where nothing nearer does,"
    return (
        f"{rows:,} rows of {name} lead{others} to a lead by {by}; {several:,} of them to several leads that share it: "
        "each counts for the newest of them that was there at the time, or else for the first; "
        "the others see it through features of scope account"
    )
