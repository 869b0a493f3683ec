"""The leads that are open at a moment in, recommendations out: by the model just trained, or by the champion.

Behind the open ones stand those that have ended, of which nothing is foretold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.core.errors import NotEnoughDataError, StaleError
from features.core.time import format_duration
from features.language.catalogue import Catalogue
from features.timeline.history import EPOCH, History
from features.timeline.labels import ended_unknown
from features.timeline.snapshots import find_episodes, take_snapshots_at
from models.core.horizons import PROBABILITY, Step, column_of, columns_of
from models.core.model import Model
from models.decision.kpis import scores
from pipeline.contracts.checks import refuse_critical
from pipeline.contracts.expectations import (
    RECOMMENDATION_LIMITS,
    count_violations,
    judge_counts,
    recommendation_checks,
)
from pipeline.core.project import Progress, Project
from pipeline.core.sql import connect, open_reader
from pipeline.log.history import read_history
from pipeline.log.known_types import refuse_others
from pipeline.log.named import require_named
from pipeline.log.outcomes import find_starts, lives_of, observed_from
from pipeline.log.reach import Reach
from pipeline.matrix.batches import gathered
from pipeline.matrix.executors import Executor, executor_of
from pipeline.scoring.actions import Actions
from pipeline.scoring.basis import LastList
from pipeline.scoring.changes import moved_since, replay
from pipeline.scoring.comparing import Comparer, LastScore, uncompared
from pipeline.scoring.deciding import Decided, Decider
from pipeline.scoring.doubts import UnknownOutcomes, unknown_outcomes, why_guesses
from pipeline.scoring.earlier import Earlier
from pipeline.scoring.ended import tell_ended
from pipeline.scoring.explaining import UNEXPLAINED, Explainer, are_explained, explained_alone
from pipeline.scoring.in_words import with_words
from pipeline.scoring.recontact import Recontact
from pipeline.scoring.standing import Standing, look
from pipeline.scoring.work import see_today
from pipeline.settings.decision import DecisionPolicy, Recommend
from pipeline.settings.features import Features
from pipeline.settings.ingest import Ingest
from pipeline.settings.run import Run
from pipeline.settings.timeline import Episodes, Snapshots, told_of_older
from pipeline.settings.types import halve
from pipeline.settings.words import Words

MICROSECOND = timedelta(microseconds=1)


_SPILL = Path("data/.tmp/score")


def stated_moment(project: Project[Sections]) -> datetime:
    """Give the moment that the settings name, UTC; raises StaleError where the sources don't say enough of it."""
    reach = Reach(project)
    as_of = project.parameters.recommend.as_of
    if not isinstance(as_of, datetime):
        as_of = reach.latest + MICROSECOND
    refuse_future(as_of, reach, project.parameters.recommend.maximum_age)
    reach.refuse_silent(as_of)
    return as_of


def refuse_future(as_of: datetime, reach: Reach, maximum_age: timedelta) -> None:
    """Raise StaleError where the log ends long before the moment that is to be scored."""
    if reach.is_beyond(as_of, maximum_age):
        raise StaleError(
            f"{as_of:%Y-%m-%d %H:%M} lies more than {format_duration(maximum_age)} after the end of the log, "
            f"{reach.latest:%Y-%m-%d %H:%M} UTC ({reach.ends()}); name an earlier moment, bring newer files, or "
            "raise recommend.maximum_age"
        )


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    episodes: Episodes
    features: Features
    ingest: Ingest
    decision: DecisionPolicy
    run: Run
    recommend: Recommend
    snapshots: Snapshots
    words: Words


@dataclass(frozen=True)
class Doubts:
    """Leads among those scored whose probability says less than it seems to."""

    ended_unknown: int
    """Whose episode had in truth ended, without our knowing."""
    older_than_learned: int
    """Whose episode is older than any that the model was fitted to."""
    oldest_learned_days: float
    """How old that one was."""
    older_than_outcomes: int
    """Whose episode began before conversions were recorded: some of them may have converted, unseen."""
    stories: Mapping[str, float]
    """Of those explained, what stories moved in log-odds, and what of it the figures deny: it is not told."""
    unknown: UnknownOutcomes | None
    """The time before the moment of which no outcomes are known, where there is one."""

    def as_json(self) -> dict[str, Any]:
        """Give them as JSON holds them."""
        counts = {name: value for name, value in vars(self).items() if name != "unknown"}
        return counts | ({"outcomes_unknown": self.unknown.as_json()} if self.unknown else {})


