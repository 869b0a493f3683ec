"""What is measured at which size; each row of the table comes from a line here.

``standard`` stays under ten minutes on two cores, so six snapshots each are taken of a smaller log there.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import (
    counting,
    deciding,
    duckdb_peer,
    engine,
    explaining,
    ingesting,
    neighbour,
    on_spark,
    push_http,
    push_sql,
    sample_log,
    scoring,
    training,
)
from benchmarks.comparison import DifferenceError
from benchmarks.matrices import (
    Progress,
    StandardLog,
    against_peers,
    from_raw,
    in_words,
    measure_ours,
    write_standard_log,
)
from benchmarks.measurement import Measurement, measure
from benchmarks.results import Result, faster, memory, memory_within, pace, within
from benchmarks.sample_log import ingest_sample, write_sample_project
from pipeline.sample.files import BLOCK

ONE_SNAPSHOT: dict[str, float | None] = {
    "pandas, tuned": 5, "polars, in two steps": 5, "DuckDB, tuned": 5, "pandas": None, "DuckDB": None,
}  # fmt: skip
SIX_SNAPSHOTS: dict[str, float | None] = {"pandas, tuned": 4, "DuckDB, tuned": 4, "pandas": None, "DuckDB": None}
FROM_RAW: dict[str, float | None] = {
    "polars, in two steps": 1.4, "chDB, in two steps": 1.4, "pandas, tuned": 1.4, "DuckDB, tuned": 1.4,
    "pandas": None, "DuckDB": None,
}  # fmt: skip
_MILLION = 1_000_000
_ON_SPARK = (5, 10, 20)
"""Millions of events."""


def standard(folder: Path, environments: Path, progress: Progress, scale: float = 1.0) -> Iterator[Result]:
    """Measure 20 million events of 500,000 leads, and what takes long at a smaller size."""
    log = write_standard_log(folder, int(20 * _MILLION * scale), int(500_000 * scale), progress)
    ingest = ingesting.ingest(log, progress)
    yield ingesting.against_sort(log, ingest, 0.55, progress)
    ours = measure_ours(log, 1, progress)
    yield from _against_floor(log, ours, progress)
    yield from against_peers(log, 1, ours, ONE_SNAPSHOT, environments, progress)
    yield from from_raw(log, ingest, ours, FROM_RAW, environments, progress)
    yield _scoring(log, int(_MILLION * scale), progress)
    smaller = write_standard_log(folder, int(5 * _MILLION * scale), int(125_000 * scale), progress)
    ingesting.ingest(smaller, progress)
    yield ingesting.delimited_against_sort(smaller, "plain", 1.3, progress)
    yield ingesting.delimited_against_sort(smaller, "quoted", 1.6, progress)
    ours = measure_ours(smaller, 6, progress)
    yield from against_peers(smaller, 6, ours, SIX_SNAPSHOTS, environments, progress)
    small = write_standard_log(folder, int(500_000 * scale), int(12_500 * scale), progress)
    ingesting.ingest(small, progress)
    ours = measure_ours(small, 1, progress)
    yield from against_peers(small, 1, ours, {"featuretools": None}, environments, progress)


def push(folder: Path, environments: Path, progress: Progress, scale: float = 1.0) -> Iterator[Result]:
    """Measure scores that are written to a database, and to servers that take their time."""
    del environments, scale  # no peer needs one, and a push is soon done
    yield from push_sql.against_pandas(folder, progress)
    yield from push_http.against_replay(folder, progress)


def bounds(folder: Path, environments: Path, progress: Progress, scale: float = 1.0) -> Iterator[Result]:
    """Measure training, the sample world, and its ingest within the memory of its settings."""
    del environments  # nobody else is compared with
    yield from _training(folder, int(training.ROWS * scale), progress)
    yield _beside_a_neighbour(progress)
    yield from _simulation(progress, scale)
    yield _sample(folder, int(200_000 * scale), progress)
    yield from _deciding(folder, int(_MILLION * scale), progress)
    yield from _counting(folder, int(500_000 * scale), progress)
    yield from _explaining(folder, int(100_000 * scale), progress)


def large(folder: Path, environments: Path, progress: Progress, scale: float = 1.0) -> Iterator[Result]:
    """Measure six snapshots each of 20 million events, how time grows up to 100 million, and the odd shapes of logs."""
    log = write_standard_log(folder, int(20 * _MILLION * scale), int(500_000 * scale), progress)
    ingesting.ingest(log, progress)
    ours = measure_ours(log, 6, progress)
    yield from against_peers(log, 6, ours, SIX_SNAPSHOTS, environments, progress)
    usual = measure_ours(log, 1, progress)
    yield from _growth(folder, int(10 * _MILLION * scale), progress)
    bot = write_standard_log(folder, int(20 * _MILLION * scale), int(250_000 * scale), progress, "bot")
    yield _odd(bot, "half of them one lead's", log, usual, progress)
    once = write_standard_log(folder, int(10 * _MILLION * scale), int(10 * _MILLION * scale), progress, "once")
    yield _odd(once, "each of another lead", log, usual, progress)


def spark(folder: Path, environments: Path, progress: Progress, scale: float = 1.0) -> Iterator[Result]:
    """Measure what ingest and features cost on Spark, a session being there, in CPU of all processes."""
    del environments  # Spark is in our own
    progress(f"a session: {measure(on_spark.start_session).seconds:.1f} s of CPU, which is left out of what follows")
    shorter: Measurement | None = None
    for millions in _ON_SPARK:
        log = write_standard_log(folder, int(millions * _MILLION * scale), int(millions * 25_000 * scale), progress)
        if millions == _ON_SPARK[-1]:
            yield on_spark.ingest_against_ourselves(log, 2.5, progress)
        else:
            progress(f"ingest, {log.size} events")
            measure(engine.ingest_log, log.root, repeats=1)
        log.raw.unlink()
        there = yield from on_spark.matrix_against_ourselves(log, 1, 3, progress)
        if shorter is not None:
            yield within(f"matrix on Spark, {log.size} events, CPU", "ourselves at half of them", there, shorter, 2.3)
        shorter = there
    there = yield from on_spark.matrix_against_ourselves(log, 6, 3, progress)
    # What run.memory_limit allows, and Python itself.
    yield on_spark.memory_of_workers(log, 6, there, 1.3, progress)


def _against_floor(log: StandardLog, written: Measurement, progress: Progress) -> Iterator[Result]:
    progress(f"full scan of {log.size} events")
    floor = measure(duckdb_peer.scan, log.ingested)
    task = f"matrix, {log.size} events, 1 snapshot each"
    computed = measure(engine.compute_matrix, log.ingested, log.snapshots(1))
    yield within(f"{task}, without writing it", "DuckDB's full scan", computed, floor, 4)
    yield within(f"{task}, with writing it", "DuckDB's full scan", written, floor, 8)


def _scoring(log: StandardLog, rows: int, progress: Progress) -> Result:
    task = f"probabilities of {in_words(rows)} leads"
    progress(task)
    folder = log.root / "model"
    mine, bare = log.root / "ours.npy", log.root / "bare.npy"
    measure(scoring.make_model, log.ours(1), rows, folder)
    ours = measure(scoring.predict, folder, mine)
    theirs = measure(scoring.predict_bare, folder, bare)
    if not np.array_equal(np.load(mine), np.load(bare)):
        raise DifferenceError("the probabilities are others than LightGBM's own")
    return within(task, "Booster.predict", ours, theirs, 1.3)


def _training(folder: Path, rows: int, progress: Progress) -> Iterator[Result]:
    task, peer = f"training, {in_words(rows)} snapshots of {training.COLUMNS} columns", "LightGBM from Arrow"
    progress(task)
    matrix = folder / "training.parquet"
    training.write_matrix(matrix, rows)
    ours, theirs = measure(training.train, matrix, 3), measure(training.train_bare, matrix, 3)
    matrix.unlink()
    yield within(task, peer, ours, theirs, 1.2)
    yield memory_within(task, peer, ours, theirs, 1.1)


def _beside_a_neighbour(progress: Progress) -> Result:
    task = "training on all cores, each of them shared with a busy neighbour"
    progress(task)
    return within(task, "one thread", measure(neighbour.train, 0), measure(neighbour.train, 1), 2)


def _growth(folder: Path, events: int, progress: Progress) -> Iterator[Result]:
    """Measure ten times the events, of ten times the leads: how time grows, and that memory doesn't."""
    ingested, measured = [], []
    for factor in (1, 10):
        log = write_standard_log(folder, factor * events, factor * events // 40, progress)
        ingested.append(ingesting.ingest(log, progress))
        log.raw.unlink()
        measured.append(measure_ours(log, 1, progress))
        log.ours(1).unlink()
    for task, (shorter, longer) in (
        (f"matrix, {log.size} events, 1 snapshot each", measured),
        (f"ingest, {log.size} events", ingested),
    ):
        yield within(task, f"ourselves at {in_words(events)}", longer, shorter, 11)
        yield memory(task, longer, 2)


def _simulation(progress: Progress, scale: float) -> Iterator[Result]:
    """Measure how fast the sample world is drawn, and written."""
    blocks = max(1, int(10 * scale))
    events = sample_log.simulated(blocks)
    progress(f"the sample world, {in_words(events)} events")
    yield pace("the sample world drawn on one core", events, measure(sample_log.simulate, blocks), 1)
    written = measure(sample_log.write_files, blocks * BLOCK)
    yield pace("the sample world drawn and written on one core", events, written, 0.5)


def _sample(folder: Path, leads: int, progress: Progress) -> Result:
    """Measure that what joins several sources stays within its memory, too."""
    root = folder / f"sample-{leads}"
    task = f"ingest, the sample with {in_words(leads)} leads, 4 sources with identities"
    progress(f"{task}: {write_sample_project(root, leads):,} events")
    ours = measure(ingest_sample, root)
    shutil.rmtree(root)
    return memory(task, ours, 2)


def _deciding(folder: Path, leads: int, progress: Progress) -> Iterator[Result]:
    """Measure what is decided of open leads beyond their probabilities."""
    root = folder / f"deciding-{leads}"
    task, peer = f"deciding for {in_words(leads)} open leads", "DuckDB's last event of each lead and type"
    progress(task)
    deciding.write_world(root, leads)
    ours, theirs = measure(deciding.decide, root, leads), measure(deciding.group, root)
    shutil.rmtree(root)
    yield within(task, peer, ours, theirs, 18)
    yield memory(task, ours, 4)


def _counting(folder: Path, leads: int, progress: Progress) -> Iterator[Result]:
    """Measure what is counted for those who pay, over 40 events of each lead."""
    root = folder / f"counting-{leads}"
    task, peer = f"KPIs of {in_words(leads * counting.EVENTS)} events", "DuckDB's first event of each lead and type"
    progress(task)
    counting.write_world(root, leads)
    ours, theirs = measure(counting.count, root), measure(counting.group, root)
    shutil.rmtree(root)
    yield within(task, peer, ours, theirs, 12)
    yield memory(task, ours, 2)


def _explaining(folder: Path, leads: int, progress: Progress) -> Iterator[Result]:
    """Measure what is told of the open leads in the tiers that are shown, beside what they are foretold."""
    root = folder / f"explaining-{leads}"
    progress(f"telling why, what changed and what next, of {in_words(leads)} open leads: a model is learned")
    explaining.write_world(root, leads)
    task, peer = (
        f"of {in_words(leads)} open leads, {in_words(explaining.shown_of(root))} of them shown",
        "LightGBM's TreeSHAP alone",
    )
    bare = measure(explaining.contribute, root)
    yield within(f"reasons {task}", peer, measure(explaining.give_reasons, root), bare, 0.6)
    told = measure(explaining.tell_all, root)
    yield within(f"reasons, changes and actions {task}", peer, told, bare, 1.5)
    yield memory(f"reasons, changes and actions {task}", told, 4)
    shutil.rmtree(root)


def _odd(odd: StandardLog, shape: str, usual: StandardLog, theirs: Measurement, progress: Progress) -> Result:
    """Measure that a log of another shape works, against the usual one; that its values are right, tests show."""
    ingesting.ingest(odd, progress)
    task = f"matrix, {odd.size} events, {shape}, 1 snapshot each"
    ours = measure_ours(odd, 1, progress)
    return faster(task, f"the usual {usual.size} events", ours, theirs, None)
