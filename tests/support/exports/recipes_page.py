"""The settings that ``docs/your-data.md`` shows, by the recipe they stand in, and projects made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from house import ROOT
from world import SMALL, Project

from pipeline.settings.file import load_parameters

PAGE = (ROOT / "docs/your-data.md").read_text(encoding="utf-8")
REST = "The rest of the settings"


def _blocks() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for section in re.split(r"^#{2,3} ", PAGE.partition("\n## Recipes\n")[2], flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        for block in re.findall(r"^```yaml\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL):
            assert heading not in found, f"{heading} has two blocks of settings, and one would not be tested"
            found[heading] = yaml.safe_load(block)
    return found


BLOCKS = _blocks()
RECIPES = [heading for heading in BLOCKS if heading != REST]


def project_of(root: Path, recipe: str, changes: Mapping[str, object] | None = None) -> Project:
    """Make a project of a recipe, as a reader would: the recipe's sections, and those of the rest it lacks."""
    root.mkdir(parents=True, exist_ok=True)
    content = BLOCKS[REST] | BLOCKS[recipe]
    (root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    project = Project(root, load_parameters(root / "params.yaml"))
    return project.with_settings(changes) if changes else project


def small_model(**changes: object) -> dict[str, object]:
    """Give changes of settings with which a model is made in seconds."""
    return {key: value for key, value in SMALL.items() if key.startswith(("train.", "evaluate."))} | changes
