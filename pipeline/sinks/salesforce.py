"""Scores written to Salesforce's leads, through simple-salesforce: few by composite calls, many by a bulk job.

Leads are looked up by the field that holds our lead_id and written by Salesforce's id, so that none is ever made.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from features.errors import DeliveryError
from pipeline.push_configuration import Salesforce
from pipeline.sinks.calls import BATCHES_A_CONNECTION
from pipeline.sinks.closed import is_closed
from pipeline.sinks.protocol import LaterError, Outcome, Record, Remote, WholeBatchError
from pipeline.sinks.salesforce_client import SalesforceClient
from pipeline.sinks.salesforce_fields import missing, problems, quoted_parts
from pipeline.sinks.secrets import redact

_ID = re.compile(r"[0-9A-Za-z]{15}([0-9A-Za-z]{3})?")
_SHORT_ID = 15
"""The letters of an id that tell; three more are a checksum, and may be missing."""
_CONNECTIONS = 2
_BULK_FROM = 2_000
_POLL_SECONDS = 0.5
_GONE = ("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "CANNOT_UPDATE_CONVERTED_LEAD")
_LOCKED = "UNABLE_TO_LOCK_ROW"


class SalesforceSink:
    """The leads of an organisation."""

    reads, creates = True, False
    batch_size = 10_000
    leads_a_call = 200
    batches_at_once = BATCHES_A_CONNECTION * _CONNECTIONS

    def __init__(self, settings: Salesforce, mapping: Mapping[str, str], _root: Path) -> None:
        self._settings, self._mapping = settings, mapping
        self._client = SalesforceClient(settings, _CONNECTIONS)
        self._call, self._api = self._client.call, self._client.api
        self.name = f"salesforce {urlsplit(settings.url).netloc} Lead"
        self.calls_a_day = settings.calls_a_day

    @property
    def calls(self) -> int:
        """How many calls have been made so far."""
        return self._client.calls

    def read(self, keys: Sequence[str]) -> dict[str, Remote]:
        """Give the leads of the keys; a key that two leads have names neither."""
        field, closed = self._settings.key_field, self._settings.closed
        names = list(dict.fromkeys(["Id", field, *self._mapping.values(), *closed]))
        short = _SHORT_ID if field == "Id" else None
        wanted = {key: key[:short] for key in keys if field != "Id" or _ID.fullmatch(key)}
        found: dict[str, Remote] = {}
        twice = set()
        for part in quoted_parts(list(wanted)):
            query = f"SELECT {', '.join(names)} FROM Lead WHERE {field} IN ({', '.join(part)})"
            for row in self._call(self._api.query_all, query)["records"]:
                key = str(row[field])[:short]
                if key in found:
                    twice.add(key)
                values = {name: row[name] for name in self._mapping.values()}
                found[key] = Remote(row["Id"], values, is_closed(row, closed))
        return {key: found[own] for key, own in wanted.items() if own in found and own not in twice}

    def write(self, batch: Sequence[Record]) -> Iterator[Outcome]:
        """Write by composite calls of 200, or many by one job; what is locked is to be asked again."""
        write = self._write_in_bulk if len(batch) >= _BULK_FROM else self._write_composite
        waiting = yield from write(batch)
        if waiting:
            raise LaterError(f"{waiting} leads are locked, or were not come to")

    def _write_composite(self, batch: Sequence[Record]) -> Generator[Outcome, None, int]:
        locked = 0
        for first in range(0, len(batch), self.leads_a_call):
            part = batch[first : first + self.leads_a_call]
            records = [{"attributes": {"type": "Lead"}, "id": one.remote_id, **one.values} for one in part]
            content = {"allOrNone": False, "records": records}
            results = self._call(self._api.restful, "composite/sobjects", method="PATCH", json=content)
            for record, result in zip(part, results, strict=True):
                errors = result.get("errors") or ()
                if any(error["statusCode"] == _LOCKED for error in errors):
                    locked += 1
                else:
                    told = "; ".join(f"{error['statusCode']}: {error['message']}" for error in errors)
                    yield _outcome(record, None if result["success"] else told)
        return locked

    def _write_in_bulk(self, batch: Sequence[Record]) -> Generator[Outcome, None, int]:
        """Write by a job, and read which rows have failed, and which it did not come to."""
        rows = [
            {"Id": one.remote_id, **{name: "#N/A" if value is None else value for name, value in one.values.items()}}
            for one in batch
        ]
        bulk = self._api.bulk2.Lead
        bulk._client.DEFAULT_WAIT_TIMEOUT_SECONDS = self._settings.job_seconds  # noqa: SLF001 - a day, otherwise
        try:
            jobs = self._call(bulk.update, records=rows, wait=_POLL_SECONDS)
        except WholeBatchError as error:  # the job has failed, or was not done in time: its rows tell nothing
            raise LaterError(f"the bulk job came to no end: {error}") from None
        failed: dict[str, str] = {}
        waiting: set[str] = set()
        for job in jobs:
            failed |= {row["Id"]: row["sf__Error"] for row in _csv(self._call(bulk.get_failed_records, job["job_id"]))}
            waiting |= {row["Id"] for row in _csv(self._call(bulk.get_unprocessed_records, job["job_id"]))}
        waiting |= {number for number, told in failed.items() if told.startswith(_LOCKED)}
        for record in batch:
            if record.remote_id not in waiting:
                yield _outcome(record, failed.get(str(record.remote_id)))
        return len(waiting)

    def check(self) -> list[str]:
        """Look at the fields of a lead, and at what is left of the quota."""
        try:
            held = self._held()
            left = self._call(self._api.limits).get("DailyApiRequests", {}).get("Remaining", 1)
        except (DeliveryError, LaterError, WholeBatchError) as error:
            return [str(error)]
        used_up = [] if left else ["the organisation's calls of the day are used up; push tomorrow"]
        return [*used_up, *problems(held, self._settings.key_field, self._mapping)]

    def setup(self) -> list[str]:
        """Make the custom fields that are missing; who may see and write them is granted in the profiles."""
        made = []
        for name, definition in missing(self._held(), self._mapping):
            try:
                self._call(self._api.restful, "tooling/sobjects/CustomField", method="POST", json=definition)
            except WholeBatchError as error:
                raise DeliveryError(f"{name} can't be made: {error}; make it by hand in the Object Manager") from None
            made.append(f"field {name} of Lead; grant it to the profiles that shall see it, and to the pushing user")
        return made

    def _held(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self._call(self._api.Lead.describe)["fields"]}


def _outcome(record: Record, error: str | None) -> Outcome:
    if error is None:
        return Outcome(record.key, "written", None, record.remote_id)
    gone = any(code in error for code in _GONE)
    return Outcome(record.key, "skipped" if gone else "rejected", redact(error), record.remote_id)


def _csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))
