"""Whoever maps files and sorts the log, ``ingest`` writes the same bytes: log, leads, quarantine, counts.

What it promises of each kind of file and of row is held against known answers, for each executor, in
``tests/promises/test_kinds_of_files.py``, ``tests/ingest/test_ingest.py`` and ``tests/ingest/test_bad_input.py``.
"""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_logs import LEADS, LINKS, read_log, read_quarantine, run_ingest, source_of
from sparks import LOCAL, require_spark
from world import Project

from features.core.errors import InputError, LeadcastError
from pipeline.sorting import dealing, long_texts, spark
from pipeline.spark.jobs import SeenFile

Settings = dict[str, Any]
ON_SPARK = {"executor": "spark", "master": LOCAL}
_START = datetime(2026, 1, 1)
_WHO = ["A", "B", "lead 10", "lead 2", "Ä", "\U0001f600", "nobody", ""]
_WHAT = ["visit", "call", "écoute", "won", ""]


@pytest.fixture(autouse=True)
def _in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    require_spark()
    monkeypatch.setattr(spark, "STRETCH_ROWS", 7)


def outputs(root: Path) -> dict[str, bytes]:
    """Read all that the stage has written."""
    data = root / "data"
    return {str(path.relative_to(data)): path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file()}


def same_on_both(tmp_path: Path, write: Callable[[Path], Settings]) -> Path:
    """Run the stage by either executor and compare its outputs; gives the project on Spark."""
    here, there = tmp_path / "here", tmp_path / "there"
    stated = write(_raw(here))
    shutil.copytree(here, there)
    run_ingest(here, **stated)
    run_ingest(there, **stated | {"run": ON_SPARK})
    expected, found = outputs(here), outputs(there)
    assert set(found) == set(expected)
    assert [name for name, content in expected.items() if content != found[name]] == []
    return there


