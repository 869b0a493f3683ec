"""Calls to HubSpot's CRM API, version 3, and what its refusals mean."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from features.core.errors import DeliveryError, nearest
from pipeline.settings.push import Closed, HubSpot
from pipeline.sinks.calls import Caller, judge_status, quote, wait_of
from pipeline.sinks.closed import CHOICES, kind_of
from pipeline.sinks.protocol import LaterError
from pipeline.sinks.secrets import key_of_header, redact

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
    """An account of HubSpot, as the private app sees it."""

    def __init__(self, settings: HubSpot, connections: int) -> None:
        token = key_of_header(settings.token, "the access token of HubSpot's private app")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._caller = Caller(settings.url, headers, settings.timeout_seconds, connections, _judge)

    @property
    def calls(self) -> int:
        """How many calls have been made so far."""
        return self._caller.calls

    def call(self, method: str, path: str, asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Make a call, as in ``objects/contacts/batch/read``, and give the object that answers.

        Raises RefusedError, or LaterError and DeliveryError as a sink does.
        """
        answer = _object(self._caller.send(method, f"/crm/v3/{path}", json=asked).content)
        if answer is None:
            raise LaterError("the answer breaks off, or is no HubSpot's")
        return answer


def _judge(response: httpx.Response) -> None:
    """Raise what a refusal means: HubSpot tells in the body whether the day's quota is used up."""
    if response.is_success:
        return
    status, told = response.status_code, _object(response.content) or {}
    if status == HTTPStatus.TOO_MANY_REQUESTS and told.get("policyName") == "DAILY":
        raise DeliveryError("HubSpot's quota of the day is used up; push again tomorrow, what is left waits")
    words = quote(status, response.text)
    if status in _PASSING:
        raise LaterError(words, wait_of(response))
    judge_status(response)
    if status in _OF_WHAT_IS_ASKED or told.get("category") == NOT_FOUND:
        raise RefusedError(status, told or {"message": words})
    raise DeliveryError(f"this is no answer of HubSpot's contacts: {words}; check push.sink.url")


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
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
        elif held[name].get("calculated") or (held[name].get("modificationMetadata") or {}).get("readOnlyValue"):
            yield f"the property {name} is read-only; map {ours} to another (push.fields)"
        else:
            yield from _unseen(ours, held[name])
    yield from _never_seen(held, settings.closed)


def _unseen(ours: str, held: Mapping[str, Any]) -> Iterator[str]:
    """Tell what would be written to no avail: what nobody sees, or what is none of the options."""
    name = held["name"]
    if held.get("hidden"):
        yield f"the property {name} is hidden, so nobody sees it; show it, or map {ours} to another (push.fields)"
    if held["type"] == "enumeration" and not held.get("externalOptions"):
        options = {str(option["value"]) for option in held.get("options") or ()}
        lacking = [value for value in CHOICES.get(ours, ()) if value not in options]
        if lacking:
            yield f"the property {name} has no option {', '.join(lacking)}; add what {ours} may be"


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
