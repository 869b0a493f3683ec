"""One run for each model, found again by its hash: what it was made with and on what, and what it is worth."""

from __future__ import annotations

import getpass
import json
import math
import os
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from models.core.model import Model
from models.core.verdicts import SEVERITIES, Verdict
from pipeline.core.project import Places, Project, fingerprint, read_json
from pipeline.registry.approvals import FIRST, last_decision, record, record_first
from pipeline.registry.card import model_card
from pipeline.registry.data_sets import DataSet, data_sets
from pipeline.registry.described import Sections, changes, name_of, parameters_of
from pipeline.registry.figures import FOUND, LEARNING, Figures, learning_curve, of_rivals, shown
from pipeline.registry.mlflow import connected, experiment_id
from pipeline.registry.versions import CHALLENGER, CHAMPION, alias_of, logged_files, version_of
from pipeline.registry.view import describe_experiment

WRONG = "wrong"
"""The tag of a run and its version that names the verdicts that say so, with those that are acquitted."""
ROLE, BASELINE = "role", "baseline"
"""The tag of the runs that a reviewer compares: champion, challenger or baseline."""
ORIGINS_COUNTED = "origins"
"""The tag of a run that says from how many moments it was judged on later time."""
_LONGEST_TAG = 4000
_MOST_AT_ONCE = 100
"""Parameters that MLflow takes in one call."""
_ALWAYS_LOGGED = f"{FOUND}/{SEVERITIES[0]}"
_OF_MLFLOW = "mlflow."


def track(
    project: Project[Sections],
    model: Model,
    figures: Figures,
    breakdown: Mapping[str, Any],
    verdicts: Sequence[Verdict],
) -> str:
    """Log the model in the run that has its hash, or in a new one; says what it did.

    Where the registry is empty it becomes the first version and, unless a verdict stands in its way, the champion,
    which nobody has approved. Any other is an experiment until somebody registers it.
    """
    settings = project.parameters.evaluate
    name = settings.model_name
    with connected(project) as client:
        experiment = experiment_id(client, project, settings.experiment)
        runs = client.search_runs([experiment], f"tags.model_version = '{model.version}'", max_results=1)
        run = runs[0] if runs else client.create_run(experiment, tags={"model_version": model.version})
        run_id = run.info.run_id
        training = read_json(project.training)
        sets = data_sets(project, model, training, figures["foretold"])
        # What a killed run has begun is made complete.
        if run.info.status != "FINISHED":
            _log_what_it_was_made_with(client, run, project, model, sets, training)
        card = model_card(project, model, figures, breakdown, verdicts)
        _log_what_was_found(client, run_id, project, card)
        # Each evaluation is a step: of two values of one MLflow takes the higher for the latest.
        former = client.get_metric_history(run_id, _ALWAYS_LOGGED)
        step = 1 + max((metric.step for metric in former), default=-1)
        model_id = logged_files(client, run, step, project.model, model)
        found = version_of(client, run, model_id, model, name, card)
        _log_figures(client, run_id, model_id, step, shown(figures, breakdown, verdicts), sets[-1])
        if not client.get_metric_history(run_id, LEARNING):
            _log_learning(client, run_id, learning_curve(project, training))
        _log_rivals(client, experiment, breakdown, sets[-1])
        client.set_terminated(run_id)
        told = f"run {client.get_run(run_id).info.run_name!r} ({run_id})"
        wrong = _fitting(sorted({verdict.name for verdict in verdicts if verdict.severity == "wrong"}))
        client.set_tag(run_id, WRONG, wrong)
        if found is None:
            describe_experiment(client, experiment, name)
            return f"{told}; where it is to be reviewed: leadcast register"
        version = str(found.version)
        client.set_model_version_tag(name, version, WRONG, wrong)
        role = _give_role(client, project, found, model, verdicts)
        describe_experiment(client, experiment, name)
    return f"{name} version {version} is {role}; {told}"


def give_role(client: Any, run_id: str, role: str) -> None:  # noqa: ANN401 - MLflow's own
    """Mark a run as the one that reviewers compare by, and no other as that."""
    experiment = client.get_run(run_id).info.experiment_id
    for other in client.search_runs([experiment], f"tags.`{ROLE}` = '{role}'"):
        if other.info.run_id != run_id:
            client.delete_tag(other.info.run_id, ROLE)
    client.set_tag(run_id, ROLE, role)


