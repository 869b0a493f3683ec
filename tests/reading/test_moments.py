"""Times as they are written, and the formats that they could be written in."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_logs import SOUND, moment_of, read_log, read_quarantine, run_ingest, source_of, write_raw

from features.core.errors import InputError, SettingsError
from pipeline.core.sql import fetch_row, literal, open_reader
from pipeline.reading.moments import ambiguous, fitting_formats, moment, read_text
from pipeline.reading.nested import RawColumn
from pipeline.reading.texts import trimmed
from pipeline.settings.table import Table

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
    zone: dict[str, Any] = (
        {} if "%z" in time_format or time_format.startswith("epoch") else {"time_zone": "Europe/Amsterdam"}
    )
    run_ingest(tmp_path, {"log": source_of(time_format=time_format, **zone)})
    assert read_log(tmp_path, "occurred_at") == [(moment_of(utc),)]
    assert read_quarantine(tmp_path) == [("log.csv", 3, "unreadable occurred_at")]


@pytest.mark.parametrize("unit", ["epoch_seconds", "epoch_milliseconds", "epoch_microseconds", "epoch_nanoseconds"])
@pytest.mark.parametrize("number", ["21e30", "21e36", "9" * 32, "9" * 40, "-21e30"])
def test_a_number_beyond_all_times_is_unreadable_and_stops_nothing(unit: str, number: str, tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=f"lead,at,what\nA,{number},visit\nA,2026-01-01,visit\n")
    run_ingest(tmp_path, {"log": source_of(time_format=[unit, "iso"])})
    assert read_quarantine(tmp_path) == [("log.csv", 2, "unreadable occurred_at")]


def test_a_text_that_only_looks_like_a_time_is_no_time(tmp_path: Path) -> None:
    """DuckDB's plain cast makes 23:00 of the first, and a midnight of the second."""
    texts = ("2026-01-01 23: 9:60", "2026-01-01 24: 0:a0", "2026-01-01 10:00: Z", "2026-01-01T00: T:00")
    write_raw(tmp_path, log_csv="lead,at,what\n" + "".join(f"A,{text},visit\n" for text in texts))
    write_raw(tmp_path, other_csv=SOUND)
    run_ingest(tmp_path, {"log": source_of("*.csv")}, maximum_broken=1.0)
    assert read_quarantine(tmp_path) == [("log.csv", line, "unreadable occurred_at") for line in range(2, 6)]


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


def test_the_first_format_that_fits_counts(tmp_path: Path) -> None:
    write_raw(
        tmp_path, log_csv="lead,at,what\nA,03/04/2026,visit\nA,03/04/2026 10:30,visit\nA,2026-04-05,visit\nA,x,visit\n"
    )
    run_ingest(tmp_path, {"log": source_of(time_format=["%d/%m/%Y", "%d/%m/%Y %H:%M", "iso"])})
    assert read_log(tmp_path, "occurred_at") == [
        (moment_of("2026-04-03"),), (moment_of("2026-04-03 10:30"),), (moment_of("2026-04-05"),),
    ]  # fmt: skip
    assert read_quarantine(tmp_path) == [("log.csv", 5, "unreadable occurred_at")]


