"""What is odd in what was read: each warning says what, where and what next, and names no lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import NamedTuple

import duckdb

from features.core.errors import letters_of, nearest, of_several
from pipeline.core.sql import LINE_BITS, fetch_row, literal
from pipeline.ingest.machines import FOLLOWED
from pipeline.ingest.relations import Relations
from pipeline.ingest.source_table import Tables
from pipeline.ingest.summary import LeadsSummary, SourceSummary, SpendSummary, TableSummary, UnmappedChannels
from pipeline.reading.delimited import SWALLOWS
from pipeline.reading.quarantine import DUPLICATE, UNKNOWN_LEAD, WORD
from pipeline.settings.events import ActorByType, KnownColumn, KnownDelay, Machines
from pipeline.settings.ingest import Ingest, Source

MANY = 0.2
"""The share of a table's rows from which on unknown leads, duplicates and unmapped channels are too many."""
HALF = 0.5
EARLY = 0.05
"""The share of a source's events from which on those before their lead's creation are no mere visits of cookies."""
_FEW = 20
"""Fewer leads may well be created in the same second."""
_UNREADABLE = "unreadable "
"""What the reason begins with, of rows with times or numbers that are written otherwise than the settings say."""
_STRETCH_BITS = 10
"""Of sequences: rows that lie together."""
_BEFORE_ANY_LOG = datetime(1990, 1, 1)
"""Nobody's leads were logged before: a source that ends earlier was read by the wrong unit."""
_WORDS = (WORD.format("lead_id"), WORD.format("alias_id"))
_FAR_AHEAD = timedelta(days=7)
_FEW_AHEAD = 0.05
"""Of a source's rows: where more lie beyond the others' end, it rather is the others that stopped."""
_QUARTER_OF_AN_HOUR = 900_000_000
"""All offsets of time zones are multiples of it: other times are no midnight anywhere."""


class _Count(NamedTuple):
    """How many events there are of a type, and of about how many leads."""

    events: int
    leads: int


_Types = Mapping[str, _Count]


def source_warnings(
    relations: Relations,
    settings: Ingest,
    sources: Mapping[str, SourceSummary],
    spend: SpendSummary | None,
    log: str,
) -> list[str]:
    """Look at the sources of the log, and at what was spent."""
    types: dict[str, dict[str, _Count]] = {name: {} for name in sources}
    counted = "SELECT source, event_type, count(*), approx_count_distinct(lead_id)"
    rows = relations.connection.execute(f"{counted} FROM {log} GROUP BY ALL ORDER BY ALL").fetchall()
    for name, event_type, events, of_leads in rows:
        types[name][event_type] = _Count(events, of_leads)
    whole_days = _only_days(relations, settings, log)
    warnings: list[str] = []
    for name, summary in sources.items():
        source = settings.sources[name]
        if summary.rows == 0:
            warnings.append(f"{name}: its files hold no rows; check the export, or drop the source")
            continue
        warnings += _rows_lost(name, summary, settings)
        warnings += _unmapped(name, summary.unmapped_channels)
        if name in whole_days and not _known_a_day_later(source):
            warnings.append(
                f"{name}: its times have no hour, so an event counts as known from its day's first second on, hours "
                "before it happened; state known_at: {delay: 1d}"
            )
        warnings += _actors(name, source, types[name])
        warnings += _one_word(name, types[name])
        warnings += _machines(name, source.machines, summary.machines, types[name])
        last = summary.last_occurred_at
        if last and last < _BEFORE_ANY_LOG:
            warnings.append(
                f"{name}: all of its events lie before {_BEFORE_ANY_LOG:%Y}, up to {last:%Y-%m-%d}: "
                "seconds that are read as milliseconds look so; check its time_format"
            )
    if spend:
        warnings += ["spend: its files hold no rows; check the export, or drop it"] if spend.rows == 0 else []
        warnings += _unmapped("spend", spend.unmapped_channels)
    return warnings


