"""Calls through simple-salesforce, in a session of our own: with a limit of time, a count, and refusals read."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests

from features.core.errors import DeliveryError, InputError, SettingsError
from pipeline.settings.push import Salesforce
from pipeline.sinks.calls import Calls, judge, wait_of
from pipeline.sinks.protocol import LaterError, WholeBatchError
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


_PASSES = frozenset({
    "UNABLE_TO_LOCK_ROW", "UNPROCESSED", "QUERY_TIMEOUT", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG",
})  # fmt: skip
_GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "CANNOT_UPDATE_CONVERTED_LEAD", "NOT_FOUND"})
_OF_ALL = frozenset({"INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE", "INVALID_TYPE", "MALFORMED_QUERY"})
_LIMIT = "REQUEST_LIMIT_EXCEEDED"
ADVICE = "leadcast crm check says what is missing"


class Refusal(NamedTuple):
    """A code of Salesforce, and its words."""

    code: str
    message: str

    @classmethod
    def of(cls, error: Mapping[str, Any]) -> Refusal:
        """Read an error: a call's has an errorCode, a record's a statusCode."""
        return cls(str(error.get("statusCode") or error.get("errorCode")), str(error.get("message")))

    @classmethod
    def of_row(cls, text: str) -> Refusal:
        """Read what a bulk job says of a row.

        >>> Refusal.of_row("STRING_TOO_LONG:Tier: data value too large: hot:Tier__c --")
        Refusal(code='STRING_TOO_LONG', message='Tier: data value too large: hot:Tier__c')
        """
        code, _, message = text.partition(":")
        return cls(code, message.removesuffix("--").strip(" :"))

    def __str__(self) -> str:
        return redact(f"{self.code}: {self.message}" if self.code else self.message)

    @property
    def passes(self) -> bool:
        """Whether the same is to be asked again."""
        return self.code in _PASSES

    @property
    def gone(self) -> bool:
        """Whether the lead is not there any more, or converted."""
        return self.code in _GONE

    @property
    def of_all(self) -> bool:
        """Whether every other record would meet with the same."""
        return self.code in _OF_ALL


UNPROCESSED = Refusal("UNPROCESSED", "the job did not come to it")


def refusal_of(text: str) -> Refusal:
    """Read the refusal of a whole call."""
    try:
        return Refusal.of(json.loads(text)[0])
    except (ValueError, LookupError, TypeError, AttributeError):
        return Refusal("", " ".join(text.split())[:300])


def judge_call(status: int, headers: Mapping[str, str], text: str) -> None:
    """Raise LaterError or DeliveryError for what a call's status says, before its client reads the answer."""
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return
    refusal = refusal_of(text)
    if refusal.code == _LIMIT and "Concurrent" not in refusal.message:
        raise DeliveryError(
            f"Salesforce's quota of the day is used up ({refusal}); push again tomorrow, the rest waits"
        )
    if refusal.code == _LIMIT or refusal.passes:
        raise LaterError(str(refusal), wait_of(headers))
    if refusal.code == "INVALID_SESSION_ID":
        raise DeliveryError(f"Salesforce refuses the token ({refusal}); put a new one into its variable")
    judge(status, headers, text)
