"""Queries over tables: known answers, nothing lost on the way, and nothing but reading."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from postgresql import Server

from features.core.errors import InputError
from pipeline.core.project import Project
from pipeline.core.sql import connect, file_literal
from pipeline.ingest import stage as ingest
from pipeline.ingest.queries import Origins, keep_all, tables_read
from pipeline.ingest.source_table import SourceTable
from pipeline.reading.readers import copy_rows
from pipeline.settings.ingest import Ingest
from pipeline.settings.parameters import Parameters
from pipeline.settings.run import Run

Rows = list[tuple[object, ...]]
Tables = Mapping[str, object]

CRM = {
    "contacts.csv": "contact;e-mail;company\n1;a@x;X\n2;b@y;Y\n3;c@y;Y\n",
    "deals.jsonl": '{"deal": 10, "company": "X", "amounts": [1, 2]}\n{"deal": 11, "company": "Y", "won": true}\n',
    "touches.csv": "contact,day,what\n1,2026-01-01,mail\n2,2026-01-02,call\n3,2026-01-03,call\n3,2026-01-03,call\n",
}
JOIN = """
    WITH per_deal AS (SELECT deal, contact FROM deals JOIN contacts USING (company))  -- a lead is a deal
    SELECT 'D' || deal AS lead, day, what, count(*) AS times
    FROM per_deal JOIN touches USING (contact) GROUP BY ALL;
"""
EVENTS = {"lead_id": "lead", "occurred_at": "day", "event_type": "what"}


def _source(query: str, columns: Mapping[str, object] = EVENTS, **changes: object) -> dict[str, object]:
    return {"query": query, "columns": columns, "known_at": "as_it_occurred", "actor": "lead", **changes}


def _tables(*names: str) -> dict[str, object]:
    return {Path(name).stem: {"path": name} for name in names}


def _write(folder: Path, files: Mapping[str, str] = CRM) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def _ask(
    folder: Path, query: str, wanted: list[str], tables: Tables | None = None, told: list[str] | None = None
) -> Rows:
    """Run a query as a source's, and give the wanted columns of its rows."""
    settings = Ingest.model_validate({
        "tables": _tables(*CRM) if tables is None else tables, "sources": {"events": _source(query)},
    })  # fmt: skip
    temporary = folder / "temporary"
    temporary.mkdir()
    with connect("200MB", temporary / "spill") as connection:
        origins = Origins(settings, Run(), folder, temporary, connection, (told if told is not None else []).append)
        origins.prepare()
        events = SourceTable(connection, temporary, "events", settings.sources["events"], keep_all, wanted)
        origins.open(events)
        [opened] = events.files
        assert opened.file.name == "query of events"
        copy_rows(connection, opened, lambda relation: relation, temporary / "copied")
        rows = connection.execute(f"FROM read_parquet({file_literal(temporary / 'copied')}) ORDER BY line").fetchall()
    assert [row[:2] for row in rows] == [(line, None) for line in range(1, len(rows) + 1)]
    return [row[2:] for row in rows]


def _parameters(settings: Mapping[str, object]) -> Parameters:
    empty: dict[str, Any] = {
        name: {} for name in ("validate", "features", "train", "evaluate", "recommend", "kpi", "leads", "words")
    }
    return Parameters.model_validate({
        "data_root": "raw",
        "ingest": settings,
        "episodes": {"conversion": ["won"]},
        "snapshots": {"policies": [{"ages": ["1d"]}], "horizon": "30d"},
        "decision": {"tiers": {"mql": 0.1, "sql": 0.3}},
    } | empty)  # fmt: skip


def test_a_join_over_three_tables_has_the_known_answer(tmp_path: Path) -> None:
    _write(tmp_path)
    told: list[str] = []
    tables = _tables(*CRM, "unused.csv")
    assert _ask(tmp_path, JOIN, ["lead", "day", "what", "times"], tables, told) == [
        ("D10", "2026-01-01", "mail", 1),
        ("D11", "2026-01-02", "call", 1),
        ("D11", "2026-01-03", "call", 2),
    ]
    assert told == [
        "unused: not read, for no query names it",
        "contacts: 3 rows read for queries, 0 of them unusable",
        "deals: 2 rows read for queries, 0 of them unusable",
        "touches: 4 rows read for queries, 0 of them unusable",
        "events: the query over contacts, deals, touches has run",
    ]


def test_objects_show_all_their_keys_and_nested_values_as_json(tmp_path: Path) -> None:
    _write(tmp_path)
    query = "SELECT deal, company, won, amounts, (amounts::INT[])[1] + 1 AS first FROM DEALS"
    assert _ask(tmp_path, query, ["deal", "company", "won", "amounts", "first"]) == [
        ("10", "X", None, "[1,2]", 2),
        ("11", "Y", "true", None, None),
    ]


