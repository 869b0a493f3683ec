"""``leadcast doctor``: what is missing or odd in the environment, the settings and the data, each with its remedy."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow.parquet as pq
from packaging.requirements import Requirement

from features.duration import format_duration
from features.errors import (
    InputError,
    LeadcastError,
    NotEnoughDataError,
    SettingsError,
    StaleError,
    VerdictError,
)
from models.verdicts import Severity
from pipeline.artefacts import INGEST, INTERACTIONS, LEADS, read_json
from pipeline.configuration import Parameters
from pipeline.discovery.attributes import Attribute, judge_by_outcome
from pipeline.maturity import Maturity, longest_trainable, tabulate
from pipeline.parameters import load_parameters
from pipeline.reach import Reach
from pipeline.readers import table_columns
from pipeline.source_configuration import Table
from pipeline.source_verdicts import source_verdicts

State = Literal["good", "odd", "wrong"]
_GIB = 1 << 30
_NEEDED = 2 * _GIB
_PATIENCE = 3
"""Seconds that a tracking server has to answer."""
_CHANGED_AFTER = 1.0
_STATES: dict[Severity, State] = {"wrong": "wrong", "doubtful": "odd", "told": "good"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; what is odd lets a run go on, what is wrong does not."""

    area: Literal["environment", "settings", "data"]
    state: State
    what: str
    remedy: str = ""


@dataclass
class Examination:
    """All findings; the table of milestones and horizons, where there is a log; and the exit code."""

    findings: list[Finding] = field(default_factory=list)
    maturity: list[Maturity] = field(default_factory=list)
    exit_code: int = 0

    def add(self, area: Literal["environment", "settings", "data"], state: State, what: str, remedy: str = "") -> None:
        """Note a finding."""
        self.findings.append(Finding(area, state, what, remedy))

    def fail(self, area: Literal["environment", "settings", "data"], error: LeadcastError) -> None:
        """Note what a run would fail of; the first one decides the exit code."""
        what, _, remedy = str(error).rpartition("; ") if "\n" not in str(error) else ("", "", str(error))
        self.add(area, "wrong", what or remedy, remedy if what else "")
        self.exit_code = self.exit_code or error.exit_code


def examine(root: Path) -> Examination:
    """Look at everything that a run in ``root`` needs."""
    examination = Examination()
    _examine_environment(examination, root)
    try:
        parameters = load_parameters(root / "params.yaml")
    except SettingsError as error:
        examination.fail("settings", error)
        return examination
    examination.add("settings", "good", "params.yaml is valid")
    _examine_settings(examination, parameters)
    if _examine_files(examination, parameters, root):
        _examine_log(examination, parameters, root)
    return examination


def _examine_environment(examination: Examination, root: Path) -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    examination.add("environment", "good", f"Python {version}")
    poor = list(_unmet_requirements())
    if poor:
        examination.add("environment", "wrong", f"packages that don't fit: {', '.join(poor)}", "make setup")
        examination.exit_code = 1
    else:
        examination.add("environment", "good", "all packages are there, in versions that fit")
    if shutil.which("dvc") is None:
        examination.add(
            "environment", "odd", "no dvc on the path", "activate .venv, or use leadcast run, which does without"
        )
    if shutil.which("git") is None or not (root / ".git").exists():
        examination.add(
            "environment", "odd", "no git repository here",
            "git init, so that dvc exp and dvc metrics diff have something to compare; leadcast run does without",
        )  # fmt: skip
    free = shutil.disk_usage(root).free
    state: State = "good" if free > _NEEDED else "odd"
    remedy = "" if state == "good" else "free some: sorting a log takes about three times its size"
    examination.add("environment", state, f"{free / _GIB:,.0f} GiB of disk are free", remedy)
    _examine_tracking(examination)


def _unmet_requirements() -> Iterator[str]:
    for line in importlib.metadata.requires("leadcast") or ():
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{requirement.name} (not installed)"
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            yield f"{requirement.name} {found} (needs {requirement.specifier})"


def _examine_tracking(examination: Examination) -> None:
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        examination.add("environment", "good", "MLflow keeps its runs in mlflow.db here")
        return
    if not uri.startswith(("http://", "https://")):
        examination.add("environment", "good", "MLFLOW_TRACKING_URI is set, and no server")
        return
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_PATIENCE):  # noqa: S310 - http or https
            pass
    except (urllib.error.URLError, OSError, ValueError):
        examination.add(
            "environment", "wrong", "the server of MLFLOW_TRACKING_URI does not answer",
            "start it, or unset the variable to keep runs in mlflow.db here",
        )  # fmt: skip
        examination.exit_code = examination.exit_code or 1
    else:
        examination.add("environment", "good", "the server of MLFLOW_TRACKING_URI answers")


def _examine_settings(examination: Examination, parameters: Parameters) -> None:
    if parameters.evaluate.model_name == "lead-conversion" and parameters.data_root != "data/raw":
        examination.add(
            "settings", "odd", "evaluate.model_name is the sample's",
            "name a model of your own, or its champion is the sample's",
        )  # fmt: skip
    if not parameters.episodes.lost:
        examination.add(
            "settings", "odd", "no event type means that a lead is lost",
            "name some under episodes.lost, or leads stay open for ever and are scored for ever",
        )  # fmt: skip
    if "lead" not in parameters.features.actors:
        examination.add(
            "settings",
            "odd",
            "features.actors leaves out what leads do",
            "add lead: a model of our own acts learns our habits",
        )


