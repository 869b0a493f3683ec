"""A HubSpot under test: contacts and their properties, in the shapes of API v3."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import uuid4

from crm_servers import PATIENT, Answer, CrmServer, Request

_NATIVE = {
    "hs_object_id": "number", "email": "string", "lifecyclestage": "enumeration", "hs_lead_status": "enumeration",
    "hubspot_owner_id": "enumeration", "lead_number": "string", "hs_email_domain": "string",
}  # fmt: skip
_OPTIONS = {"lifecyclestage": ("lead", "customer", "other")}
_READ_ONLY = {"hs_object_id", "hs_email_domain"}
_ENTERED = {"string": "text", "number": "number", "date": "date", "enumeration": "select"}
"""How a property of a type is entered."""
_NOW = "2026-06-30T02:15:00.000Z"
OURS = {
    "leadcast_tier": "string", "leadcast_probability": "number", "leadcast_reason_1": "string",
    "leadcast_reason_2": "string", "leadcast_action": "string", "leadcast_date": "date",
}  # fmt: skip
MOST = 100
"""Inputs of a call."""


class HubSpotServer(CrmServer):
    """An account."""

    def __init__(self) -> None:
        super().__init__()
        self.types = _NATIVE | OURS
        self.unique = {"lead_number"}
        self.options: dict[str, tuple[str, ...]] = dict(_OPTIONS)
        self.hidden: set[str] = set()
        self.calculated: set[str] = set()
        """Properties that HubSpot computes from others."""
        self.refused: set[str] = set()
        self.whole_batches = True
        """Whether one bad input fails the whole call, as some validations do; else it is told beside the others."""
        self.no_keys: set[str] = set()
        """What fails a whole read."""
        self.exhausted = False
        self._shuffle = random.Random(3)  # noqa: S311 - no secret

    def limited(self) -> Answer:
        """Say that there are too many calls at the moment."""
        headers = {"Retry-After": self.faults.retry_after} if self.faults.retry_after is not None else {}
        return Answer(_rate_limit("TEN_SECONDLY_ROLLING"), 429, headers)

    def answer(self, request: Request) -> Answer:
        """Answer the paths that the client calls."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("authorization") != f"Bearer {self.token}":
            return _refusal("INVALID_AUTHENTICATION", "expired token", 401)
        if self.exhausted:
            return Answer(_rate_limit("DAILY"), 429)
        match request.method, request.path:
            case "POST", "/crm/v3/objects/contacts/batch/read":
                return self._read(request.json())
            case "POST", "/crm/v3/objects/contacts/batch/update":
                return self._update(request.json())
            case "GET", "/crm/v3/properties/contacts":
                return Answer({"results": [self._property(name) for name in self.types]})
            case "POST", "/crm/v3/properties/contacts":
                return self._create(request.json())
        return Answer(f"<html>nothing answers {request.path}</html>", 404, {"Content-Type": "text/html"})

    def _property(self, name: str) -> dict[str, Any]:
        native, options = name in _NATIVE, enumerate(self.options.get(name, ()))
        return {
            "updatedAt": _NOW, "createdAt": _NOW, "name": name, "label": name, "type": self.types[name],
            "fieldType": _ENTERED[self.types[name]], "description": "", "groupName": "contactinformation",
            "options": [
                {"label": value.title(), "value": value, "description": "", "displayOrder": place, "hidden": False}
                for place, value in options
            ],
            "displayOrder": -1, "calculated": name in self.calculated, "externalOptions": False,
            "hasUniqueValue": name in self.unique, "hidden": name in self.hidden, "hubspotDefined": native,
            "archived": False, "formField": True, "dataSensitivity": "non_sensitive",
            "modificationMetadata": {
                "archivable": not native, "readOnlyDefinition": native, "readOnlyOptions": False,
                "readOnlyValue": name in _READ_ONLY | self.calculated,
            },
        }  # fmt: skip

    def _create(self, content: dict[str, Any]) -> Answer:
        if content["name"] in self.types:
            return _refusal("OBJECT_ALREADY_EXISTS", "is there", 409)
        pairs = {("string", "text"), ("number", "number"), ("date", "date")}
        if (content["type"], content["fieldType"]) not in pairs or content["groupName"] != "contactinformation":
            return _invalid("field type does not fit")
        self.types[content["name"]] = content["type"]
        return Answer(self._property(content["name"]), 201)

    def _read(self, content: dict[str, Any]) -> Answer:
        inputs, key = content["inputs"], content.get("idProperty", "hs_object_id")
        if not 0 < len(inputs) <= MOST:
            return _invalid(f"Batch size must be 1 to {MOST}")
        if key != "hs_object_id" and key not in self.unique | {"email"}:
            return _invalid(f"{key} is not a unique property")
        if key == "hs_object_id" and not all(one["id"].isdecimal() for one in inputs):
            return _invalid("invalid object id")
        if any(one["id"] in self.no_keys for one in inputs):
            return _invalid("invalid value of the id property")
        names = [name for name in content["properties"] if name in self.types]  # others are ignored
        by_key = {held.get(key): (number, held) for number, held in self.leads.items()}
        asked = [one["id"].lower() if key == "email" else one["id"] for one in inputs]
        found = [by_key[one] for one in asked if one in by_key]
        missing = [one for one in asked if one not in by_key]
        results = [
            _contact(number, {name: held.get(name) or None for name in [*names, "hs_object_id"]})
            for number, held in found
        ]
        self._shuffle.shuffle(results)
        told = "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."
        return _batch(results, [_error("OBJECT_NOT_FOUND", told, missing)] if missing else [])

    def _update(self, content: dict[str, Any]) -> Answer:
        inputs = content["inputs"]
        if not 0 < len(inputs) <= MOST:
            return _invalid(f"Batch size must be 1 to {MOST}")
        if len({one["id"] for one in inputs}) < len(inputs):
            return _invalid("Duplicate IDs found in batch input. IDs must be unique")
        faults = {one["id"]: fault for one in inputs if (fault := self._fault(one))}
        if faults and (self.whole_batches or any(told.startswith("Property") for told in faults.values())):
            return _invalid(next(iter(faults.values())))
        results, errors = [], []
        for one in inputs:
            if one["id"] not in self.leads:
                errors.append(_error("OBJECT_NOT_FOUND", "Could not find the contact", [one["id"]]))
            elif one["id"] in faults:
                errors.append(_error("VALIDATION_ERROR", faults[one["id"]], [one["id"]]))
            else:
                self.leads[one["id"]] |= one["properties"]
                results.append(_contact(one["id"], one["properties"]))
        self._shuffle.shuffle(results)
        return _batch(results, errors)

    def _fault(self, one: dict[str, Any]) -> str | None:
        if one["id"] in self.refused:
            return "The change is not allowed by a rule of the account"
        for name, text in one["properties"].items():
            if name not in self.types:
                return _not_valid("PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist', name)
            if name in _READ_ONLY | self.calculated:
                told = f'"{name}" is a read only property; its value cannot be set.'
                return _not_valid("READ_ONLY_VALUE", told, name)
            assert isinstance(text, str)
            try:
                if text and self.types[name] == "number":
                    float(text)
                if text and self.types[name] == "date":
                    date.fromisoformat(text)
            except ValueError:
                return f"{text} was not a valid {self.types[name]}."
        return None


class HubSpotCrm(HubSpotServer):
    """The server as the conformance suite drives it; contacts are named by a property of their own."""

    has_calls = True

    def __init__(self) -> None:
        super().__init__()
        self.environment = {"HUBSPOT_TOKEN": self.token}

    @property
    def settings(self) -> dict[str, Any]:
        """The section ``push``."""
        sink = {
            "kind": "hubspot", "token": "$HUBSPOT_TOKEN", "url": self.url, "key_field": "lead_number",
            "timeout_seconds": PATIENT,
        }  # fmt: skip
        return {"sink": sink}

    def _of(self, key: str) -> dict[str, Any] | None:
        return next((held for held in self.leads.values() if held["lead_number"] == key), None)

    def add(self, key: str, *, closed: bool = False) -> None:
        """Make a contact."""
        number = str(len(self.leads) + 501)
        self.leads[number] = {
            "hs_object_id": number, "hs_email_domain": "example.com",
            "email": f"{number}@example.com", "lead_number": key, "hs_lead_status": "OPEN",
            "lifecyclestage": "customer" if closed else "lead", "hubspot_owner_id": "77",
        }  # fmt: skip

    def lead(self, key: str) -> dict[str, Any] | None:
        """Give all properties of a contact."""
        held = self._of(key)
        return held and {name: held.get(name, "") for name in self.types}

    def keys(self) -> set[str]:
        """List the contacts."""
        return {held["lead_number"] for held in self.leads.values()}

    def edit(self, key: str, ours: str, value: str | float | None) -> None:
        """Change a property of ours."""
        held = self._of(key)
        assert held
        held[f"leadcast_{ours}"] = "" if value is None else str(value)

    def refuse(self, key: str, *, refused: bool = True) -> None:
        """Have a rule of the account refuse what is written to a contact."""
        held = self._of(key)
        assert held
        (self.refused.add if refused else self.refused.discard)(held["hs_object_id"])

    def exhaust(self) -> None:
        """Use up the quota of the day."""
        self.exhausted = True


def _contact(number: str, properties: dict[str, Any]) -> dict[str, Any]:
    own = {"createdate": _NOW, "lastmodifieddate": _NOW}
    return {"id": number, "properties": own | properties, "createdAt": _NOW, "updatedAt": _NOW, "archived": False}


def _batch(results: Sequence[dict[str, Any]], errors: Sequence[dict[str, Any]]) -> Answer:
    told = {"status": "COMPLETE", "results": results, "requestedAt": _NOW, "startedAt": _NOW, "completedAt": _NOW}
    return Answer(told | {"numErrors": len(errors), "errors": errors}, 207) if errors else Answer(told)


def _error(category: str, message: str, ids: Sequence[str]) -> dict[str, Any]:
    """Tell of some inputs of a batch."""
    return {
        "status": "error", "id": str(uuid4()), "category": category, "message": message, "context": {"ids": ids},
        "errors": [], "links": {},
    }  # fmt: skip


def _not_valid(error: str, message: str, name: str) -> str:
    told = {"isValid": False, "message": message, "error": error, "name": name}
    return f"Property values were not valid: {json.dumps([told])}"


def _refusal(category: str, message: str, status: int) -> Answer:
    """Refuse a whole call."""
    told = {"status": "error", "message": message, "correlationId": str(uuid4()), "category": category}
    return Answer(told | {"errors": [], "context": {}, "links": {}}, status)


def _invalid(message: str) -> Answer:
    return _refusal("VALIDATION_ERROR", message, 400)


def _rate_limit(policy: str) -> dict[str, str]:
    return {
        "status": "error", "message": "You have reached your limit.", "errorType": "RATE_LIMIT",
        "correlationId": str(uuid4()), "category": "RATE_LIMITS", "policyName": policy,
    }  # fmt: skip
