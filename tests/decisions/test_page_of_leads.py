"""The page of leads: today's list first, the best of the rest, and what is said of them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html import unescape

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pages import page_of_leads, words
from world import Project

from features.core.recommendation import RECOMMENDATION
from features.core.schema import Language
from features.language.catalogue import Catalogue
from models.core.model import Model
from pipeline.report.lines import MOST_LEADS
from pipeline.report.model import PICTURE_NAMES, model_page
from pipeline.report.results import Results
from pipeline.report.text import summary
from pipeline.scoring.open_leads import unstated_in
from pipeline.settings.decision import DecisionPolicy
from pipeline.wording.unstated import UNSTATED


@pytest.fixture(scope="module")
def results(world: Project) -> Results:
    return Results.read(world)


NOT_TODAY: dict[str, object] = {
    "list": "none",
    "rank": None,
    "list_reason": None,
    "owner": None,
    "own_tier": None,
    "word": None,
    "stage": None,
    "facts": [],
    "grade": None,
    "lottery_group": None,
    "reasons_for": [],
    "reasons_against": [],
    "tier_before": None,
    "trend": None,
    "what_changed": None,
    "recontact_on": None,
    "recontact_why": None,
    "next_step": "call today, by telephone",
}
"""What the page shows of leads that are on no list, beside what a test is about."""


def decided(leads: list[dict[str, object]]) -> pa.Table:
    schema = pa.schema([(field.name, field.arrow) for field in RECOMMENDATION if field.name in {*leads[0], *NOT_TODAY}])
    return pa.Table.from_pylist([NOT_TODAY | lead for lead in leads], schema)


def test_today_s_list_stands_first_and_who_waits_says_for_what(world: Project, results: Results) -> None:
    likely = {"tier": "SQL", "maturity": "hot", "is_guess": False, "guess": None}
    told = words(
        page_of_leads(
            world.parameters,
            results,
            decided(
                [
                    {"lead_id": "busy", "probability": 0.9, "list_reason": "in work", "stage": "opportunity", **likely},
                    {"lead_id": "later", "probability": 0.8, "list_reason": "capacity", "rank": 3, **likely},
                    {"lead_id": "second", "probability": 0.7, "list": "sales", "rank": 2, "owner": "S01", **likely},
                    {"lead_id": "said", "probability": 0.01, "list_reason": "agreed later", **likely}
                    | {"own_tier": "IQL", "word": "2026-06-01 SQL, call on 2026-08-01, by K2: <budget>"},
                    {"lead_id": "first", "probability": 0.6, "list": "sales", "rank": 1, **likely}
                    | {"facts": ["2026-06-29 asked for a quote"]},
                    {"lead_id": "nobody's", "probability": 0.5, "list_reason": "no owner", "rank": 4, **likely},
                    {"lead_id": "late", "probability": 0.01, "list": "sales", "list_reason": "untouched", "rank": 0}
                    | likely
                    | {"tier": "IQL"},
                ]
            ),
        )
    )
    places = [told.index(f" {lead} nothing known SQL ") for lead in ("first", "second", "busy", "later")]
    late = told.index(" late nothing known IQL hot 1.0 % call today, by telephone today, rank 0 handed over, ")
    assert [late, *places] == sorted([late, *places])
    assert " second nothing known SQL hot 70.0 % call today, by telephone today, rank 2 S01 why, and more " in told
    assert " today, rank 1 nobody yet why, and more facts 2026-06-29 asked for a quote " in told
    assert " call today, by telephone waits: nobody owns its territory nobody yet " in told
    assert " busy nothing known SQL hot 90.0 % call today, by telephone in work nobody yet why, and more " in told
    assert " later nothing known SQL hot 80.0 % call today, by telephone waits: no place left today " in told
    assert " as people said; IQL without their word call today, by telephone a call is agreed on for later " in told
    assert " what people said 2026-06-01 SQL, call on 2026-08-01, by K2: &lt;budget&gt; " in told


def test_the_page_of_leads_shows_the_best_and_counts_the_rest(world: Project, results: Results) -> None:
    count = MOST_LEADS + 30
    recommendations: list[dict[str, object]] = [
        {
            "lead_id": f"lead {number}",
            "tier": tier,
            "maturity": "warm",
            "probability": 0.2,
            "grade": "A2",
            "reasons_for": ["3 calls: long ones"],
            "reasons_against": ["no <visit>"],
            "trend": "improving" if number != 4 else "not enough information",
            "what_changed": "Up since 1 June 2026: called <us>" if number != 4 else None,
            "is_guess": number == 3,
            "guess": "channel" if number == 3 else None,
        }
        for number, tier in enumerate(["SQL"] * 20 + ["MQL"] * (count - 20) + ["IQL"] * 7)
    ]
    told = words(page_of_leads(world.parameters, results, decided(recommendations)))
    assert f" {MOST_LEADS} leads About this list " in told
    assert " 30 more leads of these tiers are left out here. 7 open leads are below 3" in told
    assert f" SQL (20) recycled (0) MQL ({MOST_LEADS - 20}) " in told.replace("  ", " ")
    assert f" lead {MOST_LEADS - 1} nothing known MQL warm 20.0 % " in told
    assert f" lead {MOST_LEADS} " not in told
    assert "▲ for 3 calls: long ones ▼ against no &lt;visit&gt;" in told
    assert " lead 3 nothing known SQL warm 20.0 % a guess call today, by telephone " in told
    assert " lead 4 nothing known SQL warm 20.0 % call today, by telephone nobody yet why, and more ▲ for 3 c" in told
    assert "against no &lt;visit&gt; what changed Up since 1 June 2026: called &lt;us&gt; trend improving " in told
    assert told.count(" who it is, what it did grade A2 ") == MOST_LEADS
    assert "not enough information" not in told
    assert told.count(" a guess ") == 2, "beside the chances, and where it says why"


@pytest.mark.parametrize(
    ("reasons_for", "explained", "unexplained"),
    [
        (["SQL", "recycled", "MQL"], True, None),
        (["SQL", "recycled"], True, "MQL"),
        ([], False, "SQL and recycled and MQL"),
    ],
)
def test_the_page_of_leads_says_whose_reasons_were_not_computed(
    world: Project, results: Results, reasons_for: list[str], explained: bool, unexplained: str | None
) -> None:
    score = world.parameters.recommend.model_copy(update={"reasons_for": tuple(reasons_for)})
    parameters = world.parameters.model_copy(update={"recommend": score})
    lead = {
        "lead_id": "a",
        "tier": "SQL",
        "maturity": "hot",
        "probability": 0.2,
        "is_guess": False,
        "guess": None,
    }
    told = words(page_of_leads(parameters, results, decided([lead])))
    assert ("What speaks for a lead" in told) == explained
    assert re.findall(r"No reasons were computed for (.*?) :", told.replace(":", " :")) == (
        [unexplained] if unexplained else []
    )


def test_where_no_lead_is_worth_a_call_the_page_says_so(world: Project, results: Results) -> None:
    lead: dict[str, object] = {"lead_id": "a lead", "tier": "IQL", "maturity": "cold", "probability": 0.001}
    html = page_of_leads(
        world.parameters, results, decided([lead | {"reasons_for": ["x"], "is_guess": False, "guess": None}])
    )
    assert "a lead" not in words(html).replace("a lead's", "")
    assert "No lead reaches 3 %" in words(html)
    assert "<script" not in html


@pytest.mark.parametrize(
    ("language", "value", "owners", "listed"),
    [
        ("en", "Not stated: what a conversion is worth", "who owns which leads", "are on the list of sales for"),
        ("fr", "Non précisé : ce que vaut une vente", "les commerciaux en charge", "sur la liste des commerciaux du"),
    ],
)
def test_what_nobody_stated_is_one_line_under_the_list_and_nothing_is_told_twice(
    world: Project, results: Results, language: Language, value: str, owners: str, listed: str
) -> None:
    changed = world.parameters.words.model_copy(update={"language": language})
    parameters = world.parameters.model_copy(update={"words": changed})
    scoring = results.scoring | {"cut_offs_from": "multiples", "unstated": list(UNSTATED)}
    empty = replace(results, scoring=scoring | {"time": results.scoring["time"] | {"places": None, "left": None}})
    all_leads = pd.read_parquet(world.recommendations).drop(columns=["lead_id", "reasons"])
    private = page_of_leads(parameters, empty, pq.read_table(world.recommendations))
    public = model_page(parameters, empty, all_leads, dict.fromkeys(PICTURE_NAMES, b""))
    for text in (private, public, summary(parameters, empty)):
        told = " ".join(unescape(words(text)).split())
        assert told.index(listed) < told.index(owners)
        assert told.count(owners) == told.count("ingest.consents") == told.count("decision.capacity") == 1
        assert told.count(value) == (text == private), "the others say it where the cut-offs stand"
        assert "no act of a lead" in told or "aucun acte" in told


def test_what_is_unstated_is_seen_by_the_settings_and_by_what_the_model_tells_apart(world: Project) -> None:
    model = Model.load(world.model)
    catalogue = Catalogue.from_json(model.manifest["catalogue"])
    assert unstated_in(world.parameters, catalogue, model.categories, has_capacity=True) == ("value", "decisions")
    of_one = replace(catalogue, vocabulary=replace(catalogue.vocabulary, channels=("web",)))
    (channel,) = catalogue.roles["channels"]
    nothing = {"owners": None, "consents": None, "decisions": None}
    bare = world.parameters.model_copy(
        update={"decision": DecisionPolicy(), "ingest": world.parameters.ingest.model_copy(update=nothing)}
    )
    assert set(unstated_in(bare, of_one, {channel: ("web",)}, has_capacity=False)) == set(UNSTATED)
    assert "channels" not in unstated_in(bare, of_one, {channel: ("seo", "sea")}, has_capacity=False)
    assert "channels" not in unstated_in(bare, catalogue, {}, has_capacity=False)


def test_whom_to_come_back_to_stands_below_who_is_due_first(world: Project, results: Results) -> None:
    lost = {"tier": "disqualified", "probability": None, "maturity": "cold", "is_guess": False, "guess": None}
    leads: list[dict[str, object]] = [
        {"lead_id": "later", "recontact_on": date(2026, 10, 1), "recontact_why": "Contact again: <later>", **lost},
        {"lead_id": "sooner", "recontact_on": date(2026, 9, 1), "recontact_why": "Contact again: sooner", **lost},
        {"lead_id": "never", "recontact_why": "Close: nobody comes back", **lost},
        {"lead_id": "other", **lost},
    ]
    told = words(page_of_leads(world.parameters, results, decided(leads)))
    assert " sooner disqualified Contact again: sooner " in told
    assert " later disqualified Contact again: &lt;later&gt; " in told
    assert told.index(" sooner ") < told.index(" later disqualified ")
    assert " 1 other is to be closed, and is not shown" in told
    assert " never " not in told
