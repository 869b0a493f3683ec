"""A real browser: Chromium, spoken to over a pipe in the DevTools protocol; it needs no port and no driver."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_READS, _WRITES = 3, 4
"""The descriptors that the browser reads commands from, and writes answers to."""


@dataclass
class Browser:
    """One page of a browser, and what it asked for and complained of since it was opened."""

    commands: IO[bytes]
    answers: Iterator[dict[str, Any]]
    session: str | None = None
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    loaded: bool = False
    number: int = 0

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Give a command and wait for its answer; events that come first are noted."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        for answer in self.answers:
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)
        raise AssertionError(f"the browser ended before it answered {method}")

    def open(self, page: Path, *, width: int, height: int = 900) -> None:
        """Open a page in a window of this size, and wait until it is loaded."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.requested, self.complaints, self.loaded = [], [], False
        self.call("Page.navigate", url=page.resolve().as_uri())
        while not self.loaded:
            self._note(next(self.answers))

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - whatever the expression gives
        """Evaluate JavaScript in the page; what it throws fails the test."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """Take a picture of the whole page, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        match event.get("method"):
            case "Page.loadEventFired":
                self.loaded = True
            case "Network.requestWillBeSent":
                self.requested.append(parameters["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(parameters["exceptionDetails"]))
            case "Log.entryAdded":
                self.complaints.append(parameters["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Page.javascriptDialogOpening":
                self.complaints.append(str(parameters))


@contextmanager
def running_browser(folder: Path) -> Iterator[Browser]:
    """Start a browser that keeps its files in ``folder``; skip where there is none, but not in CI."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        told = f"no browser on the path ({', '.join(PROGRAMS)}): install chromium to look at the pages"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    (its_end, commands), (answers, its_other_end) = os.pipe(), os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (its_end, its_other_end)]  # out of the way of 3 and 4
    os.close(its_end)
    os.close(its_other_end)

    def connect() -> None:
        os.dup2(ends[0], _READS)
        os.dup2(ends[1], _WRITES)

    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
    with (
        os.fdopen(commands, "wb") as writes,
        os.fdopen(answers, "rb") as reads,
        (folder / "browser.log").open("wb") as log,
        subprocess.Popen(
            [program, *flags, "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(_READS, _WRITES),
            preexec_fn=connect,  # noqa: PLW1509 - no thread holds a lock that this needs
        ) as process,
    ):
        for end in ends:
            os.close(end)
        try:
            browser = Browser(writes, _messages(reads))
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Network", "Runtime", "Log"):
                browser.call(f"{domain}.enable")
            yield browser
        finally:
            process.kill()


def _messages(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Read the messages, each ended by a null byte."""
    buffer = b""
    while part := os.read(stream.fileno(), 65536):
        *complete, buffer = (buffer + part).split(b"\0")
        for message in complete:
            yield json.loads(message)
