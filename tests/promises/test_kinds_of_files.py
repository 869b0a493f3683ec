"""Whatever kind of file rows come in, and whoever reads it: the log is the same, and broken rows keep their line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from raw_logs import moment_of, read_log, read_quarantine, run_ingest, source_of
from workbook_files import workbook

from pipeline.settings.run import Run

HEADER = ("lead", "at", "what", "note")
ROWS = (
    ("B", "2026-01-03 12:03", "call", ""),
    ("A", "2026-01-02 10:01", "visit", "two\n\nlines"),
    ("A", "2026-01-09 11:02", "won", 'a "word"'),
    ("A", "soon", "visit", "é"),
    ("B", "2026-01-03 12:03", "visit", "last"),
    ("", "2026-01-05 13:04", "visit", "nobody's"),
    ("A", "2026-01-02 10:01", "visit", "two\n\nlines"),
)
LOG = [
    ("A", moment_of("2026-01-02 10:01"), "visit", "two\n\nlines"),
    ("A", moment_of("2026-01-09 11:02"), "won", 'a "word"'),
    ("B", moment_of("2026-01-03 12:03"), "call", None),
    ("B", moment_of("2026-01-03 12:03"), "visit", "last"),
]
BROKEN = ("unreadable occurred_at", "missing lead_id", "duplicate")
OF_TEXT, BY_NUMBER = (7, 9, 10), (4, 6, 7)
"""The lines of the broken rows: where the header and lines within notes are lines, too, and where rows are counted."""
CALLED = source_of(columns={"content": "note"})


def _delimited(delimiter: str) -> bytes:
    lines = ([f'"{cell}"'.replace('a "word"', 'a ""word""') for cell in row] for row in (HEADER, *ROWS))
    return "".join(delimiter.join(cells) + "\n" for cells in lines).encode()


def write_each_kind(raw: Path) -> dict[str, dict[str, Any]]:
    """Write the rows in files of every kind; gives the sources."""
    raw.mkdir()
    (raw / "plain.csv").write_bytes(_delimited(","))
    (raw / "packed.csv.gz").write_bytes(gzip.compress(_delimited(";")))
    (raw / "wide.txt").write_bytes(_delimited("\t").decode().encode("utf-16"))
    objects = (dict(zip(HEADER, row, strict=True)) for row in ROWS)
    (raw / "objects.jsonl").write_text("".join(json.dumps(one) + "\n" for one in objects))
    columns = {name: pa.array(cells) for name, cells in zip(HEADER, zip(*ROWS, strict=True), strict=True)}
    pq.write_table(pa.table(columns), raw / "columns.parquet", row_group_size=2)
    (raw / "sheet.xlsx").write_bytes(workbook([list(HEADER), *map(list, ROWS)]))
    files = {path.stem.removesuffix(".csv"): CALLED | {"path": path.name} for path in raw.iterdir()}
    query = {name: value for name, value in CALLED.items() if name != "path"} | {"query": "FROM columns"}
    return files | {"asked": query}


LINES: Mapping[str, tuple[int, ...]] = {
    "plain": OF_TEXT,
    "packed": OF_TEXT,
    "wide": OF_TEXT,
    "objects": BY_NUMBER,
    "columns": BY_NUMBER,
    "sheet": tuple(number + 1 for number in BY_NUMBER),
    "asked": (5, 1, 3),  # what a query gives is sorted
}


def test_the_same_rows_give_the_same_log_whatever_they_come_in(tmp_path: Path, executor: Run) -> None:
    sources = write_each_kind(tmp_path / "raw")
    assert set(sources) == set(LINES)
    summary = run_ingest(tmp_path, sources, run=executor)
    for name in sources:
        assert read_log(tmp_path, "lead_id, occurred_at, event_type, content", name) == LOG, name
        broken = {reason: line for _, line, reason in read_quarantine(tmp_path, name)}
        assert broken == dict(zip(BROKEN, LINES[name], strict=True)), name
        counts = summary.sources[name]
        assert (counts.rows, counts.used, counts.set_aside) == (7, 4, dict.fromkeys(BROKEN, 1)), name
