"""Databases that are named by a URL: how one is found, opened and explained, to read from it or to write to it.

The URL holds a password, and a driver's message may hold the URL: no message of ours shows either.
"""

from __future__ import annotations

import math
import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool, QueuePool

from features.core.errors import InputError
from pipeline.reading.raw_files import advise_file

_AS_TEXT = ("date", "interval", "json", "jsonb", "time", "timestamp", "timestamptz", "timetz")
"""PostgreSQL's types that are taken as the server writes them: Python has no infinite dates, and rounds JSON."""
_DATA_EXCEPTION = "22"
"""The class of PostgreSQL's SQLSTATEs whose messages quote a value."""
_REFUSALS = (
    (("authentication failed", "no password", "role ", "pg_hba"), "the user or the password is wrong", True),
    (("database ",), "there is no database of that name, or this user may not use it", True),
    (("too many", "connection slots"), "the server has no connection left", False),
    (("starting up", "shutting down"), "the server is starting up or shutting down", False),
)
"""What PostgreSQL refuses while connecting, by words of its message, which itself holds the user and the host; and
whether that lasts until somebody mends it."""


def find_url(label: str, database: str) -> URL:
    """Take the URL from the settings, or from the environment variable that they name."""
    variable = re.fullmatch(r"\$(?:(\w+)|\{(\w+)\})", database)
    name = variable and (variable[1] or variable[2])
    text = os.environ.get(name, "") if name else database
    if not text:
        raise InputError(
            f"{label}: the environment variable {name} is not set; put the database's URL into it, "
            "as in postgresql://user:password@host/name"
        )
    where = f"the environment variable {name}" if name else "database"
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise InputError(
            f"{label}: {where} holds no URL of a database; write it as in postgresql://user:password@host/name, "
            "with % and two hexadecimal digits for signs such as @ or / in the password"
        ) from None
    return url.set(drivername="postgresql+psycopg") if url.drivername.startswith("postgres") else url


def make_engine(
    label: str, url: URL, root: Path, *, seconds: float, writes: bool = False, connections: int = 0
) -> sa.Engine:
    """Make what connects to a database: SQLite's file lies below ``root``.

    ``seconds`` limits the connecting, and where it ``writes`` each statement, too. That many ``connections`` are kept
    open between two uses. Nothing connects yet.
    """
    system = url.drivername.partition("+")[0]
    pool: dict[str, Any] = (
        {"poolclass": QueuePool, "pool_size": connections} if connections else {"poolclass": NullPool}
    )
    try:
        if system == "sqlite":
            opening = _sqlite(label, url, root, seconds=seconds, writes=writes)
            return sa.create_engine("sqlite://", creator=opening, poolclass=NullPool)
        if system == "postgresql":
            engine = sa.create_engine(
                url.difference_update_query(["options", "connect_timeout"]),
                connect_args=_postgresql(url, seconds=seconds, writes=writes),
                **pool,
            )
            sa.event.listen(engine, "connect", _take_as_text)
            return engine if writes else engine.execution_options(postgresql_readonly=True)
        return sa.create_engine(url, **pool)
    except ModuleNotFoundError as error:
        remedy = "pip install -e '.[postgresql]'" if system == "postgresql" else f"pip install {error.name}"
        raise InputError(f"{label}: the driver {error.name} is not installed; install it: {remedy}") from None
    except NoSuchModuleError:
        raise InputError(
            f"{label}: the URL names the system {url.drivername!r}, which is not known; use postgresql or sqlite"
        ) from None
    except (ArgumentError, ValueError, TypeError):
        raise InputError(f"{label}: the URL can't be used; check its port and its options") from None


def _sqlite(label: str, url: URL, root: Path, *, seconds: float, writes: bool) -> Callable[[], sqlite3.Connection]:
    """Give what opens a SQLite file: SQLite itself would make the file that is not there."""
    name = url.database or ""
    path = root / name
    if not name or name == ":memory:":
        raise InputError(f"{label}: the URL names no file; write it as in sqlite:///crm.sqlite")
    if not path.is_file():
        advice = "an empty file of that name will do: make it" if writes else advise_file(name, root)
        raise InputError(f"{label}: no database {name!r} in {root}; {advice}")

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode={'rw' if writes else 'ro'}",
            uri=True,
            timeout=seconds,
            # Who writes says where a transaction begins.
            isolation_level=None if writes else "DEFERRED",
            check_same_thread=False,
        )
        if not writes:
            connection.execute("PRAGMA query_only = on")
        # What is not UTF-8 stays bytes, and costs its row alone.
        connection.text_factory = decode
        return connection

    return connect


def _postgresql(url: URL, *, seconds: float, writes: bool) -> dict[str, Any]:
    """Give the arguments of a connection."""
    given = url.query.get("options", "")
    options = [given if isinstance(given, str) else " ".join(given), "-c datestyle=ISO", "-c timezone=UTC"]
    whole, milliseconds = max(2, math.ceil(seconds)), math.ceil(1000 * seconds)
    arguments: dict[str, Any] = {"connect_timeout": whole}
    if writes:
        options += [f"-c statement_timeout={milliseconds}", f"-c lock_timeout={milliseconds}"]
        # A server that has vanished from the network says nothing, not even that the time is up.
        arguments |= {"tcp_user_timeout": milliseconds, "keepalives_idle": whole, "keepalives_interval": whole}
    else:
        options.append("-c default_transaction_read_only=on")
    return arguments | {"options": " ".join(filter(None, options))}


def _take_as_text(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver that may not be installed
    from psycopg.types.string import TextLoader  # noqa: PLC0415 - likewise

    for name in _AS_TEXT:
        connection.adapters.register_loader(name, TextLoader)


def refusal(url: URL, message: str, seconds: float) -> tuple[str, bool]:
    """Tell in our own words why there is no connection, and whether that lasts until somebody mends it."""
    if url.get_backend_name() == "sqlite":
        return "the file can't be opened", True
    _, fatal, told = message.partition("FATAL:")
    if not fatal and "no password" not in message:
        return f"no server answers there within {seconds:g} seconds", False
    found = [(reason, lasts) for words, reason, lasts in _REFUSALS if any(word in (told or message) for word in words)]
    return found[0] if found else ("the server refuses", True)


def tell(error: BaseException, url: URL, shown: str) -> str:
    """Give the first line of a driver's message without what is secret, or what may be a row's.

    What is ``shown`` in the settings anyway is no secret.
    """
    diagnosis = getattr(getattr(error, "diag", None), "message_primary", None)
    reason = str(diagnosis or error).strip().partition("\n")[0]
    if str(getattr(error, "sqlstate", None) or "").startswith(_DATA_EXCEPTION):
        reason = re.sub(r'"[^"]*"', '"***"', reason)
    values = [text for value in url.query.values() for text in ([value] if isinstance(value, str) else value)]
    for secret in filter(None, [str(url.password or ""), url.username, url.host, *values]):
        if secret not in shown:
            reason = reason.replace(secret, "***")
    return reason


def decode(data: bytes) -> str | bytes:
    """Give the text that bytes are in UTF-8, or the bytes where they are none."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data
