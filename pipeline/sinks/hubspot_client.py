"""Calls through HubSpot's own client: its methods, with our limit of time, our count, and our reading of refusals."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from features.errors import DeliveryError, InputError
from pipeline.push_configuration import HubSpot
from pipeline.sinks.calls import Calls, judge, quote
from pipeline.sinks.protocol import LaterError, WholeBatchError
from pipeline.sinks.secrets import redact, secret


class HubSpotClient:
    """The parts of the client that are called."""

    def __init__(self, settings: HubSpot, connections: int) -> None:
        try:
            from hubspot import HubSpot as Client  # noqa: PLC0415 - an extra
        except ModuleNotFoundError:
            raise InputError("HubSpot's client is not installed; install it: pip install -e '.[hubspot]'") from None
        token = secret(settings.token, "the access token of HubSpot's private app")
        # Its own retries know nothing of what was done already, and repeat no POST.
        client = Client(access_token=token, host=settings.url, retry=False, connection_pool_maxsize=connections)
        self.contacts, self.properties = client.crm.contacts.batch_api, client.crm.properties.core_api
        for api in (self.contacts, self.properties):
            weakref.finalize(self, api.api_client.rest_client.pool_manager.clear)
        self._seconds, self.calls = settings.timeout_seconds, Calls(connections)

    def call(self, method: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - whatever it gives
        """Call a method of the client, and read the answer ourselves: its models take longer than the call."""
        import urllib3  # noqa: PLC0415 - comes with the client

        try:
            with self.calls.one():
                response = method(*arguments, _preload_content=False, _request_timeout=self._seconds)
                content = response.data
            return json.loads(content)
        except urllib3.exceptions.HTTPError as error:
            raise LaterError(f"no answer: {redact(str(error))}") from None
        except json.JSONDecodeError:
            raise LaterError("the answer breaks off") from None
        except Exception as error:
            status = getattr(error, "status", None)
            if not isinstance(status, int):
                raise
            raise _judged(status, error.headers or {}, _decoded(error.body)) from None  # type: ignore[attr-defined]


def _judged(status: int, headers: Mapping[str, str], body: str) -> Exception:
    """Say what a refusal means: HubSpot tells in the body whether the day's quota is used up."""
    told = json.loads(body) if body.startswith("{") else {}
    if status == HTTPStatus.TOO_MANY_REQUESTS and told.get("policyName") == "DAILY":
        return DeliveryError("HubSpot's quota of the day is used up; push again tomorrow, what is left waits")
    try:
        judge(status, headers, body)
    except (LaterError, DeliveryError) as error:
        return error
    return WholeBatchError(redact(str(told.get("message") or quote(status, body))))


def _decoded(body: object) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
