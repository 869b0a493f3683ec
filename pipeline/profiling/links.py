"""How tables hang together: which column holds the key of which other table, and the way from a table to the leads.

A way may lead by what several leads share: an account, a household, a contact. What an account did is said of one lead,
so that nothing counts twice: of the newest that was there by then or, before there was any, of the first, from its
creation on. The others see it through features of scope account.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from pipeline.core.sql import identifier
from pipeline.profiling.profile import Column, Profile
from pipeline.profiling.tables import Tables, in_settings
from pipeline.profiling.words import (
    ACCOUNT,
    LEAD,
    LINKS,
    OURS_IDS,
    POLYMORPHIC,
    SHARED,
    has,
    is_called_address,
    is_called_id,
    plain,
    rank,
    singular,
)

_SAMPLE = 20_000
_KEY_SHARE = 0.97
FOUND_SHARE = 0.5
FOUND_BY_VALUE = 0.05
"""What is no count proves itself: an id may point into several tables, and into each with a part of its rows."""
_LONGEST_WAY = 3
_LONGEST_COUNT = 9
_MOST_LEADS = 50
"""Leads that share a value, on average: beyond it, it says nothing of one of them."""
_NEARLY_ALL_LED = 0.98


@dataclass(frozen=True)
class Link:
    """The values of ``table``.``column`` are found in ``target``.``key``, where hardly one occurs twice."""

    table: str
    column: str
    target: str
    key: str
    share: float
    """Of the distinct values of the column that are found."""
    is_shared: bool = False
    """Whether it is no key: several rows of the target have the value, as leads have their account."""


Way = tuple[Link, ...]
"""Links from a table to another one; empty where both are the same."""


def is_key(column: Column, profile: Profile) -> bool:
    """Tell whether a column names the rows of its table; a few rows may be there twice."""
    return (
        column.kind == "identifier"
        and column.filled > 0
        and column.distinct >= _KEY_SHARE * column.filled * profile.rows
    )


def find_keys(profile: Profile) -> list[Column]:
    """Find the columns that name the rows of a table: ``id``, ``lead_id`` in ``leads``, and then all that could."""
    keys = [column for column in profile.columns.values() if is_key(column, profile) and column.filled > 0.99]  # noqa: PLR2004 - dirt
    own = singular(profile.name)
    return sorted(
        keys,
        key=lambda column: (
            plain(column.name) not in {"id", f"{own} id", own},
            not has(column.name, f"{own.split()[-1]} (id|number|no|key)"),
            has(column.name, "name|mail|email|phone|session|event|message"),
        ),
    )


def find_key(profile: Profile) -> Column | None:
    """Find the column that most likely names the rows of a table."""
    return next(iter(find_keys(profile)), None)


def find_links(tables: Tables, profiles: Mapping[str, Profile]) -> list[Link]:
    """Find all links between tables, by names and by values.

    Small whole numbers are in every table's ids: they need a name that says so, other texts prove it by themselves.
    """
    return [
        link
        for target in profiles.values()
        for key in target.columns.values()
        if is_key(key, target)
        for link in links_to(tables, profiles, target, key)
    ]


def links_to(tables: Tables, profiles: Mapping[str, Profile], target: Profile, key: Column) -> list[Link]:
    """Find the columns of other tables that hold the values of a column."""
    return [
        Link(source.name, column.name, target.name, key.name, share)
        for source in profiles.values()
        if source is not target
        for column in source.of_kind("identifier", "number", "category", "text")
        if _may_link(column, source, key, target)
        and (share := share_found(tables, source, column, target, key)) >= _least_share(column)
    ]


def _may_link(column: Column, source: Profile, key: Column, target: Profile) -> bool:
    name, other, owner = plain(column.name), plain(key.name), singular(target.name)
    same = (name == other and name not in {"id", "name", "key"}) or (name == owner and column.kind == "identifier")
    called = any(word in name.split() for word in {owner, owner.split()[-1]}) and has(
        column.name, r"\w*ids?|key|no|number|ref|uuid"
    )
    # Contact IDs and a table of Kontakte: words of several tongues mean the same.
    alike = rank(name, LEAD) == rank(owner.split()[-1], LEAD) > 0 and not has(name, OURS_IDS) and is_called_id(name)
    # The other way round: a lead that was converted names the opportunity that it became.
    own = singular(source.name).split()[-1]
    back = is_key(column, source) and own in other.split() and owner != own and len(other.split()) > 1
    # As a CRM's activities have it: an id of a lead or, once it was converted, of the contact that it became. The two
    # ids of a merge are called by what became of them.
    either = has(column.name, POLYMORPHIC) or has(source.name, LINKS)
    if same or called or alike or back or (either and (rank(owner, LEAD) or rank(key.name, LEAD))):
        return True
    if is_called_address(column.name) and is_called_address(key.name):
        return True
    if is_counting(column, key) or column.kind != "identifier":
        return False
    # Two tables of the same thing's parts share no keys: a value that looks like an id proves itself.
    return not is_key(column, source) or has(column.name, r"\w*ids?|\w*uuid|key|ref")


def _least_share(column: Column) -> float:
    proves = column.kind == "identifier" and (has(column.name, POLYMORPHIC) or not is_counting(column))
    return FOUND_BY_VALUE if proves else FOUND_SHARE


def is_counting(*columns: Column) -> bool:
    """Tell small whole numbers, which are in every table's ids."""
    return all(text.isdigit() and len(text) <= _LONGEST_COUNT for column in columns for text in column.examples[:3])


def share_found(tables: Tables, source: Profile, column: Column, target: Profile, key: Column) -> float:
    """Give the share of the distinct values of a column that another table's column holds."""
    from_column, to_column = (compared(f"CAST({identifier(one.name)} AS VARCHAR)", key.name) for one in (column, key))
    asked, found = tables.ask_row(
        f"WITH own AS (SELECT DISTINCT {from_column} AS value FROM {source.table.relation} "
        f"WHERE {from_column} <> '' ORDER BY hash(value) LIMIT {_SAMPLE}) "
        f"SELECT count(*), count(*) FILTER (value IN (SELECT {to_column} FROM {target.table.relation})) FROM own"
    )
    return found / asked if asked else 0.0


def compared(text: str, key: str) -> str:
    """Write the SQL of what is compared with a key: addresses are the same in small letters and in capitals."""
    return f"lower(trim({text}))" if is_called_address(key) else text


def ways(links: Sequence[Link], table: str, target: str, key: str) -> list[Way]:
    """List the ways from a table to the rows of ``target``, the shortest first, each ending in the target.

    A table may hold several ids that lead there (a contact's, a lead's own); each first column gives one way.
    """
    found: dict[tuple[str, str], Way] = {}
    waiting: deque[Way] = deque((link,) for link in _from(links, table))
    while waiting:
        way = waiting.popleft()
        last = way[-1]
        if last.target == target:
            found.setdefault((way[0].column, last.key if len(way) == 1 else ""), way)
        elif len(way) < _LONGEST_WAY:
            seen = {table, *(link.target for link in way)}
            waiting.extend((*way, link) for link in _from(links, last.target) if link.target not in seen)
    # A longer way from a column that also leads straight there says nothing new.
    straight = {column for column, end in found if end}
    chosen = [way for (column, end), way in found.items() if end or column not in straight]
    return sorted(chosen, key=lambda way: (len(way), way[-1].key != key, -way[0].share))


def _from(links: Sequence[Link], table: str) -> list[Link]:
    return sorted((link for link in links if link.table == table), key=lambda link: -link.share)


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
    if any(share >= _NEARLY_ALL_LED for share in led):
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