def lead_warnings(relations: Relations, leads: LeadsSummary | None, log: str) -> list[str]:
    """Look at the table of leads, and at what is said of them before they were created."""
    if leads is None:
        return []
    warnings = ["leads: its files hold no rows; check the export"] if leads.rows == 0 else []
    warnings += [
        f"leads: {rows:,} of {leads.used:,} values of {attribute!r} are no numbers; make it a category, or set "
        "decimal and thousands"
        for attribute, rows in leads.unreadable_attributes.items()
        if rows > HALF * leads.used
    ]
    if leads.set_aside.get(DUPLICATE, 0) > MANY * leads.rows:
        warnings.append(f"leads: {_share(leads.set_aside[DUPLICATE], leads.rows)} repeat a lead_id; the first counts")
    old, most = fetch_row(
        relations.connection,
        "SELECT count(*) FILTER (created_at < TIMESTAMP '1990-01-01'), (SELECT max(rows) FROM (SELECT count(*) AS rows "
        f"FROM {relations.leads} GROUP BY epoch_us(created_at) // 1000000)) FROM {relations.leads}",
    )
    if old:
        warnings.append(f"leads: {old:,} were created before 1990; check created_at: is it a date of birth?")
    if leads.used >= _FEW and most > HALF * leads.used:
        warnings.append(
            f"leads: {_share(most, leads.used)} were created in the same second, as by an import; map the time at "
            "which they were first heard of"
        )
    early = _early(relations, log)
    if early:
        counts = ", ".join(f"{rows:,} of {source}" for source, rows in early)
        warnings.append(
            f"events before the creation of their lead: {counts}; they count as its past. Where that is not so, check "
            "created_at and the time zones"
        )
    return warnings


def _early(relations: Relations, log: str) -> list[tuple[str, int]]:
    """Count the events before their lead's creation, of sources with many of them."""
    begun = f"FROM {relations.counts} JOIN {relations.leads} USING (lead_id) GROUP BY source"
    suspects = f"SELECT source {begun} HAVING sum(rows) FILTER (first < created_at) > {EARLY} * sum(rows)"
    if not relations.connection.execute(suspects).fetchall():
        return []
    early: list[tuple[str, int]] = relations.connection.execute(
        f"SELECT source, count(*) FILTER (occurred_at < created_at) AS early FROM {log} JOIN {relations.leads} "
        f"USING (lead_id) GROUP BY source HAVING early > {EARLY} * count(*) ORDER BY source"
    ).fetchall()
    return early


def row_warnings(tables: Mapping[str, TableSummary]) -> Iterator[str]:
    """Look at what was set aside, whatever the table."""
    for name, table in tables.items():
        swallowing = table.set_aside.get(SWALLOWS, 0)
        if swallowing:
            rows = "1 row opens a quote" if swallowing == 1 else f"{swallowing:,} rows open a quote"
            yield (
                f"{name}: {rows} that is closed only rows below; what lies between was read as rows of its own, and "
                f"these were set aside: see data/quarantine/{name}.parquet, and export with quotes doubled in texts"
            )
        words = sum(rows for reason, rows in table.set_aside.items() if reason in _WORDS)
        if words:
            yield (
                f"{name}: {words:,} of {table.rows:,} rows ({words / table.rows:.1%}) name nobody but a word, such as "
                "null or undefined, and were set aside; mend the tracking, or the query that exports them"
            )


def people_warnings(people: Mapping[str, TableSummary | None]) -> Iterator[str]:
    """Look at the tables in which people, and leads, say something: what they lack closes no way, and says no tier."""
    for name, table in people.items():
        if table is None:
            continue
        lacking = (
            "whoever withdrew or refused counts as open to mail and telephone"
            if name == "consents"
            else "no word holds"
        )
        if table.rows == 0:
            yield f"{name}: its files hold no rows, so {lacking}; check the export, or drop the table"
        elif table.unknown_leads > MANY * table.rows:
            yield (
                f"{name}: {_share(table.unknown_leads, table.rows)} are of leads that nobody knows; check that it uses "
                f"the ids of the others: of these, {lacking}"
            )
        broken = sum(table.broken.values())
        if broken and name == "consents":
            reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in sorted(table.broken.items()))
            yield (
                f"consents: {_share(broken, table.rows)} can't be read ({reasons}): of these, {lacking}; state the "
                "words that are new under purposes and statuses, or mend the export"
            )


def revised_warnings(tables: Tables) -> Iterator[str]:
    """Tell of rows that repeat the id of another event and say something else: the one that was known first counts."""
    # Another id may be an alias of the same lead.
    compared = ("event_type", "value") if "identities" in tables else ("lead_id", "event_type", "value")
    kept, again = (", ".join(f"{row}.{field}" for field in compared) for row in ("kept", "again"))
    for table in tables.values():
        if not isinstance(table.settings, Source) or not table.settings.columns.event_id or table.repeats_by_parts:
            continue
        same = "again.event_id = kept.event_id"
        same += " AND again.event_type = kept.event_type" if table.width > 1 else ""
        repeated, revised = fetch_row(
            table.connection,
            f"WITH again AS (FROM {table.mapped} WHERE sequence IN (FROM {table.duplicates}) AND event_id IS NOT NULL) "
            "SELECT count(DISTINCT again.sequence), count(DISTINCT again.sequence) FILTER ("
            f"({kept}) IS DISTINCT FROM ({again})) "
            f"FROM again JOIN {table.mapped} AS kept ON {same} "
            f"WHERE kept.reason IS NULL AND kept.sequence NOT IN (FROM {table.duplicates})",
        )
        if revised:
            yield (
                f"{table.name}: {revised:,} of {repeated:,} rows that repeat an event_id name another event type, lead "
                "or value; the one known first counts, and what they say is set aside. If they correct it, let a "
                "query keep the last row of each id; if it is that of a deal or a visit, take one that names each event"
            )


