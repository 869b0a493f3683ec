"""Writing the log: the usable rows of all sources, sorted by lead and time, in a layout that is cheap to read.

Rows are dealt out to parts by the rank of their lead, on disk; each part is sorted alone, and the parts are written in
their order. So no sort is larger than a part, however long the log. Rows move as few bytes as they can: leads and texts
of few values as numbers, and what is the same in every row, or follows from what is there, is added behind the sort.
What is set aside comes by the same way, and is written beside the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.core.schema import INTERACTION, Field
from features.timeline.rhythm import Arrivals
from pipeline.core.parallel import cores, in_order
from pipeline.core.project import Progress
from pipeline.core.sql import fetch_row, file_literal, identifier, literal
from pipeline.ingest.local_days import LOCAL_TIME, join_local_days, tabulate_local_days
from pipeline.ingest.relations import Relations
from pipeline.ingest.source_table import SourceTable, Tables
from pipeline.partitions.arrangement import arrange, numbers_of
from pipeline.partitions.log_file import by_numbers, write_parts
from pipeline.partitions.looks import Look
from pipeline.partitions.spool import MOST_PARTS, Spool
from pipeline.partitions.texts import NumberedTexts, TooManyTextsError
from pipeline.reading.quarantine import DUPLICATE, UNKNOWN_LEAD, say_rows
from pipeline.settings.ingest import Source

_TEXTS = ("event_type", "actor", "channel", "campaign", "content")
"""What has few values, as a rule."""
_AT_ONCE = 1 << 19
"""How many rows come at once, and the most that are sorted at once."""
_FIRST_ROWS = 100_000
"""Which tell what texts a source holds as a rule."""
_MOST_KNOWN = 4096
_ROW_BYTES = 256
"""What a row takes while it is sorted."""
_FEWEST = 1 << 16
"""Parts of fewer rows are not worth their while."""
_FINER = 4
"""By so much parts are smaller on average: leads differ in how much they do, and what is too large is dealt again."""
_STRANGERS = 1 << 16
"""So many numbers stand for unknown leads, of which each row has its id, too."""
_ASIDE = pa.schema([("sequence", pa.int64()), ("reason", pa.string())])
_EPOCH = datetime(1970, 1, 1)
_DAY, _HOUR = 86_400_000_000, 3_600_000_000


def write_log(relations: Relations, tables: Tables, target: Path, memory_limit: int, progress: Progress) -> None:
    """Write the usable rows of the sources to a Parquet file, sorted as the schema says.

    Makes ``aside`` of each source, and ``duplicates`` of those in which repeated rows are found part by part.
    ``memory_limit`` is in bytes, and bounds what is sorted at once.
    """
    plan = _Plan(relations, tables)
    most = min(max(memory_limit // (cores() + 2) // _ROW_BYTES, _FEWEST), _AT_ONCE)
    while True:
        try:
            _write(plan, target, most, progress)
        except TooManyTextsError as error:
            plan.as_texts(error.name)
        else:
            return


def _write(plan: _Plan, target: Path, most: int, progress: Progress) -> None:
    with ExitStack() as stack:
        asides = [stack.enter_context(_Aside(source, target.parent)) for source in plan.sources]
        known, strangers = (stack.enter_context(Spool(target.with_suffix(f".{name}"))) for name in ("known", "others"))
        for number, aside in enumerate(asides):
            _deal(plan, number, known, strangers, aside, most)
        for source in plan.sources:
            if source.looked_at_later:
                progress(f"{source.name}: {say_rows(source.rows, source.rows - source.usable)}")
        progress("sorting and writing the log")
        write_parts(_finished(plan, known, asides, most), target)
        for rows in strangers.in_order(most):
            arranged = arrange(rows, [*plan.whole_row, "stranger"], plan.by_parts)
            _set_aside(asides, arranged.rows, UNKNOWN_LEAD)
            _set_aside(asides, arranged.repeats, DUPLICATE)


class _Plan:
    """What travels of each row, and how it becomes a row of the log."""

    def __init__(self, relations: Relations, tables: Tables) -> None:
        self.relations = relations
        self.sources = [table for _, table in sorted(tables.items()) if isinstance(table.settings, Source)]
        self.by_parts = [number for number, source in enumerate(self.sources) if source.repeats_by_parts]
        self._zoned = tabulate_local_days(relations, self.sources)
        self._made = _made(self.sources, linked="identities" in tables)
        self._local = _local(LOCAL_TIME) if self._zoned else {}
        apart = {"lead_id", "source", *self._made, *(set() if self._zoned else _local(""))}
        self._kept = [field for field in INTERACTION if field.name not in apart]
        self._leads = fetch_row(relations.connection, f"SELECT count(*) FROM {relations.leads}")[0]
        self._texts = {
            name: NumberedTexts(name, _make_type(relations.connection, name, self.sources))
            for name in _TEXTS
            if name not in self._made
        }
        """The texts for which numbers travel."""

    def as_texts(self, name: str) -> None:
        """Let the texts of a column travel as they are, and forget those of the others."""
        self._texts = {
            other: NumberedTexts(other, texts.known) for other, texts in self._texts.items() if other != name
        }

    def width_of_parts(self, most: int) -> int:
        """Tell how many leads make a part."""
        rows = sum(source.expected_rows() for source in self.sources)
        return int(self._leads // min(rows * _FINER // most + 1, MOST_PARTS)) + 1

    @property
    def known_at(self) -> str:
        """The column of what travels that tells when rows were known."""
        return "occurred_at" if "known_at" in self._made else "known_at"

    @property
    def whole_row(self) -> list[str]:
        """What else two rows of a lead and a time have in common where one repeats the other, as far as it differs."""
        same = {"actor", "sequence", "occurred_at", *_local("")}
        return [field.name for field in self._kept if field.name not in same]

    def query(self, source: SourceTable) -> str:
        """Write the query of all rows of a source: lead, reason, then what travels."""
        lead = "rank"
        stranger = ""
        if source.repeats_by_parts:
            lead = f"CASE WHEN reason = '{UNKNOWN_LEAD}' THEN hash(lead_id) % {_STRANGERS} ELSE rank END"
            stranger = f", CASE WHEN reason = '{UNKNOWN_LEAD}' THEN lead_id END AS stranger"
        columns = ", ".join(f"{self._cast(field)}" for field in self._kept)
        rows = join_local_days(self.relations, source.judged) if self._zoned else source.judged
        return f"SELECT CAST({lead} AS UINTEGER) AS lead, reason{stranger}, {columns} FROM {rows}"

    def _cast(self, field: Field) -> str:
        name = field.name
        if name in self._texts and self._texts[name].known:
            known = f"TRY_CAST({name} AS {_type(name)})"
            return f"{known} AS {name}, CASE WHEN {known} IS NULL THEN {name} END AS {_other(name)}"
        return f"TRY_CAST({self._local.get(name, name)} AS {field.duckdb}) AS {name}"

    def travelling(self, batch: pa.RecordBatch, number: int, *more: str) -> pa.RecordBatch:
        """Give what travels of rows of a source, and some ``more`` columns, with numbers for texts of few values."""
        columns = {"source": pa.array(np.full(len(batch), number, np.uint16)), "lead": batch["lead"]}
        columns |= {name: batch[name] for name in more}
        for field in self._kept:
            name, column = field.name, batch[field.name]
            if name in self._texts:
                texts = self._texts[name]
                known = pa.types.is_dictionary(column.type)
                numbers = texts.encode_known(column, batch[_other(name)]) if known else texts.encode(column)
                columns[name] = pa.array(numbers)
            else:
                # Of what can be used, no amount is NaN; without gaps, columns are dealt in half of the time.
                columns[name] = column.fill_null(np.nan) if pa.types.is_floating(column.type) else column
        return pa.RecordBatch.from_pydict(columns)

    def lead_ids(self, rows: pa.Table) -> pa.Array:
        """Give the ids of the leads from the first to the last that a part has."""
        first, last = (one.as_py() for one in pc.min_max(rows["lead"]).values())
        query = f"SELECT lead_id FROM {self.relations.leads} WHERE rank BETWEEN {first} AND {last} ORDER BY rank"
        return self.relations.connection.sql(query).to_arrow_table()["lead_id"].combine_chunks()

    def finish(self, rows: pa.Table, lead_ids: pa.Array) -> pa.Table:
        """Make rows of the log of what has travelled, in the same order."""
        leads = numbers_of(rows["lead"])
        made = {
            "lead_id": by_numbers(pa.array((leads - leads[0]).astype(np.int32)), lead_ids),
            "source": by_numbers(rows["source"].combine_chunks(), pa.array([one.name for one in self.sources])),
        }
        if not self._zoned:
            time = numbers_of(rows["occurred_at"])
            made["local_day"] = pa.array((time // _DAY).astype(np.int32)).view(pa.date32())
            made["local_hour"] = pa.array((time % _DAY // _HOUR).astype(np.int8))
        made |= {name: make(rows) for name, make in self._made.items()}
        for field in self._kept:
            column = rows[field.name].combine_chunks()
            if field.name in self._texts:
                column = self._texts[field.name].decode(column)
            elif pa.types.is_floating(column.type):
                column = pa.array(np.asarray(column), from_pandas=True)
            made[field.name] = column
        return pa.table({field.name: made[field.name] for field in INTERACTION})

    def nothing(self) -> pa.Table:
        """Give a part of the log that has no rows."""
        of_few = {"lead_id", "source", "actor", *(field.name for field in self._kept if field.name in self._texts)}
        numbered = pa.dictionary(pa.int32(), pa.string())
        fields = [(field.name, numbered if field.name in of_few else field.arrow) for field in INTERACTION]
        return pa.schema(fields).empty_table()


class _Aside:
    """What is set aside of a source: sequence and reason, in any order. As a context: ``aside`` is made at its end."""

    def __init__(self, source: SourceTable, folder: Path) -> None:
        self._source = source
        self._path = folder / f"aside-{source.name}.parquet"
        self._writer = pq.ParquetWriter(self._path, _ASIDE, compression="lz4")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._writer.close()
        if kind is not None:
            return
        self._source.aside.make_view(f"FROM read_parquet({file_literal(self._path)})")
        if self._source.repeats_by_parts:
            found = f"SELECT sequence FROM {self._source.aside} WHERE reason = '{DUPLICATE}'"
            self._source.duplicates.insert(found)

    def add(self, sequences: pa.Array, reasons: pa.Array | str) -> None:
        """Set rows aside."""
        if len(sequences):
            told = pa.repeat(reasons, len(sequences)) if isinstance(reasons, str) else reasons
            self._writer.write_batch(pa.RecordBatch.from_arrays([sequences, told], schema=_ASIDE))


def _deal(plan: _Plan, number: int, known: Spool, strangers: Spool, aside: _Aside, most: int) -> None:
    """Deal the rows of a source out: to the parts of their leads, to those of unknown ones, or aside."""
    connection, source = plan.relations.connection, plan.sources[number]
    width = plan.width_of_parts(most)
    look = Look()
    connection.execute("SET preserve_insertion_order = false")
    with _as_of_duckdb():
        for whole in connection.sql(plan.query(source)).to_arrow_reader(_AT_ONCE):
            batch, reasons = whole, whole["reason"]
            if source.looked_at_later:
                mapped = _mapped(whole)
                look.take(len(whole), mapped["occurred_at"], mapped[plan.known_at])
            if reasons.null_count < len(batch):
                others = reasons.is_valid()
                if source.repeats_by_parts:
                    unknown = pc.equal(reasons, UNKNOWN_LEAD).fill_null(False)
                    others = pc.and_not(others, unknown)
                    stranger = plan.travelling(batch.filter(unknown), number, "stranger")
                    strangers.deal(stranger, (numbers_of(stranger["lead"]) // (_STRANGERS >> 8)).astype(np.uint16))
                broken = batch.filter(others)
                aside.add(broken["sequence"], broken["reason"])
                batch = batch.filter(reasons.is_null())
            row = plan.travelling(batch, number)
            known.deal(row, ((numbers_of(row["lead"]) - 1) // width).astype(np.uint16))
    connection.execute("SET preserve_insertion_order = true")
    if source.looked_at_later:
        source.rows, source.usable, source.last_known_at = look.rows, look.usable, _moment(look.known)
        source.first_occurred_at, source.last_occurred_at = map(_moment, look.occurred or (None, None))
        source.counted = Arrivals(*look.arrivals())


def _mapped(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Leave out the rows that mapping found unusable."""
    reasons = rows["reason"]
    if reasons.null_count == len(rows):
        return rows
    return rows.filter(pc.or_kleene(reasons.is_null(), pc.equal(reasons, UNKNOWN_LEAD)))


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


