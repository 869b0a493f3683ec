"""Calls to Odoo's methods, by JSON-RPC or, from 19 on, JSON-2: the same names and arguments for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from pipeline.sinks.protocol import LaterError, Outcome, Record, WholeBatchError
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
            user = self.user
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

    @property
    def user(self) -> int:
        """The scoring user's number."""
        with self._lock:
            return self._user

    @cached_property
    def _user(self) -> int:
        if not self._is_rpc:
            return int(self.call("res.users", "context_get")["uid"])
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


class Told(NamedTuple):
    """What a load that was refused says of its rows."""

    bad: dict[int, Bad]
    """By their places."""
    is_first_doubtful: bool
    """Whether the first row is told of what may have stopped all rows, be it good or bad."""
    judged: int
    """How many rows Odoo came to try by themselves."""


def told_of(messages: Sequence[Mapping[str, Any]], rows: int) -> Told:
    """Read what Odoo says of rows that were refused.

    It tries all rows together, then one by one, and gives up where ten were bad, and more than one in ten; all of it is
    taken back. The first message of a row counts: a lead that is unknown is then taken for a new one, and lacks a name.
    """
    first: dict[int, Mapping[str, Any]] = {}
    judged, last, is_first_doubtful = rows, 0, False
    for message in messages:
        place = _place(message)
        if place is None:
            judged = last + 1 if message.get("type") == "warning" else judged
            continue
        last = place
        if place == 0 and rows > 1 and "field" not in message:
            is_first_doubtful = True
        elif message.get("type", "error") == "error":
            first.setdefault(place, message)
    bad = {place: _bad_row(message) for place, message in first.items()}
    return Told(bad, is_first_doubtful and 0 not in bad, judged)


def _place(message: Mapping[str, Any]) -> int | None:
    """Give the place of the row that a message names; none where it is told of several."""
    place = message.get("record")
    rows = message.get("rows") or {}
    if place is None and rows and rows["from"] == rows["to"]:
        place = rows["from"]
    return place


def _bad_row(message: Mapping[str, Any]) -> Bad:
    reason = " ".join(redact(str(message.get("message"))).split())
    if any(told in reason for told in _MET):
        return Bad("later", reason)
    # The id is unknown to load where the lead was archived or deleted since we looked.
    return Bad("skipped" if message.get("field") == ".id" else "rejected", reason)


_FIRST, _FEWEST = 64, 10
"""Rows of the first part, and of the smallest: where all of ten are bad, Odoo tries no more."""
_CLEAN = 4
"""Parts in a row that have to go through, since one was refused, before parts grow."""


class Loader:
    """Writes records by ``load``, in parts that grow while all rows go through, and shrink where some are refused.

    A load is all or nothing: each row is written until one is refused, then by itself, and in the end what is good of
    the part a third time. So a bad row costs the more, the larger its part.
    """

    def __init__(
        self, client: OdooClient, model: str, largest: int, row: Callable[[Record, Sequence[str]], list[str]]
    ) -> None:
        self._client, self._model, self._largest, self._row = client, model, largest, row
        self._size, self._clean = min(_FIRST, largest), _CLEAN

    def load(self, names: Sequence[str], records: Sequence[Record], met: list[str]) -> Iterator[Outcome]:
        """Load records of one set of fields; the named ones are dropped, and what is good is sent again.

        ``met`` takes the reasons of those that met somebody else's transaction. Raises WholeBatchError where rows are
        refused and none is named.
        """
        waiting: list[tuple[Sequence[Record], bool]] = [(records, False)]
        while waiting:
            rows, is_judged = waiting.pop()
            if not is_judged and len(rows) > self._size:
                waiting.append((rows[self._size :], False))
                rows = rows[: self._size]
            told = self._refusal(names, rows)
            if not is_judged:
                self._learn(is_clean=told is None)
            if told is None:
                yield from map(_written, rows)
                continue
            yield from _named(rows, told, met)
            if told.is_first_doubtful:
                alone = self._refusal(names, rows[:1])
                yield from map(_written, rows[:1]) if alone is None else _named(rows[:1], alone, met)
                if alone is None and not told.bad:
                    raise WholeBatchError("the rows are refused together, and Odoo names none")
            settled = {*told.bad, *([0] if told.is_first_doubtful else [])}
            unjudged = [one for place, one in enumerate(rows) if place not in settled and place >= told.judged]
            good = [one for place, one in enumerate(rows) if place not in settled and place < told.judged]
            waiting += [(part, part is good) for part in (unjudged, good) if part]

    def _learn(self, *, is_clean: bool) -> None:
        """Let parts grow, or shrink; threads may do so at once, and it does no harm."""
        if not is_clean:
            self._size, self._clean = max(self._size // 8, min(_FEWEST, self._largest)), 0
            return
        self._clean += 1
        if self._clean > _CLEAN:
            self._size = min(2 * self._size, self._largest)

    def _refusal(self, names: Sequence[str], rows: Sequence[Record]) -> Told | None:
        """Load rows; gives what is told of them where they were not taken."""
        data = [[str(one.remote_id), *self._row(one, names)] for one in rows]
        answer = self._client.call(self._model, "load", fields=[".id", *names], data=data)
        if answer["ids"]:
            return None
        told = told_of(answer["messages"], len(rows))
        if not told.bad and not told.is_first_doubtful:
            raise WholeBatchError(redact("; ".join(str(message.get("message")) for message in answer["messages"])))
        return told


def _written(record: Record) -> Outcome:
    return Outcome(record.key, "written", None, record.remote_id)


def _named(rows: Sequence[Record], told: Told, met: list[str]) -> Iterator[Outcome]:
    """Give the outcomes of the bad rows."""
    for place, (what, reason) in sorted(told.bad.items()):
        if what == "later":
            met.append(reason)
        else:
            yield Outcome(rows[place].key, what, reason, rows[place].remote_id)
