"""The rooms of the house: who may import whom, which library lives where, and how large a room may grow.

A room is a folder of Python files, or a file beside folders; an arrow is an ordered pair of rooms with an import;
floors are the longest path. The figures are printed with each run.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from house import PACKAGES, ROOT, SOURCES, file_of, imported, room_of

MAY_IMPORT = """
features/core:
features/engines: features/core features/language
features/language: features/core
features/own.py: features/language
features/timeline: features/core
models/core:
models/decision: features/core
models/evaluation: features/core models/core models/learning
models/explaining: models/core
models/learning: features/core models/core models/explaining
pipeline/commands: features/core pipeline/core pipeline/delivery pipeline/discovery pipeline/exports pipeline/inspection
    pipeline/kpi pipeline/monitor pipeline/publishing pipeline/registry pipeline/report pipeline/review pipeline/scoring
    pipeline/settings
pipeline/contracts: features/core
pipeline/core: features/core models/core
pipeline/delivery: features/core pipeline/contracts pipeline/core pipeline/settings pipeline/sinks
pipeline/discovery: features/core features/timeline models/evaluation pipeline/core pipeline/ingest pipeline/log
    pipeline/profiling pipeline/settings
pipeline/evaluate: features/core features/language models/core models/evaluation models/explaining pipeline/core
    pipeline/log pipeline/matrix pipeline/registry
pipeline/exports: features/core pipeline/core pipeline/kpi pipeline/reading pipeline/scoring pipeline/settings
pipeline/features.py: features/core features/engines features/language features/own.py pipeline/core pipeline/log
    pipeline/matrix pipeline/settings
pipeline/ingest: features/core features/timeline pipeline/core pipeline/log pipeline/partitions pipeline/reading
    pipeline/settings pipeline/sorting
pipeline/inspection: features/core features/engines features/language models/core models/evaluation pipeline/core
    pipeline/evaluate pipeline/features.py pipeline/log pipeline/matrix pipeline/publishing pipeline/reading
    pipeline/settings pipeline/spark pipeline/train.py pipeline/wording
pipeline/kpi: features/core features/language models/core models/evaluation pipeline/core pipeline/settings
    pipeline/wording
pipeline/log: features/core features/timeline models/core pipeline/core pipeline/settings
pipeline/matrix: features/core features/engines features/language models/core pipeline/core pipeline/partitions
    pipeline/settings pipeline/spark
pipeline/monitor: features/core features/language features/timeline models/core models/evaluation models/learning
    pipeline/core pipeline/log pipeline/matrix pipeline/registry pipeline/report pipeline/settings
pipeline/partitions: features/core
pipeline/profiling: features/core pipeline/core pipeline/reading pipeline/settings
pipeline/publishing: features/core pipeline/core pipeline/report pipeline/settings pipeline/wording
pipeline/reading: features/core pipeline/core pipeline/settings
pipeline/recommend.py: pipeline/core pipeline/scoring
pipeline/registry: features/core models/core pipeline/core pipeline/settings
pipeline/report: features/core features/language models/core models/decision models/evaluation pipeline/core
    pipeline/kpi pipeline/log pipeline/reading pipeline/settings pipeline/wording
pipeline/review: features/core features/language features/timeline models/core models/decision models/evaluation
    pipeline/core pipeline/delivery pipeline/evaluate pipeline/log pipeline/registry pipeline/report pipeline/scoring
    pipeline/settings
pipeline/sample: features/core
pipeline/scoring: features/core features/language features/timeline models/core models/decision models/explaining
    pipeline/contracts pipeline/core pipeline/log pipeline/matrix pipeline/registry pipeline/settings pipeline/wording
pipeline/settings: features/core features/language features/timeline models/core models/decision models/learning
pipeline/sinks: features/core pipeline/core pipeline/reading pipeline/settings
pipeline/snapshots: features/core features/timeline pipeline/core pipeline/log pipeline/partitions pipeline/settings
    pipeline/spark