def test_parquet_files_keep_their_types_in_queries(tmp_path: Path) -> None:
    duckdb.sql(f"COPY (SELECT 1::INTEGER AS n, {{'a': DATE '2026-01-02'}} AS s) TO '{tmp_path / '1.parquet'}'")
    duckdb.sql(f"COPY (SELECT 2::BIGINT AS n, {{'a': DATE '2026-01-03'}} AS s) TO '{tmp_path / '2.parquet'}'")
    query = "SELECT n * n AS square, s.a + 1 AS day, 10::HUGEINT ** 30 AS large, 3::HUGEINT AS three FROM parts"
    rows = _ask(tmp_path, query, ["square", "day", "three"], {"parts": {"path": "*.parquet"}})
    assert [tuple(map(str, row)) for row in rows] == [("1", "2026-01-03", "3"), ("4", "2026-01-04", "3")]


def test_a_query_reads_tables_that_are_queries_and_databases(tmp_path: Path, postgresql: Server,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("CRM", postgresql.url())
    _write(tmp_path, {"a.csv": "id,x\n1,one\n2,two\n3,three\n"})
    with closing(sqlite3.connect(tmp_path / "crm.sqlite")) as file:
        file.execute("CREATE TABLE t AS SELECT 2 AS id UNION ALL SELECT 3")
        file.commit()
    tables = {
        "a": {"path": "a.csv"},
        "lite": {"database": "sqlite:///crm.sqlite", "query": "SELECT id FROM t"},
        "server": {"database": "$CRM", "query": "SELECT n AS id FROM generate_series(1, 2) AS n"},
        "shared": {"query": "SELECT id FROM lite JOIN server USING (id)"},
    }
    query = "SELECT id AS lead, x FROM a JOIN shared USING (id)"
    assert _ask(tmp_path, query, ["lead", "x"], tables) == [("2", "two")]


def test_equal_rows_of_a_query_stay_and_its_order_is_settled(tmp_path: Path) -> None:
    _write(tmp_path)
    query = "SELECT v, v % 2 AS w FROM (VALUES (2), (1), (2), (NULL)) AS t(v)"
    assert _ask(tmp_path, query, ["v", "w"]) == [(1, 1), (2, 0), (2, 0), (None, None)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM contcts", r"'contcts' \(did you mean 'contacts'\?\).*no such table or source"),
        ("SELECT * FROM 'contacts.csv'", "no such table or source"),
        ("SELECT * FROM read_csv('contacts.csv')", "reads tables and no files"),
        ("SELECT * FROM read_text('/etc/hostname')", "reads tables and no files"),
        ("SELECT * FROM glob('*')", "reads tables and no files"),
        ("SELECT * FROM contacts; SELECT 1", "must be one SELECT"),
        ("COPY contacts TO 'stolen.csv'", "must be one SELECT"),
        ("ATTACH 'stolen.duckdb'", "must be one SELECT"),
        ("CREATE TABLE x AS SELECT 1", "must be one SELECT"),
        ("INSTALL httpfs", "must be one SELECT"),
        ("SET threads = 4", "must be one SELECT"),
        ("WITH gone AS (DELETE FROM contacts RETURNING *) SELECT * FROM gone", "can't be answered"),
        ("SELECT now() AS a", r"asks the clock \(now\)"),
        (
            "SELECT * FROM contacts WHERE Today() > '2026-01-01' OR current_date > '2026'",
            r"clock \(current_date, today\)",
        ),
        ("SELECT age(TIMESTAMP '2026-01-01') AS a", r"asks the clock \(age\)"),
        (" -- nothing", "must be one SELECT"),
        ("SELEC 1", "Parser Error: syntax error"),
        ("SELECT compny FROM contacts", 'Binder Error: .*"compny" not found'),
        ("SELECT company::INT AS n FROM contacts", r"Could not convert string '\*\*\*' to INT32"),
        ("SELECT 1 AS a, 2 AS a", "names 'a' twice"),
        ("SELECT contact FROM contacts AS c, CONTACTS AS d", "Ambiguous"),
    ],
)
def test_a_query_that_is_no_reading_is_refused(query: str, message: str, tmp_path: Path) -> None:
    _write(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(InputError, match=rf"ingest\.sources\.events: .*{message}") as caught:
        _ask(tmp_path, query, ["a"])
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "temporary") == before


