"""MLflow: one run for each model, found again by the hash of the model; the registry of champions."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from features.core.errors import RegistryError, VerdictError
from models.core.model import Model
from models.core.verdicts import SEVERITIES, Verdict
from pipeline.core.project import Places, Project, fingerprint
from pipeline.registry.card import Figures, model_card
from pipeline.registry.refusals import check_experiment, refusal, without_secrets
from pipeline.registry.store import make_store
from pipeline.registry.versions import CHALLENGER, CHAMPION, alias_of, fetch, logged_model, register
from pipeline.settings.features import Features
from pipeline.settings.learning import Evaluate, Train
from pipeline.settings.run import Run
from pipeline.settings.timeline import Episodes, Snapshots

_MADE_BY = ("episodes", "snapshots", "features", "train")
"""The sections that a model depends on; milestones are shown and not learned from."""
WRONG = "wrong"
"""The tag of a version that names the verdicts that say so, with those that are acquitted."""
_LONGEST_TAG = 4000
_COUNTED = "verdicts_{}"
_ALWAYS_LOGGED = _COUNTED.format(SEVERITIES[0])


def tracking_uri(places: Places) -> str:
    """Give the address of the tracking store: MLFLOW_TRACKING_URI, or SQLite in the project."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{places.root.resolve() / 'mlflow.db'}"


@contextmanager
def connected(places: Places) -> Iterator[Any]:
    """Give MLflow's client on the project's store, without its chatter and its telemetry."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # MLflow's own patience is seven tries of two minutes each: a server that is not there is told within one minute.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    import mlflow  # noqa: PLC0415 - takes seconds
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    uri = tracking_uri(places)
    # MLflow keeps what it is told in the environment, where the next project would find it.
    tracking_before, registry_before = (os.environ.get(f"MLFLOW_{name}_URI") for name in ("TRACKING", "REGISTRY"))
    try:
        make_store(uri)
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        yield mlflow.MlflowClient(uri)
    except (mlflow.MlflowException, SQLAlchemyError) as error:
        raise refusal(error, uri) from None
    finally:
        mlflow.set_tracking_uri(tracking_before)
        mlflow.set_registry_uri(registry_before)
        if registry_before is None:
            os.environ.pop("MLFLOW_REGISTRY_URI", None)  # which MLflow leaves there


def experiment_id(client: Any, places: Places, name: str) -> str:  # noqa: ANN401 - MLflow's own
    """Find the experiment, or make it with its artefacts in the project's ``mlruns``.

    Raises RegistryError where it can't be written to.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        check_experiment(experiment, tracking_uri(places))
        return str(experiment.experiment_id)
    local = tracking_uri(places).startswith("sqlite:")
    return str(client.create_experiment(name, (places.root / "mlruns").resolve().as_uri() if local else None))


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    episodes: Episodes
    evaluate: Evaluate
    features: Features
    run: Run
    snapshots: Snapshots
    train: Train


def track(project: Project[Sections], model: Model, figures: Figures, verdicts: Sequence[Verdict]) -> str:
    """Log the model in the run that has its hash, or in a new one, and register it once; says what it did."""
    settings = project.parameters.evaluate
    with connected(project) as client:
        experiment = experiment_id(client, project, settings.experiment)
        runs = client.search_runs([experiment], f"tags.model_version = '{model.version}'", max_results=1)
        tags = {
            "model_version": model.version,
            "git_revision": _git_revision(project),
            **{
                f"run.{name}": str(value)
                for name, value in project.parameters.run.model_dump(exclude_none=True).items()
            },
            **{f"dvc_{name[4:].lower()}": value for name, value in os.environ.items() if name.startswith("DVC_EXP_")},
        }
        run = runs[0] if runs else client.create_run(experiment, run_name=f"model {model.version[:8]}", tags=tags)
        run_id = run.info.run_id
        # What a killed run has begun is made complete.
        is_new = run.info.status != "FINISHED"
        _log_facts(client, run, project, model, figures, verdicts, is_new=is_new)
        # Each evaluation is a step: of two values of one MLflow takes the higher for the latest.
        former = client.get_metric_history(run_id, _ALWAYS_LOGGED)
        step = 1 + max((metric.step for metric in former), default=-1)
        found = register(client, run, step, project, model, settings.model_name)
        _log_figures(client, run_id, logged_model(found), step, figures, verdicts)
        version = str(found.version)
        client.set_terminated(run_id)
        wrong = sorted({verdict.name for verdict in verdicts if verdict.severity == "wrong"})
        client.set_model_version_tag(settings.model_name, version, WRONG, _fitting(wrong))
        role = _give_role(client, settings.model_name, version, verdicts)
    return f"{settings.model_name} version {version} is {role}; run {run_id}"


