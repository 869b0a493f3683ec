"""The table that the sink of databases needs: rights, columns, keys, and what setup makes."""

from __future__ import annotations

import pytest
from crm_sql import Database, PostgresqlCrm, SqliteCrm, come_as_owner, make_table, sink_of, write
from postgresql import Server

from features.core.errors import DeliveryError
from pipeline.sinks.closed import LETTERS
from pipeline.sinks.protocol import Remote, Value


def test_rights_that_are_lacking_are_named(server: PostgresqlCrm) -> None:
    server.add("L1")
    assert sink_of(server).check() == []
    (problem,) = sink_of(server, create=True).check()
    assert problem.startswith(f"{server.table}: the user lacks INSERT (")
    assert problem.endswith("permission denied for table leads); grant it")
    server.execute(f"REVOKE UPDATE (x_tier, x_date) ON {server.table} FROM {server.user}")
    (problem,) = sink_of(server).check()
    assert problem.startswith(f"{server.table}: the user lacks UPDATE (x_tier), UPDATE (x_date) (")
    with pytest.raises(DeliveryError, match="permission denied for table leads"):
        write(sink_of(server), {"L1": {"x_tier": "SQL"}})
    server.exhaust()
    with pytest.raises(DeliveryError, match="permission denied for table leads"):
        sink_of(server).read(["L1"])


def test_what_is_missing_is_named_with_its_remedy_before_anything_is_written(database: Database) -> None:
    database.add("L1")
    fields = {"tier": "x_tier", "probability": "x_probabilty"}
    sink = sink_of(database, fields, closed={"stages": ["won"]})
    assert sink.check() == [
        f"{database.table} has no column x_probabilty; leadcast crm setup makes it",
        f"{database.table} has no column stages; did you mean 'stage'?",
    ]
    with pytest.raises(DeliveryError, match="no column x_probabilty"):
        sink.read(["L1"])
    with pytest.raises(DeliveryError, match="no column x_probabilty"):
        write(sink, {"L1": {"x_tier": "SQL"}})
    (problem,) = sink_of(database, key_field="leadid").check()
    assert problem == f"{database.table} has no column leadid; did you mean 'lead_id'?"
    gone = sink_of(database, table="lead")
    assert gone.check() == [
        "there is no table lead, or this user may not see it; name another, or set create: true to have it made"
    ]
    for call in (lambda: gone.read(["L1"]), gone.setup):
        with pytest.raises(DeliveryError, match="there is no table lead"):
            call()


def test_columns_that_do_not_fit_are_named(database: Database) -> None:
    table = make_table(database, "lead_id text UNIQUE, a integer, b boolean, c date, d text")
    fields = {"probability": "a", "date": "b", "tier": "c", "score": "d"}
    assert sink_of(database, fields, table=table, closed={}).check() == [
        f"{table}.a is INTEGER() and takes no fractions; give probability another column",
        f"{table}.b is BOOLEAN() and takes no dates; give date another column",
        f"{table}.c is DATE() and takes no texts; give tier another column",
    ]
    days = make_table(database, "day date PRIMARY KEY, x text", "days")
    problems = sink_of(database, {"tier": "x"}, table=days, key_field="day", closed={}).check()
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
    table = make_table(database, columns)
    if index:
        database.execute(f"CREATE UNIQUE INDEX one ON {table} {index}")
    problems = sink_of(database, {"tier": "x"}, table=table, closed={}).check()
    assert [problem for problem in problems if "unique" in problem] == problems
    assert (not problems) is unique


def test_setup_adds_what_is_missing_and_does_it_once(
    database: Database, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(database, PostgresqlCrm):
        come_as_owner(database, monkeypatch, postgresql)
    database.add("L1")
    fields = {"tier": "x_tier", "score": "the score in %", "date": "Scored:on", "model": 'my "model"'}
    sink = sink_of(database, fields)
    assert len(sink.check()) == 3
    assert sink.setup() == [f"column {database.table}.{field}" for field in list(fields.values())[1:]]
    assert (sink.check(), sink.setup()) == ([], [])
    values: dict[str, Value] = {"x_tier": "SQL", "the score in %": 12.5, "Scored:on": "2026-06-30", 'my "model"': "7"}
    assert write(sink, {"L1": values})["L1"].status == "written"
    assert sink.read(["L1"])["L1"].values == values


def test_setup_makes_the_table_where_leads_may_be_created(
    database: Database, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(database, PostgresqlCrm):
        come_as_owner(database, monkeypatch, postgresql)
    table = 'Order "lines"' if isinstance(database, SqliteCrm) else f'{database.schema}.Order "lines"'
    sink = sink_of(database, {"tier": "select", "probability": "p"}, table=table, closed={}, create=True)
    assert sink.check() == [f"there is no table {table}, or this user may not see it; leadcast crm setup makes it"]
    assert sink.setup() == [f"table {table} with the columns lead_id, select, p"]
    assert (sink.check(), sink.setup()) == ([], [])
    assert write(sink, {"L1": {"select": "SQL", "p": 0.5}}, there=False)["L1"].status == "written"
    assert sink.read(["L1"]) == {"L1": Remote("L1", {"select": "SQL", "p": 0.5})}


def test_the_lengths_of_columns_are_told_and_one_that_is_too_short_for_what_may_not_be_cut(database: Database) -> None:
    columns = "t varchar(3), m char(9), d varchar(8), p varchar(5), r varchar(40), a text, s double precision"
    table = make_table(database, f"lead_id text PRIMARY KEY, {columns}")
    fields = {
        "tier": "t",
        "maturity": "m",
        "date": "d",
        "probability": "p",
        "reason_1": "r",
        "action": "a",
        "score": "s",
    }
    sink = sink_of(database, fields, table=table, closed={})
    assert sink.sizes() == {"t": 3, "m": 9, "d": 8, "p": 5, "r": 40, "a": None}
    remedy = "make it longer, or map {} to another (push.fields)"
    assert sink.check() == [
        f"{table}.t takes 3 letters, and tier needs 12; {remedy.format('tier')}",
        f"{table}.d takes 8 letters, and date needs 10; {remedy.format('date')}",
        f"{table}.p takes 5 letters, and probability needs 6; {remedy.format('probability')}",
    ]
    assert (LETTERS["tier"], LETTERS["maturity"]) == (len("disqualified"), len("cold"))
