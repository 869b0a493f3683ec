"""What Salesforce refuses, told apart by its codes: for now, for this record, or for every record alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from features.errors import DeliveryError
from pipeline.sinks.calls import judge, wait_of
from pipeline.sinks.protocol import LaterError
from pipeline.sinks.secrets import redact

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
