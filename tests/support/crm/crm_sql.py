"""Databases under test: a table of leads in a SQLite file and on a real PostgreSQL server."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import psycopg
import pytest
from crm_cases import Crm
from crm_servers import PATIENT, Faults
from postgresql import Server
from psycopg.rows import dict_row

from pipeline.settings.push import Push, Sql
from pipeline.sinks.protocol import Outcome, Record, Sink, Value
from pipeline.sinks.sql import SqlSink

FIELDS = {
    "tier": "x_tier",
    "probability": "x_probability",
    "reason_1": "x_reason",
    "reason_2": "x_reason_2",
    "action": "x_action",
    "date": "x_date",
}
_COLUMNS = """lead_id text PRIMARY KEY, stage text, owner text, x_tier text, x_probability double precision,
    x_reason text, x_reason_2 text, x_action text, x_date date"""
_schemas = itertools.count(1)


class _Database:
    """What the two share; statements are written as SQLite takes them."""

    has_calls = False
    calls = 0

    def __init__(self, database: str) -> None:
        self.table = "leads"
        self.refused = "refused"
        self.faults = Faults()
        self.environment: dict[str, str] = {}
        self.settings: dict[str, Any] = {
            "sink": {
                "kind": "sql",
                "database": database,
                "table": "leads",
                "closed": {"stage": ["won", "lost"]},
                "timeout_seconds": PATIENT,
            },
            "fields": dict(FIELDS),
        }

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run a statement as somebody else would, and give its rows."""
        raise NotImplementedError

    def sync(self) -> None:
        """Do nothing: what is written is there."""

    def add(self, key: str, *, closed: bool = False) -> None:
        """Make a lead, with nothing in our fields."""
        statement = f"INSERT INTO {self.table} (lead_id, stage, owner) VALUES (?, ?, 'Ada')"
        self.execute(statement, [key, "won" if closed else "new"])

    def lead(self, key: str) -> dict[str, Any] | None:
        """Give a row; dates as texts."""
        rows = self.execute(f"SELECT * FROM {self.table} WHERE lead_id = ?", [key])
        return (
            {name: str(value) if isinstance(value, date) else value for name, value in rows[0].items()}
            if rows
            else None
        )

    def keys(self) -> set[str]:
        """List the leads."""
        return {row["lead_id"] for row in self.execute(f"SELECT lead_id FROM {self.table}")}

    def edit(self, key: str, ours: str, value: str | float | None) -> None:
        """Change a field of ours."""
        field = self.settings["fields"][ours]
        self.execute(f"UPDATE {self.table} SET {field} = ? WHERE lead_id = ?", [value, key])

    def refuse(self, key: str, *, refused: bool = True) -> None:
        """Have a trigger refuse what is written to a lead."""
        self.execute(f"DELETE FROM {self.refused} WHERE lead_id = ?", [key])
        if refused:
            self.execute(f"INSERT INTO {self.refused} VALUES (?)", [key])


