"""The page of those who spend the money, in French: no word of English, and the same figures as in English."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from html import unescape

import pytest
from world import Project

from models.core.verdicts import KINDS, acquit, found
from pipeline.core.project import read_json
from pipeline.publishing.digest import as_text
from pipeline.wording.cut_off_texts import CUT_OFF_TEXTS
from pipeline.wording.digest_texts import DIGEST_TEXTS
from pipeline.wording.list_words import WORDS
from pipeline.wording.money_texts import MONEY_TEXTS
from pipeline.wording.page_texts import PAGE_TEXTS, Said
from pipeline.wording.verdict_titles import FRENCH, standing_titles

ALLOWED = {
    "lead", "leads", "scoring", "nurturing", "marketing", "mql", "sql", "iql", "seo", "sea", "crm", "cta", "cpl", "cpc",
    "roi", "roas", "cac", "dvc", "newsletter", "landing", "page", "inbound", "outbound", "display", "cookie",
}  # fmt: skip
"""English words that a French page may have."""


@pytest.fixture(scope="module")
def in_french(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = world.copy_to(tmp_path_factory.mktemp("french") / "project", leave_out=("raw",))
    project = project.with_settings({"words.language": "fr"})
    project.run("report")
    return project


def page_of(project: Project, name: str = "index.html") -> str:
    return (project.root / "reports" / name).read_text(encoding="utf-8")


def in_our_words(html: str) -> list[str]:
    """Give the texts of the page that are ours: what the log names stands as it is in any language."""
    html = re.sub(r"(?s)<(style|script)[^>]*>.*?</\1>|<(\w+)[^>]* translate=\"no\">.*?</\2>", " ", html)
    return [text.strip() for text in unescape(re.sub(r"<[^>]+>", "\n", html)).splitlines() if text.strip()]


def test_every_verdict_that_may_stand_has_a_french_title() -> None:
    assert {kind.code for kind in KINDS.values() if kind.severity != "told"} == FRENCH.keys()
    wrong = [found("too_good", "AUC .999"), found("source_silent", "", subject="web"), found("promise_unknown", "")]
    assert standing_titles(wrong, "fr") == [FRENCH["too_good"], FRENCH["source_silent"]]
    assert standing_titles([wrong[1], *wrong], "en") == [wrong[1].title, wrong[0].title]
    assert standing_titles([acquit(wrong, {"too_good": "known"})[0]], "fr") == []


def vocabulary(language: int) -> set[str]:
    """Collect all words of our texts in a language: English is 0, French 1."""

    def told() -> Iterator[str]:
        for texts in (*MONEY_TEXTS.values(), *PAGE_TEXTS.values(), *CUT_OFF_TEXTS.values(), *DIGEST_TEXTS.values()):
            said: Said = texts[language]
            yield from (said,) if isinstance(said, str) else said
        list_words = WORDS["fr" if language else "en"]
        for field in fields(list_words):
            value = getattr(list_words, field.name)
            yield from value.values() if isinstance(value, Mapping) else (value,) if isinstance(value, str) else value

    return {word for text in told() for word in re.findall(r"[^\W\d_]+", re.sub(r"\{\w+\}", " ", text.lower()))}


@pytest.mark.parametrize(("name", "words"), [("index.html", 150), ("cut-offs.html", 100)])
def test_there_is_no_english_word_on_the_french_page(in_french: Project, name: str, words: int) -> None:
    html = page_of(in_french, name)
    assert '<html lang="fr">' in html
    english = vocabulary(0) - vocabulary(1) - ALLOWED
    assert {"the", "of", "spent", "sales", "channel"} <= english
    told = set(re.findall(r"[^\W\d_]+", " ".join(in_our_words(html)).lower()))
    assert len(told) > words
    assert told & english == set()


def test_there_is_no_english_word_in_the_french_digest(in_french: Project) -> None:
    digest = read_json(in_french.digest)
    told = as_text(digest, "https://intranet.example.com/leads/index.html")
    assert told.startswith("Leads, ventes et budget\n")
    assert digest["trust"].split()[0] in told
    words = set(re.findall(r"[^\W\d_]+", told.partition("https")[0].lower()))
    assert len(words) > 50
    assert words & (vocabulary(0) - vocabulary(1) - ALLOWED) == set()


def test_the_figures_are_the_same_in_both_languages(world: Project, in_french: Project) -> None:
    english, french = (
        sorted(re.sub(r"\D", "", text) for text in in_our_words(page_of(project)) if re.search(r"\d", text))
        for project in (world, in_french)
    )
    assert len(english) > 300
    assert english == french


def test_a_price_and_a_share_are_written_as_the_language_does(in_french: Project) -> None:
    told = " ".join(in_our_words(page_of(in_french)))
    assert re.search(r"\d,\d\d\N{NO-BREAK SPACE}€", told)
    assert "€0" not in told
    assert "%" in told
    assert "%" not in told.replace("\N{NARROW NO-BREAK SPACE}%", "")
