"""Event types that the settings name and that the source calls otherwise by now: what they say is not heard any more.

    won        of 412 leads up to 11 March
    Won!       of 31 leads since 12 March, won of none      the same word: from a twentieth of them on it is wrong
    Lost       of 2 leads since 2024, lost of 390           typed by hand: told
    won        every second day, none for 24 days           silent for longer than ever, though its source goes on: told
    closed     of 31 leads, since the champion has learned,
               in a source most of whose events are ends    told

Customers under another name are open, and converted never. A name that somebody takes for no other word is acquitted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import duckdb
import numpy as np

from features.core.errors import letters_of, of_several
from features.core.schema import MACHINE
from features.core.time import DAY
from features.timeline.outcome_holes import FAR_LONGER
from features.timeline.rhythm import FEW, Arrivals, Calendar, measure_silences, silent_for
from models.core.verdicts import Verdict, found
from pipeline.core.project import Places, Project, read_json
from pipeline.core.sql import file_literal, open_reader
from pipeline.settings.ingest import Ingest, Source
from pipeline.settings.timeline import Episodes

MOST_MISTYPED, FEW_MISTYPED = 0.05, 5
"""The share of leads, and their number, from which on a word was not mistyped, but is written otherwise now."""
_MOSTLY = 0.5
"""The share of ends in a source from which on it is one of ends."""

_WHEN = f"known_at < $until AND actor <> '{MACHINE}'"
_ALIKE = """
SELECT word, named, since, count(DISTINCT lead_id) FILTER (event_type = word),
    count(DISTINCT lead_id) FILTER (event_type = named)
