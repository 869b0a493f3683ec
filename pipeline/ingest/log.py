"""Writing the log: the usable rows of all sources, sorted by lead and time, in a layout that is cheap to read.

An executor deals rows out to parts by the rank of their lead and sorts each part alone; here the parts are written in
their order. So no sort is larger than a part, however long the log. What is set aside comes by the same way, and is
written beside the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.compute as pc

from features.core.schema import INTERACTION
from features.timeline.rhythm import Arrivals
from pipeline.core.project import Progress
from pipeline.core.sql import LINE_BITS, fetch_row, file_literal
from pipeline.ingest.local_days import LOCAL_TIME, join_local_days, tabulate_local_days
from pipeline.ingest.machines import rules_of
from pipeline.ingest.relations import Relations
from pipeline.ingest.source_table import SourceTable, Tables
from pipeline.partitions.looks import Look
from pipeline.partitions.spool import MOST_PARTS
from pipeline.partitions.texts import NumberedTexts, TooManyTextsError
from pipeline.reading.quarantine import DUPLICATE, say_rows
from pipeline.settings.ingest import Source
from pipeline.sorting.dealing import Aside
from pipeline.sorting.executors import Executor
from pipeline.sorting.files import Beside, SourceRows
from pipeline.sorting.form import Form, Make, as_it_occurred, nothing_each, one_each, the_same
from pipeline.sorting.travel import LOCAL, Travel

_TEXTS = ("event_type", "actor", "channel", "campaign", "content")
"""What has few values, as a rule."""
_FIRST_ROWS = 100_000
"""Which tell what texts a source holds as a rule."""
_MOST_KNOWN = 4096
_FINER = 4
"""By so much parts are smaller on average: leads differ in how much they do, and what is too large is dealt again."""
_EPOCH = datetime(1970, 1, 1)


def write_log(relations: Relations, tables: Tables, target: Path, executor: Executor, progress: Progress) -> None:
    """Write the usable rows of the sources to a Parquet file, sorted as the schema says.

    Makes ``aside`` of each source, and ``duplicates`` of those in which repeated rows are found part by part.
    """
    plan = _Plan(relations, tables)
    while True:
        try:
            _write(plan, target, executor, progress)
        except TooManyTextsError as error:
            plan.as_texts(error.name)
        else:
            return


def _write(plan: _Plan, target: Path, executor: Executor, progress: Progress) -> None:
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(TemporaryDirectory(dir=target.parent, prefix="sorting-", ignore_cleanup_errors=True))
        )
        asides = [stack.enter_context(Aside(target.parent / f"aside-{source.name}.parquet")) for source in plan.sources]
        travel = plan.travel(executor.most_at_once)
        connection, leads = plan.relations.connection, plan.relations.leads.name
        sorting = executor.sort(connection, travel, plan.form(), plan.rows(travel), leads, asides, folder)
        rows = stack.enter_context(sorting)
        for source, look in zip(plan.sources, rows.looks, strict=True):
            if look:
                _keep(source, look)
                progress(f"{source.name}: {say_rows(source.rows, source.rows - source.usable)}")
        progress("sorting and writing the log")
        rows.write(target)
    for source, aside in zip(plan.sources, asides, strict=True):
        _show_aside(source, aside.path)


class _Plan:
    """What travels of each row, and how it becomes a row of the log."""

    def __init__(self, relations: Relations, tables: Tables) -> None:
        self.relations = relations
        self.sources = [table for _, table in sorted(tables.items()) if isinstance(table.settings, Source)]
        self._zoned = tabulate_local_days(relations, self.sources)
        self._made = _made(self.sources, linked="identities" in tables)
        apart = {"lead_id", "source", *self._made, *(set() if self._zoned else LOCAL)}
        self._kept = [field for field in INTERACTION if field.name not in apart]
        self._leads = fetch_row(relations.connection, f"SELECT count(*) FROM {relations.leads}")[0]
        self._known = _known_texts(self.sources, [name for name in _TEXTS if name not in self._made])
        """The texts for which numbers travel, as far as they are known before."""

    def as_texts(self, name: str) -> None:
        """Let the texts of a column travel as they are."""
        del self._known[name]

    def travel(self, most: int) -> Travel:
        """Tell what travels, to parts of which as a rule none has more than so many rows."""
        return Travel(
            self._kept,
            {"local_day": LOCAL_TIME, "local_hour": f"hour({LOCAL_TIME})"} if self._zoned else {},
            {name: NumberedTexts(name, known) for name, known in self._known.items()},
            [number for number, source in enumerate(self.sources) if source.repeats_by_parts],
            self._width_of_parts(most),
            "occurred_at" if "known_at" in self._made else "known_at",
        )

    def form(self) -> Form:
        """Tell how what has travelled becomes rows of the log."""
        return Form([source.name for source in self.sources], self._made, not self._zoned)

    def _width_of_parts(self, most: int) -> int:
        rows = sum(source.expected_rows() for source in self.sources)
        return int(self._leads // min(rows * _FINER // most + 1, MOST_PARTS)) + 1

    def rows(self, travel: Travel) -> list[SourceRows]:
        """Tell where the rows of the sources are, and what is asked of them."""
        return [
            SourceRows(
                number,
                source.name,
                source.mapped.name,
                source.judged.name,
                source.judging,
                travel.query(
                    number, join_local_days(self.relations, source.judged) if self._zoned else str(source.judged)
                ),
                source.mapped_files(),
                self._beside(source),
                source.looked_at_later,
            )
            for number, source in enumerate(self.sources)
        ]

    def _beside(self, source: SourceTable) -> list[Beside]:
        """List what judging the rows of a source asks: what it asks of all sources, and what was found of its rows."""
        aliases, leads, rates, days = (
            self.relations.aliases,
            self.relations.leads,
            self.relations.rates,
            self.relations.local_days,
        )
        ids = f"SELECT lead_id FROM {{mapped}} UNION ALL SELECT lead_id FROM {aliases}"
        found = [source.duplicates]
        found += [source.totals] if source.may_hold_totals else []
        found += [source.machines] if rules_of(source) else []
        of_file = f"WHERE sequence >> {LINE_BITS} = {{number}}"
        return [
            Beside(
                aliases.name, f"FROM {aliases} ORDER BY alias_id", "WHERE alias_id IN (SELECT lead_id FROM {mapped})"
            ),
            Beside(
                leads.name, f"SELECT lead_id, rank, time_zone FROM {leads} ORDER BY rank", f"WHERE lead_id IN ({ids})"
            ),
            Beside(rates.name, f"FROM {rates}"),
            *([Beside(days.name, f"FROM {days}")] if self._zoned else []),
            *(Beside(one.name, f"SELECT sequence FROM {one} ORDER BY sequence", of_file) for one in found),
        ]


def _keep(source: SourceTable, look: Look) -> None:
    """Note what the rows of a source look like that are looked at only now."""
    source.rows, source.usable, source.last_known_at = look.rows, look.usable, _moment(look.known)
    source.first_occurred_at, source.last_occurred_at = map(_moment, look.occurred or (None, None))
    source.counted = Arrivals(*look.arrivals())


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def _show_aside(source: SourceTable, path: Path) -> None:
    """Make ``aside`` of a source, and its ``duplicates`` where they have only now been found."""
    source.aside.make_view(f"FROM read_parquet({file_literal(path)})")
    if source.repeats_by_parts:
        source.duplicates.insert(f"SELECT sequence FROM {source.aside} WHERE reason = '{DUPLICATE}'")


def _known_texts(sources: Sequence[SourceTable], names: Sequence[str]) -> dict[str, list[str]]:
    """Give the texts that first rows hold in some columns, where they are few, in the order of their bytes."""
    found: dict[str, set[str]] = {name: set() for name in names}
    for source in sources if names else ():
        first = f"SELECT {', '.join(names)} FROM {source.mapped} WHERE reason IS NULL LIMIT {_FIRST_ROWS}"
        rows = source.connection.sql(first).to_arrow_table()
        for name, texts in found.items():
            texts.update(pc.unique(rows[name]).drop_null().to_pylist())
    return {name: sorted(texts, key=str.encode) if len(texts) <= _MOST_KNOWN else [] for name, texts in found.items()}


def _made(sources: Sequence[SourceTable], *, linked: bool) -> dict[str, Make]:
    """Give the fields that need not travel: every row holds the same, or they repeat another one."""
    made: dict[str, Make] = {}
    settings = [table.settings for table in sources if isinstance(table.settings, Source)]
    if not linked and all(source.known_at == "as_it_occurred" for source in settings):
        made["known_at"] = as_it_occurred
    columns = [source.columns for source in settings]
    if not any(own.quantity or own.counts for own in columns):
        made["quantity"] = one_each
    actors = {source.actor for source in settings if isinstance(source.actor, str) and not source.machines}
    if len(actors) == 1 and all(isinstance(source.actor, str) and not source.machines for source in settings):
        made["actor"] = partial(the_same, *actors)
    absent = {field.name: field.arrow for field in INTERACTION if field.nullable}
    for name, kind in absent.items():
        if not any(getattr(own, name) or (name == "channel" and own.traffic()) for own in columns):
            made[name] = partial(nothing_each, kind)
    return made
