"""Secrets: taken from the environment where they are needed, and struck out of all that is told or kept."""

from __future__ import annotations

import os
from urllib.parse import quote

from features.core.errors import SettingsError

_known: set[str] = set()
_SHORTEST = 4
"""A shorter secret is no secret, and would strike out half of every message."""


def secret(variable: str, of: str) -> str:
    """Give what the environment variable ``$NAME`` holds; ``of`` says in the message what it is for.

    Raises SettingsError where it is not set.
    """
    name = variable.strip("${}")
    value = os.environ.get(name, "").strip()
    if not value:
        raise SettingsError(f"push.sink: the environment variable {name} is not set; put {of} into it")
    conceal(value)
    return value


def key_of_header(variable: str, of: str) -> str:
    """Give what the environment variable holds, as ``secret`` does, for a header of HTTP, which takes ASCII alone."""
    value = secret(variable, of)
    if not (value.isascii() and value.isprintable()):
        raise SettingsError(f"push.sink: {variable} holds letters that no header can; correct the key")
    return value


def conceal(*values: str) -> None:
    """Have values struck out of whatever ``redact`` is given, also as a URL writes them."""
    _known.update(form for value in values for form in (value, quote(value, safe="")) if len(value) >= _SHORTEST)


def redact(text: str) -> str:
    """Strike out every secret that was taken.

    >>> conceal("s3same-open")
    >>> redact("no user for s3same-open")
    'no user for ***'
    """
    for value in sorted(_known, key=len, reverse=True):
        text = text.replace(value, "***")
    return text
