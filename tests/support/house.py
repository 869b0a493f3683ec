"""The house as a whole: where it stands, its packages and rooms, and what its files import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


SUPPORT = (ROOT / "tests/support", *(ROOT / "tests/support" / folder for folder in ("crm", "exports", "sample")))
"""What tests share."""
PACKAGES = ("features", "models", "pipeline")


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


DEFINITION: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))


def data_of(stage: str) -> set[str]:
    return {dep for dep in DEFINITION["stages"][stage]["deps"] if dep.startswith(("data/", "reports/", "$"))}


def outputs_of(stage: str) -> set[str]:
    keys = ("outs", "metrics", "plots")
    entries = [entry for key in keys for entry in DEFINITION["stages"][stage].get(key, ())]
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}
