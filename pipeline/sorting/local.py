"""Files mapped and the log sorted in this process: file by file, and part by part on all of its cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb

from pipeline.core.parallel import cores
from pipeline.partitions.arrangement import arrange
from pipeline.partitions.looks import Look
from pipeline.partitions.spool import Spool, in_order
from pipeline.sorting.dealing import Aside, SortedRows, deal, most_at_once
from pipeline.sorting.files import FileToMap, MappedCopy, SourceRows
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
            for file in files:
                file.write(connection)
            yield [file.copy for file in files]

    @contextmanager
    def sort(
        self,
        connection: duckdb.DuckDBPyConnection,
        travel: Travel,
        sources: Sequence[SourceRows],
        asides: Sequence[Aside],
        folder: Path,
    ) -> Iterator[SortedRows]:
        """Deal the rows out, and let parts be sorted as they are read."""
        with ExitStack() as stack:
            known, strangers = (stack.enter_context(Spool(folder / name)) for name in ("known", "others"))
            looks = [Look() if source.looked_at else None for source in sources]
            travel.make_types(connection)
            for source, aside, look in zip(sources, asides, looks, strict=True):
                deal(connection, source.query, source.number, travel, known, strangers, aside, look)
            of_strangers = in_order([strangers.dealt()], self.most_at_once, folder / "others")
            compared = [*travel.whole_row, "stranger"]
            yield SortedRows(
                travel,
                looks,
                [[] for _ in sources],
                in_order([known.dealt()], self.most_at_once, folder / "known"),
                partial(arrange, whole_row=travel.whole_row, judged=travel.by_parts),
                iter(()),
                (arrange(rows, compared, travel.by_parts) for rows in of_strangers),
            )
