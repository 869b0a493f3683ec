"""Servers that answer as a CRM does, on loopback, with state and with faults: what the sinks are tested against.

A CRM is a subclass of ``CrmServer`` with one method, ``answer``. The faults lie in the server and on the wire, never in
our code: what is lost there is lost for any client.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

PATIENT, IMPATIENT = 30, 1
"""Seconds that a sink waits for an answer: more than a busy machine ever needs, and where answers come too late on
purpose less than these take."""
KINDS = ("429", "500", "503", "cut before", "cut after", "half an answer", "no answer in time")
"""The faults: refusals before anything is done; a connection that breaks before or after it is done; an answer that
breaks off, or comes too late, after it is done."""


@dataclass(frozen=True)
class Request:
    """What came."""

    method: str
    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever came
        """Give the body."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Answer:
    """What goes back: JSON, or text."""

    content: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Faults:
    """Which calls go wrong: those of ``planned``, by their number from 1, and a share of all, drawn with a seed."""

    planned: dict[int, str] = field(default_factory=dict)
    share: float = 0.0
    kinds: tuple[str, ...] = KINDS
    seed: int = 7
    retry_after: str | None = "0"
    too_soon: int = 0
    """Calls that came before the time was over for which a refusal had asked."""
    wait_until: float = 0.0
    """What a 429 or 503 says."""
    late: float = 1.5
    """Seconds until an answer comes that is too late."""
    kill: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Calls at which a process is killed: before or after the work, or answered; and its number."""
    happened: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - no secret

    def of(self, call: int) -> str | None:
        """Say what happens to a call."""
        kind = self.planned.pop(call, None)
        if kind is None and self._random.random() < self.share:
            kind = self._random.choice(self.kinds)
        if kind:
            self.happened[kind] += 1
        return kind


class CrmServer:
    """A server on a free port of this machine while the context lasts."""

    token = "s3cret-T0ken-of-the-tests"  # noqa: S105 - of a server that lives as long as a test

    def __init__(self) -> None:
        self.leads: dict[str, dict[str, Any]] = {}
        """What the CRM holds: the fields of each lead, by its own id."""
        self.faults = Faults()
        self.delay = 0.0
        """Seconds that each answer takes."""
        self.seconds_a_lead = 0.0
        """That each lead of a write takes, before it is done."""
        self.requests: list[Request] = []
        self.lock = threading.RLock()

    def answer(self, request: Request) -> Answer:
        """Do what is asked; called under the lock."""
        raise NotImplementedError

    def sync(self) -> None:
        """Do nothing: what is written is there."""

    def limited(self) -> Answer:
        """Say that there are too many calls."""
        headers = {"Retry-After": self.faults.retry_after} if self.faults.retry_after is not None else {}
        return Answer({"message": "too many requests"}, 429, headers)

    @property
    def calls(self) -> int:
        """How many calls came."""
        return len(self.requests)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, request: Request, connection: socket.socket) -> Answer | None:
        """Do what is asked, or what goes wrong; None where nothing goes back."""
        with self.lock:
            self.requests.append(request)
            number = len(self.requests)
        if self.seconds_a_lead and _is_write(request):
            time.sleep(self.seconds_a_lead * _longest_list(request.json()))
        with self.lock:
            fault = self.faults.of(number)
            self.faults.too_soon += time.monotonic() < self.faults.wait_until
            when, process = self.faults.kill.get(number, ("", 0))
            if when == "before":
                os.kill(process, signal.SIGKILL)
                return None
            if fault == "cut before":
                _cut(connection)
                return None
            if fault == "429":
                self.faults.wait_until = time.monotonic() + float(self.faults.retry_after or 0)
                return self.limited()
            if fault in {"500", "503"}:
                headers = {"Retry-After": self.faults.retry_after} if fault == "503" and self.faults.retry_after else {}
                return Answer({"message": "out of order"}, int(fault), headers)
            answer = self.answer(request)
        if when == "after":
            os.kill(process, signal.SIGKILL)
            return None
        if fault == "cut after":
            _cut(connection)
            return None
        if fault == "half an answer":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n{")
            _cut(connection)
            return None
        time.sleep(self.faults.late if fault == "no answer in time" else self.delay)
        return answer

    def answered(self, number: int) -> None:
        """Kill who has just been answered, where that was planned."""
        when, process = self.faults.kill.get(number, ("", 0))
        if when == "answered":
            os.kill(process, signal.SIGKILL)


def _is_write(request: Request) -> bool:
    return request.method in {"PATCH", "PUT"} or any(
        word in f"{request.path} {request.body[:400]!r}" for word in _WRITES
    )


_WRITES = ("/update", "/load", '"load"')
"""What a call that writes many leads has in its path or near the start of its body."""


def _longest_list(content: object) -> int:
    """Tell how many leads a call is about: the length of its longest list, or one."""
    if isinstance(content, dict):
        return max(map(_longest_list, content.values()), default=1)
    if isinstance(content, list):
        return max(len(content), *map(_longest_list, content), 1)
    return 1


def _cut(connection: socket.socket) -> None:
    """Break the connection without a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _handler_of(server: CrmServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, parts.path, dict(parse_qsl(parts.query)), dict(self.headers), body)
            answer = server.take(request, self.connection)
            if answer is None:
                self.close_connection = True
                return
            content = answer.content
            payload = (
                content.encode()
                if isinstance(content, str)
                else b""
                if content is None
                else json.dumps(content).encode()
            )
            try:
                self.send_response(answer.status)
                kind = "text/csv" if isinstance(content, str) else "application/json"
                for name, value in {
                    "Content-Type": kind,
                    "Content-Length": str(len(payload)),
                    **answer.headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(payload)
                self.wfile.flush()
            except OSError:
                self.close_connection = True  # who asked has gone
                return
            server.answered(len(server.requests))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - as http.server wants them

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - http.server's own name
            """Say nothing."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:
                self.close_connection = True

    return Handler
