"""The standard task on Spark: what it costs in CPU, all processes together, beside our own executor.

The session is there before the count begins, and its Python workers with the kernel loaded: what that takes is the same
for any log, and told apart.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pyarrow as pa

from benchmarks.comparison import DifferenceError
from benchmarks.engine import standard_catalogue
from benchmarks.matrices import Progress, StandardLog
from benchmarks.measurement import Measurement, measure
from benchmarks.results import Result, memory, within
from features.engines.compiled import prepare
from pipeline.core.parallel import cores
from pipeline.core.project import HERE
from pipeline.core.sql import connect, file_literal
from pipeline.matrix.executors import executor_of
from pipeline.matrix.local import write_matrix
from pipeline.settings.run import Run
from pipeline.settings.types import halve
from pipeline.spark.session import open_session

_MASTER = "local[*]"
_HERE, _THERE = Run(), Run(executor="spark", master=_MASTER)


def against_ourselves(
    log: StandardLog, each: int, goal: float, progress: Progress
) -> Generator[Result, None, Measurement]:
    """Compare CPU, and tell what a Python worker holds; the matrices must have the same bytes. Gives Spark's CPU."""
    task = f"matrix on Spark, {log.size} events, {each} snapshot{'s' if each > 1 else ''} each"
    progress(task)
    ours, theirs = log.ours(each), log.root / "theirs.parquet"
    here = measure(compute_here, log.ingested, log.snapshots(each), ours)
    there = measure(compute_there, log.ingested, log.snapshots(each), theirs)
    if ours.read_bytes() != theirs.read_bytes():
        raise DifferenceError(f"{task}: another matrix than our own executor's")
    yield within(f"{task}, CPU", "our own executor", there, here, goal)
    peak = measure(peak_of_workers, log.ingested, log.snapshots(each), theirs, repeats=1).seconds
    yield memory(
        f"{task}, a Python worker", Measurement(there.seconds, peak), 1.3
    )  # run.memory_limit, and Python itself
    theirs.unlink()
    return there


def compute_here(log: Path, snapshots: Path, target: Path) -> float:
    """Write the matrix by our own executor; gives the seconds of CPU."""
    return _compute(_HERE, log, snapshots, target)


def compute_there(log: Path, snapshots: Path, target: Path) -> float:
    """Write the matrix by Spark; gives the seconds of CPU of this process, the JVM, and the Python below it."""
    start_session()
    return _compute(_THERE, log, snapshots, target)


def peak_of_workers(log: Path, snapshots: Path, target: Path) -> float:
    """Write the matrix by Spark; gives the most memory that one of its Python workers has held, in 10^9 bytes."""
    _compute(_THERE, log, snapshots, target)
    workers = (process for process in _below(os.getpid()) if "pyspark.daemon" in _command_of(process))
    return max(map(_peak_of, workers)) * 1024 / 1e9


def start_session() -> float:
    """Start a session and its Python workers, a task for each core; gives the seconds of CPU."""
    before = _cpu_of(os.getpid())
    open_session(_MASTER).range(0, cores(), 1, cores()).mapInArrow(_load, "id bigint").count()
    return _cpu_of(os.getpid()) - before


def _load(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    prepare()
    yield from batches


def _compute(run: Run, log: Path, snapshots: Path, target: Path) -> float:
    before = _cpu_of(os.getpid())
    asked = f"SELECT * FROM read_parquet({file_literal(snapshots)})"
    with connect(halve(run.memory_limit)[0], log.parent / "spill") as connection:
        leads = log.with_name(HERE.leads.name)
        for _ in write_matrix(executor_of(run)(connection, asked, log, leads, standard_catalogue()), target):
            pass
    return _cpu_of(os.getpid()) - before


def _cpu_of(root: int) -> float:
    """Give the CPU that a process and all below it have taken so far, in seconds, those that have ended among them."""
    ticks = 0
    for process in (root, *_below(root)):
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))  # in user and system mode, its own and that of children who have ended
    return ticks / os.sysconf("SC_CLK_TCK")


def _peak_of(process: int) -> int:
    """Give the most memory that a process has held, in thousands of bytes (of 1,024)."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _command_of(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8")


def _below(process: int) -> Iterator[int]:
    """Give all processes that a process has started, and those that they have."""
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, path.read_text(encoding="utf-8").split()):
            yield child
            yield from _below(child)
