"""Recommendations and pages in French: other words, and no other figure."""

from __future__ import annotations

import re
from html import unescape

import pyarrow.parquet as pq
import pytest
from pages import words
from world import Project

from pipeline.core.project import read_json
from pipeline.wording.page_texts import PAGE_TEXTS


@pytest.fixture(scope="module")
def in_french(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Recommend and report anew in French, with a channel that has no French word and a milestone that has no word."""
    project = world.copy_to(tmp_path_factory.mktemp("french") / "project", leave_out=("raw",))
    dictionaries = {name: getattr(world.parameters.words, name).model_dump(mode="json") for name in ("en", "fr")}
    del dictionaries["fr"]["channels"]["sea"]
    for language in dictionaries.values():
        del language["milestones"]["opportunity"]
    project = project.with_settings({"words": {"language": "fr", **dictionaries}})
    project.run("recommend", "report")
    return project


def test_the_page_of_leads_is_french_where_the_words_are(in_french: Project) -> None:
    html = (in_french.root / "reports/private/leads.html").read_text(encoding="utf-8")
    told = words(html)
    assert '<html lang="fr">' in html
    for text in ("Leads recommandés", "chances de devenir client", "▲ pour", "▼ frein", "tiède", "engagement 1"):
        assert text in told, text
    for name, (english, french) in PAGE_TEXTS.items():
        if isinstance(english, str) and english != french and "{" not in english and len(english) > 12:
            assert english not in told, name


def test_other_words_change_what_is_said_and_no_figure(world: Project, in_french: Project) -> None:
    before, after = (pq.read_table(project.recommendations) for project in (world, in_french))
    said, sentences = ["reasons_for", "reasons_against", "reasons"], ["recontact_why", "next_step", "what_changed"]
    assert after.drop_columns(said + sentences).equals(before.drop_columns(said + sentences))
    for name in sentences:
        assert after[name].is_valid().equals(before[name].is_valid())
        assert not after[name].equals(before[name])
    changes = [told for told in after["what_changed"].to_pylist() if told is not None]
    began = r"(En hausse|En baisse|Presque inchangé|Inchangé) depuis le \d+|Passé de \w+ à \w+ depuis"
    assert all(re.match(began, told) for told in changes)
    assert any(": a consulté les tarifs le " in told for told in changes)
    assert [[len(told) for told in after[name].to_pylist()] for name in said] == [
        [len(told) for told in before[name].to_pylist()] for name in said
    ]
    both = zip(*(after[name].to_pylist() for name in said[:2]), strict=True)
    reasons = [" ".join([*speak_for, *against]) for speak_for, against in both]
    assert any("A consulté les tarifs le " in told for told in reasons)
    channels = {name for told in reasons for name in re.findall(r"Canal\xa0: (.*?)\. Sur les observations de ", told)}
    assert channels
    assert channels <= {*in_french.parameters.words.fr.channels.values(), in_french.parameters.words.en.channels["sea"]}
    assert not [told for told in reasons if " of all" in told or "ooked at" in told or "hannel" in told]
    figures = [
        re.findall(
            r"\d(?:[\d,.]*\d)?", unescape(words((project.root / "reports/model.html").read_text(encoding="utf-8")))
        )
        for project in (world, in_french)
    ]
    assert figures[0] == figures[1]


def test_milestones_channels_and_attributes_are_called_as_people_call_them(in_french: Project) -> None:
    told = words((in_french.root / "reports/model.html").read_text(encoding="utf-8"))
    counts = [stage["leads"] for stage in read_json(in_french.snapshot_counts)["funnel"]]
    names = ("prise en charge par les commerciaux", "accepté par les commerciaux", "opportunity")
    for name, leads in zip(names, counts[2:-1], strict=True):
        assert f" {name} {leads:,} " in told, "the funnel"
    for row in (" canal SEO (référencement naturel) ", " canal SEA ", " age of the episode up to a week "):
        assert row in told, "the parts"
