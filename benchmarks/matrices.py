"""The rows of the table that are about matrices: ours against peers, each from the same file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import duckdb_peer, engine, featuretools_peer, pandas_peer, standard_log
from benchmarks.comparison import compare
from benchmarks.featuretools_environment import NotAvailableError, featuretools_python
from benchmarks.measurement import Measurement, measure
from benchmarks.results import Result, faster, skipped
from pipeline.artefacts import INTERACTIONS

Progress = Callable[[str], None]
Peer = Callable[[Path, Path, Path], None]

PEERS: dict[str, Peer] = {
    "pandas": pandas_peer.write_matrix,
    "DuckDB": duckdb_peer.write_matrix,
    "pandas, tuned": pandas_peer.write_matrix_tuned,
    "DuckDB, tuned": duckdb_peer.write_matrix_tuned,
}
"""The programs that the goals are about, and what they become with as much care as the engine had: no goal says how far
those may be left behind, but a reader should know."""


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
        return self.root / INTERACTIONS

    @property
    def size(self) -> str:
        """How many events, in words."""
        return in_words(self.events)

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


def against_peers(
    log: StandardLog, each: int, goals: dict[str, float | None], progress: Progress, *, repeats: int = 1
) -> Iterator[Result]:
    """Compare the matrix from the ingested log, to the written file, with that of each peer in ``goals``."""
    task = f"matrix, {log.size} events, {each} snapshot{'s' if each > 1 else ''} each"
    progress(f"{task}: ours")
    snapshots, mine = log.snapshots(each), log.root / "ours.parquet"
    ours = measure(engine.write_matrix, log.ingested, snapshots, mine, repeats=max(2, repeats))
    for name, goal in goals.items():
        theirs = _measured_peer(log.ingested, snapshots, mine, name, task, progress, repeats)
        yield faster(task, name, ours, theirs, goal)


def from_raw(
    log: StandardLog, ingest: Measurement, goals: dict[str, float | None], progress: Progress
) -> Iterator[Result]:
    """Compare the way from the raw file to the matrix; ``ingest`` was measured before, and has left its log."""
    task = f"raw Parquet to matrix, {log.size} events, 1 snapshot each"
    snapshots, mine = log.snapshots(1), log.root / "ours.parquet"
    progress(f"{task}: ours")
    matrix = measure(engine.write_matrix, log.ingested, snapshots, mine, repeats=2)
    ours = Measurement(ingest.seconds + matrix.seconds, max(ingest.peak_gb, matrix.peak_gb))
    for name, goal in goals.items():
        yield faster(task, name, ours, _measured_peer(log.raw, snapshots, mine, name, task, progress, 1), goal)


def against_featuretools(log: StandardLog, environments: Path, goal: float, progress: Progress) -> Iterator[Result]:
    """Compare with featuretools in an environment of its own, or say why it can't be had."""
    task = f"matrix, {log.size} events, 1 snapshot each"
    try:
        progress("making the environment of featuretools (once)")
        python = featuretools_python(environments / "featuretools")
    except NotAvailableError as error:
        progress(f"skipping featuretools: {error}")
        yield skipped(task, "featuretools", str(error), goal)
        return
    snapshots, mine, other = log.snapshots(1), log.root / "ours.parquet", log.root / "theirs.parquet"
    progress(f"{task}: ours and featuretools")
    ours = measure(engine.write_matrix, log.ingested, snapshots, mine, repeats=3)
    theirs = measure(featuretools_peer.write_matrix, log.ingested, snapshots, other, python=python)
    compare(mine, other)
    yield faster(task, "featuretools", ours, theirs, goal)


def _measured_peer(
    log: Path, snapshots: Path, ours: Path, name: str, task: str, progress: Progress, repeats: int
) -> Measurement:
    """Measure a peer, and hold its matrix to ours before its time counts."""
    progress(f"{task}: {name}")
    other = ours.with_name("theirs.parquet")
    theirs = measure(PEERS[name], log, snapshots, other, repeats=repeats)
    compare(ours, other)
    other.unlink()
    return theirs
