"""The pictures of docs/reviewing.md, of the real pages: ``python -m docs.build.reviewing``, after a comparison.

It needs a Chromium on the path, and a project that has run, with a challenger: leadcast register, leadcast compare.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

from pipeline.core.project import HERE
from pipeline.registry.mlflow import connected
from pipeline.registry.versions import CHALLENGER
from pipeline.settings.file import load_parameters

_PICTURES = Path("docs/pictures")
_PORT = "5123"
_SIZE: ViewportSize = {"width": 1600, "height": 860}
_STARTS_WITHIN = 120.0


def main() -> None:
    """Open MLflow and the newest comparison, and take the pictures."""
    comparisons = sorted(Path("reports/comparisons").glob("*-*.html"), key=lambda path: path.stat().st_mtime)
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not comparisons or program is None:
        sys.exit("there is no comparison in reports/comparisons, or no chromium: leadcast compare champion challenger")
    command = [sys.executable, "-m", "pipeline.commands.app", "ui", "--port", _PORT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            address = _address(server)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
                page = browser.new_page(viewport=_SIZE)
                page.goto(address.replace("=CHART", "=TABLE"))
                page.get_by_text("baseline:").first.wait_for()
                _take(page, "reviewing-table")
                _open_challenger(page, address.partition("#")[0])
                _take(page, "reviewing-version")
                page.goto(comparisons[-1].resolve().as_uri())
                _take(page, "reviewing-compare")
                browser.close()
        finally:
            server.terminate()


def _open_challenger(page: Page, server: str) -> None:
    """Open the version that is to be reviewed where its tags are, with a review that is written and not yet added."""
    name = load_parameters(Path("params.yaml")).evaluate.model_name
    with connected(HERE) as client:
        number = client.get_model_version_by_alias(name, CHALLENGER).version
    page.goto(f"{server}#/models/{name}/versions/{number}")
    page.get_by_placeholder("Name").fill("review")
    page.get_by_placeholder("Value").fill("approved")
    page.get_by_placeholder("Name").scroll_into_view_if_needed()


def _address(server: subprocess.Popen[str]) -> str:
    until, said = time.monotonic() + _STARTS_WITHIN, ""
    assert server.stdout is not None  # noqa: S101 - asked for above
    while time.monotonic() < until and (line := server.stdout.readline()):
        said += line.rstrip("\n")
        if found := re.search(r"open (http://\S+CHART)", said):
            return found[1]
    sys.exit(said)


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(2000)
    page.screenshot(path=str(_PICTURES / f"{name}.png"))


if __name__ == "__main__":
    main()
