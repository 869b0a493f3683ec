"""The properties of HubSpot's contacts that the settings name: what is wrong with them, and how they are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from features.errors import nearest
from pipeline.push_configuration import Closed, HubSpot
from pipeline.sinks.kinds import kind_of

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
