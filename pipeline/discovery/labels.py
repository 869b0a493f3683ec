"""Who converted, where a table of its own says it: labels, outcomes, conversions, a ground truth.

Such a table has a row a lead, with a yes or a no (a flag, a word), or lists those who converted. It may say when; a
time that all rows share, that is the lead's creation, or that says when somebody looked, is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from features.core.time import DAY
from pipeline.core.sql import identifier, literal
from pipeline.discovery.assumed import Flag, read_flag
from pipeline.discovery.deals import amount_columns, said_of_rest, stage_source
from pipeline.profiling.events import OVERWRITTEN, Proposed, known_in_query, reading, underscored
from pipeline.profiling.joins import LINKED, join_query, tables_read
from pipeline.profiling.leads import LeadTable
from pipeline.profiling.links import Way
from pipeline.profiling.profile import Column, Profile, read_time
from pipeline.profiling.tables import Tables
from pipeline.profiling.times import recordings
from pipeline.profiling.words import CREATED, KNOWN, LISTED, LOOKED, OUTCOMES, SURE, has, plain, rank, sounds_won

_ONE_EACH = 0.9
_MOSTLY = 0.9
_HALF = 0.5
_MOST_LEADS = 0.7
_FEWEST_TIMES = 4
_KINDS = r"event|activity|type|action|status|stage|label|outcome|target|result"
_ENDED = OUTCOMES + r"|closed?|signed"
_WITHIN = re.compile(r"\b(\d+) ?(d|days?|jours?|tagen?|w|weeks?|m|months?|mois|monaten?)\b")
_DAYS = {"d": 1, "j": 1, "t": 1, "w": 7, "m": 30}


@dataclass(frozen=True)
class Labels:
    """The table that says who converted, and the ways from it to the leads."""

    table: str
    found: Sequence[Way]
    flag: Flag | None
    """The column that says yes or no; None where the table lists those who converted."""
    at: Column | None
    """When they did; None where it is not said."""
    tells_losses: bool = False
    """Whether it also says when the others were lost."""


def find_labels(
    tables: Tables,
    profiles: Mapping[str, Profile],
    found: Mapping[str, Sequence[Way]],
    lead: LeadTable,
    named: str | None,
) -> Labels | None:
    """Find the table that says who converted, of those with a way to the leads, or the one with the ``named`` column.

    Where the leads are taken from a log, it stands for their table.
    """
    best: list[tuple[tuple[bool, bool, bool], Labels]] = []
    for name, ways in found.items():
        profile = profiles[name]
        start = ways[0][0].column
        if named is None and stage_source(tables, profile, ways, lead, profiles):
            continue  # a deal's stage says it
        called = has(name, OUTCOMES)
        flag = _flag(profile, start, named, called=called)
        if flag is None and (named is not None or not _lists(profile, start, profiles, lead)):
            continue
        at = _when(tables, profile, ways, flag, lead, profiles)
        if (at is None or not called) and profile.columns[start].distinct < _ONE_EACH * profile.rows:
            continue  # events of a lead, each with an answer of its own
        told = at is not None and flag is not None and _is_filled(tables, profile, at, flag.column, flag.no)
        best.append(((called, at is not None, flag is not None), Labels(name, ways, flag, at, told)))
    return max(best, key=lambda one: (one[0], one[1].table), default=(None, None))[1]


def _flag(profile: Profile, start: str, named: str | None, *, called: bool) -> Flag | None:
    """Find the column that says yes or no; outside of a table called so, only one that surely means a conversion."""
    if named is not None:
        return read_flag(profile.columns[named]) if named in profile.columns else None
    words = OUTCOMES + r"|y|is won" + (r"|status|stage|class" if called else "")
    sure = [
        column
        for column in profile.of_kind("flag", "category")
        if column.name != start and (sounds_won(column.name) >= SURE or has(column.name, words))
    ]
    sure.sort(key=lambda column: (-sounds_won(column.name), column.kind != "flag"))
    return next((flag for column in sure if (flag := read_flag(column))), None)


def _lists(profile: Profile, start: str, profiles: Mapping[str, Profile], lead: LeadTable) -> bool:
    """Tell whether a table lists those who converted: it is called so, says nothing else, and holds a part of them."""
    if not has(profile.name, LISTED):
        return False
    kinds = [
        column
        for column in profile.of_kind("category", "flag")
        if column.name != start and column.distinct > 1 and has(column.name, _KINDS)
    ]
    return not kinds and profile.columns[start].distinct <= _MOST_LEADS * profiles[lead.table].rows


def _when(
    tables: Tables,
    profile: Profile,
    found: Sequence[Way],
    flag: Flag | None,
    lead: LeadTable,
    profiles: Mapping[str, Profile],
) -> Column | None:
    """Find when those who converted did."""
    recorded = recordings(profile)
    times = [
        column
        for column in profile.of_kind("time")
        if column.name not in recorded
        and not has(column.name, f"{OVERWRITTEN}|{LOOKED}")
        and column.distinct >= _FEWEST_TIMES
        and (flag is None or _is_filled(tables, profile, column, flag.column, flag.yes))
        and not _is_creation(tables, profile, column, found, lead, profiles)
        and (flag is None or rank(column.name, CREATED) < SURE)
    ]
    return max(
        times,
        key=lambda column: (
            sounds_won(column.name),
            has(column.name, _ENDED),
            not has(column.name, KNOWN),
            column.filled,
        ),
        default=None,
    )


def _is_filled(tables: Tables, profile: Profile, column: Column, flag: str, texts: Sequence[str]) -> bool:
    """Tell whether the rows with one of some texts have a time, and not all the same one."""
    at = f"nullif(trim(CAST({identifier(column.name)} AS VARCHAR)), '')"
    filled, rows, distinct = tables.ask_row(
        f"SELECT count({at}), count(*), count(DISTINCT {at}) FROM {profile.table.relation} "
        f"WHERE coalesce(CAST({identifier(flag)} AS VARCHAR), '') IN ({_listed(texts)})"
    )
    return bool(rows and filled >= _MOSTLY * rows and distinct >= _FEWEST_TIMES)


def _is_creation(
    tables: Tables,
    profile: Profile,
    column: Column,
    found: Sequence[Way],
    lead: LeadTable,
    profiles: Mapping[str, Profile],
) -> bool:
    """Tell whether a time is that of the lead's creation, written once more."""
    link = found[0][0]
    if lead.created_at is None or len(found[0]) > 1 or link.is_shared:
        return False
    own, created = profiles[lead.table], profiles[lead.table].columns[lead.created_at]
    at, of = read_time(column, "label"), read_time(created, "lead")
    (share,) = tables.ask_row(
        f"SELECT avg(CAST({at} <= {of} AS DOUBLE)) FROM {profile.table.relation} AS label "
        f"JOIN {own.table.relation} AS lead ON CAST(lead.{identifier(link.key)} AS VARCHAR) = "
        f"CAST(label.{identifier(link.column)} AS VARCHAR)"
    )
    return (share or 0.0) > _HALF


