"""Calls to Salesforce's REST API, and what its refusals mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from features.core.errors import DeliveryError, SettingsError
from pipeline.settings.push import Salesforce
from pipeline.sinks.calls import Caller, judge_status, quote, wait_of
from pipeline.sinks.protocol import LaterError, WholeBatchError
from pipeline.sinks.secrets import key_of_header, redact

_LOOPBACK = {"127.0.0.1", "localhost"}
_ROOT = "/services/data/v59.0"


class SalesforceClient:
    """An organisation, as the user of the token sees it."""

    def __init__(self, settings: Salesforce, connections: int) -> None:
        place = urlsplit(settings.url)
        if place.scheme != "https" and place.hostname not in _LOOPBACK:
            raise SettingsError("push.sink.url must begin with https://, or the token would travel in the clear")
        headers = {
            "Authorization": f"Bearer {key_of_header(settings.token, 'a session id or access token of Salesforce')}",
            "Accept": "application/json",
            # Without it, every lead that is written goes through the assignment rules and may get another owner.
            "Sforce-Auto-Assign": "FALSE",
        }
        origin = f"{place.scheme}://{place.netloc}"
        self._caller = Caller(origin, headers, settings.timeout_seconds, connections, _judge)

    @property
    def calls(self) -> int:
        """How many calls have been made so far."""
        return self._caller.calls

    def call(self, method: str, path: str, asked: object = None, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - whatever comes
        """Make a call, as in ``composite/sobjects``, and give what answers.

        Raises DeliveryError where all that is asked would be refused likewise, else WholeBatchError.
        """
        response = self._caller.send(method, _full(path), json=asked, params=params)
        try:
            return response.json()
        except ValueError:
            raise LaterError("no whole answer came, or none of Salesforce's interface") from None

    def upload(self, path: str, rows: str) -> None:
        """Bring the rows of a job, as CSV."""
        headers = {"Content-Type": "text/csv; charset=UTF-8"}
        response = self._caller.send("PUT", _full(path), content=rows.encode(), headers=headers)
        if response.status_code != HTTPStatus.CREATED:  # a job without rows would end as if all were written
            raise LaterError(f"nobody says that the rows came: {quote(response.status_code, response.text)}")

    def ask(self, method: str, path: str, asked: object = None, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - likewise
        """Make a call that changes nothing; any refusal is a DeliveryError."""
        try:
            return self.call(method, path, asked, params)
        except WholeBatchError as error:
            raise DeliveryError(_refused(error)) from None

    def ask_csv(self, path: str) -> str:
        """Ask for a file; likewise."""
        try:
            return self._caller.send("GET", _full(path), headers={"Accept": "text/csv"}).text
        except WholeBatchError as error:
            raise DeliveryError(_refused(error)) from None


def _full(path: str) -> str:
    """Give the path of a call; those that Salesforce gives are whole."""
    return path if path.startswith("/") else f"{_ROOT}/{path}"


def _refused(why: object) -> str:
    return f"Salesforce refuses the call: {why}; {ADVICE}"


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


def refusal_of(response: httpx.Response) -> Refusal:
    """Read the refusal of a whole call."""
    try:
        return Refusal.of(json.loads(response.content)[0])
    except (ValueError, LookupError, TypeError, AttributeError):
        return Refusal("", quote(response.status_code, response.text))


def _judge(response: httpx.Response) -> None:
    """Raise what a refusal means: most have a code, and the status says too little."""
    if response.is_success:
        return
    refusal = refusal_of(response)
    if refusal.code == _LIMIT and "Concurrent" not in refusal.message:
        raise DeliveryError(
            f"Salesforce's quota of the day is used up ({refusal}); push again tomorrow, the rest waits"
        )
    if refusal.code == _LIMIT or refusal.passes:
        raise LaterError(str(refusal), wait_of(response))
    if refusal.code == "INVALID_SESSION_ID":
        raise DeliveryError(f"Salesforce refuses the token ({refusal}); put a new one into its variable")
    if response.is_redirect:
        where = redact(response.headers.get("Location", "it does not say which"))
        raise DeliveryError(f"Salesforce sends us to another place ({where}); correct push.sink.url")
    judge_status(response)
    if refusal.of_all:
        raise DeliveryError(_refused(refusal))
    raise WholeBatchError(str(refusal))
