"""Which of two records is left after a merge: told by the names of columns and by what the data shows, never by order.

    names   ``Merged Record ID`` is gone, ``merged_into`` is left; a plain ``Record ID`` beside either is the other
    data    who is gone is gone from the leads, can be merged once only, and does nothing more

Where both are silent, or say the opposite of each other, the user is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from features.core.errors import InputError
from pipeline.core.sql import identifier
from pipeline.profiling.events import reading
from pipeline.profiling.leads import LeadTable
from pipeline.profiling.profile import TIMES, Profile, read_time, time_sql
from pipeline.profiling.roles import AliasTable
from pipeline.profiling.tables import Tables
from pipeline.profiling.times import Ask, occurred_column
from pipeline.profiling.words import GONE, GONE_FOR_SURE, LEFT, LEFT_FOR_SURE, has

_NEARLY_ALL, _HARDLY_ANY = 0.9, 0.1
_ONCE = 0.97
_HALF = 0.5
_LIST = r"^\s*[0-9A-Za-z_-]+(:[0-9]+)?(\s*[;,|]\s*[0-9A-Za-z_-]+(:[0-9]+)?)*\s*$"


def settle_merges(
    tables: Tables,
    profiles: Mapping[str, Profile],
    alias: AliasTable,
    lead: LeadTable | None,
    said: str | None,
    ask: Ask | None,
) -> AliasTable:
    """Say which column of a table of links holds the lead; ``said`` is the one that the user names.

    Raises InputError where nobody can tell.
    """
    both = (alias.alias, alias.lead)
    if said is not None and said not in both:
        raise InputError(f"--survivor {said}: {alias.table} links {both[0]!r} with {both[1]!r}; name one of these")
    left = said
    if left is None:
        by_name, by_data = left_by_name(both), _left_by_data(tables, profiles, alias, lead)
        left = by_name or by_data[0]
        if left is None or (by_data[0] is not None and by_data[0] != left):
            left = _asked(alias.table, both, by_name, by_data, ask)
    other = next(name for name in both if name != left)
    return replace(alias, alias=other, lead=left)


def _asked(
    table: str, both: tuple[str, str], by_name: str | None, by_data: tuple[str | None, str], ask: Ask | None
) -> str:
    named = f"by its name {by_name!r}" if by_name else "their names don't tell"
    shown = f"by the data {by_data[0]!r} ({by_data[1]})" if by_data[0] else f"the data doesn't tell{by_data[1]}"
    question = f"{table} links {both[0]!r} with {both[1]!r}. Which one holds the record that is left after a merge?"
    if ask is None:
        raise InputError(f"{question} {named[0].upper()}{named[1:]}, {shown}; say which: --survivor {both[0]!r}")
    answer = ask(f"{question} ({named}, {shown})", list(both), "")
    if answer not in both:
        raise InputError(f"{answer!r} is neither {both[0]!r} nor {both[1]!r}; say which is left: --survivor COLUMN")
    return answer


def left_by_name(both: tuple[str, str]) -> str | None:
    """Choose by the names of two columns; None where they say nothing, or the same of both."""
    first, second = (_is_left(name) for name in both)
    if first == second:
        return None
    # A plain id may stand beside one that says what became of it.
    return both[0] if first or second is False else both[1]


def _is_left(name: str) -> bool | None:
    for pattern, answer in ((LEFT_FOR_SURE, True), (GONE_FOR_SURE, False)):
        if has(name, pattern):
            return answer
    left, gone = has(name, LEFT), has(name, GONE)
    return left if left != gone else None


def _left_by_data(
    tables: Tables, profiles: Mapping[str, Profile], alias: AliasTable, lead: LeadTable | None
) -> tuple[str | None, str]:
    """Choose by what became of the ids, with the evidence; None where it says nothing, or two things."""
    profile, both = profiles[alias.table], (alias.alias, alias.lead)
    votes: dict[str, list[str]] = {name: [] for name in both}
    once = [profile.columns[name].distinct >= _ONCE * profile.columns[name].filled * profile.rows for name in both]
    if once[0] != once[1]:
        votes[both[0] if once[1] else both[1]].append("several were merged into it")
    shares: list[float] = []
    if lead is not None:
        shares = [_share_in(tables, profile, name, profiles[lead.table], lead.key) for name in both]
        for name, share, other in zip(both, shares, reversed(shares), strict=True):
            if share >= _NEARLY_ALL and other <= _HALF:
                votes[name].append(f"{share:.0%} of its ids are leads, of the others {other:.0%}")
    acting = [0.0, 0.0]
    if lead is None or min(shares) >= _HALF:
        acted = [_share_acting(tables, profiles, alias, name) for name in both]
        # Of a cookie and its lead, only one may ever act; of two leads, who is gone stops.
        acting = [after for after, _ in acted] if min(ever for _, ever in acted) > _HARDLY_ANY else acting
    for name, share, other in zip(both, acting, reversed(acting), strict=True):
        if share > 2 * _HARDLY_ANY and other <= _HARDLY_ANY * share:
            votes[name].append(f"{share:.0%} of its ids act after the merge, of the others {other:.0%}")
    told = {name: reasons for name, reasons in votes.items() if reasons}
    if len(told) > 1:
        return None, ": " + "; but ".join(f"of {name!r} {', '.join(reasons)}" for name, reasons in told.items())
    return next(((name, ", ".join(reasons)) for name, reasons in told.items()), (None, ""))


def _share_in(tables: Tables, profile: Profile, name: str, leads: Profile, key: str) -> float:
    at = f"CAST({identifier(name)} AS VARCHAR)"
    (share,) = tables.ask_row(
        f"SELECT avg(CAST({at} IN (SELECT CAST({identifier(key)} AS VARCHAR) FROM {leads.table.relation}) AS DOUBLE)) "
        f"FROM {profile.table.relation} WHERE {at} <> ''"
    )
    return float(share or 0.0)


def _share_acting(tables: Tables, profiles: Mapping[str, Profile], alias: AliasTable, name: str) -> tuple[float, float]:
    """Give the share of a column's ids that do something after they were merged, and that ever do."""
    profile = profiles[alias.table]
    linked = read_time(profile.columns[alias.linked_at], "link")
    acts = [
        f"SELECT CAST({identifier(column.name)} AS VARCHAR) AS id, "
        f"{read_time(occurred)} AS moment FROM {log.table.relation}"
        for log in profiles.values()
        if log.name != alias.table and (occurred := occurred_column(log)) is not None
        for column in log.of_kind("identifier", "number", "category", "text")
        if column.distinct < _ONCE * column.filled * log.rows  # events of somebody
    ]
    if not acts:
        return 0.0, 0.0
    after, ever = tables.ask_row(
        f"WITH acts AS (SELECT id, max(moment) AS latest FROM ({' UNION ALL '.join(acts)}) GROUP BY 1) "
        f"SELECT avg(CAST(coalesce(latest > {linked}, false) AS DOUBLE)), avg(CAST(latest IS NOT NULL AS DOUBLE)) "
        f"FROM {profile.table.relation} AS link LEFT JOIN acts ON acts.id = CAST(link.{identifier(name)} AS VARCHAR)"
    )
    return after or 0.0, ever or 0.0