def horizon_of(name: str) -> timedelta | None:
    """Read how far ahead a label looks, where its name says it.

    >>> [horizon_of(name) for name in ("converted_within_90_days", "won_30d", "converted")]
    [datetime.timedelta(days=90), datetime.timedelta(days=30), None]
    """
    found = _WITHIN.search(plain(name))
    return int(found[1]) * _DAYS[found[2][0]] * DAY if found and int(found[1]) else None


def timed_labels(
    tables: Tables,
    labels: Labels,
    profile: Profile,
    lead: LeadTable,
    profiles: Mapping[str, Profile],
    what: str,
) -> Proposed:
    """Propose the source of conversions, and losses, of which the time is said."""
    at, flag = labels.at, labels.flag
    assert at is not None  # noqa: S101 - the caller asked
    amount = amount_columns(profile, [])
    kind = literal(f"{what}_converted")
    wanted = f"CAST(event.{identifier(at.name)} AS VARCHAR) <> ''"
    said = "its rows"
    if flag:
        said = f"by {flag.column}: {', '.join(flag.yes)}"
        result = f"CAST(event.{identifier(flag.column)} AS VARCHAR)"
        if labels.tells_losses:
            kind = f"CASE WHEN {result} IN ({_listed(flag.yes)}) THEN {kind} ELSE {literal(f'{what}_lost')} END"
        wanted += f" AND {result} IN ({_listed([*flag.yes, *flag.no] if labels.tells_losses else flag.yes)})"
    select = f"event.{identifier(at.name)} AS occurred_at,\n  {kind} AS event_type"
    select += "".join(f",\n  event.{identifier(name)}" for name in amount.values())
    known = known_in_query(tables, profile, at, wanted)
    query, _ = join_query(profile.name, labels.found, lead, select + known.select, begun=at, profiles=profiles)
    settings = {
        "query": f"{query}\nWHERE {wanted}",
        **reading(profile, [at.name, *amount.values(), known.column], from_query=True),
        "known_at": known.setting,
        "actor": "system",
        "columns": {"lead_id": LINKED, "occurred_at": "occurred_at", "event_type": "event_type", **amount},
    }
    comments = {"known_at": known.why, "columns.event_type": f"{profile.name} says who converted, {said}"}
    name = f"{underscored(profile.name)}_outcomes"
    notes = said_of_rest(tables, profile, flag.column, [*flag.yes, *flag.no], name, at) if flag else []
    return Proposed(name, profile.name, settings, comments, tables_read(profile, labels.found), notes)


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(map(literal, texts))
