"""Which scores are pushed, and what speaks against them: age, model, validation; and segments that are suspended."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow.parquet as pq

from features.core.errors import ContractError, InputError, LeadcastError, RegistryError, StaleError
from features.core.time import format_duration
from pipeline.contracts.expectations import (
    OF_EXPLAINED_TIERS,
    RECOMMENDATION_LIMITS,
    count_violations,
    recommendation_checks,
)
from pipeline.core.project import Places, Progress, Project, read_json
from pipeline.core.sql import file_literal, open_reader
from pipeline.core.suspensions import find_suspended
from pipeline.delivery.push import Scores
from pipeline.delivery.records import read_wording
from pipeline.settings.parameters import Parameters
from pipeline.settings.push import Push


def newest_scores(project: Project[Parameters], champion: str | None) -> Scores:
    """Find the newest scores of the history; where two models have scored that moment, the champion's."""
    moments = sorted(project.scores.glob("as_of=*"), reverse=True)
    for moment in moments:
        paths = sorted(moment.glob("model=*/recommendations.parquet"))
        if paths:
            own = [path for path in paths if champion and champion.startswith(path.parent.name.partition("=")[2])]
            path = (own or paths)[0]
            with pq.ParquetFile(path) as file:
                batch = next(file.iter_batches(1, columns=["as_of", "model_version"]), None)
                if batch is None:
                    raise InputError(f"{path} holds no leads; score again: leadcast score --as-of now")
                first = batch.to_pylist()[0]
                rows, wording = file.metadata.num_rows, read_wording(file.schema_arrow)
                zone = project.parameters.decision.time_zone
                return Scores(path, first["as_of"], first["model_version"], rows, wording, zone)
    raise InputError(
        f"there are no scores in {project.scores}; score with the champion first: leadcast score --as-of latest "
        "(or now)"
    )


def objections(push: Push, project: Project[Parameters], scores: Scores, champion: str | None) -> list[LeadcastError]:
    """Say what speaks against pushing the scores."""
    found: list[LeadcastError] = []
    age = datetime.now(UTC).replace(tzinfo=None) - scores.as_of
    if age > push.maximum_age:
        found.append(
            StaleError(
                f"the newest scores are of {scores.as_of:%Y-%m-%d %H:%M} UTC, more than "
                f"{format_duration(push.maximum_age)} ago (push.maximum_age); score anew: "
                "leadcast score --as-of now"
            )
        )
    if champion is None:
        found.append(RegistryError(f"the registry has no champion of {project.parameters.evaluate.model_name!r}"))
    elif champion != scores.model:
        found.append(
            RegistryError(
                f"the newest scores are by the model {scores.model[:16]}, but the champion is {champion[:16]}; "
                "score with it: leadcast score --as-of now"
            )
        )
    failed = _failed(project, scores)
    if failed:
        found.append(ContractError(f"validation failed: {'; '.join(failed)}; see reports/data-docs/index.html"))
    return found


def _failed(places: Places, scores: Scores) -> list[str]:
    """List the critical expectations that the log, or the scores themselves, break."""
    if not places.validation.exists():
        return ["the log was never validated (leadcast validate)"]
    failed = [
        one["meaning"]
        for one in read_json(places.validation)["expectations"]
        if not one["success"] and one["severity"] == "critical"
    ]
    # Which tiers are explained was settled when they were scored, perhaps by other settings than today's.
    checks = [check for check in recommendation_checks(()) if check.name not in OF_EXPLAINED_TIERS]
    with open_reader() as connection:
        table = _scored(scores)
        counts = count_violations(connection, table, checks, RECOMMENDATION_LIMITS)
    meanings = {check.name: check.meaning for check in checks}
    meanings |= {limit.name: limit.meaning for limit in RECOMMENDATION_LIMITS}
    return [*failed, *(meanings[name] for name, count in counts.iloc[0].items() if count)]


def suspended(places: Places, scores: Scores, progress: Progress) -> dict[str, str]:
    """Give the open leads whose segment is suspended, each with the date since when; says how many a segment has.

    A lead that has ended has no score that could be wrong.
    """
    found: dict[str, str] = {}
    for one, leads in find_suspended(places, scores.path, scores.model):
        told = "" if leads else "; is each value written as it stands in data/leads.parquet?"
        progress(f"suspended since {one.since}: {len(leads):,} open leads ({one.named}){told}")
        for lead in leads:
            found.setdefault(lead, one.since)
    return found


def _scored(scores: Scores) -> str:
    # The names of the folders would be taken for columns, as_of among them.
    return f"read_parquet({file_literal(scores.path)}, hive_partitioning = false)"
