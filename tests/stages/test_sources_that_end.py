"""Sources that end at different times, or lack a day: what stops, what is told, and what a declaration changes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml
from command_line import failure
from raw_logs import source_of
from small_project import SmallProject
from world import Project

from features.core.time import DAY
from pipeline.discovery.initialise import Options, initialise
from pipeline.inspection.doctor import examine
from pipeline.log.source_verdicts import source_verdicts
from pipeline.settings.file import load_parameters

WEB = "data/raw/web.parquet"
END = datetime(2026, 6, 30, 23, 56)


def rewritten(world: Project, folder: Path, condition: str) -> Project:
    """Copy the small world without the rows of the web that don't meet a condition, and ingest it."""
    project = world.copy_to(folder, leave_out=("reports", "model", "quarantine"))
    old, new = project.root / WEB, project.root / "new.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM read_parquet('{old}') WHERE {condition}) TO '{new}' (FORMAT parquet)")
    new.replace(old)
    project.run("ingest")
    return project


@pytest.fixture(scope="module")
def old_web(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Let the web log end thirty days before the outcomes."""
    return rewritten(world, tmp_path_factory.mktemp("old") / "project", "received_at < TIMESTAMP '2026-05-31'")


@pytest.fixture(scope="module")
def day_missing(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Leave one row of the web on the last day but one."""
    folder = tmp_path_factory.mktemp("missing") / "project"
    day = "CAST(received_at AS DATE) = DATE '2026-06-29'"
    return rewritten(world, folder, f"NOT ({day}) OR received_at > TIMESTAMP '2026-06-29 23:40'")


def rhythm_of(project: Project, source: str = "web") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((project.root / "data/ingest.json").read_text())
    rhythm: dict[str, Any] = content["sources"][source]["rhythm"]
    return rhythm


def again(project: Project, folder: Path, changes: dict[str, object]) -> Project:
    """Copy a project, change its settings and ingest it again."""
    copied = project.copy_to(folder).with_settings(changes)
    copied.run("ingest")
    return copied


def test_a_sound_log_has_sources_that_run(world: Project) -> None:
    ingested = json.loads((world.root / "data/ingest.json").read_text())
    assert {source["rhythm"]["state"] for source in ingested["sources"].values()} == {"running"}
    assert source_verdicts(ingested) == []
    said = [finding.what for finding in examine(world).findings if finding.state == "good"]
    assert sum("is running: silent for" in what for what in said) == 4
    summary = (world.root / "reports/summary.txt").read_text()
    assert summary.count(" running") == 4
    assert (world.root / "reports/model.html").read_text().count("<td>running</td>") == 4


def test_a_source_that_ended_a_month_ago_stops_the_run_and_the_night(
    old_web: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    rhythm = rhythm_of(old_web)
    assert (rhythm["state"], rhythm["since"][:10], rhythm["reaches"][:10]) == ("silent", "2026-05-30", "2026-05-30")
    warned = [line for line in old_web.told if line.startswith("warning: web: silent for longer than ever: ")]
    assert len(warned) == 1
    for command in (("snapshots",), ("score", "--as-of", "latest"), ("score", "--as-of", "now")):
        code, text = failure(old_web.root, monkeypatch, *command)
        assert code == 7
        assert "silent for longer than ever, by the day of the last row: web on 2026-05-30 23:" in text
        assert "closed: '2026-05-30'" in text
        assert "quiet: true" in text
        assert "observed_until: '2026-05-30T23:" in text
    examination = examine(old_web)
    assert examination.exit_code == 7
    (wrong,) = [one.what for one in examination.findings if one.state == "wrong"]
    assert wrong.startswith("silent for longer than ever (source_silent:web): no row became known since 2026-05-30")


def test_a_moment_before_it_ended_can_be_scored(old_web: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert failure(old_web.root, monkeypatch, "score", "--as-of", "2026-05-30")[0] == 8, "there is no champion here"
    assert failure(old_web.root, monkeypatch, "score", "--as-of", "2026-06-20")[0] == 7


def test_snapshots_end_where_a_source_was_last_read(
    old_web: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = again(old_web, tmp_path / "read", {"ingest.sources.web.observed_until": "2026-05-30T23:59:59"})
    assert rhythm_of(read)["state"] == "running"
    read.run("snapshots")
    taken = pd.read_parquet(read.root / "data/snapshots.parquet")
    assert taken["as_of"].max() <= datetime(2026, 5, 30, 23, 59, 59)
    assert taken["as_of"].max() > datetime(2026, 5, 30)
    counts = json.loads((read.root / "data/snapshots.json").read_text())
    assert counts["log_until"] == "2026-05-30T23:59:59"
    assert counts["observed_until"] > "2026-06-29", "outcomes are known to the end"
    code, text = failure(read.root, monkeypatch, "score", "--as-of", "2026-06-20")
    assert code == 7
    assert "after the end of the log, 2026-05-30 23:59 UTC (web on 2026-05-30 23:59 UTC)" in text


@pytest.mark.parametrize("declared", [{"closed": "2026-05-30"}, {"quiet": True}], ids=["closed", "quiet"])
def test_a_source_that_is_declared_stops_nothing(old_web: Project, tmp_path: Path, declared: dict[str, object]) -> None:
    changes = {f"ingest.sources.web.{name}": value for name, value in declared.items()}
    project = again(old_web, tmp_path / "declared", changes)
    assert rhythm_of(project)["state"] == next(iter(declared))
    project.run("snapshots")
    assert pd.read_parquet(project.root / "data/snapshots.parquet")["as_of"].max() > datetime(2026, 6, 28)


def test_a_source_that_feeds_no_features_stops_nothing(old_web: Project, tmp_path: Path) -> None:
    """Where only our own acts count, the web, which brings none and ends no episode, may end when it likes."""
    project = old_web.copy_to(tmp_path / "project").with_settings({"features.actors": ["us"]})
    project.run("snapshots")
    ingested = json.loads((project.root / "data/ingest.json").read_text())
    assert [(one.code, one.severity) for one in source_verdicts(ingested, ["crm", "outcomes"])] == [
        ("source_silent", "doubtful")
    ]


def test_a_day_with_far_fewer_rows_stops_a_scoring_and_names_source_and_day(
    day_missing: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for moment in ("latest", "now", "2026-06-30"):
        code, text = failure(day_missing.root, monkeypatch, "score", "--as-of", moment)
        assert code == 7
        assert "web: 2026-06-29 has 5 rows, such days 199" in text
        assert "ingest.sources.web.closed_days, as in ['2026-06-29']" in text
    assert failure(day_missing.root, monkeypatch, "score", "--as-of", "2026-06-29")[0] == 8


def test_a_day_with_far_fewer_rows_is_a_verdict_and_stops_no_stage(day_missing: Project) -> None:
    day_missing.run("snapshots")
    ingested = json.loads((day_missing.root / "data/ingest.json").read_text())
    (verdict,) = source_verdicts(ingested)
    assert (verdict.code, verdict.severity, verdict.subject) == ("source_thin", "wrong", "web")
    assert verdict.evidence.startswith("2026-06-29 has 5 rows, such days 199")
    assert "closed_days" in verdict.remedy
    assert examine(day_missing).exit_code == 10


def test_the_last_day_may_be_the_one_that_is_missing(
    world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = rewritten(world, tmp_path / "project", "received_at < TIMESTAMP '2026-06-30'")
    code, text = failure(project.root, monkeypatch, "score", "--as-of", "latest")
    assert code == 7
    assert "web: 2026-06-30 has 0 rows up to 23:" in text or "web: 2026-06-30 has 0 rows, such days" in text


def test_a_stated_day_is_no_fault(day_missing: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = again(day_missing, tmp_path / "stated", {"ingest.sources.web.closed_days": ["2026-06-29"]})
    assert rhythm_of(project)["state"] == "running"
    code, text = failure(project.root, monkeypatch, "score", "--as-of", "latest")
    assert (code, "no champion" in text) == (8, True)


def test_a_campaign_that_ends_is_no_fault_of_its_source(tmp_path: Path) -> None:
    """Of 90 rows a day, two thirds come over a campaign that ends; then everything ends."""
    random = np.random.default_rng(3)
    begin = datetime(2026, 1, 5)
    rows = ["lead,at,what,campaign"]
    for day in range(120):
        for campaign, count in (("spring", 60 if day < 118 else 0), ("", 30)):
            minutes = random.integers(0, 1440, count)
            rows += [f"A,{begin + DAY * day + timedelta(minutes=int(m))},visit,{campaign}" for m in sorted(minutes)]
    source = source_of(columns={"campaign": "campaign"})
    project = SmallProject(tmp_path / "p").write(log_csv="\n".join(rows)).set({"log": source})
    assert project.ingest().code == 0
    rhythm = project.accounts()["sources"]["log"]["rhythm"]
    assert rhythm["state"] == "running"
    assert {hole["explained"] for hole in rhythm["holes"]} == {"without the campaign 'spring' it is as usual"}
    assert [hole["day"] for hole in rhythm["holes"]][:1] == ["2026-05-03"]


def small_company(tmp_path: Path, until: datetime, silent: timedelta) -> SmallProject:
    """Ingest a visit every other day or so, an outcome a week; the last visit lies as far back as is said."""
    random = np.random.default_rng(11)
    rows = {"visits": ["lead,at,what"], "outcomes": ["lead,at,what"]}
    for name, mean, last in (("visits", 1.6, until - silent), ("outcomes", 7, until - silent - DAY)):
        gaps = np.minimum(random.exponential(mean, 120), 4 * mean)
        moments = [last - DAY * float(back) for back in np.concatenate([[0], gaps.cumsum()])]
        what = "visit" if name == "visits" else "won"
        rows[name] += [f"A,{moment:%Y-%m-%d %H:%M:%S},{what}" for moment in moments]
    sources = {name: source_of(f"{name}.csv", actor="lead" if name == "visits" else "system") for name in rows}
    leads = f"lead,created\nA,{until - 900 * DAY:%Y-%m-%d}\n"
    project = SmallProject(tmp_path / "company").set(sources)
    project.write(visits_csv="\n".join(rows["visits"]), outcomes_csv="\n".join(rows["outcomes"]), leads_csv=leads)
    assert project.ingest().code == 0
    return project


def test_a_small_company_is_scored_after_a_few_days_without_news(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    night = small_company(tmp_path, now, 4 * DAY).run("score", "--as-of", "now")
    assert night.code == 8, "no champion here, and no other objection"


def test_a_small_company_is_not_scored_six_weeks_after_its_last_row(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    night = small_company(tmp_path, now, 42 * DAY).run("score", "--as-of", "now")
    assert night.code == 7
    assert "the log ends more than 2d ago (visits on" in night.text


def test_few_rows_are_not_judged_and_it_is_told(tmp_path: Path) -> None:
    project = SmallProject(tmp_path / "project")
    project.ingest()
    rhythm = project.accounts()["sources"]["log"]["rhythm"]
    assert (rhythm["state"], rhythm["silences"]) == ("unjudged", 2)
    assert [(one.code, one.severity) for one in source_verdicts(project.accounts())] == [("source_unjudged", "told")]


def test_an_end_that_no_row_has_met_is_told(tmp_path: Path) -> None:
    """Closed years after the log's end, it is not closed; read until years before, no row of it was ever read."""
    project = SmallProject(tmp_path)
    visits = "".join(f"A,2026-01-{day:02} 10:00,visit\n" for day in range(2, 30))
    project.write(log_csv="lead,at,what\n" + visits).set({"log": source_of() | {"closed": "2030-05-31"}})
    assert project.ingest().code == 0
    (told,) = source_verdicts(project.accounts())
    assert (told.name, told.severity) == ("source_closes_later:log", "told")
    assert told.evidence.startswith("declared closed on 2030-05-31, and read until 2026-01-29")

    project.set({"log": source_of() | {"observed_until": "2025-05-31"}})
    outcome = project.ingest()
    assert outcome.code == 0
    assert "log: rows after the end that the settings state: 28 rows became known after observed_until" in outcome.text
    assert project.accounts()["sources"]["log"]["rhythm"]["state"] == "unjudged"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"closed": "2026-05-30", "quiet": True}, "closed and quiet both say why it is silent; keep one of them"),
        ({"quiet": True, "closed_days": ["2026-05-30"]}, "closed_days have no effect on a source that is quiet"),
        (
            {"closed_days": ["christmas"]},
            "'christmas' is no quoted day, as in '2026-12-25', or ['2026-12-24', '2027-01-01",
        ),
        ({"closed_days": [["2026-12-31", "2026-12-24"]]}, "2026-12-31 to 2026-12-24 ends before it begins"),
        ({"closed": "soon"}, "'soon' is no date; write it as '2026-06-29'"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_told(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    project = SmallProject(tmp_path / "project").set({"log": source_of(**changes)})
    outcome = project.run("ingest")
    assert outcome.code == 3
    assert expected in outcome.text


@pytest.mark.parametrize(("days", "setting"), [(30, "observed_until"), (150, "closed")])
def test_settings_that_init_proposes_say_which_source_ends_early(tmp_path: Path, days: int, setting: str) -> None:
    """Visits end a month, or half a year, before the outcomes: the settings run as they are, unedited."""
    random = np.random.default_rng(5)
    begin = datetime(2025, 1, 6, 8)
    end = 420
    visits, outcomes = ["lead_id,occurred_at,event_type"], ["lead_id,closed_at,outcome"]
    people = ["lead_id,created_at,country"]
    for number in range(600):
        created = float(random.uniform(0, end - 20))
        people.append(f"L{number:05d},{begin + DAY * created:%Y-%m-%d %H:%M:%S},{random.choice(['NL', 'DE'])}")
        eager = random.random() < 0.4
        for _ in range(int(random.poisson(6 if eager else 2)) + 1):
            at = created + float(random.exponential(8))
            if at < end - days:
                kind = random.choice(["page_view", "form"])
                visits.append(f"L{number:05d},{begin + DAY * at:%Y-%m-%d %H:%M:%S},{kind}")
        closed = created + float(random.gamma(3, 5))
        if closed < end and random.random() < 0.8:
            won = random.random() < (0.5 if eager else 0.05)
            outcomes.append(f"L{number:05d},{begin + DAY * closed:%Y-%m-%d %H:%M:%S},{'won' if won else 'lost'}")
    for name, rows in (("visits", visits), ("outcomes", outcomes), ("leads", people)):
        (tmp_path / "raw").mkdir(exist_ok=True)
        (tmp_path / "raw" / f"{name}.csv").write_text("\n".join(rows) + "\n")
    found = initialise(tmp_path / "raw", Options(), None, lambda _: None, tmp_path)
    (tmp_path / "params.yaml").write_text(found.settings)
    stated = yaml.safe_load(found.settings)["ingest"]["sources"]["visits"]
    last = (begin + DAY * (end - days - 1)).date().isoformat()
    assert str(stated[setting]) >= last
    assert any("visits ends before the others" in line for line in found.told)
    project = Project(tmp_path, load_parameters(tmp_path / "params.yaml"))
    project.run("ingest", "validate", "snapshots")
    assert rhythm_of(project, "visits")["state"] == ("closed" if setting == "closed" else "running")
