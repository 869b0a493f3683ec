"""From the log on disk to the matrix, in batches that never split a lead: for training and for scoring alike.

The log is read once, in the order in which it lies; the snapshots come in the same order and meet their events there.
What is in flight at once is bounded by a limit of memory, whatever the log; all cores compute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.errors import InputError
from features.engines.compiled import SNAPSHOT_COLUMNS, Key, compute_matrix, plan_of, prepare
from features.language.catalogue import Catalogue
from pipeline.core.parallel import in_order
from pipeline.core.sql import file_literal, identifier
from pipeline.matrix.accounts import cuts_of, roll_up_accounts
from pipeline.matrix.batches import MEMORY_LIMIT, pair, size_batches, whole_groups
from pipeline.partitions.parts import Part, open_log, read_groups

ROW_GROUP = 65_536


def stream_matrix(
    connection: duckdb.DuckDBPyConnection,
    snapshots: str,
    interactions: Path,
    leads: Path,
    catalogue: Catalogue,
    *,
    keep: Sequence[str] = (),
    memory_limit: int = MEMORY_LIMIT,
) -> Iterator[pa.Table]:
    """Yield the matrix of the snapshots, sorted by lead_id and as_of (and CUTS, where there are such), batch by batch.

    ``snapshots`` is SQL that gives SNAPSHOT_COLUMNS, what there is of CUTS, and the columns to ``keep``, which stand
    last in the matrix.
    ``memory_limit`` is in bytes, beside what DuckDB has; one lead, or account, alone may need more, some hundred bytes
    an event. The connection is busy until the last batch has come.
    """
    refuse_absent(leads, catalogue)
    Thread(target=prepare, daemon=True).start()
    batch = size_batches(memory_limit, len(catalogue.columns))
    with roll_up_accounts(connection, snapshots, interactions, leads, catalogue, batch) as of_accounts:
        asked = snapshots_of_leads(snapshots, leads, catalogue, keep, cuts_of(connection, snapshots))
        rows = connection.sql(asked).to_arrow_reader(batch.rows)
        chunks = whole_groups(read_log(interactions, event_columns(catalogue), batch.events), "lead_id")
        yield from compute_batches(chunks, rows, catalogue, of_accounts, keep=keep, workers=batch.workers)


def compute_batches(
    events: Iterator[pa.Table],
    rows: Iterable[pa.RecordBatch],
    catalogue: Catalogue,
    of_accounts: NDArray[np.float32] | None,
    *,
    keep: Sequence[str] = (),
    workers: int = 1,
) -> Iterator[pa.Table]:
    """Compute the matrix of snapshots from their leads' events, in the snapshots' order: Arrow in, Arrow out.

    ``events``: chunks of whole leads, sorted, the last one empty; ``rows``: the snapshots with what is to be kept, in
    the same order. ``of_accounts``: the features of accounts, shape (features, snapshots), where there are such.
    """

    def with_accounts() -> Iterator[tuple[pa.Table, pa.Table, NDArray[np.float32] | None]]:
        done = 0
        for chunk, piece in pair(events, rows, "lead_id"):
            yield chunk, piece, None if of_accounts is None else of_accounts[:, done : done + len(piece)]
            done += len(piece)

    def compute(chunk: pa.Table, piece: pa.Table, values: NDArray[np.float32] | None) -> pa.Table:
        matrix = compute_matrix(chunk, piece, catalogue, values)
        for name in keep:
            matrix = matrix.append_column(name, piece[name])
        return matrix

    return in_order(compute, with_accounts(), workers)


def event_columns(catalogue: Catalogue) -> list[str]:
    """Name what is read of a lead's own events."""
    own = tuple(feature for feature in catalogue.features if feature.scope == "lead")
    return ["lead_id", *plan_of(own, catalogue.vocabulary).event_columns]


def refuse_absent(leads: Path, catalogue: Catalogue) -> None:
    """Raise InputError where the leads lack what the catalogue reads of them."""
    absent = sorted({name for name, _ in catalogue.attributes} - set(pq.read_schema(leads).names))
    if absent:
        raise InputError(
            f"the model reads the attributes {', '.join(absent)}, which the leads of this log lack; add them to "
            "ingest.leads.attributes, or use a model of this log (evaluate.model_name names the registry's)"
        )


def snapshots_of_leads(
    snapshots: str, leads: Path, catalogue: Catalogue, keep: Sequence[str], cuts: Sequence[str]
) -> str:
    """Give the snapshots the attributes of their leads, and sort them as the log is."""
    columns = [f"snapshot.{identifier(name)}" for name in dict.fromkeys((*SNAPSHOT_COLUMNS, *cuts, *keep))]
    attributes = [f"lead.{identifier(name)}" for name, _ in catalogue.attributes]
    join = f"LEFT JOIN read_parquet({file_literal(leads)}) AS lead USING (lead_id)" if attributes else ""
    return (
        f"SELECT {', '.join(columns + attributes)} FROM ({snapshots}) AS snapshot {join} "
        f"ORDER BY {', '.join(('lead_id', 'as_of', *cuts))}"
    )