def lines(rows: int, seed: int = 1, *, broken: bool = True) -> list[list[str]]:
    """Draw rows of lead, time, event type, campaign and amount: ties, repeats, what can't be used, in any order."""
    drawn = random.Random(seed)  # noqa: S311 - a test's
    made = []
    for _ in range(rows):
        at = _START + timedelta(hours=drawn.randrange(40))
        odd = drawn.choice(["", "yesterday", "1950-01-01", "2200-01-01"]) if broken and not drawn.randrange(9) else ""
        amount = drawn.choice(["", "", "1.5", "0", "much" if broken else "2"])
        campaign = f"campaign {drawn.randrange(30)}"
        made.append([drawn.choice(_WHO), odd or at.isoformat(), drawn.choice(_WHAT), campaign, amount])
    return [*made, *made[: rows // 4]]


def csv_of(rows: list[list[str]], quote: str = "") -> str:
    text = [["lead", "at", "what", "campaign", "amount"], *rows]
    return "".join(",".join(f"{quote}{cell}{quote}" for cell in row) + "\n" for row in text)


_COLUMNS = {"campaign": "campaign", "value": "amount"}
_PEOPLE = (
    "lead,created,zone\nA,2025-12-01,Europe/Amsterdam\nB,2025-12-01,\nlead 2,2025-12-01,Asia/Tokyo\nÄ,2025-12-02,X\n"
)


def several_texts(raw: Path) -> Settings:
    (raw / "leads.csv").write_text(_PEOPLE)
    (raw / "1.csv").write_text(csv_of(lines(30, 1), '"'))
    (raw / "2.csv.gz").write_bytes(gzip.compress(csv_of(lines(30, 2)).encode()))
    (raw / "3.csv").write_text(
        csv_of([["A", "2026-01-01", "visit", "a\n\nnote", "1"], ["B", "2026-01-01", '"', "", ""]], '"')
    )
    (raw / "4.csv").write_bytes(csv_of(lines(5, 4)).replace("campaign 1", "é").encode("cp1252", "replace"))
    return {"sources": {"log": source_of("*[0-9].csv*", columns=_COLUMNS)}, "leads": LEADS}


def objects(raw: Path) -> Settings:
    rows = [
        json.dumps(
            {
                "who": {"id": who},
                "at": at,
                "event": {"name": what, "of": [{"key": "campaign", "value": campaign}]},
                "amount": amount,
            }
        )
        for who, at, what, campaign, amount in lines(40)
    ]
    (raw / "log.jsonl").write_text("\n".join([*rows[:20], "[1]", "{", "", *rows[20:]]) + "\n")
    columns = {
        "lead_id": "who.id",
        "event_type": "event.name",
        "campaign": "event.of[campaign]",
        "value": "amount",
    }
    return {"sources": {"log": source_of("log.jsonl", columns=columns)}}


def parquet(raw: Path, *, groups: int = 5) -> Settings:
    (raw / "leads.csv").write_text(_PEOPLE)
    rows = lines(80, broken=False)
    columns = {
        "lead": [who or None for who, *_ in rows],
        "at": pa.array([datetime.fromisoformat(at) for _, at, *_ in rows], pa.timestamp("us")),
        "what": [what for _, _, what, *_ in rows],
        "campaign": [campaign for *_, campaign, _ in rows],
        "amount": [float(amount) if amount else None for *_, amount in rows],
    }
    pq.write_table(pa.table(columns), raw / "log.parquet", row_group_size=groups)
    people = {"path": "leads.csv", "columns": {"lead_id": "lead", "created_at": "created"}}
    return {"sources": {"log": source_of("log.parquet", columns=_COLUMNS)}, "leads": people}


def linked(raw: Path) -> Settings:
    (raw / "leads.csv").write_text(_PEOPLE)
    (raw / "links.csv").write_text(
        "alias,lead,at\nlead 10,A,2026-01-01T12:00\nnobody,lead 10,2026-01-02\nB,A,2026-01-01\nlead 2,Ä,2026-01-01\n"
        "lead 2,B,2026-01-02\nx,y,2026-01-01\n"
    )
    (raw / "rates.csv").write_text("day,currency,rate\n2026-01-01,USD,0.9\n2025-01-01,CHF,1.1\n2026-01-02,USD,0.8\n")
    for number in (1, 2):
        text = csv_of([[*row[:4], row[4], "USD" if row[4] else ""] for row in lines(40, number)])
        (raw / f"log{number}.csv").write_text(text.replace("amount\n", "amount,money\n"))
    source = source_of("log1.csv", columns=_COLUMNS | {"currency": "money"}, known_at={"delay": "3h"})
    zoned = LEADS | {"columns": LEADS["columns"] | {"time_zone": "zone"}}
    rates = {"path": "rates.csv", "columns": {"day": "day", "currency": "currency", "rate": "rate"}}
    return {
        "sources": {"one": source, "two": source | {"path": "log2.csv"}},
        "leads": zoned, "identities": LINKS, "currency": "EUR", "rates": rates,
    }  # fmt: skip


def numbered(raw: Path) -> Settings:
    """Give events ids that repeat within a lead and across leads, and mails that machines open."""
    drawn = random.Random(3)  # noqa: S311 - a test's
    rows = []
    for number in range(60):
        at = _START + timedelta(seconds=drawn.randrange(200))
        what = drawn.choice(["sent", "open", "click", "click", "unsubscribe"])
        rows.append([drawn.choice("ABC"), at.isoformat(), what, drawn.choice("xy"), str(drawn.choice([number, 7, 11]))])
    (raw / "log.csv").write_text(csv_of(rows))
    rules = {
        "sent": ["sent"], "opens": ["open"], "clicks": ["click"], "unsubscribes": ["unsubscribe"],
        "within_seconds": 30, "clicks_at_once": 3,
    }  # fmt: skip
    actor = {"default": "lead", "us": ["sent"]}
    source = source_of(columns={"campaign": "campaign", "event_id": "amount"}, actor=actor, machines=rules)
    return {"sources": {"log": source}}


def counted(raw: Path) -> Settings:
    """Give counts by day, of which some rows are the sums of others, and several events a row."""
    rows = [
        ("A", 1, 3, 2),
        ("B", 1, 4, 0),
        ("Total", 1, 7, 2),
        ("A", 2, 5, 1),
        ("B", 2, 1, 1),
        ("C", 2, 2, 0),
        ("Total", 2, 8, 2),
    ]
    text = "".join(f"{who},2026-01-0{day},{clicks},{opens}\n" for who, day, clicks, opens in rows)
    (raw / "log.csv").write_text("lead,at,clicks,opens\n" + text)
    (raw / "dates.csv").write_text("lead,made,signed\nA,2026-01-01,2026-02-01\nB,,2026-02-02\nC,,\nD,then,2026-01-01\n")
    counts = source_of() | {
        "columns": {"lead_id": "lead", "occurred_at": "at", "counts": {"clicks": "click", "opens": "open"}}
    }
    events = source_of("dates.csv") | {"columns": {"lead_id": "lead", "events": {"made": "made", "signed": "won"}}}
    return {"sources": {"counts": counts, "dates": events}}


@pytest.mark.parametrize(
    "write",
    [several_texts, parquet, linked, numbered, counted],
    ids=lambda write: write.__name__,
)
def test_every_kind_of_judgement_gives_the_same_outputs(tmp_path: Path, write: Callable[[Path], Settings]) -> None:
    root = same_on_both(tmp_path, write)
    assert read_log(root, "*")
    assert not [name for name in outputs(root) if ".tmp" in name]


def test_long_texts_are_read_by_several_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_texts, "TASK_BYTES", 900)

    def write(raw: Path) -> Settings:
        (raw / "plain.csv").write_text("\ufeff" + csv_of(lines(40)) + "A,2026-01-01\n\n\nB,2026-01-01,visit,x,")
        (raw / "quoted.csv").write_text("sep=;\n" + csv_of(lines(40), '"').replace(",", ";"))
        (raw / "notes.csv").write_text(csv_of(lines(30)) + 'A,2026-01-01,visit,"a note,\nof two lines",1\n' * 5)
        objects(raw)
        texts = {name: source_of(f"{name}.csv", columns=_COLUMNS) for name in ("plain", "quoted", "notes")}
        return {"sources": texts | {"objects": objects(raw)["sources"]["log"]}}

    root = same_on_both(tmp_path, write)
    assert {source for (source,) in read_log(root, "DISTINCT source")} == {"plain", "quoted", "notes", "objects"}
    assert ("plain.csv", 52, "2 columns instead of 5") in read_quarantine(root, "plain")


_ROWS = st.lists(
    st.tuples(
        st.sampled_from("ABCD"), st.integers(0, 3), st.sampled_from(["visit", "call"]), st.sampled_from(["", "1"])
    ),
    min_size=1,
    max_size=30,
)


@given(rows=_ROWS, stretch=st.integers(1, 9), most=st.integers(1, 9), known=st.booleans())
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_drawn_logs_give_the_same_outputs_in_parts_of_any_size(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, int, str, str]],
    stretch: int,
    most: int,
    known: bool,
) -> None:
    def write(raw: Path) -> Settings:
        moments = pa.array([_START + timedelta(hours=hour) for _, hour, *_ in rows], pa.timestamp("us"))
        who, _, what, amounts = zip(*rows, strict=True)
        numbers = [float(amount) if amount else None for amount in amounts]
        table = pa.table({"lead": who, "at": moments, "what": what, "amount": pa.array(numbers, pa.float64())})
        pq.write_table(table, raw / "log.parquet", row_group_size=2)
        (raw / "leads.csv").write_text("lead,created\nA,2025-12-01\nC,2025-12-01\n")
        source = source_of("log.parquet", columns={"value": "amount"})
        return {"sources": {"log": source}} | ({"leads": LEADS} if known and {"A", "C"} & set(who) else {})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spark, "STRETCH_ROWS", stretch)
        patch.setattr(dealing, "AT_ONCE", most)
        same_on_both(tmp_path_factory.mktemp("drawn"), write)