def test_queries_in_a_circle_are_refused(tmp_path: Path) -> None:
    tables = {"a": {"query": "SELECT * FROM b"}, "b": {"query": "SELECT * FROM a"}}
    with pytest.raises(InputError, match=r"ingest\.tables\.\w: the queries read each other in a circle"):
        _ask(tmp_path, "SELECT * FROM a", ["x"], tables)
    (tmp_path / "temporary").rmdir()
    with pytest.raises(InputError, match="events <- events"):
        _ask(tmp_path, "SELECT * FROM events", ["x"], {})


def test_all_queries_that_can_not_be_understood_are_told_at_once(tmp_path: Path) -> None:
    tables = {"a": {"query": "SELEC 1"}, "b": {"query": "SELECT * FROM c"}}
    with pytest.raises(InputError, match=r"(?s)ingest\.tables\.a: .*Parser Error.*\ningest\.tables\.b: .*'c'"):
        _ask(tmp_path, "SELECT * FROM a, b", ["x"], tables)


def test_columns_that_differ_in_case_alone_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, {"a.csv": "id,ID\n1,2\n"})
    with pytest.raises(InputError, match="'ID', 'id' differ only in case"):
        _ask(tmp_path, "SELECT * FROM a", ["x"], _tables("a.csv"))


def test_a_column_that_a_query_lacks_is_named_with_the_nearest(tmp_path: Path) -> None:
    _write(tmp_path)
    with pytest.raises(InputError, match=r"query of events has no column 'compny' \(did you mean 'company'\?\)"):
        _ask(tmp_path, "SELECT * FROM contacts", ["compny"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT * FROM a, (SELECT * FROM B) AS x WHERE y IN (SELECT z FROM c)", ["a", "b", "c"]),
        ("WITH a AS (SELECT * FROM b) SELECT * FROM a", ["b"]),
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", ["a"]),
        ("WITH a AS (SELECT 1), d AS (SELECT * FROM a) SELECT * FROM d", []),
        ("WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a WHERE n < 3) SELECT * FROM a", []),
        ("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a), a", ["a"]),
        ("FROM a UNION ALL SELECT * FROM main.b", ["a", "b"]),
        ("SELECT (SELECT max(n) FROM c) FROM range(3)", ["c"]),
        ("FROM a PIVOT (sum(x) FOR y IN ('z'))", ["a"]),
        ("VALUES (1)", []),
        ("SELECT age(x, y), a.now FROM a", ["a"]),
    ],
)
def test_the_tables_that_a_query_reads_are_those_it_does_not_define(query: str, expected: list[str]) -> None:
    assert tables_read("x", query, ["a", "b", "c"]) == expected


BROKEN = CRM | {
    "touches.csv": "contact,day,what\n1,2026-01-01,mail\n2,2026-01-02\n3,2026-01-03,call\n3,\xff,call,call\n",
    "deals.jsonl": CRM["deals.jsonl"] + "[1]\n",
}


def test_rows_of_a_table_that_can_not_be_read_are_counted_and_listed(tmp_path: Path) -> None:
    _write(tmp_path / "raw", BROKEN)
    settings = {"tables": _tables(*CRM, "unused.csv"), "sources": {"events": _source(JOIN)}, "maximum_broken": 1.0}
    summary = ingest.run(Project(tmp_path, _parameters(settings)), lambda _: None)
    assert {name: (table.rows, table.used, table.set_aside) for name, table in summary.tables.items()} == {
        "contacts": (3, 3, {}),
        "deals": (3, 2, {"not a JSON object": 1}),
        "touches": (4, 2, {"2 columns instead of 3": 1, "4 columns instead of 3": 1}),
    }
    digest = hashlib.sha256((tmp_path / "raw/touches.csv").read_bytes()).hexdigest()
    assert summary.tables["touches"].fingerprint == digest
    assert (summary.sources["events"].rows, summary.sources["events"].used) == (2, 2)
    content = json.loads((tmp_path / "data/ingest.json").read_text())
    assert content["tables"]["deals"]["set_aside"] == {"not a JSON object": 1}
    assert content["totals"] == {"rows": 12, "used": 9, "set_aside": 3}
    listed = duckdb.sql(f"SELECT * FROM '{tmp_path}/data/quarantine/*.parquet' ORDER BY ALL").fetchall()
    assert listed == [
        ("deals", "deals.jsonl", 3, "not a JSON object"),
        ("touches", "touches.csv", 3, "2 columns instead of 3"),
        ("touches", "touches.csv", 5, "4 columns instead of 3"),
    ]
    with pytest.raises(
        InputError, match=r"(?s)touches: 2 columns instead of 3: 1 rows, the first in touches\.csv, line 3"
    ):
        ingest.run(Project(tmp_path, _parameters(settings | {"maximum_broken": 0.4})), lambda _: None)


