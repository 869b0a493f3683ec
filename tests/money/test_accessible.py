"""Everybody can read the pages: axe-core finds nothing in a real browser, at any width, by day and by night."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pytest
from browser import Browser, running_browser
from world import Project

PAGES = ("index.html", "model.html", "cut-offs.html", "private/leads.html", "private/lists/*.html")
_AXE = files("axe_playwright_python").joinpath("axe.min.js")
_ASK = """async () => {
  document.querySelectorAll("details").forEach((part) => { part.open = true; });
  const found = await axe.run();
  return found.violations.map((one) => `${one.id}: ${one.help}: ${one.nodes[0].html.slice(0, 200)}`);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as started:
        yield started


def page_of(world: Project, name: str) -> Path:
    """Find a page; of the lists of today, the longest."""
    return max((world.root / "reports").glob(name), key=lambda path: path.stat().st_size)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_axe_finds_nothing(
    browser: Browser, world: Project, name: str, width: int, scheme: Literal["dark", "light"]
) -> None:
    browser.page.emulate_media(color_scheme=scheme)
    browser.open(page_of(world, name), width=width)
    browser.evaluate(_AXE.read_text(encoding="utf-8"))
    assert browser.evaluate(_ASK) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_no_wider_than_a_telephone(browser: Browser, world: Project, name: str) -> None:
    browser.open(page_of(world, name), width=390)
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390
    hidden = """Array.from(document.querySelectorAll("table.money td"))
        .filter((cell) => getComputedStyle(cell).display === "none" && cell.textContent.trim()).length"""
    assert browser.evaluate(hidden) == 0
