"""A real browser: the Chromium that is installed, led by Playwright; nothing is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Browser:
    """One page of a browser, and what it asked for and complained of since it was opened."""

    page: Page
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))

    def open(self, page: Path, *, width: int, height: int = 900) -> None:
        """Open a page in a window of this size, and wait until it is loaded."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.requested.clear()
        self.complaints.clear()
        self.page.goto(page.resolve().as_uri())

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - whatever the expression gives
        """Evaluate JavaScript in the page; what it throws fails the test."""
        return self.page.evaluate(expression)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start a browser; skip where there is none, but not in CI."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        told = f"no browser on the path ({', '.join(PROGRAMS)}): install chromium to look at the pages"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield Browser(browser.new_page())
        finally:
            browser.close()
