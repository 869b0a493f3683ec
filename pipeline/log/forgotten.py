"""What the last scores knew of leads and the log of this one does not say any more, though nobody took it back.

A log grows: what was known is known. Where an export was cut, dates are read the other way round or ids are written
anew, leads that were over are open again, and those that had withdrawn their consent are on the list for mail. So each
fact of the last scores that ended or closed something is looked for, by its day:

    last scores                    tonight's log
    2026-03-05 mail withdrawn      withdrawn on 5 March, given on 9 March     lifted: no fault
    2026-03-05 mail withdrawn      says nothing of 5 March                    forgotten
    2026-03-05 lost                lost on 5 March, a form on 20 April        came back: no fault
    2026-03-05 converted           converted on 3 May, a month to come        forgotten: the lead is open again
    2026-03-05 converted           converted on 3 April                       moved
    created on 2026-03-01          created on 2026-01-03                      moved, but for leads merged since
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.core.errors import StaleError
from features.core.schema import CHANNELS, CONSENT_STATUSES, CONVERTED, EVERYTHING, LOST, OBJECTED
from models.core.horizons import PROBABILITY
from pipeline.core.project import Places, Progress, Project
from pipeline.core.sql import fetch_row, file_literal, literal, open_reader
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.timeline import Episodes

_MOST = 0.05
"""The share from which on it is no correction, as people make them, but an export that lacks something."""
_FEW = 5
"""So few leads may well have been taken out, or their ends put right, at once."""
ALL_THE_SAME = "--corrected"

_FORGOTTEN = """
WITH told AS (
    SELECT lead_id, CAST(fact[:10] AS DATE) AS day, fact[12:] AS name FROM (
        SELECT lead_id, unnest(facts) AS fact FROM before
    ) WHERE regexp_matches(fact, '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} ')
),
held AS (
    SELECT lead_id, fact[12:] AS name FROM (SELECT lead_id, unnest(facts) AS fact FROM now)
),
said AS (
    SELECT lead_id, event_type, NULL AS purpose, {event_day} AS day
    FROM read_parquet({log}) SEMI JOIN told USING (lead_id) WHERE known_at < $as_of
    UNION ALL
    SELECT lead_id, status, purpose, {consent_day}
    FROM read_parquet({consents}) SEMI JOIN told USING (lead_id) WHERE known_at < $as_of
)
SELECT kind, count(DISTINCT lead_id), count(DISTINCT lead_id) FILTER (is_lost AND (kind = 'closed' OR is_open)),
    count(DISTINCT lead_id) FILTER (is_lost AND NOT is_open)
FROM (
    SELECT told.lead_id, means.kind, now.probability IS NOT NULL AS is_open, NOT EXISTS (
        FROM held WHERE held.lead_id = told.lead_id AND held.name = told.name AND means.kind = 'closed'
    ) AND NOT EXISTS (
        FROM said WHERE said.lead_id = told.lead_id AND abs(said.day - told.day) <= 1
        AND list_contains(means.words, said.event_type)
        AND (said.purpose IS NULL) = (means.purposes IS NULL)
        AND (said.purpose IS NULL OR list_contains(means.purposes, said.purpose))
    ) AS is_lost
    FROM told JOIN means USING (name) JOIN now USING (lead_id)
) GROUP BY kind
"""
_GONE = """
SELECT count(*), count(*) FILTER (lead_id NOT IN (SELECT lead_id FROM read_parquet({leads}))
    AND lead_id NOT IN (SELECT alias_id FROM read_parquet({aliases})))
