"""The fields of Salesforce's leads that take scores, what is wrong with them and what can be made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from features.core.errors import nearest
from pipeline.settings.push import Closed, Salesforce
from pipeline.sinks.closed import kind_of, too_short

_FITTING = {"number": ("double", "percent"), "date": ("date",), "text": ("string", "textarea", "picklist")}
_MADE: Mapping[str, Mapping[str, object]] = {
    "number": {"type": "Number", "precision": 18, "scale": 4},
    "date": {"type": "Date"},
    "text": {"type": "Text", "length": 255},
}
_KEYS = ("id", "string", "email")
_DECIMALS = {"probability": 4, "score": 2, "expected_value": 2}
_FEW = 0.01
"""Share of the day's calls that is as good as none."""


def problems(lead: Mapping[str, Any], settings: Salesforce, mapping: Mapping[str, str]) -> Iterator[str]:
    """Say which rights and fields are missing, may not be written, or are of another kind than they must be."""
    held: Mapping[str, Mapping[str, Any]] = {one["name"]: one for one in lead["fields"]}
    if not lead["updateable"]:
        yield "the user may not edit leads; give it Read and Edit on the object Lead, in a permission set"
    key = settings.key_field
    if key not in held:
        yield f"Lead has no field {key}; {nearest(key, held)} (push.sink.key_field)"
    elif held[key]["type"] not in _KEYS or not (key == "Id" or held[key]["externalId"] or held[key]["idLookup"]):
        yield f"the field {key} is no external id; make it a text with External ID and Unique (push.sink.key_field)"
    yield from _never_seen(held, settings.closed)
    for ours, name in mapping.items():
        if name in held:
            yield from _unfit(ours, held[name])
        elif name.endswith("__c"):
            yield f"Lead has no field {name}, or the user may not see it; leadcast crm setup makes it"
        else:
            yield f"Lead has no field {name}; {nearest(name, held)} (push.fields)"
    for name, told in too_short(lengths(lead, mapping), mapping):
        yield f"the field {name} {told}"


def _never_seen(held: Mapping[str, Mapping[str, Any]], closed: Closed) -> Iterator[str]:
    """Tell what no lead can have: nobody would seem closed."""
    for name, values in closed.items():
        if name not in held:
            yield f"Lead has no field {name}; {nearest(name, held)} (push.sink.closed)"
            continue
        options = [str(option["value"]) for option in held[name].get("picklistValues") or ()]
        for value in values:
            if options and isinstance(value, str) and value not in options:
                yield f"the field {name} is never {value!r}; {nearest(value, options)} (push.sink.closed)"


def lengths(lead: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, int]:
    """Give how many letters the fields of texts take."""
    texts = [one for one in lead["fields"] if one["type"] in _FITTING["text"]]
    return {one["name"]: one["length"] for one in texts if one["name"] in mapping.values() and one.get("length")}


def _unfit(ours: str, field: Mapping[str, Any]) -> Iterator[str]:
    name, fitting = field["name"], _FITTING[kind_of(ours)]
    if not field["updateable"]:
        yield f"the user may not write the field {name}; grant it by field-level security, in a permission set"
    elif field["type"] not in fitting:
        yield f"the field {name} is of type {field['type']}; {ours} needs {' or '.join(fitting)}"
    elif ours in _DECIMALS and field["scale"] < _DECIMALS[ours]:
        # What comes back rounded is never what it shall be, and would be written each night.
        yield f"the field {name} keeps {field['scale']} decimals; {ours} needs {_DECIMALS[ours]}"


def used_up(limits: Mapping[str, Any]) -> Iterator[str]:
    """Say where hardly any calls of the day are left."""
    day = limits.get("DailyApiRequests")
    if day and day["Remaining"] < _FEW * day["Max"]:
        yield f"{day['Remaining']:,} of the organisation's {day['Max']:,} calls of the day are left; push tomorrow"


def missing(held: Collection[str], mapping: Mapping[str, str]) -> Iterator[tuple[str, dict[str, object]]]:
    """Give the custom fields that are missing, each with its definition as the Tooling API takes it."""
    for ours, name in mapping.items():
        if name not in held and name.endswith("__c"):
            metadata = {"label": f"Leadcast {ours.replace('_', ' ')}", **_MADE[kind_of(ours)]}
            yield name, {"FullName": f"Lead.{name}", "Metadata": metadata}