def merges_in_leads(tables: Tables, profile: Profile, lead: LeadTable) -> tuple[dict[str, Any], str] | None:
    """Find merges that the table of leads itself tells: a column of the record that is left, or a list of those gone.

    Gives the settings of identities, and what to tell the user. A merge is known from the row's last change on, which
    is never too early; without such a column, from the end of the table on.
    """
    key = f"CAST({identifier(lead.key)} AS VARCHAR)"
    for column in profile.columns.values():
        into, gone = has(column.name, r"master record|" + LEFT_FOR_SURE), has(column.name, _MERGED_IDS)
        if column.name == lead.key or column.kind in ("empty", "time") or column.filled > _HALF or not (into or gone):
            continue
        at = f"CAST({identifier(column.name)} AS VARCHAR)"
        if into:
            ids, alias, kept = at, key, at
            if _share_in(tables, profile, column.name, profile, lead.key) < _HALF:
                continue
        else:
            (listed,) = tables.ask_row(
                f"SELECT avg(CAST(regexp_matches({at}, '{_LIST}') AS DOUBLE)) "
                f"FROM {profile.table.relation} WHERE {at} <> ''"
            )
            if (listed or 0.0) < _NEARLY_ALL:
                continue
            ids = f"unnest(regexp_split_to_array(trim({at}), '\\s*[;,|]\\s*'))"
            alias, kept = "split_part(record_gone, ':', 1)", key
        since, when = _changed(profile, lead)
        if gone:
            own = "make_timestamp(TRY_CAST(nullif(split_part(record_gone, ':', 2), '') AS BIGINT) * 1000)"
            since = f"coalesce({own}, {since})"
        query = (
            f"SELECT {alias} AS alias_id, record_left AS lead_id,\n  {since} AS linked_at\n"
            f"FROM (\n  SELECT {ids} AS record_gone, {kept} AS record_left, *\n"
            f"  FROM {profile.table.relation} WHERE {at} <> ''\n)"
        )
        said = f"{profile.name}.{column.name} says which records were merged, not when: it counts as known {when}"
        columns = {"alias_id": "alias_id", "lead_id": "lead_id", "linked_at": "linked_at"}
        return {"query": query, **reading(profile, [], from_query=True), "columns": columns}, said
    return None


_MERGED_IDS = (
    r"(?:merged|calculated merged|absorbed|duplicate|doublons?|dubletten?) (?:object |contact |record |company |lead )?"
    r"(?:ids?|vids?)|merged vids|merged from"
)


def _changed(profile: Profile, lead: LeadTable) -> tuple[str, str]:
    for column in profile.of_kind(*TIMES):
        if has(column.name, r"modified|modstamp|updated|last change|lastmodified|modification|geandert"):
            return time_sql(identifier(column.name), column), f"from {column.name} on"
    created = profile.columns.get(lead.created_at or "")
    if created is None:
        return "TIMESTAMP '2100-01-01'", "never; name a time under ingest.identities"
    at = time_sql(identifier(created.name), created)
    return f"(SELECT max({at}) FROM {profile.table.relation})", f"from the last {created.name} of the table on"
