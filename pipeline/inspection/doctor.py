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
from datetime import timedelta
from typing import Literal

from packaging.requirements import Requirement

from features.core.errors import (
    InputError,
    LeadcastError,
    NotEnoughDataError,
    SettingsError,
    StaleError,
    VerdictError,
)
from features.core.time import format_duration
from features.language.catalogue import WHERE_FROM
from features.language.feature import derive_names
from features.language.labels import Part
from models.core.verdicts import KINDS, Verdict, acquit, judged, ordered
from pipeline.core.project import Places, Project, read_json
from pipeline.core.verdicts import read_verdicts
from pipeline.evaluate.findings import of_columns
from pipeline.features import declared_features
from pipeline.inspection.outlets import examine_outlets
from pipeline.log.ages import doubts_of_ages
from pipeline.log.history import observe
from pipeline.log.learnable import Learnable, longest_trainable, table_of, tabulate
from pipeline.log.named import named_channels, named_types, require_named
from pipeline.log.outcome_holes import doubts_of_outcomes
from pipeline.log.reach import Reach
from pipeline.log.renamed import doubts_of_names
from pipeline.log.source_verdicts import source_verdicts
from pipeline.log.strengths import Share, find_strengths
from pipeline.reading.readers import table_columns
from pipeline.settings.file import load_parameters
from pipeline.settings.parameters import Parameters
from pipeline.settings.table import Table
from pipeline.spark.session import require_installed

State = Literal["good", "odd", "wrong"]
Area = Literal["environment", "settings", "data", "model"]
_GIB = 1 << 30
_NEEDED = 2 * _GIB
_PATIENCE = 3
"""Seconds that a tracking server has to answer."""
_CHANGED_AFTER = 1.0
_MOST_NAMED = 20
"""Names without words that are still listed, of each kind."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; what is odd lets a run go on, what is wrong does not."""

    area: Area
    state: State
    what: str
    remedy: str = ""


@dataclass
class Examination:
    """All findings; the table of milestones and horizons, where there is a log; and the exit code."""

    findings: list[Finding] = field(default_factory=list)
    learnable: list[Learnable] = field(default_factory=list)
    exit_code: int = 0

    def table(self) -> list[tuple[str, str, str, str, str]]:
        """Give the rows of the table of milestones and horizons, as they are printed."""
        return table_of(self.learnable)

    def own(self, horizon: timedelta) -> Learnable:
        """Give the row of the conversion, which comes last, at a horizon."""
        return next(row for row in reversed(self.learnable) if row.horizon == horizon)

    @property
    def longest(self) -> str | None:
        """The longest horizon that can be trained, in words."""
        longest = longest_trainable(self.learnable)
        return None if longest is None else format_duration(longest)

    def add(self, area: Area, state: State, what: str, remedy: str = "") -> None:
        """Note a finding."""
        self.findings.append(Finding(area, state, what, remedy))

    def fail(self, area: Area, error: LeadcastError) -> None:
        """Note what a run would fail of; the first one decides the exit code."""
        what, _, remedy = str(error).rpartition("; ") if "\n" not in str(error) else ("", "", str(error))
        self.add(area, "wrong", what or remedy, remedy if what else "")
        self.exit_code = self.exit_code or error.exit_code


def examine(places: Places) -> Examination:
    """Look at everything that a run needs."""
    examination = Examination()
    _examine_environment(examination, places)
    try:
        project = Project(places.root, load_parameters(places.root / "params.yaml"))
    except SettingsError as error:
        examination.fail("settings", error)
        return examination
    examination.add("settings", "good", "params.yaml is valid")
    _examine_settings(examination, project.parameters)
    if _examine_files(examination, project):
        try:
            for finding in examine_outlets(project):
                examination.add("settings", *finding)
        except LeadcastError as error:
            examination.fail("settings", error)
        _examine_log(examination, project)
    return examination


def _examine_environment(examination: Examination, places: Places) -> None:
    examination.add("environment", "good", f"Python {'.'.join(map(str, sys.version_info[:3]))}")
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
    if shutil.which("git") is None or not (places.root / ".git").exists():
        examination.add(
            "environment", "odd", "no git repository here",
            "git init, so that dvc exp and dvc metrics diff have something to compare; leadcast run does without",
        )  # fmt: skip
    free = shutil.disk_usage(places.root).free
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
    if parameters.run.executor == "spark":
        try:
            require_installed(parameters.run.master)
        except LeadcastError as error:
            examination.fail("environment", error)


