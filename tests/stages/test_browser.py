"""The pages in a real browser, at the width of a desk and of a phone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from browser import Browser, running_browser
from hostile import rename_leads
from world import Project

from features.core.schema import WORKED
from pipeline.report.looked_up import last_acts

PAGES = ("index.html", "model.html", "private/leads.html")
LEADS = "reports/private/leads.html"
DESK, PHONE = 1280, 390


def worked_on(scored: pd.DataFrame) -> pd.DataFrame:
    """Give the leads of the page of leads: of those that were lost and are due it has a table of its own."""
    worked = scored["tier"].isin(WORKED) | (scored["list"] == "sales")
    return scored[worked & scored["probability"].notna()]


@pytest.fixture(scope="module")
def project(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Make a report of leads, and of milestones, whose names would run."""
    project = world.copy_to(tmp_path_factory.mktemp("browser") / "project", leave_out=("raw",))
    project = project.with_settings(
        {"episodes.milestones": {"<img src=x onerror=document.title='ran'>" + "long" * 40: ["meeting"]}}
    )
    recommended = pq.read_table(project.root / "data/recommendations.parquet", columns=["lead_id"])
    rename_leads(project, recommended["lead_id"].to_pylist())
    project.run("snapshots", "recommend", "report")
    return project


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture(
    params=[(page, width) for page in PAGES for width in (DESK, PHONE)], ids=lambda case: "-".join(map(str, case))
)
def opened(request: pytest.FixtureRequest, browser: Browser, project: Project) -> tuple[Browser, Path]:
    """Open each page at each width."""
    page, width = request.param
    path = project.root / "reports" / page
    browser.open(path, width=width)
    return browser, path


def test_a_page_asks_the_network_for_nothing_and_has_no_complaints(opened: tuple[Browser, Path]) -> None:
    browser, path = opened
    assert [url for url in browser.requested if not url.startswith("data:")] == [path.resolve().as_uri()]
    assert browser.complaints == []


def test_a_page_is_no_wider_than_its_window(opened: tuple[Browser, Path]) -> None:
    browser, _ = opened
    root = "document.documentElement"
    assert browser.evaluate(f"[{root}.scrollWidth <= innerWidth, {root}.scrollHeight > 800]") == [True, True]
    outside = browser.evaluate(
        "Array.from(document.querySelectorAll('body *'))"
        ".filter((element) => !element.closest('.scroll') && element.getBoundingClientRect().right > innerWidth)"
        ".map((element) => element.outerHTML.slice(0, 80))"
    )
    assert outside == []


def test_nothing_is_cut_off_on_paper(opened: tuple[Browser, Path]) -> None:
    browser, path = opened
    try:
        browser.page.emulate_media(media="print")
        browser.open(path, width=700)  # of A4, without the margins
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    finally:
        browser.page.emulate_media(media="null")


def test_what_is_written_can_be_read(opened: tuple[Browser, Path]) -> None:
    """Contrast of at least 4.5 (WCAG 2.2, level AA), and no text below 12 pixels."""
    browser, _ = opened
    measured: list[dict[str, Any]] = browser.evaluate("""(() => {
        const light = (colour) => {
            const [red, green, blue] = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
                .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        };
        const behind = (element) => {
            const colour = getComputedStyle(element).backgroundColor;
            return colour === "rgba(0, 0, 0, 0)" ? behind(element.parentElement) : colour;
        };
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const measured = [];
        while (texts.nextNode()) {
            const element = texts.currentNode.parentElement;
            if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.matches("script")) continue;
            const style = getComputedStyle(element);
            const [low, high] = [light(style.color), light(behind(element))].sort((one, other) => one - other);
            const contrast = (high + 0.05) / (low + 0.05);
            measured.push({text: texts.currentNode.data.slice(0, 40), contrast, size: parseFloat(style.fontSize)});
        }
        return measured;
    })()""")
    assert len(measured) > 100
    assert [text for text in measured if text["contrast"] < 4.5 or text["size"] < 12] == []


def test_a_page_can_be_heard(opened: tuple[Browser, Path]) -> None:
    """What a screen reader needs: a language, one heading above all, no level left out, named pictures and cells."""
    browser, _ = opened
    assert browser.evaluate("document.documentElement.lang") == "en"
    assert "width=device-width" in browser.evaluate("document.querySelector('meta[name=viewport]').content")
    levels = browser.evaluate("Array.from(document.querySelectorAll('h1,h2,h3,h4'), (heading) => +heading.tagName[1])")
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert browser.evaluate("document.querySelectorAll('th:not([scope])').length") == 0
    assert browser.evaluate("Array.from(document.images).every((image) => image.alt.length > 20)")
    assert browser.evaluate("Array.from(document.querySelectorAll('.scroll')).every((part) => part.ariaLabel)")
    assert browser.evaluate("Array.from(document.querySelectorAll('input')).every((input) => input.labels.length)")


