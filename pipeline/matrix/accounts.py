"""The features of accounts: what the other leads of a lead's account did, computed before the rest of the matrix.

The log is sorted by lead, and accounts need it by account: DuckDB sorts what belongs to accounts of several leads once
more, within its memory limit. The values wait in a file, in the matrix's order, until the walk over the leads needs
them. Time grows with the leads of an account times its events.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.errors import InputError
from features.engines.compiled import CUTS, compute_event_features, plan_of
from features.language.catalogue import Catalogue
from pipeline.core.parallel import in_order
from pipeline.core.sql import fetch_row, file_literal, identifier, literal
from pipeline.matrix.batches import Batch, pair, whole_groups


@contextmanager
def roll_up_accounts(
    connection: duckdb.DuckDBPyConnection,
    snapshots: str,
    interactions: Path,
    leads: Path,
    catalogue: Catalogue,
    batch: Batch,
) -> Iterator[NDArray[np.float32] | None]:
    """Give the catalogue's features of accounts, shape (features, snapshots), the snapshots as the matrix has them.

    None where the catalogue has none. Raises InputError where no lead has an account.
    """
    features = tuple(feature for feature in catalogue.features if feature.scope == "account")
    if not features:
        yield None
        return
    refuse_without_accounts(connection, leads)
    plan = plan_of(features, catalogue.vocabulary)
    rows = fetch_row(connection, f"SELECT count(*) FROM ({snapshots})")[0]
    with tempfile.TemporaryDirectory(dir=leads.parent) as folder:
        shape = (len(features), max(rows, 1))
        values: NDArray[np.float32] = np.memmap(Path(folder) / "values", np.float32, "w+", shape=shape)[:, :rows]
        asked = Path(folder) / "members.parquet"
        asking = members(snapshots, leads, cuts_of(connection, snapshots))
        connection.execute(f"COPY ({asking}) TO {literal(str(asked))} (FORMAT parquet)")
        log = connection.sql(_log_of_accounts(interactions, leads, plan.event_columns)).to_arrow_reader(batch.events)
        parts = chain((pa.Table.from_batches([part]) for part in log), [log.schema.empty_table()])
        chunks = whole_groups(parts, "account_id")

        def compute(events: pa.Table, piece: pa.Table) -> None:
            values[:, piece["row"].to_numpy()] = compute_event_features(events, piece, plan, "account_id")

        with pq.ParquetFile(asked) as file:
            for _ in in_order(compute, pair(chunks, file.iter_batches(batch.rows), "account_id"), batch.workers):
                pass
        for _ in log:  # events of accounts that come after the last snapshot's: the connection waits for them
            pass
        yield values


def cuts_of(connection: duckdb.DuckDBPyConnection, snapshots: str) -> list[str]:
    """Name those of CUTS that snapshots have, given as SQL."""
    return [name for name in CUTS if name in connection.sql(snapshots).columns]


def refuse_without_accounts(connection: duckdb.DuckDBPyConnection, leads: Path) -> None:
    """Raise InputError where no lead has an account."""
    query = f"SELECT count(account_id) FROM read_parquet({file_literal(leads)})"
    if not fetch_row(connection, query)[0]:
        raise InputError(
            "a feature has the scope account, and no lead has one; map ingest.leads.columns.account_id, or take the "
            "feature out of features.declared"
        )


def members(snapshots: str, leads: Path, cuts: Sequence[str]) -> str:
    """Give the snapshots by account, each with its place in the matrix; those of leads without an account too."""
    moments = ", ".join(("lead_id", "as_of", *cuts))
    return (
        f"SELECT coalesce(account_id, '') AS account_id, {moments}, created_at, "
        f"row_number() OVER (ORDER BY {moments}) - 1 AS row "
        f"FROM ({snapshots}) LEFT JOIN (SELECT lead_id, account_id "
        f"FROM read_parquet({file_literal(leads)})) USING (lead_id) ORDER BY account_id, {moments}"
    )


def _log_of_accounts(interactions: Path, leads: Path, columns: tuple[str, ...]) -> str:
    """Give the events of accounts with several leads, by time; known once both the event and its lead are."""
    given = {"known_at": "greatest(log.known_at, member.known_at)"}
    listed = ", ".join(f"{given.get(name, f'log.{identifier(name)}')} AS {identifier(name)}" for name in columns)
    return (
        f"SELECT account_id, lead_id, {listed} FROM read_parquet({file_literal(interactions)}) AS log JOIN "
        "(SELECT lead_id, account_id, known_at, count(*) OVER (PARTITION BY account_id) AS leads "
        f"FROM read_parquet({file_literal(leads)}) WHERE account_id <> '') AS member USING (lead_id) "
        "WHERE leads > 1 ORDER BY account_id, log.occurred_at, lead_id, source, sequence"
    )
