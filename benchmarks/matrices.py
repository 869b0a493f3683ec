"""The rows of the table that are about matrices: ours against peers, each from the same file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import duckdb_peer, engine, pandas_peer, standard_log
from benchmarks.comparison import compare
from benchmarks.environments import NotAvailableError, python_of
from benchmarks.measurement import Measurement, measure
from benchmarks.results import Result, faster, skipped
from pipeline.core.project import Places

Progress = Callable[[str], None]
Peer = Callable[[Path, Path, Path], None]

PEERS: dict[str, Peer] = {
    "pandas, tuned": pandas_peer.write_matrix_tuned,
    "DuckDB, tuned": duckdb_peer.write_matrix_tuned,
    "pandas": pandas_peer.write_matrix,
    "DuckDB": duckdb_peer.write_matrix,
}
"""Two programs, and what they become with as much care as the engine had: the fastest count, and of the others
a reader should know."""

ELSEWHERE = {
    "polars, in two steps": ("polars", "benchmarks.polars_peer:write_matrix"),
    "chDB, in two steps": ("chdb", "benchmarks.chdb_peer:write_matrix"),
    "featuretools": ("featuretools", "benchmarks.featuretools_peer:write_matrix"),
}
"""Peers that run in an environment of their own: which, and what is called there."""


@dataclass(frozen=True)
class StandardLog:
    """A project's folder with a raw log of the standard task."""

    root: Path
    events: int
    leads: int

    @property
    def raw(self) -> Path:
        """The unsorted file."""
        return self.root / engine.RAW_LOG

    @property
    def ingested(self) -> Path:
        """The log as ``ingest`` leaves it."""
        return Places(self.root).interactions

    @property
    def size(self) -> str:
        """How many events, in words."""
        return in_words(self.events)

    def ours(self, each: int) -> Path:
        """Give the place of our matrix."""
        return self.root / f"ours-{each}.parquet"

    def snapshots(self, each: int) -> Path:
        """Give the table of ``each`` snapshots of every lead; written when it is first asked for."""
        path = self.root / f"snapshots-{each}.parquet"
        if not path.exists():
            standard_log.write_snapshots(path, self.leads, each)
        return path


def in_words(number: int) -> str:
    """Write a size as one says it.

    >>> in_words(20_000_000), in_words(250_000), in_words(300)
    ('20 M', '250,000', '300')
    """
    return f"{number // 1_000_000} M" if number and number % 1_000_000 == 0 else f"{number:,}"


def write_standard_log(
    folder: Path, events: int, leads: int, progress: Progress, shape: standard_log.Shape = "skewed"
) -> StandardLog:
    """Write the raw files of a project."""
    log = StandardLog(folder / f"{shape}-{events}", events, leads)
    progress(f"writing a raw log of {log.size} events, {in_words(leads)} leads")
    log.raw.parent.mkdir(parents=True, exist_ok=True)
    standard_log.write_raw_log(log.raw, events, leads, shape)
    standard_log.write_raw_leads(log.root / engine.RAW_LEADS, leads)
    return log


def measure_ours(log: StandardLog, each: int, progress: Progress) -> Measurement:
    """Measure the engine from the ingested log to the written matrix, which stays for the peers to be held to."""
    progress(f"{_task(log, each)}: ours")
    return measure(engine.write_matrix, log.ingested, log.snapshots(each), log.ours(each))


def against_peers(
    log: StandardLog,
    each: int,
    ours: Measurement,
    goals: dict[str, float | None],
    environments: Path,
    progress: Progress,
) -> Iterator[Result]:
    """Compare the matrix from the ingested log with that of each peer in ``goals``."""
    for name, goal in goals.items():
        yield _against_peer(log, log.ingested, each, _task(log, each), ours, name, goal, environments, progress)


def from_raw(
    log: StandardLog,
    ingest: Measurement,
    ours: Measurement,
    goals: dict[str, float | None],
    environments: Path,
    progress: Progress,
) -> Iterator[Result]:
    """Compare the way from the raw file to the matrix of one snapshot each: ours is the ingest and the matrix."""
    both = Measurement(ingest.seconds + ours.seconds, max(ingest.peak_gb, ours.peak_gb))
    for name, goal in goals.items():
        task = f"{_task(log, 1)}, from raw Parquet"
        yield _against_peer(log, log.raw, 1, task, both, name, goal, environments, progress)


def _against_peer(
    log: StandardLog,
    events: Path,
    each: int,
    task: str,
    ours: Measurement,
    name: str,
    goal: float | None,
    environments: Path,
    progress: Progress,
) -> Result:
    """Measure a peer, and hold its matrix to ours before its time counts; or say why it can't be had."""
    progress(f"{task}: {name}")
    try:
        theirs = measure_peer(name, events, log.snapshots(each), log.root / "theirs.parquet", environments)
    except NotAvailableError as error:
        progress(f"skipping {name}: {error}")
        return skipped(task, name, str(error), goal)
    compare(log.ours(each), log.root / "theirs.parquet")
    (log.root / "theirs.parquet").unlink()
    return faster(task, name, ours, theirs, goal)


def measure_peer(name: str, events: Path, snapshots: Path, target: Path, environments: Path) -> Measurement:
    """Measure a peer; raises NotAvailableError where the environment that it needs can't be made."""
    if name in PEERS:
        return measure(PEERS[name], events, snapshots, target)
    environment, function = ELSEWHERE[name]
    return measure(function, events, snapshots, target, python=python_of(environment, environments))


def _task(log: StandardLog, each: int) -> str:
    return f"matrix, {log.size} events, {each} snapshot{'s' if each > 1 else ''} each"
