"""Ingest from its start to its end: when it is refused, that nothing is lost, and that it is the same again."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_logs import (
    LEADS,
    SOUND,
    read_quarantine,
    run_ingest,
    source_of,
    write_raw,
)

from features.core.errors import InputError


def test_too_many_broken_rows_fail_the_run_and_leave_the_quarantine(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=SOUND)
    run_ingest(tmp_path)
    before = (tmp_path / "data/interactions.parquet").read_bytes()
    good = "".join(f"A,2026-01-01T00:00:{n:02},visit\n" for n in range(9))
    write_raw(tmp_path, log_csv=f"lead,at,what\n{good}A,never,visit\nA,2026-01-01,visit\n")
    with pytest.raises(
        InputError, match=r"(?s)unreadable occurred_at: 1 rows, the first in log\.csv, line 11.*data/quar"
    ):
        run_ingest(tmp_path, maximum_broken=0.09)
    # The last row is a duplicate, which is nothing unusual.
    assert read_quarantine(tmp_path) == [("log.csv", 11, "unreadable occurred_at"), ("log.csv", 12, "duplicate")]
    assert (tmp_path / "data/interactions.parquet").read_bytes() == before
    assert run_ingest(tmp_path, maximum_broken=0.1).interactions == 9


def test_a_log_of_which_nothing_can_be_used_is_refused(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=SOUND, leads_csv="lead,created\nB,2026-01-01\n")
    with pytest.raises(InputError, match="1 unknown lead"):
        run_ingest(tmp_path, leads=LEADS)
    assert not (tmp_path / "data/.tmp/ingest").exists()


def test_the_mistakes_of_all_tables_are_told_at_once(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=SOUND)
    with pytest.raises(InputError, match=r"(?s)sources\.log: log\.csv has no column 'kind'.*leads: no file matches"):
        run_ingest(tmp_path, {"log": source_of(columns={"event_type": "kind"})}, leads=LEADS)


def test_a_second_run_gives_the_same_bytes(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    size = 300_000
    table = pa.table({
        "lead": [f"L{n}" for n in generator.integers(0, 3_000, size)],
        "at": generator.integers(1_700_000_000, 1_700_500_000, size),
        "what": generator.choice(["visit", "call", ""], size),
    })  # fmt: skip
    (tmp_path / "raw").mkdir()
    pq.write_table(table, tmp_path / "raw/log.parquet", row_group_size=20_000)
    sources = {"log": source_of("log.parquet", time_format="epoch_seconds")}
    digests = []
    for _ in range(3):
        summary = run_ingest(tmp_path, sources)
        digests.append(_digest(tmp_path / "data"))
    assert digests[0] == digests[1] == digests[2]
    assert len(digests[0]) == 10
    assert summary.interactions > 190_000
    assert pq.ParquetFile(tmp_path / "data/interactions.parquet").num_row_groups > 1


def _digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_run_killed_in_the_middle_leaves_no_trace_in_the_next(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=SOUND)
    run_ingest(tmp_path)
    clean = _digest(tmp_path / "data")
    leftover = tmp_path / "data/.tmp/ingest/mapped-log"
    leftover.mkdir(parents=True)
    (leftover / "000009.parquet").write_bytes(b"half a fi")
    run_ingest(tmp_path)
    assert _digest(tmp_path / "data") == clean


MESSY = st.text(alphabet='A,"\n\r2026-01 :x;\tZ\x00é', max_size=120)


ROWS = st.lists(
    st.sampled_from([
        "A,2026-01-01,visit", "B,2026-01-02,call", 'A,"2026-01-01",visit', "A,x,visit", ",,", "A,2026-01-01", '"',
        '"A,2026-01-01,visit', 'A,2026-01-01,"two\nlines"', "A,2026-01-01,visit,more", "", "A,2026-01-01,\r",
        "é,2026-01-01,é",
    ]),
    max_size=12,
)  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=ROWS.map("\n".join) | MESSY, line_end=st.sampled_from(["", "\n", "\r\n"]))
def test_whatever_a_file_holds_no_row_is_lost_or_doubled(
    body: str, line_end: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("messy")
    (root / "raw").mkdir()
    (root / "raw/log.csv").write_bytes((SOUND + body + line_end).encode())
    try:
        source = run_ingest(root).sources["log"]
    except InputError as error:
        assert "ends in the middle" in str(error)
        assert not line_end.endswith("\n")
        return
    finally:
        shutil.rmtree(root, ignore_errors=True)
    text = SOUND + body + line_end
    filled = [line for line in text.split("\n")[1:] if line.strip("\r")]
    assert source.rows == source.used + sum(source.set_aside.values())
    assert source.used >= 1
    # Only lines within quotes make fewer rows than lines.
    assert source.rows == len(filled) if '"' not in text else 1 <= source.rows <= len(filled)