FROM before WHERE probability IS NOT NULL
"""
_CREATED = """
SELECT count(*), count(*) FILTER (days > 1), coalesce(median(days) FILTER (days > 1), 0) FROM (
    SELECT abs(epoch(leads.created_at) - epoch(before.created_at)) / 86400 AS days
    FROM before JOIN read_parquet({leads}) AS leads USING (lead_id)
    WHERE lead_id NOT IN (SELECT lead_id FROM read_parquet({aliases}) WHERE alias_id IN (SELECT lead_id FROM before))
) WHERE days IS NOT NULL
"""


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    decision: DecisionPolicy
    episodes: Episodes


@dataclass(frozen=True)
class Forgotten:
    """How many leads the last scores knew more of, each beside how many there were of them."""

    closed: int = 0
    """Whose consent, or way, was closed by what the log does not hold any more."""
    of_closed: int = 0
    ended: int = 0
    """Who were over, and are open again without an act that brings them back."""
    of_ended: int = 0
    gone: int = 0
    """Who were open, and are no leads any more, nor merged with one."""
    of_open: int = 0
    moved: int = 0
    """Who are over still, but by another day or otherwise; of ``of_ended``."""
    created: int = 0
    """Who were created on another day, and were not merged since."""
    of_created: int = 0
    created_days: float = 0.0
    """By how many days that moved, in the middle."""

    def told(self, since: datetime) -> Iterator[tuple[str, bool]]:
        """Say each in words, and whether it is too much for people to have put it right."""
        then = f"the scores of {since:%Y-%m-%d %H:%M} UTC"
        if self.closed:
            told = (
                f"{self.closed:,} of {self.of_closed:,} leads that withdrew their consent or closed a way, by {then}, "
                "would count as open to it: today's log does not hold that they did, nor that they agreed again"
            )
            yield told, self.closed > _MOST * self.of_closed
        if self.ended:
            told = (
                f"{self.ended:,} of {self.of_ended:,} leads that had converted or were lost, by {then}, are open "
                "again: today's log does not hold their end of that day, nor another one"
            )
            yield told, self.ended >= _FEW and self.ended > _MOST * self.of_ended
        if self.gone:
            told = (
                f"{self.gone:,} of {self.of_open:,} leads that were open, by {then}, are no leads any more, nor "
                "merged with one: they are scored no more, and keep what was last pushed of them"
            )
            yield told, self.gone >= _FEW and self.gone > _MOST * self.of_open
        if self.moved:
            told = (
                f"{self.moved:,} of {self.of_ended:,} leads that had converted or were lost, by {then}, did so on "
                "another day by today's log, or otherwise"
            )
            yield told, self.moved >= _FEW and self.moved > _MOST * self.of_ended
        if self.created:
            told = (
                f"{self.created:,} of {self.of_created:,} leads were created on another day than by {then}, "
                f"{self.created_days:,.0f} days from it in the middle, so their ages are others"
            )
            yield told, self.created >= _FEW and self.created > _MOST * self.of_created

    def as_json(self) -> dict[str, Any]:
        """Give the counts as JSON holds them."""
        return asdict(self)


def refuse_forgotten(
    project: Project[Sections],
    last: tuple[Path, datetime] | None,
    recommendations: pa.Table,
    as_of: datetime,
    progress: Progress,
    *,
    is_corrected: bool,
) -> Forgotten:
    """Compare the facts of the ``last`` scores, and their moment, with ``recommendations``; warn of what is forgotten.

    Raises StaleError where it is too much for people to have put it right, unless somebody says that they did.
    """
    if last is None or "facts" not in pq.read_schema(last[0]).names:
        return Forgotten()
    path, since = last
    found = _compare(project, path, recommendations, as_of)
    told = list(found.told(since))
    refused = [sentence for sentence, is_too_much in told if is_too_much]
    if refused and not is_corrected:
        raise StaleError(
            f"{'; '.join(refused)}. Was an export cut, are its ids, words or dates written in another way? Compare the "
            "rows that ingest read with those of the day before, bring the whole export and run leadcast ingest; "
            f"where all of it was put right at the source, score with {ALL_THE_SAME}"
        )
    for sentence, _ in told:
        progress(f"warning: {sentence}")
    return found


def creations_of(places: Places, leads: pa.ChunkedArray) -> pa.Array:
    """Give when leads were created, in their order, for the next night to compare."""
    known = pq.read_table(places.leads, columns=["lead_id", "created_at"])
    return known["created_at"].combine_chunks().take(pc.index_in(leads, known["lead_id"]).combine_chunks())


def _compare(project: Project[Sections], last: Path, now: pa.Table, as_of: datetime) -> Forgotten:
    policy, places = project.parameters.decision, project
    names = {"leads": places.leads, "aliases": places.aliases, "log": places.interactions, "consents": places.consents}
    files = {name: file_literal(path) for name, path in names.items()}
    day = "CAST(timezone({zone}, timezone('UTC', {moment})) AS DATE)"
    zone = literal(policy.time_zone)
    days = {"event_day": day.format(zone=zone, moment="occurred_at")}
    days |= {"consent_day": day.format(zone=zone, moment="changed_at")}
    with open_reader() as connection:
        kept = ["lead_id", PROBABILITY, "facts", "created_at"]
        before = pq.read_table(last, columns=[name for name in kept if name in pq.read_schema(last).names])
        if "created_at" not in before.column_names:  # an earlier version kept none
            before = before.append_column("created_at", pa.nulls(len(before), pa.timestamp("us")))
        connection.register("before", before)
        connection.register("now", now.select(["lead_id", PROBABILITY, "facts"]))
        connection.register("means", _meanings(policy, project.parameters.episodes))
        rows = connection.execute(_FORGOTTEN.format(**files, **days), {"as_of": as_of}).fetchall()
        counts = {kind: found for kind, *found in rows}
        of_closed, closed, _ = counts.get("closed", (0, 0, 0))
        of_ended, ended, moved = counts.get("ended", (0, 0, 0))
        of_open, gone = fetch_row(connection, _GONE.format(**files))
        of_created, created, days = fetch_row(connection, _CREATED.format(**files))
    return Forgotten(closed, of_closed, ended, of_ended, gone, of_open, moved, created, of_created, round(days, 1))


def _meanings(policy: DecisionPolicy, episodes: Episodes) -> pa.Table:
    """List what a fact is called, and by which event types, or purposes and statuses, it was said."""
    rows: list[tuple[str, str, list[str], list[str] | None]] = [
        (CONVERTED, "ended", [*episodes.conversion], None),
        (LOST, "ended", [*episodes.lost], None),
        (OBJECTED, "closed", ["objected"], [EVERYTHING]),
    ]
    rows += [
        (f"{channel} {status}", "closed", [status], [channel, EVERYTHING])
        for channel in CHANNELS
        for status in CONSENT_STATUSES
        if status != "given"
    ]
    known = {name for name, *_ in rows}
    rows += [
        (name, "closed", [*fact.events], None)
        for name, fact in policy.facts.items()
        if fact.kind in ("closes", "closes_channel") and name not in known
    ]
    kinds = {"name": pa.string(), "kind": pa.string(), "words": pa.list_(pa.string())}
    kinds["purposes"] = pa.list_(pa.string())
    columns = zip(*rows, strict=True)
    return pa.table({name: pa.array(values, kinds[name]) for name, values in zip(kinds, columns, strict=True)})