def test_compact_days_may_be_numbers(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    duckdb.sql(f"COPY (SELECT 1 AS lead, 20260304 AS at, 'visit' AS what) TO '{tmp_path}/raw/log.parquet'")
    run_ingest(tmp_path, {"log": source_of("log.parquet", time_format="%Y%m%d")})
    assert read_log(tmp_path, "occurred_at") == [(moment_of("2026-03-04"),)]


FITTING = (
    (["03/04/2026", "25/12/2026"], ("%d/%m/%Y",)),
    (["03/04/2026", "12/25/2026"], ("%m/%d/%Y",)),
    (["03.04.2026 10:00", "25.12.2026"], ("%d.%m.%Y", "%d.%m.%Y %H:%M")),
    (["3/4/26 1:05 PM", "3/25/26 1:05 AM"], ("%m/%d/%y %I:%M %p",)),
    (["25-12-26 10:00:01.5"], ("%d-%m-%y %H:%M:%S.%f", "%y-%m-%d %H:%M:%S.%f")),
    (["03-Apr-2026", "1-May-2026"], ("%d-%b-%Y",)),
    (["20260304", "20261231"], ("%Y%m%d",)),
    (["20260304101112"], ("%Y%m%d%H%M%S",)),
    (["2026-03-04T10:00:00Z", "2026-03-04", "2026/03/04 10:00"], ("iso",)),
    (["1767225600", "1767225601.5"], ("epoch_seconds",)),
    (["1767225600123"], ("epoch_milliseconds",)),
    (["1767225600123456"], ("epoch_microseconds",)),
    (["25/12/2026 10:00:00 +01:00"], ("%d/%m/%Y %H:%M:%S %z",)),
)


@pytest.mark.parametrize(("texts", "formats"), FITTING, ids=lambda part: str(part[0]))
def test_the_formats_of_a_column_are_told_from_its_texts(texts: list[str], formats: tuple[str, ...]) -> None:
    fits = fitting_formats([*texts, "", " "])
    alike = ambiguous(fits)
    if len(alike) > 1:  # 25-12-26 may be a year, too
        assert tuple(fit.formats[0] for fit in alike) == formats
    else:
        assert (fits[0].formats, fits[0].share) == (formats, 1.0)


def test_days_that_fit_both_orders_do_not_tell_which() -> None:
    fits = fitting_formats(["03/04/2026", "12/11/2026 10:00"])
    assert [fit.formats for fit in ambiguous(fits)] == [
        ("%d/%m/%Y", "%d/%m/%Y %H:%M"), ("%m/%d/%Y", "%m/%d/%Y %H:%M"),
    ]  # fmt: skip
    assert not ambiguous(fitting_formats(["03/04/2026", "13/11/2026"]))


def test_what_is_no_time_fits_nothing() -> None:
    assert fitting_formats(["Ann", "12:30", "45292", "", "99/99/2026"]) == []
    assert fitting_formats([]) == []


@settings(max_examples=25)
@given(
    st.lists(st.datetimes(min_value=moment_of("1971-01-01"), max_value=moment_of("2099-12-31")), min_size=1, max_size=5)
)
def test_what_a_format_wrote_is_read_by_a_fit(moments: list[datetime]) -> None:
    texts = [f"{moment:%d/%m/}{moment.year}{moment: %H:%M:%S}" for moment in moments]
    fits = [fit for fit in fitting_formats(texts) if fit.share == 1.0]
    assert ("%d/%m/%Y %H:%M:%S",) in [fit.formats for fit in fits]
    assert (len(fits) > 1) == all(moment.day <= 12 for moment in moments)


def test_times_that_can_t_be_read_say_which_format_would(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv="lead,at,what\nA,25/04/2026,visit\nA,03/04/2026,visit\n")
    with pytest.raises(
        InputError, match=r"times such as 03/04/2026 in 'at' fit '%d/%m/%Y'; set time_format: '%d/%m/%Y'"
    ):
        run_ingest(tmp_path, maximum_broken=0.05)


def test_times_that_fit_two_orders_stop_the_run_until_one_is_named(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv="lead,at,what\nA,05/04/2026,visit\nA,03/04/2026,visit\n")
    with pytest.raises(InputError, match=r"fit '%d/%m/%Y' and '%m/%d/%Y' alike; name one: time_format: '%d/%m/%Y'"):
        run_ingest(tmp_path, maximum_broken=0.05)
    assert run_ingest(tmp_path, {"log": source_of(time_format="%m/%d/%Y")}, maximum_broken=0.05).interactions == 2
    assert read_log(tmp_path, "occurred_at")[0] == (moment_of("2026-03-04"),)


def test_texts_that_are_no_times_are_not_shown(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv="lead,at,what\nA,Ann Smith,visit\n")
    with pytest.raises(InputError, match="of the form 'aaa aaaaa'") as caught:
        run_ingest(tmp_path, maximum_broken=0.05)
    assert "Ann" not in str(caught.value)


_CLOCKS = st.sampled_from(
    ["", " 10:00", "T10:00:05", " 24:00:00", " 02:30:00.123456", " 10:00:5", "T10", " 25:00", "10:00"]
)
_ZONES = st.sampled_from(
    ["", "Z", " UTC", "+02:00", "-05", " -0530", " +5", " Europe/Paris", " CET", " nowhere", "-", "z"]
)
_DATES = st.sampled_from(
    [
        "2025-03-30",
        "2025-10-26",
        "2025-1-1",
        "1969-12-31",
        "1-1-1",
        "21000-01-01",
        "20250101",
        "infinity",
        "epoch",
        "2025",
        "",
    ]
)
_AROUND = st.sampled_from(["", " ", "\t", "\u00a0", "\u202f ", "\n", "x"])


@settings(max_examples=300)
@given(
    text=st.builds("{}{}{}{}{}".format, _AROUND, _DATES, _CLOCKS, _ZONES, _AROUND) | st.text(max_size=12),
    zone=st.sampled_from(["UTC", "Europe/Amsterdam"]),
    formats=st.sampled_from([("iso",), ("iso", "%d/%m/%Y"), ("%Y%m%d", "iso")]),
)
def test_a_time_tried_as_it_stands_is_the_one_that_is_read_carefully(
    text: str, zone: str, formats: tuple[str, ...]
) -> None:
    table = Table(path="log.csv", time_zone=zone, time_format=formats)
    raw = RawColumn("r0")
    fields = moment("at", "at", {"at": raw}, table)
    carefully = read_text("trim(nullif(r0, ''), ' \t\u00a0\u202f')", formats, zone)
    with open_reader() as connection:
        connection.execute(f"SET TimeZone = {literal(zone)}")
        found, expected, given_, there = fetch_row(
            connection,
            f"SELECT epoch_us({fields['at']}), epoch_us({carefully}), {fields['at_given']}, "
            f"coalesce({trimmed(raw)}, '') <> '' FROM (SELECT {literal(text)} AS r0)",
        )
    assert (found, given_) == (expected, bool(text.strip(" \t\u00a0\u202f")))
    assert there == given_
