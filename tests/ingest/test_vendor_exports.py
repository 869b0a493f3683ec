"""Exports as vendors shape them: files by the day, objects in a cell, several times of an event."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from cases import case, empty_project, propose
from raw_logs import moment_of, source_of
from small_project import SmallProject
from vendor_files import log_csv, settings_of, spent, visits


def held_in(kind: str, project: SmallProject) -> dict[str, Any]:
    """Write three events whose details are JSON in a text; gives where they lie."""
    rows = [
        {"lead": "A", "at": "2026-01-02", "data": json.dumps({"what": "visit", "page": {"name": "prices, all"}})},
        {"lead": "A", "at": "2026-01-03", "data": json.dumps({"what": "form"})},
        {"lead": "B", "at": "2026-01-04", "data": "{broken"},
    ]
    if kind == "jsonl":
        (project.raw / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "sqlite":
        with sqlite3.connect(project.raw / "crm.sqlite") as database:
            database.execute('CREATE TABLE log (lead TEXT, "at" TEXT, data TEXT)')
            database.executemany("INSERT INTO log VALUES (?, ?, ?)", [tuple(row.values()) for row in rows])
        return {"database": "sqlite:///crm.sqlite", "query": 'SELECT lead, "at", data FROM log'}
    else:
        quoted = [[f'"{value.replace(chr(34), 2 * chr(34))}"' for value in row.values()] for row in rows]
        text = "lead,at,data\n" + "".join(",".join(row) + "\n" for row in quoted)
        (project.raw / "log.csv").write_text(text)
        if kind == "parquet":
            read = f"read_csv('{project.raw}/log.csv', all_varchar = true)"
            duckdb.sql(f"COPY (SELECT * FROM {read}) TO '{project.raw}/log.parquet'")
    return {"path": f"log.{kind}"}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "sqlite"])
def test_what_lies_in_an_object_has_the_same_path_wherever_the_object_lies(kind: str, tmp_path: Path) -> None:
    project = SmallProject(tmp_path)
    columns = {"event_type": "data.what", "campaign": "data.page.name"}
    place = held_in(kind, project)
    source = {name: part for name, part in source_of(columns=columns).items() if name != "path"} | place
    project.set({"log": source}, leads=None)
    assert project.ingest().code == 0
    assert project.log("lead_id, event_type, campaign") == [("A", "visit", "prices, all"), ("A", "form", None)]
    assert [reason for _, reason in project.set_aside()] == ["missing event_type"]
    project.set({"log": source | {"columns": source["columns"] | {"campaign": "data.page.title"}}}, leads=None)
    assert re.search(r"'data\.page\.title' \(did you mean 'data\.page", project.run("ingest").text)


def daily_events(project: SmallProject) -> None:
    """Write a file a day, as GA4 exports them: most days lack a key, the last one is there in the making, too."""
    by_day: dict[str, list[str]] = {}
    for lead, at, what in visits():
        event: dict[str, Any] = {
            "event_timestamp": int(at.timestamp() * 1_000_000),
            "event_name": what,
            "user_id": lead,
        }
        event |= {"ecommerce": {"revenue": 12.5}} if what == "signed" else {}
        by_day.setdefault(f"{at:%Y%m%d}", []).append(json.dumps(event))
    for day, lines in by_day.items():
        (project.raw / f"events_{day}.jsonl").write_text("\n".join(lines) + "\n")
    last = max(by_day)
    (project.raw / f"events_intraday_{last}.jsonl").write_text("\n".join(by_day[last]) + "\n")


def test_a_file_a_day_is_one_table_whatever_a_day_lacks(tmp_path: Path) -> None:
    project = empty_project(tmp_path)
    daily_events(project)
    propose(project, "raw", "--conversion", "signed")
    (source,) = settings_of(project)["sources"].values()
    assert source["path"] == "events_*.jsonl"
    assert len(project.log()) == len(visits())
    assert {reason for _, reason in project.set_aside("events")} == {"duplicate"}


def test_an_empty_file_among_those_of_days_is_a_day_on_which_nothing_happened(tmp_path: Path) -> None:
    project = empty_project(tmp_path)
    daily_events(project)
    (project.raw / "events_20260222.jsonl").write_text("")
    propose(project, "raw", "--conversion", "signed")
    assert [source["path"] for source in settings_of(project)["sources"].values()] == ["events_*.jsonl"]
    assert len(project.log()) == len(visits())
    (project.raw / "orders.jsonl").write_text("")
    refused = project.run("init", "raw", "--yes", "--conversion", "signed", "--force")
    assert refused.code == 4
    assert "orders.jsonl holds no JSON object" in refused.text


def test_an_object_that_lists_the_rows_is_refused_with_the_way_to_lines(tmp_path: Path) -> None:
    rows = [{"visitor": lead, "time": at.isoformat(), "event": what} for lead, at, what in visits()]
    project = empty_project(tmp_path).write(a_json=json.dumps({"success": True, "result": rows}))
    refused = project.run("init", "raw", "--yes", "--conversion", "signed")
    assert refused.code == 4
    assert (
        f"a.json is one JSON object, whose 'result' lists {len(rows)} others; write one object a line" in refused.text
    )
    assert "jq -c '.result[]'" in refused.text


def test_files_without_a_letter_that_tells_are_written_like_the_others(tmp_path: Path) -> None:
    project = empty_project(tmp_path)
    rows = log_csv().splitlines(keepends=True)
    for number, what in enumerate(("visit", "r\u00e9union", "visit")):
        lines = rows[:1] + [line.replace("visit", what) for line in rows[1 + 40 * number : 1 + 40 * (number + 1)]]
        (project.raw / f"log_{number}.csv").write_bytes("".join(lines).encode("cp1252"))
    propose(project, "raw", "--conversion", "signed")
    (source,) = settings_of(project)["sources"].values()
    assert (source["path"], source["encoding"], len(project.log())) == ("log_*.csv", "cp1252", 120)


def test_a_file_of_another_kind_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    project = SmallProject(tmp_path)
    (project.raw / "log_1.csv").write_text("lead,at,what,page\nA,2026-01-02,visit,p\n")
    (project.raw / "log_2.csv").write_text("lead,at,what\nB,2026-01-03,visit\n")
    source = source_of("log_*.csv", {"campaign": "page"})
    assert project.set({"log": source}, leads=None).ingest().code == 0
    assert project.log("lead_id, campaign") == [("A", "p"), ("B", None)]
    (project.raw / "log_3.csv").write_text("lead,at,name\nB,2026-01-03,Ann\n")
    told = project.run("ingest").text
    assert "log_3.csv has no 'what', which says event_type in the other files" in told
    assert (
        "column 'pages'"
        in project.set({"log": source_of("log_*.csv", {"campaign": "pages"})}, leads=None).run("ingest").text
    )


def events_with(times: Mapping[str, Any]) -> str:
    """Write the visits as JSON lines; each time is a function of when it happened and of the row's number."""
    lines = []
    for number, (lead, at, what) in enumerate(visits(120)):
        event = {name: write(at, number) for name, write in times.items()}
        lines.append(json.dumps({"type": what, "anonymousId": lead, **event}))
    return "\n".join(lines) + "\n"


