"""A model's files in MLflow's registry: registered once, found again, and known to be those that were registered."""

from __future__ import annotations

import importlib.metadata
import warnings
from pathlib import Path
from typing import Any

from features.core.errors import RegistryError
from models.core.model import MANIFEST_FILE, Model
from models.core.trees import ArtefactError
from pipeline.registry.approvals import move_record, owner_of
from pipeline.registry.card import with_people

CHAMPION, CHALLENGER = "champion", "challenger"
MODEL_VERSION = "model_version"
"""The tag of a version, and of a run, that holds the hash of the model."""


def alias_of(client: Any, name: str, alias: str) -> str | None:  # noqa: ANN401 - MLflow's own
    """Tell which version of a registered model has an alias."""
    for registered in client.search_registered_models(f"name = '{name}'"):
        version = registered.aliases.get(alias)
        return None if version is None else str(version)  # a number in some stores, a text in others
    return None


def fetch(version: Any) -> Model:  # noqa: ANN401 - MLflow's own
    """Load the files of a registered version, if they are those that were registered; raises RegistryError if not."""
    import mlflow  # noqa: PLC0415 - takes seconds

    name = f"{version.name!r} version {version.version}"
    expected = version.tags.get(MODEL_VERSION)
    if expected is None:
        raise RegistryError(
            f"{name} has no tag model_version, so nobody can tell whether its files are those that were judged; "
            "make a version the champion that leadcast evaluate has registered"
        )
    again = "register the model once more: dvc repro --force evaluate"
    try:
        return _load(f"models:/{version.name}/{version.version}", expected)
    except (OSError, mlflow.MlflowException) as error:
        raise RegistryError(
            f"the files of {name} can't be fetched ({error}); where the project's folder has been moved, {again}"
        ) from error
    except ArtefactError as error:
        raise RegistryError(
            f"the files of {name} are not those that were registered, so nothing was scored: {error} "
            f"Restore them, make another version the champion, or {again}"
        ) from error


def _load(uri: str, expected: str) -> Model:
    import mlflow  # noqa: PLC0415 - takes seconds

    folder = Path(mlflow.artifacts.download_artifacts(uri))
    return Model.load(next(folder.rglob(MANIFEST_FILE), folder / MANIFEST_FILE).parent, expected)


def version_of(client: Any, run: Any, model_id: str, model: Model, name: str, card: str) -> Any | None:  # noqa: ANN401 - MLflow's own
    """Give the version of a model whose files are sound; None where it is none yet, and others are.

    Where the registry is empty it becomes the first one. Where the files of its version were lost, another takes its
    place, with its aliases and what is told of it.
    """
    known = client.search_model_versions(f"name = '{name}'")
    same = [version for version in known if version.tags.get(MODEL_VERSION) == model.version]
    holders = {alias: alias_of(client, name, alias) for alias in (CHAMPION, CHALLENGER)}
    # One that is in use first: of two whose files are sound the other would become its own challenger.
    same.sort(key=lambda version: (str(version.version) not in holders.values(), int(version.version)))
    sound = {str(version.version): version for version in same if is_sound(version)}
    version = next(iter(sound.values()), None)
    if version is None and known and not same:
        return None
    if version is None:
        version = new_version(client, run.info.run_id, model_id, model.version, name, card)
        for key, value in (same[-1].tags if same else {}).items():
            client.set_model_version_tag(name, version.version, key, value)
    lost = {str(one.version) for one in same} - sound.keys()
    for alias, holder in holders.items():
        if holder in lost:
            if alias == CHAMPION:
                move_record(client, name, str(holder), str(version.version))
            client.set_registered_model_alias(name, alias, version.version)
    return version


def new_version(client: Any, run_id: str, model_id: str, model_version: str, name: str, card: str) -> Any:  # noqa: ANN401 - MLflow's own
    """Register a model that a run has logged."""
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    told = with_people(card, owner_of(client, run_id), "Nobody has decided about it yet.")
    return client.create_model_version(
        name, f"models:/{model_id}", run_id, tags={MODEL_VERSION: model_version}, description=told, model_id=model_id
    )


def logged_model(version: Any) -> str | None:  # noqa: ANN401 - MLflow's own
    """Give the id of the logged model whose files a version names, which MLflow's registry gives no other way."""
    scheme, _, model_id = str(version.source).partition(":/")
    return model_id if scheme == "models" and "/" not in model_id else None


def is_sound(version: Any) -> bool:  # noqa: ANN401 - MLflow's own
    """Tell whether the files of a registered version are there, and those that were registered."""
    try:
        fetch(version)
    except RegistryError:
        return False
    return True


def logged_files(client: Any, run: Any, step: int, folder: Path, model: Model) -> str:  # noqa: ANN401 - MLflow's own
    """Give the id of the run's logged model, logged now where it is not, from the ``folder`` in which the model lies.

    ``step``: one at which it has no figures.
    """
    return logged_before(client, run, model.version) or _log(run.info.run_id, step, folder, model)


def logged_before(client: Any, run: Any, model_version: str) -> str | None:  # noqa: ANN401 - MLflow's own
    """Find the model where the run has logged it, and its files are sound; gives its id.

    What was begun and never became whole is deleted: nobody can have put it to use.
    """
    import mlflow  # noqa: PLC0415 - takes seconds
    from mlflow.entities import LoggedModelStatus  # noqa: PLC0415

    run_id = run.info.run_id
    found = None
    for logged in client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'"):
        if logged.status != LoggedModelStatus.READY:
            client.delete_logged_model(logged.model_id)
        elif found is None:
            try:
                _load(f"models:/{logged.model_id}", model_version)
            except (OSError, mlflow.MlflowException, ArtefactError):
                continue
            found = str(logged.model_id)
    return found


def _log(run_id: str, step: int, folder: Path, model: Model) -> str:
    """Log the model's files with what it takes to load them anywhere; gives the id of the logged model."""
    import mlflow  # noqa: PLC0415 - takes seconds
    from mlflow.models import ModelSignature  # noqa: PLC0415
    from mlflow.types.schema import ColSpec, Schema  # noqa: PLC0415

    inputs = [
        ColSpec("string" if name in model.categories else "double", name, required=False) for name in model.columns
    ]
    packages = ("lightgbm", "numpy", "pandas")
    with mlflow.start_run(run_id), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*An input example was not provided", UserWarning)  # leads are no examples
        logged = mlflow.pyfunc.log_model(
            name="model",
            loader_module="core.model",
            data_path=str(folder),
            code_paths=[str(Path(__file__).parents[2] / "models" / "core")],
            signature=ModelSignature(Schema(inputs), Schema([ColSpec("double")])),
            pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in packages],
            step=step,
        )
    return str(logged.model_id)
