"""The standard task on Spark: what it costs in CPU, all processes together, beside our own executor.

The session is there before the count begins, and its Python workers with the kernel loaded: what that takes is the same
for any log, and told apart.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pyarrow as pa

from benchmarks import engine
from benchmarks.comparison import DifferenceError
from benchmarks.matrices import Progress, StandardLog
from benchmarks.measurement import Measurement, measure
from benchmarks.results import Result, memory, within
from features.engines.compiled import prepare
from pipeline.core.parallel import cores
from pipeline.core.project import HERE, Places, fingerprint
from pipeline.core.sql import connect, file_literal
from pipeline.matrix.executors import executor_of
from pipeline.matrix.local import write_matrix
from pipeline.settings.run import Run
from pipeline.settings.types import halve
from pipeline.spark.session import open_session

_MASTER = "local[*]"
_HERE, _THERE = Run(), Run(executor="spark", master=_MASTER)


def ingest_against_ourselves(log: StandardLog, goal: float, progress: Progress) -> Result:
    """Compare the CPU of ingest; log, leads, quarantine and counts must have the same bytes."""
    task = f"ingest on Spark, {log.size} events"
    progress(task)
    here = measure(engine.ingest_log, log.root)
    theirs = log.root.with_name(f"{log.root.name}-on-spark")
    shutil.copytree(log.raw.parent, theirs / log.raw.parent.name, copy_function=os.link)
    there = measure(ingest_there, theirs, repeats=1)
    if _outputs(theirs) != _outputs(log.root):
        raise DifferenceError(f"{task}: other outputs than our own executor's")
    shutil.rmtree(theirs)
    return within(f"{task}, CPU", "our own executor", there, here, goal)


def _outputs(root: Path) -> dict[Path, str]:
    data = Places(root).interactions.parent
    return {path.relative_to(data): fingerprint(path) for path in data.rglob("*") if path.is_file()}


def matrix_against_ourselves(
    log: StandardLog, each: int, goal: float, progress: Progress
) -> Generator[Result, None, Measurement]:
    """Compare CPU; the matrices must have the same bytes. Gives Spark's CPU."""
    task = _task(log, each)
    progress(task)
    ours, theirs = log.ours(each), log.root / "theirs.parquet"
    here = measure(compute_here, log.ingested, log.snapshots(each), ours)
    there = measure(
        compute_there, log.ingested, log.snapshots(each), theirs, repeats=1
    )  # with its session it takes long
    if ours.read_bytes() != theirs.read_bytes():
        raise DifferenceError(f"{task}: another matrix than our own executor's")
    theirs.unlink()
    yield within(f"{task}, CPU", "our own executor", there, here, goal)
    return there


def memory_of_workers(log: StandardLog, each: int, there: Measurement, goal: float, progress: Progress) -> Result:
    """Tell what a Python worker holds at most."""
    task = f"{_task(log, each)}, a Python worker"
    progress(task)
    peak = measure(peak_of_workers, log.ingested, log.snapshots(each), log.root / "theirs.parquet", repeats=1).seconds
    return memory(task, Measurement(there.seconds, peak), goal)


def _task(log: StandardLog, each: int) -> str:
    return f"matrix on Spark, {log.size} events, {each} snapshot{'s' if each > 1 else ''} each"


def ingest_there(root: Path) -> float:
    """Run ``ingest`` by Spark; gives the seconds of CPU of this process, the JVM, and the Python below it."""
    start_session()
    before = _cpu_of(os.getpid())
    engine.ingest_log(root, _THERE)
    return _cpu_of(os.getpid()) - before


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
        for _ in write_matrix(executor_of(run)(connection, asked, log, leads, engine.standard_catalogue()), target):
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
