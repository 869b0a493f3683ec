"""The benchmarks compare like with like: on small logs, every program that is installed gives the same matrix."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks import duckdb_peer, engine
from benchmarks.comparison import DifferenceError, compare
from benchmarks.delimited_log import Quotes, write_delimited
from benchmarks.environments import is_there
from benchmarks.ingesting import compare_logs
from benchmarks.matrices import ELSEWHERE, PEERS, StandardLog, against_peers, measure_peer, write_standard_log
from benchmarks.measurement import ROOT, Measurement
from benchmarks.page import write_page
from benchmarks.results import faster, memory, merge, skipped, within
from benchmarks.sample_log import ingest_sample, write_sample_project
from benchmarks.standard_log import Shape, write_raw_log
from benchmarks.standard_task import columns
from pipeline.core.project import Places


def _silent(line: str) -> None:
    del line


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> StandardLog:
    """Write and ingest a log of a few thousand events, and compute our matrices of it."""
    written = write_standard_log(tmp_path_factory.mktemp("benchmark"), 4_000, 100, _silent)
    engine.ingest_log(written.root)
    for each in (1, 6):
        engine.write_matrix(written.ingested, written.snapshots(each), written.root / f"ours-{each}.parquet")
    return written


@pytest.mark.parametrize("each", [1, 6])
@pytest.mark.parametrize("peer", PEERS)
def test_every_program_computes_the_same_matrix(log: StandardLog, peer: str, each: int, tmp_path: Path) -> None:
    for events in (log.ingested, log.raw):
        PEERS[peer](events, log.snapshots(each), tmp_path / "theirs.parquet")
        compare(log.root / f"ours-{each}.parquet", tmp_path / "theirs.parquet")


@pytest.mark.parametrize("quotes", get_args(Quotes))
def test_ingest_and_duckdb_read_the_same_events_from_csv_as_from_parquet(
    log: StandardLog, quotes: Quotes, tmp_path: Path
) -> None:
    raw = tmp_path / engine.DELIMITED_LOG
    raw.parent.mkdir()
    write_delimited(log.raw, raw, quotes)
    (tmp_path / engine.RAW_LEADS).write_bytes((log.root / engine.RAW_LEADS).read_bytes())
    engine.ingest_delimited_log(tmp_path)
    for file in (log.raw, raw):
        duckdb_peer.sort_and_write(file, tmp_path / "sorted.parquet", "1GB")
        for ingested in (log.ingested, Places(tmp_path).interactions):
            compare_logs(ingested, tmp_path / "sorted.parquet")


def test_csv_is_written_without_a_quote_or_with_every_field_in_quotes(log: StandardLog, tmp_path: Path) -> None:
    fields = {}
    for quotes in get_args(Quotes):
        write_delimited(log.raw, tmp_path / "log.csv", quotes)
        fields[quotes] = [line.split(",") for line in (tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()]
    assert {field[:1] + field[-1:] for line in fields["quoted"] for field in line} == {'""'}
    assert [[field[1:-1] for field in line] for line in fields["quoted"]] == fields["plain"]
    assert len(fields["plain"]) == 4_001
    assert not any('"' in field for line in fields["plain"] for field in line)


def test_another_event_is_told_from_the_sorted_one(log: StandardLog, tmp_path: Path) -> None:
    events = pq.read_table(log.raw)
    pq.write_table(
        events.set_column(2, "event", pc.replace_substring(events["event"], "chat", "chats")), tmp_path / "l"
    )
    with pytest.raises(DifferenceError, match="another than the sorted one"):
        compare_logs(log.ingested, tmp_path / "l")


@pytest.mark.parametrize(("peer", "each"), [*((peer, 1) for peer in ELSEWHERE), ("polars, in two steps", 6)])
def test_programs_of_other_environments_compute_it_too(log: StandardLog, peer: str, each: int, tmp_path: Path) -> None:
    environments = ROOT / ".cache/benchmarks"
    if not is_there(ELSEWHERE[peer][0], environments):
        pytest.skip(f"make bench has not made the environment of {peer} yet")
    for events in (log.ingested, log.raw) if peer != "featuretools" else (log.ingested,):
        measure_peer(peer, events, log.snapshots(each), tmp_path / "theirs.parquet", environments)
        compare(log.root / f"ours-{each}.parquet", tmp_path / "theirs.parquet")


def test_a_peer_that_cannot_be_had_is_a_row_that_says_so(
    log: StandardLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    ours = Measurement(seconds=1.0, peak_gb=1.0)
    [row] = against_peers(log, 1, ours, {"polars, in two steps": 5}, tmp_path, _silent)
    assert row.name == "matrix, 4,000 events, 1 snapshot each, against polars, in two steps"
    assert row.peer.startswith("polars, in two steps (skipped: its environment can't be made: ")
    assert (row.ratio, row.met) == (None, False)


def test_the_sample_is_ingested_by_its_own_settings(tmp_path: Path) -> None:
    assert write_sample_project(tmp_path / "sample", 50) > 0
    ingest_sample(tmp_path / "sample")
    assert (tmp_path / "sample/data/interactions.parquet").exists()


@pytest.mark.parametrize("shape", ["bot", "once"])
def test_odd_logs_give_the_same_matrix_too(shape: Shape, tmp_path: Path) -> None:
    log = write_standard_log(tmp_path, 1_000, 1_000, _silent, shape)
    engine.ingest_log(log.root)
    engine.write_matrix(log.ingested, log.snapshots(1), tmp_path / "ours.parquet")
    PEERS["DuckDB, tuned"](log.ingested, log.snapshots(1), tmp_path / "theirs.parquet")
    compare(tmp_path / "ours.parquet", tmp_path / "theirs.parquet")


def test_a_planted_difference_is_told_with_its_column_and_its_row(log: StandardLog, tmp_path: Path) -> None:
    ours = log.root / "ours-1.parquet"
    matrix = pq.read_table(ours)
    name = "count__search__30d"
    counts = matrix[name].to_numpy().copy()
    counts[7] += 1
    planted = matrix.set_column(matrix.schema.get_field_index(name), name, pa.array(counts))
    pq.write_table(planted, tmp_path / "theirs.parquet")
    with pytest.raises(DifferenceError, match=rf"{name} differs in 1 of 100 rows:\n  lead-00000007 at 2026-01-01"):
        compare(ours, tmp_path / "theirs.parquet")


def test_a_matrix_of_other_snapshots_is_refused(log: StandardLog, tmp_path: Path) -> None:
    ours = log.root / "ours-1.parquet"
    pq.write_table(pq.read_table(ours).slice(1), tmp_path / "theirs.parquet")
    with pytest.raises(DifferenceError, match="other snapshots: 100 rows in .*, 99 in"):
        compare(ours, tmp_path / "theirs.parquet")


def test_the_log_is_what_the_task_says(tmp_path: Path) -> None:
    write_raw_log(tmp_path / "log.parquet", 40_000, 1_000)
    log = pq.read_table(tmp_path / "log.parquet")
    number = pc.cast(pc.utf8_slice_codeunits(log["lead"], 5), pa.int64()).to_numpy()
    # Where lead = floor(n u^2), half of the events fall on the first quarter of the leads: u < 1/2.
    assert np.mean(number < 250) == pytest.approx(0.5, abs=0.01)
    valued = log.filter(pc.is_valid(log["amount"]))
    assert set(valued["event"].to_pylist()) == {"quote", "purchase"}
    moments = log.group_by(["lead", "time"]).aggregate([([], "count_all")])
    assert 1 - len(moments) / len(log) == pytest.approx(0.1, abs=0.01), "one event in ten is tied"
    write_raw_log(tmp_path / "again.parquet", 40_000, 1_000)
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "log.parquet").read_bytes()


def test_the_standard_task_has_84_columns_that_the_engine_names_likewise() -> None:
    assert len(columns()) == 84
    assert engine.standard_catalogue().names == tuple(column.name for column in columns())


def test_rows_are_kept_merged_and_shown(tmp_path: Path) -> None:
    quick, slow = Measurement(seconds=2.0, peak_gb=1.5), Measurement(seconds=50.0, peak_gb=8.0)
    path = tmp_path / "reports/benchmarks.json"
    merge(path, [faster("matrix", "pandas", slow, quick, 20), memory("matrix", quick, 2)])
    rows = merge(
        path,
        [
            faster("matrix", "pandas", quick, slow, 20),
            within("matrix", "a scan", slow, quick, 4),
            skipped("matrix", "featuretools", "no network", 300),
            faster("matrix", "a friend", quick, slow, None),
        ],
    )
    assert [(row.name, row.ratio, row.goal, row.met) for row in rows] == [
        ("matrix, against pandas", 25.0, 20, True),
        ("matrix, peak memory in GB (at most)", 1.5, 2, True),
        ("matrix, against a scan (at most)", 25.0, 4, False),
        ("matrix, against featuretools", None, 300, False),
        ("matrix, against a friend", 25.0, None, None),
    ]
    fields = ["goal", "met", "name", "ours_s", "peer", "peer_s", "ratio"]
    assert [sorted(vars(row)) for row in rows] == [fields] * 5
    write_page(path, tmp_path / "docs")
    page = (tmp_path / "docs/performance.md").read_text(encoding="utf-8")
    assert "| matrix, against pandas | 2 s | 50 s | 25x | at least 20 | yes |" in page
    assert "| matrix, against a scan (at most) | 50 s | 2 s | 25x | at most 4 | **no** |" in page
    assert "- matrix, against featuretools: featuretools (skipped: no network)" in page
    assert "## What holds it back" in page
    told = [
        line.split(" | ")[0].removeprefix("| matrix, against ") for line in page.splitlines() if "| matrix, a" in line
    ]
    assert told == ["a scan (at most)", "pandas", "a friend", "featuretools"], "the fastest peer first"
    assert (tmp_path / "docs/pictures/performance.png").stat().st_size > 10_000
