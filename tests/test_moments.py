"""Times as they are written, and the formats that they could be written in."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from raw_logs import SOUND, moment_of, read_log, read_quarantine, run_ingest, source_of, write_raw

from features.errors import InputError, SettingsError

LOCAL_TIMES = (
    ("2025-03-30 01:59:59", "2025-03-30 00:59:59"),
    ("2025-03-30 02:30:00", "2025-03-30 01:30:00"),  # there is no such time: it is 03:30
    ("2025-03-30 03:00:00", "2025-03-30 01:00:00"),
    ("2025-10-26 01:59:59", "2025-10-25 23:59:59"),
    ("2025-10-26 02:30:00", "2025-10-26 01:30:00"),  # it comes twice: the second is taken
    ("2025-10-26T02:30:00+02:00", "2025-10-26 00:30:00"),  # the first, as it says
    ("2025-10-26 03:00:00", "2025-10-26 02:00:00"),
    ("2025-07-01", "2025-06-30 22:00:00"),
    ("2025-07-01T00:00:00Z", "2025-07-01 00:00:00"),
    ("2025-07-01 00:00:00 +0530", "2025-06-30 18:30:00"),
    ("2025-07-01 00:00:00.123456 UTC", "2025-07-01 00:00:00.123456"),
    (" 2025-07-01 10:00 ", "2025-07-01 08:00:00"),
)


def test_times_without_an_offset_are_local_to_their_table(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv="lead,at,what\n" + "".join(f"A,{text},visit\n" for text, _ in LOCAL_TIMES))
    run_ingest(tmp_path, {"log": source_of(columns={"event_id": "at"}, time_zone="Europe/Amsterdam")})
    assert sorted(read_log(tmp_path, "sequence - 2, occurred_at")) == [
        (number, moment_of(utc)) for number, (_, utc) in enumerate(LOCAL_TIMES)
    ]


@pytest.mark.parametrize(
    ("time_format", "text", "utc"),
    [
        ("%d/%m/%Y %H:%M", "26/10/2025 02:30", "2025-10-26 01:30"),
        ("%d/%m/%Y %H:%M %z", "26/10/2025 02:30 +0200", "2025-10-26 00:30"),
        ("epoch_seconds", "1767225600.123456", "2026-01-01 00:00:00.123456"),
        ("epoch_milliseconds", "1767225600123", "2026-01-01 00:00:00.123"),
        ("epoch_microseconds", "1767225600123456", "2026-01-01 00:00:00.123456"),
    ],
)
def test_times_are_read_by_their_format(time_format: str, text: str, utc: str, tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=f"lead,at,what\nA,{text},visit\nA,2026-01-01,visit\n")
    run_ingest(tmp_path, {"log": source_of(time_zone="Europe/Amsterdam", time_format=time_format)})
    assert read_log(tmp_path, "occurred_at") == [(moment_of(utc),)]
    assert read_quarantine(tmp_path) == [("log.csv", 3, "unreadable occurred_at")]


def test_a_format_that_is_none_is_a_wrong_setting(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=SOUND)
    with pytest.raises(SettingsError, match="time_format"):
        run_ingest(tmp_path, {"log": source_of(time_format="%Q")})


def test_numbers_are_no_times_unless_it_is_said_what_they_count(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    duckdb.sql(f"COPY (SELECT 1 AS lead, 1767225600 AS at, 'visit' AS what) TO '{tmp_path}/raw/log.parquet'")
    with pytest.raises(InputError, match="epoch_seconds"):
        run_ingest(tmp_path, {"log": source_of("log.parquet")})
    run_ingest(tmp_path, {"log": source_of("log.parquet", time_format="epoch_seconds")})
    assert read_log(tmp_path, "lead_id, occurred_at") == [("1", moment_of("2026-01-01"))]
