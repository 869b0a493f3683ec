"""Scores pushed to servers that take as long as real ones do, against the bare replay of the same calls.

The replay sends what our push has sent, from as many connections, and does nothing else: it is the server's own limit.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from benchmarks.measurement import ROOT, Measurement, measure
from benchmarks.results import Result, faster

sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "tests/support/crm")]  # whose servers answer as the vendors' do

_GOAL = 0.9


class _Case(NamedTuple):
    leads: int
    delay: float
    """Seconds that each answer takes."""
    seconds_a_lead: float
    """That each lead of a write takes, before it is done."""
    told: str


_CASES = {
    "odoo": _Case(20_000, 0.0, 0.03, "30 ms a lead"),
    "hubspot": _Case(10_000, 0.05, 0.0, "50 ms an answer"),
}
_CONNECTIONS = 2
"""What both sinks allow themselves."""


def push(settings: str, folder: Path, leads: int) -> float:
    """Push to leads that hold nothing yet; gives the seconds from the first score read to the run's end."""
    from pushing import Lead, write_scores  # noqa: PLC0415 - of tests/

    from pipeline.delivery.ledger import Ledger  # noqa: PLC0415 - measured in a process of its own
    from pipeline.delivery.push import Options, deliver  # noqa: PLC0415 - measured in a process of its own
    from pipeline.delivery.records import Selection  # noqa: PLC0415 - measured in a process of its own
    from pipeline.settings.push import Push  # noqa: PLC0415 - measured in a process of its own
    from pipeline.sinks.connect import connect  # noqa: PLC0415 - measured in a process of its own

    scores = write_scores(folder / "scores.parquet", {f"L{n}": Lead("SQL", n / leads) for n in range(leads)})
    content = Push.model_validate(json.loads(settings))
    sink = connect(content, folder)
    with Ledger(folder / "ledger.sqlite") as ledger:
        start = time.perf_counter()
        pushed = deliver(content, sink, ledger, scores, {}, Options(Selection({})), lambda _: None)
        seconds = time.perf_counter() - start
    assert pushed.tally.statuses == {"written": leads}
    return seconds


def replay(url: str, folder: Path) -> float:
    """Send the calls that were recorded, and wait for the answers; gives the seconds."""
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for call in json.loads((folder / "calls.json").read_text()):
        calls.put(call)

    def work() -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        while not calls.empty():
            method, path, headers, body = calls.get()
            connection.request(method, path, body, headers)
            connection.getresponse().read()

    threads = [threading.Thread(target=work) for _ in range(_CONNECTIONS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def against_replay(folder: Path, progress: Callable[[str], None]) -> Iterator[Result]:
    """Measure both at each system."""
    for kind, case in _CASES.items():
        leads = case.leads
        task = f"push of {leads:,} changed leads to {kind}, {case.told}, {_CONNECTIONS} connections"
        progress(task)
        own = folder / kind
        own.mkdir()
        ours, end = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(target=_serve, args=(kind, leads, end))
        server.start()
        settings, environment = ours.recv()
        os.environ.update(environment)
        pushed: Measurement = measure(push, json.dumps(settings), own, leads, repeats=1)
        ours.send("calls")
        (own / "calls.json").write_text(json.dumps(ours.recv()))
        replayed = measure(replay, settings["sink"]["url"], own, repeats=1)
        ours.send("stop")
        server.join()
        yield faster(task, "the bare replay of its calls", pushed, replayed, _GOAL)


def _serve(kind: str, leads: int, end: Connection) -> None:
    """Be the server until told to stop."""
    from crm_hubspot import HubSpotCrm  # noqa: PLC0415 - of tests/
    from crm_odoo import OdooCrm  # noqa: PLC0415 - likewise

    with {"odoo": OdooCrm, "hubspot": HubSpotCrm}[kind]() as crm:
        for number in range(leads):
            crm.add(f"L{number}")
        crm.delay, crm.seconds_a_lead = _CASES[kind].delay, _CASES[kind].seconds_a_lead
        settings = crm.settings
        settings["sink"]["timeout_seconds"] = 60
        end.send((settings, crm.environment))
        while end.recv() == "calls":
            end.send([_call(request) for request in crm.requests])


def _call(request: Any) -> tuple[str, str, dict[str, str], str]:  # noqa: ANN401 - of tests/
    path = request.path + (f"?{urlencode(request.parameters)}" if request.parameters else "")
    kept = {name: text for name, text in request.headers.items() if name.lower() in {"authorization", "content-type"}}
    return request.method, path, kept, request.body.decode()
