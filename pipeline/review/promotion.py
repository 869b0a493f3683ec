"""``leadcast register``, ``promote``, ``rollback``: a person decides which model scores, and the decision is kept."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from features.core.errors import InputError, NotEnoughDataError, RegistryError, VerdictError
from pipeline.core.project import Progress, Project, read_json
from pipeline.core.trained import open_trained
from pipeline.core.verdicts import read_verdicts
from pipeline.registry.approvals import Action, Approval, append, last_decision, now, read_approvals, record
from pipeline.registry.champion import standing_verdicts
from pipeline.registry.mlflow import connected
from pipeline.registry.registering import register
from pipeline.registry.runs import ORIGINS_COUNTED, give_role, track
from pipeline.registry.versions import CHALLENGER, CHAMPION, MODEL_VERSION, alias_of, fetch
from pipeline.registry.view import describe_experiment
from pipeline.review.comparison import Comparison
from pipeline.review.gates import Gate, ask
from pipeline.settings.parameters import Parameters

REVIEW, REASON, REVIEWER, ANSWER = "review", "review_reason", "reviewer", "review_answer"
"""Tags of a version: what a reviewer says in MLflow, why, who, and what came of it."""
APPROVED, REFUSED = "approved", "refused"


def register_run(project: Project[Parameters], named: str | None, progress: Progress) -> list[str]:
    """Make a version of a run or, without one, of the model in ``data/model``; gives what was done as lines.

    Raises InputError where neither is there, RegistryError where the run is not, or has lost its files.
    """
    trained = open_trained(project) if named is None else None

    def log_trained() -> None:
        assert trained is not None  # noqa: S101 - asked for only then
        figures, breakdown = read_json(project.figures), read_json(project.breakdown)
        progress(track(project, trained, figures, breakdown, read_verdicts(project)))

    return register(project, project.parameters.evaluate, named, log_trained, trained)


def promote(
    project: Project[Parameters], named: str, progress: Progress, *, by: str | None, why: str | None, force: bool
) -> list[str]:
    """Make a version the champion if it keeps all gates, or in spite of them by force; gives what was done as lines.

    Raises VerdictError, which names the gates, where it keeps them not; RegistryError where it is not there.
    """
    version, model_version, champion = _look_up(project, named)
    decided = last_decision(project, project.parameters.evaluate.model_name)
    if champion == version and decided is not None and decided.model_version == model_version:
        return [f"version {version} is the champion already, and somebody has approved it: leadcast history"]
    gates, comparison = _ask(project, version, champion, progress)
    for gate in gates:
        progress(gate.told())
    failed = [gate for gate in gates if not gate.kept]
    if failed and not force:
        raise VerdictError(
            f"version {version} does not become the champion: {_listed(failed)}. Look at it (leadcast compare champion "
            f"{version}); who knows better says why: leadcast promote {version} --force --why '...'"
        )
    return _decide(
        project, "promoted", version, model_version, champion,
        by=by or _somebody(), why=why, gates=gates, comparison=comparison,
    )  # fmt: skip


def roll_back(project: Project[Parameters], to: str | None, *, by: str | None, why: str) -> list[str]:
    """Make the champion before, or another that was one, the champion again; gives what was done as lines.

    Raises InputError where there was none.
    """
    name = project.parameters.evaluate.model_name
    if not why.strip():
        raise InputError("a rollback needs a reason: --why 'promises not kept since Monday'")
    decisions = [one for one in read_approvals(project) if one.model_name == name]
    with connected(project) as client:
        models = _models(client, name)
        champion = alias_of(client, name, CHAMPION)
        were = {one.model_version for one in decisions} | {one.was_model for one in decisions if one.was_model}
        fitting = [number for number, model in models.items() if model in were and number != champion]
        if to is None:
            current = next(
                (one for one in reversed(decisions) if one.model_version == models.get(champion or "")), None
            )
            to = next((number for number in fitting if current and models[number] == current.was_model), None)
            if to is None:
                raise InputError(
                    "there is no champion before this one that anybody has decided; name a version: leadcast history"
                )
        elif to not in fitting:
            raise InputError(
                f"version {to} is no former champion of {name!r}; what is: {', '.join(fitting) or 'none'}. A new one "
                "has gates to keep: leadcast promote"
            )
        fetch(client.get_model_version(name, to))  # whose files were changed does not come back
    return _decide(project, "rolled back", to, models[to], champion, by=by or _somebody(), why=why)


def _models(client: Any, name: str) -> dict[str, str]:  # noqa: ANN401 - MLflow's own
    """Give the hash of the model of each version, by its number."""
    found = client.search_model_versions(f"name = '{name}'")
    return {str(one.version): str(one.tags.get(MODEL_VERSION)) for one in found}


def decide_reviews(project: Project[Parameters], by: str | None, progress: Progress) -> list[str]:
    """Do what reviewers have said in MLflow by the tags of versions, or write on the version why not; as lines."""
    name = project.parameters.evaluate.model_name
    with connected(project) as client:
        open_reviews = [
            one
            for one in sorted(client.search_model_versions(f"name = '{name}'"), key=lambda one: int(one.version))
            if one.tags.get(REVIEW) and one.tags.get(ANSWER, "").partition(":")[0] != _state(one)
        ]
        champion = alias_of(client, name, CHAMPION)
    if not open_reviews:
        return ["no version has a review without an answer: set its tags review (approved, refused) and review_reason"]
    told = []
    for version in open_reviews:
        number, said = str(version.version), version.tags[REVIEW].strip().lower()
        who = version.tags.get(REVIEWER) or by or _somebody()
        answer = _answer(project, number, said, champion, who, version.tags.get(REASON), progress)
        with connected(project) as client:
            client.set_model_version_tag(name, number, ANSWER, f"{_state(version)}: {answer}")
            champion = alias_of(client, name, CHAMPION)
        told.append(f"version {number}, {said} by {who}: {answer}")
    return told


def _state(version: Any) -> str:  # noqa: ANN401 - MLflow's own
    """Say what was answered: a review that is changed asks anew."""
    said, reason = (version.tags.get(tag, "").strip() for tag in (REVIEW, REASON))
    return f"{said.lower()} ({reason[:60].replace(':', ' ')})"


def _answer(
    project: Project[Parameters], number: str, said: str, champion: str | None, who: str, reason: str | None,
    progress: Progress,
) -> str:  # fmt: skip
    name = project.parameters.evaluate.model_name
    if said == REFUSED:
        if number == champion:
            return "it is the champion, and stays: to go back is leadcast rollback"
        with connected(project) as client:
            if alias_of(client, name, CHALLENGER) == number:
                client.delete_registered_model_alias(name, CHALLENGER)
        return "it is no longer the challenger"
    if said != APPROVED:
        return f"{said!r} is neither {APPROVED} nor {REFUSED}, so nothing was done"
    if not (reason and reason.strip()):
        return f"nothing was done, for no reason is given: set the tag {REASON}"
    try:
        return promote(project, number, progress, by=who, why=reason, force=False)[0]
    except (VerdictError, RegistryError, InputError) as error:
        return str(error)


def _look_up(project: Project[Parameters], named: str) -> tuple[str, str, str | None]:
    """Give the number of a version, the hash of its model, and the number of the champion; its files are sound."""
    name = project.parameters.evaluate.model_name
    with connected(project) as client:
        champion = alias_of(client, name, CHAMPION)
        number = alias_of(client, name, named) if named in (CHAMPION, CHALLENGER) else named
        found = {str(one.version): one for one in client.search_model_versions(f"name = '{name}'")}
        if number is None or number not in found:
            listed = ", ".join(sorted(found, key=int)) or "none; leadcast register makes one"
            raise RegistryError(f"{name!r} has no version {named}; there are: {listed}")
        return number, fetch(found[number]).version, champion


def _ask(
    project: Project[Parameters], version: str, champion: str | None, progress: Progress
) -> tuple[list[Gate], Comparison | None]:
    settings = project.parameters.evaluate
    comparison, too_little = None, None
    if champion not in (None, version):
        from pipeline.review.compare import compare_models  # noqa: PLC0415 - heavy

        try:
            comparison = compare_models(project, CHAMPION, version, progress)
        except NotEnoughDataError as error:
            too_little = str(error)
    with connected(project) as client:
        found = client.get_model_version(settings.model_name, version)
        run = client.get_run(found.run_id).data
    standing = standing_verdicts(found, settings)
    return ask(
        project.parameters.review.gates,
        standing,
        run.metrics,
        comparison or too_little,
        origins=int(run.tags.get(ORIGINS_COUNTED, 0)),
    ), comparison


def _decide(
    project: Project[Parameters],
    action: Action,
    version: str,
    model_version: str,
    champion: str | None,
    *,
    by: str,
    why: str | None,
    gates: Sequence[Gate] = (),
    comparison: Comparison | None = None,
) -> list[str]:
    name = project.parameters.evaluate.model_name
    with connected(project) as client:
        models = _models(client, name)
    approval = Approval(
        action, name, version, model_version, by, now(), why,
        was=None if champion == version else champion,
        was_model=None if champion in (None, version) else models.get(str(champion)),
        forced=any(not gate.kept for gate in gates),
        gates=[asdict(gate) for gate in gates],
        rehearsal={} if comparison is None or comparison.churn is None else asdict(comparison.churn),
    )  # fmt: skip
    append(project, approval)
    with connected(project) as client:
        record(client, approval)
        client.set_registered_model_alias(name, CHAMPION, version)
        if alias_of(client, name, CHALLENGER) == version:
            client.delete_registered_model_alias(name, CHALLENGER)
        run_id = client.get_model_version(name, version).run_id
        give_role(client, run_id, CHAMPION)
        describe_experiment(client, client.get_run(run_id).info.experiment_id, name)
    was = f" in place of version {approval.was}" if approval.was else ""
    return [
        f"{approval.told()}: it is the champion{was}",
        f"kept in {project.approvals}: commit it (git add {project.approvals})",
    ]


def _listed(gates: Sequence[Gate]) -> str:
    return "; ".join(f"{gate.name} ({gate.found}; asked: {gate.asked})" for gate in gates)


def _somebody() -> str:
    """Give who decides: MLflow's user where there is one, or this machine's."""
    return os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