def recommend(
    project: Project[Sections],
    model: Model,
    as_of: datetime,
    progress: Progress,
    earlier: Earlier | None = None,
    last: LastScore | None = None,
) -> tuple[pa.Table, Doubts, Decided]:
    """Recommend what to do with each lead that is open at ``as_of`` (UTC), best first; then tell those that have ended.

    ``earlier``: what earlier runs have made of the day; ``last``: the score that leads are compared with. Gives the
    columns of RECOMMENDATION, behind ``probability`` that of each other horizon of the model, how many of these
    probabilities are in doubt, and what the decisions rest on. Of all leads at once it holds the result, some hundred
    bytes a lead beside the words of the reasons; features come in batches.
    """
    catalogue = Catalogue.from_json(model.manifest["catalogue"])
    history = read_history(project, project.parameters.episodes)
    snapshots = take_snapshots_at(history, as_of)
    if snapshots.empty:
        raise NotEnoughDataError(
            f"no lead is open at {as_of.isoformat()}; score another moment (recommend.as_of, --as-of)"
        )
    of_duckdb, _ = halve(project.parameters.run.memory_limit)
    stream_matrix, reasons_for = executor_of(project.parameters.run), project.parameters.recommend.reasons_for
    batches = []
    done = older = 0
    # Without events, what is known of a lead is what it was created with: its age says nothing that could be learned.
    has_ages = bool(catalogue.vocabulary.event_types)
    with connect(of_duckdb, project.root / _SPILL) as connection:
        # A model of before this was noted says nothing of it.
        known, shares = catalogue.vocabulary.known_types, model.manifest.get("known_types", {})
        refuse_others(connection, project.interactions, known, shares, as_of)
        progress("looking at what leads did, and what people decided")
        require_named(project, project.parameters.decision)
        standing = look(project, project.parameters, connection, snapshots, as_of, known)
        ids = snapshots["lead_id"].to_numpy(object)
        today = see_today(project, project.parameters, connection, as_of, earlier or Earlier())
        decider = Decider(project.parameters.decision, standing, ids, model.manifest["base_rate"], today)
        explainer = Explainer(
            model, catalogue, project.parameters.words, project.parameters.decision, project.parameters.ingest, as_of
        )
        if reasons_for and not explainer.can_explain:
            progress(UNEXPLAINED)
        connection.register("taken", snapshots)
        taken = "SELECT lead_id, as_of, created_at, started_at, episode FROM taken"
        matrix = stream_matrix(connection, taken, project.interactions, project.leads, catalogue)
        for batch in gathered(matrix):
            rows = slice(done, done + len(batch))
            scored = _score_batch(
                project.parameters, model, catalogue, batch, decider, explainer, rows, has_ages=has_ages
            )
            batches.append(scored)
            done += len(batch)
            older += int(pc.sum(pc.equal(batches[-1]["guess"], "age")).as_py() or 0)
            progress(f"scored {done:,} of {len(snapshots):,} open leads")
        progress("looking at who came back after a loss or a silence")
        recontact = Recontact.learn(
            project, project.parameters, connection, history, as_of, Reach(project).outcomes_until
        )
        actions = Actions(project, connection, project.parameters.decision, project.parameters.words.language, as_of)
        ended = tell_ended(
            project, project.parameters, connection, history, as_of, _version(model, 1), recontact, actions
        )
        recommendations, decided = _decide(pa.concat_tables(batches), decider, reasons_for)
        compared_list = LastList.read(earlier.last) if earlier is not None and earlier.last is not None else None
        if compared_list is None and last is not None:
            progress("looking at what would have been said then")
            compared_list = replay(
                project, project.parameters, last.model, connection, history, last.moment, stream_matrix
            )
        foretold = recommendations[PROBABILITY].to_numpy()
        moved = moved_since(decider, foretold, decided, model.version, compared_list)
        moved_tiers = with_words(moved.tiers, decider, recommendations["tier"], project.parameters.words.language)
        recommendations = _compare(
            project, connection, recommendations, history, snapshots, as_of, last, moved_tiers, stream_matrix
        )
        recommendations = _with_what_next(recommendations, standing, recontact, actions, progress)
    decided = replace(
        decided,
        causes=moved.lists,
        last=compared_list,
        ended_of_late=ended.of_late,
        unstated=unstated_in(
            project.parameters, catalogue, model.categories, has_capacity=decided.spent.places is not None
        ),
    )
    best_first = pc.sort_indices(recommendations, [("probability", "descending"), ("lead_id", "ascending")])
    # What nobody foretells of those that have ended is missing.
    everyone = pa.concat_tables([recommendations.take(best_first), ended.table], promote_options="default")
    return everyone, _doubt(project, model, history, snapshots, as_of, older, explainer.counted, progress), decided


