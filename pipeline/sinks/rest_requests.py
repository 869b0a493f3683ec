"""What is sent over HTTP: where the key and the fields of a lead go, as the settings say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

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
    return path.replace("{key}", quote(key, safe=""))


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
