"""Folders of exports that ``leadcast init`` can make nothing of, or little: one message, and no settings half right."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
import yaml
from small_project import Outcome, SmallProject


def init(root: Path, files: Mapping[str, str | bytes], *options: str) -> tuple[SmallProject, Outcome]:
    """Write exports, and let ``init`` look at them without asking."""
    project = SmallProject(root / "project")
    for path in [project.root / "params.yaml", *project.raw.iterdir()]:
        path.unlink()
    for name, content in files.items():
        (project.raw / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    outcome = project.run("init", "raw", "--yes", *options)
    assert (project.root / "params.yaml").exists() == (outcome.code == 0)
    return project, outcome


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write rows as CSV."""
    stream = io.StringIO()
    csv.writer(stream).writerows([header, *rows])
    return stream.getvalue()


def history(leads: int = 300) -> list[tuple[str, str, str]]:
    """Make up events of leads over a year: visits, and a purchase of every fourth lead."""
    rows = []
    for lead in range(leads):
        month, day = 1 + lead % 11, 1 + lead % 20
        rows += [(f"L{lead:03}", f"2025-{month:02}-{day + step:02} 10:{lead % 60:02}:00", "visit") for step in range(3)]
        if lead % 4 == 0:
            rows.append((f"L{lead:03}", f"2025-{month:02}-{day + 5:02} 11:00:00", "won"))
    return rows


RANDOM = random.Random(7).randbytes(5000)  # noqa: S311 - no secret
USELESS: dict[str, tuple[dict[str, str | bytes], str]] = {
    "nothing": ({}, "no table in raw that can be read; put CSV, JSON lines, Parquet or .xlsx there"),
    "a text for people": ({"README.md": "# exports\n"}, "README.md: not a CSV, JSON lines, Parquet or .xlsx file"),
    "an empty file": ({"log.csv": b""}, "log.csv is empty"),
    "a header alone": ({"log.csv": "lead,time,event\n"}, "hold no rows, only names of columns; export them again"),
    "noise as CSV": ({"log.csv": RANDOM}, "files that can't be read: log.csv is not utf-16"),
    "noise as Parquet": ({"log.parquet": RANDOM}, "log.parquet can't be read"),
    "noise as JSON": ({"log.jsonl": RANDOM}, "log.jsonl"),
    "noise as gzip": ({"log.jsonl.gz": RANDOM}, "log.jsonl.gz is damaged"),
    "columns that are all empty": (
        {"log.csv": "lead,time,event\n" + ",,\n" * 50}, "no column that says who converted; name one: --outcome COLUMN"
    ),
    "a header over two lines": ({"log.csv": 'lead,"the\ntime",event\n'}, "the first line can't be read as a header"),
}  # fmt: skip


@pytest.mark.parametrize(("files", "words"), USELESS.values(), ids=USELESS)
def test_of_what_is_no_export_no_settings_are_made(tmp_path: Path, files: dict[str, str | bytes], words: str) -> None:
    _, outcome = init(tmp_path, files)
    assert outcome.code == 4
    assert words in outcome.text


def test_a_folder_that_is_not_there_or_a_file_is_told(tmp_path: Path) -> None:
    project = SmallProject(tmp_path / "project")
    (project.root / "params.yaml").unlink()
    for place, words in (("nowhere", "the folder nowhere is not there"), ("raw/log.csv", "raw/log.csv is a file")):
        outcome = project.run("init", place, "--yes")
        assert outcome.code == 4
        assert words in outcome.text


def test_dates_that_fit_both_orders_stop_until_one_is_named(tmp_path: Path) -> None:
    rows = [
        (lead, f"{int(time[8:10]) % 12 + 1:02}/{int(time[5:7]):02}/{time[:4]}", event)
        for lead, time, event in history()
    ]
    files = {"log.csv": as_csv(("lead_id", "date", "event"), rows)}
    _, outcome = init(tmp_path / "unsaid", files)
    assert outcome.code == 4
    assert "say which comes first: --date-order day, or --date-order month" in outcome.text
    project, outcome = init(tmp_path / "said", files, "--date-order", "day", "--conversion", "won")
    assert outcome.code == 0, outcome.text
    assert project.ingest().code == 0
    months = {time.month for (time,) in project.log("occurred_at")}
    assert months == set(range(1, 12)), "as they were written"


NAMES: dict[str, Sequence[str]] = {
    "words of SQL": ("lead_id", "time", "event", "select", "from", "group by", "order", "null"),
    "quotes": ("lead_id", "time", "event", 'the "best"', "it's", "a`b", "semi;colon", "back\\slash"),
    "emoji": ("lead_id", "time", "event", "🙂", "é", "日本", "\u200b", "a b"),
    "braces and formulas": ("lead_id", "time", "event", "{x}", "{{ y }}", "=cmd()", "@a", "-b"),
    "YAML": ("lead_id", "time", "event", "yes", "a: b", "# c", "[d]", "~"),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_columns_may_be_named_anything(tmp_path: Path, names: Sequence[str]) -> None:
    rows = [(*row, "v", "w", "x", "y", "z") for row in history()]
    project, outcome = init(tmp_path, {"log.csv": as_csv(names, rows)}, "--conversion", "won")
    assert outcome.code == 0, outcome.text
    assert project.ingest().code == 0
    assert len(project.log()) == len(rows)


def test_of_200_columns_those_that_matter_are_found(tmp_path: Path) -> None:
    names = ("lead_id", "time", "event", *(f"field {number}" for number in range(197)))
    rows = [(*row, *(f"v{(number * len(row[2])) % 7}" for number in range(197))) for row in history()]
    project, outcome = init(tmp_path, {"log.csv": as_csv(names, rows)}, "--conversion", "won")
    assert outcome.code == 0, outcome.text
    assert project.ingest().code == 0
    assert len(project.log()) == len(rows)


def test_300_files_of_one_kind_are_one_source(tmp_path: Path) -> None:
    rows = history()
    files = {
        f"export-{number:03}.csv": as_csv(("lead_id", "time", "event"), rows[number::300]) for number in range(300)
    }
    project, outcome = init(tmp_path, files, "--conversion", "won")
    assert outcome.code == 0, outcome.text
    settings = yaml.safe_load((project.root / "params.yaml").read_text())
    assert len(settings["ingest"]["sources"]) == 1
    assert project.ingest().code == 0
    assert len(project.log()) == len(rows)
