"""``leadcast score --as-of``: the champion scores the open leads, and the result joins the history."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.core.errors import InputError, RegistryError, SettingsError, StaleError
from features.core.time import format_duration
from models.core.horizons import PROBABILITY
from models.core.model import Model
from models.core.verdicts import acquit
from models.decision.kpis import sums
from pipeline.core.project import Progress, Project, require, sole, write_json
from pipeline.core.suspensions import read_suspensions
from pipeline.log.forgotten import creations_of, refuse_forgotten
from pipeline.log.named import require_ends
from pipeline.log.reach import Reach
from pipeline.log.renamed import doubts_of_names
from pipeline.registry.approvals import NOBODY
from pipeline.registry.champion import Champion, find_model, load_champion, told_of_nobody
from pipeline.scoring.basis import DECIDED
from pipeline.scoring.changes import since_last
from pipeline.scoring.comparing import LastScore, can_be_asked
from pipeline.scoring.earlier import AS_OF, look_back, moment_of
from pipeline.scoring.files import write_recommendations
from pipeline.scoring.open_leads import MICROSECOND, check, recommend, refuse_future
from pipeline.settings.parameters import Parameters
from pipeline.settings.question import differences, question_of
from pipeline.wording.texts import wording_of
from pipeline.wording.todays_list import told_of_the_list
from pipeline.wording.unstated import told_of_the_unstated


def run(
    project: Project[Parameters], progress: Progress, when: str, *, backfill: bool, is_corrected: bool = False
) -> Path:
    """Score with the champion and keep the result in the history; gives the folder it was written to.

    ``when``: now, latest (the end of the log), or a date. Raises StaleError where the log is too old for now, where a
    source has stopped, lacks rows, has other events than the champion learned from, or calls otherwise what settings
    name, where it holds no more what the last scores knew and nobody says that this is corrected, or where ``when``
    lies in the time that the champion has learned from and no backfill was asked for; InputError where another leadcast
    is at work.
    """
    with sole(project):
        return _score(project, progress, when, backfill=backfill, is_corrected=is_corrected)


def _score(project: Project[Parameters], progress: Progress, when: str, *, backfill: bool, is_corrected: bool) -> Path:
    require(project.interactions, project.leads)
    as_of = _moment(when, project)
    progress("fetching the champion")
    champion = _champion(project, progress)
    model, run_id = champion.model, champion.run_id
    asked = model.manifest.get("question")
    if asked is None:
        raise RegistryError(
            f"the champion of {project.parameters.evaluate.model_name!r} was trained by an earlier version, which did "
            "not note what it asked; train a model (dvc repro) and make it the champion"
        )
    changed = differences(asked, question_of(project.parameters))
    if changed:
        listed = "".join(f"\n  {one}" for one in changed)
        raise SettingsError(
            f"params.yaml is not what the champion was trained with, so it would be asked another question:{listed}\n"
            "Train a model with these settings (dvc repro) and make it the champion, or put the former ones back"
        )
    trained_until = datetime.fromisoformat(model.manifest["trained_until"])
    if as_of <= trained_until and not backfill:
        raise StaleError(
            f"{as_of.isoformat()} lies before {trained_until.isoformat()}, up to which the champion has learned: it "
            "knows how some of these leads ended. For a history that is meant as such, add --backfill"
        )
    renamed = _refuse_renamed(project, as_of, trained_until, progress)
    folder = project.scores / f"{as_of:{AS_OF}}" / f"model={model.version[:16]}"
    earlier = look_back(project, project.parameters.decision, as_of)
    last = None if earlier.last is None else _last_score(project, earlier.last, model, progress)
    recommendations, doubts, decided = recommend(project, model, as_of, progress, earlier, last)
    # Where another column is mapped, so that no type is known, that was said already.
    require_ends(project, project.parameters.episodes)
    before = (earlier.last, moment_of(earlier.last)) if earlier.last else None
    forgotten = refuse_forgotten(project, before, recommendations, as_of, progress, is_corrected=is_corrected)
    if doubts.ended_unknown:
        progress(f"{doubts.ended_unknown:,} of these leads had converted or were lost before, and nobody knew then")
    if doubts.older_than_outcomes:
        progress(
            f"warning: {doubts.older_than_outcomes:,} leads came before conversions were recorded: "
            "some may have converted unseen"
        )
    for one in read_suspensions(project):
        if one.holds(model.version):
            progress(f"suspended since {one.since}: {one.named}; push sends no probability of these leads")
    check(recommendations, project.parameters.recommend.reasons_for, model.steps)
    told: dict[str, Any] = {"as_of": as_of.isoformat(), "model_version": model.version, **doubts.as_json()}
    told |= {"approved_by": champion.approved_by, "is_approved": champion.approved_by != NOBODY}
    told |= {**decided.as_json(), **sums(recommendations), "forgotten": forgotten.as_json(), "renamed": renamed}
    told["since_last"], changes = since_last(decided, model.version, recommendations)
    language = project.parameters.words.language
    for line in (*told_of_the_list(told, language), *told_of_the_unstated(told, language)):
        progress(line)
    scored_at = pa.scalar(datetime.now(UTC).replace(tzinfo=None), pa.timestamp("us"))
    for name, value in (("run_id", pa.scalar(run_id)), ("scored_at", scored_at)):
        recommendations = recommendations.append_column(name, pa.repeat(value, len(recommendations)))
    recommendations = recommendations.append_column("list_changed", changes)
    recommendations = recommendations.append_column("created_at", creations_of(project, recommendations["lead_id"]))
    wording = wording_of(project.parameters.words.model_dump_json())
    write_recommendations(folder / "recommendations.parquet", recommendations, wording)
    write_json(folder / DECIDED, {**told, "rests_on": decided.rests_on})
    return folder


def _refuse_renamed(
    project: Project[Parameters], as_of: datetime, learned_until: datetime, progress: Progress
) -> list[str]:
    """Warn of event types that may be called otherwise by now, and name them.

    Raises StaleError where they surely are, and nobody has acquitted them.
    """
    parameters = project.parameters
    found = doubts_of_names(project, as_of, parameters.decision.event_types, learned_until)
    open_ones = [one for one in acquit(found, parameters.evaluate.acquitted) if one.acquitted is None]
    standing = [one for one in open_ones if one.stands]
    if standing:
        raise StaleError(
            f"{'; '.join(one.evidence for one in standing)}. {standing[0].remedy.capitalize()}; where it is another "
            f"thing, say why: evaluate.acquitted: {{'{standing[0].name}': reason}}"
        )
    for one in open_ones:
        progress(f"warning: {one.title} ({one.name}): {one.evidence}; {one.remedy}")
    return [one.subject for one in open_ones if one.subject]


def _champion(project: Project[Parameters], progress: Progress) -> Champion:
    """Fetch the champion, and say so where nobody has approved it."""
    champion = load_champion(project, project.parameters.evaluate)
    if champion.approved_by == NOBODY:
        progress(f"warning: {told_of_nobody(champion)}")
    return champion


def _last_score(project: Project[Parameters], path: Path, champion: Model, progress: Progress) -> LastScore:
    """Read what was foretold last, and fetch the model that did or, where nobody can ask it any more, the champion."""
    kept = pq.read_table(path, columns=["lead_id", PROBABILITY, "model_version"]).to_pandas()
    foretold = kept.set_index("lead_id")[PROBABILITY]
    version = str(kept["model_version"].iloc[0]) if len(kept) else champion.version
    if version == champion.version:
        return LastScore(moment_of(path), champion, foretold, is_todays_model=True)
    model = find_model(project, project.parameters.evaluate, version)
    if model is None or not can_be_asked(model, project.leads):
        progress(f"the model of the last scores, {version[:16]}, is gone: what it and data have changed is told as one")
        return LastScore(moment_of(path), champion, foretold, is_earlier_model=False, is_todays_model=True)
    return LastScore(moment_of(path), model, foretold)


def _moment(when: str, project: Project[Parameters]) -> datetime:
    """Tell which moment is meant, times being UTC; raises StaleError where the sources don't say enough of it."""
    reach = Reach(project)
    maximum_age = project.parameters.recommend.maximum_age
    if when in ("latest", "now"):
        reach.refuse_silent()
        reach.refuse_thin()
        if when == "latest":
            return reach.latest + MICROSECOND
        now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        if reach.is_beyond(now, maximum_age):
            raise StaleError(
                f"the log ends more than {format_duration(maximum_age)} ago ({reach.ends()}): a score for now would "
                "not know what leads did since. Bring newer files and run 'leadcast ingest', score the end of the log "
                "with --as-of latest, or raise recommend.maximum_age"
            )
        return now
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        raise InputError(f"--as-of {when!r} is no date; write now, latest, or a date such as 2026-06-29") from None
    moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    reach.refuse_silent(moment)
    reach.refuse_thin(moment)
    refuse_future(moment, reach, maximum_age)
    return moment
