"""``docs/your-data.md`` names what is there: commands, options, settings, exit codes, links; and its snippet runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from house import ROOT
from raw_logs import parameters_of, source_of
from recipes_page import PAGE

from docs.build.markdown import anchor
from features.core.errors import LeadcastError
from pipeline.commands.app import app
from pipeline.core.project import Project
from pipeline.ingest import stage as ingest
from pipeline.settings.parameters import Parameters

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined] # it is a group


def test_every_command_that_the_page_names_exists_with_its_options() -> None:
    calls = re.findall(r"(?:^|`)leadcast ([a-z]+)([^\n#`]*)", PAGE, flags=re.MULTILINE)
    assert {name for name, _ in calls} >= {"init", "doctor", "run", "ingest", "score"}
    for name, rest in calls:
        options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, name


def test_the_table_of_questions_names_options_of_init() -> None:
    options = {option for parameter in COMMANDS["init"].params for option in parameter.opts}
    named = set(re.findall(r"`(--[a-z-]+)`", PAGE))
    assert {"--leads", "--lead-id", "--conversion", "--lost", "--outcome", "--horizon", "--yes"} <= named <= options


def test_every_setting_that_the_text_names_exists() -> None:
    sections = Parameters.model_fields
    named = re.findall(rf"`({'|'.join(sections)})\.([a-z_]+)", PAGE)
    assert len(named) > 8
    for section, setting in named:
        model: Any = sections[section].annotation
        assert setting in model.model_fields, f"{section}.{setting}"


def test_every_exit_code_of_the_page_is_one_of_the_failures() -> None:
    codes = re.findall(r"^\| (\d+) \|", PAGE, flags=re.MULTILINE)
    assert len(codes) > 4
    assert {int(code) for code in codes} <= {failure.exit_code for failure in LeadcastError.__subclasses__()}


def test_every_link_of_the_page_leads_somewhere() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert len(targets) > 8
    for target in targets:
        file, _, place = target.partition("#")
        path = ROOT / "docs" / (file or "your-data.md")
        assert path.exists(), target
        if place:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert place in {anchor(heading) for heading in headings}, target


def test_the_snippet_shows_the_row_that_was_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data/exports").mkdir(parents=True)
    log = 'lead,at,what,note\nA,2026-01-01,visit,"two\nlines"\nA,soon,visit,found\nB,2026-01-02,won,x\n'
    (tmp_path / "data/exports/log.csv").write_text(log, encoding="utf-8")
    parameters = parameters_of({"log": source_of()}).model_copy(update={"data_root": "data/exports"})
    told: list[str] = []
    ingest.run(Project(tmp_path, parameters), told.append)
    [snippet] = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(snippet, {})  # noqa: S102 - what the page shows must run
    assert capsys.readouterr().out.strip() == "A,soon,visit,found"
