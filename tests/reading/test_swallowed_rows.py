"""A stray quote swallows no rows, and a note of several lines stays one."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest
from read_files import _read_csv
from small_project import SmallProject

from pipeline.reading import delimited
from pipeline.reading.delimited import SWALLOWS

HEAD = ["id", "at", "what", "note"]


def _rows(count: int) -> list[list[str]]:
    return [[f"L{n % 50:03}", f"2026-01-{1 + n % 28:02} 10:{n % 60:02}", "visit", f"note {n}"] for n in range(count)]


def _lines(rows: list[list[str]], delimiter: str = ",") -> str:
    return "\n".join(delimiter.join(row) for row in [HEAD, *rows]) + "\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(("opened", "closed"), [(50, 448), (50, 51), (50, 52), (0, 499), (498, 499)])
@pytest.mark.parametrize("column", [2, 3])
def test_a_quote_that_is_closed_rows_below_costs_its_own_row_alone(
    opened: int, closed: int, column: int, delimiter: str
) -> None:
    rows = _rows(500)
    rows[opened][column] = '"' + rows[opened][column]
    rows[closed][column] += '"'
    read = _read_csv(_lines(rows, delimiter), tuple(HEAD))
    assert [line for line, *_ in read] == list(range(2, 502))
    assert [(line, reason) for line, reason, *_ in read if reason] == [(opened + 2, SWALLOWS)]
    assert [list(values) for _, reason, *values in read if not reason] == [
        row for number, row in enumerate(rows) if number != opened
    ]


def test_the_rows_in_are_told_and_accounted_for(tmp_path: Path) -> None:
    rows = _rows(500)
    rows[50][3], rows[448][3] = '"opens', 'closes"'
    project = SmallProject(tmp_path).write(log_csv=_lines(rows))
    columns = {"lead_id": "id", "occurred_at": "at", "event_type": "what", "event_id": "note"}
    source = {"path": "log.csv", "columns": columns, "known_at": "as_it_occurred", "actor": "lead"}
    outcome = project.set({"log": source}, leads=None).ingest()
    assert outcome.code == 0
    summary = project.accounts()
    assert (summary["sources"]["log"]["rows"], summary["sources"]["log"]["used"]) == (500, 499)
    assert project.set_aside() == [(52, SWALLOWS)]
    assert "log: 1 row opens a quote that is closed only rows below" in outcome.text


NOTES = {
    "a letter": "Dear John,\nthanks for your time, see you on Monday.\n\nRegards,\nAda",
    "a list": "wants:\n- 12, 13, 14 seats\n- a price, soon, and a demo\n",
    "an address": "Main Street 12\n1234 AB, Amsterdam, NL, Europe",
    "dates": "called on 2026-01-02,\n2026-01-03, and again on 2026-01-04 10:00",
    "quotes": 'he said "yes",\nshe said "no, never", and both\nleft',
    "windows": "first line\r\nsecond, line\r\n",
}


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize("place", [1, 3])
@pytest.mark.parametrize("share", [0.02, 0.5, 1.0])
def test_notes_of_several_lines_are_read_as_they_were_written(
    note: str, quoting: int, place: int, share: float
) -> None:
    chance = random.Random(5)  # noqa: S311 - no secret
    rows = [[*row[:3], note if chance.random() < share else row[3]] for row in _rows(300)]
    moved = [[row[3] if n == place else row[:3][n - (n > place)] for n in range(4)] for row in rows]
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=quoting).writerows([["a", "b", "c", "d"], *moved])  # type: ignore[arg-type]
    read = _read_csv(stream.getvalue(), ("a", "b", "c", "d"))
    assert [list(row[2:]) for row in read] == moved
    assert not any(row[1] for row in read)


def test_a_table_pasted_into_a_note_is_no_row_where_all_is_in_quotes() -> None:
    rows = _rows(100)
    rows[20][3] = "they sent:\nL001,2026-01-02 10:00,visit,x\nL002,2026-01-03 10:00,visit,y\n"
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([HEAD, *rows])
    read = _read_csv(stream.getvalue(), tuple(HEAD))
    assert [list(row[2:]) for row in read] == rows


def test_the_cut_between_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _rows(2000)
    for number in range(0, 2000, 97):
        rows[number][3] = '"opens'
        rows[min(number + 40, 1999)][3] = 'closes"'
    whole = _read_csv(_lines(rows), tuple(HEAD))
    assert [line for line, *_ in whole] == list(range(2, 2002))
    monkeypatch.setattr("pipeline.reading.raw_files._BLOCK_BYTES", 5000)
    assert _read_csv(_lines(rows), tuple(HEAD)) == whole


def test_a_lone_quote_at_the_end_of_the_file_costs_its_row() -> None:
    rows = _rows(100)
    rows[99][3] = '"'
    read = _read_csv(_lines(rows), tuple(HEAD))
    assert [(line, reason) for line, reason, *_ in read if reason] == [(101, delimited.BROKEN_QUOTES)]
    assert len(read) == 100
