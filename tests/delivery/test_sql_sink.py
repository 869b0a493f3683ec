"""The sink of databases, on a SQLite file and a real PostgreSQL server: values, keys, and what is written."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from crm_sql import FIELDS, Database, PostgresqlCrm, SqliteCrm, come_as_owner, make_table, sink_of, write
from postgresql import Server

from features.core.errors import DeliveryError
from pipeline.settings.push import Sql
from pipeline.sinks.protocol import Outcome, Remote, Value, WholeBatchError
from pipeline.sinks.sql import SqlSink


def test_what_is_read_are_texts_numbers_and_days(database: Database) -> None:
    database.add("L1")
    database.add("L2", closed=True)
    edits: dict[str, Value] = {"tier": "MQL", "probability": 0.25, "date": "2026-06-30", "action": ""}
    for ours, value in edits.items():
        database.edit("L1", ours, value)
    nothing = dict.fromkeys(FIELDS.values())
    assert sink_of(database).read(["L2", "L1", "L3"]) == {
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
    outcomes = write(sink_of(database), values)
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
    table = make_table(server, f"lead_id text PRIMARY KEY, {kinds}")
    server.execute(f"INSERT INTO {table} (lead_id) VALUES ('L1')")
    fields = {"tier": "tier", "probability": "p", "score": "s", "action": "r", "date": "day"}
    sink = sink_of(server, fields, table=table, closed={})
    given: dict[str, Value] = {"tier": "MQL", "p": 0.1234, "s": 12.3, "r": "now", "day": "2026-06-30"}
    assert sink.check() == []
    assert write(sink, {"L1": given})["L1"].status == "written"
    assert sink.read(["L1"])["L1"].values == given | {"s": "12.3"}
    rejected: list[tuple[dict[str, Value], str]] = [
        ({"tier": "hot"}, 'invalid input value for enum .*"\\*\\*\\*"'),
        ({"r": "late"}, r"value too long for type character varying\(3\)"),
        ({"day": "soon"}, "invalid input syntax"),
        ({"p": 1234.5}, "numeric field overflow"),
        ({"s": "a\0b"}, "unsupported Unicode escape sequence"),
    ]
    for values, reason in rejected:
        outcome = write(sink, {"L1": values})["L1"]
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
    table = make_table(database, f"lead_id {kind} PRIMARY KEY, x text")
    for key in there:
        database.execute(f"INSERT INTO {table} (lead_id) VALUES (?)", [key if kind == "text" else int(key)])
    sink = sink_of(database, {"tier": "x"}, table=table, closed={}, create=True)
    assert sink.read([*unknown, *there]) == {key: Remote(key, {"x": None}) for key in there}
    assert {one.status for one in write(sink, {key: {"x": "SQL"} for key in there}).values()} == {"written"}
    assert database.execute(f"SELECT count(*) AS n FROM {table} WHERE x = 'SQL'") == [{"n": len(there)}]
    assert sink.read(unknown) == {}
    if kind == "integer":
        outcome = write(sink, {"seven": {"x": "SQL"}}, there=False)["seven"]
        assert (outcome.status, outcome.reason) == ("rejected", "no value of the column lead_id")


def test_keys_of_postgresql_may_be_uuids_or_padded(server: PostgresqlCrm) -> None:
    key = "6f1c1b0a-0000-4000-8000-00000000002a"
    for name, there, unknown in [("uuid", key, key.upper()), ("char(5)", "L1", "L1   ")]:
        table = make_table(server, f"lead_id {name} PRIMARY KEY, x text")
        server.execute(f"INSERT INTO {table} (lead_id) VALUES (?)", [there])
        sink = sink_of(server, {"tier": "x"}, table=table, closed={})
        assert sink.read([there, unknown, "none"]) == {there: Remote(there, {"x": None})}
        assert write(sink, {there: {"x": "SQL"}})[there].status == "written"
        assert sink.read([there])[there].values == {"x": "SQL"}
        server.execute(f"DROP TABLE {table}")


def test_a_key_that_two_rows_have_is_rejected_and_the_others_are_written(database: Database) -> None:
    table = make_table(database, "lead_id text, x text")
    for key in ("L1", "L2", "L2"):
        database.execute(f"INSERT INTO {table} (lead_id) VALUES (?)", [key])
    sink = sink_of(database, {"tier": "x"}, table=table, closed={}, create=True)
    found = {key: (one.refused, one.closed) for key, one in sink.read(["L1", "L2"]).items()}
    assert found == {"L1": (None, False), "L2": (f"2 rows of {table} have this lead_id", False)}
    outcomes = write(sink, {"L1": {"x": "SQL"}, "L2": {"x": "SQL"}})
    assert outcomes["L1"].status == "written"
    assert (outcomes["L2"].status, outcomes["L2"].reason) == ("rejected", f"2 rows of {table} have this lead_id")
    assert database.execute(f"SELECT lead_id FROM {table} WHERE x IS NOT NULL") == [{"lead_id": "L1"}]
    assert [f"nothing keeps {table}.lead_id unique; give it a unique index, or set another key_field"] == sink.check()


def test_what_was_closed_or_removed_since_it_was_read_is_left_alone(database: Database) -> None:
    for key in ("L1", "L2", "L3"):
        database.add(key)
    sink = sink_of(database, create=True)
    assert not any(remote.closed for remote in sink.read(["L1", "L2", "L3"]).values())
    database.execute(f"UPDATE {database.table} SET stage = 'lost' WHERE lead_id = 'L1'")
    database.execute(f"DELETE FROM {database.table} WHERE lead_id = 'L2'")
    outcomes = write(sink, {key: {"x_tier": "SQL"} for key in ("L1", "L2", "L3")})
    assert [outcome.status for outcome in outcomes.values()] == ["skipped", "skipped", "written"]
    assert [outcomes[key].reason for key in ("L1", "L2")] == ["closed", f"{database.table} has no such row"]
    assert (database.lead("L1") or {})["x_tier"] is None
    assert database.keys() == {"L1", "L3"}


def test_a_batch_is_written_as_a_whole_or_not_at_all(database: Database) -> None:
    for key in ("L1", "L2"):
        database.add(key)
    database.refuse("L2")
    sink = sink_of(database)
    with pytest.raises(WholeBatchError, match="not allowed: the record is frozen"):
        write(sink, {"L1": {"x_tier": "SQL"}, "L2": {"x_tier": "SQL"}})
    assert (database.lead("L1") or {})["x_tier"] is None
    assert write(sink, {"L2": {"x_tier": "SQL"}})["L2"] == Outcome(
        "L2", "rejected", "not allowed: the record is frozen", "L2"
    )
    assert write(sink, {"L1": {"x_tier": "SQL"}})["L1"].status == "written"


@pytest.fixture
def few_values() -> Iterator[None]:
    """SQLite as it was built for long: a statement takes 999 values."""

    def limit(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)

    sa.event.listen(sa.Pool, "connect", limit)
    yield
    sa.event.remove(sa.Pool, "connect", limit)


@pytest.mark.usefixtures("few_values")
def test_a_batch_may_be_larger_than_what_a_statement_takes(database: Database) -> None:
    keys = [f"L{number}" for number in range(2_500)]
    table = make_table(database, "lead_id text PRIMARY KEY, x text")
    database.execute(f"INSERT INTO {table} (lead_id) VALUES " + ", ".join(f"('{key}')" for key in keys))
    sink = sink_of(database, {"tier": "x"}, table=table, closed={}, batch_size=2_500, timeout_seconds=30)
    assert (sink.batch_size, list(sink.read(keys))) == (2_500, keys)
    assert {one.status for one in write(sink, {key: {"x": "SQL"} for key in keys}).values()} == {"written"}
    assert database.execute(f"SELECT count(*) AS n FROM {table} WHERE x = 'SQL'") == [{"n": 2_500}]


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
        write(sink_of(server), {key: {"x_tier": "SQL"} for key in ("L1", "L2")})
    assert (server.lead("L1") or {})["x_tier"] is None
    assert write(sink_of(server), {"L2": {"x_tier": "SQL"}})["L2"].status == "rejected"


def test_keys_that_differ_in_case_alone_are_not_written_together(sqlite: SqliteCrm) -> None:
    table = make_table(sqlite, "lead_id text COLLATE NOCASE, x text")
    sqlite.execute(f"INSERT INTO {table} (lead_id) VALUES ('a'), ('A'), ('b')")
    sink = sink_of(sqlite, {"tier": "x"}, table=table, closed={})
    assert set(sink.read(["a", "B"])) == {"a"}
    assert write(sink, {"a": {"x": "SQL"}})["a"].reason == "2 instead of 1 rows would have been written; nothing was"
    assert sqlite.execute(f"SELECT count(x) AS n FROM {table}") == [{"n": 0}]


def test_keys_that_differ_in_case_alone_are_two_in_a_large_batch_too(sqlite: SqliteCrm) -> None:
    table = make_table(sqlite, "lead_id text COLLATE NOCASE, x text")
    sqlite.execute(f"INSERT INTO {table} (lead_id) VALUES ('a'), ('A')")
    sink = sink_of(sqlite, {"tier": "x"}, table=table, closed={}, batch_size=3_000)
    found = sink.read(["a", *(f"none {number}" for number in range(2_000)), "A"])
    assert {key: one.refused for key, one in found.items()} == {"a": None, "A": None}


def test_leads_are_made_only_where_that_is_asked_for(
    database: Database, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = write(sink_of(database), {"L1": {"x_tier": "SQL"}}, there=False)["L1"]
    assert outcome.status == "skipped"
    if isinstance(database, PostgresqlCrm):
        come_as_owner(database, monkeypatch, postgresql)
    database.add("L2")
    sink = sink_of(database, create=True)
    for probability in (0.25, 0.5):  # the second time they are there, though nobody has told the sink
        values: dict[str, Value] = {"x_tier": "SQL", "x_probability": probability, "x_date": "2026-06-30"}
        outcomes = write(sink, dict.fromkeys(("L1", "L2"), values), there=False)
        assert {outcome.status for outcome in outcomes.values()} == {"written"}
        assert sink.read(["L1"])["L1"].values == dict.fromkeys(FIELDS.values()) | values
    assert database.keys() == {"L1", "L2"}
    assert (database.lead("L2") or {})["owner"] == "Ada"


def test_a_column_that_goes_while_we_write_ends_the_push(database: Database) -> None:
    database.add("L1")
    sink = sink_of(database)
    sink.read(["L1"])
    database.execute(f"ALTER TABLE {database.table} RENAME COLUMN x_tier TO y_tier")
    with pytest.raises(DeliveryError, match="x_tier"):
        write(sink, {"L1": {"x_tier": "SQL"}})


def test_closed_may_be_said_by_truth_and_by_numbers(database: Database) -> None:
    table = make_table(database, "lead_id text PRIMARY KEY, x text, won boolean, state integer")
    rows = [("L1", True, 1), ("L2", False, 9), ("L3", False, 1), ("L4", None, None)]
    for row in rows:
        database.execute(f"INSERT INTO {table} (lead_id, won, state) VALUES (?, ?, ?)", row)
    sink = sink_of(database, {"tier": "x"}, table=table, closed={"won": [True], "state": [9, "8"]})
    closed = {key: remote.closed for key, remote in sink.read([key for key, *_ in rows]).items()}
    assert closed == {"L1": True, "L2": True, "L3": False, "L4": False}


def test_days_and_texts_that_sqlite_keeps_as_it_likes_are_read(sqlite: SqliteCrm) -> None:
    table = make_table(sqlite, "lead_id text PRIMARY KEY, x, day datetime, note text")
    sqlite.execute(f"INSERT INTO {table} VALUES ('L1', 7, '2026-06-30 00:00:00.000000', x'e9')")
    sqlite.execute(f"INSERT INTO {table} VALUES ('L2', 'seven', '2026-06-30 08:00:00', CAST(x'e9' AS text))")
    sink = sink_of(sqlite, {"tier": "x", "date": "day", "action": "note"}, table=table, closed={})
    assert {key: remote.values for key, remote in sink.read(["L1", "L2"]).items()} == {
        "L1": {"x": 7.0, "day": "2026-06-30", "note": "\ufffd"},
        "L2": {"x": "seven", "day": "2026-06-30 08:00:00", "note": "\ufffd"},
    }


def test_a_table_of_sqlite_lies_below_the_project(sqlite: SqliteCrm) -> None:
    settings = Sql(kind="sql", database="sqlite:///crm.sqlite", table="leads")
    sink = SqlSink(settings, {"tier": "x_tier"}, sqlite.path.parent)
    assert (sink.name, sink.check(), sink.batches_at_once) == ("sql crm.sqlite leads", [], 1)
