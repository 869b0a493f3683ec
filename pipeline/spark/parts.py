"""Work in parts, a task of Spark each: what passes are the parts' numbers, and what is told of each when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from features.core.errors import InputError
from pipeline.spark.failures import ask
from pipeline.spark.session import open_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

Batches = Iterator[pa.RecordBatch]


def each_part(session: SparkSession, parts: int) -> DataFrame:
    """Give the numbers of the parts, each to a task of its own."""
    return session.range(0, parts, 1, max(parts, 1))


def compute_parts(
    master: str | None,
    parts: int,
    task: Callable[[Batches], Batches],
    schema: str,
    what: str,
    meanwhile: Callable[[], None],
) -> list[dict[str, Any]]:
    """Have a task compute each part, and give the rows that they tell, as the schema has them, in any order.

    ``master``: see ``open_session``; ``what`` and ``meanwhile``: see ``ask``.
    """
    session = open_session(master)

    def compute() -> list[Row]:
        rows: list[Row] = each_part(session, parts).mapInArrow(task, schema).collect()
        return rows

    return [row.asDict() for row in ask(session, compute, what, meanwhile)]


def part_numbers(batches: Batches) -> Iterator[int]:
    """Give the numbers of the parts that a task is to compute, on the one core that it has."""
    pa.set_cpu_count(1)
    for batch in batches:
        yield from batch.column(0).to_pylist()


def require_seen(*paths: Path) -> None:
    """Raise InputError where an executor does not see a file that the project has."""
    for path in paths:
        if not path.exists():
            raise InputError(
                f"Spark's executors do not see {path}; the project's folder must lie on a file system that "
                "they share with this machine, under the same path (docs/scaling.md)"
            )
