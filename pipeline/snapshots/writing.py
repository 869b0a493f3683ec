"""The snapshots of all stretches in one file: each gets its label as it passes, and a row group is held at most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.timeline.labels import LabelCounts, assign_labels

ROW_GROUP = 1 << 20


class Labelling:
    """Labels for snapshots as they pass, and the counts of those that have passed."""

    def __init__(
        self,
        horizon: timedelta,
        outcome_delay: timedelta,
        observed_until: datetime,
        observed_from: datetime | None,
    ) -> None:
        self._known = (horizon, outcome_delay, observed_until, observed_from)
        self.counts = LabelCounts()

    def assign(self, taken: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
        """Give snapshots, which come in batches of whole leads, their labels, as ``assign_labels`` does."""
        for batch in taken:
            labelled = assign_labels(batch.to_pandas(), *self._known)
            self.counts += LabelCounts.of(labelled)
            yield pa.Table.from_pandas(labelled, preserve_index=False).replace_schema_metadata()


def write_snapshots(tables: Iterable[pa.Table], target: Path) -> Iterator[int]:
    """Write tables in row groups of one size, whatever the tables, and yield how many rows have come so far.

    There is at least one. A row group is written from whole columns, so that its bytes follow from the rows alone.
    """
    held: list[pa.Table] = []
    done = 0
    writer: pq.ParquetWriter | None = None
    try:
        for table in tables:
            writer = writer or pq.ParquetWriter(target, table.schema)
            held.append(table)
            while sum(map(len, held)) >= ROW_GROUP:
                full, held = held, [pa.concat_tables(held).slice(ROW_GROUP)]
                writer.write_table(_take_first(full), ROW_GROUP)
            done += len(table)
            yield done
        if writer is not None and any(map(len, held)):
            writer.write_table(_take_first(held), ROW_GROUP)
    finally:
        if writer is not None:
            writer.close()


def _take_first(tables: list[pa.Table]) -> pa.Table:
    """Give a row group of the first rows, in whole columns; the list is emptied, so that there are never two copies."""
    rows = pa.concat_tables(tables).slice(0, ROW_GROUP)
    tables.clear()
    schema, columns = rows.schema, []
    for name in schema.names:
        columns.append(rows[name].combine_chunks())
        rows = rows.drop_columns(name)
    return pa.Table.from_arrays(columns, schema=schema)
