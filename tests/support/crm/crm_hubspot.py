"""A HubSpot under test: contacts and their properties, in the shapes of API v3."""

from __future__ import annotations

import json
import random
from datetime import date
from typing import Any

from crm_servers import Answer, CrmServer, Request

_NATIVE = {
    "hs_object_id": "number", "email": "string", "lifecyclestage": "enumeration", "hs_lead_status": "enumeration",
    "hubspot_owner_id": "enumeration", "lead_number": "string", "hs_email_domain": "string",
}  # fmt: skip
_OPTIONS = {"lifecyclestage": ("lead", "customer", "other")}
_READ_ONLY = {"hs_object_id", "hs_email_domain"}
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
            return Answer({"status": "error", "category": "INVALID_AUTHENTICATION", "message": "expired token"}, 401)
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
        return Answer({"status": "error", "message": "resource not found"}, 404)

    def _property(self, name: str) -> dict[str, Any]:
        return {
            "name": name, "label": name, "type": self.types[name], "fieldType": "text",
            "groupName": "contactinformation", "hasUniqueValue": name in self.unique,
            "options": [{"label": value.title(), "value": value} for value in _OPTIONS.get(name, ())],
            "modificationMetadata": {"archivable": True, "readOnlyValue": name in _READ_ONLY},
        }  # fmt: skip

    def _create(self, content: dict[str, Any]) -> Answer:
        if content["name"] in self.types:
            return Answer({"status": "error", "category": "OBJECT_ALREADY_EXISTS", "message": "is there"}, 409)
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
            _contact(number, {name: held.get(name) for name in [*names, "hs_object_id"]}) for number, held in found
        ]
        self._shuffle.shuffle(results)
        if not missing:
            return Answer({"status": "COMPLETE", "results": results})
        error = {
            "status": "error", "category": "OBJECT_NOT_FOUND", "message": "Could not get some CONTACT objects",
            "context": {"ids": missing},
        }  # fmt: skip
        return Answer({"status": "COMPLETE", "results": results, "numErrors": 1, "errors": [error]}, 207)

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
                errors.append(("OBJECT_NOT_FOUND", "Could not find the contact", one["id"]))
            elif one["id"] in faults:
                errors.append(("VALIDATION_ERROR", faults[one["id"]], one["id"]))
            else:
                self.leads[one["id"]] |= one["properties"]
                results.append(_contact(one["id"], one["properties"]))
        self._shuffle.shuffle(results)
        if not errors:
            return Answer({"status": "COMPLETE", "results": results})
        told = [
            {"status": "error", "category": category, "message": message, "context": {"ids": [contact]}}
            for category, message, contact in errors
        ]
        return Answer({"status": "COMPLETE", "results": results, "numErrors": len(told), "errors": told}, 207)

    def _fault(self, one: dict[str, Any]) -> str | None:
        if one["id"] in self.refused:
            return "The change is not allowed by a rule of the account"
        for name, text in one["properties"].items():
            if name not in self.types:
                told = {
                    "isValid": False,
                    "message": f'Property "{name}" does not exist',
                    "error": "PROPERTY_DOESNT_EXIST",
                }
                return f"Property values were not valid: {json.dumps([told])}"
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
            "timeout_seconds": 1,
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
    return {"id": number, "properties": properties, "createdAt": "2026-01-01T00:00:00Z", "archived": False}


def _invalid(message: str) -> Answer:
    return Answer({"status": "error", "category": "VALIDATION_ERROR", "message": message, "correlationId": "x"}, 400)


def _rate_limit(policy: str) -> dict[str, str]:
    return {
        "status": "error",
        "errorType": "RATE_LIMIT",
        "message": "You have reached your limit.",
        "policyName": policy,
    }
