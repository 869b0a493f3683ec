"""What a database refuses, told apart by what is to be done next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from features.errors import DeliveryError
from pipeline.database_url import refusal, tell
from pipeline.sinks.protocol import LaterError
from pipeline.sinks.secrets import redact

_REFUSED = ("22", "23", "44", "P0")
"""Classes of SQLSTATEs: values that do not fit, or break a constraint or a view's condition; a trigger's refusal."""
_LATER = ("08", "40", "53", "55", "57")
"""Likewise: no connection, deadlocks, too few resources, locks, and a server or person that stops what runs."""
_LATER_IN_SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL", "SQLITE_INTERRUPT")


class RefusedError(DeliveryError):
    """The values were refused, and nothing of the transaction is kept."""


@contextmanager
def connected(engine: sa.Engine, url: URL, seconds: float) -> Iterator[sa.Connection]:
    """Connect, and roll back what is not committed.

    Raises LaterError where a repetition may do, RefusedError where values are refused, and DeliveryError else.
    """
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        reason, lasts = refusal(url, str(getattr(error, "orig", "")), seconds)
        if lasts:
            raise DeliveryError(f"can't connect to the database: {reason}; check its URL") from None
        raise LaterError(reason) from None
    try:
        with connection:  # whose end, too, asks the server
            yield connection
    except DBAPIError as error:
        raise _judge(error, url) from None


def _judge(error: DBAPIError, url: URL) -> Exception:
    """Say by the driver's own class and code what is to be done."""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    code = str(getattr(error.orig, "sqlite_errorname", None) or "")
    told = redact(tell(error.orig or error, url, ""))
    if isinstance(error, (IntegrityError, DataError)) or state.startswith(_REFUSED):
        return RefusedError(told)
    unnamed = not state and not code and isinstance(error, OperationalError)
    if error.connection_invalidated or state.startswith(_LATER) or code.startswith(_LATER_IN_SQLITE) or unnamed:
        return LaterError(told)
    return DeliveryError(f"the database refuses what we ask: {told}")
