"""The funnel, the summary and the pages: figures counted by hand, and nothing that belongs to one lead alone."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pages import page_of_leads, words
from world import Project

from features.core.errors import NotEnoughDataError
from pipeline.core.project import read_json
from pipeline.report.headlines import headlines
from pipeline.report.lines import MOST_LEADS
from pipeline.report.model import PICTURE_NAMES, model_page
from pipeline.report.rendering import cut, day, duration_in_words, percent, whole
from pipeline.report.results import Results
from pipeline.report.text import summary


@pytest.fixture(scope="module")
def with_milestones(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = world.copy_to(tmp_path_factory.mktemp("milestones") / "project", leave_out=("raw",))
    project = project.with_settings(
        {"episodes.milestones": {"case <opened>": ["case_opened"], "[bold]meeting": ["meeting"]}}
    )
    project.run("snapshots", "report")
    return project


def test_the_funnel_of_a_log_starts_with_all_leads_and_names_the_milestones(with_milestones: Project) -> None:
    root, counts = with_milestones.root, read_json(with_milestones.snapshot_counts)
    stages = {stage["stage"]: stage["leads"] for stage in counts["funnel"]}
    assert list(stages) == ["created", "with an act of their own", "case <opened>", "[bold]meeting", "converted"]
    log = pq.read_table(root / "data/interactions.parquet", columns=["lead_id", "event_type", "actor"]).to_pandas()
    assert stages["created"] == pq.read_metadata(root / "data/leads.parquet").num_rows
    assert stages["with an act of their own"] == log.loc[log["actor"] == "lead", "lead_id"].nunique()
    assert stages["case <opened>"] == log.loc[log["event_type"] == "case_opened", "lead_id"].nunique() > 100
    leads = counts["leads"]
    assert stages["converted"] == leads["converted"] == counts["episodes"]["converted"]
    assert leads["all"] == leads["converted"] + leads["lost"] + leads["open"] == stages["created"]


def test_a_milestone_that_never_occurs_is_named_with_the_nearest(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    project = project.with_settings({"episodes.milestones": {"met": ["meetin"]}})
    with pytest.raises(NotEnoughDataError, match="episodes.milestones.met: no event of type 'meetin' in the log"):
        project.run("snapshots")


@pytest.fixture(scope="module")
def results(world: Project) -> Results:
    return Results.read(world)


@pytest.fixture(scope="module")
def recommendations(world: Project) -> pd.DataFrame:
    return pq.read_table(world.root / "data/recommendations.parquet").to_pandas()


PICTURES = dict.fromkeys(PICTURE_NAMES, b"a picture")


def shown(world: Project, results: Results, recommendations: pd.DataFrame) -> tuple[str, str]:
    """Give the summary, and the words of the page."""
    return summary(world.parameters, results), words(model_page(world.parameters, results, recommendations, PICTURES))


def test_the_page_says_what_the_stages_counted(world: Project, results: Results, recommendations: pd.DataFrame) -> None:
    _, told = shown(world, results, recommendations)
    for table in results.tables():
        counts = (table.rows, table.used, table.set_aside)
        assert f" {table.name} {' '.join(f'{count:,}' for count in counts)} " in told.replace("  ", " ")
        assert table.rows == table.used + table.set_aside
    assert sum(table.set_aside for table in results.tables()) == sum(rows for _, rows, _ in results.set_aside()) > 100
    for reason, rows, tables in results.set_aside():
        assert f" {reason} {rows:,} {', '.join(tables)} " in told
    for stage in results.snapshots["funnel"]:
        assert f" {stage['stage']} {stage['leads']:,} " in told
    assert len(results.origins()) == 3
    for one in results.origins():
        foretold = (one.learned, one.learned_conversions, one.foretold, round(one.expected), one.conversions)
        assert f" {one.moment} {' '.join(f'{count:,}' for count in foretold)} " in told
    assert " expected " in told
    for figure in results.figures():
        assert f"{figure.label} {figure.value} {figure.interval}".rstrip() + " " in told


def test_how_often_lost_leads_and_customers_came_back_is_told_apart(
    world: Project, results: Results, recommendations: pd.DataFrame
) -> None:
    def told(after_loss: int, after_conversion: int) -> list[str]:
        counts = results.snapshots["episodes"] | {"after_loss": after_loss, "after_conversion": after_conversion}
        counted = dataclasses.replace(results, snapshots=results.snapshots | {"episodes": counts})
        html = model_page(world.parameters, counted, recommendations, PICTURES)
        return re.findall(r"[\d,]+ times a [a-z ]+ came back", words(html))

    assert told(1_234, 5) == ["1,234 times a lost lead came back", "5 times a customer came back"]
    assert told(0, 5) == ["5 times a customer came back"]
    assert told(0, 0) == []


def test_tiers_are_counted_and_their_expectations_added(world: Project, results: Results) -> None:
    recommendations = pd.DataFrame(
        [
            ("SQL", "hot", 0.5),
            ("SQL", "hot", 0.25),
            ("MQL", "hot", 0.075),
            ("MQL", "warm", 0.05),
            ("IQL", "cold", 0.02),
        ],
        columns=["tier", "maturity", "probability"],
    )
    told = words(model_page(world.parameters, results, recommendations, PICTURES))
    assert " SQL 2 10 % 0.8 84 % worth an hour of sales " in told
    assert " MQL 2 3 % 0.1 14 % marketing keeps at it IQL 1 0.0 2 % wait " in told
    assert " SQL 2 0 0 recycled 0 0 0 MQL 1 1 0 IQL 0 0 1 " in told
    assert " 2 to 3 % 1 3 to 5 % 0 5 to 7.5 % 1 7.5 to 10 % 1 " in told


def test_those_that_have_ended_are_told_by_their_number_and_counted_among_no_open_leads(
    world: Project, results: Results, recommendations: pd.DataFrame
) -> None:
    ended = recommendations[recommendations["probability"].isna()]
    told_of = {
        (3, 12, 0): "3 customers and 12 lost in the last 30 days",
        (1, 0, 1): "1 customer and 0 lost in the last 30 days; 1 lost lead is due to be contacted again",
        (0, 1_234, 2): "0 customers and 1,234 lost in the last 30 days; 2 lost leads are due to be contacted again",
    }

    def counted(converted: int, lost: int, due: int) -> Results:
        of_late, everybody = {"converted": converted, "lost": lost}, {"disqualified": 77, "recycled": due}
        scoring = results.scoring | {"ended_of_late": of_late, "ended": everybody}
        return dataclasses.replace(results, scoring=scoring)

    for counts, told in told_of.items():
        for text in shown(world, counted(*counts), recommendations):
            assert told in text
            assert "due to be" in told or "due to be contacted" not in text
    none = counted(0, 0, 0)
    for text in shown(world, none, recommendations):
        assert "lost in the last" not in text
    assert 0 < len(ended) == sum(results.scoring["ended"].values())
    alone, everyone = (
        words(model_page(world.parameters, results, table, PICTURES))
        for table in (recommendations.drop(ended.index), recommendations)
    )
    assert alone == everyone
    recommended = pq.read_table(world.recommendations)
    named = words(page_of_leads(world.parameters, results, recommended))
    # Of those that have ended, only whom to come back to is named, who is due first.
    dated = [(row["recontact_on"], row["lead_id"]) for row in recommended.to_pylist() if row["recontact_on"]]
    again = {lead for _, lead in sorted(dated)[:MOST_LEADS]}
    assert {lead for lead in ended["lead_id"] if lead in named} == again & set(ended["lead_id"])


def test_a_row_that_holds_several_events_is_told_apart(
    world: Project, results: Results, recommendations: pd.DataFrame
) -> None:
    wide = {"rows": 30, "lines": 10, "used": 30, "set_aside": {}, "observed_until": "2026-06-30T00:00:00"}
    told = dataclasses.replace(results, ingested=results.ingested | {"sources": {"deals": wide}})
    _, html = shown(world, told, recommendations)
    assert "A row of deals may hold several events, each of which counts as a row: its 10 rows hold 30." in html


METRICS: dict[str, Any] = {
    "base_rate": {"value": 0.0272, "low": 0.0236, "high": 0.0309},
    "lift_at_10": {"value": 3.849, "low": 3.40, "high": 12.0},
    "precision_at_10": {"value": 0.1046, "low": 0.0867, "high": 0.1245},
    "roc_auc": {"value": 0.796, "low": 0.775, "high": 0.817},
    "calibration_error": {"value": 0.0045},
    "calibration_error_by_chance": {"mean": 0.003, "quantile_95": 0.0056},
    "calibration_slope": {"value": 1.02, "low": 0.91, "high": 1.13},
}


def test_the_headlines_say_the_figures_in_words(results: Results) -> None:
    scoring = {"leads": 2350, "expected_conversions": 65.3, "as_of": "2026-06-30T23:58:57", "tiers": {"SQL": 119}}
    scoring |= {"lists": {"sales": 40}}
    kept = dataclasses.replace(results, scoring=scoring, breakdown=results.breakdown | {"worst": []})
    told = headlines(dataclasses.replace(kept, metrics=METRICS))
    assert [headline.figure for headline in told] == ["65", "3.8 times", "80 in 100", "0.45 points"]
    meanings = [headline.meaning.replace("\N{NO-BREAK SPACE}", " ") for headline in told]
    assert (
        "Of 2,350 leads open on 30 June 2026, so many are expected to convert within 30 days. 119 leads" in meanings[0]
    )
    assert "(3.4 to 12.0): 10 % of them within 30 days, against 2.7 %." in meanings[1]
    assert "reaches 38 % of all conversions (34 % to 100 %)." in meanings[1]
    assert "puts the right one first (78 to 82)." in meanings[2]
    assert "on average. Chance alone explains up to 0.56: nothing here speaks against the prob" in meanings[3]
    worse = METRICS | {"calibration_error": {"value": 0.0057}}
    told = headlines(dataclasses.replace(kept, metrics=worse))
    assert "on average. Chance alone explains only up to 0.56: look at the calibration" in told[3].meaning


@pytest.mark.parametrize(
    ("low", "high", "parts", "told"),
    [
        (1.01, 1.20, 0, "high probabilities are too low and low ones too high (calibration slope)."),
        (0.80, 0.99, 0, "high probabilities are too high and low ones too low (calibration slope)."),
        (0.91, 1.13, 1, "0.56, but not all is well: in some parts of the leads promises are further off (see below)."),
        (1.01, 1.20, 1, "low ones too high (calibration slope); in some parts of the leads promises are further off"),
    ],
)
def test_no_headline_says_that_all_is_well_where_the_slope_or_a_part_says_otherwise(
    results: Results, low: float, high: float, parts: int, told: str
) -> None:
    part = {"kind": "channel", "name": "web", "promised": 60.0, "happened": 24, "rows": 5460, "leads": 1060}
    metrics = results.metrics | METRICS | {"calibration_slope": {"value": (low + high) / 2, "low": low, "high": high}}
    doubted = dataclasses.replace(results, metrics=metrics, breakdown=results.breakdown | {"worst": [part] * parts})
    meaning = headlines(doubted)[3].meaning
    assert told in meaning
    assert "nothing here speaks against" not in meaning


def test_no_line_of_the_summary_is_longer_than_the_page_or_broken_outside_its_table(
    world: Project, results: Results
) -> None:
    text = summary(world.parameters, results)
    assert max(map(len, text.splitlines())) <= 96
    assert not [line for line in text.split("Where to look next\n")[1].splitlines() if not line.startswith("  ")]


def test_what_could_not_be_measured_is_unknown_and_the_rest_is_shown(
    world: Project, results: Results, recommendations: pd.DataFrame
) -> None:
    nothing = {name: dict.fromkeys(parts) for name, parts in results.metrics.items() if name != "foretold"}
    poor = dataclasses.replace(
        results,
        metrics=nothing | {"foretold": results.metrics["foretold"]},
        snapshots=results.snapshots | {"unlabelled": {}},
        training=results.training | {"origins": []},
    )
    text, told = shown(world, poor, recommendations)
    assert [figure.value for figure in poor.figures()] == ["unknown"] * 7
    assert [headline.figure for headline in headlines(poor)][1:] == ["unknown"] * 3
    assert " ROC AUC unknown " in told
    assert "  ROC AUC " in text
    assert "nan" not in text.lower().split()
    assert "None" not in told


def test_warnings_of_the_log_and_broken_expectations_are_told_whole(
    world: Project, results: Results, recommendations: pd.DataFrame
) -> None:
    long = "crm: 31 % of the rows are duplicates; check event_id under ingest.sources.crm.columns, " + "x" * 60 + " end"
    verdicts = [
        {"suite": "leads", "meaning": "created_at is <plausible>", "count": 12345.0, "success": False},
        {"suite": "leads", "meaning": "lead_id is unique", "count": 0.0, "success": True},
    ]
    odd = dataclasses.replace(
        results,
        ingested=results.ingested | {"warnings": [long]},
        validated={"expectations": verdicts},
        scoring=results.scoring | {"older_than_learned": 0, "ended_unknown": 3},
    )
    text, told = shown(world, odd, recommendations)
    assert "  2 expectations, 2 warnings\n    crm: 31 % of the rows" in text
    assert long in re.sub(r"\s+", " ", text)
    assert "    leads: created_at is <plausible>, found 12,345\n" in text
    assert max(map(len, text.splitlines())) <= 96
    assert " 3 warnings " in told
    assert long in told
    assert "leads: created_at is &lt;plausible&gt;, found 12,345" in told
    assert "3 of the leads that were scored had converted or were lost before" in told
    assert "2 expectations were put to the data, and 1 of them are met" in told


def test_names_are_shown_as_they_are_and_not_as_markup(
    world: Project, results: Results, recommendations: pd.DataFrame
) -> None:
    source = {"rows": 2, "used": 1, "set_aside": {"[red]:smile: <i>": 1}, "observed_until": None}
    odd = dataclasses.replace(results, ingested=results.ingested | {"sources": {"[bold]web": source}})
    text, told = shown(world, odd, recommendations)
    assert "  [bold]web " in text
    assert "  [red]:smile: <i> " in text
    assert " no event" in text
    assert "[red]:smile: &lt;i&gt; 1 [bold]web" in told


def test_milestones_stand_in_the_funnel_of_the_page(with_milestones: Project) -> None:
    told = words((with_milestones.root / "reports/model.html").read_text(encoding="utf-8"))
    assert " case &lt;opened&gt; " in told
    assert " [bold]meeting " in told
    assert "episodes.milestones" not in told, "a hint for those who have none"


def test_the_pages_are_written_the_same_again(with_milestones: Project) -> None:
    paths = [
        with_milestones.root / f"reports/{name}"
        for name in ("summary.txt", "index.html", "model.html", "private/leads.html")
    ]
    before = [path.read_bytes() for path in paths]
    with_milestones.run("report")
    assert [path.read_bytes() for path in paths] == before


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (percent(0.5), "50 %"),
        (percent(0.09949), "9.9 %"),
        (percent(0.0996), "10 %"),
        (percent(0.0272), "2.7 %"),
        (percent(0.0045), "0.45 %"),
        (percent(0.0), "0 %"),
        (percent(0.024, like=0.5), "2 %"),
        (cut(0.07), "7 %"),
        (cut(0.125), "12.5 %"),
        (whole(12345.6), "12,346"),
        (day("2026-06-30T23:58:57.034504"), "30 June 2026"),
        (duration_in_words("30d"), "30 days"),
        (duration_in_words("24h"), "1 day"),
        (duration_in_words("36h"), "36 hours"),
        (duration_in_words("90m"), "90 minutes"),
    ],
)
def test_numbers_and_times_are_written_as_people_read_them(written: str, expected: str) -> None:
    assert written.replace("\N{NO-BREAK SPACE}", " ") == expected


def test_names_of_milestones_are_none_of_mlflows_business(with_milestones: Project) -> None:
    """They may be any text, which MLflow does not take as the name of a setting, and they change no model."""
    with_milestones.run("evaluate")
    assert "is the champion, being the first" in with_milestones.told[-1]


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (-0.003, -0.001, "BETTER than the model: the rule of points."),
        (-0.001, 0.002, "Not worse than the model by more than chance: the rule of points."),
        (0.001, 0.002, None),
    ],
)
def test_what_the_model_does_not_beat_is_said_before_its_figures(
    world: Project, results: Results, recommendations: pd.DataFrame, low: float, high: float, told: str | None
) -> None:
    rival = {"name": "the rule of points", "log_loss": 0.2, "roc_auc": 0.7, "gain": (low + high) / 2}
    beside = results.breakdown | {"rivals": [rival | {"low": low, "high": high}]}
    changed = dataclasses.replace(results, breakdown=beside)
    assert changed.unbeaten() == told
    text, html = shown(world, changed, recommendations)
    for page_of, figures in ((re.sub(r"\s+", " ", text), " of all foretold "), (html, " What is recommended ")):
        assert (told in page_of.split(figures)[0]) if told else ("than the model" not in page_of)
