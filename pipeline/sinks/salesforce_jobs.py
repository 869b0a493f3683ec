"""Jobs of Salesforce's Bulk API 2.0, which update thousands of leads; a lost answer doesn't cost the whole job."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote_plus

from features.core.errors import DeliveryError
from pipeline.sinks.protocol import LaterError, Record, Value, WholeBatchError
from pipeline.sinks.salesforce_client import ADVICE, UNPROCESSED, Refusal, SalesforceClient
from pipeline.sinks.secrets import redact

Answer = TypeVar("Answer")
Result = tuple[Record, Refusal | None]
"""A record, and what Salesforce has against it."""
_JOBS = "jobs/ingest"
_UPDATE = {
    "object": "Lead", "operation": "update", "contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF"
}  # fmt: skip
_ENDED = {"JobComplete", "Failed", "Aborted"}
_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.1, 5.0, 1.5
_ATTEMPTS = 5
"""How often a question is asked that changes nothing."""


class Jobs:
    """The jobs of one organisation; ``seconds`` is how long each may take."""

    def __init__(self, client: SalesforceClient, seconds: float) -> None:
        self._client, self._call, self._seconds = client, client.call, seconds

    def update(self, records: Sequence[Record]) -> list[Result]:
        """Update leads by their id in one job; raises LaterError where nobody knows what became of it."""
        job = f"{_JOBS}/{self._call('POST', _JOBS, _UPDATE)['id']}"
        try:
            self._client.upload(f"{job}/batches", to_csv(records))
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
                    self._call("PATCH", job, {"state": "UploadComplete"})
            time.sleep(pause)
            late, pause = time.monotonic() > until + _LONGEST_PAUSE, min(pause * _GROWTH, _LONGEST_PAUSE)
            held = self._patiently(self._client.ask, "GET", job)
            if late and held["state"] not in _ENDED:
                raise LaterError(f"the bulk job came to no end within {self._seconds:g} s")
        return held

    def _abort(self, job: str) -> None:
        with suppress(LaterError, WholeBatchError, DeliveryError):
            self._call("PATCH", job, {"state": "Aborted"})

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
        text = self._patiently(self._client.ask_csv, f"{job}/{kind}")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if text.strip() and "Id" not in (reader.fieldnames or ()):
            raise LaterError(f"no list of rows came where {kind} were asked for")
        return list(reader)

    def _patiently(self, ask: Callable[..., Answer], *arguments: object) -> Answer:
        """Ask what changes nothing a few times: for one lost answer, not all rows are to be sent again."""
        pause = _FIRST_PAUSE
        for _ in range(_ATTEMPTS - 1):
            try:
                return ask(*arguments)
            except LaterError as error:
                if (error.after or 0) > _LONGEST_PAUSE:
                    raise
                time.sleep(pause if error.after is None else error.after)
            pause *= _GROWTH
        return ask(*arguments)


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
_ESCAPED = str.maketrans({
    "\\": r"\\", "'": r"\'", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\b": r"\b", "\f": r"\f",
})  # fmt: skip
"""What a text of SOQL must not hold as it is."""


class Looks:
    """Asks for the leads of keys; where a call fails, what came before it is not asked for again."""

    def __init__(self, client: SalesforceClient, key: str, fields: Sequence[str]) -> None:
        self._client, self._key = client, key
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
        return self._client.ask("POST", "composite/sobjects/Lead", asked) or []

    def _by_query(self, quoted: Sequence[str]) -> list[Any]:
        query = f"SELECT {', '.join(self._fields)} FROM Lead WHERE {self._key} IN ({','.join(quoted)})"
        answer = self._client.ask("GET", "query/", params={"q": query})
        rows = list(answer["records"])
        while not answer["done"]:
            answer = self._client.ask("GET", answer["nextRecordsUrl"])
            rows += answer["records"]
        return rows


def quoted_parts(keys: Sequence[str]) -> Iterator[list[str]]:
    """Cut keys into lists that fit into a query, each quoted as SOQL wants it.

    A key that no field can hold is left out: it would have the whole query refused, or find what is empty.
    """
    part: list[str] = []
    length = 0
    for key in keys:
        if not 0 < len(key) <= _LONGEST_KEY or "\0" in key:
            continue
        quoted = f"'{key.translate(_ESCAPED)}'"
        needed = len(quote_plus(quoted + ","))
        if part and length + needed > _LONGEST_QUERY:
            yield part
            part, length = [], 0
        part.append(quoted)
        length += needed
    if part:
        yield part
