"""Alarms told to a system that listens: one POST of JSON to an address that stands in the environment alone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from features.core.errors import SettingsError
from models.core.verdicts import Verdict

SECONDS = 10.0
"""How long an answer is waited for."""


_KEPT = ("as_of", "model_version", "horizon", "suspended")
"""What is told with the alarms, of what the monitor found."""


def tell_alarms(variable: str | None, told: Mapping[str, Any], alarms: Sequence[Verdict]) -> str | None:
    """Post alarms, where there are any and the settings name a variable; gives what became of it, None of nothing."""
    if variable is None or not alarms:
        return None
    failed = _post(variable, {name: told[name] for name in _KEPT} | {"alarms": [one.to_json() for one in alarms]})
    return "alarms posted" if failed is None else f"the alarms could not be posted to {variable}: {failed}"


def _post(variable: str, told: Mapping[str, Any]) -> str | None:
    """Post what is told as JSON to the address that the environment variable ``$NAME`` holds; gives why that failed.

    The address may hold a secret, so it is never told. Raises SettingsError where the variable is not set, or holds no
    address of HTTP.
    """
    name = variable.strip("${}")
    address = os.environ.get(name, "").strip()
    if not address.startswith(("https://", "http://")):
        raise SettingsError(f"monitor.webhook: the environment variable {name} holds no address of HTTP; put it there")
    body = json.dumps(told, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()
    try:
        request = Request(address, body, {"Content-Type": "application/json", "User-Agent": "leadcast"}, method="POST")  # noqa: S310 - HTTP alone, as checked
        with urlopen(request, timeout=SECONDS):  # noqa: S310 - likewise
            return None
    except HTTPError as error:
        return f"it answered {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        return type(error).__name__ if address in str(error) else f"{getattr(error, 'reason', None) or error}"
