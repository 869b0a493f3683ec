"""From the log on disk to the matrix, in batches that never split a lead: for training and for scoring alike."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalogue import Catalogue
from features.engine import EVENT_COLUMNS, SNAPSHOT_COLUMNS, compute_matrix
from features.errors import InputError

BATCH = 1 << 18
"""Events that are read at once."""
ROWS = 50_000
"""Snapshots whose features are computed at once."""


def join_leads(snapshots: pd.DataFrame, leads: Path, catalogue: Catalogue) -> pa.Table:
    """Give the snapshots the creation and the attributes of their leads: what ``compute_matrix`` takes."""
    attributes = [name for name, _ in catalogue.attributes]
    absent = sorted(set(attributes) - set(pq.read_schema(leads).names))
    if absent:
        raise InputError(
            f"the model reads the attributes {', '.join(absent)}, which the leads of this log lack; add them to "
            "ingest.leads.attributes, or use a model of this log (evaluate.model_name names the registry's)"
        )
    frame = pq.read_table(leads, columns=["lead_id", "created_at", *attributes]).to_pandas()
    columns = [name for name in SNAPSHOT_COLUMNS if name != "created_at"]
    joined = snapshots[columns].merge(frame, on="lead_id", how="left", validate="many_to_one")
    return pa.Table.from_pandas(joined, preserve_index=False)


def stream_matrix(interactions: Path, snapshots: pa.Table, catalogue: Catalogue) -> Iterator[pa.Table]:
    """Yield the matrix of the snapshots, which are sorted by lead_id, batch by batch and in their order."""
    first = 0
    for events in _whole_leads(interactions):
        last = events["lead_id"][-1].as_py()
        end = bisect.bisect_right(range(len(snapshots)), last, lo=first, key=lambda row: _lead(snapshots, row))
        for piece in _pieces(snapshots.slice(first, end - first)):
            yield compute_matrix(events, piece, catalogue)
        first = end
    empty = pq.read_schema(interactions).empty_table().select(EVENT_COLUMNS)
    for piece in _pieces(snapshots.slice(first)):
        yield compute_matrix(empty, piece, catalogue)


def _pieces(snapshots: pa.Table) -> Iterator[pa.Table]:
    """Cut the snapshots into pieces of about ROWS, between leads: memory is bounded however many there are."""
    first = 0
    while first < len(snapshots):
        last = _lead(snapshots, min(first + ROWS, len(snapshots)) - 1)
        end = bisect.bisect_right(range(len(snapshots)), last, lo=first, key=lambda row: _lead(snapshots, row))
        yield snapshots.slice(first, end - first)
        first = end


def _lead(snapshots: pa.Table, row: int) -> str:
    lead: str = snapshots["lead_id"][row].as_py()
    return lead


def _whole_leads(interactions: Path) -> Iterator[pa.Table]:
    """Read the log in batches; the last lead of a batch waits until the next, where it may go on."""
    waiting: list[pa.RecordBatch] = []
    with pq.ParquetFile(interactions) as file:
        for batch in file.iter_batches(BATCH, columns=list(EVENT_COLUMNS)):
            leads = batch.column("lead_id")
            last = leads[-1]
            start = bisect.bisect_left(range(len(leads)), last.as_py(), key=lambda row: leads[row].as_py())
            if start:
                yield pa.Table.from_batches([*waiting, batch.slice(0, start)])
                waiting = []
            elif waiting and waiting[-1].column("lead_id")[-1].as_py() != last.as_py():
                yield pa.Table.from_batches(waiting)
                waiting = []
            waiting.append(batch.slice(start))
    if waiting:
        yield pa.Table.from_batches(waiting)