def _doubt(
    project: Project[Sections],
    model: Model,
    history: History,
    snapshots: pd.DataFrame,
    as_of: datetime,
    older: int,
    stories: Mapping[str, float],
    progress: Progress,
) -> Doubts:
    """Count whose probability says less than it seems to, and warn of it."""
    ended = int(ended_unknown(snapshots).sum())
    oldest = float(model.manifest["oldest_episode_days"])
    if older:
        is_assumed = project.parameters.ingest.assumes_when
        advice = project.parameters.snapshots.what_would_teach_age(is_assumed=is_assumed)
        progress(f"warning: {told_of_older(older, len(snapshots), oldest)}; {advice}")
    conversion = project.parameters.episodes.conversion
    by_source = lives_of(project.interactions, conversion, find_episodes(history))
    since = observed_from(find_starts(project, by_source))
    unseen = int((snapshots["started_at"] < (since or EPOCH)).sum())
    unknown = unknown_outcomes(Reach(project), history, as_of, len(snapshots), since)
    if unknown:
        progress(f"warning: {unknown.told(len(snapshots))}")
    # However the leads come in batches, it is the same.
    counted = {name: round(moved, 3) for name, moved in stories.items()}
    return Doubts(ended, older, oldest, unseen, counted, unknown)


def unstated_in(
    parameters: Sections, catalogue: Catalogue, categories: Mapping[str, Sequence[str]], *, has_capacity: bool
) -> tuple[str, ...]:
    """Name what the settings don't state, and of what the log has too little to tell anything apart.

    ``categories``: the levels that the model knows of each column. The table of owners may state the capacity, too.
    """
    policy, tables = parameters.decision, parameters.ingest
    levels = [catalogue.vocabulary.channels, *(categories.get(one, ()) for one in catalogue.roles["channels"])]
    missing = {
        "value": policy.money is None,
        "capacity": not has_capacity,
        "owners": tables.owners is None,
        "facts": not policy.facts,
        "decisions": tables.decisions is None,
        "consents": tables.consents is None,
        "channels": all(len(known) <= 1 for known in levels),
    }
    return tuple(name for name, is_missing in missing.items() if is_missing)


def _compare(
    project: Project[Sections],
    connection: duckdb.DuckDBPyConnection,
    recommendations: pa.Table,
    history: History,
    snapshots: pd.DataFrame,
    as_of: datetime,
    last: LastScore | None,
    moved: pd.DataFrame,
    stream_matrix: Executor,
) -> pa.Table:
    """Put what has changed since an earlier score behind the reasons, of those who are explained.

    Who has left a tier that is asked for is compared, too. ``moved``: see ``Comparer.compare``.
    """
    parameters = project.parameters
    asked = parameters.recommend.reasons_for
    of_moved = moved.reindex(recommendations["lead_id"].to_numpy())
    is_asked = _are_explained(recommendations, asked)
    shown = np.flatnonzero(is_asked | of_moved["before"].isin(asked).to_numpy())
    columns = uncompared(len(shown))
    if last is not None:
        some = recommendations.take(shown)
        foretold = pd.Series(some[PROBABILITY].to_numpy(), some["lead_id"].to_numpy())
        comparer = Comparer(last, as_of, parameters.words, parameters.decision)
        columns = comparer.compare(connection, project, history, snapshots, foretold, moved, stream_matrix)
    places = np.full(len(recommendations), -1)
    places[shown] = np.arange(len(shown))
    rows = pa.array(places, mask=places < 0)
    of_all = {name: column.take(rows) for name, column in columns.items()}
    before, cause = (pa.array(of_moved[name], pa.string(), from_pandas=True) for name in ("before", "cause"))
    of_all = {"tier_before": before, "tier_changed": pc.coalesce(of_all.pop("tier_changed"), cause), **of_all}
    first = recommendations.column_names.index("is_guess")
    for number, (name, column) in enumerate(of_all.items()):
        recommendations = recommendations.add_column(first + number, name, column)
    return recommendations


