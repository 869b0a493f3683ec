"""The same snapshots of the same log, on each executor: files as the stages leave them in, a matrix out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from engines import CREATED_AT, Log, Snapshots, account_of, events_table, snapshots_table

from features.language.catalogue import Catalogue
from features.language.feature import Feature
from features.language.filters import Vocabulary
from pipeline.matrix.executors import executor_of
from pipeline.matrix.local import write_matrix
from pipeline.settings.run import Run

ATTRIBUTES = (("country", "category"), ("employees", "number"))


def catalogue_of(features: Sequence[Feature], vocabulary: Vocabulary) -> Catalogue:
    """Give a catalogue that has the features, and attributes of the leads."""
    return Catalogue(vocabulary, tuple(dict.fromkeys(features)), ATTRIBUTES)  # type: ignore[arg-type] # kinds as literals


def write_matrix_of(
    run: Run, folder: Path, log: Log, snapshots: Snapshots, catalogue: Catalogue, *, row_group: int = 5
) -> Path:
    """Write log and leads into the folder, have the executor compute the matrix, and write it to matrix.parquet.

    Gives the place of the file, which is not there where nothing was asked. The log has small row groups, so that leads
    lie in several.
    """
    folder.mkdir(exist_ok=True)
    interactions, leads = folder / "interactions.parquet", folder / "leads.parquet"
    ordered = {lead: log[lead] for lead in sorted(log, key=str.encode)}
    events = events_table(ordered)
    events = events.append_column("source", pa.array(["log"] * len(events), pa.string()))
    pq.write_table(
        events.append_column("sequence", pa.array(np.arange(len(events)))), interactions, row_group_size=row_group
    )
    pq.write_table(_leads(sorted({"a", *log, *(lead for lead, *_ in snapshots)}, key=str.encode)), leads)
    asked = snapshots_table(snapshots)
    asked = asked.append_column("started_at", asked["created_at"])
    asked = asked.append_column("episode", pa.array([1] * len(asked), pa.int64()))
    asked = asked.append_column("label", pa.array(np.arange(len(asked)) % 2, pa.int8()))
    target = folder / "matrix.parquet"
    with duckdb.connect() as connection:
        connection.register("asked", asked)
        batches = executor_of(run)(connection, "FROM asked", interactions, leads, catalogue, keep=("label",))
        list(write_matrix(batches, target))
    return target


def _leads(ids: Sequence[str]) -> pa.Table:
    created = pa.array([CREATED_AT] * len(ids), pa.timestamp("us"))
    return pa.table(
        {
            "lead_id": pa.array(ids, pa.string()),
            "created_at": created,
            "known_at": created,
            "account_id": pa.array([None if lead == "none" else account_of(lead) for lead in ids], pa.string()),
            "country": pa.array([["nl", None, "fr"][len(lead) % 3] for lead in ids], pa.string()),
            "employees": pa.array([len(lead) / 3 for lead in ids]),
        }
    )
