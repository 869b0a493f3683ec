"""The rhythms of the sources in ``ingest``: when their rows became known is counted, and each source is judged by it.

Rows count as they were read, before duplicates and unknown leads are set aside: visitors of whom no lead is known yet
would make the last weeks of every log thin. The log's end, at which a source is judged, is told by all of them; a
stated delay does not move it, for what has just occurred counts as known only later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np

from features.timeline.rhythm import FAR_FEWER, Arrivals, Calendar, Hole, Silences, measure_silences
from features.timeline.source_state import Declared, SourceState, judge_source, leads_ended
from pipeline.ingest.source_table import SourceTable, Tables
from pipeline.settings.events import KnownDelay
from pipeline.settings.ingest import Source

_DAY = timedelta(days=1)


def judge_sources(tables: Tables) -> tuple[dict[str, SourceState], Silences]:
    """Judge every source; gives the silences of the log as a whole, too, in which no source had a row."""
    sources = {name: table.settings for name, table in tables.items() if isinstance(table.settings, Source)}
    last = {name: known for name in sources if (known := tables[name].last_known_at)}
    until = max(sources[name].observed_until or known - _delay(sources[name]) for name, known in last.items())
    arrivals = {name: tables[name].arrivals("known_at") for name in last}
    created = tables["leads"].arrivals("created_at") if "leads" in tables else None
    ended = leads_ended(created, until) if created and len(created.minutes) else None
    states = dict.fromkeys(sources, SourceState("unjudged", "it has no row that could be read"))
    for name, known in last.items():
        lacks = _Campaigns(tables[name])
        states[name] = judge_source(arrivals[name], known, until, _declared(sources[name]), lacks.explain, ended)
    minutes = np.sort(np.concatenate([one.minutes for one in arrivals.values()]))
    minutes = minutes[np.diff(minutes, prepend=-1) != 0]  # np.unique hashes all, which takes ten times as long
    whole = Arrivals(minutes, np.ones(len(minutes), dtype=np.int64))
    return states, measure_silences(whole, until, Calendar())


def _delay(source: Source) -> timedelta:
    return source.known_at.delay if isinstance(source.known_at, KnownDelay) else timedelta(0)


def _declared(source: Source) -> Declared:
    return Declared(Calendar(source.time_zone, source.closed_days), source.closed, source.quiet, source.observed_until)


class _Campaigns:
    """Counts the rows of days by campaign, where it is asked whether a thin day lacks one of them."""

    def __init__(self, table: SourceTable) -> None:
        self._table = table
        assert isinstance(table.settings, Source)  # noqa: S101 - the caller's choice
        self._calendar = Calendar(table.settings.time_zone)
        self._mapped = table.settings.columns.campaign is not None

    def explain(self, hole: Hole, such_days: list[date]) -> str | None:
        """Say which campaign a day lacks; none where it lacks more, or where rows name no campaigns."""
        if not self._mapped or hole.day is None:
            return None
        length = hole.end - hole.begin
        begins = [hole.begin, *(self._calendar.utc(day) for day in such_days)]
        ends = [hole.end]
        for day, begin in zip(such_days, begins[1:], strict=True):
            ends.append(min(begin + length, self._calendar.utc(day + _DAY)))
        rows = self._count(begins, ends)
        campaign = lacks_one_campaign(rows[0], rows[1:])
        return f"without the campaign {campaign!r} it is as usual" if campaign else None

    def _count(self, begins: list[datetime], ends: list[datetime]) -> list[dict[str | None, int]]:
        spans = ", ".join("(?, ?, ?)" for _ in begins)
        found = self._table.connection.execute(
            f"SELECT number, campaign, count(*) FROM {self._table.mapped} "
            f"JOIN (VALUES {spans}) AS span(number, first, past) ON known_at >= first AND known_at < past "
            "WHERE reason IS NULL GROUP BY ALL",
            [value for number, pair in enumerate(zip(begins, ends, strict=True)) for value in (number, *pair)],
        ).fetchall()
        counts: list[dict[str | None, int]] = [{} for _ in begins]
        for number, campaign, rows in found:
            counts[number][campaign] = rows
        return counts


def lacks_one_campaign(rows: Mapping[str | None, int], such_days: Sequence[Mapping[str | None, int]]) -> str | None:
    """Name the campaign without which a thin day is as usual; none where there is none.

    ``rows``: of the day, by campaign; ``such_days``: of the days that it is compared with. Of each of them the largest
    campaign is left out of those that the day has hardly any rows of, for a newsletter has another name every week.
    """
    rests, left_out = [], []
    for other in such_days:
        gone = {name: count for name, count in other.items() if name and rows.get(name, 0) < count / 5}
        name = max(gone, key=lambda key: (gone[key], key or ""), default=None)
        left_out.append(name)
        rests.append(sum(count for key, count in other.items() if key != name))
    rest = sum(count for key, count in rows.items() if key not in left_out)
    usual = float(np.median(rests)) if rests else 0.0
    named = [name for name in left_out if name]
    if not named or rest < max(FAR_FEWER * usual, 1):
        return None
    return max(set(named), key=lambda name: (named.count(name), name))
