"""What says that leads converted, and when: events, a table of labels, or a column of the leads.

What says when goes before what says only that. What is not used is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from features.core.errors import InputError, nearest
from features.core.time import DAY
from pipeline.core.sql import identifier
from pipeline.discovery.assumed import (
    Answers,
    Flag,
    Looks,
    answer_sql,
    assumed_outcomes,
    find_flag,
    looks,
    own_answers,
)
from pipeline.discovery.deals import said_of_rest
from pipeline.discovery.labels import Labels, find_labels, horizon_of, timed_labels
from pipeline.profiling.events import Proposed, underscored
from pipeline.profiling.joins import LINKED, join_query, tables_read
from pipeline.profiling.leads import LeadColumn, LeadTable
from pipeline.profiling.profile import Profile, time_sql
from pipeline.profiling.roles import Roles
from pipeline.profiling.tables import Tables
from pipeline.profiling.times import occurred_column
from pipeline.profiling.words import LOST, STAGE, SURE, has, rank, sounds_won

_USUAL = 30 * DAY


@dataclass(frozen=True)
class Ends:
    """The sources, with those that say how leads ended, and what follows where it is not said when."""

    proposed: list[Proposed]
    looks: Looks | None = None
    taken: tuple[str, ...] = ()
    """Columns of the leads that say how they ended."""
    labels: str | None = None
    """The table that says who converted."""
    notes: list[str] = field(default_factory=list)


def ends_of_leads(
    tables: Tables,
    profiles: Mapping[str, Profile],
    roles: Roles,
    lead: LeadTable,
    proposed: list[Proposed],
    outcome: str | None,
    horizon: timedelta | None,
) -> Ends:
    """Find what ends the leads of a table; ``outcome`` and ``horizon`` are what the user has said.

    Raises InputError where no column that says who converted is called ``outcome``.
    """
    profile = profiles[lead.table]
    flag = find_flag(profile, outcome)
    labels = None
    if flag is None or outcome is None:
        labels = find_labels(tables, profiles, {**roles.events, **roles.timeless}, lead, outcome)
    _require(outcome, [flag, labels], profiles, [lead.table, *roles.events, *roles.timeless])
    notes: list[str] = []
    what = underscored(profile.name)
    if labels is not None:
        proposed = [source for source in proposed if source.table != labels.table]
        if labels.at is not None:
            proposed = [*proposed, timed_labels(tables, labels, profiles[labels.table], lead, profiles, what)]
            notes += _said_of_labels(labels)
    known_ends = any(_tells_an_end(tables, source, profiles[source.table]) for source in proposed)
    chosen, answers, named = None, None, ""
    if outcome is not None or not known_ends:
        if labels is not None and labels.at is None:
            answers, named = _answers(labels, profiles, lead), labels.flag.column if labels.flag else labels.table
        elif flag is not None:
            answers, named = own_answers(profile, lead, flag), flag.column
    if answers is not None:
        logs = _logs_of(profiles, proposed)
        wanted = horizon or horizon_of(named) or _USUAL
        chosen = looks(wanted, events=bool(logs) and lead.created_at is not None)
        source, said = assumed_outcomes(answers, what, chosen, logs)
        proposed = [*proposed, source]
        notes.append(said)
        said_by = labels.table if labels is not None and labels.at is None else lead.table
        read = labels.flag if labels is not None and labels.at is None else flag
        notes += _said_of_words(tables, profiles[said_by], read, source)
    elif flag is not None and not any(repr(flag.column)[1:-1] in repr(source.settings) for source in proposed):
        notes.append(
            f"{lead.table}.{flag.column} says who converted, too, but not when, and is not used; if it is what you "
            f"mean: --outcome {flag.column!r}"
        )
    elif labels is not None and labels.at is None:
        column = f"{labels.table}.{labels.flag.column}" if labels.flag else labels.table
        notes.append(f"{column} says who converted, too, but not when, and is not used: other tables say when")
    notes += [
        f"{lead.table}.{column.name} says that leads are lost ({', '.join(lost[:3])}), but not when: they stay open"
        for column in profile.of_kind("category", "flag")
        if has(column.name, STAGE)
        and (lost := [text for text in column.values if rank(text, LOST)])
        and not any(repr(column.name)[1:-1] in repr(source.settings) for source in proposed)
    ]
    return Ends(proposed, chosen, (flag.column,) if flag else (), labels.table if labels else None, notes)


def ends_of_log(
    tables: Tables,
    profiles: Mapping[str, Profile],
    roles: Roles,
    column: LeadColumn,
    proposed: list[Proposed],
    outcome: str | None,
    horizon: timedelta | None,
) -> Ends:
    """Find what ends leads that are known from their events alone."""
    labels = find_labels(tables, profiles, roles.events, column.log, outcome)
    _require(outcome, [labels], profiles, list(roles.events))
    if labels is None:
        return Ends(proposed)
    profile, what = profiles[labels.table], "lead"
    proposed = [source for source in proposed if source.table != labels.table]
    if labels.at is not None:
        source = timed_labels(tables, labels, profile, column.log, profiles, what)
        return Ends([*proposed, source], None, (), labels.table, _said_of_labels(labels))
    if outcome is None and any(_tells_an_end(tables, source, profiles[source.table]) for source in proposed):
        note = f"{labels.table} says who converted, too, but not when, and is not used: other tables say when"
        return Ends(proposed, None, (), labels.table, [note])
    logs = _logs_of(profiles, proposed)
    if not logs:
        return Ends(proposed)
    firsts = "\n    UNION ALL ".join(
        f"SELECT {identifier(column.named[name])} AS lead_id, {at} AS moment FROM {profiles[name].table.relation}"
        for name, at in logs.items()
    )
    own, flag = identifier(column.named[labels.table]), labels.flag
    answer = f"max({answer_sql(identifier(flag.column), flag)})" if flag else "1"
    query = (
        f"SELECT lead.lead_id, created_at, {'answer' if flag else 'coalesce(answer, 0) AS answer'}\n"
        f"  FROM (\n    SELECT lead_id, min(moment) AS created_at FROM (\n    {firsts}\n    ) GROUP BY 1\n  ) AS lead\n"
        f"  LEFT JOIN (\n    SELECT {own} AS lead_id, {answer} AS answer FROM {profile.table.relation} GROUP BY 1\n"
        f"  ) AS label ON CAST(label.lead_id AS VARCHAR) = CAST(lead.lead_id AS VARCHAR)"
    )
    chosen = looks(horizon or horizon_of(flag.column if flag else labels.table) or _USUAL, events=True)
    answers = Answers(query, (labels.table, *logs), _said(labels))
    source, said = assumed_outcomes(answers, what, chosen, logs)
    return Ends([*proposed, source], chosen, (), labels.table, [said, *_said_of_words(tables, profile, flag, source)])


def _require(
    outcome: str | None, found: Sequence[object], profiles: Mapping[str, Profile], names: Sequence[str]
) -> None:
    if outcome is not None and not any(found):
        columns = [column for name in names for column in profiles[name].columns]
        raise InputError(
            f"--outcome {outcome}: {', '.join(names)} {'have' if len(names) > 1 else 'has'} no such column that says "
            f"yes or no; {nearest(outcome, columns)}"
        )


def _answers(labels: Labels, profiles: Mapping[str, Profile], lead: LeadTable) -> Answers:
    """Join the leads with the table that says who converted."""
    profile, own = profiles[labels.table], profiles[lead.table]
    way, flag = labels.found[0], labels.flag
    answer = f"max({answer_sql(f'label.{identifier(flag.column)}', flag)})" if flag else "1"
    if len(way) == 1:  # each lead that has the value: its own, or its account's
        rows, key, to = f"{profile.table.relation} AS label", f"label.{identifier(way[0].column)}", way[0].key
        reads = [profile.name]
    else:
        rows = f"(\n    {join_query(profile.name, labels.found, lead)[0]}\n  ) AS label"
        key, to, reads = f"label.{LINKED}", lead.key, tables_read(profile, labels.found)
    created = "NULL::TIMESTAMP"
    if lead.created_at:
        created = time_sql(f"lead.{identifier(lead.created_at)}", own.columns[lead.created_at])
    query = (
        f"SELECT lead.{identifier(lead.key)} AS lead_id, {created} AS created_at,\n"
        f"    {'label.answer' if flag else 'coalesce(label.answer, 0) AS answer'}\n"
        f"  FROM {own.table.relation} AS lead\n"
        f"  LEFT JOIN (\n    SELECT {key} AS key, {answer} AS answer FROM {rows} GROUP BY 1\n"
        f"  ) AS label ON CAST(label.key AS VARCHAR) = CAST(lead.{identifier(to)} AS VARCHAR)"
    )
    return Answers(query, (profile.name, lead.table, *(name for name in reads if name != profile.name)), _said(labels))


def _said(labels: Labels) -> str:
    return f"{labels.table} says{f' by {labels.flag.column}' if labels.flag else ''}"


def _said_of_words(tables: Tables, profile: Profile, flag: Flag | None, source: Proposed) -> list[str]:
    """Tell of words that are read neither as yes nor as no: their leads stay open, as those of whom nothing is said."""
    if flag is None or "" in flag.no:
        return []
    return said_of_rest(tables, profile, flag.column, [*flag.yes, *flag.no, ""], source.name, None)


def _said_of_labels(labels: Labels) -> list[str]:
    assert labels.at is not None  # noqa: S101 - the caller asked
    others = ""
    if labels.flag is not None and not labels.tells_losses:
        others = "; of the others it does not say when, or whether, they were lost: they stay open"
    return [f"{_said(labels)} who converted, and by {labels.at.name} when{others}"]


def _logs_of(profiles: Mapping[str, Profile], proposed: Sequence[Proposed]) -> dict[str, str]:
    """Give the tables of events with the SQL of their times."""
    return {
        source.table: time_sql(identifier(occurred.name), occurred)
        for source in proposed
        if (occurred := occurred_column(profiles[source.table])) is not None
    }


def _tells_an_end(tables: Tables, source: Proposed, profile: Profile) -> bool:
    """Tell whether one of a source's event types may be a conversion, by its name."""
    columns = source.settings["columns"]
    if source.name.endswith("_outcomes"):
        return True
    types = columns.get("event_type")
    if isinstance(types, dict):
        return sounds_won(types["constant"]) >= SURE
    names = [types] if isinstance(types, str) else types or []
    texts = [*columns.get("events", {}).values()]
    for name in names:
        if name in profile.columns:
            rows = tables.ask(f"SELECT DISTINCT CAST({identifier(name)} AS VARCHAR) FROM {profile.table.relation}")
            texts += [str(text) for (text,) in rows]
    return any(sounds_won(text) >= SURE for text in texts)
