"""The sink of databases with others at work: locks, failures of the server, connections that break, wrong URLs."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from crm_servers import PATIENT
from crm_sql import Database, PostgresqlCrm, SqliteCrm, come_as_owner, sink_of, write
from postgresql import PASSWORD, Server

from features.core.errors import DeliveryError, SettingsError
from pipeline.reading.database_url import find_url, make_engine
from pipeline.sinks.protocol import LaterError, Value, WholeBatchError
from pipeline.sinks.sql_writing import connected


def test_a_row_that_somebody_makes_at_the_same_moment_is_updated(
    server: PostgresqlCrm, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    come_as_owner(server, monkeypatch, postgresql)
    sink = sink_of(server, create=True, timeout_seconds=30)
    with psycopg.connect(postgresql.url()) as other, ThreadPoolExecutor(1) as threads:
        other.execute(f"INSERT INTO {server.table} (lead_id, owner) VALUES ('L1', 'Grace')".encode())
        writing = threads.submit(write, sink, {"L1": {"x_tier": "SQL"}}, there=False)
        _wait_for_blocked(server)
        other.commit()
        assert writing.result()["L1"].status == "written"
    lead = server.lead("L1") or {}
    assert (lead["owner"], lead["x_tier"]) == ("Grace", "SQL")


def _wait_for_blocked(server: PostgresqlCrm) -> None:
    for _ in range(1000):
        if server.execute("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            return
        time.sleep(0.01)
    pytest.fail("nobody waits for a lock")


def test_a_lock_of_somebody_else_is_waited_for_and_then_told(database: Database, postgresql: Server) -> None:
    database.add("L1")
    sink = sink_of(database, timeout_seconds=0.2)
    if isinstance(database, SqliteCrm):
        with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LaterError, match="database is locked"):
                write(sink, {"L1": {"x_tier": "SQL"}})
            assert set(sink.read(["L1"])) == {"L1"}
    else:
        with psycopg.connect(postgresql.url()) as connection:
            connection.execute(f"SELECT FROM {database.table} FOR UPDATE".encode())
            with pytest.raises(LaterError, match="timeout"):
                write(sink, {"L1": {"x_tier": "SQL"}})
    assert write(sink, {"L1": {"x_tier": "SQL"}})["L1"].status == "written"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("40P01", LaterError),  # a deadlock
        ("40001", LaterError),  # a failed serialization
        ("53100", LaterError),  # a full disk
        ("57014", LaterError),  # a statement that is stopped
        ("23514", WholeBatchError),
        ("P0001", WholeBatchError),
        ("42501", DeliveryError),
        ("XX000", DeliveryError),
    ],
)
def test_what_postgresql_reports_is_told_apart_by_its_state(
    state: str, kind: type[Exception], server: PostgresqlCrm
) -> None:
    for key in ("L1", "L2"):
        server.add(key)
    server.execute(
        f"""CREATE FUNCTION {server.schema}.fail() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'so it is' USING ERRCODE = '{state}'; END $$"""
    )
    server.execute(f"CREATE TRIGGER f BEFORE UPDATE ON {server.table} EXECUTE FUNCTION {server.schema}.fail()")
    with pytest.raises(kind, match="so it is"):
        write(sink_of(server), {key: {"x_tier": "SQL"} for key in ("L1", "L2")})
    server.execute(f"DROP TRIGGER f ON {server.table}")
    assert write(sink_of(server), {"L1": {"x_tier": "SQL"}})["L1"].status == "written"


def test_a_connection_that_breaks_is_told_and_made_anew(server: PostgresqlCrm) -> None:
    for number in range(40):
        server.add(f"L{number}")
    sink = sink_of(server, timeout_seconds=30)
    failures = 0
    for number in range(40):
        if number % 5 == 0:
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ?", [server.user])
        values: dict[str, dict[str, Value]] = {f"L{number}": {"x_probability": number / 100}}
        while True:
            try:
                assert write(sink, values)[f"L{number}"].status == "written"
                break
            except LaterError:
                failures += 1
    assert failures > 0
    assert [(server.lead(f"L{number}") or {})["x_probability"] for number in range(40)] == [n / 100 for n in range(40)]


def test_a_connection_that_breaks_as_it_is_given_back_is_told(server: PostgresqlCrm) -> None:
    url = find_url("x", "$CRM_DATABASE")
    engine = make_engine("x", url, Path(), seconds=5, writes=True, connections=1)

    def ask_and_break() -> None:
        with connected(engine, url, 5) as connection:
            connection.execute(sa.text("SELECT 1"))
            server.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = ?", [server.user]
            )

    with pytest.raises(LaterError, match="terminating connection"):
        ask_and_break()
    with connected(engine, url, 5) as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar() == 1
    engine.dispose()


def test_many_threads_share_the_connections(database: Database) -> None:
    for number in range(200):
        database.add(f"L{number}")
    sink = sink_of(database, timeout_seconds=30)

    def push(first: int) -> None:
        keys = [f"L{number}" for number in range(first, first + 10)]
        assert set(sink.read(keys)) == set(keys)
        write(sink, {key: {"x_reason": f"of {threading.get_ident()}", "x_tier": "SQL"} for key in keys})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(push, range(0, 200, 10)))
    assert database.execute(f"SELECT count(*) AS n FROM {database.table} WHERE x_tier = 'SQL'") == [{"n": 200}]


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"password": "wrong-hunter2"}, DeliveryError, "the user or the password is wrong"),
        ({"database": "crn"}, DeliveryError, "there is no database of that name"),
        ({"port": 1}, LaterError, f"no server answers there within {PATIENT} seconds"),
    ],
)
def test_what_is_wrong_with_the_connection_is_told_without_secrets(
    change: dict[str, Any], kind: type[Exception], message: str, server: PostgresqlCrm, monkeypatch: pytest.MonkeyPatch,
    postgresql: Server,
) -> None:  # fmt: skip
    place = Server(change.pop("port", postgresql.port))
    monkeypatch.setenv("CRM_DATABASE", place.url(**change))
    sink = sink_of(server)
    for call in (lambda: sink.read(["L1"]), lambda: write(sink, {"L1": {"x_tier": "SQL"}}), sink.setup):
        with pytest.raises(kind, match=message) as caught:
            call()
        assert not [word for word in (PASSWORD, "hunter2", "clerk") if word in str(caught.value)]
    (problem,) = sink.check()
    assert message in problem
    assert sink.name.endswith(f":{place.port}/{change.get('database', 'crm')} {server.table}")
    assert "clerk" not in sink.name


def test_a_variable_that_is_not_set_is_named(server: PostgresqlCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRM_DATABASE")
    with pytest.raises(SettingsError, match=r"push\.sink: the environment variable CRM_DATABASE is not set"):
        sink_of(server)
