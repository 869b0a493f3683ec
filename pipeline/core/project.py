"""Where everything lies, and how it is written: whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from filelock import FileLock, Timeout

from features.core.errors import InputError

Progress = Callable[[str], None]
"""Takes one line that says what is being done."""


class _Place:
    """A path below the folder of a project."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __get__(self, places: Places, owner: type[Places]) -> Path:
        return places.root / self._path


class _Kept(_Place):
    """A path below the project's own folder, whichever copy of it works."""

    def __get__(self, places: Places, owner: type[Places]) -> Path:
        return places.home / self._path


_TRIES, _PAUSE_SECONDS = 20, 0.1
_COPIES = (".dvc", "tmp", "exps")
"""Where DVC makes copies of a project, for ``dvc exp run --temp`` and for its queue."""


@dataclass(frozen=True)
class Places:
    """Where everything that is made of settings and raw files lies in a folder: spelled here alone."""

    root: Path

    lock = _Place("data/.tmp/lock")
    approvals = _Place("approvals.jsonl")
    interactions = _Place("data/interactions.parquet")
    leads = _Place("data/leads.parquet")
    aliases = _Place("data/aliases.parquet")
    former_creations = _Place("data/former-creations.parquet")
    decisions = _Place("data/decisions.parquet")
    consents = _Place("data/consents.parquet")
    spend = _Place("data/spend.parquet")
    owners = _Place("data/owners.parquet")
    quarantine = _Place("data/quarantine")
    ingested = _Place("data/ingest.json")
    validation = _Place("data/validation.json")
    snapshots = _Place("data/snapshots.parquet")
    snapshot_counts = _Place("data/snapshots.json")
    matrix = _Place("data/features.parquet")
    catalogue = _Place("data/catalogue.json")
    model = _Place("data/model")
    training = _Place("data/training.json")
    foretold = _Place("data/origins.parquet")
    kept_origins = _Kept("data/origins")
    recommendations = _Place("data/recommendations.parquet")
    recommendations_csv = _Place("data/recommendations.csv")
    scoring = _Place("data/scoring.json")
    scores = _Place("data/scores")
    suspensions = _Place("data/suspensions.json")
    kpis = _Place("data/kpi")
    metrics = _Place("reports/metrics.json")
    figures = _Place("reports/figures.json")
    breakdown = _Place("reports/breakdown.json")
    card = _Place("reports/model-card.md")
    verdicts = _Place("reports/verdicts.json")
    plots = _Place("reports/plots")
    pictures = _Place("reports/pictures")
    data_docs = _Place("reports/data-docs")
    summary = _Place("reports/summary.txt")
    page = _Place("reports/index.html")
    digest = _Place("reports/digest.json")
    kpi_workbook = _Place("reports/kpi.xlsx")
    model_page = _Place("reports/model.html")
    cut_offs_page = _Place("reports/cut-offs.html")
    leads_page = _Place("reports/private/leads.html")
    lead_lists = _Place("reports/private/lists")
    live_page = _Place("reports/live/index.html")
    live_digest = _Place("reports/live/digest.json")
    live_kpi_workbook = _Place("reports/live/kpi.xlsx")
    live_leads_page = _Place("reports/live/leads.html")
    live_lead_lists = _Place("reports/live/lists")
    monitored = _Place("reports/monitor.json")
    monitor_page = _Place("reports/monitor.html")
    comparison = _Place("reports/comparisons/actors.json")
    comparison_text = _Place("reports/comparisons/actors.txt")
    comparisons = _Place("reports/comparisons")
    private = _Place("reports/private")
    store = _Kept("mlflow.db")
    artefacts = _Kept("mlruns")

    @property
    def home(self) -> Path:
        """The project's own folder, where ``root`` is a copy that DVC works in: what is kept there outlives it."""
        parts = self.root.resolve().parts
        copies = [place for place in range(len(parts)) if parts[place : place + len(_COPIES)] == _COPIES]
        return Path(*parts[: copies[0]]) if copies else self.root


HERE = Places(Path())
"""Of the folder that a command is called in."""

Settings_co = TypeVar("Settings_co", covariant=True)


@dataclass(frozen=True)
class Project(Places, Generic[Settings_co]):
    """A folder and its settings: all of them, or the sections that a stage asks for."""

    parameters: Settings_co


@dataclass(frozen=True)
class Variant(Project[Settings_co]):
    """A project whose log is computed once more with other settings: its matrix lies apart, and is nobody else's."""

    matrix = _Place("data/.tmp/variant/features.parquet")
    catalogue = _Place("data/.tmp/variant/catalogue.json")


@contextmanager
def cleared_away(variant: Variant[Settings_co]) -> Iterator[None]:
    """Remove what is computed of a variant when it is done or interrupted, and first what a killed run has left."""
    folder = variant.matrix.parent
    _remove(folder)
    try:
        yield
    finally:
        _remove(folder)


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """Give an empty folder, without what a killed run has left in it, and remove it in the end.

    A task of Spark that was called off may write into it a moment longer.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        for _ in range(_TRIES):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(_PAUSE_SECONDS)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``, of a file or a folder, that takes its place when all has gone well.

    Its name is always the same, so that what a killed run has left goes with the next.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    _remove(temporary)
    try:
        yield temporary
        publish(temporary, path)
    finally:
        _remove(temporary)


def publish(new: Path, old: Path) -> None:
    """Put a file or a folder in the place of the former one; a folder is gone before its successor comes."""
    if old.is_dir():
        shutil.rmtree(old)
    new.replace(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


@contextmanager
def sole(places: Places) -> Iterator[None]:
    """Hold the outputs of a project, so that no two stages write them at once; a process that dies lets go.

    Raises InputError where another process holds them.
    """
    places.lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(places.lock, timeout=0):
            try:
                yield
            finally:
                places.lock.unlink(missing_ok=True)
    except Timeout:
        raise InputError(
            f"another leadcast is at work in this folder (it holds {places.lock}); wait until it is done, then run "
            "again"
        ) from None


_ANEW = "make it anew: dvc repro --force (or make run)"


def write_json(path: Path, content: object) -> None:
    """Write JSON with sorted keys, so that equal content is equal bytes; NaN is refused."""
    with written_whole(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever the stage before has written
    """Read an object of JSON; raises InputError where an earlier stage has not run, or has not written this."""
    require(path)

    def named(entries: dict[str, Any]) -> _Written:
        return _Written(entries, path)

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number")

    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_hook=named, parse_constant=refuse)
    except ValueError as error:
        raise InputError(f"{path} is broken ({error}); {_ANEW}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is broken (it holds no object); {_ANEW}")
    return content


class _Written(dict[str, Any]):
    """What a stage has written; what is asked for and is not there stands in the file of another version."""

    def __init__(self, entries: dict[str, Any], path: Path) -> None:
        super().__init__(entries)
        self._path = path

    def __missing__(self, key: str) -> Any:  # noqa: ANN401 - it only raises
        raise InputError(f"{self._path} lacks {key!r}: it was changed, or written by another version; {_ANEW}")


def require(*paths: Path) -> None:
    """Raise InputError unless what earlier stages write is there."""
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise InputError(f"{', '.join(missing)} not there; run the stages before this one: dvc repro (or make run)")


def fingerprint(path: Path) -> str:
    """Give the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
