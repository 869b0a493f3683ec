"""What a table leaves unsaid: when its leads were created or converted. Assumed in the open, as SQL to change.

A table that only says *that* a lead converted is read as of each lead's creation: a conversion is taken to come a day
after it, and a lead that has not converted a horizon after its creation is taken as lost. Younger ones are still open.
Where no column says when a lead was created, the order of its rows stands for time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from features.duration import DAY
from pipeline.discovery.events import Proposed, reading
from pipeline.discovery.joins import LINKED, time_sql
from pipeline.discovery.links import is_key
from pipeline.discovery.profile import Column, Profile
from pipeline.discovery.roles import ROW, LeadTable
from pipeline.discovery.words import LOST, NO, SURE, YES, has, plain, rank, singular, sounds_won
from pipeline.sql import identifier, literal

ASSUMED = "assumed_created_at"
_BEGINNING = datetime(2020, 1, 1)
_MINUTES = 730 * 24 * 60
"""The rows are spread over two years, whatever their number; in whole minutes, if there are enough."""
_OUTCOME = (
    r"convert(?:ed|ion)?|won|is won|customer|is customer|purchased?|bought|sold|sale|target|label|y|outcome|success|"
    r"converti|gagne|vendu|client|abonne|konvertiert|gewonnen|verkauft|kunde|ganado|vendido|subscribed|deposit|"
    r"enrolled|response|status|stage|lead status|result"
)


@dataclass(frozen=True)
class Flag:
    """A column that says whether a lead converted: the texts that mean yes, and no; others are still open."""

    column: str
    yes: tuple[str, ...]
    no: tuple[str, ...]


def find_flag(profile: Profile, named: str | None) -> Flag | None:
    """Find the column that says who converted, or take the one that the user names."""
    columns = [profile.columns[named]] if named is not None and named in profile.columns else []
    if named is None:
        columns = [
            column for column in (*profile.of_kind("flag"), *profile.of_kind("category")) if has(column.name, _OUTCOME)
        ]
        columns.sort(
            key=lambda column: (sounds_won(column.name) == 0, column.kind != "flag", has(column.name, "status|stage"))
        )
    for column in columns:
        flag = _read_flag(column)
        if flag:
            return flag
    return None


def _read_flag(column: Column) -> Flag | None:
    # A denied word (not converted) is in NO before it could be taken for the word.
    no = tuple(text for text in column.values if plain(text) in NO or text in NO or rank(text, LOST))
    yes = tuple(
        text
        for text in column.values
        if text not in no and (plain(text) in YES or text in YES or sounds_won(text) >= SURE)
    )
    if yes and not no and column.kind == "flag":
        no = tuple(text for text in column.values if text not in yes)
    return Flag(column.name, yes, no) if yes and no else None


def assumed_creation(profile: Profile, lead: LeadTable) -> tuple[dict[str, Any], str, str]:
    """Let the order of rows stand for time: the settings of leads, the column, and what to tell the user."""
    numbered = f",\n  row_number() OVER () AS {ROW}" if lead.key == ROW else ""
    counted = next(
        (c for c in profile.of_kind("identifier") if c.number_format == "plain" and is_key(c, profile)), None
    )
    order = f"TRY_CAST({identifier(counted.name)} AS DOUBLE)" if counted else ""
    by = f"{counted.name}, from low to high," if counted else "the rows, from first to last,"
    query = (
        f"SELECT *,\n  TIMESTAMP '{_BEGINNING}' + to_microseconds(\n    {_step(profile)} * row_number() OVER "
        f"({f'ORDER BY {order}' if order else ''})\n  ) AS {ASSUMED}{numbered}\nFROM {profile.table.relation}"
    )
    said = (
        f"no column of {profile.name} says when a lead was created: the order of {by} stands for time. "
        "Bring the date of creation, or see that newer leads come last"
    )
    return {"query": query, **reading(profile, list(profile.columns), from_query=True)}, ASSUMED, said


def _step(profile: Profile) -> str:
    if profile.rows > _MINUTES:
        return f"({_MINUTES * 60_000_000} // count(*) OVER ())"
    return f"({_MINUTES} // count(*) OVER ()) * 60000000"


def numbered_rows(profile: Profile) -> str:
    """Write the SQL that gives the rows of a table without a key their numbers."""
    return f"(SELECT *, row_number() OVER () AS {ROW} FROM {profile.table.relation})"


def assumed_outcomes(profile: Profile, lead: LeadTable, flag: Flag, horizon: timedelta) -> tuple[Proposed, str]:
    """Propose the source of outcomes of which only the result is known, and what to tell the user."""
    if lead.created_at is None:
        settings, created, _ = assumed_creation(profile, lead)
        relation, at = f"({settings['query']})", identifier(created)
    else:
        at = time_sql(identifier(lead.created_at), profile.columns[lead.created_at])
        relation = numbered_rows(profile) if lead.key == ROW else profile.table.relation
    what = singular(profile.name).replace(" ", "_")
    yes, no = (", ".join(map(literal, texts)) for texts in (flag.yes, flag.no))
    result = f"CAST({identifier(flag.column)} AS VARCHAR)"
    days = horizon // DAY
    last = f"(SELECT max({at}) FROM {relation})"
    query = (
        f"SELECT {identifier(lead.key)} AS {LINKED},\n"
        f"  CASE WHEN {result} IN ({yes})\n    THEN least({at} + INTERVAL 1 DAY, {last})\n"
        f"    ELSE {at} + INTERVAL {days} DAY\n  END AS occurred_at,\n"
        f"  CASE WHEN {result} IN ({yes}) THEN '{what}_converted' ELSE '{what}_lost' END AS event_type\n"
        f"FROM {relation}\n"
        f"WHERE {result} IN ({yes}, {no}) AND occurred_at <= {last}"
    )
    settings = {
        "query": query,
        "known_at": "as_it_occurred",
        "actor": "system",
        "columns": {"lead_id": LINKED, "occurred_at": "occurred_at", "event_type": "event_type"},
    }
    comments = {
        "query": "assumed: a conversion comes a day after creation, a loss when the horizon is over",
    }
    said = (
        f"{profile.name} says by {flag.column} that a lead converted, but not when: a conversion is taken to come a "
        f"day after creation, and who has not converted after {days} days is taken as lost. Where you know when, map it"
    )
    return Proposed(f"{what}_outcomes", profile.name, settings, comments, [profile.name]), said