pipeline/sorting: features/core pipeline/core pipeline/partitions pipeline/reading pipeline/settings pipeline/spark
pipeline/spark: features/core
pipeline/train.py: models/core models/learning pipeline/core pipeline/matrix pipeline/settings
pipeline/validate.py: features/core pipeline/contracts pipeline/core pipeline/settings
pipeline/wording: features/core features/language models/core models/decision
"""
"""Each room with all rooms that it imports: a new arrow is drawn here first, and one that is gone is taken out."""

LIVES_IN = {
    "annotated_types": "features/timeline models/decision",
    "babel": "pipeline/wording",
    "duckdb": "pipeline",
    "great_expectations": "pipeline/contracts",
    "httpx": "pipeline/sinks",
    "jinja2": "pipeline/report",
    "lightgbm": "models/core models/learning",
    "matplotlib": "pipeline/evaluate",
    "mlflow": "pipeline/registry",
    "numba": "features/engines features/timeline models/explaining",
    "packaging": "pipeline/inspection",
    "psycopg": "pipeline/reading",
    "pydantic": "features/core pipeline/settings pipeline/discovery",
    "py4j": "pipeline/spark",
    "pyspark": "pipeline/matrix pipeline/spark",
    "python_calamine": "pipeline/reading",
    "rich": "pipeline/commands pipeline/report",
    "scipy": "features/timeline models/evaluation models/learning pipeline/ingest pipeline/sample",
    "threadpoolctl": "models/learning",
    "sklearn": "models/evaluation",
    "sqlalchemy": "pipeline/registry pipeline/sinks pipeline/reading",
    "typer": "pipeline/commands",
    "xlsxwriter": "pipeline/core",
    "yaml": "pipeline/settings pipeline/discovery",
}
"""Each library with the rooms, or packages, that may know it; NumPy, pandas and PyArrow may be known by all."""

STAGES = {
    "pipeline/ingest",
    "pipeline/validate.py",
    "pipeline/snapshots",
    "pipeline/features.py",
    "pipeline/train.py",
    "pipeline/evaluate",
    "pipeline/recommend.py",
    "pipeline/report",
}
ROOMS, ARROWS, FLOORS = 42, 217, 10
MOST_FILES, FEWEST_LINES, MOST_LINES = 20, 40, 400
FEWER_THAN_THREE_FILES = {
    "pipeline/contracts": "what must hold, and Great Expectations at work",
}
"""Rooms of fewer than three files beside their ``__init__``, and what justifies a room."""


@cache
def arrows() -> dict[str, dict[str, list[str]]]:
    """Give each room's arrows, with the imports that make them."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in SOURCES:
        room = room_of(path)
        if path.name == "__init__.py":
            continue
        found[room]
        for name in imported(path):
            other = file_of(name)
            if name.split(".")[0] in PACKAGES and other.is_file() and room_of(other) != room:
                found[room][room_of(other)].append(f"{path.relative_to(ROOT)} -> {name}")
    return found


SHORT = {
    "features/core/section.py": "what any declaration of features or models may be",
    "features/timeline/policies.py": "a file a part of the settings",
    "pipeline/commands/publishing.py": "a command of its own",
    "pipeline/core/processor.py": "which instructions libraries compute with, told before any is loaded",
    "pipeline/core/trained.py": "opening the model just trained, for two stages",
    "pipeline/recommend.py": "a stage of one file",
    "pipeline/report/overview.py": "what is written of the KPIs, for the stage and for the champion",
    "pipeline/report/naming.py": "what the log names, in words, for two pages",
    "pipeline/report/shown.py": "what the tables of two views consist of",
    "pipeline/registry/store.py": "making MLflow's store whole",
    "pipeline/settings/run.py": "a file a section",
    "pipeline/settings/validate.py": "a file a section",
    "pipeline/wording/actions.py": "a file a kind of sentence",
    "pipeline/wording/digest_texts.py": "a file a kind of page",
}
"""Files of fewer than 40 lines, and what justifies a file."""


@cache
def floor(room: str) -> int:
    """Tell on which floor a room stands: one above the highest that it imports."""
    return 1 + max((floor(other) for other in arrows()[room]), default=0)


def table() -> dict[str, set[str]]:
    lines = (line.partition(":") for line in MAY_IMPORT.strip().replace("\n    ", " ").splitlines())
    return {room: set(others.split()) for room, _, others in lines}


def test_a_room_imports_exactly_what_the_table_says() -> None:
    allowed = table()
    found = arrows()
    wrong = [
        (room, other, found[room][other][:3])
        for room in found
        for other in found[room]
        if other not in allowed.get(room, ())
    ]
    assert not wrong, "these imports are not in the table"
    assert {room: set(others) for room, others in found.items()} == allowed, "the table names what is not there"


def test_the_house_stays_small(capsys: pytest.CaptureFixture[str]) -> None:
    rooms, count = sorted(arrows()), sum(len(others) for others in arrows().values())
    floors = max(map(floor, rooms))  # a circle would never end
    with capsys.disabled():
        sys.stdout.write(f"\n{len(rooms)} rooms, {count} arrows, {floors} floors\n")
    assert (len(rooms) <= ROOMS, count <= ARROWS, floors <= FLOORS) == (True, True, True)


def test_no_stage_imports_a_stage_and_nobody_the_commands() -> None:
    for room, others in table().items():
        assert room not in STAGES or not STAGES & set(others), room
        assert "pipeline/commands" not in others, room
        assert room not in {"pipeline/core", "pipeline/settings"} or not STAGES & set(others), room
    assert "pipeline/ingest" not in table()["pipeline/delivery"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_library_lives_in_its_room(path: Path) -> None:
    for name in imported(path):
        homes = LIVES_IN.get(name.split(".")[0])
        assert homes is None or {room_of(path), path.relative_to(ROOT).parts[0]} & set(homes.split()), name


def test_a_room_has_neither_too_many_files_nor_too_few() -> None:
    files: dict[str, int] = defaultdict(int)
    for path in SOURCES:
        files["/".join(path.relative_to(ROOT).parts[:-1])] += path.name != "__init__.py"
    assert not {room: number for room, number in files.items() if number > MOST_FILES}
    tests = [path.parent for path in (ROOT / "tests").rglob("*.py")]
    assert not {folder: number for folder in set(tests) if (number := tests.count(folder)) > MOST_FILES}
    small = {room for room, number in files.items() if "/" in room and number < 3}
    assert small == set(FEWER_THAN_THREE_FILES)


def test_a_file_is_neither_too_long_nor_too_short() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert not {path: number for path, number in lines.items() if number > MOST_LINES}
    own = {path for path, number in lines.items() if number < FEWEST_LINES and not path.endswith("__init__.py")}
    assert own - {"features/own.py"} == set(SHORT)