@contextmanager
def _as_of_duckdb() -> Iterator[None]:
    """Tell what DuckDB fails with while rows come from it as DuckDB does elsewhere."""
    try:
        yield
    except pa.ArrowException as error:
        kind = duckdb.OutOfMemoryException if "Out of Memory" in str(error) else duckdb.Error
        raise kind(str(error)) from None


def _finished(plan: _Plan, known: Spool, asides: Sequence[_Aside], most: int) -> Iterator[pa.Table]:
    """Sort part after part, on all cores, and give the rows of the log in their order; what repeats is set aside."""
    yield plan.nothing()
    parts = ((rows, plan.lead_ids(rows)) for rows in known.in_order(most))

    def sort(rows: pa.Table, lead_ids: pa.Array) -> tuple[pa.Table, pa.Table]:
        arranged = arrange(rows, plan.whole_row, plan.by_parts)
        return plan.finish(arranged.rows, lead_ids), arranged.repeats

    for rows, repeats in in_order(sort, parts, cores()):
        _set_aside(asides, repeats, DUPLICATE)
        yield rows


def _set_aside(asides: Sequence[_Aside], rows: pa.Table, reason: str) -> None:
    for number in pc.unique(rows["source"]).to_pylist():
        own = rows.filter(pc.equal(rows["source"], number))
        asides[number].add(own["sequence"].combine_chunks(), reason)


