"""Calls to Odoo's methods, by JSON-RPC or, from 19 on, JSON-2: the same names and arguments for both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from itertools import count
from json import JSONDecodeError
from threading import Lock
from typing import Any, Literal, NamedTuple

import httpx

from features.core.errors import DeliveryError, SettingsError
from pipeline.settings.push import Odoo
from pipeline.sinks.calls import Caller, quote
from pipeline.sinks.protocol import LaterError, WholeBatchError
from pipeline.sinks.secrets import key_of_header, redact, secret

_REFUSED = ("AccessDenied", "AccessError", "SessionExpired", "NotFound")
_LATER = (
    "SerializationFailure", "LockNotAvailable", "DeadlockDetected", "ConcurrencyError", "TransactionRollback",
    "OperationalError",
)  # fmt: skip
"""What transactions that meet in PostgreSQL end in, and a connection to it that breaks."""
_NO_DATABASE = "does not exist"


class OdooClient:
    """A database of Odoo, seen by the scoring user."""

    def __init__(self, settings: Odoo, connections: int) -> None:
        self._settings = settings
        self._is_rpc = settings.interface == "jsonrpc"
        take = secret if self._is_rpc else key_of_header
        self._key = take(settings.key, "the API key of Odoo's scoring user")
        if self._is_rpc and not settings.user:
            raise SettingsError("push.sink: user is missing: the login of Odoo's scoring user")
        headers = {"X-Odoo-Database": settings.database, "Authorization": f"bearer {self._key}"}
        self._caller = Caller(settings.url, {} if self._is_rpc else headers, settings.timeout_seconds, connections)
        self._numbers, self._lock = count(1), Lock()

    @property
    def calls(self) -> int:
        """How many calls have been made so far."""
        return self._caller.calls

    def call(self, model: str, method: str, **named: Any) -> Any:  # noqa: ANN401 - whatever a method takes and gives
        """Call a method of a model.

        Raises LaterError where transactions met, DeliveryError where we are refused, and WholeBatchError where what was
        asked is.
        """
        if self._is_rpc:
            with self._lock:
                user = self._user
            # Before 19, Odoo looks for these two in their place and not by their name.
            first = [named.pop(name) for name in ("ids", "vals_list") if name in named]
            arguments = [self._settings.database, user, self._key, model, method, first, named]
            return self._rpc("object", "execute_kw", arguments)
        response = self._caller.send("POST", f"/json/2/{model}/{method}", json=named)
        content = _content(response)
        if response.status_code == HTTPStatus.OK:
            return content
        told = content if isinstance(content, dict) else {}
        raise _judged(str(told.get("name", "")), str(told.get("message", quote(response.status_code, response.text))))

    @cached_property
    def _user(self) -> int:
        user = self._rpc("common", "authenticate", [self._settings.database, self._settings.user, self._key, {}])
        if not user:
            raise DeliveryError(
                "Odoo refuses the user or the API key; check push.sink.user and the variable of the key"
            )
        return int(user)

    def _rpc(self, service: str, method: str, arguments: Sequence[object]) -> Any:  # noqa: ANN401 - likewise
        """Call a service by JSON-RPC, which answers 200 to everything, and leaves out a result that is nothing."""
        parameters = {"service": service, "method": method, "args": arguments}
        request = {"jsonrpc": "2.0", "method": "call", "id": next(self._numbers), "params": parameters}
        content = _content(self._caller.send("POST", "/jsonrpc", json=request))
        if not isinstance(content, dict):
            raise DeliveryError("what answers is no Odoo; check push.sink.url")
        error = content.get("error")
        if error:
            data = error.get("data") or {}
            raise _judged(str(data.get("name", "")), str(data.get("message") or error.get("message")))
        return content.get("result")


def _content(response: httpx.Response) -> Any:  # noqa: ANN401 - whatever came
    try:
        return response.json() if response.content else None
    except (JSONDecodeError, UnicodeDecodeError):
        raise DeliveryError(f"Odoo answers no JSON ({quote(response.status_code, '')}); check push.sink.url") from None


def _judged(name: str, message: str) -> Exception:
    """Say by the name of Odoo's error what is to be done next."""
    told = " ".join(redact(message).split())
    no_database = "OperationalError" in name and _NO_DATABASE in told
    if any(word in name for word in _LATER) and not no_database:
        return LaterError(told)
    if any(word in name for word in _REFUSED) or no_database:
        return DeliveryError(f"Odoo refuses: {told}; check the database, the user and its rights")
    return WholeBatchError(told)


_MET = ("could not serialize access", "deadlock detected", "could not obtain lock")
"""What PostgreSQL says where transactions met; ``load`` tells it of the row, as it tells all else."""


class Bad(NamedTuple):
    """What becomes of a row that was not taken."""

    what: Literal["skipped", "rejected", "later"]
    reason: str


def bad_rows(messages: Iterable[Mapping[str, Any]], rows: int) -> dict[int, Bad]:
    """Give the bad rows by their places; none where the rows were refused together.

    The first message of a row counts: a lead that is unknown is then taken for a new one, and lacks a name.
    """
    first: dict[int, Mapping[str, Any]] = {}
    for message in messages:
        if message.get("type", "error") == "error" and message.get("record") is not None:
            first.setdefault(message["record"], message)
    # What stopped all rows is told of the first, be it good or bad. Alone, or with the rest, it gets its own verdict.
    if rows > 1 and "field" not in first.get(0, {"field": None}):
        del first[0]
    return {place: _bad_row(message) for place, message in first.items()}


def _bad_row(message: Mapping[str, Any]) -> Bad:
    reason = " ".join(redact(str(message.get("message"))).split())
    if any(told in reason for told in _MET):
        return Bad("later", reason)
    # The id is unknown to load where the lead was archived or deleted since we looked.
    return Bad("skipped" if message.get("field") == ".id" else "rejected", reason)
