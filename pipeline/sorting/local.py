"""Files mapped and the log sorted in this process: those that are alike at once, and part by part on all cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.parallel import cores
from pipeline.core.parallel import in_order as side_by_side
from pipeline.core.sql import identifier
from pipeline.partitions.arrangement import arrange
from pipeline.partitions.log_file import write_parts
from pipeline.partitions.looks import Look
from pipeline.partitions.spool import Spool, in_order
from pipeline.reading.quarantine import DUPLICATE, UNKNOWN_LEAD
from pipeline.sorting.dealing import Aside, SortedRows, deal, most_at_once, set_aside
from pipeline.sorting.files import FileToMap, MappedCopy, SourceRows
from pipeline.sorting.form import Form
from pipeline.sorting.travel import Travel


@dataclass(frozen=True)
class Local:
    """Does it in this process, within ``memory_limit`` bytes; see ``pipeline.sorting.executors.Executor``."""

    memory_limit: int

    @property
    def most_at_once(self) -> int:
        """How many rows are sorted at once."""
        return most_at_once(self.memory_limit, cores() + 2)

    def map_files(
        self, connection: duckdb.DuckDBPyConnection, tables: Sequence[Sequence[FileToMap]]
    ) -> Iterator[Sequence[MappedCopy]]:
        """Map the files of a table when the next one is asked for."""
        for files in tables:
            groups: list[list[FileToMap]] = []
            for file in files:
                if groups and file.is_like(groups[-1][0]):
                    groups[-1].append(file)
                else:
                    groups.append([file])
            for first, *alike in groups:
                first.write(connection, *alike)
            yield [first.copy for first, *_ in groups]

    @contextmanager
    def sort(
        self,
        connection: duckdb.DuckDBPyConnection,
        travel: Travel,
        form: Form,
        sources: Sequence[SourceRows],
        leads: str,
        asides: Sequence[Aside],
        folder: Path,
    ) -> Iterator[SortedRows]:
        """Deal the rows out, and sort parts as they are written."""
        with ExitStack() as stack:
            known, strangers = (stack.enter_context(Spool(folder / name)) for name in ("known", "others"))
            looks = [Look() if source.looked_at else None for source in sources]
            travel.make_types(connection)
            for source, aside, look in zip(sources, asides, looks, strict=True):
                deal(connection, source.query, source.number, travel, known, strangers, aside, look)

            def lead_ids(rows: pa.Table) -> pa.Array:
                """Give the ids of the leads from the first to the last that a part has."""
                first, last = (one.as_py() for one in pc.min_max(rows["lead"]).values())
                query = f"SELECT lead_id FROM {identifier(leads)} WHERE rank BETWEEN {first} AND {last} ORDER BY rank"
                return connection.sql(query).to_arrow_table()["lead_id"].combine_chunks()

            def finish(rows: pa.Table, ids: pa.Array) -> tuple[pa.Table, pa.Table]:
                arranged = arrange(rows, travel.whole_row, travel.by_parts)
                return form.finish(arranged.rows, ids, travel), arranged.repeats

            def finished() -> Iterator[pa.Table]:
                """Put part after part in order, on all cores."""
                yield form.nothing(travel)
                parts = in_order([known.dealt()], self.most_at_once, folder / "known")
                for rows, repeats in side_by_side(finish, ((rows, lead_ids(rows)) for rows in parts), cores()):
                    set_aside(asides, repeats, DUPLICATE)
                    yield rows

            def write(target: Path) -> None:
                write_parts(finished(), target)
                for rows in in_order([strangers.dealt()], self.most_at_once, folder / "others"):
                    arranged = arrange(rows, [*travel.whole_row, "stranger"], travel.by_parts)
                    set_aside(asides, arranged.rows, UNKNOWN_LEAD)
                    set_aside(asides, arranged.repeats, DUPLICATE)

            yield SortedRows(looks, write)
