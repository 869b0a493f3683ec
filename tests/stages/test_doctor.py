"""``leadcast doctor`` and ``leadcast run``: what is odd is named with its remedy; what can be trained is counted."""

from __future__ import annotations

import hashlib
import http.server
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import yaml
from command_line import call
from exports import BEGINNING, write_table
from small_project import SmallProject
from world import Project

from features.core.time import DAY
from pipeline.core.project import Places
from pipeline.inspection.doctor import Examination, Finding, examine
from pipeline.log.learnable import LADDER, longest_trainable, table_of, tabulate
from pipeline.settings.file import load_parameters


def said(examination: Examination, state: str) -> list[str]:
    return [finding.what for finding in examination.findings if finding.state == state]


def test_a_sound_project_has_nothing_wrong(world: Project) -> None:
    examination = examine(world)
    assert examination.exit_code == 0
    assert said(examination, "wrong") == []
    assert "params.yaml is valid" in said(examination, "good")
    assert "10 tables can be opened" in said(examination, "good")
    assert all(finding.remedy for finding in examination.findings if finding.state != "good")


def test_the_table_counts_what_the_snapshots_say(world: Project) -> None:
    """The row of the horizon that is set must equal the snapshots stage's own labels."""
    rows = tabulate(world, [30 * DAY])
    snapshots = pd.read_parquet(world.snapshots)
    labelled = snapshots[snapshots["label"].notna()]
    own = next(row for row in rows if (row.milestone, row.horizon) == ("converted", 30 * DAY))
    assert own.mature == len(labelled)
    assert own.conversions == int(labelled["label"].sum())
    assert own.leads == labelled.loc[labelled["label"].astype(bool), "lead_id"].nunique()
    assert own.problem is None
    assert [row.milestone for row in rows] == [*world.parameters.episodes.milestones, "converted"]


def test_a_longer_horizon_has_fewer_mature_snapshots_until_the_log_is_too_short(world: Project) -> None:
    rows = [row for row in tabulate(world) if row.milestone == "converted"]
    assert [row.horizon for row in rows] == list(LADDER)
    mature = [row.mature for row in rows]
    assert mature == sorted(mature, reverse=True)
    assert rows[-1].problem == "the log is too short"
    longest = longest_trainable(rows)
    assert longest is not None
    assert max(row.horizon for row in rows if row.problem is None) == longest
    assert table_of(rows)[-1][-1] == "the log is too short"


def test_too_few_conversions_are_itemised(world: Project) -> None:
    strict = world.parameters.model_copy(
        update={"train": world.parameters.train.model_copy(update={"minimum_conversions": 10_000})}
    )
    rows = tabulate(replace(world, parameters=strict), [30 * DAY])
    assert rows[-1].problem is not None
    assert not rows[-1].trains
    lacking = 10_000 - rows[-1].leads
    pace = rf"{lacking:,} more that convert, at the pace so far \({rows[-1].leads} in \d+ days\)"
    assert re.match(rf"{pace} about \d{{4}}-\d\d-\d\d; [\d,]+ more that don't, at the pace", rows[-1].problem)


def test_names_that_nobody_has_a_word_for_are_listed_as_advice(world: Project, tmp_path: Path) -> None:
    assert "all that the log names has words in 'en'" in said(examine(world), "good")
    english = world.parameters.words.en.model_dump(mode="json")
    for part, name in (("event_types", "page_view"), ("event_types", "meeting"), ("event_types", "call_made")):
        del english[part][name]
    del english["channels"]["sea"], english["milestones"]["opportunity"]
    project = world.copy_to(tmp_path / "project", leave_out=("reports", "raw/truth.parquet"))
    project = project.with_settings({"words.en": english})
    examination = examine(project)
    (told,) = [finding for finding in examination.findings if "no words in" in finding.what]
    # The most frequent first. What our own people do is neither quoted nor, here, a feature.
    expected = "no words in 'en' for event types: page_view, meeting; channels: sea; milestones: opportunity"
    assert told.what == expected
    assert (told.state, told.area) == ("odd", "settings")
    assert told.remedy == "say under words.en what people call them, for the pages"
    assert examination.exit_code == 0


def test_an_attribute_that_knows_the_outcome_is_named(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("reports",)).with_settings(
        {"ingest.leads.attributes": dict.fromkeys(("country", "territory", "crm_stage"), "category")}
    )
    project.run("ingest")
    examination = examine(project)
    wrong = [finding for finding in examination.findings if finding.state == "wrong"]
    assert [finding.what.partition(": alone crm_stage has an AUC of ")[0] for finding in wrong] == [
        "a column that knows the outcome (column_knows_outcome:crm_stage)"
    ]
    assert "take it out of ingest.leads.attributes" in wrong[0].remedy
    assert examination.exit_code == 10


