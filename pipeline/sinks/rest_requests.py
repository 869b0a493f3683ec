"""What is sent over HTTP and what comes back: where a lead's key and fields stand, and why something was refused."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import httpx

from features.core.errors import nearest
from pipeline.settings.push import Rest, RestRead
from pipeline.sinks.calls import quote
from pipeline.sinks.protocol import Value


def has_address(key: str) -> bool:
    """Tell whether a path with the key leads to one lead: /leads/ and /leads/.. lead elsewhere."""
    return bool(key.strip(". "))


def address(path: str, key: str, own_id: str = "") -> str:
    """Put the key and the system's own id into a path; between apostrophes, as OData has it, one of theirs is doubled.

    >>> address("/leads/{key}", "7/8 %"), address("leads(id='{id}')", "L1", "o'x")
    ('/leads/7%2F8%20%25', "leads(id='o%27%27x')")
    """
    for place, text in (("{key}", key), ("{id}", own_id)):
        doubled = text.replace("'", "''") if f"'{place}'" in path else text
        path = path.replace(place, urllib.parse.quote(doubled, safe=""))
    return path


def filled(template: Any, fields: Mapping[str, Value], key: str, own_id: str = "") -> Any:  # noqa: ANN401 - any JSON
    """Put the fields, the key and the system's own id where a template has them.

    >>> filled({"data": ["{fields}"], "id": "lead {key}", "silent": True}, {"tier": "SQL"}, "L1")
    {'data': [{'tier': 'SQL'}], 'id': 'lead L1', 'silent': True}
    """
    match template:
        case "{fields}":
            return dict(fields)
        case str():
            return re.sub(r"{(key|id)}", lambda place: key if place[1] == "key" else own_id, template)
        case dict():
            return {name: filled(value, fields, key, own_id) for name, value in template.items()}
        case list():
            return [filled(value, fields, key, own_id) for value in template]
    return template


JsonObject = dict[str, Any]
Around = ChainMap[str, Any]
"""What stands around the fields of a lead, the nearest first; the fields themselves come last."""


def inside(content: object, path: str | None) -> tuple[JsonObject, Around]:
    """Find the fields at a path, as in data.custom_fields, and give what stands on the way to them, too.

    Of two keys of one name, that which is nearer to the fields counts. Where the path ends in nothing, no field holds
    anything. Raises ValueError where it leads nowhere.

    >>> fields, around = inside({"status": "ok", "data": {"status": "won", "custom": {"tier": "SQL"}}}, "data.custom")
    >>> fields, around["status"]
    ({'tier': 'SQL'}, 'won')
    >>> inside({"state": 0, "score": None}, "score")[0]
    {}
    """
    here, *outer = _levels(content, path)
    fields = _object(here)
    return fields, ChainMap(*_objects(outer), fields)


def _levels(content: object, path: str | None) -> list[object]:
    """Give what stands at a path, and all that it leads through to the top; nothing counts as an empty object."""
    levels = [content]
    for name in path.split(".") if path else []:
        found = at(levels[0], name)
        levels.insert(0, {} if found is None else found)
    return levels


def at(content: object, path: str) -> Any:  # noqa: ANN401 - any JSON
    """Follow a path: dots part names, digits index lists. Raises ValueError where it leads nowhere.

    >>> at({"data": {"items": [{"id": 7}]}}, "data.items.0.id"), at({"a.b": 1}, "a.b")
    (7, 1)
    """
    if isinstance(content, dict) and path in content:
        return content[path]
    name, dot, further = path.partition(".")
    if isinstance(content, dict) and dot and name in content:
        return at(content[name], further)
    if isinstance(content, list) and name.isdecimal() and int(name) < len(content):
        return at(content[int(name)], further) if dot else content[int(name)]
    raise ValueError(path)


def held(around: Around, paths: Iterable[str]) -> JsonObject:
    """Give what stands at each path, from wherever it begins first, seen from the fields; what is not there is missing.

    >>> held(ChainMap({"status": "won"}, {"lead": {"status": "won"}, "status": 1}), ["status", "lead.status", "x"])
    {'status': 'won', 'lead.status': 'won'}
    """
    found = {}
    for path in paths:
        for level in around.maps:
            with suppress(ValueError):
                found[path] = at(level, path)
                break
    return found


def _object(content: object) -> JsonObject:
    if isinstance(content, dict):
        return content
    raise ValueError("no object")


def _objects(content: Iterable[object]) -> list[JsonObject]:
    return [one for one in content if isinstance(one, dict)]


class Hit(NamedTuple):
    """A lead as an answer has it."""

    fields: JsonObject
    around: Around
    own_id: str
    """What the system names it by; our key where the settings do not ask for it."""


class LacksError(Exception):
    """An answer lacks what the settings say it has."""


def hits(content: object, read: RestRead, key: str, key_field: str) -> list[Hit]:
    """Give the leads that an answer has for a key: of a search those that hold it, be they none or several.

    Raises LacksError with what is missing.
    """
    if read.found is None:
        return [_hit(content, read, key, [])]
    try:
        rows, *outer = _levels(content, read.found)
    except ValueError:
        raise LacksError(read.found) from None
    if rows and not isinstance(rows, list):
        raise LacksError(f"list at {read.found}")
    found: dict[object, Hit] = {}
    for row in rows if isinstance(rows, list) else ():
        hit = _hit(row, read, key, outer)
        # Some searches give what only begins with the key, or is written with other capitals.
        told = held(ChainMap(hit.fields, row), [key_field])
        if not told or str(as_value(told[key_field])) == key:
            found[hit.own_id if read.id else len(found)] = hit
    return list(found.values())


def _hit(content: object, read: RestRead, key: str, outer: Iterable[object]) -> Hit:
    try:
        fields, around = inside(content, read.values)
    except ValueError:
        raise LacksError(read.values or "the fields at its top") from None
    try:
        own_id = key if read.id is None else as_value(at(content, read.id))
    except ValueError:
        own_id = None
    if own_id is None:
        raise LacksError(read.id)
    return Hit(fields, ChainMap(*around.maps[:-1], *_objects(outer), fields), str(own_id))


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


def never_closed(key: str, closed: Iterable[str], around: Around) -> list[str]:
    """Say which fields of ``closed`` stand nowhere in what a lead was read from: nobody would seem closed.

    >>> never_closed("L1", ["lead.state", "status"], ChainMap({"state": "won"}, {"lead": {"state": "won"}}))
    ["what is read of lead L1 has no status, did you mean 'state'?; correct push.sink.closed"]
    """
    there = held(around, closed)
    return [
        f"what is read of lead {key} has no {path}, {nearest(path, around)}; correct push.sink.closed"
        for path in closed
        if path not in there
    ]


def unlike(read: RestRead, key: str, found: Sequence[Hit], fields: Iterable[str], settings: Rest) -> list[str]:
    """Say in what a lead that is there, and shows all fields, was read otherwise."""
    if not found:
        return [f"GET {read.path} finds no lead {key}; correct push.sink.read, key_field or the example"]
    if len(found) > 1:
        return [f"several leads have this {settings.key_field}: {key}; leave one of them, or take another example"]
    (hit,) = found
    return [*lacking(key, fields, hit.fields), *never_closed(key, settings.closed, hit.around)]


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
