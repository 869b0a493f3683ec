"""Exports as vendors shape them: lines around the table, files by the day, objects in a cell, totals, several times."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from cases import case, empty_project, propose
from raw_logs import moment_of, query_of, source_of
from small_project import SmallProject

BEGINNING = datetime(2026, 1, 5, 9, tzinfo=UTC)
SPEND = {
    "path": "spend.csv",
    "columns": {
        "day": "Day",
        "channel": {"constant": "SEA"},
        "campaign": "Campaign",
        "cost": "Cost",
        "clicks": "Clicks",
    },
}
HEADER = "Day,Campaign,Cost,Clicks\n"
COSTS = "2026-01-01,A,10.11,1\n2026-01-01,B,20.22,2\n2026-01-02,A,30.33,3\n2026-01-02,B,40.44,4\n"


def settings_of(project: SmallProject) -> dict[str, Any]:
    """Read what ``init`` proposed for ingest."""
    content: dict[str, Any] = yaml.safe_load((project.root / "params.yaml").read_text())["ingest"]
    return content


def spent(project: SmallProject) -> float | None:
    """Add up what was spent, by the cent."""
    [(total,)] = query_of(project.root, f"SELECT sum(cost) FROM '{project.root}/data/spend.parquet'")
    return None if total is None else round(total, 2)


def visits(count: int = 60) -> list[tuple[str, datetime, str]]:
    """Make up two visits of each lead, and a signature of every third."""
    rows = []
    for number in range(count):
        at = BEGINNING + timedelta(hours=5 * number)
        rows += [(f"v{number:03}", at, "visit"), (f"v{number:03}", at + timedelta(hours=30), "visit")]
        rows += [(f"v{number:03}", at + timedelta(hours=40), "signed")] if number % 3 == 0 else []
    return rows


def log_csv() -> str:
    """Write the visits as CSV."""
    return "visitor,time,event\n" + "".join(f"{lead},{at:%Y-%m-%d %H:%M:%S},{what}\n" for lead, at, what in visits())


TITLED = {
    "Google": 'Campaign report\n"January 1, 2026 - January 2, 2026"\n' + HEADER + COSTS,
    "unquoted commas": "Campaign report\nJanuary 1, 2026 - January 2, 2026\n" + HEADER + COSTS,
    "comments": "# ------\n# Costs, by day, of all\n# ------\n\n" + HEADER + COSTS,
    "LinkedIn": (
        "Campaign Performance Report (in UTC)\nReport Start: January 1, 2026, 12:00 AM\nReport End: January 2\n"
        "Date Generated: January 3, 2026\n\n" + HEADER + COSTS
    ).replace(",", "\t"),
    "padded": "Costs;;;\n;;;\n" + (HEADER + COSTS).replace(",", ";"),
    "titles of values": "Account;4711;Costs;\nFrom;2026-01-01;To;\n" + (HEADER + COSTS).replace(",", ";"),
    "remarks below": "Costs\n" + HEADER + COSTS + "\nExported by the marketing department\n# all is well\n",
}  # fmt: skip


@pytest.mark.parametrize("text", TITLED.values(), ids=TITLED)
def test_titles_above_and_remarks_below_a_table_are_set_aside(text: str, tmp_path: Path) -> None:
    project = empty_project(tmp_path)
    project.write(visits_csv=log_csv(), spend_csv=text.encode("utf-16") if "\t" in text else text)
    told = propose(project, "raw", "--conversion", "signed").text
    lines = text.split("\n")
    header = next(number for number, line in enumerate(lines, 1) if line.startswith("Day"))
    rows = settings_of(project)["spend"]
    assert (rows["header_line"], rows.get("footer_lines", 0)) == (header, 2 if "Exported" in text else 0)
    assert "above its header" in told
    assert spent(project) == 101.1
    outside = [
        (number, "line above the header" if number < header else "line below the table")
        for number, line in enumerate(lines, 1)
        if line.strip() and (number < header or number > header + 4)
    ]
    assert project.set_aside("spend") == outside
    assert project.accounts()["spend"]["rows"] == 4 + len(outside)


def test_without_the_setting_the_line_that_looks_like_the_header_is_named(tmp_path: Path) -> None:
    project = SmallProject(tmp_path).write(spend_csv=TITLED["Google"]).set(spend=SPEND)
    assert "line 3 of spend.csv looks like the header: set header_line: 3" in project.ingest().text
    project.write(spend_csv="\n\n" + HEADER + COSTS)
    assert "line 3 looks like the header: set header_line: 3" in project.ingest().text
    project.set(spend=SPEND | {"header_line": 3})
    assert project.ingest().code == 0
    assert spent(project) == 101.1


def test_rows_below_titles_keep_their_lines_and_a_spreadsheet_s_first_line_names_the_delimiter(tmp_path: Path) -> None:
    text = "\ufeffsep=;\n" + (HEADER + COSTS + "2026-01-03;A;much;1\n").replace(",", ";")
    project = SmallProject(tmp_path).write(spend_csv=text).set(spend=SPEND)
    assert project.ingest().code == 0
    assert project.set_aside("spend") == [(1, "line above the header"), (7, "unreadable cost")]


def test_a_first_line_that_fits_its_rows_is_the_header(tmp_path: Path) -> None:
    # One cell fewer than its rows: what is wrong is the header, and no row is taken for one.
    project = SmallProject(tmp_path).write(log_csv="lead,at,what\nA,2026-01-02,visit,\nA,2026-01-03,visit,\n")
    assert project.ingest().code == 4 or project.set_aside() == [
        (2, "4 columns instead of 3"), (3, "4 columns instead of 3"),
    ]  # fmt: skip


TOTALS: Mapping[str, tuple[str, Sequence[int]]] = {
    "below, empty": (COSTS + "2026-01-01,,101.10,10\n", [6]),
    "above, with dashes": ("Total,--,101.10,10\n" + COSTS, [2]),
    "Google's": (COSTS + "Total: Account,,101.10,10\nTotal: Search,--,101.10,10\n", [6, 7]),
    "German": (COSTS + "Gesamt,,101.10,10\n", [6]),
    "of days": (COSTS + "2026-01-01,Total,30.33,3\n2026-01-02,Total,70.77,7\n", [6, 7]),
    "of campaigns and all": (COSTS + ",A,40.44,4\n,B,60.66,6\nGrand total,,101.10,10\n", [6, 7, 8]),
    "of campaigns by a spreadsheet": (
        COSTS + "2026-01-01,A Total,40.44,4\n2026-01-01,B Ergebnis,60.66,6\n2026-01-01,Grand total,101.10,10\n",
        [6, 7, 8],
    ),
    "of rounded costs": (COSTS + "Summe,,101.12,10\n", [6]),
    "clicks alone are no proof": (COSTS + "2026-01-02,,5.00,10\n", []),
    "a campaign of that name": (COSTS + "2026-01-02,Total Recall,5.00,2\n", []),
    "a campaign that ends so": (COSTS + "2026-01-02,Recall Total,5.00,2\n2026-01-02,Recall,6.00,2\n", []),
    "of more than the file shows": (COSTS + "2026-01-01,,105.00,11\n", []),
    "a day's cost that is the sum by chance": (
        "".join(
            f"2026-01-0{day},{name},{cost}.00,{day}\n"
            for day in (1, 2, 3)
            for name, cost in (("A", day * 10), ("B", day + 20), ("C", 30), ("", 61 if day == 1 else 45 + day))
        ),
        [],
    ),
    "a day's cost without a campaign": (COSTS + "2026-01-02,,5.00,2\nTotal,,106.10,12\n", [7]),
}


@pytest.mark.parametrize(("rows", "totals"), TOTALS.values(), ids=TOTALS)
def test_a_row_is_a_total_if_it_is_called_so_and_is_the_sum_of_the_others(
    rows: str, totals: Sequence[int], tmp_path: Path
) -> None:
    project = SmallProject(tmp_path).write(spend_csv=HEADER + rows).set(spend=SPEND)
    told = project.ingest().text
    assert project.set_aside("spend") == [(line, "total of the others") for line in totals]
    lines = rows.splitlines()
    rest = sum(float(line.split(",")[2]) for number, line in enumerate(lines, 2) if number not in totals)
    assert spent(project) == round(rest, 2)
    assert ("the sum of other rows, set aside" in told) == bool(totals)
    assert ("looks like a total of other rows" in told) == ("Recall" in rows or "105.00" in rows)


def test_each_file_has_its_own_total_and_daily_counts_have_one_too(tmp_path: Path) -> None:
    project = SmallProject(tmp_path)
    for month in (1, 2):
        text = HEADER + COSTS.replace("2026-01", f"2026-{month:02}") + f"Total,,{101.1:.2f},10\n"
        (project.raw / f"spend_{month}.csv").write_text(text)
    counted = "lead,at,visits,forms\nA,2026-01-02,3,0\nB,2026-01-02,4,1\nA,2026-01-03,5,0\nTotal,,12,1\n"
    columns = {"lead_id": "lead", "occurred_at": "at", "counts": {"visits": "visit", "forms": "form"}}
    source = source_of("counts.csv") | {"columns": columns, "known_at": {"delay": "1d"}}
    project.write(counts_csv=counted).set({"counts": source}, spend=SPEND | {"path": "spend_*.csv"}, leads=None)
    assert project.ingest().code == 0
    assert spent(project) == 202.2
    assert {line for line, _ in project.set_aside("counts")} == {5}
    assert sum(quantity for (quantity,) in project.log("quantity")) == 13


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
