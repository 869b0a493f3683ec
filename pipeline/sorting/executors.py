"""Who maps files and sorts the log: this process, or Spark. ``ingest`` asks an executor, and knows neither."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import duckdb

from pipeline.settings.run import Run
from pipeline.settings.types import in_bytes
from pipeline.sorting.dealing import Aside, SortedRows
from pipeline.sorting.files import FileToMap, MappedCopy, SourceRows
from pipeline.sorting.form import Form
from pipeline.sorting.local import Local
from pipeline.sorting.spark import OnSpark
from pipeline.sorting.travel import Travel


class Executor(Protocol):
    """Maps files, and sorts rows into the log's order; whichever it is, the rows and their order are the same."""

    @property
    def most_at_once(self) -> int:
        """How many rows are sorted at once; parts are made to fit."""
        ...

    def map_files(
        self, connection: duckdb.DuckDBPyConnection, tables: Sequence[Sequence[FileToMap]]
    ) -> Iterator[Sequence[MappedCopy]]:
        """Map the files of tables, and give what was written of each table once it is there, in the order of rows.

        It lies in the folders of the targets, in one file for each or in several.

        Raises InputError for the first file that can't be read to its end.
        """
        ...

    def sort(
        self,
        connection: duckdb.DuckDBPyConnection,
        travel: Travel,
        form: Form,
        sources: Sequence[SourceRows],
        leads: str,
        asides: Sequence[Aside],
        folder: Path,
    ) -> AbstractContextManager[SortedRows]:
        """Judge the rows of sources and deal them out, to be written in the order of the log while the context lasts.

        ``leads``: the name of the relation of leads, which is ``beside`` all sources. ``asides``: a file for each
        source, for what is set aside. ``folder``: an empty one, for what lies between. Raises InputError where a file
        can't be read, and TooManyTextsError.
        """
        ...


def executor_of(run: Run) -> Executor:
    """Give the executor that the settings name."""
    if run.executor == "spark":
        return OnSpark(run.master, run.memory_limit)
    return Local(in_bytes(run.memory_limit))
