"""Calls through HubSpot's own client: its methods, with our limit of time, our count, and our reading of refusals."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from features.core.errors import DeliveryError, InputError, nearest
from pipeline.settings.push import Closed, HubSpot
from pipeline.sinks.calls import Calls, judge, quote, wait_of
from pipeline.sinks.closed import kind_of
from pipeline.sinks.protocol import LaterError
from pipeline.sinks.secrets import redact, secret

_PASSING = frozenset({HTTPStatus.LOCKED, 477})
"""HubSpot is busy with many changes, or moves the account to another place (477): it takes them later."""
_OF_WHAT_IS_ASKED = frozenset({
    HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY
})  # fmt: skip
NOT_FOUND = "OBJECT_NOT_FOUND"
_LONGEST = 300
"""Letters of a reason that are kept."""


class RefusedError(Exception):
    """HubSpot refuses what is asked: other values, or fewer of them, it may take."""

    def __init__(self, status: int, error: Mapping[str, Any]) -> None:
        super().__init__(message_of(error))
        self.status, self.error = status, error
        """HTTP's, and what HubSpot tells."""


def message_of(error: Mapping[str, Any]) -> str:
    """Give HubSpot's words for an error, without what is secret."""
    return " ".join(redact(str(error.get("message") or error.get("category") or "no reason given")).split())[:_LONGEST]


class HubSpotClient:
    """The parts of the client that are called."""

    def __init__(self, settings: HubSpot, connections: int) -> None:
        try:
            from hubspot import HubSpot as Client  # noqa: PLC0415 - an extra
        except ModuleNotFoundError:
            raise InputError("HubSpot's client is not installed; install it: pip install -e '.[hubspot]'") from None
        token = secret(settings.token, "the access token of HubSpot's private app")
        # Its own retries know nothing of what was done already, and repeat no POST.
        client = Client(
            access_token=token, host=settings.url.rstrip("/"), retry=False, connection_pool_maxsize=connections
        )
        self.contacts, self.properties = client.crm.contacts.batch_api, client.crm.properties.core_api
        for api in (self.contacts, self.properties):
            weakref.finalize(self, api.api_client.rest_client.pool_manager.clear)
        self._seconds, self.calls = settings.timeout_seconds, Calls(connections)

    def call(self, method: Callable[..., Any], *arguments: object) -> dict[str, Any]:
        """Call a method of the client, and read the answer ourselves: its models take longer than the call.

        Raises RefusedError, or LaterError and DeliveryError as a sink does.
        """
        import urllib3  # noqa: PLC0415 - comes with the client

        try:
            with self.calls.one():
                response = method(*arguments, _preload_content=False, _request_timeout=self._seconds)
                content = response.data
        except urllib3.exceptions.HTTPError as error:
            raise LaterError(f"no answer: {redact(str(error))}") from None
        except Exception as error:
            # Where a refusal is no text, or was never sent (TLS), the client fails over it; then it is behind.
            refusal = error if hasattr(error, "body") else error.__context__
            if not hasattr(refusal, "body"):
                raise
            raise _judged(refusal) from None
        answer = _object(content)
        if answer is None:
            raise LaterError("the answer breaks off, or is no HubSpot's")
        return answer


def _judged(refusal: Any) -> Exception:  # noqa: ANN401 - each part of the client has its own class of them
    """Say what a refusal means: HubSpot tells in the body whether the day's quota is used up."""
    status, headers, body = refusal.status, refusal.headers or {}, refusal.body or b""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    told = _object(text) or {}
    if not status:
        return LaterError(f"no secure connection: {redact(' '.join(str(refusal.reason).split()))}")
    if status == HTTPStatus.TOO_MANY_REQUESTS and told.get("policyName") == "DAILY":
        return DeliveryError("HubSpot's quota of the day is used up; push again tomorrow, what is left waits")
    if status in _PASSING:
        return LaterError(quote(status, text), wait_of(headers))
    try:
        judge(status, headers, text)
    except (LaterError, DeliveryError) as error:
        return error
    if status in _OF_WHAT_IS_ASKED or told.get("category") == NOT_FOUND:
        return RefusedError(status, told or {"message": quote(status, text)})
    return DeliveryError(f"this is no answer of HubSpot's contacts: {quote(status, text)}; check push.sink.url")


def _object(text: str | bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


OWN_ID = "hs_object_id"
_UNIQUE = (OWN_ID, "email")
_FITTING = {"number": ("number",), "date": ("date", "string"), "text": ("string", "enumeration")}
_MADE = {"number": ("number", "number"), "date": ("date", "date"), "text": ("string", "text")}

Held = Mapping[str, Mapping[str, Any]]
"""The properties there are, as HubSpot describes them, by name."""


def problems(held: Held, settings: HubSpot, mapping: Mapping[str, str]) -> Iterator[str]:
    """Tell what is not ready, with the remedy."""
    key = settings.key_field
    if key not in held:
        yield f"contacts have no property {key}; {nearest(key, held)} (push.sink.key_field)"
    elif key not in _UNIQUE and not held[key].get("hasUniqueValue"):
        yield f"the values of the property {key} need not be unique; make it one with unique values"
    for ours, name in mapping.items():
        fitting = _FITTING[kind_of(ours)]
        if name not in held:
            yield f"contacts have no property {name}; leadcast crm setup makes it"
        elif held[name]["type"] not in fitting:
            yield f"the property {name} is of type {held[name]['type']}; {ours} needs {' or '.join(fitting)}"
        elif (held[name].get("modificationMetadata") or {}).get("readOnlyValue"):
            yield f"the property {name} is read-only; map {ours} to another (push.fields)"
    yield from _never_seen(held, settings.closed)


def _never_seen(held: Held, closed: Closed) -> Iterator[str]:
    """Tell what no contact can have: HubSpot reads such a property without a word, and nobody would seem closed."""
    for name, values in closed.items():
        if name not in held:
            yield f"contacts have no property {name}; {nearest(name, held)} (push.sink.closed)"
            continue
        options = [str(option["value"]) for option in held[name].get("options") or ()]
        for value in values:
            if options and isinstance(value, str) and value not in options:
                yield f"the property {name} is never {value!r}; {nearest(value, options)} (push.sink.closed)"


def definition(ours: str, name: str) -> dict[str, str]:
    """Describe a property of ours that is to be made."""
    kind, field = _MADE[kind_of(ours)]
    label = f"Leadcast {ours.replace('_', ' ')}"
    return {"name": name, "label": label, "type": kind, "fieldType": field, "groupName": "contactinformation"}
