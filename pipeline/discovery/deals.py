"""What is overwritten in place, and the dates that lie wide: of a deal, or a lead, its start, its steps and its end."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.core.sql import identifier, literal
from pipeline.discovery.assumed import find_flag, read_flag
from pipeline.profiling.events import (
    OVERWRITTEN,
    Proposed,
    event_name,
    known_at,
    known_in_query,
    reading,
    underscored,
    where_from,
)
from pipeline.profiling.joins import KNOWN_SINCE, LINKED, is_direct, join_query, tables_read
from pipeline.profiling.leads import LeadTable
from pipeline.profiling.links import Link, Way, find_keys
from pipeline.profiling.profile import TIMES, Column, Profile, read_time, time_sql
from pipeline.profiling.tables import Tables
from pipeline.profiling.times import PAID, recordings
from pipeline.profiling.words import (
    CLOSED,
    CREATED,
    LOST,
    MILESTONES,
    OURS,
    OUTCOMES,
    STAGE,
    SURE,
    THEIRS,
    UNDONE,
    has,
    plain,
    rank,
    sounds_won,
)

_CLOSED = rf"{CLOSED}|end|ended|decided|decision|signed|finished|resolved|outcome"
_AS_BEFORE = 0.3
_SHOWN = 12
_HALF = 0.5
_LATER = r"convert(?:ed|ion)|" + _CLOSED


def stage_source(
    tables: Tables,
    profile: Profile,
    found: Sequence[Way],
    lead: LeadTable,
    profiles: Mapping[str, Profile],
    sold_at: Column | None = None,
) -> Proposed | None:
    """Propose the source that says how a deal, or a lead, ended: its stage when it was closed. None where none does.

    Where no column says when it was closed, it was at ``sold_at``.

    A stage is overwritten in place, so of it only the end is used, at the time of closing; open ones tell nothing yet.
    People type that date: what they closed with a date beyond the export had been closed when it was drawn.
    """
    ending = _endings(profile)
    closed = closed_column(profile) or (_changed_column(profile, ending.stage) if ending else None) or sold_at
    if ending is None or closed is None:
        return None
    stage, won, lost = ending.stage, ending.won, ending.lost
    what = underscored(profile.name)
    amount = amount_columns(profile, [stage])
    undone = [text for text in won if has(text, UNDONE)]
    amounts = {key: f"event.{identifier(name)}" for key, name in amount.items()}
    if undone and "value" in amount:
        kept = f"CASE WHEN NOT ({ending.says(undone)}) THEN {amounts['value']} END"
        amounts["value"] = f"{kept} AS {identifier(amount['value'])}"
    extra = "".join(f", {sql}" for sql in amounts.values())
    cases = "".join(
        f"\n    WHEN {ending.says(texts)} THEN {literal(f'{what}_{end}')}"
        for texts, end in ((won, "won"), (lost, "lost"))
        if texts
    )
    ended = ending.says([*won, *lost]) + (_is_over(profile, closed, ending) if ending.is_answer else "")
    typed = _typed_ahead(tables, profile, closed, ended, profile.drawn_at) if profile.drawn_at else 0
    apart = [] if ending.is_answer else _times_apart(profile, closed)
    led = None if typed or undone or apart else _lead_of_ends(profile, found, lead, closed, stage)
    if led is not None:
        return _plain_ends(profile, led, closed, profile.columns[stage], amount)
    known = known_in_query(tables, profile, closed, ended)
    comments = {"known_at": known.why}
    occurred, times, observed = f"event.{identifier(closed.name)}", [closed.name], {}
    if apart:
        when_won, when_lost = (f"event.{identifier(column.name)}" for column in apart)
        occurred, times = f"CASE WHEN {ending.says(won)} THEN {when_won} ELSE {when_lost} END", [c.name for c in apart]
    if profile.drawn_at and typed:
        occurred, times = f"least({time_sql(occurred, closed)}, TIMESTAMP '{profile.drawn_at}')", []
        observed["observed_until"] = profile.drawn_at.isoformat(sep=" ")
        comments["query"] = (
            f"{typed:,} closed ones have a {closed.name} beyond the export, as people type it: they count as closed "
            "when it was drawn"
        )
        comments["observed_until"] = "when the export was drawn, by the last time that a clock wrote into it"
    select = f"{occurred} AS occurred_at,\n  CASE{cases}\n  END AS event_type{extra}{known.select}"
    own: list[Way] = [(Link(profile.name, lead.key, lead.table, lead.key, 1.0),)]
    joined = own if profile.name == lead.table else found
    # Of several leads of an account it is the one for which the deal was begun.
    query, _ = join_query(profile.name, joined, lead, select, begun=_created(profile) or closed, profiles=profiles)
    settings = {
        "query": f"{query}\nWHERE {ended}",
        **reading(profile, [*times, *amount.values(), known.column], from_query=True),
        "known_at": known.setting,
        "actor": "system",
        "columns": {"lead_id": LINKED, "occurred_at": "occurred_at", "event_type": "event_type", **amount},
        **observed,
    }
    known_ends = [*won, *lost]
    notes = said_of_rest(tables, profile, stage, known_ends, f"{what}_outcomes", closed_column(profile))
    if undone:
        (back,) = tables.ask_row(f"SELECT count(*) FROM {profile.table.relation} AS event WHERE {ending.says(undone)}")
        notes.append(
            f"{back:,} rows of {profile.name} ({', '.join(undone)}) were sold and taken back: no revenue of theirs"
        )
    if ending.is_answer:
        notes.append(_said_of_answers(tables, profile, closed, ending, ended))
        comments.setdefault("query", notes[-1])
    return Proposed(f"{what}_outcomes", profile.name, settings, comments, tables_read(profile, found), notes)


def _lead_of_ends(profile: Profile, found: Sequence[Way], lead: LeadTable, closed: Column, stage: str) -> str | None:
    """Give the column with the lead's own id where each row is an end, or takes one back, and nothing else.

    Rows without an id, another time or a stage that is still to change need a query that chooses.
    """
    if profile.name == lead.table or len(found) != 1 or not is_direct(found[0], lead):
        return None
    if any(key.name != found[0][0].column for key in find_keys(profile)):
        return None
    if profile.of_kind(*TIMES) != [closed] or closed.kind != "time":
        return None
    column, texts = profile.columns[found[0][0].column], profile.columns[stage].values
    if min(column.filled, closed.filled, profile.columns[stage].filled) < 1:
        return None
    ends = all(sounds_won(text) >= SURE or rank(text, LOST) or re.fullmatch(UNDONE, plain(text)) for text in texts)
    return column.name if ends else None


def _plain_ends(profile: Profile, led: str, closed: Column, stage: Column, amount: Mapping[str, Any]) -> Proposed:
    """Propose a table of ends as it is: each row an event."""
    known, why = known_at(profile, closed)
    settings = {
        **reading(profile, [closed.name, *amount.values()]),
        "known_at": known,
        "actor": "system",
        "columns": {"lead_id": led, "occurred_at": closed.name, "event_type": stage.name, **amount},
    }
    comments = {
        "known_at": why,
        "columns.lead_id": f"{profile.columns[led].distinct:,} distinct",
        "columns.occurred_at": f"{closed.filled:.0%} filled, as in {closed.examples[0]}",
        "columns.event_type": f"{stage.distinct:,} kinds: {', '.join(stage.values)}",
    }
    name = profile.name if has(profile.name, OUTCOMES) else f"{underscored(profile.name)}_outcomes"
    return Proposed(name, profile.name, settings, comments)


def amount_columns(profile: Profile, types: Sequence[str]) -> dict[str, Any]:
    """Map what a conversion was worth: its value and currency, as far as they are there."""
    return {key: name for key, name in where_from(profile, types).items() if key in ("value", "currency")}


def said_of_rest(
    tables: Tables, profile: Profile, stage: str, ends: Sequence[str], source: str, at: Column | None
) -> list[str]:
    """Tell how many rows say neither won nor lost by their status: of those that have ended, where a time tells."""
    text = f"CAST({identifier(stage)} AS VARCHAR)"
    ended = f"{read_time(at)} IS NOT NULL" if at else "true"
    rows = tables.ask(
        f"SELECT coalesce(nullif(trim({text}), ''), 'nothing'), count(*) FROM {profile.table.relation} "
        f"WHERE coalesce({text}, '') NOT IN ({', '.join(map(literal, ends))}) AND {ended} "
        "GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    if not rows:
        return []
    listed = ", ".join(f"{count:,} {word}" for word, count in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    unused = sum(count for _, count in rows)
    said = (
        f"{unused:,} of the {profile.rows:,} rows of {profile.name} are not used, for their {stage} says neither won "
        f"nor lost ({listed}{more}); where it means one of them, add it to the query of {source}"
    )
    return [said]


def closed_column(profile: Profile) -> Column | None:
    """Find when a deal was closed."""
    times = [
        column
        for column in profile.of_kind("time", "planned")
        if has(column.name, _CLOSED) and not has(column.name, OVERWRITTEN)
    ]
    return max(times, key=lambda column: (has(column.name, CLOSED), column.filled), default=None)


def _times_apart(profile: Profile, closed: Column) -> list[Column]:
    """Give the time at which deals were won and that at which they were lost, where ``closed`` is one of them."""
    times = [column for column in profile.of_kind("time") if column.fits == closed.fits]
    won = [column for column in times if sounds_won(column.name) >= SURE]
    lost = [column for column in times if rank(column.name, LOST) >= SURE]
    return [won[0], lost[0]] if len(won) == len(lost) == 1 and closed in (*won, *lost) else []


def _changed_column(profile: Profile, stage: str) -> Column | None:
    """Find since when the stage is what it is (``status_date`` beside ``status``): of an end, that is when it was."""
    words = set(plain(stage).split())
    times = [
        column
        for column in profile.of_kind("time", "stamp")
        if words < set(plain(column.name).split()) and rank(column.name, CREATED) < SURE and column.filled > _HALF
    ]
    return max(times, key=lambda column: (column.filled, column.name), default=None)


def _typed_ahead(tables: Tables, profile: Profile, closed: Column, ended: str, drawn_at: datetime) -> int:
    """Count the closed ones dated beyond the export; none where as many close as before it: then time went on."""
    at = read_time(closed, "event")
    beyond, before = tables.ask_row(
        f"WITH closings AS (SELECT {at} AS moment FROM {profile.table.relation} AS event "
        f"WHERE {ended}), beyond AS (SELECT count(*) AS number, "
        f"max(moment) - TIMESTAMP '{drawn_at}' AS span FROM closings WHERE moment > TIMESTAMP '{drawn_at}') "
        f"SELECT any_value(number), count(*) FILTER (moment > TIMESTAMP '{drawn_at}' - span AND moment <= "
        f"TIMESTAMP '{drawn_at}') FROM closings, beyond"
    )
    return beyond if beyond and beyond <= _AS_BEFORE * before else 0


@dataclass(frozen=True)
class _Ending:
    """The column that says how a row ended, and which of its texts mean won, and lost."""

    stage: str
    won: Sequence[str]
    lost: Sequence[str]
    is_answer: bool = False
    """Whether it is a yes or a no: of what is open it says no, too."""

    def says(self, texts: Sequence[str]) -> str:
        """Write the condition that an event says one of some texts; a box that nobody has checked says nothing."""
        column = f"event.{identifier(self.stage)}"
        said = f"coalesce(CAST({column} AS VARCHAR), '')" if "" in texts else column
        return f"{said} IN ({', '.join(map(literal, texts))})"


def _endings(profile: Profile) -> _Ending | None:
    """Find the column of stages or, beside a time of closing, the one that says who converted."""
    for column in profile.of_kind("category", "flag"):
        won = [text for text in column.values if sounds_won(text) >= SURE]
        if won and has(column.name, STAGE + r"|is won|won"):
            # A sale that was taken back was one.
            won += [text for text in column.values if has(profile.name, PAID) and has(text, UNDONE)]
            return _Ending(column.name, won, [text for text in column.values if rank(text, LOST) and text not in won])
    flag = find_flag(profile, None) if closed_column(profile) else None
    return _Ending(flag.column, flag.yes, flag.no, is_answer=True) if flag else None


def _is_over(profile: Profile, closed: Column, ending: _Ending) -> str:
    """Write the condition that an answer is one: a no without a time, or with one that is still to come, is open."""
    at, won = f"event.{identifier(closed.name)}", ending.says(ending.won)
    over = f" AND CAST({at} AS VARCHAR) <> ''"
    flags = [flag for one in profile.of_kind("flag") if one.name != ending.stage and (flag := read_flag(one))]
    for flag in flags:
        said = f"event.{identifier(flag.column)} IN ({', '.join(map(literal, flag.yes))})"
        if rank(flag.column, LOST):
            return f"{over} AND ({won} OR {said})"
        if has(flag.column, CLOSED) and not sounds_won(flag.column):
            return f"{over} AND {said}"
    if profile.drawn_at is None:
        return over
    return f"{over}\n  AND ({won} OR {time_sql(at, closed)} <= TIMESTAMP '{profile.drawn_at}')"


def _said_of_answers(tables: Tables, profile: Profile, closed: Column, ending: _Ending, ended: str) -> str:
    """Tell which answers were taken for an end; where dates are planned ones, one that is overdue looks like one."""
    at = read_time(closed, "event")
    lost, undated, dated = tables.ask_row(
        f"SELECT count(*) FILTER ({ended}), count(*) FILTER ({at} IS NULL), "
        f"count(*) FILTER ({at} IS NOT NULL AND NOT coalesce({ended}, false)) "
        f"FROM {profile.table.relation} AS event WHERE {ending.says(ending.lost)}"
    )
    told = (
        f"{profile.name} says by {ending.stage} who converted, and by {closed.name} when: of those that did not "
        f"{lost:,} are lost, {undated:,} have no {closed.name} and stay open"
    )
    if dated:
        told += (
            f", {dated:,} have one that is planned and stay open, too. An open one that is overdue counts as lost, "
            "unless a column says what is closed"
        )
    return told


def created_source(
    tables: Tables, profile: Profile, found: Sequence[Way], lead: LeadTable, profiles: Mapping[str, Profile]
) -> Proposed | None:
    """Propose the event that a deal, or another thing that is overwritten later, was created."""
    created = _created(profile)
    if created is None:
        return None
    what = underscored(profile.name)
    known, why, recorded, column = known_in_query(tables, profile, created)
    select = f"event.{identifier(created.name)} AS occurred_at{recorded}"
    told = profile.columns.get(column)
    query, linked = join_query(profile.name, found, lead, select, profiles=profiles, occurred=created, known=told)
    if linked:
        known, why = {"column": KNOWN_SINCE}, "not before the row was tied to its lead"
    settings = {
        "query": query,
        **reading(profile, [created.name, column], from_query=True),
        "known_at": known,
        "actor": "us",
        "columns": {"lead_id": LINKED, "occurred_at": "occurred_at", "event_type": {"constant": f"{what}_created"}},
    }
    return Proposed(f"{what}_creations", profile.name, settings, {"known_at": why}, tables_read(profile, found))


def _created(profile: Profile) -> Column | None:
    later, recorded = OVERWRITTEN + "|" + _LATER, recordings(profile)
    times = (column for column in profile.of_kind("time") if column.name not in recorded)
    return next((column for column in times if not has(column.name, later)), None)


def dates_sources(tables: Tables, profile: Profile, lead: LeadTable, *, ends: bool) -> list[Proposed]:
    """Propose the sources of events that lie wide in the table of leads: each column of times is an event type.

    Where another source ``ends`` the episodes, by the stage, the time of closing has been used. Ends of which a column
    says when they were recorded are a source of their own: of the other dates it says nothing.
    """
    recorded = recordings(profile)
    ending = _endings(profile)
    since = _changed_column(profile, ending.stage) if ending else None
    times = [
        column
        for column in profile.of_kind("time")
        if column.name not in (lead.created_at, *recorded)
        and column != since
        and not has(column.name, OVERWRITTEN + (f"|{_CLOSED}" if ends else ""))
        and column.filled > 0
    ]
    if lead.created_at is None or not times:
        return []
    what = underscored(profile.name)
    known = {column.name: known_in_query(tables, profile, column) for column in times}
    told = {name: one for name, one in known.items() if {one.column} & recorded}
    found = []
    if at_once := [column for column in times if column.name not in told]:
        days = any(column.holds_days for column in at_once)
        why = "only days are told, so they are known when the day is over" if days else "at once"
        found.append(
            _dates(f"{what}_dates", profile, lead, at_once, {"delay": "1d"} if days else "as_it_occurred", why)
        )
    for name in dict.fromkeys(one.column for one in told.values()):
        late = [column for column in times if column.name in told and told[column.name].column == name]
        of = f"{what}_dates_by_{plain(name).replace(' ', '_')}"
        found.append(_dates(of, profile, lead, late, {"column": name}, told[late[0].name].why))
    return found


def _dates(
    name: str,
    profile: Profile,
    lead: LeadTable,
    times: Sequence[Column],
    known: Any,  # noqa: ANN401 - a word or a mapping
    why: str,
) -> Proposed:
    events = {column.name: event_name(column.name) for column in times}
    told = [known["column"]] if isinstance(known, dict) and "column" in known else []
    settings = {
        **reading(profile, [*events, *told]),
        "known_at": known,
        "actor": _actor_of_dates(list(events.values())),
        "columns": {"lead_id": lead.key, "events": events},
    }
    comments = {"known_at": why}
    comments |= {f"columns.events.{column.name}": f"{column.filled:.1%} of the leads have it" for column in times}
    return Proposed(name, profile.name, settings, comments)


def _actor_of_dates(types: Sequence[str]) -> Any:  # noqa: ANN401 - a word or a mapping
    ends = [
        name
        for name in types
        if sounds_won(name) or rank(name, LOST) or any(has(name, words) for words in MILESTONES.values())
    ]
    us = [name for name in types if name not in ends and has(name, OURS) and not has(name, THEIRS)]
    listed = {name: texts for name, texts in (("system", ends), ("us", us)) if texts}
    return {"default": "lead", **listed} if listed else "lead"
