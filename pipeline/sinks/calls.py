"""Calls over HTTP: counted, with a limit of time, and told apart by what is to be done next."""

from __future__ import annotations

import ssl
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from threading import BoundedSemaphore, Lock

import httpx

from features.core.errors import DeliveryError
from pipeline.sinks.protocol import LaterError
from pipeline.sinks.secrets import redact

_LONGEST = 300
"""Letters of an answer that are quoted."""


class Calls:
    """Counts calls, from any thread, and lets so many be under way at once."""

    def __init__(self, at_once: int = 1) -> None:
        self._places, self._lock = BoundedSemaphore(at_once), Lock()
        self.count = 0

    def add(self) -> None:
        """Count a call."""
        with self._lock:
            self.count += 1

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for a place, and count the call that is made in it."""
        with self._places:
            self.add()
            yield


BATCHES_A_CONNECTION = 3
"""Batches under way for each call that may be: while some wait for answers, others are made ready or entered."""


def wait_of(response: httpx.Response) -> float | None:
    """Give the seconds that Retry-After asks for, be it a number or a date; None without it."""
    text = response.headers.get("Retry-After")
    if text is None:
        return None
    try:
        return max(float(text), 0.0)
    except ValueError:
        pass
    try:
        return max((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None


def judge_status(response: httpx.Response) -> None:
    """Raise LaterError for 408, 429 and 5xx, and DeliveryError where the sink itself is refused (401, 403, 407)."""
    status, told = response.status_code, quote(response.status_code, response.text)
    if (
        status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        raise LaterError(told, wait_of(response))
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}:
        raise DeliveryError(
            f"the system refuses our key or our rights: {told}; check the secret and what its user may do"
        )


def judge(response: httpx.Response) -> None:
    """Raise what ``judge_status`` does, and DeliveryError where a page answers in the place of an interface."""
    judge_status(response)
    if response.is_success and "html" in response.headers.get("Content-Type", ""):
        raise DeliveryError("a page answers, as for people, and no interface; check push.sink.url")


def quote(status: int, text: str) -> str:
    """Give a short quotation of an answer, without what is secret."""
    told = " ".join(redact(text).split())
    return f"HTTP {status}" + (f": {told[:_LONGEST]}" if told else "")


@cache
def _trusted() -> ssl.SSLContext:
    """Read whom the system trusts, or SSL_CERT_FILE names: that takes longer than a call, and is the same for all."""
    return httpx.create_ssl_context()


class Caller:
    """A client of one server, for all threads; ``judge`` raises what an answer calls for."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        timeout: float,
        connections: int,
        judge: Callable[[httpx.Response], None] = judge,
    ) -> None:
        self._client = httpx.Client(base_url=base_url, headers=headers, timeout=timeout, verify=_trusted())
        self._calls, self._judge = Calls(connections), judge
        weakref.finalize(self, self._client.close)

    @property
    def calls(self) -> int:
        """How many calls have been made so far."""
        return self._calls.count

    def send(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Make a call and give its answer, which may be a refusal of what was asked.

        Raises what ``judge`` does, and LaterError where no answer comes.
        """
        try:
            with self._calls.one():
                response = self._client.request(
                    method, path, json=json, content=content, headers=headers, params=params
                )
        except httpx.TimeoutException:
            raise LaterError("no answer in time", is_timeout=True) from None
        except httpx.RequestError as error:  # an answer that can't be unpacked, too
            raise LaterError(_without_answer(error)) from None
        self._judge(response)
        return response


def _without_answer(error: Exception) -> str:
    """Say why no answer came; what TLS has against the server stands at the root of the error."""
    root: BaseException | None = error
    while root is not None and not isinstance(root, ssl.SSLError):
        root = root.__cause__ or root.__context__
    if root is not None:
        return f"no secure connection: {redact(repr(root))}"
    return f"the connection broke, and no answer came: {redact(str(error))}"
