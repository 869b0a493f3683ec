"""The sink of databases, on a SQLite file and a real PostgreSQL server: types, keys, locks, rights, messages."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from crm_cases import Crm
from crm_sql import FIELDS, PostgresqlCrm, SqliteCrm
from postgresql import PASSWORD, Server

from features.core.errors import DeliveryError, SettingsError
from pipeline.reading.database_url import find_url, make_engine
from pipeline.settings.push import Push, Sql
from pipeline.sinks.protocol import LaterError, Made, Outcome, Record, Remote, Sink, Value, WholeBatchError
from pipeline.sinks.sql import SqlSink
from pipeline.sinks.sql_writing import connected

Database = SqliteCrm | PostgresqlCrm


@pytest.fixture
def sqlite() -> Iterator[SqliteCrm]:
    with SqliteCrm() as crm:
        yield crm


@pytest.fixture
def server(postgresql: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresqlCrm]:
    with PostgresqlCrm(postgresql) as crm:
        monkeypatch.setenv("CRM_DATABASE", crm.environment["CRM_DATABASE"])
        yield crm


@pytest.fixture(params=["sqlite", "server"])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(request.param)
    return found


def _sink(database: Crm, fields: dict[str, str] | None = None, **changes: object) -> Sink:
    settings = {**database.settings, "sink": {**database.settings["sink"], **changes}}
    push = Push(**settings | ({} if fields is None else {"fields": fields}))
    assert isinstance(push.sink, Sql)
    return SqlSink(push.sink, push.mapping, Path("/nowhere"))


def _owner(server: PostgresqlCrm, monkeypatch: pytest.MonkeyPatch, postgresql: Server) -> None:
    """Come as the user who owns the tables."""
    monkeypatch.setenv("CRM_DATABASE", postgresql.url())
    server.environment = {"CRM_DATABASE": postgresql.url()}


def _table(database: Database, columns: str, name: str = "other") -> str:
    """Make another table, which the sink may write to, and give its name."""
    name = name if isinstance(database, SqliteCrm) else f"{database.schema}.{name}"
    database.execute(f"CREATE TABLE {name} ({columns})")
    if isinstance(database, PostgresqlCrm):
        database.execute(f"GRANT ALL ON {name} TO {database.user}")
    return name


def _write(sink: Sink, values: dict[str, dict[str, Value]], *, there: bool = True) -> dict[str, Outcome]:
    records = [Record(key, fields, key if there else None) for key, fields in values.items()]
    outcomes = list(sink.write(records))
    assert [outcome.key for outcome in outcomes] == list(values)
    return {outcome.key: outcome for outcome in outcomes}


def test_what_is_read_are_texts_numbers_and_days(database: Database) -> None:
    database.add("L1")
    database.add("L2", closed=True)
    edits: dict[str, Value] = {"tier": "MQL", "probability": 0.25, "date": "2026-06-30", "action": ""}
    for ours, value in edits.items():
        database.edit("L1", ours, value)
    nothing = dict.fromkeys(FIELDS.values())
    assert _sink(database).read(["L2", "L1", "L3"]) == {
        "L2": Remote("L2", nothing, closed=True),
        "L1": Remote("L1", nothing | {"x_tier": "MQL", "x_probability": 0.25, "x_date": "2026-06-30"}),
    }


def test_only_the_fields_of_a_record_are_touched_and_none_empties(database: Database) -> None:
    for key in ("L1", "L2", "L3"):
        database.add(key)
        database.edit(key, "reason_1", "old")
    values: dict[str, dict[str, Value]] = {
        "L1": {"x_reason": None, "x_tier": "SQL"},
        "L2": {"x_tier": "IQL"},
        "L3": {"x_reason": "é😀'"},
    }
    outcomes = _write(_sink(database), values)
    assert {outcome.status for outcome in outcomes.values()} == {"written"}
    leads = [database.lead(key) or {} for key in ("L1", "L2", "L3")]
    assert [(lead["x_tier"], lead["x_reason"], lead["owner"]) for lead in leads] == [
        ("SQL", None, "Ada"),
        ("IQL", "old", "Ada"),
        (None, "é😀'", "Ada"),
    ]


def test_values_become_what_the_columns_of_postgresql_hold(server: PostgresqlCrm) -> None:
    server.execute(f"CREATE TYPE {server.schema}.tier AS ENUM ('SQL', 'MQL', 'IQL')")
    kinds = f"tier {server.schema}.tier, p numeric(6, 4), s text, r varchar(3), day timestamptz"
    table = _table(server, f"lead_id text PRIMARY KEY, {kinds}")
    server.execute(f"INSERT INTO {table} (lead_id) VALUES ('L1')")
    fields = {"tier": "tier", "probability": "p", "score": "s", "action": "r", "date": "day"}
    sink = _sink(server, fields, table=table, closed={})
    given: dict[str, Value] = {"tier": "MQL", "p": 0.1234, "s": 12.3, "r": "now", "day": "2026-06-30"}
    assert sink.check() == []
    assert _write(sink, {"L1": given})["L1"].status == "written"
    assert sink.read(["L1"])["L1"].values == given | {"s": "12.3"}
    rejected: list[tuple[dict[str, Value], str]] = [
        ({"tier": "hot"}, 'invalid input value for enum .*"\\*\\*\\*"'),
        ({"r": "late"}, r"value too long for type character varying\(3\)"),
        ({"day": "soon"}, "invalid input syntax"),
        ({"p": 1234.5}, "numeric field overflow"),
        ({"s": "a\0b"}, "unsupported Unicode escape sequence"),
    ]
    for values, reason in rejected:
        outcome = _write(sink, {"L1": values})["L1"]
        assert outcome.status == "rejected"
        assert re.search(reason, outcome.reason or "")
    assert sink.read(["L1"])["L1"].values == given | {"s": "12.3"}


@pytest.mark.parametrize(
    ("kind", "there", "unknown"),
    [
        ("integer", ["7", "-8"], ["007", "7.0", "seven", "9" * 30, "99999999999", "", "7 "]),
        ("bigint", ["9007199254740993"], ["9007199254740992", "\u0667"]),
        ("numeric", ["7"], ["07", "NaN"]),
        ("text", ["007", "a'b", "A"], ["7", "a", "a\0b", "007 "]),
    ],
)
def test_keys_are_those_of_the_column_to_the_letter(
    kind: str, there: list[str], unknown: list[str], database: Database
) -> None:
    table = _table(database, f"lead_id {kind} PRIMARY KEY, x text")
    for key in there:
        database.execute(f"INSERT INTO {table} (lead_id) VALUES (?)", [key if kind == "text" else int(key)])
    sink = _sink(database, {"tier": "x"}, table=table, closed={}, create=True)
    assert sink.read([*unknown, *there]) == {key: Remote(key, {"x": None}) for key in there}
    assert {one.status for one in _write(sink, {key: {"x": "SQL"} for key in there}).values()} == {"written"}
    assert database.execute(f"SELECT count(*) AS n FROM {table} WHERE x = 'SQL'") == [{"n": len(there)}]
    assert sink.read(unknown) == {}
    if kind == "integer":
        outcome = _write(sink, {"seven": {"x": "SQL"}}, there=False)["seven"]
        assert (outcome.status, outcome.reason) == ("rejected", "no value of the column lead_id")


def test_keys_of_postgresql_may_be_uuids_or_padded(server: PostgresqlCrm) -> None:
    key = "6f1c1b0a-0000-4000-8000-00000000002a"
    for name, there, unknown in [("uuid", key, key.upper()), ("char(5)", "L1", "L1   ")]:
        table = _table(server, f"lead_id {name} PRIMARY KEY, x text")
        server.execute(f"INSERT INTO {table} (lead_id) VALUES (?)", [there])
        sink = _sink(server, {"tier": "x"}, table=table, closed={})
        assert sink.read([there, unknown, "none"]) == {there: Remote(there, {"x": None})}
        assert _write(sink, {there: {"x": "SQL"}})[there].status == "written"
        assert sink.read([there])[there].values == {"x": "SQL"}
        server.execute(f"DROP TABLE {table}")


def test_a_key_that_two_rows_have_is_rejected_and_the_others_are_written(database: Database) -> None:
    table = _table(database, "lead_id text, x text")
    for key in ("L1", "L2", "L2"):
        database.execute(f"INSERT INTO {table} (lead_id) VALUES (?)", [key])
    sink = _sink(database, {"tier": "x"}, table=table, closed={}, create=True)
    found = {key: (one.refused, one.closed) for key, one in sink.read(["L1", "L2"]).items()}
    assert found == {"L1": (None, False), "L2": (f"2 rows of {table} have this lead_id", False)}
    outcomes = _write(sink, {"L1": {"x": "SQL"}, "L2": {"x": "SQL"}})
    assert outcomes["L1"].status == "written"
    assert (outcomes["L2"].status, outcomes["L2"].reason) == ("rejected", f"2 rows of {table} have this lead_id")
    assert database.execute(f"SELECT lead_id FROM {table} WHERE x IS NOT NULL") == [{"lead_id": "L1"}]
    assert [f"nothing keeps {table}.lead_id unique; give it a unique index, or set another key_field"] == sink.check()


def test_what_was_closed_or_removed_since_it_was_read_is_left_alone(database: Database) -> None:
    for key in ("L1", "L2", "L3"):
        database.add(key)
    sink = _sink(database, create=True)
    assert not any(remote.closed for remote in sink.read(["L1", "L2", "L3"]).values())
    database.execute(f"UPDATE {database.table} SET stage = 'lost' WHERE lead_id = 'L1'")
    database.execute(f"DELETE FROM {database.table} WHERE lead_id = 'L2'")
    outcomes = _write(sink, {key: {"x_tier": "SQL"} for key in ("L1", "L2", "L3")})
    assert [outcome.status for outcome in outcomes.values()] == ["skipped", "skipped", "written"]
    assert [outcomes[key].reason for key in ("L1", "L2")] == ["closed", f"{database.table} has no such row"]
    assert (database.lead("L1") or {})["x_tier"] is None
    assert database.keys() == {"L1", "L3"}


def test_a_batch_is_written_as_a_whole_or_not_at_all(database: Database) -> None:
    for key in ("L1", "L2"):
        database.add(key)
    database.refuse("L2")
    sink = _sink(database)
    with pytest.raises(WholeBatchError, match="not allowed: the record is frozen"):
        _write(sink, {"L1": {"x_tier": "SQL"}, "L2": {"x_tier": "SQL"}})
    assert (database.lead("L1") or {})["x_tier"] is None
    assert _write(sink, {"L2": {"x_tier": "SQL"}})["L2"] == Outcome(
        "L2", "rejected", "not allowed: the record is frozen", "L2"
    )
    assert _write(sink, {"L1": {"x_tier": "SQL"}})["L1"].status == "written"


def test_a_trigger_that_silently_leaves_a_row_out_is_noticed(server: PostgresqlCrm) -> None:
    for key in ("L1", "L2"):
        server.add(key)
    server.execute(
        f"""CREATE FUNCTION {server.schema}.silence() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.lead_id = 'L2' THEN RETURN NULL; END IF; RETURN NEW; END $$"""
    )
    server.execute(
        f"CREATE TRIGGER s BEFORE UPDATE ON {server.table} FOR EACH ROW EXECUTE FUNCTION {server.schema}.silence()"
    )
    with pytest.raises(WholeBatchError, match="1 instead of 2 rows"):
        _write(_sink(server), {key: {"x_tier": "SQL"} for key in ("L1", "L2")})
    assert (server.lead("L1") or {})["x_tier"] is None
    assert _write(_sink(server), {"L2": {"x_tier": "SQL"}})["L2"].status == "rejected"


def test_keys_that_differ_in_case_alone_are_not_written_together(sqlite: SqliteCrm) -> None:
    table = _table(sqlite, "lead_id text COLLATE NOCASE, x text")
    sqlite.execute(f"INSERT INTO {table} (lead_id) VALUES ('a'), ('A'), ('b')")
    sink = _sink(sqlite, {"tier": "x"}, table=table, closed={})
    assert set(sink.read(["a", "B"])) == {"a"}
    assert _write(sink, {"a": {"x": "SQL"}})["a"].reason == "2 instead of 1 rows would have been written; nothing was"
    assert sqlite.execute(f"SELECT count(x) AS n FROM {table}") == [{"n": 0}]


def test_leads_are_made_only_where_that_is_asked_for(
    database: Database, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = _write(_sink(database), {"L1": {"x_tier": "SQL"}}, there=False)["L1"]
    assert outcome.status == "skipped"
    if isinstance(database, PostgresqlCrm):
        _owner(database, monkeypatch, postgresql)
    database.add("L2")
    sink = _sink(database, create=True)
    for probability in (0.25, 0.5):  # the second time they are there, though nobody has told the sink
        values: dict[str, Value] = {"x_tier": "SQL", "x_probability": probability, "x_date": "2026-06-30"}
        outcomes = _write(sink, dict.fromkeys(("L1", "L2"), values), there=False)
        assert {outcome.status for outcome in outcomes.values()} == {"written"}
        assert sink.read(["L1"])["L1"].values == dict.fromkeys(FIELDS.values()) | values
    assert database.keys() == {"L1", "L2"}
    assert (database.lead("L2") or {})["owner"] == "Ada"


def test_a_row_that_somebody_makes_at_the_same_moment_is_updated(
    server: PostgresqlCrm, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    _owner(server, monkeypatch, postgresql)
    sink = _sink(server, create=True, timeout_seconds=30)
    with psycopg.connect(postgresql.url()) as other, ThreadPoolExecutor(1) as threads:
        other.execute(f"INSERT INTO {server.table} (lead_id, owner) VALUES ('L1', 'Grace')".encode())
        writing = threads.submit(_write, sink, {"L1": {"x_tier": "SQL"}}, there=False)
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
    sink = _sink(database, timeout_seconds=0.2)
    if isinstance(database, SqliteCrm):
        with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LaterError, match="database is locked"):
                _write(sink, {"L1": {"x_tier": "SQL"}})
            assert set(sink.read(["L1"])) == {"L1"}
    else:
        with psycopg.connect(postgresql.url()) as connection:
            connection.execute(f"SELECT FROM {database.table} FOR UPDATE".encode())
            with pytest.raises(LaterError, match="timeout"):
                _write(sink, {"L1": {"x_tier": "SQL"}})
    assert _write(sink, {"L1": {"x_tier": "SQL"}})["L1"].status == "written"


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
        _write(_sink(server), {key: {"x_tier": "SQL"} for key in ("L1", "L2")})
    server.execute(f"DROP TRIGGER f ON {server.table}")
    assert _write(_sink(server), {"L1": {"x_tier": "SQL"}})["L1"].status == "written"


def test_a_connection_that_breaks_is_told_and_made_anew(server: PostgresqlCrm) -> None:
    for number in range(40):
        server.add(f"L{number}")
    sink = _sink(server, timeout_seconds=30)
    failures = 0
    for number in range(40):
        if number % 5 == 0:
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ?", [server.user])
        values: dict[str, dict[str, Value]] = {f"L{number}": {"x_probability": number / 100}}
        while True:
            try:
                assert _write(sink, values)[f"L{number}"].status == "written"
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
    sink = _sink(database, timeout_seconds=30)

    def push(first: int) -> None:
        keys = [f"L{number}" for number in range(first, first + 10)]
        assert set(sink.read(keys)) == set(keys)
        _write(sink, {key: {"x_reason": f"of {threading.get_ident()}", "x_tier": "SQL"} for key in keys})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(push, range(0, 200, 10)))
    assert database.execute(f"SELECT count(*) AS n FROM {database.table} WHERE x_tier = 'SQL'") == [{"n": 200}]


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"password": "wrong-hunter2"}, DeliveryError, "the user or the password is wrong"),
        ({"database": "crn"}, DeliveryError, "there is no database of that name"),
        ({"port": 1}, LaterError, "no server answers there within 2 seconds"),
    ],
)
def test_what_is_wrong_with_the_connection_is_told_without_secrets(
    change: dict[str, Any], kind: type[Exception], message: str, server: PostgresqlCrm, monkeypatch: pytest.MonkeyPatch,
    postgresql: Server,
) -> None:  # fmt: skip
    place = Server(change.pop("port", postgresql.port))
    monkeypatch.setenv("CRM_DATABASE", place.url(**change))
    sink = _sink(server)
    for call in (lambda: sink.read(["L1"]), lambda: _write(sink, {"L1": {"x_tier": "SQL"}}), sink.setup):
        with pytest.raises(kind, match=message) as caught:
            call()
        assert not [word for word in (PASSWORD, "hunter2", "clerk") if word in str(caught.value)]
    (problem,) = sink.check()
    assert message in problem
    assert sink.name.endswith(f":{place.port}/{change.get('database', 'crm')} {server.table}")
    assert "clerk" not in sink.name


def test_rights_that_are_lacking_are_named(server: PostgresqlCrm) -> None:
    server.add("L1")
    assert _sink(server).check() == []
    (problem,) = _sink(server, create=True).check()
    assert problem.startswith(f"{server.table}: the user lacks INSERT (")
    assert problem.endswith("permission denied for table leads); grant it")
    server.execute(f"REVOKE UPDATE (x_tier, x_date) ON {server.table} FROM {server.user}")
    (problem,) = _sink(server).check()
    assert problem.startswith(f"{server.table}: the user lacks UPDATE (x_tier), UPDATE (x_date) (")
    with pytest.raises(DeliveryError, match="permission denied for table leads"):
        _write(_sink(server), {"L1": {"x_tier": "SQL"}})
    server.exhaust()
    with pytest.raises(DeliveryError, match="permission denied for table leads"):
        _sink(server).read(["L1"])


def test_what_is_missing_is_named_with_its_remedy_before_anything_is_written(database: Database) -> None:
    database.add("L1")
    fields = {"tier": "x_tier", "probability": "x_probabilty"}
    sink = _sink(database, fields, closed={"stages": ["won"]})
    assert sink.check() == [
        f"{database.table} has no column x_probabilty; leadcast crm setup makes it",
        f"{database.table} has no column stages; did you mean 'stage'?",
    ]
    with pytest.raises(DeliveryError, match="no column x_probabilty"):
        sink.read(["L1"])
    with pytest.raises(DeliveryError, match="no column x_probabilty"):
        _write(sink, {"L1": {"x_tier": "SQL"}})
    (problem,) = _sink(database, key_field="leadid").check()
    assert problem == f"{database.table} has no column leadid; did you mean 'lead_id'?"
    gone = _sink(database, table="lead")
    assert gone.check() == [
        "there is no table lead, or this user may not see it; name another, or set create: true to have it made"
    ]
    for call in (lambda: gone.read(["L1"]), gone.setup):
        with pytest.raises(DeliveryError, match="there is no table lead"):
            call()


def test_a_column_that_goes_while_we_write_ends_the_push(database: Database) -> None:
    database.add("L1")
    sink = _sink(database)
    sink.read(["L1"])
    database.execute(f"ALTER TABLE {database.table} RENAME COLUMN x_tier TO y_tier")
    with pytest.raises(DeliveryError, match="x_tier"):
        _write(sink, {"L1": {"x_tier": "SQL"}})


def test_columns_that_do_not_fit_are_named(database: Database) -> None:
    table = _table(database, "lead_id text UNIQUE, a integer, b boolean, c date, d text")
    fields = {"probability": "a", "date": "b", "tier": "c", "score": "d"}
    assert _sink(database, fields, table=table, closed={}).check() == [
        f"{table}.a is INTEGER() and takes no fractions; give probability another column",
        f"{table}.b is BOOLEAN() and takes no dates; give date another column",
        f"{table}.c is DATE() and takes no texts; give tier another column",
    ]
    days = _table(database, "day date PRIMARY KEY, x text", "days")
    problems = _sink(database, {"tier": "x"}, table=days, key_field="day", closed={}).check()
    assert problems == [f"{days}.day is DATE() and names no leads; set another key_field"]


@pytest.mark.parametrize(
    ("columns", "index", "unique"),
    [
        ("lead_id text, x text", "", False),
        ("lead_id text UNIQUE, x text", "", True),
        ("lead_id text, x text, PRIMARY KEY (lead_id, x)", "", False),
        ("lead_id text, x text", "(lead_id)", True),
        ("lead_id text, x text", "(lead_id, x)", False),
        ("lead_id text, x text", "(lower(lead_id))", False),
        ("lead_id text, x text", "(lead_id) WHERE x IS NULL", False),
    ],
)
def test_a_key_is_unique_by_a_constraint_or_a_whole_index(
    columns: str, index: str, unique: bool, database: Database
) -> None:
    table = _table(database, columns)
    if index:
        database.execute(f"CREATE UNIQUE INDEX one ON {table} {index}")
    problems = _sink(database, {"tier": "x"}, table=table, closed={}).check()
    assert [problem for problem in problems if "unique" in problem] == problems
    assert (not problems) is unique


def test_setup_adds_what_is_missing_and_does_it_once(
    database: Database, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(database, PostgresqlCrm):
        _owner(database, monkeypatch, postgresql)
    database.add("L1")
    fields = {"tier": "x_tier", "score": "the score in %", "date": "Scored:on", "model": 'my "model"'}
    sink = _sink(database, fields)
    assert len(sink.check()) == 3
    assert sink.setup() == [Made(f"column {database.table}.{field}", field) for field in list(fields.values())[1:]]
    assert (sink.check(), sink.setup()) == ([], [])
    values: dict[str, Value] = {"x_tier": "SQL", "the score in %": 12.5, "Scored:on": "2026-06-30", 'my "model"': "7"}
    assert _write(sink, {"L1": values})["L1"].status == "written"
    assert sink.read(["L1"])["L1"].values == values


def test_setup_makes_the_table_where_leads_may_be_created(
    database: Database, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(database, PostgresqlCrm):
        _owner(database, monkeypatch, postgresql)
    table = 'Order "lines"' if isinstance(database, SqliteCrm) else f'{database.schema}.Order "lines"'
    sink = _sink(database, {"tier": "select", "probability": "p"}, table=table, closed={}, create=True)
    assert sink.check() == [f"there is no table {table}, or this user may not see it; leadcast crm setup makes it"]
    assert sink.setup() == [Made(f"table {table} with the columns lead_id, select, p", None)]
    assert (sink.check(), sink.setup()) == ([], [])
    assert _write(sink, {"L1": {"select": "SQL", "p": 0.5}}, there=False)["L1"].status == "written"
    assert sink.read(["L1"]) == {"L1": Remote("L1", {"select": "SQL", "p": 0.5})}


def test_closed_may_be_said_by_truth_and_by_numbers(database: Database) -> None:
    table = _table(database, "lead_id text PRIMARY KEY, x text, won boolean, state integer")
    rows = [("L1", True, 1), ("L2", False, 9), ("L3", False, 1), ("L4", None, None)]
    for row in rows:
        database.execute(f"INSERT INTO {table} (lead_id, won, state) VALUES (?, ?, ?)", row)
    sink = _sink(database, {"tier": "x"}, table=table, closed={"won": [True], "state": [9, "8"]})
    closed = {key: remote.closed for key, remote in sink.read([key for key, *_ in rows]).items()}
    assert closed == {"L1": True, "L2": True, "L3": False, "L4": False}


def test_days_and_texts_that_sqlite_keeps_as_it_likes_are_read(sqlite: SqliteCrm) -> None:
    table = _table(sqlite, "lead_id text PRIMARY KEY, x, day datetime, note text")
    sqlite.execute(f"INSERT INTO {table} VALUES ('L1', 7, '2026-06-30 00:00:00.000000', x'e9')")
    sqlite.execute(f"INSERT INTO {table} VALUES ('L2', 'seven', '2026-06-30 08:00:00', CAST(x'e9' AS text))")
    sink = _sink(sqlite, {"tier": "x", "date": "day", "action": "note"}, table=table, closed={})
    assert {key: remote.values for key, remote in sink.read(["L1", "L2"]).items()} == {
        "L1": {"x": 7.0, "day": "2026-06-30", "note": "\ufffd"},
        "L2": {"x": "seven", "day": "2026-06-30 08:00:00", "note": "\ufffd"},
    }


def test_a_table_of_sqlite_lies_below_the_project(sqlite: SqliteCrm) -> None:
    settings = Sql(kind="sql", database="sqlite:///crm.sqlite", table="leads")
    sink = SqlSink(settings, {"tier": "x_tier"}, sqlite.path.parent)
    assert (sink.name, sink.check(), sink.batches_at_once) == ("sql crm.sqlite leads", [], 1)


def test_a_variable_that_is_not_set_is_named(server: PostgresqlCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRM_DATABASE")
    with pytest.raises(SettingsError, match=r"push\.sink: the environment variable CRM_DATABASE is not set"):
        _sink(server)
