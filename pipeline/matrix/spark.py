"""The matrix on Spark: a task a part of the log, the same functions in each, the same bits.

The log lies sorted by lead, so Spark has nothing to shuffle: a task reads its stretch of it, with the snapshots that
this process has put beside it, and leaves a file that is read here in the order of the parts. Features of accounts need
the events once more by account: these Spark joins, shuffles and sorts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from features.engines.compiled import plan_of
from features.language.catalogue import Catalogue
from pipeline.matrix.accounts import cuts_of, members, refuse_without_accounts
from pipeline.matrix.local import refuse_absent, snapshots_of_leads
from pipeline.matrix.parts import deal_snapshots
from pipeline.matrix.tasks import ComputeAccounts, ComputeLeads
from pipeline.partitions.parts import Part, cut_log
from pipeline.spark.failures import ask
from pipeline.spark.jobs import run_jobs
from pipeline.spark.session import open_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PART_EVENTS = 1 << 21
"""Events of a part: so many that a task is worth its start, so few that hundreds of cores find work in a billion."""
_ROWS = 1 << 16
"""Snapshots that this process holds at once."""
_FAILED = "Spark could not compute the features, and nothing was written"


def stream_matrix(
    master: str | None,
    memory_limit: int,
    connection: duckdb.DuckDBPyConnection,
    snapshots: str,
    interactions: Path,
    leads: Path,
    catalogue: Catalogue,
    *,
    keep: Sequence[str] = (),
) -> Iterator[pa.Table]:
    """Yield the matrix as ``pipeline.matrix.local.stream_matrix`` does, computed by Spark.

    ``master``: see ``open_session``; ``memory_limit``: bytes that a task may hold. All parts are computed before the
    first batch comes; they lie beside the leads until the last has come. Raises InputError where a lead or an account
    has more events than a task may hold, LeadcastError where Spark fails.
    """
    refuse_absent(leads, catalogue)
    log = interactions.resolve()
    with tempfile.TemporaryDirectory(dir=leads.parent, prefix=".spark-") as temporary:
        folder = Path(temporary).resolve()
        of_accounts = _roll_up_accounts(master, connection, snapshots, log, leads, catalogue, memory_limit, folder)
        asking = snapshots_of_leads(snapshots, leads, catalogue, keep, cuts_of(connection, snapshots))
        rows = connection.sql(asking).to_arrow_reader(_ROWS)
        asked = deal_snapshots(rows, cut_log(log, "lead_id", PART_EVENTS), "lead_id", folder)
        jobs = [ComputeLeads(one, catalogue, memory_limit, folder, tuple(keep), of_accounts) for one in asked]
        for told in run_jobs(master, jobs, folder / "leads", _FAILED):
            with pa.OSFile(str(folder / told["name"])) as stream, pa.ipc.open_stream(stream) as reader:
                for batch in reader:
                    yield pa.Table.from_batches([batch])


def _roll_up_accounts(
    master: str | None,
    connection: duckdb.DuckDBPyConnection,
    snapshots: str,
    log: Path,
    leads: Path,
    catalogue: Catalogue,
    memory_limit: int,
    folder: Path,
) -> Path | None:
    """Compute the features of accounts into a folder of Parquet, by the snapshots' places in the matrix.

    None where the catalogue has none, or nothing is asked. Raises InputError where no lead has an account.
    """
    features = tuple(feature for feature in catalogue.features if feature.scope == "account")
    if not features:
        return None
    refuse_without_accounts(connection, leads)
    session = open_session(master)
    by_account, values, target = (folder / name for name in ("by-account", "values", "of-accounts"))
    columns = plan_of(features, catalogue.vocabulary).event_columns
    ask(session, lambda: _shuffle_by_account(session, log, leads, columns, by_account), _FAILED)
    values.mkdir()
    asking = members(snapshots, leads, cuts_of(connection, snapshots))
    rows = connection.sql(asking).to_arrow_reader(_ROWS)
    asked = deal_snapshots(rows, _parts_of(by_account), "account_id", values)
    jobs = [ComputeAccounts(one, catalogue, memory_limit, values, features) for one in asked]
    done = [str(values / told["name"]) for told in run_jobs(master, jobs, folder / "accounts", _FAILED)]
    if not done:
        return None

    def sort() -> None:
        by_row = session.read.parquet(*done).repartitionByRange("row").sortWithinPartitions("row")
        by_row.write.parquet(str(target))

    ask(session, sort, _FAILED)
    return target


def _shuffle_by_account(session: SparkSession, log: Path, leads: Path, columns: Sequence[str], target: Path) -> None:
    """Write the events of accounts with several leads by account and time; known once both event and lead are."""
    from pyspark.sql import functions  # noqa: PLC0415 - who computes locally need not have it

    known = session.read.parquet(str(leads.resolve())).where("account_id <> ''")
    several = known.groupBy("account_id").count().where("count > 1").select("account_id")
    member = known.join(several, "account_id").select("lead_id", "account_id", known["known_at"].alias("lead_known_at"))
    events = session.read.parquet(str(log)).select(*dict.fromkeys(("lead_id", *columns, "source", "sequence")))
    joined = events.join(member, "lead_id").withColumn("known_at", functions.greatest("known_at", "lead_known_at"))
    ordered = joined.repartitionByRange("account_id").sortWithinPartitions(
        "account_id", "occurred_at", "lead_id", "source", "sequence"
    )
    ordered.select("account_id", "lead_id", *columns).write.parquet(str(target))


def _parts_of(by_account: Path) -> list[Part]:
    """Take each file that Spark has written as a part: it holds whole accounts, and those of the next come after."""
    begun: list[tuple[str, Path, range]] = []
    files = sorted(by_account.glob("part-*.parquet"))
    for path in files:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows:
                first = next(file.iter_batches(1, columns=["account_id"]))["account_id"][0].as_py()
                begun.append((first if begun else "", path, range(file.num_row_groups)))
    untils = [*(first for first, *_ in begun[1:]), None]
    parts = [Part(first, until, path, groups) for (first, path, groups), until in zip(begun, untils, strict=False)]
    return parts or [Part("", None, files[0], range(0))]  # no event at all is an answer, too
