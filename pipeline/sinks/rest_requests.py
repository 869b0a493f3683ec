"""What is sent over HTTP and what comes back: where a lead's key and fields stand, and why something was refused."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from features.core.errors import nearest
from pipeline.sinks.calls import quote
from pipeline.sinks.protocol import Value


def has_address(key: str) -> bool:
    """Tell whether a path with the key leads to one lead: /leads/ and /leads/.. lead elsewhere."""
    return bool(key.strip(". "))


def address(path: str, key: str) -> str:
    """Put the key into a path; between apostrophes, as OData has it, one of its own is doubled.

    >>> address("/leads/{key}", "7/8 %"), address("leads(id='{key}')", "o'x")
    ('/leads/7%2F8%20%25', "leads(id='o%27%27x')")
    """
    if "'{key}'" in path:
        key = key.replace("'", "''")
    return path.replace("{key}", urllib.parse.quote(key, safe=""))


def filled(template: Any, fields: Mapping[str, Value], key: str) -> Any:  # noqa: ANN401 - any JSON
    """Put the fields and the key where a template has them.

    >>> filled({"data": ["{fields}"], "id": "lead {key}", "silent": True}, {"tier": "SQL"}, "L1")
    {'data': [{'tier': 'SQL'}], 'id': 'lead L1', 'silent': True}
    """
    match template:
        case "{fields}":
            return dict(fields)
        case str():
            return template.replace("{key}", key)
        case dict():
            return {name: filled(value, fields, key) for name, value in template.items()}
        case list():
            return [filled(value, fields, key) for value in template]
    return template


JsonObject = dict[str, Any]


def inside(content: object, path: str | None) -> tuple[JsonObject, JsonObject]:
    """Find the fields at a path, as in data.custom_fields, and give what stands on the way to them, too.

    Where the path ends in nothing, no field holds anything. Raises ValueError where it leads nowhere.

    >>> inside({"data": {"status": "won", "custom": {"tier": "SQL"}}}, "data.custom")[0]
    {'tier': 'SQL'}
    >>> inside({"state": 0, "score": None}, "score")
    ({}, {'state': 0, 'score': None})
    """
    here = around = _object(content)
    for name in path.split(".") if path else []:
        if name not in here:
            raise ValueError(name)
        here = {} if here[name] is None else _object(here[name])
        around = here | around
    return here, around


def _object(content: object) -> JsonObject:
    if isinstance(content, dict):
        return content
    raise ValueError("no object")


def as_value(held: object) -> Value:
    """Give what a field holds; a list or the like as JSON.

    >>> [as_value(held) for held in ("a", 1.5, None, True, ["a"])]
    ['a', 1.5, None, 'true', '["a"]']
    """
    if held is None or (isinstance(held, str | int | float) and not isinstance(held, bool)):
        return held
    return json.dumps(held, ensure_ascii=False)


def lacking(key: str, fields: Iterable[str], found: Mapping[str, object]) -> list[str]:
    """Say which fields a lead was read without.

    >>> lacking("L1", ["tier", "heat"], {"teir": None, "heat": None})
    ["lead L1 has no field tier, did you mean 'teir'?; make it, or correct push.fields"]
    """
    return [
        f"lead {key} has no field {name}, {nearest(name, found)}; make it, or correct push.fields"
        for name in fields
        if name not in found
    ]


def told(response: httpx.Response) -> str:
    """Give the reason for a refusal in the system's own words, wherever it puts them."""
    try:
        content = response.json()
    except ValueError:
        content = None
    reason = _reason(content) or response.headers.get("X-Status-Reason") or response.text
    return quote(response.status_code, reason)


def _reason(content: object) -> str | None:
    """Look for {errors: {field: [...]}}, {error: {message}}, {error} and {message}."""
    if not isinstance(content, dict):
        return None
    errors, error = content.get("errors"), content.get("error")
    if isinstance(errors, dict) and errors:
        return "; ".join(f"{field}: {_listed(said)}" for field, said in errors.items())
    if isinstance(errors, list) and errors:
        return _listed(errors)
    if isinstance(error, dict):
        return _listed(error.get("message") or error)
    said = error or content.get("message")
    return _listed(said) if said else None


def _listed(said: object) -> str:
    if isinstance(said, list):
        return ", ".join(map(_listed, said))
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
