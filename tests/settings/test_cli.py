"""The command line: what it offers, and how it fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main
import typer.testing
from command_line import call, call_executable, failure
from house import ROOT
from world import Project

from features.core.errors import LeadcastError
from pipeline.commands import console
from pipeline.commands.app import STAGES, app

_GROUP: Any = typer.main.get_command(app)
# A runner makes the commands anew at every call, which takes longer than many of them.
setattr(typer.testing, "_get_command", lambda _: _GROUP)  # noqa: B010 - it is no part of what typer offers
COMMANDS: list[str] = sorted(_GROUP.commands)
CALLS = [name for name in COMMANDS if name not in {"crm", "export"}] + [
    f"{group} {name}" for group in ("crm", "export") for name in _GROUP.commands[group].commands
]
FAILURES: list[type[LeadcastError]] = [LeadcastError, *LeadcastError.__subclasses__()]
HEAVY = {
    "pydantic",
    "pandas",
    "numpy",
    "pyarrow",
    "duckdb",
    "mlflow",
    "lightgbm",
    "great_expectations",
    "sklearn",
    "matplotlib",
}


def test_the_help_lists_every_command_and_every_exit_code() -> None:
    code, text = call("--help")
    assert code == 0
    assert set(STAGES) | {
        "sample",
        "ui",
        "init",
        "doctor",
        "run",
        "verdicts",
        "lottery",
        "push",
        "crm",
        "explain",
        "answers",
        "kpi",
        "monitor",
        "recalibrate",
        "export",
        "compare",
        "register",
        "promote",
        "rollback",
        "history",
        "publish",
        "compare-actors",
        "lead",
        "tiers",
        "score",
    } == set(COMMANDS)
    for name, meaning in STAGES.items():
        assert f" {name} {meaning.split('.')[0][:30]}" in text
    assert " sample " in text
    assert " ui " in text
    listed = text.partition("Exit codes")[2]
    assert all(f" {error.exit_code} " in listed for error in FAILURES)


def test_the_help_lists_the_stages_in_the_order_in_which_they_run() -> None:
    _, told = call("--help")
    places = [told.index(f" {stage} ") for stage in STAGES]
    assert places == sorted(places)


def test_every_failure_has_an_exit_code_of_its_own() -> None:
    codes = [error.exit_code for error in FAILURES]
    assert codes == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]


@pytest.mark.parametrize("command", CALLS)
def test_every_command_shows_an_example_of_its_use(command: str) -> None:
    code, text = call(*command.split(), "--help")
    assert code == 0
    assert re.search(rf"Examples?: leadcast {command}\b", text)


def test_the_command_line_waits_with_heavy_imports() -> None:
    code = "import sys, pipeline.commands.app; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"pipeline", "typer"} <= set(loaded.stdout.split())
    assert not HEAVY & set(loaded.stdout.split())


def test_the_installed_command_tells_a_typo_in_one_message(world: Project, tmp_path: Path) -> None:
    text = (world.root / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("  seed: 7", "  sead: 7").replace("horizon:", "horizn:"))
    code, out, message = call_executable(tmp_path, "snapshots")
    assert (code, out) == (3, "")
    assert message.startswith("snapshots failed params.yaml: settings that are wrong (2):")
    assert "train.sead: unknown key; did you mean 'seed'?" in message
    assert "snapshots.horizn: unknown key; did you mean 'horizon'?" in message
    assert "Traceback" not in message


def test_a_folder_without_settings_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = failure(tmp_path, monkeypatch, "ingest")
    assert code == 3
    assert "params.yaml is missing; run the command in the project's folder" in text


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_without_what_it_reads_says_what_to_run(
    world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    (tmp_path / "params.yaml").write_text((world.root / "params.yaml").read_text())
    code, text = failure(tmp_path, monkeypatch, stage)
    assert code == 4
    assert "data/raw" in text if stage == "ingest" else "dvc repro" in text or "train the model again" in text
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "params.yaml"]


@pytest.mark.parametrize(
    ("command", "place", "value", "expected"),
    [
        ("snapshots", "episodes.conversion", ["wonn"], "no event of type 'wonn' in the log; did you mean 'won'?"),
        ("snapshots", "snapshots.start", "2031-01-01", "check snapshots.policies and snapshots.start"),
        (
            "snapshots",
            "snapshots.horizon",
            "5000d",
            "shorten snapshots.horizon, bring a longer log, or mend",
        ),
        ("train", "train.minimum_conversions", 100_000, "at least 100,000 of each are needed"),
        ("recommend", "recommend.as_of", "1990-01-01", "no lead is open at 1990-01-01T00:00:00"),
    ],
)
def test_too_little_to_learn_from_is_told_with_its_exit_code(  # noqa: PLR0913, RUF100 - what pytest hands over
    world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    command: str, place: str, value: object, expected: str,
) -> None:  # fmt: skip
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "reports")).with_settings({place: value})
    code, text = failure(project.root, monkeypatch, command)
    assert code == 6
    assert expected in text


def test_old_data_and_a_missing_champion_have_exit_codes_of_their_own(
    world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    ingested: dict[str, Any] = json.loads((project.root / "data/ingest.json").read_text())
    for source in ingested["sources"].values():
        source["observed_until"] = "2020-02-29T12:00:00"
    (project.root / "data/ingest.json").write_text(json.dumps(ingested))
    code, text = failure(project.root, monkeypatch, "score", "--as-of", "now")
    assert code == 7
    assert "on 2020-02-29 12:00 UTC" in text
    code, text = failure(project.root, monkeypatch, "score", "--as-of", "latest")
    assert code == 8
    assert "no champion of 'lead-conversion'" in text
    assert "make run" in text


@pytest.mark.parametrize(
    "arguments",
    [("score", "--backfill"), ("score", "--as-off", "now"), ("sample", "--leads", "0"), ("ui", "--port", "x"), ("x",)],
    ids=" ".join,
)
def test_wrong_usage_is_told_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = call(*arguments)
    assert code == 2
    assert "Usage: leadcast" in text
    assert list(tmp_path.iterdir()) == []


def test_scoring_asks_for_the_moment_and_names_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = call("score")
    assert code == 2
    assert "name the moment: now, latest or a date" in text
    assert "leadcast recommend" in text


def test_a_sample_is_written_once_and_never_over_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = call("sample", "--leads", "20", "--seed", "3")
    assert code == 0
    assert "interactions of 20 leads to data/raw" in text
    before = {path: path.read_bytes() for path in (tmp_path / "data/raw").iterdir()}
    assert {path.name for path in before} >= {"web.parquet", "email.csv.gz", "crm.jsonl", "leads.csv", "outcomes.csv"}
    code, text = failure(tmp_path, monkeypatch, "sample", "--leads", "20", "--seed", "4")
    assert code == 4
    assert "data/raw holds files, and nothing is overwritten; name another --directory or empty it" in text
    assert {path: path.read_bytes() for path in (tmp_path / "data/raw").iterdir()} == before


def test_a_stage_tells_what_it_does_and_how_long_it_took(
    world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw",))
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(console, "_NO_TIME", 0.0)  # or a fast machine has nothing to tell
    code, text = call("report")
    assert code == 0
    assert re.search(r"report writing the summary and the pages report done in \d+\.\d s", text)
    assert (project.root / "reports/summary.txt").read_bytes() == (world.root / "reports/summary.txt").read_bytes()
