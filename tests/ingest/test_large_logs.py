"""What makes ingest fast changes nothing: each shortcut gives what the long way gives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv
from raw_logs import LEADS, LINKS, read_log, read_quarantine, run_ingest, source_of, write_raw

from features.core.errors import InputError
from pipeline.core.sql import Relation
from pipeline.ingest.duplicates import find_duplicates
from pipeline.matrix.local import read_log as stored_log

_START = datetime(2026, 1, 1)


def _random_log(rows: int, leads: int) -> pa.Table:
    """Make a log with ties, duplicates, missing values and a text that has too many values to be enumerated."""
    generator = np.random.default_rng(11)
    seconds = generator.integers(0, rows // 4, rows)
    amounts = generator.integers(0, 1000, rows) / 100
    table = pa.table({
        "lead": [f"L{number:05}" for number in generator.integers(0, leads, rows)],
        "at": pa.array(np.datetime64(_START, "us") + seconds.astype("timedelta64[s]")),
        "what": generator.choice(["visit", "call", "écoute", ""], rows),
        "campaign": [f"campaign {number}" for number in generator.integers(0, 10_000, rows)],
        "amount": pa.array(amounts, mask=generator.random(rows) < 0.8),
    })  # fmt: skip
    return pa.concat_tables([table, table.slice(rows // 2, 100)])


def test_a_log_that_does_not_fit_into_memory_is_sorted_on_disk_to_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    pq.write_table(_random_log(1_000_000, 5_000), tmp_path / "raw/log.parquet", row_group_size=50_000)
    source = source_of("log.parquet", columns={"campaign": "campaign", "value": "amount"})
    digests = set()
    # A row takes about a hundred bytes while it is sorted.
    for limit in ("2GB", "80MB"):
        run_ingest(tmp_path, {"log": source}, memory_limit=limit)
        digests.add(hashlib.sha256((tmp_path / "data/interactions.parquet").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_sources_with_identities_that_do_not_fit_into_memory_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    leads, rows = 20_000, 100_000
    log = _random_log(rows, leads)
    names = pa.array([f"L{number:05}" for number in range(leads)])
    days = pa.array(["2025-12-01"] * leads)
    csv.write_csv(pa.table({"lead": names, "created": days}), tmp_path / "raw/leads.csv")
    cookies = pa.array([f"cookie-{number:05}" for number in range(leads // 2)])
    links = pa.table({"alias": cookies, "lead": names.slice(0, leads // 2), "at": days.slice(0, leads // 2)})
    csv.write_csv(links, tmp_path / "raw/links.csv")
    sources = {}
    for number in range(4):
        # A quarter of the rows are of cookies.
        who = [f"cookie-{name[1:]}" if row % 4 == 0 and name < "L10000" else name
               for row, name in enumerate(log["lead"].to_pylist())]  # fmt: skip
        shifted = pc.add(log["at"], pa.scalar(timedelta(hours=number)))
        pq.write_table(pa.table({**{name: log[name] for name in log.column_names}, "lead": who, "at": shifted}),
                       tmp_path / f"raw/log{number}.parquet", row_group_size=50_000)  # fmt: skip
        own = source_of(f"log{number}.parquet", columns={"campaign": "campaign", "value": "amount"})
        sources[f"log{number}"] = own | {"known_at": {"delay": "6h"}}
    digests = set()
    for limit in ("2GB", "60MB"):
        run_ingest(tmp_path, sources, leads=LEADS, identities=LINKS, memory_limit=limit)
        digests.add(hashlib.sha256((tmp_path / "data/interactions.parquet").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_ties_keep_the_order_of_the_file_however_many_there_are(tmp_path: Path) -> None:
    rows = 200_000
    (tmp_path / "raw").mkdir()
    table = pa.table({
        "lead": ["A"] * rows,
        "at": pa.array([_START] * rows, pa.timestamp("us")),
        "what": [f"event {number}" for number in range(rows)],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "raw/log.parquet", row_group_size=10_000)
    run_ingest(tmp_path, {"log": source_of("log.parquet")}, memory_limit="80MB")
    log = pq.read_table(tmp_path / "data/interactions.parquet", columns=["event_type", "sequence"])
    assert log["event_type"].to_pylist() == table["what"].to_pylist()
    assert log["sequence"].to_pylist() == list(range(1, rows + 1))


def test_texts_that_a_part_of_the_file_lacks_do_not_shift_those_it_has(tmp_path: Path) -> None:
    rows = 130_000  # more than one row group; the few events of the last one are of three types
    names = [f"type {number:02}" for number in range(40)]
    (tmp_path / "raw").mkdir()
    pq.write_table(
        pa.table({
            "lead": ["A"] * 122_880 + ["B"] * (rows - 122_880),
            "at": pa.array([_START + timedelta(seconds=second) for second in range(rows)], pa.timestamp("us")),
            "what": [names[row % 40] for row in range(122_880)] + [names[3 + row % 3] for row in range(rows - 122_880)],
        }),
        tmp_path / "raw/log.parquet",
    )  # fmt: skip
    run_ingest(tmp_path, {"log": source_of("log.parquet")})
    plain = pq.read_table(tmp_path / "data/interactions.parquet")
    for table in stored_log(tmp_path / "data/interactions.parquet", ["event_type", "actor"], 1_000_000):
        for name in table.column_names:
            assert pa.types.is_dictionary(table[name].type)
            table[name].validate(full=True)
            assert table[name].cast(pa.string()).to_pylist() == plain[name].to_pylist()[: len(table)]


def test_a_parquet_file_read_in_its_place_gives_the_log_that_a_copied_csv_file_gives(tmp_path: Path) -> None:
    table = _random_log(20_000, 300)
    for kind in ("csv", "parquet"):
        (tmp_path / kind / "raw").mkdir(parents=True)
        names = "".join(
            f"L{number:05},2025-12-01,{('Asia/Kolkata', '', 'Nowhere')[number % 3]}\n" for number in range(250)
        )
        write_raw(tmp_path / kind, leads_csv="lead,created,zone\n" + names)
    pq.write_table(table, tmp_path / "parquet/raw/log.parquet")
    csv.write_csv(table, tmp_path / "csv/raw/log.csv")
    leads = LEADS | {"columns": {"lead_id": "lead", "created_at": "created", "time_zone": "zone"}}
    for kind in ("csv", "parquet"):
        source = source_of(f"log.{kind}", columns={"campaign": "campaign", "value": "amount"})
        run_ingest(tmp_path / kind, {"log": source}, leads=leads)
    # The file of texts has a header: its lines are one more.
    log = "* EXCLUDE sequence, sequence - {} AS line"
    assert read_log(tmp_path / "parquet", log.format(0)) == read_log(tmp_path / "csv", log.format(1))
    reasons = [
        [(line - header, reason) for _, line, reason in read_quarantine(tmp_path / kind)]
        for kind, header in (("parquet", 0), ("csv", 1))
    ]
    assert reasons[0] == reasons[1]
    assert {reason for _, reason in reasons[0]} == {"missing event_type", "duplicate", "unknown lead"}


def test_a_parquet_file_broken_inside_is_named_though_it_is_read_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    path = tmp_path / "raw/log.parquet"
    pq.write_table(_random_log(20_000, 300), path, compression="snappy")
    content = bytearray(path.read_bytes())
    content[len(content) // 4 : len(content) // 2] = b"\xff" * (len(content) // 2 - len(content) // 4)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"log\.parquet can't be read: .*; export it again"):
        run_ingest(tmp_path, {"log": source_of("log.parquet", columns={"campaign": "campaign", "value": "amount"})})


def test_local_days_and_hours_are_exact_around_every_change_of_the_clock(tmp_path: Path) -> None:
    # Lord Howe changes by half an hour, the Azores at midnight UTC, Casablanca before and after Ramadan.
    zones = ["America/New_York", "Australia/Lord_Howe", "Atlantic/Azores", "Africa/Casablanca", "Asia/Kolkata", ""]
    leads = "".join(f"{number},2023-01-01,{zone}\n" for number, zone in enumerate(zones))
    moments = [datetime(2024, 1, 1) + timedelta(minutes=20 * step) for step in range(366 * 24 * 3)]
    write_raw(tmp_path, leads_csv="lead,created,zone\n" + leads)
    table = pa.table({
        "lead": [str(number) for number in range(len(zones)) for _ in moments],
        "at": pa.array(moments * len(zones), pa.timestamp("us")),
        "what": ["visit"] * len(zones) * len(moments),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "raw/log.parquet")
    columns = {"lead_id": "lead", "created_at": "created", "time_zone": "zone"}
    run_ingest(tmp_path, {"log": source_of("log.parquet")}, leads=LEADS | {"columns": columns})
    expected = [
        (moment, local.date(), local.hour)
        for zone in zones
        for moment in moments
        for local in [moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone or "UTC"))]
    ]
    assert read_log(tmp_path, "occurred_at, local_day, local_hour") == expected


@pytest.fixture(name="connection", scope="module")
def _connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@given(
    keys=st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=40),
    broken=st.sets(st.integers(0, 39)),
    at_once=st.sampled_from([1, 7, 1000]),
)
def test_duplicates_are_all_rows_whose_key_a_usable_row_before_them_has(
    connection: duckdb.DuckDBPyConnection, keys: list[int | None], broken: set[int], at_once: int
) -> None:
    seen: set[int | None] = set()
    expected = []
    for sequence, key in enumerate(keys):
        if sequence not in broken:
            expected += [sequence] if key in seen else []
            seen.add(key)
    connection.execute("CREATE OR REPLACE TEMP TABLE mapped (sequence BIGINT, reason VARCHAR, key INTEGER)")
    rows = [(sequence, "broken" if sequence in broken else None, key) for sequence, key in enumerate(keys)]
    if rows:
        connection.executemany("INSERT INTO mapped VALUES (?, ?, ?)", rows)
    connection.execute("DROP TABLE IF EXISTS found")
    mapped, found = (Relation(connection, name) for name in ("mapped", "found"))
    find_duplicates(mapped, ["key"], "sequence", found, at_once)
    assert connection.execute("FROM found ORDER BY ALL").fetchall() == [(sequence,) for sequence in expected]