def test_links_lead_to_what_is_there(opened: tuple[Browser, Path]) -> None:
    browser, path = opened
    asked = "Array.from(document.querySelectorAll('[href]{}'), (link) => link.getAttribute('href'))"
    links = browser.evaluate(asked.format(":not([data-once-made])"))
    assert set(browser.evaluate(asked.format("[data-once-made]"))) <= {"comparisons/actors.txt"}
    for link in links:
        if link.startswith("#"):
            assert browser.evaluate(f"document.querySelectorAll('{link}').length") == 1, link
        elif link != "data:,":
            assert ":" not in link, "only files of the project"
            assert (path.parent / link).exists(), link
    assert len(links) >= 2


def test_names_are_shown_and_not_run(opened: tuple[Browser, Path], project: Project) -> None:
    browser, path = opened
    titles = ("Leads, sales and money", "Does a lead convert within 30 days?", "Recommended leads")
    assert browser.evaluate("document.title") == titles[PAGES.index(str(path.relative_to(project.root / "reports")))]
    assert browser.evaluate("document.querySelectorAll('img[src=x], tbody script').length") == 0
    shown = browser.evaluate("Array.from(document.querySelectorAll('tbody th'), (cell) => cell.textContent)")
    assert browser.evaluate("document.querySelectorAll('details script, details img').length") == 0
    if path.name == "index.html":
        return
    if path.name == "model.html":
        assert [name for name in shown if name.startswith("<img src=x onerror=document.title='ran'>")]
        return
    scored = pq.read_table(project.root / "data/recommendations.parquet").to_pandas()
    worked = worked_on(scored)
    called = worked["list"] == "sales"
    in_order = pd.concat([worked[called].sort_values("rank"), worked[~called]])
    # A page of text has one kind of line end.
    expected = [name.replace("\r", "\n") for name in in_order["lead_id"]]
    assert shown == expected
    assert "<script>document.title='ran'</script>" in shown


def test_a_page_runs_no_script_but_its_own(opened: tuple[Browser, Path]) -> None:
    browser, _ = opened
    browser.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
    assert browser.evaluate("window.ran") is None
    assert "Content Security Policy" in "".join(browser.complaints)


def test_the_pictures_of_the_page_are_there(browser: Browser, project: Project) -> None:
    browser.open(project.root / "reports/model.html", width=PHONE)
    widths = browser.evaluate("Array.from(document.images, (image) => image.naturalWidth)")
    assert len(widths) == 4
    assert min(widths) > 400


@pytest.mark.parametrize("name", ["index.html", "model.html"])
def test_the_page_names_no_lead(browser: Browser, project: Project, name: str) -> None:
    browser.open(project.root / "reports" / name, width=DESK)
    text = browser.evaluate("document.documentElement.outerHTML")
    leads = pq.read_table(project.root / "data/leads.parquet", columns=["lead_id"])["lead_id"].to_pylist()
    assert len(leads) > 1000
    assert [lead for lead in leads if lead in text] == []


def rows_shown(browser: Browser) -> list[str]:
    """Give the tiers of the rows that are to be seen."""
    rows: list[str] = browser.evaluate(
        "Array.from(document.querySelectorAll('tbody')).filter((lead) => lead.checkVisibility())"
        ".map((lead) => lead.dataset.tier)"
    )
    return rows


def test_without_a_browser_a_person_goes_on_and_ci_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="install chromium"), running_browser():
        pass
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="install chromium"), running_browser():
        pass


def test_no_page_calls_what_leads_did_by_its_name_in_the_log(browser: Browser, project: Project) -> None:
    log = pq.read_table(project.root / "data/interactions.parquet", columns=["event_type"])["event_type"]
    names = [name for name in log.unique().to_pylist() if "_" in name]
    assert len(names) > 10
    for page in PAGES:
        browser.open(project.root / "reports" / page, width=DESK)
        browser.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        text = browser.evaluate("document.body.innerText")
        assert [name for name in names if name in text] == [], page
    assert "Looked at the prices on " in text


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_leads_are_found_by_tier_and_by_words(browser: Browser, project: Project, width: int) -> None:
    scored = pq.read_table(project.root / "data/recommendations.parquet").to_pandas()
    counts = scored["tier"].value_counts()
    browser.open(project.root / "reports/private/leads.html", width=width)
    assert len(rows_shown(browser)) == len(worked_on(scored))
    browser.evaluate("document.querySelector('input[value=SQL]').click()")
    assert rows_shown(browser) == ["SQL"] * counts["SQL"]
    browser.evaluate("document.querySelector('input[value=\"\"]').click()")
    worked = worked_on(scored)
    acts = last_acts(project, worked["lead_id"].tolist(), worked["as_of"].iloc[0].to_pydatetime())
    labels = project.parameters.words.labels
    done = [labels.verb(acts[lead].event_type) if lead in acts else "" for lead in worked["lead_id"]]
    texts = [
        " ".join(
            [lead.lead_id, act, *lead.reasons_for, *lead.reasons_against, *lead.facts, str(lead.what_changed)]
        ).lower()
        for lead, act in zip(worked.itertuples(), done, strict=True)
    ]
    found = sum("prices" in text and "meeting" in text for text in texts)
    assert 0 < found < len(texts)
    browser.evaluate("document.getElementById('search').focus()")
    browser.page.keyboard.insert_text("Prices meeting")
    assert len(rows_shown(browser)) == found
    assert browser.evaluate("document.getElementById('told').textContent") == f"{found} of {len(texts)} shown"
    browser.page.keyboard.insert_text(" no such words")
    assert rows_shown(browser) == []