def lag(number: int) -> timedelta:
    """Let every fifth event arrive days late."""
    return timedelta(days=1 + number % 4) if number % 5 == 0 else timedelta(seconds=3)


def seconds(at: datetime) -> int:
    """Count from 1970 on."""
    return int(at.timestamp())


SEVERAL_TIMES: Mapping[str, tuple[Mapping[str, Any], str, str | None]] = {
    "Mixpanel": (
        {"mp_processing_time_ms": lambda at, n: 1000 * seconds(at + lag(n)), "time": lambda at, _: seconds(at)},
        "time", "mp_processing_time_ms",
    ),
    "Mixpanel, of late": (
        {
            "$mp_api_timestamp_ms": lambda at, n: 1000 * seconds(at + lag(n)),
            "mp_processing_time_ms": lambda at, n: 1000 * seconds(at + lag(n)) + 400,
            "time": lambda at, _: seconds(at),
        },
        "time", "$mp_api_timestamp_ms",
    ),
    "Segment's warehouse": (
        {
            "original_timestamp": lambda at, _: (at + timedelta(minutes=3)).isoformat(),
            "received_at": lambda at, n: (at + lag(n)).isoformat(),
            "timestamp": lambda at, _: at.isoformat(),
            "uuid_ts": lambda at, n: (at + lag(n) + timedelta(minutes=9)).isoformat(),
        },
        "timestamp", "received_at",
    ),
    "Segment": (
        {
            "originalTimestamp": lambda at, _: (at + timedelta(minutes=3)).isoformat(),
            "receivedAt": lambda at, n: (at + lag(n)).isoformat(),
            "sentAt": lambda at, n: (at + lag(n) + timedelta(minutes=2)).isoformat(),
            "timestamp": lambda at, _: at.isoformat(),
        },
        "timestamp", "receivedAt",
    ),
    "Snowplow": (
        {
            "collector_tstamp": lambda at, n: (at + lag(n)).isoformat(),
            "derived_tstamp": lambda at, _: at.isoformat(),
            "dvce_created_tstamp": lambda at, _: (at + timedelta(minutes=1)).isoformat(),
            "etl_tstamp": lambda at, n: (at + lag(n) + timedelta(hours=1)).isoformat(),
        },
        "derived_tstamp", "collector_tstamp",
    ),
    "Amplitude": (
        {
            "client_event_time": lambda at, _: (at + timedelta(minutes=1)).isoformat(),
            "event_time": lambda at, _: at.isoformat(),
            "processed_time": lambda at, n: (at + lag(n) + timedelta(hours=1)).isoformat(),
            "server_received_time": lambda at, n: (at + lag(n)).isoformat(),
        },
        "event_time", "server_received_time",
    ),
    "loaded in one night": (
        {"_sdc_received_at": lambda _, n: f"2026-03-20T02:00:{n % 60:02}Z", "time": lambda at, _: at.isoformat()},
        "time", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("times", "occurred", "known"), SEVERAL_TIMES.values(), ids=SEVERAL_TIMES)
def test_of_several_times_of_an_event_each_has_its_role(
    times: Mapping[str, Any], occurred: str, known: str | None, tmp_path: Path
) -> None:
    project = empty_project(tmp_path).write(events_jsonl=events_with(times))
    told = propose(project, "raw", "--conversion", "signed").text
    (source,) = settings_of(project)["sources"].values()
    assert source["columns"]["occurred_at"] == occurred
    assert source["known_at"] == ({"column": known} if known else "as_it_occurred")
    assert ("_sdc_received_at is the time of one load" in told) == (known is None)
    late = [number for number in range(len(visits(120))) if lag(number) >= timedelta(days=1)] if known else []
    day = "known_at > occurred_at + INTERVAL 23 HOUR"
    assert len([late for (late,) in project.log(day) if late]) == len(late)


def test_the_cases_end_in_the_right_values(tmp_path: Path) -> None:
    campaigns = case("ads-title-lines", tmp_path / "titles")
    told = propose(campaigns, "data/exports", "--conversion", "signed").text
    assert "spend: 5 rows read, 2 of them unusable; 2 lines above or below them" in told
    assert (settings_of(campaigns)["spend"]["header_line"], spent(campaigns)) == (3, 2282.6)
    assert (8, "total of the others") in campaigns.set_aside("spend")
    totals = case("ads-totals-row", tmp_path / "totals")
    assert totals.ingest().code == 0
    assert (spent(totals), totals.set_aside("spend")) == (19623.13, [(2, "total of the others")])
    objects = case("json-in-a-csv", tmp_path / "objects")
    propose(objects, "data/exports", "--conversion", "Closed Won")
    # 27 rows say nothing where the others say what happened.
    assert (len(objects.log()), len(objects.set_aside("activities"))) == (1745 - 27, 27)
    mixpanel = case("mixpanel-times", tmp_path / "times")
    propose(mixpanel, "data/exports", "--conversion", "Subscribed")
    late = mixpanel.log("known_at > occurred_at + INTERVAL 1 DAY")
    assert (len(late), sum(one for (one,) in late)) == (1760, 327)
    days = case("ga4-daily-files", tmp_path / "days")
    propose(days, "data/exports", "--conversion", "purchase")
    assert [source["path"] for source in settings_of(days)["sources"].values()] == ["events_*.jsonl"]
    assert days.log("min(occurred_at)") > [(moment_of("2026-01-01"),)]