def _tables(parameters: Parameters) -> Iterator[tuple[str, Table]]:
    settings = parameters.ingest
    for name, source in settings.sources.items():
        yield f"ingest.sources.{name}", source
    for name, table in settings.tables.items():
        yield f"ingest.tables.{name}", table
    for name in ("leads", "identities", "spend", "rates"):
        table = getattr(settings, name)
        if table is not None:
            yield f"ingest.{name}", table


def _examine_files(examination: Examination, parameters: Parameters, root: Path) -> bool:
    """See that all tables can be opened; tell whether a log may be looked at."""
    data_root = root / parameters.data_root
    good = 0
    for label, table in _tables(parameters):
        variable = (table.database or "").lstrip("$").strip("{}")
        if (table.database or "").startswith("$") and not os.environ.get(variable):
            error = InputError(
                f"{label}: the environment variable {variable} is not set; put the database's URL into it"
            )
            examination.fail("data", error)
        if table.path is None:
            continue
        try:
            table_columns(label, table, data_root)
        except LeadcastError as error:
            examination.fail("data", error)
        else:
            good += 1
    if good:
        examination.add("data", "good", f"{good} tables can be opened")
    return examination.exit_code == 0


def _examine_log(examination: Examination, parameters: Parameters, root: Path) -> None:
    if not (root / INGEST).exists():
        examination.add(
            "data",
            "odd",
            "there is no log yet",
            "leadcast ingest, then leadcast doctor again: it tells what can be trained",
        )
        return
    written = (root / INGEST).stat().st_mtime
    newer = [
        path.name
        for path in sorted((root / parameters.data_root).rglob("*"))
        if path.is_file() and path.stat().st_mtime > written + _CHANGED_AFTER
    ]
    changed = (root / "params.yaml").stat().st_mtime > written + _CHANGED_AFTER
    if newer or changed:
        what = f"{len(newer)} files are newer than the log" if newer else "params.yaml is newer than the log"
        examination.add("data", "odd", what, "leadcast ingest; what follows is of the log as it is")
    for warning in read_json(root / INGEST).get("warnings", []):
        what, _, remedy = str(warning).rpartition("; ")
        examination.add("data", "odd", what or remedy, remedy if what else "")
    _examine_sources(examination, parameters, root)
    try:
        examination.maturity = tabulate(parameters, root)
    except LeadcastError as error:
        examination.fail("data", error)
        return
    _examine_attributes(examination, parameters, root)
    _examine_horizon(examination, parameters)


def _examine_sources(examination: Examination, parameters: Parameters, root: Path) -> None:
    """Say of each source whether it runs; what has stopped stops a run, what lacks rows keeps its model from use."""
    ingested = read_json(root / INGEST)
    states = {name: source.get("rhythm", {}) for name, source in ingested["sources"].items()}
    for name, rhythm in sorted(states.items()):
        if rhythm.get("state") in ("running", "closed", "quiet"):
            examination.add("data", "good", f"{name} is {rhythm['state']}: {rhythm['evidence']}")
    for verdict in source_verdicts(ingested, Reach(parameters, root).needed):
        examination.add("data", _STATES[verdict.severity], f"{verdict.title}: {verdict.evidence}", verdict.remedy)
        if verdict.severity == "wrong":
            error = StaleError if verdict.code == "source_silent" else VerdictError
            examination.exit_code = examination.exit_code or error.exit_code


def _examine_attributes(examination: Examination, parameters: Parameters, root: Path) -> None:
    """Name the attributes that know the outcome: no honest one tells by itself who converts."""
    kinds = parameters.ingest.leads.attributes if parameters.ingest.leads else {}
    attributes = [Attribute(name, kind, None) for name, kind in kinds.items()]
    if not attributes:
        return
    with duckdb.connect() as connection:
        converted = {
            row[0]
            for row in connection.execute(
                "SELECT DISTINCT lead_id FROM read_parquet(?) WHERE list_contains(?, event_type)",
                [str(root / INTERACTIONS), list(parameters.episodes.conversion)],
            ).fetchall()
        }
    leads = pq.read_table(root / LEADS).to_pandas()
    values = {one.name: leads[one.name] for one in attributes if one.name in leads}
    known = [one for one in attributes if one.name in values]
    judged = judge_by_outcome(known, values, leads["lead_id"].isin(converted).tolist())
    leaking = [one for one in judged if one.refused]
    for one in leaking:
        examination.add(
            "data", "wrong", f"the attribute {one.name} {one.refused}",
            "take it out of ingest.leads.attributes: what is overwritten in place is worth nothing when it counts",
        )  # fmt: skip
    if leaking:
        examination.exit_code = examination.exit_code or 5
    else:
        examination.add("data", "good", f"none of {len(judged)} attributes knows the outcome by itself")


def _examine_horizon(examination: Examination, parameters: Parameters) -> None:
    longest = longest_trainable(examination.maturity)
    own = next(row for row in reversed(examination.maturity) if row.horizon == parameters.snapshots.horizon)
    horizon = format_duration(parameters.snapshots.horizon)
    if own.problem is None:
        examination.add(
            "data", "good", f"the horizon of {horizon} can be trained: {own.conversions:,} snapshots convert"
        )
    elif longest is not None:
        error = NotEnoughDataError(
            f"the horizon of {horizon} can't be trained: {own.problem}; set snapshots.horizon to "
            f"{format_duration(longest)}, the longest that can, or bring a longer log"
        )
        examination.fail("data", error)
    else:
        error = NotEnoughDataError(
            f"no horizon can be trained ({horizon}: {own.problem}); bring more leads or a longer log, "
            "predict an earlier milestone, or lower train.minimum_conversions"
        )
        examination.fail("data", error)
