"""Scores written to Salesforce's leads: few by composite calls, many by a bulk job.

Leads are looked up by the field that holds our lead_id and written by Salesforce's id, so that none is ever made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from features.core.errors import DeliveryError
from pipeline.settings.push import Salesforce
from pipeline.sinks.calls import BATCHES_A_CONNECTION
from pipeline.sinks.closed import is_closed
from pipeline.sinks.protocol import LaterError, Outcome, Record, Remote, Sink, WholeBatchError
from pipeline.sinks.salesforce_client import ADVICE, Refusal, SalesforceClient
from pipeline.sinks.salesforce_fields import lengths, missing, problems, used_up
from pipeline.sinks.salesforce_jobs import Jobs, Looks, Result

_ID = re.compile(r"00Q[0-9A-Za-z]{12}([0-9A-Za-z]{3})?")
_SHORT_ID = 15
"""The letters of an id that tell; three more are a checksum, and may be missing."""
_CONNECTIONS = 2
_MOST_COMPOSITE, _BULK_FROM = 200, 2_000
"""How many leads a composite call takes, and from how many on a job costs less."""
_GRANT = "give the pushing user, and who shall see it, access to the field: field-level security, in a permission set"


class SalesforceSink(Sink):
    """The leads of an organisation."""

    reads, creates = True, False
    batches_at_once = BATCHES_A_CONNECTION * _CONNECTIONS

    def __init__(self, settings: Salesforce, mapping: Mapping[str, str], _root: Path) -> None:
        self._settings, self._mapping, self._key = settings, mapping, settings.key_field
        self._client = SalesforceClient(settings, _CONNECTIONS)
        self._jobs = Jobs(self._client, settings.job_seconds)
        self._looks = Looks(self._client, self._key, [*mapping.values(), *settings.closed])
        self._lead: Mapping[str, Any] = {}
        self._several = f"several leads have this {self._key}"
        self.name = f"salesforce {urlsplit(settings.url).netloc} Lead"
        self.calls_a_day, self.batch_size = settings.calls_a_day, settings.batch_size
        self.leads_a_call = min(_MOST_COMPOSITE, settings.batch_size)

    @property
    def calls(self) -> int:
        """How many calls have been made so far."""
        return self._client.calls

    def read(self, keys: Sequence[str]) -> dict[str, Remote]:
        """Give the leads of the keys; a key that several leads have names none of them, so it has no id."""
        short = _SHORT_ID if self._key == "Id" else None
        wanted = {key: key[:short] for key in keys if self._key != "Id" or _ID.fullmatch(key)}
        found: dict[str, Remote] = {}
        for row in self._looks.rows(list(dict.fromkeys(wanted.values()))):
            key = str(row[self._key])[:short]
            values = {name: row.get(name) for name in self._mapping.values()}
            if key in found:
                found[key] = Remote("", values, refused=self._several)
            else:
                found[key] = Remote(row["Id"], values, is_closed(row, self._settings.closed))
        return {key: found[own] for key, own in wanted.items() if own in found}

    def write(self, batch: Sequence[Record]) -> Iterator[Outcome]:
        """Write by composite calls of 200, or many by one job; what is locked is to be asked again."""
        waiting: list[Refusal] = []
        yield from (Outcome(one.key, "rejected", self._several) for one in batch if one.remote_id == "")
        for results in self._send([one for one in batch if one.remote_id != ""]):
            of_all: Refusal | None = None
            for record, refusal in results:
                if refusal is None:
                    yield Outcome(record.key, "written", None, record.remote_id)
                elif refusal.passes:
                    waiting.append(refusal)
                elif refusal.of_all:
                    of_all = refusal
                else:
                    yield Outcome(record.key, "skipped" if refusal.gone else "rejected", str(refusal), record.remote_id)
            if of_all:
                raise DeliveryError(f"Salesforce refuses a field of every lead: {of_all}; {ADVICE}")
        if waiting:
            raise LaterError(f"{len(waiting)} leads were not written for now: {waiting[0]}")

    def _send(self, batch: Sequence[Record]) -> Iterator[Iterable[Result]]:
        if len(batch) >= _BULK_FROM:
            yield self._jobs.update(batch)
            return
        for first in range(0, len(batch), self.leads_a_call):
            part = batch[first : first + self.leads_a_call]
            records = [{"attributes": {"type": "Lead"}, "id": one.remote_id, **one.values} for one in part]
            content = {"allOrNone": False, "records": records}
            results = self._client.call("PATCH", "composite/sobjects", content)
            if not isinstance(results, list) or len(results) != len(part):
                raise LaterError("the answer doesn't say what became of each lead")
            refusals = (None if one["success"] else Refusal.of(one["errors"][0]) for one in results)
            yield zip(part, refusals, strict=True)

    def check(self) -> list[str]:
        """Look at the fields of a lead, at our rights, and at what is left of the quota."""
        try:
            return [*problems(self._described(), self._settings, self._mapping), *used_up(self._limits())]
        except (DeliveryError, LaterError) as error:
            return [str(error)]

    def _limits(self) -> Mapping[str, Any]:
        try:
            limits: Mapping[str, Any] = self._client.ask("GET", "limits/")
        except DeliveryError:  # to see them is a right that writing leads doesn't need
            return {}
        return limits

    def sizes(self) -> Mapping[str, int | None]:
        """Tell how many letters the fields of texts take, as the check has seen them."""
        return lengths(self._lead or self._described(), self._mapping)

    def missing(self) -> list[str]:
        """List the custom fields that are not there, or that the user may not see."""
        return [name for name, _ in self._missing()]

    def setup(self) -> list[str]:
        """Make the custom fields that are missing; who may see and write them is for the administrator to say."""
        return [self._make(name, definition) for name, definition in self._missing()]

    def _missing(self) -> list[tuple[str, dict[str, object]]]:
        return list(missing({one["name"] for one in self._described()["fields"]}, self._mapping))

    def _make(self, name: str, definition: Mapping[str, object]) -> str:
        try:
            self._client.call("POST", "tooling/sobjects/CustomField", definition)
        except (WholeBatchError, DeliveryError) as error:
            if "DUPLICATE_DEVELOPER_NAME" in str(error):  # describe shows no field that the user may not see
                return f"field {name} of Lead was there already, unseen; {_GRANT}"
            raise DeliveryError(f"{name} can't be made: {error}; make it by hand in the Object Manager") from None
        return f"field {name} of Lead; {_GRANT}"

    def _described(self) -> Mapping[str, Any]:
        self._lead = self._client.ask("GET", "sobjects/Lead/describe")
        return self._lead
