"""The fields of Salesforce's leads that take scores, what is wrong with them and what can be made; keys in queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from features.errors import nearest
from pipeline.sinks.kinds import kind_of

_FITTING = {"number": ("double", "percent"), "date": ("date",), "text": ("string", "textarea", "picklist")}
_MADE: Mapping[str, Mapping[str, object]] = {
    "number": {"type": "Number", "precision": 18, "scale": 4},
    "date": {"type": "Date"},
    "text": {"type": "Text", "length": 255},
}
_LONGEST_QUERY = 12_000
"""Letters, as a URL has them: Salesforce takes 16,384 in all."""
_DECIMALS = {"probability": 4, "score": 2}
"""What is rounded would be another value when it is read again, as if a person had changed it."""
Held = Mapping[str, Mapping[str, Any]]
"""The fields of Lead as Salesforce describes them, by name."""


def problems(held: Held, key: str, mapping: Mapping[str, str]) -> Iterator[str]:
    """Say which fields are missing, may not be written, or are of another type than they must be."""
    if key not in held:
        yield f"Lead has no field {key}; {nearest(key, held)} (push.sink.key_field)"
    for ours, name in mapping.items():
        fitting = _FITTING[kind_of(ours)]
        if name not in held:
            yield f"Lead has no field {name}, or the user may not see it; leadcast crm setup makes it"
        elif not held[name]["updateable"]:
            yield f"the user may not write the field {name}; grant it in the field security of its profile"
        elif held[name]["type"] not in fitting:
            yield f"the field {name} is of type {held[name]['type']}; {ours} needs {' or '.join(fitting)}"
        elif held[name].get("scale", _DECIMALS.get(ours, 0)) < _DECIMALS.get(ours, 0):
            yield f"the field {name} keeps {held[name]['scale']} decimals; {ours} needs {_DECIMALS[ours]}"


def missing(held: Held, mapping: Mapping[str, str]) -> Iterator[tuple[str, dict[str, object]]]:
    """Give the custom fields that are missing, each with its definition as the Tooling API takes it."""
    for ours, name in mapping.items():
        if name not in held and name.endswith("__c"):
            metadata = {"label": f"Leadcast {ours.replace('_', ' ')}", **_MADE[kind_of(ours)]}
            yield name, {"FullName": f"Lead.{name}", "Metadata": metadata}


def quoted_parts(keys: Sequence[str]) -> Iterator[list[str]]:
    """Cut keys into lists that fit into a query, each quoted as SOQL wants it."""
    part: list[str] = []
    length = 0
    for key in keys:
        quoted = "'" + key.replace("\\", "\\\\").replace("'", "\\'") + "'"
        length += len(quote(quoted + ", "))
        if length > _LONGEST_QUERY and part:
            yield part
            part, length = [], len(quote(quoted + ", "))
        part.append(quoted)
    if part:
        yield part
