"""Raw logs in, one log out, whoever sorts it: every row is in the log or in quarantine."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from raw_logs import (
    LEADS,
    LINKS,
    moment_of,
    read_leads,
    read_log,
    read_quarantine,
    run_ingest,
    source_of,
    write_raw,
)

from features.core.schema import INTERACTION, LEAD
from pipeline.settings.run import Run


def test_a_small_log_comes_out_as_the_schema_says(tmp_path: Path, executor: Run) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,at,what,ch,amount,n,id,page\n"
        "B,2026-01-02T10:00:00Z,visit,web,,,e1,careers\n"
        "a,2026-01-02T11:30:00+02:00,call,,12.5,3.0,,\n"
        "B,2026-01-01,visit,web,0,1,e2,\n",
    )
    names = {"channel": "ch", "value": "amount", "quantity": "n", "event_id": "id", "content": "page"}
    columns = {**names, "campaign": {"constant": "none"}}
    actor = {"default": "system", "us": ["call"], "lead": ["visit"]}
    summary = run_ingest(
        tmp_path, {"log": source_of(columns=columns, actor=actor, known_at={"delay": "6h"})}, run=executor
    )
    table = pq.read_table(tmp_path / "data/interactions.parquet")
    assert [(field.name, field.type) for field in table.schema] == [(field.name, field.arrow) for field in INTERACTION]
    first, second, third = table.to_pylist()
    # Byte order: capitals come first.
    assert [first["lead_id"], second["lead_id"], third["lead_id"]] == ["B", "B", "a"]
    assert third == {
        "lead_id": "a",
        "occurred_at": moment_of("2026-01-02 09:30"),
        "known_at": moment_of("2026-01-02 15:30"),
        "event_type": "call",
        "actor": "us",
        "channel": None,
        "campaign": "none",
        "content": None,
        "value": 12.5,
        "quantity": 3,
        "event_id": None,
        "source": "log",
        "sequence": 3,
        "local_day": moment_of("2026-01-02").date(),
        "local_hour": 9,
    }
    assert (first["occurred_at"], first["quantity"], first["value"]) == (moment_of("2026-01-01"), 1, 0.0)
    assert (second["actor"], second["sequence"], second["value"]) == ("lead", 2, None)
    assert (first["content"], second["content"]) == (None, "careers")
    schema = pq.read_schema(tmp_path / "data/leads.parquet")
    assert [(field.name, field.type) for field in schema] == [(field.name, field.arrow) for field in LEAD]
    assert read_leads(tmp_path) == [
        ("B", moment_of("2026-01-01"), moment_of("2026-01-01 06:00"), None, None),
        ("a", moment_of("2026-01-02 09:30"), moment_of("2026-01-02 15:30"), None, None),
    ]
    assert (summary.interactions, summary.lead_count) == (3, 2)
    written = json.loads((tmp_path / "data/ingest.json").read_text())
    assert written == summary.as_json()
    assert written["sources"]["log"] == {
        "rows": 3,
        "used": 3,
        "set_aside": {},
        "lines": 3,
        "unmapped_channels": None,
        "observed_from": None,
        "observed_until": "2026-01-02T16:00:00",
        "first_occurred_at": "2026-01-01T00:00:00",
        "last_occurred_at": "2026-01-02T10:00:00",
        "machines": {},
        "rhythm": {
            "state": "unjudged",
            "evidence": "too few silences to tell its rhythm: 1, and 20 are needed",
            "since": None,
            "judged_at": "2026-01-02T10:00:00",
            "reaches": None,
            "closes": None,
            "silences": 1,
            "longest_silence_hours": 33.5,
            "silent_after_hours": None,
            "rows_after": 0,
            "holes": [],
        },
        "fingerprint": hashlib.sha256((tmp_path / "raw/log.csv").read_bytes()).hexdigest(),
    }


BROKEN = (
    (",2026-01-01,2026-01-01,visit,1,1", "missing lead_id"),
    ("A,,2026-01-01,visit,1,1", "missing occurred_at"),
    ("A,yesterday,2026-01-01,visit,1,1", "unreadable occurred_at"),
    ("A,2026-02-30,2026-01-01,visit,1,1", "unreadable occurred_at"),
    ("A,epoch,2026-01-01,visit,1,1", "unreadable occurred_at"),
    ("A,infinity,2026-01-01,visit,1,1", "unreadable occurred_at"),
    ("A,294246-12-31,2026-01-01,visit,1,1", "unreadable occurred_at"),
    ("A,1969-12-31T23:59:59Z,2026-01-01,visit,1,1", "occurred_at before 1970"),
    ("A,2100-01-01,2026-01-01,visit,1,1", "occurred_at after 2100"),
    ("A,2026-01-01,,visit,1,1", "missing known_at"),
    ("A,2026-01-01,?,visit,1,1", "unreadable known_at"),
    ("A,2026-01-01,1950-01-01,visit,1,1", "known_at before 1970"),
    ("A,2026-01-01,2099-01-01,visit,1,1", "known_at in the future"),
    ("A,2026-01-01,2026-01-01,,1,1", "missing event_type"),
    ("A,2026-01-01,2026-01-01,visit,much,1", "unreadable value"),
    ("A,2026-01-01,2026-01-01,visit,nan,1", "value is not finite"),
    ("A,2026-01-01,2026-01-01,visit,-inf,1", "value is not finite"),
    ("A,2026-01-01,2026-01-01,visit,1,some", "unreadable quantity"),
    ("A,2026-01-01,2026-01-01,visit,1,nan", "quantity is not finite"),
    ("A,2026-01-01,2026-01-01,visit,1,1e30", "quantity is too large"),
    ("A,2026-01-01,2026-01-01,visit,1,1.5", "quantity is not a whole number"),
    ("A,2026-01-01,2026-01-01,visit,1,0", "quantity below 1"),
    ("A,2026-01-01,2026-01-01,visit,1", "5 columns instead of 6"),
)


def test_rows_that_can_t_be_used_are_set_aside_with_line_and_reason(tmp_path: Path, executor: Run) -> None:
    rows = "".join(f"{row}\n" for row, _ in BROKEN)
    write_raw(tmp_path, log_csv=f"lead,at,known,what,v,n\nA,2026-01-01,2026-01-01,visit,1,1\n{rows}")
    source = source_of(columns={"value": "v", "quantity": "n"}, known_at={"column": "known"})
    summary = run_ingest(tmp_path, {"log": source}, run=executor)
    assert read_quarantine(tmp_path) == [("log.csv", line, reason) for line, (_, reason) in enumerate(BROKEN, start=3)]
    assert summary.sources["log"].set_aside["unreadable occurred_at"] == 5
    assert (summary.sources["log"].rows, summary.interactions) == (24, 1)


def test_a_planned_event_may_lie_in_the_future_once_it_is_known(tmp_path: Path, executor: Run) -> None:
    write_raw(tmp_path, log_csv="lead,at,known,what\nA,2099-12-31,2026-01-01,meeting\n")
    run_ingest(tmp_path, {"log": source_of(known_at={"column": "known"})}, run=executor)
    assert read_log(tmp_path, "occurred_at, known_at") == [(moment_of("2099-12-31"), moment_of("2026-01-01"))]


def test_what_has_just_occurred_is_used_though_it_counts_as_known_only_later(tmp_path: Path, executor: Run) -> None:
    now = datetime.now(UTC)
    write_raw(
        tmp_path, log_csv=f"lead,at,what\nA,{now.isoformat()},visit\nA,{(now + timedelta(days=3)).isoformat()},visit\n"
    )
    run_ingest(tmp_path, {"log": source_of(known_at={"delay": "7d"})}, run=executor)
    assert read_quarantine(tmp_path) == [("log.csv", 3, "known_at in the future")]


def test_parquet_types_are_taken_as_they_are(tmp_path: Path, executor: Run) -> None:
    (tmp_path / "raw").mkdir()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "COPY (SELECT 17.0::DOUBLE AS lead, TIMESTAMP '2025-07-01 10:00' AS at, TIMESTAMPTZ '2025-07-01 10:00Z' AS "
            "known, 5 AS what, 2.50::DECIMAL(9, 2) AS v, 2::TINYINT AS n, 'x'::BLOB AS id UNION ALL "
            f"SELECT 'nan'::DOUBLE, NULL, NULL, NULL, NULL, NULL, NULL) TO '{tmp_path}/raw/log.parquet'"
        )
    columns = {"value": "v", "quantity": "n", "event_id": "id"}
    run_ingest(
        tmp_path,
        {"log": source_of("log.parquet", columns=columns, time_zone="Europe/Paris", known_at={"column": "known"})},
        run=executor,
    )
    assert read_log(tmp_path, "lead_id, occurred_at, known_at, event_type, value, quantity, event_id") == [
        ("17", moment_of("2025-07-01 08:00"), moment_of("2025-07-01 10:00"), "5", 2.5, 2, "x")
    ]
    assert read_quarantine(tmp_path) == [("log.parquet", 2, "missing lead_id")]


def test_several_columns_are_joined_skipping_missing_parts(tmp_path: Path, executor: Run) -> None:
    write_raw(
        tmp_path, log_csv="lead,at,activity,lifecycle\nA,2026-01-01,sent,start\nA,2026-01-02,sent,\nA,2026-01-03,,\n"
    )
    run_ingest(tmp_path, {"log": source_of(columns={"event_type": ["activity", "lifecycle"]})}, run=executor)
    assert read_log(tmp_path, "event_type") == [("sent start",), ("sent",)]
    assert read_quarantine(tmp_path) == [("log.csv", 4, "missing event_type")]


def test_ties_are_broken_by_source_then_file_then_line(tmp_path: Path, executor: Run) -> None:
    write_raw(
        tmp_path,
        b1_csv="lead,at,what\nA,2026-01-01,1\nA,2026-01-01,2\n",
        b2_csv="lead,at,what\nA,2026-01-01,3\n",
        a_csv="lead,at,what\nA,2026-01-01,0\n",
    )
    run_ingest(tmp_path, {"b": source_of("b*.csv"), "a": source_of("a.csv")}, run=executor)
    assert read_log(tmp_path, "source, event_type, sequence") == [
        ("a", "0", 2),
        ("b", "1", 2),
        ("b", "2", 3),
        ("b", "3", 2**40 + 2),
    ]


def test_duplicates_go_by_event_id_or_else_by_the_whole_row(tmp_path: Path, executor: Run) -> None:
    rows = [
        "A,2026-01-01,visit,e1",
        "A,2026-01-02,call,e1",  # the same id: whatever else it says
        "A,2026-01-01,visit,",
        "A,2026-01-01,visit,",  # no id, and the same in all
        "A,2026-01-01,call,",  # the same time, but another event
        "B,2026-01-01,visit,",
        "A,2026-01-01T00:00:00Z,visit,",  # written otherwise, the same in all
    ]
    write_raw(
        tmp_path, log_csv="lead,at,what,id\n" + "\n".join(rows) + "\n", other_csv="lead,at,what,id\n" + rows[0] + "\n"
    )
    source = source_of(columns={"event_id": "id"})
    run_ingest(tmp_path, {"log": source, "other": source | {"path": "other.csv"}}, run=executor)
    assert read_quarantine(tmp_path) == [("log.csv", line, "duplicate") for line in (3, 5, 8)]
    assert read_quarantine(tmp_path, "other") == []


def test_the_time_at_which_it_was_known_tells_rows_apart(tmp_path: Path, executor: Run) -> None:
    write_raw(tmp_path, log_csv="lead,at,known,what\nA,2026-01-01,2026-01-01,visit\nA,2026-01-01,2026-01-02,visit\n")
    assert run_ingest(tmp_path, {"log": source_of(known_at={"column": "known"})}, run=executor).interactions == 2


def test_events_of_unknown_leads_are_set_aside_and_leads_without_events_stay(tmp_path: Path, executor: Run) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,at,what\nA,2026-01-02,visit\nghost,2026-01-02,visit\nC,2026-01-03,visit\n",
        leads_csv="lead,created,size,land\n"
        "B,2026-01-01,12,NL\nA,2026-01-01,many,\nA,2026-01-05,7,BE\n,2026-01-01,1,NL\nC,soon,1,NL\nD,2099-01-01,1,NL\n",
    )
    summary = run_ingest(tmp_path, leads=LEADS | {"attributes": {"land": "category", "size": "number"}}, run=executor)
    assert read_leads(tmp_path, "lead_id, created_at, land, size") == [
        ("A", moment_of("2026-01-01"), None, None),
        ("B", moment_of("2026-01-01"), "NL", 12.0),
    ]
    assert pq.read_schema(tmp_path / "data/leads.parquet").names[-2:] == ["land", "size"]
    assert read_quarantine(tmp_path) == [("log.csv", 3, "unknown lead"), ("log.csv", 4, "unknown lead")]
    assert read_quarantine(tmp_path, "leads") == [
        ("leads.csv", 4, "duplicate"),
        ("leads.csv", 5, "missing lead_id"),
        ("leads.csv", 6, "unreadable created_at"),
        ("leads.csv", 7, "created_at in the future"),
    ]
    assert summary.leads is not None
    assert summary.leads.unreadable_attributes == {"land": 0, "size": 1}
    assert (summary.leads.rows, summary.leads.used) == (6, 2)


def test_days_and_hours_are_those_of_the_lead(tmp_path: Path, executor: Run) -> None:
    leads = "A,2026-01-01,Asia/Tokyo\nB,2026-01-01,America/New_York\nC,2026-01-01,\nD,2026-01-01,Mars/Base\n"
    events = "".join(f"{lead},2026-07-01T20:30:00Z,visit\n" for lead in "DCBA")
    write_raw(tmp_path, log_csv="lead,at,what\n" + events, leads_csv="lead,created,zone\n" + leads)
    summary = run_ingest(tmp_path, leads=LEADS | {"columns": LEADS["columns"] | {"time_zone": "zone"}}, run=executor)
    assert read_log(tmp_path, "lead_id, local_day::VARCHAR, local_hour") == [
        ("A", "2026-07-02", 5),
        ("B", "2026-07-01", 16),
        ("C", "2026-07-01", 20),
        ("D", "2026-07-01", 20),
    ]
    assert read_leads(tmp_path, "time_zone") == [("Asia/Tokyo",), ("America/New_York",), (None,), (None,)]
    assert summary.leads is not None
    assert (summary.leads.without_time_zone, summary.leads.unknown_time_zone) == (1, 1)


def test_cookies_and_merged_leads_are_united_and_known_from_the_link_on(tmp_path: Path, executor: Run) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,at,what\n"
        "cookie,2026-03-01,visit\n"  # before the link: known with it
        "cookie,2026-05-01,visit\n"  # after the link: known as it occurred
        "A2,2026-03-02,call\n"
        "A,2026-03-03,call\n"
        "ghost,2026-03-01,visit\n"
        "shared,2026-03-01,visit\n",
        leads_csv="lead,created\nA,2026-02-01\nA2,2026-01-01\nB,2026-02-01\n",
        links_csv="alias,lead,at\n"
        "cookie,A2,2026-03-05\n"
        "A2,A,2026-04-01\n"
        "cookie,A2,2026-03-09\n"
        "shared,A,2026-03-01\n"
        "shared,B,2026-03-01\n"
        "ghost,nobody,2026-03-01\n"
        "B,B,2026-03-01\n",
    )
    summary = run_ingest(tmp_path, leads=LEADS, identities=LINKS, run=executor)
    assert read_log(tmp_path, "lead_id, occurred_at, known_at") == [
        ("A", moment_of("2026-03-01"), moment_of("2026-04-01")),
        ("A", moment_of("2026-03-02"), moment_of("2026-04-01")),
        ("A", moment_of("2026-03-03"), moment_of("2026-03-03")),
        ("A", moment_of("2026-05-01"), moment_of("2026-05-01")),
    ]
    assert [row[:2] for row in read_leads(tmp_path)] == [("A", moment_of("2026-02-01")), ("B", moment_of("2026-02-01"))]
    assert read_quarantine(tmp_path, "leads") == [("leads.csv", 3, "merged into another lead")]
    assert [row[1:] for row in read_quarantine(tmp_path, "identities")] == [
        (4, "duplicate"),
        (5, "alias claimed by two leads"),
        (6, "alias claimed by two leads"),
        (7, "unknown lead"),
        (8, "links to itself"),
    ]
    assert read_quarantine(tmp_path) == [("log.csv", 6, "unknown lead"), ("log.csv", 7, "unknown lead")]
    assert summary.sources["log"].observed_until == moment_of("2026-05-01")
    assert summary.identities is not None
    assert summary.identities.used == 2


def test_without_a_leads_table_the_identities_say_who_is_a_lead(tmp_path: Path, executor: Run) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,at,what\ncookie,2026-03-01,visit\nanonymous,2026-03-01,visit\nA,2026-03-02,call\n",
        links_csv="alias,lead,at\ncookie,A,2026-03-05\n",
    )
    run_ingest(tmp_path, identities=LINKS, run=executor)
    assert read_leads(tmp_path, "lead_id, created_at") == [("A", moment_of("2026-03-01"))]
    assert read_quarantine(tmp_path) == [("log.csv", 3, "unknown lead")]


def test_odd_names_of_columns_and_folders_are_no_harm(tmp_path: Path, executor: Run) -> None:
    root = tmp_path / "it's [a] *folder*?"
    write_raw(root, log_csv='"le""ad",line,reason\n"O\'Neill\n2",2026-01-01,=cmd()\n', leads_csv="")
    (root / "raw/leads.csv").write_text('lead,created,a\'b,"select"\n"O\'Neill\n2",2026-01-01,x,1\n')
    columns = {"lead_id": 'le"ad', "occurred_at": "line", "event_type": "reason"}
    run_ingest(
        root,
        {"log": source_of(columns=columns)},
        leads=LEADS | {"attributes": {"a'b": "category", "select": "number"}},
        run=executor,
    )
    table = pq.read_table(root / "data/interactions.parquet", columns=["lead_id", "event_type"])
    assert table.to_pylist() == [{"lead_id": "O'Neill\n2", "event_type": "=cmd()"}]
    assert pq.read_table(root / "data/leads.parquet", columns=["a'b", "select"]).to_pylist() == [
        {"a'b": "x", "select": 1}
    ]


def test_an_event_id_of_several_columns_tells_rows_apart_and_shows_none_of_them(tmp_path: Path, executor: Run) -> None:
    rows = ["visit,/a,", "visit,/a,", "visit,,/a", "visit,/b,secret word"]
    write_raw(tmp_path, log_csv="lead,at,what,page,note\n" + "".join(f"A,2026-01-02T10:00:00,{row}\n" for row in rows))
    summary = run_ingest(tmp_path, {"log": source_of(columns={"event_id": ["page", "note"]})}, run=executor)
    ids = [event_id for (event_id,) in read_log(tmp_path, "event_id")]
    assert (len(ids), len(set(ids)), summary.sources["log"].set_aside) == (3, 3, {"duplicate": 1})
    assert not any(word in event_id for event_id in ids for word in ("/", "secret"))