def _fitting(names: Sequence[str]) -> str:
    """Write names of verdicts as a tag may hold them: where they are too many, their codes alone."""
    text = json.dumps(names)
    return text if len(text) <= _LONGEST_TAG else json.dumps(sorted({name.partition(":")[0] for name in names}))


def _give_role(client: Any, name: str, version: str, verdicts: Sequence[Verdict]) -> str:  # noqa: ANN401 - MLflow's own
    """Make the version champion or challenger, unless a verdict stands in its way; says what it is now."""
    champion, challenger = (alias_of(client, name, alias) for alias in (CHAMPION, CHALLENGER))
    if standing := [verdict.name for verdict in verdicts if verdict.stands]:
        held = [alias for alias, holder in ((CHAMPION, champion), (CHALLENGER, challenger)) if holder == version]
        for alias in held:
            client.delete_registered_model_alias(name, alias)
        lost = f", and is no longer {' and '.join(held)}" if held else ""
        return f"neither champion nor challenger{lost}, for it is wrong: {', '.join(standing)}"
    if champion == version:
        return "the champion"
    if any(verdict.code == "not_judged" for verdict in verdicts):
        return "not judged; where you know what it is worth, make it the champion by hand (leadcast ui)"
    if champion is None:
        client.set_registered_model_alias(name, CHAMPION, version)
        if challenger == version:
            client.delete_registered_model_alias(name, CHALLENGER)
        is_first = len(client.search_model_versions(f"name = '{name}'")) == 1
        return "the champion, being the first" + ("" if is_first else " that may be")
    client.set_registered_model_alias(name, CHALLENGER, version)
    return f"the challenger of version {champion}"


def load_champion(places: Places, settings: Evaluate) -> tuple[Model, str]:
    """Fetch the champion from the registry, with the id of its run.

    Raises RegistryError where there is none.
    """
    with connected(places) as client:
        version = alias_of(client, settings.model_name, CHAMPION)
        if version is None:
            raise _no_champion(client, settings, without_secrets(tracking_uri(places)))
        found = client.get_model_version(settings.model_name, version)
        _refuse_wrong(found, settings, f"the champion of {settings.model_name!r}, version {version},")
        return fetch(found), str(found.run_id)


def find_model(places: Places, settings: Evaluate, model_version: str) -> Model | None:
    """Fetch a model from the registry by its ``model_version``, whatever its role; None where it or a file is gone."""
    with connected(places) as client:
        for found in client.search_model_versions(f"name = '{settings.model_name}'"):
            if found.tags.get("model_version") == model_version:
                try:
                    return fetch(found)
                except RegistryError:
                    continue
    return None


def _no_champion(client: Any, settings: Evaluate, uri: str) -> RegistryError:  # noqa: ANN401 - MLflow's own
    """Say what makes a champion where there is none; raises VerdictError where the newest version is wrong."""
    versions = client.search_model_versions(f"name = '{settings.model_name}'")
    whose = f"no champion of {settings.model_name!r} in {uri}"
    if not versions:
        return RegistryError(f"{whose}; train and register one: make run")
    newest = max(versions, key=lambda version: int(version.version))
    _refuse_wrong(newest, settings, f"there is no champion of {settings.model_name!r}: version {newest.version}")
    if json.loads(newest.tags.get(WRONG, "[]")):
        return RegistryError(
            f"{whose}: what was wrong with version {newest.version} is acquitted now; judge it anew: leadcast evaluate"
        )
    return RegistryError(
        f"{whose}, but version {newest.version}; make it the champion by hand if it is one: leadcast ui"
    )


