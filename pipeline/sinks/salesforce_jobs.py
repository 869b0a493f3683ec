"""Jobs of Salesforce's Bulk API 2.0, which update thousands of leads; a lost answer doesn't cost the whole job."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from features.core.errors import DeliveryError
from pipeline.sinks.protocol import LaterError, Record, Value, WholeBatchError
from pipeline.sinks.salesforce_client import ADVICE, UNPROCESSED, Refusal, SalesforceClient
from pipeline.sinks.secrets import redact

Result = tuple[Record, Refusal | None]
"""A record, and what Salesforce has against it."""
_ENDED = {"JobComplete", "Failed", "Aborted"}
_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.1, 5.0, 1.5
_ATTEMPTS = 5
"""How often a question is asked that changes nothing."""


class Jobs:
    """The jobs of one organisation; ``seconds`` is how long each may take."""

    def __init__(self, client: SalesforceClient, seconds: float) -> None:
        self._client, self._call, self._seconds = client, client.call, seconds

    @property
    def _api(self) -> Any:  # noqa: ANN401 - the client's own
        # The client's update() waits for a day, and gives the job up when one answer of many is lost.
        return self._client.api.bulk2.Lead._client  # noqa: SLF001

    def update(self, records: Sequence[Record]) -> list[Result]:
        """Update leads by their id in one job; raises LaterError where nobody knows what became of it."""
        job = self._call(self._api.create_job, "update")["id"]
        try:
            self._call(self._api.upload_job_data, job, to_csv(records))
            ended = self._end(job)
        except BaseException:  # nothing that was opened stays open, not even when the push is interrupted
            self._abort(job)
            raise
        return self._results(job, ended, records)

    def _end(self, job: str) -> Mapping[str, Any]:
        """Close the job and wait until it has ended, or abort it when its time is over."""
        until, pause = time.monotonic() + self._seconds, _FIRST_PAUSE
        held: Mapping[str, Any] = {"state": "Open"}
        while held["state"] not in _ENDED:
            if time.monotonic() > until:
                self._abort(job)
            elif held["state"] == "Open":
                with suppress(LaterError):  # whether that came through, the next look tells
                    self._call(self._api.close_job, job)
            time.sleep(pause)
            late, pause = time.monotonic() > until + _LONGEST_PAUSE, min(pause * _GROWTH, _LONGEST_PAUSE)
            held = self._patiently(self._api.get_job, job, is_query=False)
            if late and held["state"] not in _ENDED:
                raise LaterError(f"the bulk job came to no end within {self._seconds:g} s")
        return held

    def _abort(self, job: str) -> None:
        with suppress(LaterError, WholeBatchError, DeliveryError):
            self._call(self._api.abort_job, job, is_query=False)

    def _results(self, job: str, ended: Mapping[str, Any], records: Sequence[Record]) -> list[Result]:
        """Read which rows have failed, and which the job did not come to."""
        told = redact(str(ended.get("errorMessage") or ""))
        if ended["state"] == "Failed" and told.startswith("InvalidBatch"):
            raise DeliveryError(f"Salesforce refuses the bulk job: {told}; {ADVICE}")
        against = {row["Id"]: Refusal.of_row(row["sf__Error"]) for row in self._rows(job, "failedResults")}
        if ended["state"] == "JobComplete":
            left = {row["Id"] for row in self._rows(job, "unprocessedRecords")}
        else:  # what is known to be written is; all else is asked again
            left = {str(one.remote_id) for one in records} - {row["Id"] for row in self._rows(job, "successfulResults")}
        against |= dict.fromkeys(left - against.keys(), UNPROCESSED)
        return [(one, against.get(str(one.remote_id))) for one in records]

    def _rows(self, job: str, kind: str) -> list[dict[str, str]]:
        text = self._patiently(self._api.get_ingest_results, job, kind)
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if text.strip() and "Id" not in (reader.fieldnames or ()):
            raise LaterError(f"no list of rows came where {kind} were asked for")
        return list(reader)

    def _patiently(self, asked: Callable[..., Any], *arguments: object, **named: object) -> Any:  # noqa: ANN401 - it varies
        """Ask what changes nothing a few times: for one lost answer, not all rows are to be sent again."""
        pause = _FIRST_PAUSE
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._client.ask(asked, *arguments, **named)
            except LaterError as error:
                if (error.after or 0) > _LONGEST_PAUSE:
                    raise
                time.sleep(pause if error.after is None else error.after)
            pause *= _GROWTH
        return self._client.ask(asked, *arguments, **named)


def to_csv(records: Sequence[Record]) -> str:
    """Write records as a job takes them: a field that a record leaves alone is an empty cell, #N/A empties it."""
    names = dict.fromkeys(name for record in records for name in record.values)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, ["Id", *names], lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({"Id": record.remote_id, **{name: _cell(value) for name, value in record.values.items()}})
    return file.getvalue()


def _cell(value: Value) -> str:
    if value is None or value == "":
        return "#N/A"
    return value if isinstance(value, str) else f"{Decimal(str(value)):f}"


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