def test_more_texts_than_numbers_stand_for_travel_as_texts_to_several_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark, "STRETCH_ROWS", 40_000)

    def write(raw: Path) -> Settings:
        duckdb.sql(
            "COPY (SELECT 'L' || i % 97 AS lead, TIMESTAMP '2026-01-01' + to_minutes(i) AS at, 'visit' AS what, "
            f"'c' || i % 90_000 AS campaign FROM range(260_000) t(i)) TO '{raw}/log.parquet' (ROW_GROUP_SIZE 20_000)"
        )
        return {"sources": {"log": source_of("log.parquet", columns={"campaign": "campaign"})}}

    root = same_on_both(tmp_path, write)
    assert pq.read_metadata(root / "data/interactions.parquet").num_row_groups == 3


def test_a_parquet_file_that_is_damaged_inside_is_named(tmp_path: Path) -> None:
    write = parquet(_raw(tmp_path / "there"), groups=40)
    path = tmp_path / "there/raw/log.parquet"
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^log.parquet can't be read: .*; export it again$"):
        run_ingest(tmp_path / "there", **write | {"run": ON_SPARK})
    assert not (tmp_path / "there/data/ingest.json").exists()


def _raw(root: Path) -> Path:
    (root / "raw").mkdir(parents=True)
    return root / "raw"


def test_a_file_that_is_another_one_for_a_task_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("lead,at,what\n")
    seen = SeenFile.look_at(file)
    seen.require()
    file.write_text("lead,at,what\nA,2026-01-01,visit\n")
    with pytest.raises(InputError, match="log.csv is another file for Spark's executors than it was for this process"):
        seen.require()
    file.unlink()
    with pytest.raises(
        LeadcastError, match="^Spark's executors do not see .*log.csv; the project's folder, and the raw"
    ):
        seen.require()


def test_the_sample_has_the_same_outputs(least: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "STRETCH_ROWS", 3_000)
    there = least.copy_to(tmp_path / "there").with_settings({"run": ON_SPARK})
    expected = {name: content for name, content in outputs(least.root).items() if name in _MADE or "quarantine" in name}
    there.run("ingest")
    found = outputs(there.root)
    assert [name for name, content in expected.items() if found[name] != content] == []


_MADE = {
    "interactions.parquet", "leads.parquet", "aliases.parquet", "former-creations.parquet", "decisions.parquet",
    "consents.parquet", "owners.parquet", "spend.parquet", "ingest.json",
}  # fmt: skip