def _tables(parameters: Parameters) -> Iterator[tuple[str, Table]]:
    settings = parameters.ingest
    for name, source in settings.sources.items():
        yield f"ingest.sources.{name}", source
    for name, table in settings.tables.items():
        yield f"ingest.tables.{name}", table
    for name, table in settings.own_tables.items():
        yield f"ingest.{name}", table


def _examine_files(examination: Examination, project: Project[Parameters]) -> bool:
    """See that all tables can be opened; tell whether a log may be looked at."""
    data_root = project.root / project.parameters.data_root
    good = 0
    for label, table in _tables(project.parameters):
        variable = (table.database or "").lstrip("$").strip("{}")
        if (table.database or "").startswith("$") and not os.environ.get(variable):
            told = f"{label}: the environment variable {variable} is not set; put the database's URL into it"
            examination.fail("data", InputError(told))
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


def _examine_log(examination: Examination, project: Project[Parameters]) -> None:
    sources = set(read_json(project.ingested)["sources"]) if project.ingested.exists() else None
    if sources != set(project.parameters.ingest.sources):
        what = "there is no log yet"
        if sources is not None:
            what = f"the log in data/ was made by other settings, of {', '.join(sorted(sources))}"
        remedy = "leadcast ingest, then leadcast doctor again: it tells what can be trained"
        examination.add("data", "odd", what, remedy)
        return
    written = project.ingested.stat().st_mtime
    newer = [
        path.name
        for path in sorted((project.root / project.parameters.data_root).rglob("*"))
        if path.is_file() and path.stat().st_mtime > written + _CHANGED_AFTER
    ]
    changed = (project.root / "params.yaml").stat().st_mtime > written + _CHANGED_AFTER
    if newer or changed:
        what = f"{len(newer)} files are newer than the log" if newer else "params.yaml is newer than the log"
        examination.add("data", "odd", what, "leadcast ingest; what follows is of the log as it is")
    for warning in read_json(project.ingested).get("warnings", []):
        what, _, remedy = str(warning).rpartition("; ")
        examination.add("data", "odd", what or remedy, remedy if what else "")
    _examine_sources(examination, project)
    _examine_words(examination, project)
    try:
        require_named(project, project.parameters.decision)
    except LeadcastError as error:
        examination.fail("settings", error)
    try:
        examination.learnable = tabulate(project)
    except LeadcastError as error:
        examination.fail("data", error)
        return
    _examine_strengths(examination, project)
    _examine_verdicts(examination, project)
    _examine_comparison(examination, project)
    _examine_horizon(examination, project.parameters)


def _examine_sources(examination: Examination, places: Places) -> None:
    """Say of each source that it runs; what speaks against the others is a verdict."""
    for name, source in sorted(read_json(places.ingested)["sources"].items()):
        rhythm = source.get("rhythm", {})
        if rhythm.get("state") in ("running", "closed", "quiet"):
            examination.add("data", "good", f"{name} is {rhythm['state']}: {rhythm['evidence']}")


def _examine_words(examination: Examination, project: Project[Parameters]) -> None:
    """Name what people have no words for in the language that is set: pages and reasons show these names."""
    parameters = project.parameters
    kinds = parameters.ingest.leads.attributes if parameters.ingest.leads else {}
    names: dict[Part, list[str]] = {
        "event_types": named_types(project, {"lead", *parameters.features.actors}),
        "channels": named_channels(
            project, [name for name, kind in kinds.items() if kind == "category" and WHERE_FROM.search(name)]
        ),
        "attributes": list(kinds),
        "milestones": list(parameters.episodes.milestones),
    }
    language, told = parameters.words.language, []
    if language != "en":  # where English says what is measured, others show the name
        names["features"] = derive_names(declared_features(parameters.features))
    for part, of_part in names.items():
        lacking = parameters.words.labels.lacking(part, of_part)
        more = f" and {len(lacking) - _MOST_NAMED:,} more" if len(lacking) > _MOST_NAMED else ""
        if lacking:
            told.append(f"{part.replace('_', ' ')}: {', '.join(lacking[:_MOST_NAMED])}{more}")
    if told:
        what = f"no words in {language!r} for {'; '.join(told)}"
        examination.add("settings", "odd", what, f"say under words.{language} what people call them, for the pages")
    else:
        examination.add("settings", "good", f"all that the log names has words in {language!r}")


