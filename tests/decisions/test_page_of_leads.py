"""The page of leads: today's list first, the best of the rest, and what is said of them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import escape, unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pages import page_of_leads, words
from python_calamine import CalamineWorkbook
from world import Project

from features.core.errors import SettingsError
from features.core.recommendation import RECOMMENDATION
from features.core.schema import Language
from features.language.catalogue import Catalogue
from models.core.model import Model
from pipeline.core.project import Places
from pipeline.report.lines import MOST_LEADS, shown_of
from pipeline.report.looked_up import Act, LookedUp, last_acts, people_of
from pipeline.report.model import PICTURE_NAMES, model_page
from pipeline.report.results import Results
from pipeline.report.text import summary
from pipeline.scoring.open_leads import unstated_in
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.leads import LeadPages, Shown
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
    late = told.index(" late nothing known IQL hot 1.0 % call today, by telephone today, 1st on the list handed over, ")
    assert [late, *places] == sorted([late, *places])
    assert (
        " second nothing known SQL hot 70.0 % call today, by telephone today, 3rd on the list S01 why, and more "
        in told
    )
    assert " today, 2nd on the list nobody yet why, and more facts 2026-06-29 asked for a quote " in told
    assert " call today, by telephone waits: nobody owns its territory nobody yet " in told
    assert " busy nothing known SQL hot 90.0 % call today, by telephone in work nobody yet why, and more " in told
    assert (
        " later nothing known SQL hot 80.0 % call today, by telephone waits, 3rd in line: no place left today " in told
    )
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


MOMENT = datetime(2026, 7, 1)
LIKELY = {"tier": "SQL", "maturity": "hot", "probability": 0.5, "is_guess": False, "guess": None}


def test_the_last_act_is_the_lead_s_own_and_none_that_nobody_knew(tmp_path: Path) -> None:
    """Written are: lead, hours before the moment that it occurred and became known, type, actor, sequence."""
    rows = [
        ("a", 48, 48, "form", "lead", 1),
        ("a", 24, 24, "page_view", "lead", 2),
        ("a", 24, 24, "cart", "lead", 3),  # of one time the last row counts
        ("a", 12, 12, "call_made", "us", 4),
        ("a", 10, 10, "email_click", "machine", 5),
        ("a", 6, 0, "quote_request", "lead", 6),  # became known at the moment, not before
        ("a", 6, -3, "meeting", "lead", 7),
        ("a", -1, 5, "webinar_attended", "lead", 8),  # is agreed on, and has not occurred
        ("b", -1, -1, "form", "lead", 9),
        ("c", 1, 1, "form", "lead", 10),  # nobody asks
    ]
    table = pa.table(
        {
            "lead_id": [row[0] for row in rows],
            "occurred_at": [MOMENT - timedelta(hours=row[1]) for row in rows],
            "known_at": [MOMENT - timedelta(hours=row[2]) for row in rows],
            "event_type": [row[3] for row in rows],
            "actor": [row[4] for row in rows],
            "source": ["log"] * len(rows),
            "sequence": [row[5] for row in rows],
        }
    )
    places = Places(tmp_path)
    places.interactions.parent.mkdir()
    pq.write_table(table, places.interactions)
    assert last_acts(places, ["a", "b"], MOMENT) == {"a": Act("cart", MOMENT - timedelta(hours=24))}


def test_the_page_of_the_stage_shows_the_last_act_that_plain_pandas_finds(world: Project) -> None:
    shown = shown_of(pq.read_table(world.recommendations))
    as_of = shown["as_of"][0].as_py()
    log = pq.read_table(world.interactions).to_pandas()
    known = log[(log["actor"] == "lead") & (log["known_at"] < as_of) & (log["occurred_at"] < as_of)]
    last = known.sort_values(["occurred_at", "source", "sequence"]).groupby("lead_id").tail(1).set_index("lead_id")
    acts = last_acts(world, shown["lead_id"].to_pylist(), as_of)
    assert len(acts) > 50
    assert {lead: (act.event_type, act.occurred_at) for lead, act in acts.items()} == {
        lead: (last.loc[lead, "event_type"], last.loc[lead, "occurred_at"])
        for lead in shown["lead_id"].to_pylist()
        if lead in last.index
    }
    page = unescape(words(world.leads_page.read_text(encoding="utf-8")))
    first = shown["lead_id"][0].as_py()
    day = acts[first].occurred_at.replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Amsterdam"))
    verb = world.parameters.words.labels.verb(acts[first].event_type)
    assert f" {first} {verb[0].upper()}{verb[1:]} {day.day} {day:%B %Y} " in page


def test_who_is_new_moved_or_forgotten_is_marked(world: Project, results: Results) -> None:
    leads: list[dict[str, object]] = [
        {"lead_id": "came", "list": "sales", "rank": 1, "tier_before": "MQL", **LIKELY},
        {"lead_id": "stays", "list": "sales", "rank": 2, **LIKELY},
        {"lead_id": "went", "list_reason": "capacity", "rank": 3, **LIKELY},
    ]
    told = words(page_of_leads(world.parameters, results, decided(leads)))
    assert " today, 1st on the list was MQL nobody yet " in told
    assert "new on the list" not in told, "the stage knows no earlier list"
    kept = decided(leads).append_column("list_changed", pa.array(["score", None, "capacity"]))
    told = words(page_of_leads(world.parameters, results, kept))
    assert " today, 1st on the list new on the list was MQL nobody yet " in told
    assert " today, 2nd on the list nobody yet " in told
    assert " waits, 3rd in line: no place left today left the list nobody yet " in told


def test_what_people_know_a_lead_by_is_escaped_and_its_link_is_quoted(world: Project, results: Results) -> None:
    pages = LeadPages(
        shown=Shown(name="full_name", telephone="phone"), link="https://crm.example.com/lead/{lead_id}?tab=1"
    )
    parameters = world.parameters.model_copy(update={"leads": pages})
    lead = 'x"/../<b>&?#é'
    people = {lead: {"name": "<script>alert(1)</script>", "telephone": "+33 1 & 2"}}
    html = page_of_leads(parameters, results, decided([{"lead_id": lead, **LIKELY}]), LookedUp(people=people))
    address = "https://crm.example.com/lead/x%22%2F..%2F%3Cb%3E%26%3F%23%C3%A9?tab=1"
    assert f'<a href="{address}" rel="noreferrer">&lt;script&gt;alert(1)&lt;/script&gt;</a>' in html
    assert "+33 1 &amp; 2" in html
    assert lead not in html
    assert "default-src 'none'" in html


def test_names_are_read_for_the_page_alone(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "scores"))
    ids = pq.read_table(project.leads, columns=["lead_id"])["lead_id"].to_pylist()
    aliases = pq.read_table(project.aliases, columns=["alias_id", "lead_id"]).to_pydict()
    (first, merged), *_ = [
        (lead, alias) for alias, lead in zip(aliases["alias_id"], aliases["lead_id"], strict=True) if lead in set(ids)
    ]
    raw = project.root / "data/raw"
    raw.mkdir()
    rows = [f"{lead},2025-01-01T00:00:00Z,Marie Planted-{number} <b>,,+33-{number}" for number, lead in enumerate(ids)]
    rows = [row.replace("Marie", "Merged") if row.startswith(f"{first},") else row for row in rows]
    rows.append(f"{merged},2025-01-01T00:00:00Z,Another name,Zyxco,")
    (raw / "leads.csv").write_text("\n".join(["lead_id,created_at,full_name,company,phone", *rows]) + "\n")
    project = project.with_settings(
        {"leads": {"shown": {"name": "full_name", "company": "company", "telephone": "phone"}}}
    )
    found = people_of(project, project.parameters.leads.shown, [first], datetime(2027, 1, 1))
    number = ids.index(first)
    assert found == {first: {"name": f"Merged Planted-{number} <b>", "company": "Zyxco", "telephone": f"+33-{number}"}}
    project.run("report")
    page = project.leads_page.read_text(encoding="utf-8")
    listed = shown_of(pq.read_table(project.recommendations))["lead_id"].to_pylist()
    assert page.count("Planted-") >= len(listed) > 0
    for lead in listed[:5]:
        assert escape(f"Planted-{ids.index(lead)} <b>") in page
    holding = [path for path in project.root.rglob("*") if path.is_file() and b"Planted-" in path.read_bytes()]
    assert {path.relative_to(project.root).parts[:2] for path in holding} <= {("data", "raw"), ("reports", "private")}
    assert "Planted" not in "".join(project.told)
    mistyped = project.with_settings({"leads": {"shown": {"name": "fullname"}}})
    with pytest.raises(
        SettingsError, match=r"leads.shown.name: the table of leads has no column 'fullname'; did you mean 'full"
    ):
        mistyped.run("report")


def test_each_who_works_today_has_a_list_and_who_has_gone_has_none(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "scores"))
    table = pq.read_table(project.recommendations)
    frame = table.to_pandas()
    called = frame[frame["list"] == "sales"].sort_values("rank")
    assert len(called) >= 4
    owners = ["Zoë / Nord", "zoe nord", None, None]
    named = dict(zip(called["lead_id"][:4], owners, strict=True))
    column = [named.get(lead, owner) for lead, owner in zip(frame["lead_id"], table["owner"].to_pylist(), strict=True)]
    place = table.column_names.index("owner")
    pq.write_table(table.set_column(place, "owner", pa.array(column, pa.string())), project.recommendations)
    (project.lead_lists / "gone.html").write_text("who has left")
    project.run("report")
    names = {path.name for path in project.lead_lists.iterdir()}
    assert "gone.html" not in names
    assert {"Zoe-Nord.html", "Zoe-Nord.xlsx", "zoe-nord-2.html", "zoe-nord-2.xlsx"} <= names
    leads = pq.read_table(project.leads, columns=["lead_id", "territory"]).to_pandas().set_index("lead_id")["territory"]
    whose = {
        lead: owner or leads[lead]
        for lead, owner in zip(called["lead_id"], map(column.__getitem__, called.index), strict=True)
    }
    assert len(names) == 2 * len(set(whose.values()))
    first = called["lead_id"].iloc[0]
    pages = {path.name: words(path.read_text(encoding="utf-8")) for path in project.lead_lists.glob("*.html")}
    assert set(pages) == {name for name in names if name.endswith(".html")}
    headings, *rows = CalamineWorkbook.from_path(project.lead_lists / "Zoe-Nord.xlsx").get_sheet_by_index(0).to_python()
    assert headings[:7] == ["Order", "Lead", "Last act", "On", "Tier", "Maturity", "Chances"]
    assert [row[1] for row in rows] == [first]
    row = dict(zip(headings, rows[0], strict=True))
    assert row["Order"] == 1
    assert [told.count(" today, 1st on the list ") for told in pages.values()] == [1] * len(pages), "each has its own"
    assert row["Chances"] == pytest.approx(called["probability"].iloc[0])
    assert row["By whom"] == "Zoë / Nord"
    assert row["What to do"] == called["next_step"].iloc[0]
    told = words((project.lead_lists / "Zoe-Nord.html").read_text(encoding="utf-8"))
    assert f" {first} " in told
    assert not [lead for lead in called["lead_id"][1:] if f" {lead} " in told]
    assert 'href="lists/zoe-nord-2.html"' in project.leads_page.read_text(encoding="utf-8")
