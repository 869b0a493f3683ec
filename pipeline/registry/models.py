"""A model by any of its names: the one just trained, one with a role, a version, or the beginning of its hash."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from features.core.errors import InputError, RegistryError
from models.core.model import MANIFEST_FILE, Model
from models.core.trees import ArtefactError
from pipeline.core.project import Places
from pipeline.core.trained import open_trained
from pipeline.registry.mlflow import connected
from pipeline.registry.versions import CHALLENGER, CHAMPION, alias_of, fetch
from pipeline.settings.learning import Evaluate

TRAINED = "trained"
NAMES = f"{TRAINED}, {CHAMPION}, {CHALLENGER}, a version of the registry, or 8 letters or more of a model_version"
"""What a model may be called by."""
_MOST_RUNS = 50_000
"""That MLflow lists at once."""
_BEGINNING = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True)
class Named:
    """A model that was found by a name."""

    asked: str
    model: Model
    version: str | None
    """Its number in the registry, where it has one."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Those of its run: by which code and which experiment it was made; none where it has no run."""

    def how_to_train(self) -> str:
        """Give the command that trains it once more, or says what brings its settings back where nobody noted them."""
        experiment = self.tags.get("dvc_exp_name")
        if experiment:
            return f"dvc exp apply {experiment} && dvc repro train"
        revision, _, is_dirty = self.tags.get("git_revision", "unknown").partition("-dirty")
        if revision == "unknown":
            return "put its params.yaml and features/own.py back, then: dvc repro train"
        told = f"git checkout {revision} -- params.yaml features && dvc repro train"
        return f"{told} (its run was made of files that differed from that commit)" if is_dirty else told


def find_named(places: Places, settings: Evaluate, name: str) -> Named:
    """Find a model by one of NAMES.

    Raises InputError where the name is none, or more than one model begins so, RegistryError where there is no such
    model or its files are gone.
    """
    with connected(places) as client:
        known = client.search_model_versions(f"name = '{settings.model_name}'")
        if name == TRAINED:
            trained = open_trained(places)
            same = [one for one in known if one.tags.get("model_version") == trained.version]
            return Named(name, trained, _number(same), _tags(client, settings, trained.version))
        if name in (CHAMPION, CHALLENGER):
            number = alias_of(client, settings.model_name, name)
            if number is None:
                raise RegistryError(
                    f"there is no {name} of {settings.model_name!r}; leadcast ui shows the versions there are"
                )
            return _of_version(client, settings, name, client.get_model_version(settings.model_name, number))
        numbered = [one for one in known if str(one.version) == name]
        if numbered:
            return _of_version(client, settings, name, numbered[0])
        if name.isdecimal() and not _BEGINNING.fullmatch(name):
            numbers = ", ".join(sorted((str(one.version) for one in known), key=int)) or "none"
            raise RegistryError(f"{settings.model_name!r} has no version {name}; there are: {numbers}")
        if not _BEGINNING.fullmatch(name):
            raise InputError(f"{name!r} names no model; write {NAMES}")
        return _beginning(client, places, settings, name, known)


def _beginning(client: Any, places: Places, settings: Evaluate, name: str, known: list[Any]) -> Named:  # noqa: ANN401 - MLflow's own
    """Find the model whose model_version begins so: registered, in a run alone, or just trained."""
    by_hash: dict[str, list[Any]] = {}
    for one in known:
        by_hash.setdefault(str(one.tags.get("model_version", "")), []).append(one)
    runs = {run.data.tags["model_version"]: run for run in _runs(client, settings) if "model_version" in run.data.tags}
    trained = open_trained(places) if places.training.exists() and places.model.exists() else None
    hashes = {*by_hash, *runs, *([trained.version] if trained else [])}
    found = sorted(version for version in hashes if version.startswith(name))
    if not found:
        raise RegistryError(
            f"no model_version begins with {name}: neither of the versions of {settings.model_name!r}, nor of the runs "
            f"of {settings.experiment!r}, nor is it the model just trained; leadcast ui shows those there are"
        )
    if len(found) > 1:
        raise InputError(f"{len(found)} models begin with {name}: {', '.join(found)}; write more of it")
    version = found[0]
    if trained is not None and trained.version == version:
        return Named(name, trained, _number(by_hash.get(version, [])), _tags(client, settings, version))
    if version in by_hash:
        return _of_version(client, settings, name, by_hash[version][0])
    return Named(name, _of_run(client, runs[version], version), None, dict(runs[version].data.tags))


def _of_version(client: Any, settings: Evaluate, name: str, version: Any) -> Named:  # noqa: ANN401 - MLflow's own
    model = fetch(version)
    return Named(name, model, str(version.version), _tags(client, settings, model.version))


def _of_run(client: Any, run: Any, version: str) -> Model:  # noqa: ANN401 - MLflow's own
    """Load the files that a run has logged of its model, which nobody has registered."""
    import mlflow  # noqa: PLC0415 - takes seconds

    logged = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    for one in logged:
        try:
            folder = Path(mlflow.artifacts.download_artifacts(f"models:/{one.model_id}"))
            return Model.load(next(folder.rglob(MANIFEST_FILE), folder / MANIFEST_FILE).parent, version)
        except (OSError, mlflow.MlflowException, ArtefactError):
            continue
    raise RegistryError(
        f"the run {run.info.run_name!r} has not kept the files of its model {version[:16]}; train it once more"
    )


def _runs(client: Any, settings: Evaluate, version: str | None = None) -> list[Any]:  # noqa: ANN401 - MLflow's own
    """List the runs of the experiment, of one model or of all; of what is compared no run has a model_version."""
    experiment = client.get_experiment_by_name(settings.experiment)
    if experiment is None:
        return []
    wanted = "" if version is None else f"tags.model_version = '{version}'"
    return list(client.search_runs([experiment.experiment_id], wanted, max_results=_MOST_RUNS))


def _tags(client: Any, settings: Evaluate, version: str) -> dict[str, str]:  # noqa: ANN401 - MLflow's own
    runs = _runs(client, settings, version)
    return dict(runs[0].data.tags) if runs else {}


def _number(versions: list[Any]) -> str | None:
    return max((str(one.version) for one in versions), key=int, default=None)