def read_log(
    interactions: Path, columns: Sequence[str], size: int, part: Part | None = None, key: Key = "lead_id"
) -> Iterator[pa.Table]:
    """Read columns of the log, or a part of it, about ``size`` events at once, and at last none; texts as dictionaries.

    ``key`` is what the log is sorted by, and parts are cut by.
    """
    with open_log(interactions, columns) as file:
        groups = part.row_groups if part else range(file.num_row_groups)
        wanted = [name for name in columns if not _is_needless(name, columns, interactions, file.metadata, groups)]
        for rows in read_groups(file, wanted, size, groups):
            own = part.of(rows, key) if part else rows
            if len(own):
                yield own
        yield file.schema_arrow.empty_table().select(wanted)


def _is_needless(name: str, columns: Sequence[str], path: Path, metadata: pq.FileMetaData, groups: range) -> bool:
    """Tell whether one of the columns says nothing in these row groups: events count once, are known as they occur."""
    match name:
        case "quantity":
            return _is_one(metadata, groups)
        case "known_at":
            return "occurred_at" in columns and _are_alike(path, metadata, groups, "known_at", "occurred_at")
        case _:
            return False


def _is_one(metadata: pq.FileMetaData, groups: range) -> bool:
    """Tell from the file's statistics whether every event counts once, so that quantities needn't be read."""
    place = metadata.schema.names.index("quantity")
    found = (metadata.row_group(group).column(place).statistics for group in groups)
    return all(one is not None and one.has_min_max and one.min == one.max == 1 for one in found)


def _are_alike(path: Path, metadata: pq.FileMetaData, groups: range, *names: str) -> bool:
    """Tell from the file's bytes whether two columns hold the same values, which takes less than half of reading one.

    Columns that are written alike are the same bytes where, and only where, their values are the same.
    """
    places = [metadata.schema.names.index(name) for name in names]
    columns = [metadata.schema.column(place) for place in places]
    kinds = {(one.physical_type, str(one.logical_type), one.max_definition_level) for one in columns}
    if len(kinds) > 1:
        return False
    with path.open("rb") as file:
        for group in groups:
            chunks = [metadata.row_group(group).column(place) for place in places]
            if len({(chunk.encodings, chunk.compression, chunk.total_compressed_size) for chunk in chunks}) > 1:
                return False
            read = []
            for chunk in chunks:
                first = chunk.dictionary_page_offset
                file.seek(chunk.data_page_offset if first is None else min(first, chunk.data_page_offset))
                read.append(file.read(chunk.total_compressed_size))
            if read[0] != read[1]:
                return False
    return True


def write_matrix(batches: Iterable[pa.Table], target: Path) -> Iterator[int]:
    """Write a matrix in row groups of one size, whatever the batches, and yield how many rows have come so far.

    A row group is written while the next is read and computed.
    """
    with ThreadPoolExecutor(1) as pool:
        writer: pq.ParquetWriter | None = None
        writing: Future[None] | None = None
        held: list[pa.Table] = []
        rows = 0
        try:
            for batch in batches:
                writer = writer or _writer(target, batch.schema)
                held.append(batch)
                rows += len(batch)
                while sum(len(part) for part in held) >= ROW_GROUP:
                    together = pa.concat_tables(held)
                    if writing is not None:
                        writing.result()
                    writing = pool.submit(_write_group, writer, together.slice(0, ROW_GROUP))
                    held = [together.slice(ROW_GROUP)]
                yield rows
            if writing is not None:
                writing.result()
            if writer is not None and any(len(part) for part in held):
                _write_group(writer, pa.concat_tables(held))
        finally:
            pool.shutdown()  # nothing is written any more when the file is closed
            if writer is not None:
                writer.close()


def _write_group(writer: pq.ParquetWriter, rows: pa.Table) -> None:
    """Write rows in pages that depend on their values alone, and not on the batches that they came in.

    Batches follow the number of cores, and each has dictionaries of its own; a model's version follows these bytes.
    """
    columns = [column.combine_chunks() for column in rows.columns]
    whole = [_in_order_of_appearance(one) if pa.types.is_dictionary(one.type) else one for one in columns]
    writer.write_table(pa.Table.from_arrays(whole, schema=rows.schema), ROW_GROUP)


def _in_order_of_appearance(texts: pa.DictionaryArray) -> pa.DictionaryArray:
    """Give texts a dictionary that holds each text once, the first first."""
    return texts.cast(texts.type.value_type).dictionary_encode().cast(texts.type)


def _writer(target: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a file in which texts have dictionaries; numbers are no shorter with one, and take long to be looked up."""
    texts = [field.name for field in schema if pa.types.is_dictionary(field.type) or pa.types.is_string(field.type)]
    return pq.ParquetWriter(target, schema, compression="lz4", use_dictionary=texts, write_statistics=["as_of"])
