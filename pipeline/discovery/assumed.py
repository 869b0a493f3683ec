"""What a table leaves unsaid: when its leads were created or converted. Assumed in the open, as SQL to change.

A table that only says *that* a lead converted is read as of each lead's creation: a conversion is taken to come a day
after it, and a lead that has not converted a horizon after its creation is taken as lost. Younger ones are still open.
Where there are events, leads are looked at in their first days, of which it is assumed that nobody has converted yet;
a conversion is then taken to come half-way to the horizon, after all looks. What happened later is not learned from:
some had converted by then. Where no column says when a lead was created, the order of its rows stands for time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from features.core.time import DAY, HOUR, format_duration, microseconds
from pipeline.core.sql import identifier, literal
from pipeline.profiling.events import Proposed
from pipeline.profiling.joins import LINKED
from pipeline.profiling.leads import ROW, LeadTable
from pipeline.profiling.links import is_key
from pipeline.profiling.profile import Column, Profile, time_sql
from pipeline.profiling.tables import in_settings
from pipeline.profiling.words import LOST, NO, SURE, YES, has, plain, rank, sounds_won
from pipeline.settings.ingest import ASSUMED_OUTCOMES

ASSUMED = "assumed_created_at"
_BEGINNING = datetime(2020, 1, 1)
_MINUTES = 730 * 24 * 60
"""The rows are spread over two years, whatever their number; in whole minutes, if there are enough."""
_OUTCOME = (
    r"convert(?:ed|ion)?|won|is won|customer|is customer|purchased?|bought|sold|sale|target|label|y|outcome|success|"
    r"converti|gagne|vendu|client|abonne|konvertiert|gewonnen|verkauft|kunde|ganado|vendido|subscribed|deposit|"
    r"abschluss|enrolled|response|status|stage|lead status|result"
)


@dataclass(frozen=True)
class Flag:
    """A column that says whether a lead converted: the texts that mean yes, and no; others are still open."""

    column: str
    yes: tuple[str, ...]
    no: tuple[str, ...]


def find_flag(profile: Profile, named: str | None) -> Flag | None:
    """Find the column that says who converted, or take the one that the user names."""
    if named is not None:
        return read_flag(profile.columns[named]) if named in profile.columns else None
    columns = sorted(
        (column for column in profile.of_kind("flag", "category") if has(column.name, _OUTCOME)),
        key=lambda column: (sounds_won(column.name) == 0, column.kind != "flag", has(column.name, "status|stage")),
    )
    return next((flag for column in columns if (flag := read_flag(column))), None)


def read_flag(column: Column) -> Flag | None:
    """Read a column's texts as yes and no; where nothing says no, what is empty does."""
    # A denied word (not converted) is in NO before it could be taken for the word.
    no = tuple(text for text in column.values if plain(text) in NO or text in NO or rank(text, LOST))
    yes = tuple(
        text
        for text in column.values
        if text not in no and (plain(text) in YES or text in YES or sounds_won(text) >= SURE)
    )
    if yes and not no and column.kind == "flag":
        no = tuple(text for text in column.values if text not in yes)
    if yes and not no and column.filled < 1 and len(yes) == len(column.values):
        no = ("",)
    return Flag(column.name, yes, no) if yes and no else None


def assumed_creation(profile: Profile, lead: LeadTable) -> tuple[str, str, str]:
    """Let the order of rows stand for time: the SQL of the leads, the column, and what to tell the user."""
    numbered = f",\n  row_number() OVER () AS {ROW}" if lead.key == ROW else ""
    counted = next(
        (c for c in profile.of_kind("identifier") if c.number_format == "plain" and is_key(c, profile)), None
    )
    order = f"TRY_CAST({identifier(counted.name)} AS DOUBLE)" if counted else ""
    by = f"{counted.name}, from low to high," if counted else "the rows, from first to last,"
    step = f"({_MINUTES} // count(*) OVER ()) * 60000000"
    if profile.rows > _MINUTES:
        step = f"({_MINUTES * 60_000_000} // count(*) OVER ())"
    query = (
        f"SELECT *,\n  TIMESTAMP '{_BEGINNING}' + to_microseconds(\n    {step} * row_number() OVER "
        f"({f'ORDER BY {order}' if order else ''})\n  ) AS {ASSUMED}{numbered}\nFROM {profile.table.relation}"
    )
    said = (
        f"no column of {profile.name} says when a lead was created: the order of {by} stands for time. "
        "Bring the date of creation, or see that newer leads come last"
    )
    return query, ASSUMED, said


def numbered_rows(profile: Profile) -> str:
    """Write the SQL that gives the rows of a table without a key their numbers."""
    return f"(SELECT *, row_number() OVER () AS {ROW} FROM {profile.table.relation})"


@dataclass(frozen=True)
class Answers:
    """Where it stands who converted: SQL that gives each lead (lead_id, created_at, answer), and what it reads."""

    query: str
    """Its answer is 1, 0, or missing where there is none yet."""
    reads: tuple[str, ...]
    said: str
    """What says it, in words."""


def own_answers(profile: Profile, lead: LeadTable, flag: Flag) -> Answers:
    """Take the answers from a column of the leads."""
    if lead.created_at is None:
        query, created, _ = assumed_creation(profile, lead)
        relation, at = f"({query})", identifier(created)
    else:
        at = time_sql(identifier(lead.created_at), profile.columns[lead.created_at])
        relation = numbered_rows(profile) if lead.key == ROW else profile.table.relation
    query = (
        f"SELECT {identifier(lead.key)} AS lead_id, {at} AS created_at,\n"
        f"    {answer_sql(identifier(flag.column), flag)} AS answer\n  FROM {relation}"
    )
    return Answers(query, (profile.name,), f"{profile.name} says by {flag.column}")


