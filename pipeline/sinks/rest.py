"""Scores written to any system that takes JSON over HTTP: one call for each lead, as the settings describe it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from features.core.errors import DeliveryError, nearest
from pipeline.settings.push import Rest, RestRead
from pipeline.sinks.calls import BATCHES_A_CONNECTION, Caller
from pipeline.sinks.closed import is_closed, too_short
from pipeline.sinks.protocol import LaterError, Outcome, Record, Remote, Sink
from pipeline.sinks.rest_requests import (
    Hit,
    LacksError,
    address,
    as_value,
    filled,
    has_address,
    held,
    hits,
    told,
    unlike,
)
from pipeline.sinks.secrets import key_of_header

_UNKNOWN = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.PRECONDITION_FAILED}
"""The last is what If-Match is answered with where nothing matches."""
_REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}


class RestSink(Sink):
    """An interface over HTTP."""

    leads_a_call = 1
    creates = False

    def __init__(self, settings: Rest, mapping: Mapping[str, str], root: Path) -> None:  # noqa: ARG002 - nothing lies there
        key = key_of_header(settings.secret, "the key of push.sink") if settings.secret else ""
        place = urlsplit(settings.url)
        self.name = f"rest {place.netloc}{place.path.rstrip('/')} {settings.path}"
        self.reads, self.calls_a_day = settings.read is not None, settings.calls_a_day
        self.batch_size = settings.batch_size
        self.batches_at_once = BATCHES_A_CONNECTION * settings.connections
        self._settings, self._mapping, self._fields = settings, mapping, list(mapping.values())
        self._several = f"several leads have this {settings.key_field}"
        headers = {name: value.replace("{secret}", key) for name, value in settings.headers.items()}
        self._write_headers = {name: value.replace("{secret}", key) for name, value in settings.write_headers.items()}
        self._caller = Caller(settings.url, headers, settings.timeout_seconds, settings.connections)
        self._begun: dict[tuple[str, ...], dict[str, Remote | None]] = {}

    @property
    def calls(self) -> int:
        """How many calls have been made so far."""
        return self._caller.calls

    def read(self, keys: Sequence[str]) -> dict[str, Remote]:
        """Read the leads one by one; where a call fails, those that came before it are not read again."""
        found = self._begun.pop(tuple(keys), {})
        before = len(found)
        try:
            for key in keys:
                if key not in found:
                    found[key] = self._look(key)
        except LaterError as error:
            error.further = len(found) > before
            self._begun[tuple(keys)] = found
            raise
        return {key: remote for key, remote in found.items() if remote is not None}

    def _look(self, key: str) -> Remote | None:
        read = self._settings.read
        if read is None or not has_address(key) or isinstance(found := self._get(read, key), httpx.Response):
            return None
        if not found:
            return None
        hit, *others = found
        values = {field: as_value(hit.fields.get(field)) for field in self._fields}
        if others:
            return Remote("", values, refused=self._several)
        closed = self._settings.closed
        return Remote(hit.own_id, values, is_closed(held(hit.around, closed), closed))

    def _get(self, read: RestRead, key: str) -> list[Hit] | httpx.Response:
        """Give the leads that have a key; the answer itself where it says that there is none."""
        response = self._send("GET", address(read.path, key))
        # What is refused where nothing is written is a key that can't be one of this system's.
        if response.status_code in _UNKNOWN | _REFUSED | {HTTPStatus.NO_CONTENT}:
            return response
        if not response.is_success:
            raise DeliveryError(f"{told(response)} to GET {read.path}; correct push.sink.read.path")
        try:
            content = response.json()
        except ValueError:
            content = None
        try:
            return hits(content, read, key, self._settings.key_field)
        except LacksError as error:
            raise DeliveryError(f"what GET {read.path} answers has no {error}; correct push.sink.read") from None

    def write(self, batch: Sequence[Record]) -> Iterator[Outcome]:
        """Write the leads one by one."""
        yield from map(self._write, batch)

    def _write(self, record: Record) -> Outcome:
        settings, key, own_id = self._settings, record.key, record.remote_id
        if own_id == "":
            return Outcome(key, "rejected", self._several)
        if not has_address(key) or (own_id is not None and not has_address(own_id)):
            return Outcome(key, "skipped", "no lead can have this key")
        if own_id is None and settings.read is not None and settings.read.id is not None:
            return Outcome(key, "skipped", "no lead was found that has this key")
        fields = {
            field: round(value) if field in settings.whole and isinstance(value, float) else value
            for field, value in record.values.items()
        }
        body = filled("{fields}" if settings.body is None else settings.body, fields, key, own_id or "")
        response = self._send(settings.method, address(settings.path, key, own_id or ""), body, self._write_headers)
        if response.is_success:
            return Outcome(key, "written", remote_id=own_id or key)
        if response.status_code in _UNKNOWN:
            return Outcome(key, "skipped", told(response))
        if response.status_code in _REFUSED:
            return Outcome(key, "rejected", told(response), own_id)
        raise DeliveryError(f"{told(response)} to {settings.method} {settings.path}; correct push.sink")

    def check(self) -> list[str]:
        """Look at the sizes; see whether the system answers and takes our key, and which fields an example has."""
        sizes = self._settings.sizes
        unknown = [name for name in sizes if name not in self._fields]
        return [
            *(f"push.sink.sizes names {name}, {nearest(name, self._fields)}" for name in unknown),
            *(f"the field {name} {told}" for name, told in too_short(sizes, self._mapping)),
            *self._check_answers(),
        ]

    def _check_answers(self) -> list[str]:
        asked = self._settings.check
        try:
            response = self._send("GET", asked or "")
        except (DeliveryError, LaterError) as error:
            # Where nothing says what to ask for, any answer is one.
            answered = isinstance(error, DeliveryError) or str(error).startswith("HTTP ")
            if asked is not None or not answered:
                return [f"{urlsplit(self._settings.url).netloc}: {error}"]
        else:
            if asked is not None and not response.is_success:
                return [f"{told(response)} to GET {asked}; correct push.sink.check, or push.sink.url"]
        read = self._settings.read
        return self._check_example(read, read.example) if read and read.example else []

    def _check_example(self, read: RestRead, key: str) -> list[str]:
        try:
            found = self._get(read, key)
        except (DeliveryError, LaterError) as error:
            return [str(error)]
        if isinstance(found, httpx.Response):
            return [f"{told(found)} to GET {read.path} for {key}; correct push.sink.read.path, or its example"]
        return unlike(read, key, found, self._fields, self._settings)

    def sizes(self) -> Mapping[str, int | None]:
        """Give what the settings say."""
        return dict(self._settings.sizes)

    def setup(self) -> list[str]:
        """Raise DeliveryError: there is no common way to make fields."""
        raise DeliveryError(f"make the fields of this system by hand: {', '.join(self._fields)}")

    def _send(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        limit = self._settings.daily_limit
        try:
            return self._caller.send(method, path, json=body, headers=headers)
        except LaterError as error:
            if limit and str(error).startswith("HTTP 429") and limit.lower() in str(error).lower():
                raise DeliveryError(f"the quota of the day is used up: {error}; push again tomorrow") from None
            raise
