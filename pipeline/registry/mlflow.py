"""MLflow: one run for each model, found again by the hash of the model; the registry of champions."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import subprocess
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from features.core.errors import RegistryError, VerdictError
from models.core.artefact import MANIFEST_FILE, ArtefactError, Model
from models.core.verdicts import SEVERITIES, Verdict
from pipeline.core.project import Places, Project, fingerprint
from pipeline.registry.card import Figures, model_card
from pipeline.registry.refusals import check_experiment, refusal, without_secrets
from pipeline.registry.store import make_store
from pipeline.settings.features import Features
from pipeline.settings.learning import Evaluate, Train
from pipeline.settings.run import Run
from pipeline.settings.timeline import Episodes, Snapshots

_MADE_BY = ("episodes", "snapshots", "features", "train")
"""The sections that a model depends on; milestones are shown and not learned from."""
CHAMPION, CHALLENGER = "champion", "challenger"
WRONG = "wrong"
"""The tag of a version that names the verdicts that say so, with those that are acquitted."""
_LONGEST_TAG = 4000


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
        version = _register(client, run_id, project, model, settings)
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
    champion, challenger = (_alias(client, name, alias) for alias in (CHAMPION, CHALLENGER))
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
        version = _alias(client, settings.model_name, CHAMPION)
        if version is None:
            raise _no_champion(client, settings, without_secrets(tracking_uri(places)))
        found = client.get_model_version(settings.model_name, version)
        _refuse_wrong(found, settings, f"the champion of {settings.model_name!r}, version {version},")
        return _fetch(found), str(found.run_id)


def _fetch(version: Any) -> Model:  # noqa: ANN401 - MLflow's own
    """Load the files of a registered version, if they are those that were registered; raises RegistryError if not."""
    import mlflow  # noqa: PLC0415 - takes seconds

    name = f"{version.name!r} version {version.version}"
    expected = version.tags.get("model_version")
    if expected is None:
        raise RegistryError(
            f"{name} has no tag model_version, so nobody can tell whether its files are those that were judged; "
            "make a version the champion that leadcast evaluate has registered"
        )
    again = "register the model once more: dvc repro --force evaluate"
    try:
        folder = Path(mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.version}"))
    except (OSError, mlflow.MlflowException) as error:
        raise RegistryError(
            f"the files of {name} can't be fetched ({error}); where the project's folder has been moved, {again}"
        ) from error
    try:
        return Model.load(next(folder.rglob(MANIFEST_FILE), folder / MANIFEST_FILE).parent, expected)
    except ArtefactError as error:
        raise RegistryError(
            f"the files of {name} are not those that were registered, so nothing was scored: {error} "
            f"Restore them, make another version the champion, or {again}"
        ) from error


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
        version = _alias(client, settings.model_name, CHAMPION)
        return version and str(client.get_model_version(settings.model_name, version).tags.get("model_version"))


def _alias(client: Any, name: str, alias: str) -> str | None:  # noqa: ANN401 - MLflow's own
    for registered in client.search_registered_models(f"name = '{name}'"):
        version = registered.aliases.get(alias)
        return None if version is None else str(version)  # a number in some stores, a text in others
    return None


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
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param  # noqa: PLC0415 - takes seconds

    metrics = [
        Metric(name if part == "value" else f"{name}_{part}", value, 0, 0)
        for name, parts in figures.items()
        for part, value in parts.items()
        if value is not None
    ]
    counts = {severity: sum(verdict.weight == severity for verdict in verdicts) for severity in SEVERITIES}
    metrics += [Metric(f"verdicts_{severity}", count, 0, 0) for severity, count in counts.items()]
    sections = {name: getattr(project.parameters, name).model_dump(mode="json", by_alias=True) for name in _MADE_BY}
    del sections["episodes"]["milestones"]
    settings = _flat(sections)
    settings |= {f"learner.{name}": value for name, value in model.manifest["parameters"].items()}
    missing = settings.keys() - run.data.params.keys() if is_new else set()
    params = [Param(name, str(settings[name])) for name in sorted(missing)]
    run_id = run.info.run_id
    client.set_tag(run_id, "bootstrap_replicates", project.parameters.evaluate.replicates)
    client.log_batch(run_id, metrics=metrics, params=params)
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


def _register(client: Any, run_id: str, places: Places, model: Model, settings: Evaluate) -> str:  # noqa: ANN401 - MLflow's own
    """Register the run's model, unless it is and its files are sound; gives the version.

    A new version of the same model takes over the aliases of one whose files were lost.
    """
    import mlflow  # noqa: PLC0415 - takes seconds
    from mlflow.models import ModelSignature  # noqa: PLC0415
    from mlflow.types.schema import ColSpec, Schema  # noqa: PLC0415

    known = client.search_model_versions(f"name = '{settings.model_name}'")
    same = [version for version in known if version.tags.get("model_version") == model.version]
    for version in same:
        if _is_sound(version):
            return str(version.version)
    inputs = [
        ColSpec("string" if name in model.categories else "double", name, required=False) for name in model.columns
    ]
    packages = ("lightgbm", "numpy", "pandas")
    with mlflow.start_run(run_id), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*An input example was not provided", UserWarning)  # leads are no examples
        logged = mlflow.pyfunc.log_model(
            name="model",
            loader_module="artefact",
            data_path=str(places.model),
            code_paths=[str(Path(__file__).parents[2] / "models" / "core" / "artefact.py")],
            signature=ModelSignature(Schema(inputs), Schema([ColSpec("double")])),
            pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in packages],
        )
    if not client.search_registered_models(f"name = '{settings.model_name}'"):
        client.create_registered_model(settings.model_name)
    registered = client.create_model_version(
        settings.model_name,
        logged.model_uri,
        run_id,
        tags={"model_version": model.version},
        description=f"Does a lead convert within {model.manifest['horizon']}?",
        model_id=logged.model_id,
    )
    for alias in (CHAMPION, CHALLENGER):
        if _alias(client, settings.model_name, alias) in {str(version.version) for version in same}:
            client.set_registered_model_alias(settings.model_name, alias, registered.version)
    return str(registered.version)


def _is_sound(version: Any) -> bool:  # noqa: ANN401 - MLflow's own
    """Tell whether the files of a registered version are there, and those that were registered."""
    try:
        _fetch(version)
    except RegistryError:
        return False
    return True


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