class SqliteCrm(_Database):
    """A SQLite file."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="crm-")
        self.path = Path(self._folder.name) / "crm.sqlite"
        super().__init__(f"sqlite:///{self.path}")

    def __enter__(self) -> Self:
        self.execute(f"CREATE TABLE leads ({_COLUMNS})")
        self.execute("CREATE TABLE refused (lead_id text)")
        for act in ("UPDATE", "INSERT"):
            self.execute(
                f"CREATE TRIGGER refuse_{act} BEFORE {act} ON leads WHEN NEW.lead_id IN (SELECT lead_id FROM refused) "
                "BEGIN SELECT RAISE(ABORT, 'not allowed: the record is frozen'); END"
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run a statement as somebody else would, and give its rows."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, values)]

    def exhaust(self) -> None:
        """Refuse every call: a file has no quota, but its table may be gone."""
        self.execute("ALTER TABLE leads RENAME TO elsewhere")
        self.table = "elsewhere"


class PostgresqlCrm(_Database):
    """A schema of its own on a server that runs; the sink comes as a user who may write our fields and no others."""

    def __init__(self, server: Server) -> None:
        super().__init__("$CRM_DATABASE")
        self._server = server
        self.schema = f"crm_{next(_schemas)}"
        self.user, self.password = f"pusher_{self.schema}", "0pen-Pusher"
        self.environment = {"CRM_DATABASE": server.url(self.user, self.password)}
        self.table, self.refused = f"{self.schema}.leads", f"{self.schema}.refused"
        self.settings["sink"]["table"] = self.table

    def __enter__(self) -> Self:
        self._connection = psycopg.connect(self._server.url(), autocommit=True, row_factory=dict_row)
        self._run(
            f"CREATE SCHEMA {self.schema}",
            f"CREATE TABLE {self.table} ({_COLUMNS})",
            f"CREATE TABLE {self.refused} (lead_id text)",
            f"""CREATE FUNCTION {self.schema}.refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
                IF EXISTS (SELECT FROM {self.refused} WHERE lead_id = NEW.lead_id)
                THEN RAISE EXCEPTION 'not allowed: the record is frozen'; END IF; RETURN NEW; END $$""",
            f"""CREATE TRIGGER refuse BEFORE UPDATE OR INSERT ON {self.table}
                FOR EACH ROW EXECUTE FUNCTION {self.schema}.refuse()""",
            f"CREATE ROLE {self.user} LOGIN PASSWORD '{self.password}'",
            f"GRANT USAGE ON SCHEMA {self.schema} TO {self.user}",
            f"GRANT SELECT, UPDATE ({', '.join(FIELDS.values())}) ON {self.table} TO {self.user}",
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{self.user}'",
            f"DROP SCHEMA {self.schema} CASCADE",
            f"DROP ROLE {self.user}",
        )
        self._connection.close()

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run a statement as somebody else would, and give its rows."""
        cursor = self._connection.execute(statement.replace("?", "%s").encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def _run(self, *statements: str) -> None:
        for statement in statements:
            self._connection.execute(statement.encode())

    def exhaust(self) -> None:
        """Refuse every call: a server has no quota, but it may take our rights away."""
        self._run(f"REVOKE ALL ON {self.table} FROM {self.user}")


Database = SqliteCrm | PostgresqlCrm


def sink_of(database: Crm, fields: dict[str, str] | None = None, **changes: object) -> Sink:
    """Give the sink of a database, with other settings where they are given."""
    settings = {**database.settings, "sink": {**database.settings["sink"], **changes}}
    push = Push(**settings | ({} if fields is None else {"fields": fields}))
    assert isinstance(push.sink, Sql)
    return SqlSink(push.sink, push.mapping, Path("/nowhere"))


def come_as_owner(server: PostgresqlCrm, monkeypatch: pytest.MonkeyPatch, postgresql: Server) -> None:
    """Come as the user who owns the tables."""
    monkeypatch.setenv("CRM_DATABASE", postgresql.url())
    server.environment = {"CRM_DATABASE": postgresql.url()}


def make_table(database: Database, columns: str, name: str = "other") -> str:
    """Make another table, which the sink may write to, and give its name."""
    name = name if isinstance(database, SqliteCrm) else f"{database.schema}.{name}"
    database.execute(f"CREATE TABLE {name} ({columns})")
    if isinstance(database, PostgresqlCrm):
        database.execute(f"GRANT ALL ON {name} TO {database.user}")
    return name


def write(sink: Sink, values: dict[str, dict[str, Value]], *, there: bool = True) -> dict[str, Outcome]:
    """Write values, and give what came of them."""
    records = [Record(key, fields, key if there else None) for key, fields in values.items()]
    outcomes = list(sink.write(records))
    assert [outcome.key for outcome in outcomes] == list(values)
    return {outcome.key: outcome for outcome in outcomes}