def _make_type(connection: duckdb.DuckDBPyConnection, name: str, sources: Sequence[SourceTable]) -> list[str]:
    """Make a type of the texts that first rows hold, if they are few, and give them in the order of their bytes.

    A cast to it that may fail is made once for each entry of a column's dictionary, where texts are read one by one.
    """
    found: set[str] = set()
    for source in sources:
        first = f"SELECT {name} FROM {source.mapped} WHERE reason IS NULL LIMIT {_FIRST_ROWS}"
        held = f"SELECT DISTINCT {name} FROM ({first}) WHERE {name} IS NOT NULL LIMIT {_MOST_KNOWN + 1}"
        found.update(text for (text,) in connection.execute(held).fetchall())
    texts = sorted(found, key=str.encode)
    if not 0 < len(texts) <= _MOST_KNOWN:
        return []
    connection.execute(f"CREATE TYPE {_type(name)} AS ENUM ({', '.join(map(literal, texts))})")
    return texts


def _type(name: str) -> str:
    return identifier(f"known {name}")


def _other(name: str) -> str:
    return f"other_{name}"


def _local(time: str) -> dict[str, str]:
    return {"local_day": time, "local_hour": f"hour({time})"}


def _made(sources: Sequence[SourceTable], *, linked: bool) -> dict[str, Callable[[pa.Table], pa.Array]]:
    """Give the fields that need not travel: every row holds the same, or they repeat another one."""
    made: dict[str, Callable[[pa.Table], pa.Array]] = {}
    settings = [table.settings for table in sources if isinstance(table.settings, Source)]
    if not linked and all(source.known_at == "as_it_occurred" for source in settings):
        made["known_at"] = lambda rows: rows["occurred_at"].combine_chunks()
    columns = [source.columns for source in settings]
    if not any(own.quantity or own.counts for own in columns):
        made["quantity"] = lambda rows: pa.array(np.ones(len(rows), np.int64))
    actors = {source.actor for source in settings if isinstance(source.actor, str) and not source.machines}
    if len(actors) == 1 and all(isinstance(source.actor, str) and not source.machines for source in settings):
        made["actor"] = partial(_same, *actors)
    absent = {field.name: field.arrow for field in INTERACTION if field.nullable}
    for name, kind in absent.items():
        if not any(getattr(own, name) or (name == "channel" and own.traffic()) for own in columns):
            made[name] = partial(_nothing, kind)
    return made


def _same(text: str, rows: pa.Table) -> pa.Array:
    return by_numbers(pa.array(np.zeros(len(rows), np.int32)), pa.array([text]))


def _nothing(kind: pa.DataType, rows: pa.Table) -> pa.Array:
    return pa.nulls(len(rows), kind)
