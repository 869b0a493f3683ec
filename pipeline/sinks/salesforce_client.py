"""Calls through simple-salesforce, in a session of our own: with a limit of time, a count, and refusals read."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests

from features.errors import DeliveryError, InputError, SettingsError
from pipeline.push_configuration import Salesforce
from pipeline.sinks.calls import Calls
from pipeline.sinks.protocol import LaterError, WholeBatchError
from pipeline.sinks.salesforce_refusals import ADVICE, Refusal, judge_call
from pipeline.sinks.secrets import redact, secret

_LOOPBACK = {"127.0.0.1", "localhost"}


class _Session(requests.Session):
    """What the client sends its requests by; it gives no limit of time itself, and no answer's headers."""

    def __init__(self, seconds: float, connections: int, *, in_the_clear: bool) -> None:
        super().__init__()
        self.calls = Calls(connections)
        self._seconds, self._in_the_clear = seconds, in_the_clear
        # Without it, every lead that is written goes through the assignment rules and may get another owner.
        self.headers["Sforce-Auto-Assign"] = "FALSE"
        self.auth = lambda request: request  # else ~/.netrc would put its own password in the token's place

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override] # noqa: ANN401
        if self._in_the_clear:  # the client knows https alone
            url = url.replace("https://", "http://", 1)
        try:
            with self.calls.one():
                response = super().request(method, url, timeout=self._seconds, **options)
        except requests.RequestException as error:
            raise LaterError(f"no answer: {redact(str(error))}") from None
        response.encoding = "utf-8"  # a CSV that doesn't say so would be taken for Latin 1
        judge_call(response.status_code, response.headers, response.text)
        return response


class SalesforceClient:
    """The client of one organisation."""

    def __init__(self, settings: Salesforce, connections: int) -> None:
        try:
            import simple_salesforce  # noqa: PLC0415 - an extra
        except ModuleNotFoundError:
            raise InputError("simple-salesforce is not installed; install it: pip install -e '.[salesforce]'") from None
        parts = urlsplit(settings.url)
        in_the_clear = parts.scheme != "https"
        if in_the_clear and parts.hostname not in _LOOPBACK:
            raise SettingsError("push.sink.url must begin with https://, or the token would travel in the clear")
        token = secret(settings.token, "a session id or access token of Salesforce")
        self._session = _Session(settings.timeout_seconds, connections, in_the_clear=in_the_clear)
        login = {"instance_url": settings.url, "session_id": token}
        self.api: Any = simple_salesforce.Salesforce(session=self._session, **login)
        errors = simple_salesforce.exceptions
        self._refusals = (errors.SalesforceError, errors.SalesforceBulkV2LoadError)
        weakref.finalize(self, self._session.close)

    @property
    def calls(self) -> int:
        """How many calls have been made so far."""
        return self._session.calls.count

    def call(self, asked: Callable[..., Any], /, *arguments: object, **named: object) -> Any:  # noqa: ANN401 - it varies
        """Call a method of the client.

        Raises DeliveryError where all that is asked would be refused likewise, else WholeBatchError.
        """
        try:
            return asked(*arguments, **named)
        except requests.RequestException as error:  # an answer that breaks off, or is no JSON
            raise LaterError(f"no whole answer: {redact(str(error))}") from None
        except self._refusals as error:
            content = getattr(error, "content", None)
            known = isinstance(content, list) and content and isinstance(content[0], dict)
            refusal = Refusal.of(content[0]) if known and isinstance(content, list) else Refusal("", str(error))
            if refusal.of_all:
                raise DeliveryError(f"Salesforce refuses the call: {refusal}; {ADVICE}") from None
            raise WholeBatchError(str(refusal)) from None

    def ask(self, asked: Callable[..., Any], /, *arguments: object, **named: object) -> Any:  # noqa: ANN401 - likewise
        """Call a method that changes nothing; any refusal is a DeliveryError."""
        try:
            return self.call(asked, *arguments, **named)
        except WholeBatchError as error:
            raise DeliveryError(f"Salesforce refuses the call: {error}; {ADVICE}") from None