def _give_role(client: Any, places: Places, version: Any, model: Model, verdicts: Sequence[Verdict]) -> str:  # noqa: ANN401 - MLflow's own
    """Make the first version champion, and take aliases from one that is wrong; says what it is now."""
    name, number = version.name, str(version.version)
    held = [alias for alias in (CHAMPION, CHALLENGER) if alias_of(client, name, alias) == number]
    if standing := [verdict.name for verdict in verdicts if verdict.stands]:
        for alias in held:
            client.delete_registered_model_alias(name, alias)
        lost = f", and is no longer {' and '.join(held)}" if held else ""
        return f"neither champion nor challenger{lost}, for it is wrong: {', '.join(standing)}"
    if held:
        return f"the {held[0]}"
    versions = client.search_model_versions(f"name = '{name}'")
    if any(verdict.code == "not_judged" for verdict in verdicts):
        return f"not judged; where you know what it is worth: leadcast promote {number} --force --why ..."
    if alias_of(client, name, CHAMPION) is None and len(versions) == 1:
        former = last_decision(places, name)
        if former is not None and former.model_version != model.version:
            return (
                f"not the champion, for approvals.jsonl says that {former.model_version[:12]} is, by {former.by}: "
                f"bring that model and register it (leadcast register), or decide anew: leadcast promote {number}"
            )
        if former is None:
            record_first(client, version, model.version)
        else:
            record(client, replace(former, version=number))
        client.set_registered_model_alias(name, CHAMPION, number)
        give_role(client, version.run_id, CHAMPION)
        if former is not None:
            return f"the champion, as approvals.jsonl says: {former.action} by {former.by} on {former.at[:10]}"
        return f"the champion, being the first, {FIRST}: leadcast promote {number}"
    return f"neither champion nor challenger: leadcast register, leadcast promote {number}"


def _fitting(names: Sequence[str]) -> str:
    """Write names of verdicts as a tag may hold them: where they are too many, their codes alone."""
    text = json.dumps(names)
    return text if len(text) <= _LONGEST_TAG else json.dumps(sorted({name.partition(":")[0] for name in names}))


def _log_what_it_was_made_with(
    client: Any,  # noqa: ANN401 - MLflow's own
    run: Any,  # noqa: ANN401 - MLflow's own
    project: Project[Sections],
    model: Model,
    sets: Sequence[DataSet],
    training: Mapping[str, Any],
) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Param  # noqa: PLC0415 - takes seconds

    run_id = run.info.run_id
    settings = parameters_of(project, model)
    missing = [Param(name, settings[name]) for name in sorted(settings.keys() - run.data.params.keys())]
    for start in range(0, len(missing), _MOST_AT_ONCE):
        client.log_batch(run_id, params=missing[start : start + _MOST_AT_ONCE])
    client.log_inputs(
        run_id,
        [
            DatasetInput(
                Dataset(one.name, one.digest, "local", one.source, one.schema, one.profile),
                [InputTag("mlflow.data.context", one.context)],
            )
            for one in sets
        ],
    )
    champion = _parameters_of_champion(client, project.parameters.evaluate.model_name)
    changed = None if champion is None else changes(champion, settings)
    experiment = os.environ.get("DVC_EXP_NAME")
    if changed is None:
        name, against = "first model", "There is no champion that it could differ from."
    else:
        name = name_of(changed) or experiment or ("other code or data" if not changed else "what follows from the data")
        against = f"Against the champion {len(changed)} parameters are others: changed_against_champion.json."
    period = f"{model.manifest['trained_from'][:10]} to {training['until'][:10]}"
    about = (
        f"Does a lead convert within {model.manifest['horizon']}? Learned from {training['rows']:,} snapshots of "
        f"{training['leads']:,} leads ({period}) as {training['recipe']}."
    )
    tags = {
        f"{_OF_MLFLOW}runName": name,
        f"{_OF_MLFLOW}note.content": f"{about} {against}",
        f"{_OF_MLFLOW}user": _author(project),
        f"{_OF_MLFLOW}source.name": "leadcast evaluate",
        f"{_OF_MLFLOW}source.git.commit": _git(project, "rev-parse", "HEAD") or "unknown",
        "author": _author(project),
        "git_revision": _revision(project),
        "data": fingerprint(project.interactions)[:12],
        "period": period,
        "recipe": str(training["recipe"]),
        "horizon": str(model.manifest["horizon"]),
        ORIGINS_COUNTED: str(len(training["origins"])),
        "code": str(model.manifest["versions"]["leadcast"]),
        **{f"run.{key}": str(value) for key, value in project.parameters.run.model_dump(exclude_none=True).items()},
        **{f"dvc_{key[4:].lower()}": value for key, value in os.environ.items() if key.startswith("DVC_EXP_")},
    }
    for place in ("interactions", "snapshots", "matrix"):
        tags[f"sha256_{place}"] = fingerprint(getattr(project, place))
    for key, value in tags.items():
        client.set_tag(run_id, key, value)
    if changed is not None:
        columns = {
            "setting": list(changed),
            "champion": [before for before, _ in changed.values()],
            "this run": [after for _, after in changed.values()],
        }
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*select_dtypes", DeprecationWarning)  # MLflow's own, of pandas 3
            client.log_table(run_id, columns, "changed_against_champion.json")
    if (project.root / "params.yaml").is_file():
        client.log_artifact(run_id, str(project.root / "params.yaml"))


