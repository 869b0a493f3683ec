"""Who computes the matrix: this process, or Spark. Stages ask an executor, and know nothing of either."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa

from features.language.catalogue import Catalogue
from pipeline.matrix import local, spark
from pipeline.settings.run import Run
from pipeline.settings.types import halve, in_bytes


class Executor(Protocol):
    """Computes the matrix of snapshots, batch by batch; ``pipeline.matrix.local.stream_matrix`` says of what and how.

    Whichever it is, the rows are the same, in the same order, to the last bit.
    """

    def __call__(
        self,
        connection: duckdb.DuckDBPyConnection,
        snapshots: str,
        interactions: Path,
        leads: Path,
        catalogue: Catalogue,
        *,
        keep: Sequence[str] = (),
    ) -> Iterator[pa.Table]:
        """Yield the matrix."""
        ...


def executor_of(run: Run) -> Executor:
    """Give the executor that the settings name; DuckDB has the other half of ``run.memory_limit`` here."""
    if run.executor == "spark":
        return partial(spark.stream_matrix, run.master, in_bytes(run.memory_limit))
    _, of_batches = halve(run.memory_limit)
    return partial(local.stream_matrix, memory_limit=of_batches)
