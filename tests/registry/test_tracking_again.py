"""A model that is evaluated again: other figures, another name, files that were lost, what was killed in between."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from world import Project

from features.core.errors import RegistryError
from models.core.model import Model
from models.core.verdicts import acquit, found
from pipeline.core.project import read_json
from pipeline.registry.champion import find_model, load_champion
from pipeline.registry.mlflow import connected
from pipeline.registry.registering import register
from pipeline.registry.runs import track
from pipeline.registry.versions import logged_model

NAME = "lead-conversion"
OTHER: dict[str, float | None] = {"value": 0.5, "low": 0.4, "high": 0.6}
UNKNOWN: dict[str, float | None] = {"value": None, "low": None, "high": None}


@pytest.fixture(scope="module")
def with_verdicts(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Copy the small world, and track its model with two verdicts, in a store in which nothing else is."""
    project = world.copy_to(tmp_path_factory.mktemp("again") / "project", leave_out=("raw",))
    track_again(project, {}, acquitted=2)
    return project


@pytest.fixture
def project(with_verdicts: Project, tmp_path: Path) -> Project:
    return with_verdicts.copy_to(tmp_path / "project", with_store=True)


def track_again(
    project: Project, changes: Mapping[str, Mapping[str, float | None]], *, acquitted: int = 0, name: str = NAME
) -> None:
    """Track the project's model with its figures, some of them changed, and so many verdicts that are acquitted."""
    figures = json.loads(project.figures.read_text()) | changes
    verdicts = acquit([found("too_good", "", subject=str(number)) for number in range(acquitted)], {"too_good": "so"})
    verdicts += [found("not_judged", "")] if not acquitted else []
    settings = project.with_settings({"evaluate.model_name": name})
    project.told.append(track(settings, Model.load(project.model), figures, read_json(project.breakdown), verdicts))


def held(project: Project) -> tuple[Any, list[Any], list[Any]]:
    """Give the one run of the store, its logged models, and the registered versions of all names."""
    with connected(project) as client:
        (experiment,) = (one for one in client.search_experiments() if one.name == "leadcast")
        (run,) = (one for one in client.search_runs([experiment.experiment_id]) if "model_version" in one.data.tags)
        logged = client.search_logged_models([experiment.experiment_id])
        return run, list(logged), sorted(client.search_model_versions(), key=lambda one: (one.name, int(one.version)))


def of_models(logged: Any) -> dict[str, float]:  # noqa: ANN401 - MLflow's own
    """Give the latest figures of a logged model."""
    return {one.key: one.value for one in sorted(logged.metrics, key=lambda one: one.step)}


def lose_files(project: Project) -> Any:  # noqa: ANN401 - MLflow's own
    """Delete the files of the one logged model; gives it."""
    _, (logged,), _ = held(project)
    shutil.rmtree(Path(logged.artifact_location.removeprefix("file://")))
    return logged


def die(*_: object, **__: object) -> None:
    """End as a call to a server does that is gone."""
    from mlflow import MlflowException  # noqa: PLC0415 - takes seconds

    raise MlflowException("interrupted")


@pytest.mark.parametrize("name", [NAME, "renamed"])
def test_the_figures_of_a_run_are_those_of_its_last_evaluation(project: Project, name: str) -> None:
    track_again(project, {"roc_auc": OTHER, "log_loss": UNKNOWN}, name=name)
    run, (logged,), versions = held(project)
    figures = json.loads(project.figures.read_text())
    metrics = run.data.metrics
    names = ("ranking/roc_auc", "intervals/roc_auc_low", "intervals/roc_auc_high")
    assert [metrics[one] for one in names] == [0.5, 0.4, 0.6], "lower than before"
    assert (metrics["findings/wrong"], metrics["findings/told"]) == (0, 1)
    assert metrics["ranking/lift_at_10"] == round(figures["lift_at_10"]["value"], 4)
    assert math.isnan(metrics["verdict/log_loss"]), "it can't be said any more"
    assert run.info.status == "FINISHED"
    assert of_models(logged)["ranking/roc_auc"] == 0.5
    assert of_models(logged)["findings/told"] == 1
    assert {version.name for version in versions} == {NAME, name}
    assert {logged_model(version) for version in versions} == {logged.model_id}, (
        "the files are the same, and there once"
    )


def test_a_version_whose_files_were_lost_is_registered_again_with_other_figures(project: Project) -> None:
    first = lose_files(project)
    track_again(project, {"roc_auc": OTHER})
    run, logged, versions = held(project)
    assert [version.version for version in versions] in ([1, 2], ["1", "2"])
    assert run.info.status == "FINISHED"
    (second,) = (one for one in logged if one.model_id != first.model_id)
    assert logged_model(versions[1]) == second.model_id
    assert of_models(second)["ranking/roc_auc"] == 0.5
    assert second.params == first.params
    model = load_champion(project, project.parameters.evaluate).model
    assert model.version == Model.load(project.model).version


@pytest.mark.parametrize(
    "place", ["mlflow.pyfunc.save_model", "mlflow.MlflowClient.create_model_version", "mlflow.MlflowClient.log_batch"]
)
def test_what_was_interrupted_is_made_whole_and_leaves_nothing_behind(
    project: Project, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Wherever it dies, and however often: the next evaluation has one run, and one logged model for each version."""
    lose_files(project)
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(place, die)
            with pytest.raises(RegistryError, match="interrupted"):
                track_again(project, {"roc_auc": OTHER})
    track_again(project, {"roc_auc": {"value": 0.4, "low": 0.3, "high": 0.5}})
    run, logged, versions = held(project)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["ranking/roc_auc"] == 0.4
    assert {one.model_id for one in logged} == {logged_model(version) for version in versions}
    assert {str(one.status) for one in logged} == {"READY"}
    assert len(versions) == 2


def test_a_champion_takes_over_from_one_whose_files_were_lost_even_if_killed_before_it_could(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_files(project)
    with monkeypatch.context() as patch:
        patch.setattr("mlflow.MlflowClient.set_registered_model_alias", die)
        with pytest.raises(RegistryError, match="interrupted"):
            track_again(project, {})
    track_again(project, {})
    with connected(project) as client:
        assert {name: str(one) for name, one in client.get_registered_model(NAME).aliases.items()} == {"champion": "2"}
    assert len(held(project)[2]) == 2


def test_a_model_is_found_by_its_version_whatever_its_role(project: Project) -> None:
    champion = Model.load(project.model)
    challenger = replace(champion, manifest=champion.manifest | {"seed": 99})
    challenger.save(project.model)
    track(project, challenger, json.loads(project.figures.read_text()), read_json(project.breakdown), [])
    assert find_model(project, project.parameters.evaluate, challenger.version) is None, "an experiment, as yet"
    register(project, project.parameters.evaluate, challenger.version, lambda: None, None)
    for model in (champion, challenger):
        kept = find_model(project, project.parameters.evaluate, model.version)
        assert kept is not None
        assert kept.version == model.version
    assert champion.version != challenger.version
    assert find_model(project, project.parameters.evaluate, "0" * 64) is None


def test_a_model_whose_files_were_lost_is_not_found(project: Project) -> None:
    lose_files(project)
    assert find_model(project, project.parameters.evaluate, Model.load(project.model).version) is None