def test_rows_of_a_query_that_can_not_be_used_are_listed_by_their_number(tmp_path: Path) -> None:
    _write(tmp_path / "raw")
    query = "SELECT contact AS lead, CASE contact WHEN '2' THEN 'never' ELSE day END AS day, what FROM touches"
    settings = {"tables": _tables(*CRM), "sources": {"events": _source(query)}, "maximum_broken": 1.0}
    ingest.run(Project(tmp_path, _parameters(settings)), lambda _: None)
    listed = duckdb.sql(f"SELECT * FROM '{tmp_path}/data/quarantine/events.parquet'").fetchall()
    assert listed == [
        ("events", "query of events", 2, "unreadable occurred_at"),
        ("events", "query of events", 4, "duplicate"),
    ]


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    duckdb.sql(
        "COPY (SELECT i % 5000 AS lead, TIMESTAMP '2026-01-01' + INTERVAL (i) SECOND AS day, random() AS cost "
        f"FROM range(300000) AS t(i) ORDER BY hash(i)) TO '{tmp_path}/raw/clicks.csv'"
    )
    with closing(sqlite3.connect(tmp_path / "raw/crm.sqlite")) as file:
        file.execute("CREATE TABLE deals (lead, day)")
        file.executemany("INSERT INTO deals VALUES (?, '2026-02-01')", [(n * 7919 % 5000,) for n in range(5000)])
        file.commit()
    query = """SELECT lead, CAST(min(day) AS TIMESTAMP) AS day, 'clicks' AS what, sum(cost::DOUBLE) AS cost, first(day),
               random() AS luck FROM clicks GROUP BY lead"""
    settings = {
        "tables": {"clicks": {"path": "clicks.csv"}},
        "sources": {
            "events": _source(query, EVENTS | {"value": "cost"}),
            "deals": _source("SELECT lead, day, 'won' AS what FROM deals", database="sqlite:///crm.sqlite"),
        },
    }
    runs = []
    for _ in range(2):
        ingest.run(Project(tmp_path, _parameters(settings)), lambda _: None)
        runs.append({path.name: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()})
    assert runs[0] == runs[1]
    assert json.loads(runs[0]["ingest.json"])["interactions"] == 10_000


def test_a_query_runs_in_a_folder_that_is_named_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path / "raw")
    monkeypatch.chdir(tmp_path)
    settings = {"tables": _tables(*CRM), "sources": {"events": _source(JOIN)}}
    assert ingest.run(Project(Path(), _parameters(settings)), lambda _: None).interactions == 3


def test_a_source_may_be_read_by_the_query_of_another(tmp_path: Path) -> None:
    _write(tmp_path / "raw", {"log.csv": "lead,day,what\nA,2026-01-01,visit\nA,2026-01-05,visit\nB,2026-01-02\n"})
    first = "SELECT lead, min(day) AS day, 'first visit' AS what FROM log GROUP BY lead"
    log = _source("", path="log.csv")
    del log["query"]
    settings = {"sources": {"first": _source(first), "log": log}, "maximum_broken": 1.0}
    summary = ingest.run(Project(tmp_path, _parameters(settings)), lambda _: None)
    assert summary.tables == {}
    assert summary.sources["log"].set_aside == {"2 columns instead of 3": 1}
    events = duckdb.sql(f"SELECT lead_id, event_type FROM '{tmp_path}/data/interactions.parquet'").fetchall()
    assert events == [("A", "first visit"), ("A", "visit"), ("A", "visit")]


def test_letters_that_can_not_be_read_are_set_aside_and_the_remedy_is_named(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    text = "lead,day,what\nA,2026-01-01,café\nB,2026-01-02,5 €\nC,2026-01-03,"
    (tmp_path / "raw/log.csv").write_bytes(text.encode("cp1252") + b"\x81\n")
    log = {"path": "log.csv", "columns": EVENTS, "known_at": "as_it_occurred", "actor": "lead"}
    with pytest.raises(InputError, match=r"log: not UTF-8: 3 rows, .*line 2; set encoding, as in encoding: cp1252"):
        ingest.run(Project(tmp_path, _parameters({"sources": {"log": log}})), lambda _: None)
    settings = {"sources": {"log": log | {"encoding": "cp1252"}}, "maximum_broken": 0.5}
    summary = ingest.run(Project(tmp_path, _parameters(settings)), lambda _: None)
    assert summary.sources["log"].set_aside == {"not cp1252": 1}
    events = duckdb.sql(f"SELECT lead_id, event_type FROM '{tmp_path}/data/interactions.parquet'").fetchall()
    assert events == [("A", "café"), ("B", "5 €")]
