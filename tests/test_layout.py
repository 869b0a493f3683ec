"""The layout, and the one arrow: pipeline -> models -> features."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("features", "models", "pipeline")
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
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(module: str) -> Path:
    return ROOT / (module.replace(".", "/") + ".py")


def room_of(path: Path) -> str:
    """Name the room of a file: the folder below its package, or the file itself where it lies beside folders."""
    return "/".join(path.relative_to(ROOT).parts[:2])


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
