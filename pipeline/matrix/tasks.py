"""What tasks of Spark do for the matrix: one part of the log, by the functions that compute all of it here.

Nothing here knows Spark.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from pipeline.spark.jobs import OwnFile


@dataclass(frozen=True)
class _PartJob:
    """What is to be computed of a part, within how much memory, in bytes, and into which folder."""

    asked: Asked
    catalogue: Catalogue
    memory_limit: int
    target: Path

    @property
    def reads(self) -> tuple[OwnFile, ...]:
        """The part and the snapshots that are asked of it."""
        return OwnFile(self.asked.part.file), OwnFile(self.asked.rows)

    def _batch(self) -> Batch:
        return size_batches(self.memory_limit, len(self.catalogue.columns), workers=1)

    def _most(self) -> int:
        """Say how many events of one lead, or account, a task may hold."""
        return self.memory_limit // EVENT_BYTES


@dataclass(frozen=True)
class ComputeLeads(_PartJob):
    """Compute the matrix of a part into a file, and tell its name.

    Every try writes a file of its own, and is told of when that is whole: what a killed one has left is nobody's.
    """

    keep: Sequence[str]
    of_accounts: Path | None
    """The folder with what was computed of accounts before, by the numbers of the snapshots."""

    def __call__(self) -> dict[str, Any]:
        """Do it."""
        path = self.target / f"matrix-{self.asked.start:012}-{uuid.uuid4().hex}.arrows"
        batch = self._batch()
        log, columns = self.asked.part, event_columns(self.catalogue)
        events = whole_groups(read_log(log.file, columns, batch.events, log), "lead_id", self._most())
        values = None if self.of_accounts is None else self._read_accounts(self.of_accounts)
        with pa.OSFile(str(path), "wb") as sink:
            writer: pa.ipc.RecordBatchStreamWriter | None = None
            for rows in compute_batches(events, self.asked.batches(), self.catalogue, values, keep=self.keep):
                writer = writer or pa.ipc.new_stream(sink, rows.schema, options=COMPRESSED)
                writer.write_table(rows)
            if writer is not None:
                writer.close()
        return {"name": path.name}

    def _read_accounts(self, folder: Path) -> NDArray[np.float32]:
        ours = [("row", ">=", self.asked.start), ("row", "<", self.asked.end)]
        found = pq.read_table(folder, filters=ours).sort_by("row").drop_columns("row")
        return np.stack([column.to_numpy() for column in found.columns])


@dataclass(frozen=True)
class ComputeAccounts(_PartJob):
    """Compute the features of accounts, of a part of a log that is sorted by account, into a file; tell its name.

    It holds the numbers of the snapshots that are asked of the part, and their features.
    """

    features: tuple[Feature, ...]

    def __call__(self) -> dict[str, Any]:
        """Do it."""
        path = self.target / f"values-{uuid.uuid4().hex}.parquet"
        batch = self._batch()
        plan = plan_of(self.features, self.catalogue.vocabulary)
        columns = ["account_id", "lead_id", *plan.event_columns]
        log = self.asked.part
        events = read_log(log.file, columns, batch.events, log, "account_id")
        chunks = whole_groups(events, "account_id", self._most())
        fields = [("row", pa.int64()), *((f"value_{place}", pa.float32()) for place in range(len(self.features)))]
        with pq.ParquetWriter(path, pa.schema(fields), compression="lz4") as writer:
            for chunk, piece in pair(chunks, self.asked.batches(), "account_id"):
                values = compute_event_features(chunk, piece, plan, "account_id")
                rows = [piece["row"].combine_chunks(), *(pa.array(column) for column in values)]
                writer.write_table(pa.Table.from_arrays(rows, schema=writer.schema))
        return {"name": path.name}