def _parameters_of_champion(client: Any, name: str) -> dict[str, str] | None:  # noqa: ANN401 - MLflow's own
    version = alias_of(client, name, CHAMPION)
    return None if version is None else dict(client.get_run(client.get_model_version(name, version).run_id).data.params)


def _log_what_was_found(client: Any, run_id: str, project: Project[Sections], card: str) -> None:  # noqa: ANN401 - MLflow's own
    """Log pages, figures and pictures: at the root, for the comparison of runs lists no folder."""
    import mlflow  # noqa: PLC0415 - takes seconds

    client.set_tag(run_id, "bootstrap_replicates", project.parameters.evaluate.replicates)
    client.log_text(run_id, card, "model-card.md")
    for path in (
        project.catalogue, project.training, project.snapshot_counts, project.figures, project.breakdown,
        project.verdicts,
    ):  # fmt: skip
        client.log_artifact(run_id, str(path))
    for path in sorted(project.pictures.glob("*.png")):
        client.log_artifact(run_id, str(path))
        client.log_image(run_id, mlflow.Image(str(path)), key=path.stem, step=0)
    for path in sorted(project.plots.glob("*.csv")):
        client.log_artifact(run_id, str(path))


def _log_figures(
    client: Any,  # noqa: ANN401 - MLflow's own
    run_id: str,
    model_id: str,
    step: int,
    said: Mapping[str, float | None],
    judged_on: DataSet,
) -> None:
    """Log the figures of the run, and of the model that it has logged, as one more step of both."""
    from mlflow.entities import Metric  # noqa: PLC0415 - takes seconds

    now = int(datetime.now(UTC).timestamp() * 1000)
    known = client.get_run(run_id).data.metrics
    metrics = [
        Metric(name, value, now, step, model_id, judged_on.name, judged_on.digest)
        for name, value in said.items()
        if value is not None
    ]
    # What was logged stays: that a figure can't be said any more is said by no number.
    metrics += [Metric(name, math.nan, now, step) for name, value in said.items() if value is None and name in known]
    client.log_batch(run_id, metrics=metrics)


def _log_learning(client: Any, run_id: str, curve: Sequence[tuple[int, float]]) -> None:  # noqa: ANN401 - MLflow's own
    from mlflow.entities import Metric  # noqa: PLC0415 - takes seconds

    now = int(datetime.now(UTC).timestamp() * 1000)
    client.log_batch(run_id, metrics=[Metric(LEARNING, loss, now, rows) for rows, loss in curve])


def _log_rivals(client: Any, experiment: str, breakdown: Mapping[str, Any], judged_on: DataSet) -> None:  # noqa: ANN401 - MLflow's own
    """Keep a run for each baseline of these questions: what a reviewer sets a model beside."""
    from mlflow.entities import Metric  # noqa: PLC0415 - takes seconds

    held: dict[str, Any] = {}
    for run in client.search_runs([experiment], f"tags.`{ROLE}` = '{BASELINE}'"):
        if run.data.tags.get("questions") == judged_on.digest:
            held[run.info.run_name] = run
        else:
            client.delete_tag(run.info.run_id, ROLE)  # it answered others: side by side they would mislead
    now = int(datetime.now(UTC).timestamp() * 1000)
    for rival, said in of_rivals(breakdown).items():
        name = f"baseline: {rival}"
        about = f"What {rival} says of the same questions at the same origins. It is no model that could be registered."
        tags = {ROLE: BASELINE, "questions": judged_on.digest, f"{_OF_MLFLOW}note.content": about}
        run = held.get(name) or client.create_run(experiment, run_name=name, tags=tags)
        if run.info.status == "FINISHED":
            continue
        client.log_batch(run.info.run_id, metrics=[Metric(metric, value, now, 0) for metric, value in said.items()])
        client.set_terminated(run.info.run_id)


def _author(places: Places) -> str:
    """Give who ran this: as git knows them, or the machine."""
    return _git(places, "config", "user.name") or getpass.getuser()


def _revision(places: Places) -> str:
    """Give the commit, ``-dirty`` where files differ from it; ``dvc.lock`` is what the run itself writes."""
    commit = _git(places, "rev-parse", "HEAD")
    changed = _git(places, "status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude,top)dvc.lock")
    return "unknown" if commit is None else f"{commit}-dirty" if changed else commit


def _git(places: Places, *command: str) -> str | None:
    """Ask git about the project's folder; None where it can't tell."""
    try:
        said = subprocess.run(["git", *command], cwd=places.root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip()
