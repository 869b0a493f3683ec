"""Tables that lie in a database: every value as text, no more in memory than a chunk, and no secret told."""

from __future__ import annotations

import csv
import socket
import sqlite3
import stat
import sys
import traceback
from contextlib import closing
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pytest
from postgresql import PASSWORD, Server

from features.core.errors import InputError
from pipeline.core.sql import file_literal
from pipeline.reading import databases
from pipeline.reading.databases import database_tables, fetch
from pipeline.reading.readers import copy_rows, open_table
from pipeline.settings.table import Table

Rows = list[tuple[object, ...]]


def _fetch(
    folder: Path, database: str, query: str, told: list[str] | None = None, most_rows: int | None = None
) -> Rows:
    """Read what a query gives to rows of (reason, values ...)."""
    table = Table(database=database, query=query)
    target = folder / "fetched.parquet"
    lines = [] if told is None else told
    opened = fetch("ingest.sources.deals", table, folder, target, lines.append, most_rows)
    with duckdb.connect() as connection:
        copy_rows(connection, opened, lambda relation: relation, folder / "copied")
        rows = connection.execute(f"FROM read_parquet({file_literal(folder / 'copied')}) ORDER BY line").fetchall()
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    return [row[1:] for row in rows]


def _write_sqlite(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.fixture
def crm(postgresql: Server, monkeypatch: pytest.MonkeyPatch) -> psycopg.Connection[tuple[object, ...]]:
    """Connect to a database as its owner; the environment names it CRM."""
    monkeypatch.setenv("CRM", postgresql.url())
    return psycopg.connect(postgresql.url(), autocommit=True)


def test_values_of_sqlite_become_texts_exactly(tmp_path: Path) -> None:
    _write_sqlite(
        tmp_path / "crm.sqlite",
        "CREATE TABLE deals (id, what)",
        """INSERT INTO deals VALUES (NULL, ''), (9007199254740993, 0.1), (1e300, 'Zoë "x" 😀'), (2.0, x'c3a9')""",
    )
    rows = _fetch(tmp_path, "sqlite:///crm.sqlite", 'SELECT id, what AS "what\'s that" FROM deals ORDER BY rowid;')
    assert rows == [
        (None, None, ""),
        (None, "9007199254740993", "0.1"),
        (None, "1e+300", 'Zoë "x" 😀'),
        (None, "2.0", "é"),
    ]


def test_bytes_and_texts_that_are_not_utf_8_cost_their_row_alone(tmp_path: Path) -> None:
    _write_sqlite(
        tmp_path / "crm.sqlite",
        "CREATE TABLE deals (id, note)",
        "INSERT INTO deals VALUES (1, x'ff'), (2, CAST(x'ff' AS TEXT)), (3, 'sound')",
    )
    assert _fetch(tmp_path, "sqlite:///crm.sqlite", "SELECT * FROM deals ORDER BY id") == [
        ("not UTF-8", None, None),
        ("not UTF-8", None, None),
        (None, "3", "sound"),
    ]


def test_values_of_postgresql_become_texts_exactly(crm: psycopg.Connection[tuple[object, ...]], tmp_path: Path) -> None:
    with crm:
        rows = _fetch(
            tmp_path,
            "$CRM",
            """SELECT true, 9007199254740993, 0.1::float8, 2::float8, 1e3::numeric, 1.50::numeric, 'é😀'::text,
            '\\xc3a9'::bytea, date '2026-03-29', timestamp '2026-03-29 02:30:00.123456', NULL,
            timestamptz '2026-03-29 02:30:00+02', timestamptz 'infinity', '{"a": [1.00, "é"]}'::jsonb,
            ARRAY[1, NULL], '10:30'::time, 'NaN'::float8, ARRAY['2026-01-01'::date], '100% :x ?'
            """.replace("SELECT ", "SELECT * FROM (VALUES (").replace("'100% :x ?'", "'100% :x ?')) AS v"),
        )
    assert rows == [
        (
            None, "true", "9007199254740993", "0.1", "2.0", "1000", "1.50", "é😀",
            "é", "2026-03-29", "2026-03-29 02:30:00.123456", None,
            "2026-03-29 00:30:00+00", "infinity", '{"a": [1.00, "é"]}',
            "[1, null]", "10:30:00", "nan", '["2026-01-01"]', "100% :x ?",
        )
    ]  # fmt: skip


@pytest.mark.parametrize("system", ["sqlite", "postgresql"])
def test_many_rows_read_in_chunks_are_those_of_the_csv(
    system: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    count = 200_000
    deals = [(str(n), f"2026-01-{n % 28 + 1:02}", None if n % 7 == 0 else f"stage, {n % 5}") for n in range(count)]
    with (tmp_path / "deals.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("id", "day", "stage"), *deals])
    database = "sqlite:///crm.sqlite"
    if system == "sqlite":
        with closing(sqlite3.connect(tmp_path / "crm.sqlite")) as file:
            file.execute("CREATE TABLE deals (id INTEGER, day TEXT, stage TEXT)")
            file.executemany("INSERT INTO deals VALUES (?, ?, ?)", deals)
            file.commit()
    else:
        crm: psycopg.Connection[tuple[object, ...]] = request.getfixturevalue("crm")
        database = "$CRM"
        with crm, crm.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS many_deals (id INTEGER, day DATE, stage TEXT)")
            cursor.execute("TRUNCATE many_deals")
            with cursor.copy("COPY many_deals FROM STDIN") as copy:
                for row in deals:
                    copy.write_row(row)
    told: list[str] = []
    table = "deals" if system == "sqlite" else "many_deals"
    rows = _fetch(tmp_path, database, f"SELECT * FROM {table} ORDER BY id", told)
    [opened] = open_table("x", Table(path="deals.csv"), ["id", "day", "stage"], tmp_path)
    with duckdb.connect() as connection:
        copy_rows(connection, opened, lambda relation: relation, tmp_path / "csv")
        expected = connection.execute(
            f"SELECT reason, r0, r1, nullif(r2, '') FROM read_parquet({file_literal(tmp_path / 'csv')}) ORDER BY line"
        ).fetchall()
    assert len(rows) == count
    assert rows == expected
    assert told == ["deals: 200,000 rows read"]


def test_no_more_rows_are_held_than_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_sqlite(tmp_path / "crm.sqlite", "CREATE TABLE x (a)")
    monkeypatch.setattr(databases, "CHUNK_ROWS", 100)
    sizes: list[int] = []
    write = databases._batch  # noqa: SLF001 - what is held at a time shows nowhere else

    def write_counting(rows: list[databases.Row], schema: pa.Schema) -> pa.RecordBatch:
        sizes.append(len(rows))
        return write(rows, schema)

    monkeypatch.setattr(databases, "_batch", write_counting)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    assert len(_fetch(tmp_path, "sqlite:///crm.sqlite", endless, most_rows=1050)) == 1050
    assert sizes == [100] * 10 + [50]


def test_rows_of_postgresql_stay_with_the_server_until_they_are_read(
    crm: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    with crm:
        query = "SELECT count(*), current_setting('transaction_read_only') FROM pg_cursors"
        assert _fetch(tmp_path, "$CRM", query) == [(None, "1", "on")]


def test_a_server_that_never_answers_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "_TIMEOUT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("CRM", f"postgresql://scott:hunter2@127.0.0.1:{silent.getsockname()[1]}/x")
        _tells_no_secret(tmp_path, "SELECT 1", "no server answers there within 2 seconds", ("scott", "hunter2"))


def test_a_database_that_is_not_there_names_the_nearest_file_and_makes_none(tmp_path: Path) -> None:
    _write_sqlite(tmp_path / "crm.sqlite", "CREATE TABLE x (a)")
    with pytest.raises(InputError, match=r"no database 'crn\.sqlite'.*did you mean 'crm\.sqlite'\?"):
        _fetch(tmp_path, "sqlite:///crn.sqlite", "SELECT 1")
    assert not (tmp_path / "crn.sqlite").exists()
    with pytest.raises(InputError, match="names no file"):
        _fetch(tmp_path, "sqlite://", "SELECT 1")


def test_a_query_can_write_nothing(crm: psycopg.Connection[tuple[object, ...]], tmp_path: Path) -> None:
    _write_sqlite(tmp_path / "crm.sqlite", "CREATE TABLE x (a)", "INSERT INTO x VALUES (1)")
    before = (tmp_path / "crm.sqlite").read_bytes()
    for query in ("DELETE FROM x", "DELETE FROM x RETURNING a", "DROP TABLE x", "PRAGMA user_version = 3"):
        with pytest.raises(InputError):
            _fetch(tmp_path, "sqlite:///crm.sqlite", query)
    assert (tmp_path / "crm.sqlite").read_bytes() == before
    with crm:
        crm.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS a")
        crm.execute("CREATE OR REPLACE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM kept RETURNING a'")
        for query in ("DELETE FROM kept RETURNING a", "SELECT 1; DROP TABLE kept", "SELECT wipe()", "DROP TABLE kept"):
            with pytest.raises(InputError, match="can't answer the query"):
                _fetch(tmp_path, "$CRM", query)
        assert crm.execute("SELECT a FROM kept").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT a FROM dealz", "no such table: dealz"),
        ("SELECT a FORM x", "syntax error"),
        ("SELECT 1 AS a, 2 AS a", "names 'a' twice"),
        ('SELECT 1 AS ""', "has no name"),
        ("CREATE TABLE y (a)", "readonly|read-only|no rows|query"),
    ],
)
def test_a_query_that_makes_no_table_is_refused(query: str, message: str, tmp_path: Path) -> None:
    _write_sqlite(tmp_path / "crm.sqlite", "CREATE TABLE x (a)")
    with pytest.raises(InputError, match=f"ingest.sources.deals.*({message})"):
        _fetch(tmp_path, "sqlite:///crm.sqlite", query)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "crm.sqlite").write_text("nothing of the kind" * 100)
    with pytest.raises(InputError, match="file is not a database"):
        _fetch(tmp_path, "sqlite:///crm.sqlite", "SELECT * FROM x")


def test_a_file_that_may_not_be_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a b #1?.sqlite"
    _write_sqlite(path, "CREATE TABLE x (a)", "INSERT INTO x VALUES (1)")
    path.chmod(stat.S_IRUSR)
    assert _fetch(tmp_path, "sqlite:///a b #1%3F.sqlite", "SELECT a FROM x") == [(None, "1")]


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRM_DATABASE", raising=False)
    with pytest.raises(InputError, match="the environment variable CRM_DATABASE is not set"):
        _fetch(tmp_path, "$CRM_DATABASE", "SELECT 1")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("hunter2", "CRM holds no URL"),
        ("oracle8://scott:hunter2@db.example/x", "not known|driver"),
        ("postgresql://scott:hunter2@db.example:70x/x", "no URL|port"),
        ("postgresql://scott:hunter2@127.0.0.1:1/x", "no server answers"),
        ("postgres://scott:hunter2@no-such-host.invalid/x", "no server answers"),
        ("postgresql+psycopg://scott@127.0.0.1:1/x?password=hunter2", "no server answers"),
    ],
)
def test_what_goes_wrong_while_connecting_is_told_without_the_url(
    url: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM", url)
    _tells_no_secret(tmp_path, "SELECT 1", message, ("hunter2", "scott", "db.example", url))


def test_what_the_server_refuses_is_told_without_the_url(
    postgresql: Server, crm: psycopg.Connection[tuple[object, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with crm:
        crm.execute("CREATE TABLE IF NOT EXISTS closed (a int)")
        crm.execute(
            "DO $$ BEGIN CREATE ROLE guest LOGIN PASSWORD 'hunter2'; EXCEPTION WHEN duplicate_object THEN END $$"
        )
    secrets = (PASSWORD, "hunter2", "clerk", "guest", "127.0.0.1")
    for url, query, message in [
        (postgresql.url(password="wrong-hunter2"), "SELECT 1", "the user or the password is wrong"),  # noqa: S106
        (postgresql.url(user="nobody-guest"), "SELECT 1", "the user or the password is wrong"),
        (postgresql.url(database="crn"), "SELECT 1", "there is no database of that name"),
        (postgresql.url(), "SELECT * FROM dealz", 'relation "dealz" does not exist'),
        (postgresql.url(), "SELECT current_user::int", r'invalid input syntax for type integer: "\*\*\*"'),
        (postgresql.url(), "SELECT 1/0", "division by zero"),
        (postgresql.url("guest", "hunter2"), "SELECT a FROM closed", "permission denied for table closed"),
    ]:
        monkeypatch.setenv("CRM", url)
        _tells_no_secret(tmp_path, query, message, secrets)


def _tells_no_secret(folder: Path, query: str, message: str, secrets: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=message) as caught:
        _fetch(folder, "$CRM", query)
    shown = "".join(traceback.format_exception(caught.value)[-1:]) + str(caught.value)
    assert caught.value.__suppress_context__
    assert not [secret for secret in secrets if secret in shown]


def test_a_driver_that_is_missing_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", "postgresql://scott:hunter2@db.example/x")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match=r"driver psycopg is not installed; .*\[postgresql\]"):
        _fetch(tmp_path, "$CRM", "SELECT 1")


def test_the_tables_and_views_of_a_database_are_listed(
    crm: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    _write_sqlite(tmp_path / "crm.sqlite", 'CREATE TABLE "the ""x""" (a)', "CREATE VIEW v AS SELECT 1 AS a")
    assert database_tables("sqlite:///crm.sqlite", tmp_path) == [('the "x"', '"the ""x"""'), ("v", '"v"')]
    with crm:
        crm.execute("CREATE SCHEMA IF NOT EXISTS sales")
        crm.execute("CREATE TABLE IF NOT EXISTS sales.deals (a int)")
    found = database_tables("$CRM", tmp_path)
    assert ("sales_deals", '"sales"."deals"') in found
    assert not [name for name, _ in found if name.startswith(("pg_", "information_schema"))]