def test_what_stands_in_the_way_has_the_exit_code_of_its_kind(world: Project, tmp_path: Path) -> None:
    empty = examine(Places(tmp_path))
    assert empty.exit_code == 3
    assert any("params.yaml is missing" in what for what in said(empty, "wrong"))
    project = world.copy_to(tmp_path / "project", leave_out=("reports",))
    (project.root / "data/raw/web.parquet").unlink()
    examination = examine(project)
    assert examination.exit_code == 4
    assert any("web.parquet" in what for what in said(examination, "wrong"))


def test_a_horizon_that_cannot_be_trained_is_answered_with_one_that_can(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("reports", "raw/truth.parquet")).with_settings(
        {"snapshots.horizon": "600d"}
    )
    examination = examine(project)
    assert examination.exit_code == 6
    wrong = [finding for finding in examination.findings if finding.state == "wrong"]
    assert wrong[0].what == "the horizon of 600d can't be trained: the log is too short"
    longest = longest_trainable(examination.learnable)
    assert longest is not None
    assert f"set snapshots.horizon to {longest // DAY}d, the longest that can" in wrong[0].remedy


def test_without_a_log_it_says_what_to_run_first(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("reports",))
    (project.root / "data/ingest.json").unlink()
    finding = Finding(
        "data",
        "odd",
        "there is no log yet",
        "leadcast ingest, then leadcast doctor again: it tells what can be trained",
    )
    assert finding in examine(project).findings


def test_of_a_log_of_other_settings_nothing_is_judged(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("reports",))
    content = yaml.safe_load((project.root / "params.yaml").read_text())
    content["ingest"]["sources"] = {"tickets": content["ingest"]["sources"]["outcomes"]}
    content["episodes"] = {"conversion": ["bought"]}
    (project.root / "params.yaml").write_text(yaml.safe_dump(content))
    said = [finding for finding in examine(project).findings if finding.area == "data"]
    assert [finding for finding in said if not finding.what.endswith("can be opened")] == [
        Finding(
            "data",
            "odd",
            "the log in data/ was made by other settings, of crm, email, outcomes, web",
            "leadcast ingest, then leadcast doctor again: it tells what can be trained",
        )
    ]


def test_files_that_are_newer_than_the_log_are_told(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("reports",))
    path = project.root / "data/raw/outcomes.csv"
    path.write_bytes(path.read_bytes())
    os.utime(path, (time.time() + 60, time.time() + 60))
    assert "1 files are newer than the log" in said(examine(project), "odd")


@pytest.fixture
def tracking_server() -> Iterator[str]:
    """Start a server that answers as MLflow's does when it is asked how it is."""

    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_tracking_server_is_asked_whether_it_is_there(
    world: Project, monkeypatch: pytest.MonkeyPatch, tracking_server: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_server)
    assert "the server of MLFLOW_TRACKING_URI answers" in said(examine(world), "good")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    examination = examine(world)
    assert "the server of MLFLOW_TRACKING_URI does not answer" in said(examination, "wrong")
    assert examination.exit_code == 1


