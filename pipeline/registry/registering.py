"""``leadcast register``: a version is made on purpose, of a run that is there or of the model just trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from features.core.errors import InputError, RegistryError
from models.core.model import Model
from pipeline.core.project import Places
from pipeline.registry.approvals import last_decision, record
from pipeline.registry.mlflow import connected, experiment_id
from pipeline.registry.runs import WRONG, give_role
from pipeline.registry.versions import (
    CHALLENGER,
    CHAMPION,
    MODEL_VERSION,
    alias_of,
    is_sound,
    logged_before,
    new_version,
)
from pipeline.settings.learning import Evaluate

_FEWEST_LETTERS = 6


def register(
    places: Places, settings: Evaluate, named: str | None, log_trained: Callable[[], object], trained: Model | None
) -> list[str]:
    """Make a version of a run, named by the beginning of its id, its name or its ``model_version``; gives it as lines.

    Without a name it is that of the model just trained, logged by ``log_trained`` where its run is missing. The version
    becomes the challenger; in a store that has no champion, what ``approvals.jsonl`` says of it holds again.

    Raises RegistryError where there is no such run, or its files are gone; InputError where several fit.
    """
    with connected(places) as client:
        experiment = experiment_id(client, places, settings.experiment)
        if named is None:
            if trained is None:
                raise InputError("there is no model in data/model; train one (dvc repro), or name a run")
            version = trained.version
            if not client.search_runs([experiment], f"tags.{MODEL_VERSION} = '{version}'", max_results=1):
                log_trained()
            named = version
        run = _find_run(client, experiment, named)
        return _register(client, places, settings, run)


def _find_run(client: Any, experiment: str, named: str) -> Any:  # noqa: ANN401 - MLflow's own
    runs = [run for run in client.search_runs([experiment], max_results=5000) if MODEL_VERSION in run.data.tags]
    long = len(named) >= _FEWEST_LETTERS
    fitting = [
        run
        for run in runs
        if named in (run.info.run_name, run.data.tags.get("dvc_exp_name"))
        or (long and (run.info.run_id.startswith(named) or run.data.tags[MODEL_VERSION].startswith(named)))
    ]
    if not fitting:
        raise RegistryError(
            f"no run {named!r} of a model in the experiment; leadcast ui shows them: give the beginning of a run's id "
            f"or of its model_version ({_FEWEST_LETTERS} letters at least), or its whole name"
        )
    if len(fitting) > 1:
        listed = "".join(f"\n  {run.info.run_id[:12]}  {run.info.run_name}" for run in fitting[:10])
        raise InputError(f"{len(fitting)} runs are called {named!r}; give the beginning of an id:{listed}")
    return fitting[0]


def _register(client: Any, places: Places, settings: Evaluate, run: Any) -> list[str]:  # noqa: ANN401 - MLflow's own
    name, model_version = settings.model_name, run.data.tags[MODEL_VERSION]
    known = client.search_model_versions(f"name = '{name}'")
    same = [one for one in known if one.tags.get(MODEL_VERSION) == model_version and is_sound(one)]
    told = []
    if same:
        version = same[0]
        told.append(f"{name} has it already, as version {version.version}")
    else:
        model_id = logged_before(client, run, model_version)
        if model_id is None:
            raise RegistryError(
                f"the files of run {run.info.run_id[:12]} ({run.info.run_name}) are gone, or not those that were "
                "judged; train it again: git checkout "
                f"{run.data.tags.get('git_revision', 'its revision').removesuffix('-dirty')[:12]}, dvc repro"
            )
        card = client.download_artifacts(run.info.run_id, "model-card.md")
        with open(card, encoding="utf-8") as file:  # noqa: PTH123 - MLflow gives a path as text
            version = new_version(client, run.info.run_id, model_id, model_version, name, file.read())
        told.append(f"{name} version {version.version} is run {run.info.run_name!r} ({model_version[:12]})")
        client.set_model_version_tag(name, version.version, WRONG, run.data.tags.get(WRONG, "[]"))
    number = str(version.version)
    if alias_of(client, name, CHAMPION) == number:
        return [*told, "it is the champion"]
    former = last_decision(places, name)
    if alias_of(client, name, CHAMPION) is None and former is not None and former.model_version == model_version:
        record(client, replace(former, version=number))
        client.set_registered_model_alias(name, CHAMPION, number)
        give_role(client, run.info.run_id, CHAMPION)
        return [
            *told,
            f"it is the champion, as approvals.jsonl says: {former.action} by {former.by} on {former.at[:10]}",
        ]
    before = alias_of(client, name, CHALLENGER)
    client.set_registered_model_alias(name, CHALLENGER, number)
    give_role(client, run.info.run_id, CHALLENGER)
    instead = f" in place of version {before}" if before not in (None, number) else ""
    return [
        *told,
        f"it is the challenger{instead}; next: leadcast compare champion {number}, leadcast promote {number}",
    ]