def _refuse_wrong(version: Any, settings: Evaluate, whose: str) -> None:  # noqa: ANN401 - MLflow's own
    """Raise VerdictError where verdicts on a version say wrong, and the settings don't acquit them."""
    names = json.loads(version.tags.get(WRONG, "[]"))
    standing = [name for name in names if not {name, name.partition(":")[0]} & settings.acquitted.keys()]
    if standing:
        raise VerdictError(
            f"{whose} is wrong by its own figures: {', '.join(standing)}; what was seen and what to do stands in its "
            "run (leadcast ui), and of the model just trained in reports/summary.txt. What you know to be harmless is "
            "acquitted under evaluate.acquitted, with a reason; then run leadcast evaluate"
        )


def champion_version(places: Places, settings: Evaluate) -> str | None:
    """Give the model_version of the champion in the registry, or None where there is none."""
    with connected(places) as client:
        version = alias_of(client, settings.model_name, CHAMPION)
        return version and str(client.get_model_version(settings.model_name, version).tags.get("model_version"))


def _log_facts(
    client: Any,  # noqa: ANN401 - MLflow's own
    run: Any,  # noqa: ANN401 - MLflow's own
    project: Project[Sections],
    model: Model,
    figures: Figures,
    verdicts: Sequence[Verdict],
    *,
    is_new: bool,
) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Param  # noqa: PLC0415 - takes seconds

    sections = {name: getattr(project.parameters, name).model_dump(mode="json", by_alias=True) for name in _MADE_BY}
    del sections["episodes"]["milestones"]
    settings = _flat(sections)
    settings |= {f"learner.{name}": value for name, value in model.manifest["parameters"].items()}
    missing = settings.keys() - run.data.params.keys() if is_new else set()
    params = [Param(name, str(settings[name])) for name in sorted(missing)]
    run_id = run.info.run_id
    client.set_tag(run_id, "bootstrap_replicates", project.parameters.evaluate.replicates)
    client.log_batch(run_id, params=params)
    for name, path in (("log", project.interactions), ("snapshots", project.snapshots), ("matrix", project.matrix)):
        digest = fingerprint(path)
        client.set_tag(run_id, f"sha256_{name}", digest)
        if is_new:
            dataset = Dataset(name, digest[:32], "local", json.dumps({"uri": str(path.relative_to(project.root))}))
            client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    client.set_tag(run_id, "mlflow.note.content", model_card(project, model, figures, verdicts))
    for path in (project.catalogue, project.training, project.snapshot_counts, project.metrics, project.verdicts):
        client.log_artifact(run_id, str(path))
    for folder in (project.plots, project.pictures):
        client.log_artifacts(run_id, str(folder), folder.name)


def _log_figures(
    client: Any,  # noqa: ANN401 - MLflow's own
    run_id: str,
    model_id: str | None,
    step: int,
    figures: Figures,
    verdicts: Sequence[Verdict],
) -> None:
    """Log the figures of the run, and of the model that it has logged, as one more step of both."""
    from mlflow.entities import Metric  # noqa: PLC0415 - takes seconds

    said = {
        name if part == "value" else f"{name}_{part}": value
        for name, parts in figures.items()
        for part, value in parts.items()
    }
    for severity in SEVERITIES:
        said[_COUNTED.format(severity)] = sum(verdict.weight == severity for verdict in verdicts)
    now = int(datetime.now(UTC).timestamp() * 1000)
    known = client.get_run(run_id).data.metrics
    metrics = [Metric(name, value, now, step, model_id) for name, value in said.items() if value is not None]
    # What was logged stays: that a figure can't be said any more is said by no number.
    metrics += [Metric(name, math.nan, now, step) for name, value in said.items() if value is None and name in known]
    client.log_batch(run_id, metrics=metrics)


def _git_revision(places: Places) -> str:
    """Give the commit that is checked out, with a mark where files differ from it."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=places.root, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Name nested settings by their place: ``train.seed``."""
    flat: dict[str, Any] = {}
    for name, value in content.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
