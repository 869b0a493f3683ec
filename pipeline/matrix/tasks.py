"""What a task of Spark does: one part of the log at a time, by the functions that compute all of it here.

A task knows its parts by their numbers alone, and nothing of Spark: batches come, batches go.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.engines.compiled import compute_event_features, plan_of
from features.language.catalogue import Catalogue
from features.language.feature import Feature
from pipeline.matrix.batches import EVENT_BYTES, Batch, pair, size_batches, whole_groups
from pipeline.matrix.local import compute_batches, event_columns, read_log
from pipeline.matrix.parts import Asked
from pipeline.partitions.parts import COMPRESSED
from pipeline.spark.parts import Batches, part_numbers, require_seen


@dataclass(frozen=True)
class _Task:
    """What every task is told: the parts of which something is asked, and how much memory it may take, in bytes."""

    asked: Sequence[Asked]
    catalogue: Catalogue
    memory_limit: int

    def _parts(self, numbers: Batches) -> Iterator[tuple[int, Asked]]:
        """Give the parts that the task is to compute, on the one core that it has."""
        for number in part_numbers(numbers):
            one = self.asked[number]
            require_seen(one.part.file, one.rows)
            yield number, one

    def _batch(self) -> Batch:
        return size_batches(self.memory_limit, len(self.catalogue.columns), workers=1)

    def _most(self) -> int:
        """Say how many events of one lead, or account, a task may hold."""
        return self.memory_limit // EVENT_BYTES


@dataclass(frozen=True)
class LeadTask(_Task):
    """Compute the matrix of parts into files, and tell which file holds which part."""

    keep: Sequence[str]
    of_accounts: Path | None
    """The folder with what was computed of accounts before, by the numbers of the snapshots."""
    target: Path

    SCHEMA = "part bigint, name string"

    def __call__(self, numbers: Batches) -> Batches:
        """Take numbers of parts, give these and the names of their files below ``target``.

        Every try writes a file of its own, and is told of when that is whole: what a killed one has left is nobody's.
        """
        for number, asked in self._parts(numbers):
            path = self.target / f"matrix-{number:06}-{uuid.uuid4().hex}.arrows"
            self._compute(asked, path)
            yield pa.RecordBatch.from_pydict({"part": [number], "name": [path.name]})

    def _compute(self, asked: Asked, path: Path) -> None:
        batch = self._batch()
        columns = event_columns(self.catalogue)
        events = whole_groups(read_log(asked.part.file, columns, batch.events, asked.part), "lead_id", self._most())
        values = None if self.of_accounts is None else self._read_accounts(self.of_accounts, asked)
        with pa.OSFile(str(path), "wb") as sink:
            writer: pa.ipc.RecordBatchStreamWriter | None = None
            for rows in compute_batches(events, asked.batches(), self.catalogue, values, keep=self.keep):
                writer = writer or pa.ipc.new_stream(sink, rows.schema, options=COMPRESSED)
                writer.write_table(rows)
            if writer is not None:
                writer.close()

    def _read_accounts(self, folder: Path, asked: Asked) -> NDArray[np.float32]:
        ours = [("row", ">=", asked.start), ("row", "<", asked.end)]
        found = pq.read_table(folder, filters=ours).sort_by("row").drop_columns("row")
        return np.stack([column.to_numpy() for column in found.columns])


@dataclass(frozen=True)
class AccountTask(_Task):
    """Compute the features of accounts, from parts of a log that is sorted by account."""

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features of accounts, in the catalogue's order."""
        return tuple(feature for feature in self.catalogue.features if feature.scope == "account")

    @property
    def schema(self) -> str:
        """What comes out: the number of a snapshot, and its features."""
        return ", ".join(("row bigint", *(f"value_{place} float" for place in range(len(self.features)))))

    def __call__(self, numbers: Batches) -> Batches:
        """Take numbers of parts, give the features of the snapshots that are asked of each."""
        batch = self._batch()
        plan = plan_of(self.features, self.catalogue.vocabulary)
        columns = ["account_id", "lead_id", *plan.event_columns]
        for _, asked in self._parts(numbers):
            events = read_log(asked.part.file, columns, batch.events, asked.part, "account_id")
            chunks = whole_groups(events, "account_id", self._most())
            for chunk, piece in pair(chunks, asked.batches(), "account_id"):
                values = compute_event_features(chunk, piece, plan, "account_id")
                named = {f"value_{place}": column for place, column in enumerate(values)}
                yield pa.RecordBatch.from_pydict({"row": piece["row"].combine_chunks(), **named})