def answer_sql(column: str, flag: Flag) -> str:
    """Write the SQL that turns a column of words into 1, 0, or nothing."""
    yes, no = (", ".join(map(literal, texts)) for texts in (flag.yes, flag.no))
    result = f"CAST({column} AS VARCHAR)"
    result = f"coalesce({result}, '')" if "" in flag.no else result
    return f"CASE WHEN {result} IN ({yes}) THEN 1 WHEN {result} IN ({no}) THEN 0 END"


@dataclass(frozen=True)
class Looks:
    """When leads are looked at of which nobody knows when they converted, and what is assumed of it."""

    horizon: timedelta
    ages: tuple[timedelta, ...]

    @property
    def converted_after(self) -> timedelta:
        """How long after creation a conversion is taken to come: a day or, where events are learned from, half-way.

        Then all looks come before it, and the horizon of each reaches it.
        """
        return DAY if self.ages == (HOUR,) else max(self.horizon / 2, HOUR)


def looks(horizon: timedelta, *, events: bool) -> Looks:
    """Choose when to look: where there are events, in the first quarter of the horizon, when few have converted.

    >>> [age.days for age in looks(timedelta(days=30), events=True).ages]
    [1, 3, 7]
    """
    early = tuple(age for age in (DAY, 3 * DAY, 7 * DAY, 14 * DAY) if age <= horizon / 4) if events else ()
    return Looks(horizon, early or ((max(horizon // 4 // HOUR, 2) * HOUR,) if events else (HOUR,)))


def assumed_outcomes(answers: Answers, what: str, chosen: Looks, logs: Mapping[str, str]) -> tuple[Proposed, str]:
    """Propose the source of outcomes of which only the result is known, and what to tell the user.

    ``logs`` are the tables whose rows say how far the log reaches, each with the SQL of its time.
    """
    after, horizon = _interval(chosen.converted_after), _interval(chosen.horizon)
    ends = [f"(SELECT max(created_at) FROM {ASSUMED_OUTCOMES})"]
    ends += [f"(SELECT max({at}) FROM {identifier(in_settings(name))})" for name, at in logs.items()]
    last = "greatest(\n    " + ",\n    ".join(ends) + "\n  )" if len(ends) > 1 else ends[0]
    query = (
        f"WITH {ASSUMED_OUTCOMES} AS (\n  {answers.query}\n), end_of_log AS (\n  SELECT {last} AS ends_at\n)\n"
        f"SELECT lead_id AS {LINKED},\n"
        f"  CASE answer\n    WHEN 1 THEN least(created_at + {after}, ends_at)\n"
        f"    ELSE created_at + {horizon}\n  END AS occurred_at,\n"
        f"  CASE answer WHEN 1 THEN '{what}_converted' ELSE '{what}_lost' END AS event_type\n"
        f"FROM {ASSUMED_OUTCOMES}, end_of_log\nWHERE answer IS NOT NULL AND occurred_at <= ends_at"
    )
    settings = {
        "query": query,
        "known_at": "as_it_occurred",
        "actor": "system",
        "columns": {"lead_id": LINKED, "occurred_at": "occurred_at", "event_type": "event_type"},
    }
    when = "a day" if chosen.converted_after == DAY else format_duration(chosen.converted_after)
    comments = {"query": f"assumed: a conversion comes {when} after creation, a loss when the horizon is over"}
    said = (
        f"{answers.said} that a lead converted, but not when: a conversion is taken to come {when} after creation, and "
        f"who has not converted after {format_duration(chosen.horizon)} is taken as lost. Where you know when, map it"
    )
    return Proposed(f"{what}_outcomes", answers.reads[0], settings, comments, list(answers.reads)), said


def said_of_later(
    connection: duckdb.DuckDBPyConnection, log: Path, leads: Path, ends: Collection[str], chosen: Looks
) -> list[str]:
    """Say how much of an ingested log is not learned from, because nobody knows when leads converted."""
    last = chosen.ages[-1]
    [(interactions, later)] = connection.execute(
        "SELECT count(*), count(*) FILTER (log.occurred_at >= lead.created_at + to_microseconds($last)) "
        "FROM read_parquet($log) AS log JOIN read_parquet($leads) AS lead USING (lead_id) "
        "WHERE NOT list_contains($ends, log.event_type)",
        {"log": str(log), "leads": str(leads), "ends": sorted(ends), "last": microseconds(last)},
    ).fetchall()
    if not later:
        return []
    age = format_duration(last)
    said = (
        f"of {interactions:,} interactions, {later:,} came later than {age} after the creation of their lead, and are "
        "not learned from: some leads had converted by then, and nobody knows which. It is assumed, too, that none "
        f"had before: where they convert sooner than {age}, take later ages out of snapshots.policies; where they do "
        f"not, add ages below {format_duration(chosen.converted_after)}. Best is a column that says when"
    )
    return [said]


def _interval(span: timedelta) -> str:
    return f"INTERVAL {span // DAY} DAY" if span % DAY == timedelta(0) else f"INTERVAL {span // HOUR} HOUR"
