"""The house as a whole: where it stands, its packages and rooms, and what its files import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


SUPPORT = (
    ROOT / "tests/support",
    *(ROOT / "tests/support" / folder for folder in ("crm", "exports", "sample", "spark", "timeline")),
)
"""What tests share."""
PACKAGES = ("features", "models", "pipeline")


SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


TRAVELS = ROOT / "models/core"
"""The folder that goes along with a logged model: its files know each other by no name from outside."""


def imported(path: Path, *, with_neighbours: bool = True) -> Iterator[str]:
    """Give the full names of what a file imports, with or without those written from a dot on."""
    for node in _imports_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (with_neighbours or node.level == 0):
            module = str(node.module)
            if node.level:
                assert path.parent == TRAVELS, f"{path}: imports are written in full"
                assert node.level == 1, f"{path}: only its neighbours travel along"
                assert node.module, f"{path}: from . names no file"
                module = ".".join((*path.parent.relative_to(ROOT).parts, module))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


@cache
def _imports_of(path: Path) -> list[ast.AST]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def file_of(module: str) -> Path:
    return ROOT / (module.replace(".", "/") + ".py")


def room_of(path: Path) -> str:
    """Name the room of a file: the folder below its package, or the file itself where it lies beside folders."""
    return "/".join(path.relative_to(ROOT).parts[:2])


DEFINITION: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))


def data_of(stage: str) -> set[str]:
    return {dep for dep in DEFINITION["stages"][stage]["deps"] if dep.startswith(("data/", "reports/", "$"))}


def outputs_of(stage: str) -> set[str]:
    keys = ("outs", "metrics", "plots")
    entries = [entry for key in keys for entry in DEFINITION["stages"][stage].get(key, ())]
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}