def _decide(scored: pa.Table, decider: Decider, reasons_for: Sequence[str]) -> tuple[pa.Table, Decided]:
    """Put what is decided of all leads in the place of their tiers, and leave no reasons but of who gets some."""
    place = scored.column_names.index("tier")
    tiers = scored["tier"].to_pandas().to_numpy("U12")
    decided = decider.decide(scored[PROBABILITY].to_numpy(), tiers)
    columns = {name: scored[name] for name in scored.column_names}
    names = [*scored.column_names[:place], *decided.columns, *scored.column_names[place + 1 :]]
    table = pa.table({name: decided.columns.get(name, columns.get(name)) for name in names})
    return explained_alone(table, _are_explained(table, reasons_for)), decided


def _are_explained(recommendations: pa.Table, reasons_for: Sequence[str]) -> NDArray[np.bool_]:
    tiers, lists = (recommendations[name].to_pandas().to_numpy("U12") for name in ("tier", "list"))
    return are_explained(tiers, lists == "sales", reasons_for)


def _with_what_next(
    recommendations: pa.Table, standing: Standing, recontact: Recontact, actions: Actions, progress: Progress
) -> pa.Table:
    """Say, behind the reasons, when to come back to open leads that are quiet, and what to do next with each."""
    tiers, lists = (recommendations[name].to_pandas().to_numpy("U12") for name in ("tier", "list"))
    again = recontact.of_open(standing, tiers, lists)
    ids = recommendations["lead_id"].to_pylist()
    place = recommendations.column_names.index("is_guess")
    actions.warn(progress)
    waits_for = recommendations["list_reason"].to_pandas().to_numpy(object)
    columns = again | actions.columns(ids, standing, tiers, lists, waits_for, again)
    for name, column in reversed(columns.items()):
        recommendations = recommendations.add_column(place, name, column)
    return recommendations


def _score_batch(
    parameters: Sections,
    model: Model,
    catalogue: Catalogue,
    batch: pa.Table,
    decider: Decider,
    explainer: Explainer,
    rows: slice,
    *,
    has_ages: bool,
) -> pa.Table:
    """Score some rows of the matrix, the ``rows`` of all; only those who are asked for, or may be, are explained."""
    features = batch.select(catalogue.columns)
    asked = features.to_pandas(split_blocks=True)
    probabilities = model.predict(asked)
    others = model.other_horizons(asked, probabilities)
    tiers = decider.tiers(probabilities, rows)
    to_explain = are_explained(tiers, decider.may_be_called[rows], parameters.recommend.reasons_for)
    explained = explainer.explain(features, np.flatnonzero(to_explain))
    why = why_guesses(batch, model, catalogue, decider.standing.acts_unseen[rows], has_ages=has_ages)
    return pa.table(
        {
            "lead_id": batch["lead_id"].cast(pa.string()),
            "as_of": batch["as_of"],
            PROBABILITY: probabilities,
            **{column_of(horizon): said for horizon, said in others.items()},
            "score": scores(probabilities),
            "tier": pa.array(tiers),
            **explained,
            "is_guess": pc.is_valid(why),
            "guess": why,
            "model_version": _version(model, len(batch)),
        }
    )


def _version(model: Model, length: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(length, np.int8), [model.version])


def check(recommendations: pa.Table, reasons_for: Sequence[str], steps: Sequence[Step] = ()) -> None:
    """Judge the recommendations before they are written; raises ContractError. Only counts are judged, no ids.

    ``steps`` are those of the model, to its other horizons.
    """
    checks = recommendation_checks(reasons_for, columns_of(steps))
    with open_reader() as connection:
        connection.register("recommendations", recommendations)
        counts = count_violations(connection, "recommendations", checks, RECOMMENDATION_LIMITS)
    findings = judge_counts("recommendations", counts, checks, RECOMMENDATION_LIMITS)
    refuse_critical(findings, "Nothing was written; this is a fault of the model or of the program: please report it.")
