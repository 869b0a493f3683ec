"""The tables in which people say what they decided of leads, and leads what they agree to.

Each is proposed where all of it can be read, and else told, with what it lacks. None is a source of events: what people
decide is no act of a lead, and a model that learned from it would learn our habits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.sql import identifier, literal
from pipeline.ingest.queries import tables_read as tables_in
from pipeline.ingest.summary import IngestSummary, TableSummary
from pipeline.profiling.events import RECORDED_SINCE, reading
from pipeline.profiling.joins import KNOWN_SINCE, LINKED, is_direct, is_told, join_query, tables_read
from pipeline.profiling.profile import Column, Profile, time_sql
from pipeline.profiling.registers import (
    PURPOSES,
    STATUSES,
    TIERS,
    DecisionTable,
    meaning,
    purposes_of,
    sounds_decided,
    statuses_of,
)
from pipeline.profiling.roles import Roles
from pipeline.profiling.tables import Tables
from pipeline.profiling.words import CHANGED, CONSENT, CREATED, SURE, has, rank
from pipeline.settings.ingest import OWN_TABLES, Ingest
from pipeline.settings.people import Meaning

_DECIDED = r"decided|decision|entschieden|entscheidung|decidee?"
_STATUS = rf"{CONSENT}|status|state|statut"
_FILLED = 0.99
_SHOWN = 8
_MOST_BROKEN: float = Ingest.model_fields["maximum_broken"].default


@dataclass
class PeopleTables:
    """Tables as ``ingest`` takes them, by the names of their settings; of the others, what each lacks."""

    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    """By their places in the settings."""
    notes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    """The tables that their queries read."""
    used: dict[str, str] = field(default_factory=dict)
    """The table that each is made of, by its setting."""
    told: dict[str, str] = field(default_factory=dict)
    """What the table of each setting is."""
    said: dict[str, list[str]] = field(default_factory=dict)
    """Which of the notes are of the table of each setting."""
    lacks: dict[str, str] = field(default_factory=dict)
    """What to tell of each table that is not used."""


class Lacks(Exception):  # noqa: N818 - it is caught here, and told
    """What a table lacks to be read."""


@dataclass(frozen=True)
class Asked:
    """What is known of the tables when one of them is looked at."""

    tables: Tables
    profiles: Mapping[str, Profile]
    roles: Roles
    proposal: PeopleTables


def propose_people(asked: Asked) -> None:
    """Propose what leads agreed to and what people decided, from the tables that say it."""
    found, profiles, roles = asked.proposal, asked.profiles, asked.roles
    for name in largest_first(profiles, roles.registers.consents):
        attempt(asked, "consents", name, roles.registers.told[name], lambda profile: _consents(asked, profile))
    decisions = {one.table: one for one in roles.registers.decisions}
    for name in largest_first(profiles, decisions):
        told = roles.registers.told[name]
        attempt(asked, "decisions", name, told, lambda profile: _decisions(asked, profile, decisions[profile.name]))
    found.notes += [
        f"{name} is read as events; if people say in it what they take leads for, ingest.decisions takes it: too few "
        "of its words are known here for a tier"
        for name in roles.events
        if sounds_decided(profiles[name])
    ]


def largest_first(profiles: Mapping[str, Profile], names: Iterable[str]) -> list[str]:
    """Sort tables: of several that say the same, the largest is read."""
    return sorted(names, key=lambda name: (-profiles[name].rows, name))


def attempt(asked: Asked, setting: str, name: str, told: str, propose: Callable[[Profile], dict[str, Any]]) -> None:
    """Propose a table, or tell what it lacks."""
    found = asked.proposal
    if setting in found.used:
        found.lacks[name] = f"{told}, but one table alone, and that is {found.used[setting]}: unite both by a query"
        return
    noted, read = len(found.notes), len(found.reads)
    try:
        found.settings[setting] = propose(asked.profiles[name])
    except Lacks as lack:
        found.lacks[name] = f"{told}, but {lack}"
        del found.notes[noted:], found.reads[read:]
        return
    found.said[setting] = found.notes[noted:]
    found.used[setting], found.told[setting] = name, told


def _consents(asked: Asked, profile: Profile) -> dict[str, Any]:
    purposes = purposes_of(profile)
    purpose = _only(purposes, "what each is about (purpose; of one thing alone: {constant: mail})")
    statuses = [column for column in statuses_of(profile) if column is not purpose]
    status = _only(
        [column for column in statuses if has(column.name, _STATUS)] or statuses, "what was said of it (status)"
    )
    changed, known = _moments(profile, (), CHANGED, "changed_at")
    words = _Words(asked, profile, "consents")
    settings = words.translated("purposes", purpose, PURPOSES) | words.translated("statuses", status, STATUSES)
    words.without_blanks([purpose.name])
    words.without_blanks([status.name])
    columns = {"purpose": purpose.name, "status": status.name, "changed_at": changed.name}
    return {**_rows(asked, profile, "consents", columns, changed, known, words.left_out), **settings}


def _decisions(asked: Asked, profile: Profile, table: DecisionTable) -> dict[str, Any]:
    apart = [name for name in (table.until, table.call_on) if name]
    decided, known = _moments(profile, apart, _DECIDED, "decided_at")
    words = _Words(asked, profile, "decisions")
    if decided.holds_days:
        _tell_same_day(asked, profile, decided)
    settings = words.translated("tiers", profile.columns[table.tier], TIERS)
    words.without_blanks([table.tier, *([table.call_on] if table.call_on else [])])
    columns = {"decided_at": decided.name, "tier": table.tier}
    further = {name: getattr(table, name) for name in ("call_on", "until", "by", "reason")}
    columns |= {name: column for name, column in further.items() if column}
    return {**_rows(asked, profile, "decisions", columns, decided, known, words.left_out), **settings}


def _tell_same_day(asked: Asked, profile: Profile, decided: Column) -> None:
    """Tell of leads of which several things were decided on a day: the last one counts, and none is."""
    ids = ", ".join(identifier(way[0].column) for way in asked.roles.people[profile.name][:1])
    if not ids:
        return
    (more,) = asked.tables.ask_row(
        f"SELECT count(*) - count(DISTINCT ({ids}, {identifier(decided.name)})) FROM {profile.table.relation}"
    )
    if more:
        asked.proposal.notes.append(
            f"{more:,} rows of {profile.name} are of a lead and a day that has another one: only the day is told, so "
            "which was the last is not"
        )


def _only(columns: Sequence[Column], what: str) -> Column:
    if not columns:
        raise Lacks(f"no column says {what}")
    if len(columns) > 1:
        raise Lacks(f"{' and '.join(column.name for column in columns)} may both say {what}")
    return columns[0]


def _moments(profile: Profile, apart: Sequence[str], called: str, key: str) -> tuple[Column, Column | None]:
    """Find when something was said and, where a column tells, when it became known.

    A row that was changed since counts as known from its last change: nobody knows what it said before.
    """
    recorded = {one.column for one in profile.recorded if one.holds}
    times = [column for column in profile.of_kind("time", "stamp") if column.name not in {*apart, *recorded}]
    named = [column for column in times if has(column.name, called)]
    at = _only(named or [column for column in times if column.kind == "time"], f"when it was said ({key})")
    known = [profile.columns[one.column] for one in profile.recorded if one.holds and one.occurred == at.name]
    known += [column for column in times if column.kind == "stamp" and column is not at]
    return at, next((column for column in known if column.filled >= _FILLED * at.filled), None)


@dataclass
class _Words:
    """The words of a table, and which of its rows say nothing that is known."""

    asked: Asked
    profile: Profile
    setting: str
    left_out: list[str] = field(default_factory=list)
    """Conditions of its query, where more rows would be set aside than a run allows."""

    def translated(self, key: str, column: Column, meanings: Mapping[Meaning, str]) -> dict[str, Any]:
        """Translate the words of a column, tell of those that are not known, and say with counts what was taken."""
        word = f"lower(trim(CAST({identifier(column.name)} AS VARCHAR)))"
        rows = self.asked.tables.ask(
            f"SELECT {word}, count(*) FROM {self.profile.table.relation} WHERE {word} <> '' GROUP BY 1 "
            "ORDER BY 2 DESC, 1"
        )
        counts = dict(rows)
        meant = {text: found for text in counts if (found := meaning(text, meanings))}
        strange = {text: count for text, count in counts.items() if text not in meant}
        if not meant:
            raise Lacks(f"no word of {column.name} is known here ({_listed(strange)}): {key} says what each means")
        if strange:
            self._tell_strange(key, column, strange)
        place = f"ingest.{self.setting}"
        self.asked.proposal.comments[f"{place}.columns.{_OF_WORDS[key]}"] = _listed(counts)
        words = {text: found for text, found in meant.items() if text != found.lower()}
        if not words:
            return {}
        self.asked.proposal.comments[f"{place}.{key}"] = "its words, as they are usually meant: read each"
        return {key: words}

    def without_blanks(self, names: Sequence[str]) -> None:
        """Leave out the rows that say nothing in any of some columns, where they are many: a sheet lists all leads."""
        (blank,) = self.asked.tables.ask_row(
            f"SELECT count(*) FILTER (NOT ({_says(names, '')})) FROM {self.profile.table.relation}"
        )
        if blank > _MOST_BROKEN * self.profile.rows:
            self.left_out.append(f"({_says(names, 'event.')})")
            self.asked.proposal.notes.append(
                f"{blank:,} of {self.profile.rows:,} rows of {self.profile.name} say nothing under "
                f"{' and '.join(names)}: they are left out by its query"
            )

    def _tell_strange(self, key: str, column: Column, strange: Mapping[str, int]) -> None:
        rows = sum(strange.values())
        become = "are set aside"
        if rows > _MOST_BROKEN * self.profile.rows:
            become = "are left out by its query"
            text = f"coalesce(lower(trim(CAST(event.{identifier(column.name)} AS VARCHAR))), '')"
            self.left_out.append(f"{text} NOT IN ({', '.join(literal(word) for word in strange)})")
        share = f"{rows:,} of {self.profile.rows:,} rows of {self.profile.name} {become}"
        self.asked.proposal.notes.append(
            f"{share}: their {column.name} is none that is known here: {_listed(strange)}; where one has a meaning of "
            f"ours, add it to ingest.{self.setting}.{key}"
        )


def _says(names: Sequence[str], of: str) -> str:
    return " OR ".join(f"coalesce(trim(CAST({of}{identifier(name)} AS VARCHAR)), '') <> ''" for name in names)


def _listed(counts: Mapping[str, int]) -> str:
    shown = [f"{text} ({count:,})" for text, count in list(counts.items())[:_SHOWN]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _rows(
    asked: Asked,
    profile: Profile,
    setting: str,
    columns: Mapping[str, str],
    at: Column,
    known: Column | None,
    left_out: Sequence[str],
) -> dict[str, Any]:
    """Give the settings of a table whose rows are of leads: where they come from, and which column holds what."""
    lead, found = asked.roles.lead_table, asked.roles.people[profile.name]
    if lead is not None:
        found = [way for way in found if is_told(way, lead, asked.profiles)]
    if not found:
        raise Lacks("no column leads to a lead")
    direct = lead is None or (len(found) == 1 and is_direct(found[0], lead))
    used = [*columns.values(), *([known.name] if known else [])]
    since, select, known_at = known or at, "", known.name if known else None
    if since.holds_days:
        over = f"{time_sql(f'event.{identifier(since.name)}', since)} + INTERVAL 1 DAY"
        select, known_at = f",\n  {over} AS {RECORDED_SINCE}", RECORDED_SINCE
    rows = f"{profile.rows:,} rows of {profile.columns[found[0][0].column].distinct:,} leads"
    filled = f"{at.filled:.0%} filled, as in {at.examples[0]}"
    if rank(at.name, CREATED) >= SURE and not has(at.name, CHANGED):
        filled += "; are rows overwritten later? then it takes the time of the change"
    comments = {"": rows, f".columns.{_KEYS[setting]}": filled}
    if direct and not select and not left_out:
        settings, lead_id = reading(profile, used), found[0][0].column
    else:
        if profile.table.nested & {*used, found[0][0].column}:
            raise Lacks("its columns lie inside of others, where no query sees them")
        if direct:
            query, lead_id = f"SELECT event.*{select}\nFROM {profile.table.relation} AS event", found[0][0].column
        else:
            assert lead is not None  # noqa: S101 - without a table of leads every way is direct
            query, linked = join_query(
                profile.name, found, lead, f"event.*{select}", profiles=asked.profiles, occurred=at, known=known
            )
            if linked and known and known.holds_days:
                raise Lacks("only the day is told on which it was known, and it was tied to its lead at some time")
            lead_id, known_at = LINKED, KNOWN_SINCE if linked else known_at
            comments[".columns.lead_id"] = "the lead that the ids of the row lead to"
        query += f"\nWHERE {' AND '.join(left_out)}" if left_out else ""
        settings = {"query": query, **reading(profile, used, from_query=True)}
        asked.proposal.reads += tables_read(profile, [] if direct else found)
    if known_at:
        comments[".columns.known_at"] = _WHY.get(known_at, "when it reached you, or was last changed")
    asked.proposal.comments |= {f"ingest.{setting}{place}": text for place, text in comments.items()}
    at_first = {"lead_id": lead_id, **columns, **({"known_at": known_at} if known_at else {})}
    return {**settings, "columns": at_first}


_OF_WORDS = {"purposes": "purpose", "statuses": "status", "tiers": "tier"}
_KEYS = {"consents": "changed_at", "decisions": "decided_at"}
_WHY = {
    RECORDED_SINCE: "only the day is told, so it is known when the day is over",
    KNOWN_SINCE: "not before the row was tied to its lead",
}


def withdraw(content: dict[str, Any], setting: str, why: str, people: PeopleTables) -> None:
    """Take back a table that was proposed, and tell why."""
    del content["ingest"][setting]
    content["ingest"] = without_idle_tables(content["ingest"])
    people.notes = [note for note in people.notes if note not in people.said[setting]]
    people.notes.append(f"{people.used.pop(setting)} is not used: {people.told[setting]}, but {why}")


def withdraw_broken(content: dict[str, Any], summary: IngestSummary, people: PeopleTables) -> None:
    """Take back the tables of which more rows can't be used than a run allows."""
    for setting in [*people.used]:
        table: TableSummary = getattr(summary, setting)
        broken = sum(table.broken.values())
        if setting in content["ingest"] and broken > _MOST_BROKEN * table.rows:
            listed = ", ".join(f"{count:,} {reason}" for reason, count in table.broken.items())
            why = f"{broken:,} of its {table.rows:,} rows can't be used ({listed})"
            withdraw(content, setting, why, people)


def without_idle_tables(ingest: dict[str, Any]) -> dict[str, Any]:
    """Take out the tables that no query reads: the last step of a way, to the leads themselves, is often spared."""
    tables = ingest.pop("tables", {})
    parts = [*ingest["sources"].values(), *(ingest.get(name, {}) for name in OWN_TABLES)]
    queries = [part["query"] for part in parts if "query" in part and "database" not in part]
    known = {*tables, *ingest["sources"]}
    read = {name for query in queries for name in tables_in("a proposed query", query, known)}
    kept = {name: table for name, table in tables.items() if name in read}
    return {"tables": kept, **ingest} if kept else ingest
