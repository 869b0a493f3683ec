"""The layout, and the one arrow: pipeline -> models -> features."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from house import PACKAGES, ROOT, SOURCES, file_of, imported

MAY_IMPORT = {"features": {"features"}, "models": {"models", "features"}, "pipeline": set(PACKAGES)}
PURE = {"features", "models"}
# What touches disk, databases, the network or the clock. models/core/artefact.py reads and writes its own files.
IMPURE_MODULES = {
    "duckdb",
    "filelock",
    "great_expectations",
    "mlflow",
    "os",
    "pathlib",
    "requests",
    "subprocess",
    "time",
}


def test_the_fixed_top_level_is_there() -> None:
    for name in ("pipeline", "features", "models", "notebooks", "tests", "docs", "examples", "benchmarks"):
        assert (ROOT / name).is_dir(), name
    for name in ("dvc.yaml", "params.yaml", "pyproject.toml", "requirements.lock", "Makefile", "README.md", "LICENSE"):
        assert (ROOT / name).is_file(), name
    assert not (ROOT / "tests/__init__.py").exists()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrow(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    for name in imported(path):
        top = name.split(".")[0]
        assert top not in PACKAGES or top in MAY_IMPORT[package], f"{path} imports {name}"
        if package in PURE and path.name != "artefact.py":
            assert top not in IMPURE_MODULES, f"{path} imports {name}: {package} is pure"


def test_the_files_that_travel_with_the_model_need_only_three_packages() -> None:
    allowed = {"lightgbm", "numpy", "pandas"} | sys.stdlib_module_names
    assert {name.split(".")[0] for name in imported(ROOT / "models/core/artefact.py")} <= allowed


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_pickled(path: Path) -> None:
    assert "pickle" not in set(imported(path))


def test_every_stage_has_its_module_and_its_command() -> None:
    from pipeline.commands.app import STAGES, module_of  # noqa: PLC0415 - only here

    for stage in STAGES:
        assert "\ndef run(" in file_of(module_of(stage)).read_text(encoding="utf-8")