def test_leads_are_found_by_who_works_on_them(browser: Browser, project: Project) -> None:
    scored = pq.read_table(project.root / "data/recommendations.parquet").to_pandas()
    worked = worked_on(scored)
    owner, count = next(iter(worked["owner"].value_counts().items()))
    browser.open(project.root / LEADS, width=DESK)
    browser.page.select_option("#owner", label=f"{owner} ({count})")
    assert len(rows_shown(browser)) == count
    browser.evaluate("document.querySelector('input[value=MQL]').click()")
    both = (worked["owner"] == owner) & (worked["tier"] == "MQL")
    assert rows_shown(browser) == ["MQL"] * both.sum()
    assert browser.evaluate("document.getElementById('told').textContent") == f"{both.sum()} of {len(worked)} shown"
    browser.evaluate("document.querySelector('input[value=\"\"]').click()")
    if worked["owner"].isna().any():
        browser.page.select_option("#owner", label=f"nobody yet ({worked['owner'].isna().sum()})")
        assert len(rows_shown(browser)) == worked["owner"].isna().sum()


@pytest.mark.parametrize("asked", ["ecole", "École", "E\u0301COLE"])
def test_neither_accents_nor_capitals_matter_to_the_search(browser: Browser, project: Project, asked: str) -> None:
    browser.open(project.root / LEADS, width=DESK)
    html = browser.evaluate("document.documentElement.outerHTML")
    first = browser.evaluate("document.querySelector('tbody th').innerHTML")
    page = project.root / "reports/private/accents.html"
    page.write_text(html.replace(f'class="id">{first}', 'class="id">\u00c9cole', 1), encoding="utf-8")
    try:
        browser.open(page, width=DESK)
        browser.evaluate("document.getElementById('search').focus()")
        browser.page.keyboard.insert_text(asked)
        assert len(rows_shown(browser)) == 1
    finally:
        page.unlink()


def test_the_rest_of_a_lead_unfolds_by_the_keyboard(browser: Browser, project: Project) -> None:
    browser.open(project.root / LEADS, width=DESK)
    assert browser.evaluate("document.querySelectorAll('tbody details[open]').length") == 0
    assert not browser.evaluate("document.querySelector('tbody details > :not(summary)').checkVisibility()")
    browser.page.keyboard.press("Tab")
    while not browser.evaluate("document.activeElement.matches('tbody summary')"):
        browser.page.keyboard.press("Tab")
    browser.page.keyboard.press("Enter")
    assert browser.evaluate("document.activeElement.parentElement.open")
    assert browser.evaluate("document.querySelector('tbody details > :not(summary)').checkVisibility()")
    names = browser.evaluate("Array.from(document.querySelectorAll('tbody summary'), (one) => one.ariaLabel)")
    assert len(set(names)) == len(names), "a screen reader tells them apart"


def test_paper_holds_today_s_list_alone(browser: Browser, project: Project) -> None:
    scored = pq.read_table(project.root / "data/recommendations.parquet").to_pandas()
    browser.open(project.root / LEADS, width=DESK)
    assert len(rows_shown(browser)) > (scored["list"] == "sales").sum() > 0
    try:
        browser.page.emulate_media(media="print")
        assert len(rows_shown(browser)) == (scored["list"] == "sales").sum()
        parts = "Array.from(document.querySelectorAll('#filter, details, nav, #later'))"
        assert browser.evaluate(f"{parts}.filter((one) => one.checkVisibility()).length") == 0
    finally:
        browser.page.emulate_media(media="null")


def test_a_phone_hides_nothing_of_a_line(browser: Browser, project: Project) -> None:
    def shown(width: int) -> list[str]:
        browser.open(project.root / LEADS, width=width)
        cells: list[str] = browser.evaluate(
            "Array.from(document.querySelectorAll('tbody tr > *')).filter((cell) => cell.checkVisibility() && "
            "cell.getBoundingClientRect().height > 0).map((cell) => cell.textContent)"
        )
        return cells

    assert shown(PHONE) == shown(DESK)
