"""What an edit runs anew: the stages that import what was edited, as DVC itself tells, and no others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house import DEFINITION, PACKAGES, ROOT, data_of, outputs_of

EDITS = {
    "features/own.py": {"features"},
    "features/engines/kernel.py": {"features", "recommend"},
    "models/evaluation/metrics.py": {"evaluate", "report"},
    "pipeline/settings/push.py": set(),
    "pipeline/report/templates/index.html.jinja": {"report"},
    "pipeline/reading/readers.py": {"ingest", "report"},
}
"""Files that people edit often, each with the stages that have to run again."""


_EACH = """
import json, sys
from pathlib import Path
from dvc.repo import Repo
for name in sys.argv[1:]:
    before = Path(name).read_bytes()
    Path(name).write_bytes(before + b"\\n")
    with Repo() as repo:
        print(json.dumps([name, sorted(repo.status())]))
    Path(name).write_bytes(before)
"""
"""Edits each file, and tells what DVC says of it, in one process: to load DVC takes longer than its answer."""


def python(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "DVC_GLOBAL_CONFIG_DIR": str(folder), "NO_COLOR": "1"}
    command = [sys.executable, "-W", "ignore", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=120
    ).stdout


def dvc(folder: Path, *arguments: str) -> str:
    return python(folder, "-m", "dvc", *arguments)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the code, with outputs that stand for those of a run: all is current, as DVC sees it."""
    folder = tmp_path_factory.mktemp("checkout")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, folder)
    written = {path for stage in DEFINITION["stages"] for path in outputs_of(stage) | data_of(stage)}
    for path in written - {"${data_root}"} | {"data/raw/log.csv"}:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    dvc(folder, "init", "--no-scm", "--quiet")
    dvc(folder, "commit", "--force", "--quiet")
    assert json.loads(dvc(folder, "status", "--json")) == {}
    return folder


@pytest.fixture(scope="module")
def run_anew(checkout: Path) -> dict[str, list[str]]:
    """Tell for each edit which stages DVC would run."""
    return dict(map(json.loads, python(checkout, "-c", _EACH, *EDITS).splitlines()))


@pytest.mark.parametrize("path", EDITS)
def test_an_edit_runs_only_the_stages_that_import_it(run_anew: dict[str, list[str]], path: str) -> None:
    assert set(run_anew[path]) == EDITS[path]


def test_twelve_usual_edits_run_few_stages_anew() -> None:
    edited = [
        *EDITS,
        "features/language/words.py",
        "models/learning/learner.py",
        "models/decision/tiers.py",
        "models/decision/reasons.py",
        "pipeline/sinks/sql.py",
        "pipeline/sample/company.py",
    ]
    assert all((ROOT / path).is_file() for path in edited)
    runs = [
        (path, name)
        for path in edited
        for name, stage in DEFINITION["stages"].items()
        if any(path == dep or path.startswith(f"{dep}/") for dep in stage["deps"])
    ]
    assert len(runs) <= 24, f"of {len(edited)} edits and {len(DEFINITION['stages'])} stages"
