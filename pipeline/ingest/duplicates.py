"""Rows that repeat others, found in a log of any length within bounded memory."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.core.sql import Relation, fetch_row

HASHES_AT_ONCE = 1 << 25
"""How many hashes are compared at once, a quarter of a gibibyte; a longer log is gone through more than once."""
_BATCH = 122_880


def find_duplicates(
    mapped: Relation, key: Sequence[str], first: str, target: Relation, hashes_at_once: int = HASHES_AT_ONCE
) -> None:
    """List in the table ``target`` the sequences of all usable rows that repeat the key of another one.

    The one that comes ``first`` stays. Hashes find the few candidates cheaply, and only these are compared in full:
    sorted as an array, they take a third of the time of a hash table of as many groups.
    """
    keys = ", ".join(key)
    usable = f"FROM {mapped} WHERE reason IS NULL"
    hashes = _repeated_hashes(mapped, f"SELECT hash({keys}) AS hash {usable}", hashes_at_once)
    candidates = Relation(mapped.connection, "candidates")
    # A table, for a plan that does not know how few there are would hold all rows instead.
    with Relation(mapped.connection, "repeated hashes").show(pa.table({"hash": hashes})) as shown:
        candidates.make_table(f"FROM {shown}")
    found = (
        f"{usable} AND hash({keys}) IN (FROM {candidates}) "
        f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {first}) > 1"
    )
    target.make_table(f"SELECT sequence {found if len(hashes) else f'{usable} LIMIT 0'}")


def _repeated_hashes(mapped: Relation, query: str, at_once: int) -> npt.NDArray[np.uint64]:
    """Give the values that the query's one column holds more than once; it has no more rows than ``mapped``."""
    rows = fetch_row(mapped.connection, f"SELECT count(*) FROM {mapped}")[0]
    parts = rows // at_once + 1
    repeated = []
    for part in range(parts):
        chosen = query if parts == 1 else f"SELECT hash FROM ({query}) WHERE hash % {parts} = {part}"
        hashes = _fetch(mapped.connection, chosen, rows if parts == 1 else rows // parts)
        hashes.sort()
        begins = np.flatnonzero(np.diff(hashes[1:] == hashes[:-1], prepend=False))[::2]  # of those that are the same
        repeated.append(hashes[begins])
    return np.concatenate(repeated)


def _fetch(connection: duckdb.DuckDBPyConnection, query: str, expected: int) -> npt.NDArray[np.uint64]:
    """Fetch a column into one array, which grows where more comes than is expected."""
    values = np.empty(expected + (expected >> 6), np.uint64)
    count = 0
    for batch in connection.sql(query).to_arrow_reader(_BATCH):
        end = count + len(batch)
        if end > len(values):
            values.resize(end + (end >> 3), refcheck=False)
        values[count:end] = batch.column(0).to_numpy()
        count = end
    return values[:count]