def _examine_strengths(examination: Examination, project: Project[Parameters]) -> None:
    """Name what people call strong, and after which leads convert hardly more often than anyhow."""
    own = examination.own(project.parameters.snapshots.horizon)
    strengths = find_strengths(project, Share(own.mature, own.conversions))
    contradicted = [one for one in strengths if one.is_contradicted]
    for one in contradicted:
        remedy = "take it out there, or call it medium: those who did it are hardly better than others"
        examination.add("settings", "odd", one.told(), remedy)
    if strengths and not contradicted:
        examination.add("settings", "good", f"none of {len(strengths)} strong acts is contradicted by who converts")


def _examine_verdicts(examination: Examination, project: Project[Parameters]) -> None:
    """Show the list of verdicts as summary and page do: what the log shows now, and what was found of the model."""
    kinds = project.parameters.ingest.leads.attributes if project.parameters.ingest.leads else {}
    until = observe(project).outcomes_until - project.parameters.snapshots.horizon
    verdicts = [
        *of_columns(project, kinds, project.parameters.episodes.conversion, until),
        *source_verdicts(read_json(project.ingested), Reach(project).needed),
        *doubts_of_outcomes(project),
        *doubts_of_names(project, Reach(project).log_until, project.parameters.decision.event_types),
        *doubts_of_ages(project),
    ]
    if kinds and not any(verdict.code == "column_knows_outcome" for verdict in verdicts):
        examination.add("data", "good", f"none of {len(kinds)} attributes knows the outcome by itself")
    acquitted = project.parameters.evaluate.acquitted
    of_model = _verdicts_on_model(examination, project)
    verdicts = ordered(acquit(verdicts, acquitted)) if of_model is None else judged([*verdicts, *of_model], acquitted)
    states: dict[str, State] = {"wrong": "wrong", "doubtful": "odd", "told": "odd", "acquitted": "good"}
    for verdict in verdicts:
        advice = verdict.remedy if verdict.acquitted is None else ""
        told = f"; acquitted: {verdict.acquitted}" if verdict.acquitted else ""
        area: Area = "data" if KINDS[verdict.code].is_of_data else "model"
        what = f"{verdict.title} ({verdict.name}): {verdict.evidence}{told}"
        examination.add(area, states[verdict.weight], what, advice)
    standing = [verdict.code for verdict in verdicts if verdict.stands]
    if standing:
        error = StaleError if "source_silent" in standing else VerdictError
        examination.exit_code = examination.exit_code or error.exit_code


def _verdicts_on_model(examination: Examination, places: Places) -> list[Verdict] | None:
    """Give what was found of the model that is here; None where it was not evaluated."""
    if not places.verdicts.exists() or not places.training.exists():
        return None
    if read_json(places.verdicts)["model_version"] != read_json(places.training)["model_version"]:
        examination.add("model", "odd", "the model was trained anew since it was evaluated", "leadcast evaluate")
        return None
    return [verdict for verdict in read_verdicts(places) if not KINDS[verdict.code].is_of_data]


def _examine_comparison(examination: Examination, places: Places) -> None:
    """Say so where the actors were compared beside another model: the pages can't, for they know of no comparison."""
    if not places.comparison.exists() or not places.training.exists():
        return
    if read_json(places.comparison)["model_version"] != read_json(places.training)["model_version"]:
        told = (
            f"{places.comparison_text.relative_to(places.root)} was made beside another model than the one that is here"
        )
        examination.add("model", "odd", told, "leadcast compare-actors")


def _examine_horizon(examination: Examination, parameters: Parameters) -> None:
    longest = longest_trainable(examination.learnable)
    own = examination.own(parameters.snapshots.horizon)
    horizon = format_duration(parameters.snapshots.horizon)
    if own.problem is None:
        told = f"the horizon of {horizon} can be trained: {own.conversions:,} snapshots convert"
        examination.add("data", "good", told)
        return
    if own.trains:
        told = f"the horizon of {horizon} can be trained, but not judged on later time: {own.problem}"
        shorter = "" if longest is None else f"set snapshots.horizon to {format_duration(longest)}, or "
        examination.add("data", "odd", told, f"{shorter}bring a longer log")
        return
    told = (
        f"no horizon can be trained ({horizon}: {own.problem}); bring more leads or a longer log, "
        "predict an earlier milestone, or lower train.minimum_conversions"
    )
    if longest is not None:
        told = (
            f"the horizon of {horizon} can't be trained: {own.problem}; set snapshots.horizon to "
            f"{format_duration(longest)}, the longest that can, or bring a longer log"
        )
    examination.fail("data", NotEnoughDataError(told))
