"""Scores written to HubSpot's contacts, a hundred a call.

Contacts are looked up by the property that holds our lead_id and written by HubSpot's id, so that none is ever made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from features.core.errors import DeliveryError
from pipeline.settings.push import HubSpot
from pipeline.sinks.calls import BATCHES_A_CONNECTION
from pipeline.sinks.closed import is_closed
from pipeline.sinks.hubspot_client import (
    NOT_FOUND,
    OWN_ID,
    HubSpotClient,
    RefusedError,
    definition,
    message_of,
    problems,
)
from pipeline.sinks.protocol import LaterError, Outcome, Record, Remote, Sink, Value, WholeBatchError

_CONNECTIONS = 2
_CONTACTS = "objects/contacts/batch"
_PROPERTIES = "properties/contacts"
_OF_ALL = ("PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE")
"""Errors that concern a property of all contacts."""
_PASSING = frozenset({"RATE_LIMIT", "RATE_LIMITS", "INTERNAL_ERROR"})
"""Categories of errors that concern the moment, not the contact."""


class HubSpotSink(Sink):
    """The contacts of an account."""

    reads, creates = True, False
    batches_at_once = BATCHES_A_CONNECTION * _CONNECTIONS

    def __init__(self, settings: HubSpot, mapping: Mapping[str, str], _root: Path) -> None:
        self._settings, self._mapping = settings, mapping
        self._client = HubSpotClient(settings, _CONNECTIONS)
        self._call = self._client.call
        self.name = f"hubspot {urlsplit(settings.url).netloc} contacts"
        self.calls_a_day, self.batch_size = settings.calls_a_day, settings.batch_size
        self.leads_a_call = settings.batch_size

    @property
    def calls(self) -> int:
        """How many calls have been made so far."""
        return self._client.calls

    def read(self, keys: Sequence[str]) -> dict[str, Remote]:
        """Give the contacts of the keys; HubSpot finds an email whatever its capitals."""
        key_field, closed = self._settings.key_field, self._settings.closed
        wanted = {key: key.casefold() if key_field == "email" else key for key in keys}
        if key_field == OWN_ID:
            wanted = {key: own for key, own in wanted.items() if key.isascii() and key.isdecimal()}
        found: dict[str, Remote] = {}
        for contact in self._find(list(dict.fromkeys(wanted.values()))) if wanted else ():
            held = contact["properties"]
            key = contact["id"] if key_field == OWN_ID else str(held.get(key_field) or "")
            values: dict[str, Value] = {name: held.get(name) or None for name in self._mapping.values()}
            found[key.casefold() if key_field == "email" else key] = Remote(
                contact["id"], values, is_closed(held, closed)
            )
        return {key: found[own] for key, own in wanted.items() if own in found}

    def _find(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        """Give the contacts of the keys; what HubSpot takes for no key is nobody's."""
        key_field = self._settings.key_field
        request: dict[str, Any] = {
            "inputs": [{"id": key} for key in keys],
            "properties": list(dict.fromkeys([key_field, *self._mapping.values(), *self._settings.closed])),
            "propertiesWithHistory": [],
        }
        request |= {} if key_field == OWN_ID else {"idProperty": key_field}
        try:
            answer = self._call("POST", f"{_CONTACTS}/read", request)
        except RefusedError:
            middle = len(keys) // 2
            return [*self._find(keys[:middle]), *self._find(keys[middle:])] if middle else []
        _refuse_passing(answer)
        if answer.get("results") is None:  # without it, every contact would count as unknown
            raise LaterError("the answer holds no results")
        return list(answer["results"])

    def write(self, batch: Sequence[Record]) -> Iterator[Outcome]:
        """Update by HubSpot's ids; values are texts, results come in any order, what is refused with its id."""
        texts = [{name: "" if value is None else str(value) for name, value in one.values.items()} for one in batch]
        inputs = [{"id": one.remote_id, "properties": held} for one, held in zip(batch, texts, strict=True)]
        try:
            answer = self._call("POST", f"{_CONTACTS}/update", {"inputs": inputs})
        except RefusedError as error:
            if any(told in str(error.error) for told in _OF_ALL):  # halving would refuse each contact for it
                raise DeliveryError(f"{error}; leadcast crm check says which, and what to do") from None
            answer = {"errors": [error.error]}
        errors = list(answer.get("errors") or ())
        refused = {str(contact): one for one in errors for contact in (one.get("context") or {}).get("ids") or ()}
        written, left = {contact["id"] for contact in answer.get("results") or ()}, []
        for record in batch:
            if record.remote_id in written:
                yield Outcome(record.key, "written", None, record.remote_id)
            elif (told := refused.get(str(record.remote_id))) is None:
                left.append(record)
            elif told.get("category") not in _PASSING:
                yield _refused(record, told)
        _refuse_passing(answer)
        if errors and len(left) > 1:
            raise WholeBatchError(message_of(errors[0]))
        unnamed = [one for one in errors if not (one.get("context") or {}).get("ids")]
        for record in left:
            yield _refused(record, unnamed[0] if unnamed else {"message": "HubSpot's answer lacks this contact"})

    def check(self) -> list[str]:
        """Look for the properties, and whether the key's is unique."""
        try:
            return list(problems(self._held(), self._settings, self._mapping))
        except (DeliveryError, LaterError) as error:
            return [str(error)]

    def missing(self) -> list[str]:
        """List the properties that are not there."""
        held = self._held()
        return [name for name in self._mapping.values() if name not in held]

    def sizes(self) -> Mapping[str, int | None]:
        """Say that properties of texts take any that we write."""
        return dict.fromkeys(self._mapping.values())

    def setup(self) -> list[str]:
        """Make the properties that are missing."""
        try:
            absent = self.missing()
            wanted = [(ours, name) for ours, name in self._mapping.items() if name in absent]
            return [f"property {name} of contacts" for ours, name in wanted if self._make(ours, name)]
        except LaterError as error:
            raise DeliveryError(f"HubSpot does not answer: {error}; run leadcast crm setup again") from None

    def _make(self, ours: str, name: str) -> bool:
        """Make a property; tells whether it was not there yet."""
        try:
            self._call("POST", _PROPERTIES, definition(ours, name))
        except RefusedError as error:
            if error.status == HTTPStatus.CONFLICT:  # by a call whose answer was lost
                return False
            raise DeliveryError(f"HubSpot does not make the property {name}: {error}; make it by hand") from None
        return True

    def _held(self) -> dict[str, dict[str, Any]]:
        try:
            return {one["name"]: one for one in self._call("GET", _PROPERTIES)["results"]}
        except (RefusedError, KeyError) as error:
            raise DeliveryError(f"HubSpot does not tell its properties: {error}; check push.sink.url") from None


def _refuse_passing(answer: Mapping[str, Any]) -> None:
    for error in answer.get("errors") or ():
        if error.get("category") in _PASSING:
            raise LaterError(message_of(error))


def _refused(record: Record, error: Mapping[str, Any]) -> Outcome:
    status: Literal["skipped", "rejected"] = "skipped" if error.get("category") == NOT_FOUND else "rejected"
    return Outcome(record.key, status, message_of(error), record.remote_id)
