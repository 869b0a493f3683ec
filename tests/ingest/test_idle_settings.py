"""What a table's settings say has an effect, or is refused."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_logs import LEADS, LINKS, SOUND, run_ingest, source_of, write_raw
from small_project import SmallProject

EPOCH = "lead,at,what\nA,1767350000,visit\n"
OFFSET = "lead,at,what\nA,2026-01-01T10:00:00+01:00,visit\n"
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a zone beside epochs": (
        EPOCH,
        {"time_format": "epoch_seconds", "time_zone": "Europe/Paris"},
        "ingest.sources.log: time_zone has no effect, for the times (at) are counted from 1970 in UTC; leave it out",
    ),
    "a zone beside several epochs": (
        EPOCH,
        {"time_format": ["epoch_milliseconds", "epoch_seconds"], "time_zone": "Asia/Tokyo"},
        "time_zone has no effect",
    ),
    "a zone beside a format with an offset": (
        OFFSET,
        {"time_format": "%Y-%m-%dT%H:%M:%S%z", "time_zone": "Europe/Paris"},
        "time_zone has no effect, for the times (at) carry an offset; leave it out",
    ),
    "a decimal comma without a number": (SOUND, {"decimal": ","}, "decimal has no effect, for no column of numbers"),
    "thousands without a number": (SOUND, {"thousands": "'"}, "thousands has no effect"),
}  # fmt: skip


@pytest.mark.parametrize(("log", "settings", "words"), REFUSED.values(), ids=REFUSED)
def test_a_setting_without_effect_is_refused(log: str, settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    project = SmallProject(tmp_path).write(log_csv=log).set({"log": source_of(**settings)}, leads=None)
    outcome = project.ingest()
    assert outcome.code == 3
    assert words in outcome.text


def test_a_zone_has_an_effect_beside_a_column_that_is_local(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv="lead,at,what,known\nA,2026-01-01 10:00,visit,1767350000000\n")
    source = source_of(
        known_at={"column": "known"}, time_format=["iso", "epoch_milliseconds"], time_zone="Europe/Paris"
    )
    assert run_ingest(tmp_path, {"log": source}).sources["log"].first_occurred_at == datetime(2026, 1, 1, 9)


def test_leads_and_identities_are_looked_at_and_all_are_told_at_once(tmp_path: Path) -> None:
    project = SmallProject(tmp_path).write(
        log_csv=SOUND, leads_csv="lead,created\nA,1767000000\n", links_csv="alias,lead,at\nb,A,1767000000\n"
    )
    idle = {"time_format": "epoch_seconds", "time_zone": "Europe/Paris"}
    outcome = project.set({"log": source_of()}, leads=LEADS | idle, identities=LINKS | idle).ingest()
    assert outcome.code == 3
    for words in ("ingest.leads: time_zone has no effect", "ingest.identities: time_zone has no effect"):
        assert words in outcome.text


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (
            pa.timestamp("us"),
            {"time_format": "epoch_seconds"},
            "time_format has no effect, for the times (at) are held",
        ),
        (pa.timestamp("ns", "UTC"), {"time_zone": "Europe/Paris"}, "time_zone has no effect, for the times (at) carry"),
        (pa.timestamp("us"), {"delimiter": ";"}, "delimiter has no effect, for log.parquet has none"),
        (pa.timestamp("us"), {"encoding": "cp1252"}, "encoding has no effect, for log.parquet has none"),
        (pa.timestamp("us"), {"header_line": 3}, "header_line has no effect, for log.parquet has none"),
        (pa.timestamp("us"), {"footer_lines": 1}, "footer_lines has no effect, for log.parquet has none"),
    ],
)
def test_parquet_needs_no_word_for_what_it_says_itself(
    kind: pa.DataType, settings: dict[str, Any], words: str, tmp_path: Path
) -> None:
    project = SmallProject(tmp_path).set({"log": source_of("log.parquet", **settings)}, leads=None)
    times = pa.array([datetime(2026, 1, 1)], kind)
    pq.write_table(pa.table({"lead": ["A"], "at": times, "what": ["visit"]}), project.raw / "log.parquet")
    outcome = project.ingest()
    assert outcome.code == 3
    assert words in outcome.text


def test_a_table_for_queries_keeps_its_texts(tmp_path: Path) -> None:
    source = source_of() | {"query": 'SELECT lead, "at", what FROM hits'}
    del source["path"]
    project = SmallProject(tmp_path).set(
        {"log": source}, leads=None, tables={"hits": {"path": "log.csv", "time_zone": "Europe/Paris"}}
    )
    outcome = project.ingest()
    assert outcome.code == 3
    assert "ingest.tables.hits: time_zone has no effect, for queries read its texts as they are" in outcome.text


@pytest.mark.parametrize(
    "setting", [{"delimiter": ";"}, {"header_line": 2}, {"footer_lines": 1}], ids=lambda one: str(*one)
)
@pytest.mark.parametrize("place", ["sources.log", "tables.hits"])
def test_json_lines_have_no_delimiter_and_no_lines_around_them(
    place: str, setting: dict[str, Any], tmp_path: Path
) -> None:
    project = SmallProject(tmp_path)
    (project.raw / "log.jsonl").write_text('{"lead": "A", "at": "2026-01-01 10:00", "what": "visit"}\n' * 3)
    if place == "sources.log":
        project.set({"log": source_of("log.jsonl", **setting)}, leads=None)
    else:
        source = source_of() | {"query": 'SELECT lead, "at", what FROM hits'}
        del source["path"]
        project.set({"log": source}, leads=None, tables={"hits": {"path": "log.jsonl"} | setting})
    outcome = project.ingest()
    assert outcome.code == 3
    assert f"ingest.{place}: {next(iter(setting))} has no effect, for log.jsonl has none; leave it out" in outcome.text


@pytest.mark.parametrize(("log", "told"), [(OFFSET, True), (OFFSET + "B,2026-01-01 10:00,visit\n", False)])
def test_a_zone_beside_texts_that_all_carry_an_offset_is_told(log: str, told: bool, tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=log)
    warnings = run_ingest(tmp_path, {"log": source_of(time_zone="Europe/Paris")}).warnings
    assert any("all 1 times that were looked at carry an offset" in warning for warning in warnings) is told


@pytest.mark.parametrize(
    ("first", "last", "zone", "told"),
    [
        ("T10:00:00+00:00", " 12:00:00", "Europe/Paris", True),
        (" 12:00:00", "T10:00:00Z", "UTC", True),
        (" 12:00:00", " 12:00:00", "UTC", False),
        ("T10:00:00Z", "T10:00:00Z", "UTC", False),
    ],
)
def test_times_that_begin_or_cease_to_carry_an_offset_are_told(
    first: str, last: str, zone: str, *, told: bool, tmp_path: Path
) -> None:
    write_raw(
        tmp_path,
        log1_csv=f"lead,at,what\nA,2026-01-01{first},visit\n",
        log2_csv="lead,at,what\nA,2026-02-01,visit\n",
        log3_csv=f"lead,at,what\nA,2026-03-01{last},visit\n",
    )
    warnings = run_ingest(tmp_path, {"log": source_of("log*.csv", time_zone=zone)}).warnings
    with_it, without = ("log1.csv", "log3.csv") if first > "T" else ("log3.csv", "log1.csv")
    said = f"log: times (at) of {with_it} carry an offset, those of {without} none, and count as {zone}; if"
    assert any(warning.startswith(said) for warning in warnings) is told
