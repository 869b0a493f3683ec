"""Leads looked up in Salesforce: by its ids in calls of 2,000, by any other field in queries that fit a URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pipeline.sinks.protocol import LaterError
from pipeline.sinks.salesforce_client import SalesforceClient

_MOST_IDS = 2_000
_LONGEST_QUERY = 12_000
"""Letters, as a URL has them: Salesforce takes 16,384 in all."""
_LONGEST_KEY = 255


class Looks:
    """Asks for the leads of keys; where a call fails, what came before it is not asked for again."""

    def __init__(self, client: SalesforceClient, key: str, fields: Sequence[str]) -> None:
        self._client, self._api, self._key = client, client.api, key
        self._fields = list(dict.fromkeys(["Id", key, *fields]))
        self._begun: dict[tuple[str, ...], list[list[Any]]] = {}

    def rows(self, keys: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """Give what the leads hold; raises LaterError where an answer is missing."""
        answers = self._begun.pop(tuple(keys), [])
        before = len(answers)
        parts = list(self._parts(keys))
        look = self._by_id if self._key == "Id" else self._by_query
        try:
            for part in parts[before:]:
                answers.append(look(part))
        except LaterError as error:
            error.further = len(answers) > before
            self._begun[tuple(keys)] = answers
            raise
        return (row for answer in answers for row in answer if row is not None)  # None: there is no such lead

    def _parts(self, keys: Sequence[str]) -> Iterator[Sequence[str]]:
        if self._key == "Id":
            return (keys[first : first + _MOST_IDS] for first in range(0, len(keys), _MOST_IDS))
        return quoted_parts(keys)

    def _by_id(self, ids: Sequence[str]) -> list[Any]:
        asked = {"ids": ids, "fields": self._fields}
        return self._client.ask(self._api.restful, "composite/sobjects/Lead", method="POST", json=asked) or []

    def _by_query(self, quoted: Sequence[str]) -> list[Any]:
        query = f"SELECT {', '.join(self._fields)} FROM Lead WHERE {self._key} IN ({','.join(quoted)})"
        return list(self._client.ask(self._api.query_all, query)["records"])


def quoted_parts(keys: Sequence[str]) -> Iterator[list[str]]:
    """Cut keys into lists that fit into a query, each quoted as SOQL wants it.

    A key that no field can hold is left out: it would have the whole query refused, or find what is empty.
    """
    from simple_salesforce.format import quote_soql_value  # noqa: PLC0415 - an extra

    part: list[str] = []
    length = 0
    for key in keys:
        if not 0 < len(key) <= _LONGEST_KEY or "\0" in key:
            continue
        quoted = quote_soql_value(key)
        needed = len(quote(quoted + ","))
        if part and length + needed > _LONGEST_QUERY:
            yield part
            part, length = [], 0
        part.append(quoted)
        length += needed
    if part:
        yield part