def stretch_warnings(tables: Tables) -> Iterator[str]:
    """Tell of tables a part of which is written in another way: what could be read there may be wrong, too.

    Where the month comes first all of a sudden, 04/03 is read as 4 March without a word, and 04/13 is not read at all.
    """
    for table in tables.values():
        if not any(part.reason.startswith(_UNREADABLE) for part in table.set_aside):
            continue
        stretches, first, reason, elsewhere, rows = fetch_row(
            table.connection,
            "SELECT count(*) FILTER (odd), min(first) FILTER (odd), arg_min(reason, first) FILTER (odd), "
            "sum(broken) FILTER (NOT odd), sum(rows) FILTER (NOT odd) FROM ("
            f"SELECT *, rows >= {_FEW} AND broken > {HALF} * rows AS odd FROM ("
            f"SELECT sequence >> {_STRETCH_BITS} AS stretch, count(*) AS rows, count(*) FILTER (is_broken) AS broken, "
            "min(sequence) FILTER (is_broken) AS first, arg_min(reason, sequence) FILTER (is_broken) AS reason "
            f"FROM (SELECT sequence, reason, coalesce(starts_with(reason, '{_UNREADABLE}'), false) AS is_broken "
            f"FROM {table.mapped}) GROUP BY stretch))",
        )
        if stretches and rows and elsewhere <= EARLY * rows:
            file, line = table.files[first >> LINE_BITS].file.name, (first & ((1 << LINE_BITS) - 1)) // table.width
            yield (
                f"{table.name}: from line {line:,} of {file} on more than half of {_stretches(stretches)} of about "
                f"{1 << _STRETCH_BITS:,} rows have {reason}, elsewhere {elsewhere / rows:.1%}: what can be read there "
                "may be wrong, too, as days for months; make a source of its own of what is written otherwise"
            )


def _stretches(count: int) -> str:
    return "a stretch" if count == 1 else f"{count:,} stretches"


def _rows_lost(name: str, summary: SourceSummary, settings: Ingest) -> Iterator[str]:
    unknown, repeated = summary.set_aside.get(UNKNOWN_LEAD, 0), summary.set_aside.get(DUPLICATE, 0)
    if unknown > MANY * summary.rows:
        yield (
            f"{name}: {_share(unknown, summary.rows)} are of leads that the table of leads does not hold; check that "
            f"both use the same ids{'' if settings.identities else ', or add identities'}"
            if settings.leads
            else f"{name}: {_share(unknown, summary.rows)} are of ids that ingest.identities does not name, so they "
            "are no leads. Of visitors who never said who they are that is no fault; else check the ids"
        )
    if repeated > MANY * summary.rows:
        yield (f"{name}: {_share(repeated, summary.rows)} are duplicates; check event_id, and whether files overlap")


def _unmapped(name: str, unmapped: UnmappedChannels | None) -> Iterator[str]:
    if unmapped and unmapped.share > MANY:
        source, medium, _ = unmapped.frequent[0]
        yield (
            f"{name}: no rule gives {unmapped.rows:,} rows ({unmapped.share:.0%}) a channel, most of them of source "
            f"{source!r} and medium {medium!r}; add rules under ingest.channels"
        )


def _only_days(relations: Relations, settings: Ingest, log: str) -> set[str]:
    """Find the sources all of whose events occurred at midnight of their zone."""
    on_quarters = " AND ".join(f"epoch_us({moment}) % {_QUARTER_OF_AN_HOUR} = 0" for moment in ("first", "last"))
    suspects = relations.connection.execute(
        f"SELECT source FROM {relations.counts} GROUP BY source HAVING bool_and({on_quarters})"
    ).fetchall()
    found = set()
    for (name,) in suspects:
        local = f"timezone({literal(settings.sources[name].time_zone)}, timezone('UTC', occurred_at))"
        row = fetch_row(
            relations.connection,
            f"SELECT bool_and(date_trunc('day', {local}) = {local}) FROM {log} WHERE source = {literal(name)}",
        )
        if row[0]:
            found.add(name)
    return found


