"""Scores written to HubSpot's contacts, through HubSpot's own client.

Contacts are looked up by the property that holds our lead_id and written by HubSpot's id, so that none is ever made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from features.errors import DeliveryError, nearest
from pipeline.push_configuration import HubSpot
from pipeline.sinks.calls import BATCHES_A_CONNECTION
from pipeline.sinks.closed import is_closed
from pipeline.sinks.hubspot_client import HubSpotClient
from pipeline.sinks.kinds import kind_of
from pipeline.sinks.protocol import LaterError, Outcome, Record, Remote, Value, WholeBatchError
from pipeline.sinks.secrets import redact

_CONNECTIONS = 2
_OWN_ID = "hs_object_id"
_UNIQUE = (_OWN_ID, "email")
_CONTACTS = "contacts"
_FITTING = {"number": ("number",), "date": ("date", "string"), "string": ("string", "enumeration")}
_TYPES = {"number": "number", "date": "date", "text": "string"}
_INPUTS = {"number": "number", "date": "date", "string": "text"}


class HubSpotSink:
    """The contacts of an account."""

    reads, creates = True, False
    batch_size = leads_a_call = 100
    batches_at_once = BATCHES_A_CONNECTION * _CONNECTIONS

    def __init__(self, settings: HubSpot, mapping: Mapping[str, str], _root: Path) -> None:
        self._settings, self._mapping = settings, mapping
        self._client = HubSpotClient(settings, _CONNECTIONS)
        self._call = self._client.call
        self.name = f"hubspot {urlsplit(settings.url).netloc} {_CONTACTS}"
        self.calls_a_day = settings.calls_a_day

    @property
    def calls(self) -> int:
        """How many calls have been made so far."""
        return self._client.calls.count

    def read(self, keys: Sequence[str]) -> dict[str, Remote]:
        """Give the contacts of the keys; HubSpot finds an email whatever its capitals."""
        key_field, closed = self._settings.key_field, self._settings.closed
        wanted = {key: key.casefold() if key_field == "email" else key for key in keys}
        if key_field == _OWN_ID:
            wanted = {key: own for key, own in wanted.items() if key.isascii() and key.isdecimal()}
        request: dict[str, Any] = {
            "inputs": [{"id": key} for key in wanted],
            "properties": list(dict.fromkeys([key_field, *self._mapping.values(), *closed])),
            "propertiesWithHistory": [],
        }
        request |= {} if key_field == _OWN_ID else {"idProperty": key_field}
        found: dict[str, Remote] = {}
        for contact in self._call(self._client.contacts.read, request)["results"] if wanted else ():
            held = contact["properties"]
            key = contact["id"] if key_field == _OWN_ID else str(held.get(key_field))
            values: dict[str, Value] = {name: held.get(name) or None for name in self._mapping.values()}
            found[key.casefold() if key_field == "email" else key] = Remote(
                contact["id"], values, is_closed(held, closed)
            )
        return {key: found[own] for key, own in wanted.items() if own in found}

    def write(self, batch: Sequence[Record]) -> Iterator[Outcome]:
        """Update by HubSpot's ids; what is refused comes with its id, and results in any order."""
        inputs = [
            {"id": record.remote_id, "properties": {name: _text(value) for name, value in record.values.items()}}
            for record in batch
        ]
        answer = self._call(self._client.contacts.update, {"inputs": inputs})
        refused = {
            str(contact): error for error in answer.get("errors") or () for contact in error["context"].get("ids", ())
        }
        written = {contact["id"] for contact in answer["results"]}
        for record in batch:
            error = refused.get(str(record.remote_id))
            if error is not None:
                gone = error.get("category") == "OBJECT_NOT_FOUND"
                status: Literal["skipped", "rejected"] = "skipped" if gone else "rejected"
                yield Outcome(record.key, status, redact(str(error.get("message"))), record.remote_id)
            elif record.remote_id in written:
                yield Outcome(record.key, "written", None, record.remote_id)
        if not written and not refused:
            raise WholeBatchError("; ".join(redact(str(error.get("message"))) for error in answer.get("errors") or ()))

    def check(self) -> list[str]:
        """Look for the properties, and whether the key's is unique."""
        try:
            held = self._held()
        except (DeliveryError, LaterError) as error:
            return [str(error)]
        problems, key = [], self._settings.key_field
        if key not in held:
            problems.append(f"contacts have no property {key}; {nearest(key, held)} (push.sink.key_field)")
        elif key not in _UNIQUE and not held[key].get("hasUniqueValue"):
            problems.append(f"the values of the property {key} need not be unique; make it one with unique values")
        for ours, name in self._mapping.items():
            if name not in held:
                problems.append(f"contacts have no property {name}; leadcast crm setup makes it")
            elif held[name]["type"] not in _FITTING[_TYPES[kind_of(ours)]]:
                fitting = " or ".join(_FITTING[_TYPES[kind_of(ours)]])
                problems.append(f"the property {name} is of type {held[name]['type']}; {ours} needs {fitting}")
        return problems

    def setup(self) -> list[str]:
        """Make the properties that are missing."""
        held, made = self._held(), []
        for ours, name in self._mapping.items():
            if name in held:
                continue
            kind, label = _TYPES[kind_of(ours)], f"Leadcast {ours.replace('_', ' ')}"
            definition = {"name": name, "label": label, "type": kind, "fieldType": _INPUTS[kind]}
            self._call(self._client.properties.create, _CONTACTS, definition | {"groupName": "contactinformation"})
            made.append(f"property {name} of contacts")
        return made

    def _held(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self._call(self._client.properties.get_all, _CONTACTS)["results"]}


def _text(value: Value) -> str:
    """Write a value as HubSpot holds it: all are texts, and an empty one clears."""
    return "" if value is None else str(value)