FROM (
    SELECT word, named, min(known_at) AS since FROM pairs JOIN read_parquet({log}) ON event_type = word
    WHERE {when} GROUP BY ALL
) JOIN read_parquet({log}) ON event_type IN (word, named) AND known_at >= since
WHERE {when} GROUP BY ALL ORDER BY named, word
"""


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    episodes: Episodes
    ingest: Ingest


class _Type(NamedTuple):
    """An event type of a source, with its events, about how many leads have it, and since when it is known."""

    source: str
    name: str
    events: int
    leads: int
    since: datetime


def doubts_of_names(
    project: Project[Sections],
    until: datetime,
    others: Iterable[tuple[str, Sequence[str]]] = (),
    learned_until: datetime | None = None,
) -> list[Verdict]:
    """List which of the event types that the settings name may be called otherwise by ``until`` (UTC).

    ``others`` are named beside those of ``episodes``, each with its place; ``learned_until``: when the champion stopped
    learning, where there is one.
    """
    episodes = project.parameters.episodes
    named: dict[str, str] = {}
    for place, names in (*episodes.event_types, *others):
        named |= {name: place for name in names if name not in named}
    with open_reader() as connection:
        query = (
            "SELECT source, event_type, count(*), approx_count_distinct(lead_id), min(known_at) "
            f"FROM read_parquet({file_literal(project.interactions)}) WHERE {_WHEN} GROUP BY ALL ORDER BY ALL"
        )
        seen = [_Type(*row) for row in connection.execute(query, {"until": until}).fetchall()]
        of_type: dict[str, set[str]] = {}
        for one in seen:
            of_type.setdefault(one.name, set()).add(one.source)
        pairs = _alike(of_type, named)
        ends = {*episodes.conversion, *episodes.lost}
        verdicts = [
            *_written_otherwise(connection, project, pairs, named, until),
            *_silent(connection, project, {end: of_type[end] for end in sorted(ends & of_type.keys())}, seen, until),
        ]
    told = {*named, *(word for word, _ in pairs)}
    return verdicts if learned_until is None else [*verdicts, *_new(seen, ends, told, learned_until)]


def _alike(of_type: Mapping[str, set[str]], named: dict[str, str]) -> list[tuple[str, str]]:
    """Pair types that nobody names with one that is named and has the same letters, in a source that has brought it.

    One that was never brought is looked for wherever it is.
    """
    letters = {letters_of(name): name for name in reversed(named) if letters_of(name)}
    pairs = [(word, letters[letters_of(word)]) for word in of_type if word not in named and letters_of(word) in letters]
    return [(word, name) for word, name in pairs if name not in of_type or of_type[word] & of_type[name]]


def _written_otherwise(
    connection: duckdb.DuckDBPyConnection,
    places: Places,
    pairs: Sequence[tuple[str, str]],
    named: Mapping[str, str],
    until: datetime,
) -> Iterator[Verdict]:
    if not pairs:
        return
    connection.execute("CREATE TEMP TABLE pairs (word VARCHAR, named VARCHAR)")
    connection.executemany("INSERT INTO pairs VALUES (?, ?)", pairs)
    query = _ALIKE.format(log=file_literal(places.interactions), when=_WHEN)
    for word, name, since, leads, of_named in connection.execute(query, {"until": until}).fetchall():
        is_usual = leads >= FEW_MISTYPED and leads > MOST_MISTYPED * (leads + of_named)
        yield found(
            "type_renamed",
            f"{leads:,} leads have an event {word!r}, known since {since:%Y-%m-%d}, which is {name!r} but for case, "
            f"accents and signs; since then {of_named:,} leads have {name!r}. {named[name]} names that alone, so the "
            "others count for nothing there",
            subject=word,
            severity="wrong" if is_usual else "doubtful",
        )


def _silent(
    connection: duckdb.DuckDBPyConnection,
    project: Project[Sections],
    sources: Mapping[str, set[str]],
    seen: Sequence[_Type],
    until: datetime,
) -> Iterator[Verdict]:
    """Hold each end to its own rhythm, as a source is, where the sources that bring it go on."""
    ingested, settings = read_json(project.ingested)["sources"], project.parameters.ingest.sources
    for end, bringing in sources.items():
        own = [settings[name] for name in sorted(bringing)]
        states = {(ingested[name].get("rhythm") or {}).get("state") for name in bringing}
        if any(source.quiet for source in own) or not states <= {"running", "thin"}:
            continue
        observed = (datetime.fromisoformat(ingested[name]["observed_until"]) for name in bringing)
        silence = _silence(connection, project, end, own, min([until, *observed]))
        if silence is None:
            continue
        lasted, longest, last = silence
        new = _named([one for one in seen if one.source in bringing], last)
        yield found(
            "type_renamed",
            f"no event {end!r} for {lasted / DAY:.0f} days, since {last:%Y-%m-%d}, where {longest / DAY:.1f} days were "
            f"the longest, though {', '.join(sorted(bringing))} goes on; at a steady pace that is less than one night "
            f"of 1,000{new and f'. New since then: {new}'}",
            subject=end,
        )


def _silence(
    connection: duckdb.DuckDBPyConnection, places: Places, end: str, sources: Sequence[Source], until: datetime
) -> tuple[timedelta, timedelta, datetime] | None:
    """Tell how long an end is silent, how long it ever was, and its last; None where that is nothing."""
    counted = connection.execute(
        "SELECT epoch_us(known_at) // 60000000 AS minute, count(*) AS rows FROM read_parquet($log) "
        f"WHERE event_type = $end AND {_WHEN} GROUP BY minute ORDER BY minute",
        {"log": str(places.interactions), "end": end, "until": until},
    ).fetchnumpy()
    arrivals = Arrivals(counted["minute"].astype(np.int64), counted["rows"].astype(np.int64))
    calendar = Calendar(sources[0].time_zone, tuple(span for source in sources for span in source.closed_days))
    if not len(arrivals.minutes):
        return None
    silences, lasted = measure_silences(arrivals, until, calendar), silent_for(arrivals, until, calendar)
    is_none = silences.count < FEW or lasted <= max(silences.limit, FAR_LONGER * silences.longest)
    return None if is_none else (lasted, silences.longest, arrivals.last)


def _new(seen: Sequence[_Type], ends: set[str], told: set[str], since: datetime) -> Iterator[Verdict]:
    """Tell of types that nobody had before ``since``, in sources most of whose events are ends."""
    for source in sorted({one.source for one in seen}):
        own = [one for one in seen if one.source == source]
        new = [one for one in own if one.since >= since and one.name not in told]
        if not new or sum(one.events for one in own if one.name in ends) <= _MOSTLY * sum(one.events for one in own):
            continue
        listed = _named(own, since, told)
        yield found(
            "type_renamed",
            f"{sum(one.events for one in new):,} events of types that came after the champion had learned, up to "
            f"{since:%Y-%m-%d}{f' ({listed})' if listed else ''}, in a source most of whose events end episodes; if "
            "these do, too, their leads count as open",
            subject=source,
        )


def _named(types: Sequence[_Type], since: datetime, told: Collection[str] = ()) -> str:
    """List those that are new since then, but for what may be an id."""
    nameable = {*of_several({one.name: one.leads for one in types})}.difference(told)
    return ", ".join(repr(one.name) for one in types if one.name in nameable and one.since >= since)
