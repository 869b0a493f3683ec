"""``dvc.yaml``, ``params.yaml``, the command line and the configuration classes say the same."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml
from house import DEFINITION, PACKAGES, ROOT, data_of, file_of, imported, outputs_of, room_of

from pipeline.commands.app import STAGES, module_of
from pipeline.settings.file import load_parameters
from pipeline.settings.parameters import Parameters, sections_of
from pipeline.settings.push import Push

SECTIONS = {field.alias or name for name, field in Parameters.model_fields.items()}
EXAMPLES = sorted((ROOT / "examples").glob("*/params.yaml"))


def code_of(stage: str) -> set[str]:
    """Follow the imports of a stage: the rooms that it needs. Of the settings it depends on its sections' files."""
    needed = files_of(stage)
    return {str(path.relative_to(ROOT)) if path.parent.name == "settings" else room_of(path) for path in needed}


def files_of(stage: str) -> set[Path]:
    """Follow the imports of a stage, file by file."""
    found: set[Path] = set()
    waiting = [module_of(stage)]
    while waiting:
        path = file_of(waiting.pop())
        if path.is_file() and path not in found:
            found.add(path)
            waiting += [name for name in imported(path) if name.split(".")[0] in PACKAGES]
    return found


def test_the_stages_are_the_commands_in_the_same_order() -> None:
    assert list(DEFINITION["stages"]) == list(STAGES)
    for name, stage in DEFINITION["stages"].items():
        assert stage["cmd"] == f"${{leadcast}} {name}"


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_that_a_stage_depends_on_is_what_it_imports(stage: str) -> None:
    deps = set(DEFINITION["stages"][stage]["deps"])
    assert deps - data_of(stage) == code_of(stage)
    assert all((ROOT / dep).exists() for dep in deps - data_of(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_the_parameters_that_a_stage_depends_on_are_those_it_reads(stage: str) -> None:
    run = importlib.import_module(module_of(stage)).run
    asked = [name.rstrip("_") for name in sections_of(run) if name != "run"]  # how the work is done changes no output
    assert asked == sorted(DEFINITION["stages"][stage]["params"])


def test_what_a_stage_reads_is_what_an_earlier_one_writes() -> None:
    written = {"${data_root}"}
    for stage in STAGES:
        assert data_of(stage) <= written, stage
        assert not outputs_of(stage) & written, "written twice"
        written |= outputs_of(stage)


def test_outputs_are_the_places_that_the_code_knows() -> None:
    text = (ROOT / "pipeline/core/project.py").read_text(encoding="utf-8")
    for stage in STAGES:
        for output in outputs_of(stage):
            folder = str(Path(output).parent)
            assert f'"{output}"' in text or f'"{folder}"' in text, output


@pytest.mark.parametrize("path", [ROOT / "params.yaml", *EXAMPLES], ids=lambda path: str(path.relative_to(ROOT)))
def test_the_settings_that_we_ship_are_valid_and_name_every_section(path: Path) -> None:
    load_parameters(path)
    # What concerns no stage may be left open.
    of_commands = {"exports", "monitor", "publish", "push", "review", "run"}
    assert set(yaml.safe_load(path.read_text(encoding="utf-8"))) | of_commands == SECTIONS


@pytest.mark.parametrize("path", sorted((ROOT / "examples/push").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_of_systems_are_valid(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(content) == {"push"}
    assert Push.model_validate(content["push"]).mapping
