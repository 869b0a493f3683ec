"""The layout, and the one arrow: pipeline -> models -> features."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from house import PACKAGES, ROOT, SOURCES, TRAVELS, file_of, imported

from benchmarks.environments import PINNED

MAY_IMPORT = {"features": {"features"}, "models": {"models", "features"}, "pipeline": set(PACKAGES)}
PURE = {"features", "models"}
# What touches disk, databases, the network or the clock. models/core/model.py reads and writes its own files.
IMPURE_MODULES = {
    "duckdb",
    "filelock",
    "great_expectations",
    "httpx",
    "mlflow",
    "os",
    "pathlib",
    "sqlalchemy",
    "subprocess",
    "time",
}
BESIDE = sorted(path for folder in ("docs/build", "benchmarks", "tests") for path in (ROOT / folder).rglob("*.py"))
OWN = {*PACKAGES, "docs", "benchmarks"} | {path.stem for path in (ROOT / "tests").rglob("*.py")}


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
        if package in PURE and path != TRAVELS / "model.py":
            assert top not in IMPURE_MODULES, f"{path} imports {name}: {package} is pure"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_names_for_notebooks_are_for_notebooks(path: Path) -> None:
    public = {f"{package}.{name}" for package in PURE for name in import_module(package).__all__}
    assert not public & set(imported(path)), "import it from the file where it lives"


@pytest.mark.parametrize("package", sorted(PURE))
def test_every_name_for_notebooks_is_found_where_it_lives(package: str) -> None:
    module = import_module(package)
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is getattr(import_module(module._HOMES[name]), name)  # noqa: SLF001 - its table
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize("module", ["features", "models", "pipeline.settings.file"])
def test_neither_the_settings_nor_a_package_wait_for_heavy_imports(module: str) -> None:
    heavy = {"lightgbm", "numba", "numpy", "pandas", "pyarrow", "scipy"}
    program = f"import sys, {module}; print(*sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not done.stdout.split()


@pytest.mark.parametrize("path", sorted(TRAVELS.rglob("*.py")), ids=lambda path: str(path.name))
def test_the_files_that_travel_with_the_model_need_each_other_and_three_packages(path: Path) -> None:
    assert path.parent == TRAVELS, "a folder below would need two dots"
    allowed = {"lightgbm", "numpy", "pandas"} | sys.stdlib_module_names
    assert {name.split(".")[0] for name in imported(path, with_neighbours=False)} <= allowed
    neighbours = set(imported(path)) - set(imported(path, with_neighbours=False))
    assert all(file_of(name).is_file() or file_of(name.rpartition(".")[0]).is_file() for name in neighbours)


def distributions(requirements: Iterable[str]) -> set[str]:
    """Give the names in requirements, as in ``psycopg[binary]>=3.2``, written alike."""
    return {re.sub("[-_.]+", "-", re.split(r"[^\w.-]", one)[0]).lower() for one in requirements}


def test_what_is_imported_is_declared() -> None:
    """Else it is there as long as another package happens to need it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    at_run_time = distributions([*project["dependencies"], *extras["postgresql"], *extras["spark"]])
    found_in, undeclared = packages_distributions(), []
    for path in [*SOURCES, *BESIDE]:
        declared = at_run_time if path in SOURCES else at_run_time | distributions(extras["dev"])
        peer = path.stem.removesuffix("_peer")
        if path.parent.name == "benchmarks" and peer in PINNED:  # in an environment of its own
            declared = distributions(PINNED[peer])
        tops = {name.split(".")[0] for name in imported(path)} - OWN - sys.stdlib_module_names
        undeclared += [
            f"{path.relative_to(ROOT)} imports {top}"
            for top in tops
            if declared.isdisjoint(distributions(found_in.get(top, [top])))
        ]
    assert undeclared == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_pickled(path: Path) -> None:
    assert "pickle" not in set(imported(path))


def test_every_stage_has_its_module_and_its_command() -> None:
    from pipeline.commands.app import STAGES, module_of  # noqa: PLC0415 - only here

    for stage in STAGES:
        assert "\ndef run(" in file_of(module_of(stage)).read_text(encoding="utf-8")