def test_the_variable_of_a_database_must_be_set_and_is_never_shown(
    world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("reports",))
    content = yaml.safe_load((project.root / "params.yaml").read_text())
    content["ingest"]["tables"] = {"deals": {"database": "$CRM_DATABASE", "query": "SELECT 1 AS one"}}
    (project.root / "params.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.delenv("CRM_DATABASE", raising=False)
    examination = examine(project)
    assert "ingest.tables.deals: the environment variable CRM_DATABASE is not set" in said(examination, "wrong")
    monkeypatch.setenv("CRM_DATABASE", "postgresql://me:secret@host/crm")
    assert not any("secret" in str(finding) for finding in examine(project).findings)


def test_run_from_a_stage_gives_the_same_bytes_as_the_stages_one_by_one(
    least: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = least.copy_to(tmp_path / "project", leave_out=("data-docs",))
    for name in ("recommendations.parquet", "recommendations.csv"):
        (project.root / "data" / name).unlink()
    monkeypatch.chdir(project.root)
    code, text = call("run", "--start", "recommend")
    assert code == 0
    assert "The recommendations, as of" in text
    assert "evaluate" not in text.partition("recommend ")[0]
    for output in ("data/recommendations.parquet", "data/recommendations.csv"):
        ours, theirs = (hashlib.sha256((root / output).read_bytes()).hexdigest() for root in (project.root, least.root))
        assert ours == theirs, output


def test_a_stage_that_does_not_exist_is_answered_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = call("run", "--start", "trian")
    assert code == 2
    assert "'trian' is no stage; did you mean 'train'?" in text


def test_milestones_are_counted_by_hand(tmp_path: Path) -> None:
    """Ten leads, one a day: each has an offer after 2 days; even ones win after 6; the log goes on for long."""
    events = []
    for number in range(10):
        created = BEGINNING + timedelta(days=number)
        events += [(f"L{number}", created, "form"), (f"L{number}", created + timedelta(days=2), "offer")]
        if number % 2 == 0:
            events.append((f"L{number}", created + timedelta(days=6), "won"))
    events.append(("L1", BEGINNING + timedelta(days=60), "form"))
    write_table(tmp_path / "raw/log.csv", ("lead", "at", "what"), events)
    settings = {
        "data_root": "raw",
        "ingest": {
            "sources": {
                "log": {
                    "path": "log.csv",
                    "known_at": "as_it_occurred",
                    "actor": "lead",
                    "columns": {"lead_id": "lead", "occurred_at": "at", "event_type": "what"},
                }
            }
        },
        "episodes": {"conversion": ["won"], "milestones": {"offered": ["offer"]}},
        "snapshots": {"horizon": "7d", "policies": [{"ages": ["1d", "3d"]}]},
        "decision": {"tiers": {"mql": 0.1, "sql": 0.3}},
    }
    sections = ("validate", "features", "train", "evaluate", "recommend", "kpi", "leads", "words")
    settings |= {name: {} for name in sections}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    project = Project(tmp_path, load_parameters(tmp_path / "params.yaml"))
    project.run("ingest")
    rows = {(row.milestone, row.horizon // DAY): row for row in tabulate(project, [DAY, 7 * DAY])}
    # Looked at after a day, all ten get their offer within the next 7; after 3 days it is behind them.
    assert (rows["offered", 7].mature, rows["offered", 7].conversions, rows["offered", 7].leads) == (10, 10, 10)
    assert rows["offered", 1].conversions == 0
    # Five win on day 6, within 7 days of both looks; ten leads are looked at twice.
    assert (rows["converted", 7].mature, rows["converted", 7].conversions, rows["converted", 7].leads) == (20, 10, 5)
    with duckdb.connect() as connection:
        assert connection.execute(
            "SELECT count(*) FROM read_parquet(?)", [str(tmp_path / "data/interactions.parquet")]
        ).fetchall() == [(26,)]


def test_where_results_go_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = SmallProject(tmp_path / "project")
    small.write(leads_csv="lead,created,name,fax\nA,2026-01-01,Ada,\nB,2026-01-01,,\n")
    content = yaml.safe_load((small.root / "params.yaml").read_text())
    mail = {"server": "$SMTP_SERVER", "from": "a@example.com", "to": ["b@example.com"]}
    settings = content | {
        "leads": {"shown": {"name": "name"}},
        "publish": {"folder": str(tmp_path), "lists": str(tmp_path.parent / "not there"), "mail": mail},
    }
    (small.root / "params.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.delenv("SMTP_SERVER", raising=False)
    examination = examine(Places(small.root))
    odd = {finding.what: finding.remedy for finding in examination.findings if finding.state == "odd"}
    told = "publish.mail.server: the environment variable SMTP_SERVER is not set"
    assert odd[told] == "set it where leadcast publish runs"
    assert odd[f"publish.lists: {tmp_path.parent}/not there is not there, or is no folder"] == (
        "make it, or connect the share"
    )
    assert {"publish.folder can be written to", "all that leads.shown names is there, and holds something"} <= set(
        said(examination, "good")
    )
    assert examination.exit_code == 0, "a run goes on without them"
    monkeypatch.setenv("SMTP_SERVER", "localhost")
    settings["leads"] = {"shown": {"name": "name", "telephone": "fax"}}
    (small.root / "params.yaml").write_text(yaml.safe_dump(settings))
    examination = examine(Places(small.root))
    assert "publish.mail has a server, and all that it needs of the environment" in said(examination, "good")
    assert "leads.shown.telephone: its column holds nothing in any row" in said(examination, "odd")
    settings["leads"] = {"shown": {"name": "nmae"}}
    (small.root / "params.yaml").write_text(yaml.safe_dump(settings))
    examination = examine(Places(small.root))
    (wrong,) = [finding for finding in examination.findings if finding.state == "wrong"]
    assert wrong.what + wrong.remedy == (
        "leads.shown.name: the table of leads has no column 'nmae'did you mean 'name'?"
    )
    assert examination.exit_code == 3