def _known_a_day_later(source: Source) -> bool:
    known = source.known_at
    return isinstance(known, KnownColumn) or (isinstance(known, KnownDelay) and known.delay >= timedelta(days=1))


def _actors(name: str, source: Source, types: _Types) -> Iterator[str]:
    if isinstance(source.actor, ActorByType):
        for actor in ("lead", "us", "system"):
            yield from _never_occur(f"{name}: actor.{actor}", getattr(source.actor, actor), types)


def _machines(
    name: str, rules: Machines | None, counts: Mapping[str, Mapping[str, int]], types: _Types
) -> Iterator[str]:
    """Look at what the rules name, and at how much they mark of what may be people's."""
    if rules is None:
        return
    for key, listed in rules.types().items():
        yield from _never_occur(f"{name}: machines.{key}", listed, types)
    answers = [*rules.opens, *rules.clicks]
    acts = sum(one.events for name, one in types.items() if any(fnmatchcase(name, answer) for answer in answers))
    of_machines = sum(rows for rule, kinds in counts.items() if rule != FOLLOWED for rows in kinds.values())
    if of_machines > HALF * acts:
        yield (
            f"{name}: {of_machines:,} of {acts:,} opens and clicks ({of_machines / acts:.0%}) are taken for machines'; "
            "check machines, and that occurred_at is when a mail was opened, not when it was sent"
        )


def _never_occur(place: str, listed: Sequence[str], types: _Types) -> Iterator[str]:
    """Name the types, or globs of them, that are listed and never occur; nothing where nothing does."""
    for wanted in listed if types else ():
        if wanted not in types and not any(fnmatchcase(event_type, wanted) for event_type in types):
            yield f"{place} lists {wanted!r}, which never occurs; {nearest(wanted, _named(types))[:200]}"


def _one_word(name: str, types: _Types) -> Iterator[str]:
    """Name the types that are one word, written in several ways."""
    ways: dict[str, list[str]] = {}
    for event_type in sorted(types, key=lambda one: -types[one].events):
        ways.setdefault(letters_of(event_type), []).append(event_type)
    named = set(_named(types))
    found = [written for letters, written in ways.items() if letters and len(written) > 1 and written[0] in named]
    if found:
        listed = "; ".join(
            " and ".join(f"{one!r} ({types[one].events:,})" for one in written[:3]) for written in found[:3]
        )
        more = f"; {len(found) - 3:,} more" if len(found) > 3 else ""  # noqa: PLR2004 - that many are read
        yield (
            f"{name}: event types are one word but for case, accents and signs, and count as several: {listed}{more}; "
            "if they say the same, let a query write it in one way"
        )


def _named(types: _Types) -> list[str]:
    """Give the types that may be told; where ids are mapped as types, they are none."""
    return of_several({event_type: one.leads for event_type, one in types.items()})


def _share(rows: int, of: int) -> str:
    return f"{rows:,} of {of:,} rows ({rows / of:.0%})"


def ahead_warnings(
    connection: duckdb.DuckDBPyConnection, settings: Ingest, sources: Mapping[str, SourceSummary], log: str
) -> list[str]:
    """Name the sources of which a few rows lie far beyond the end of every other, and move the end of the log."""
    warnings = []
    for name, source in sources.items():
        others = [
            end for key, other in sources.items() if key != name and (end := _end_of(settings.sources[key], other))
        ]
        if not others or source.last_occurred_at is None or settings.sources[name].observed_until is not None:
            continue
        end = max(others)
        if source.last_occurred_at <= end + _FAR_AHEAD:
            continue
        (rows,) = fetch_row(
            connection,
            f"SELECT count(*) FROM {log} WHERE source = {literal(name)} "
            f"AND occurred_at > TIMESTAMP '{end:%Y-%m-%d %H:%M:%S}'",
        )
        if rows <= _FEW_AHEAD * source.used:
            warnings.append(
                f"{name}: {rows:,} rows lie up to {source.last_occurred_at:%Y-%m-%d}, every other source ends on "
                f"{end:%Y-%m-%d}; if people typed these dates, state observed_until, the day of the export"
            )
    return warnings


def _end_of(source: Source, summary: SourceSummary) -> datetime | None:
    """Tell when a source ends: with what it told last, which may have occurred long before."""
    is_assumed = isinstance(source.known_at, KnownDelay) and source.observed_until is None
    return summary.last_occurred_at if is_assumed else summary.observed_until
