"""The stage ``score``: the leads that are open at a moment in, recommendations out.

The stage takes the model just trained; ``pipeline.champion`` calls the same functions with the one in use.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalogue import CONTEXT, Catalogue
from features.duration import format_duration
from features.errors import NotEnoughDataError, StaleError
from features.schema import RECOMMENDATION
from features.snapshots import take_snapshots_at
from features.wording import describe, quotes_us
from models.artefact import Model
from models.explanation import ReasonTemplate, explain
from models.policy import MaturityPolicy, TierPolicy, scores
from pipeline.artefacts import (
    INTERACTIONS,
    LEADS,
    MODEL,
    RECOMMENDATIONS,
    RECOMMENDATIONS_CSV,
    SCORING,
    Progress,
    require,
    write_json,
    written_whole,
)
from pipeline.configuration import Parameters
from pipeline.contracts import recommendation_expectations
from pipeline.judge import Suite, judge, refuse_critical
from pipeline.matrix import stream_matrix
from pipeline.setting_types import in_bytes
from pipeline.snapshots import log_until, read_history
from pipeline.sql import connect
from pipeline.trained import open_model

MICROSECOND = timedelta(microseconds=1)


def run(parameters: Parameters, root: Path, progress: Progress) -> None:
    """Score every open lead with the model just trained at the ``as_of`` of the parameters."""
    require(root / MODEL)
    model = open_model(root / MODEL)
    as_of = parameters.score.as_of
    if not isinstance(as_of, datetime):
        as_of = log_until(root) + MICROSECOND
    refuse_future(as_of, root, parameters.score.maximum_age)
    recommendations, doubts = recommend(parameters, root, model, as_of, progress)
    check(recommendations)
    (root / SCORING).unlink(missing_ok=True)  # the summary stands beside what it sums up, or not at all
    write_recommendations(root / RECOMMENDATIONS, recommendations)
    with written_whole(root / RECOMMENDATIONS_CSV) as temporary:
        readable = recommendations.assign(
            lead_id=[_as_cell(lead) for lead in recommendations["lead_id"]],
            reasons=[_as_cell("; ".join(reasons)) for reasons in recommendations["reasons"]],
        )
        # All text in quotes: by itself pandas leaves out those around a carriage return, which ends a row elsewhere.
        quoting = csv.QUOTE_NONNUMERIC
        readable.to_csv(temporary, index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ", quoting=quoting)
    write_json(
        root / SCORING,
        {
            "as_of": as_of.isoformat(),
            "leads": len(recommendations),
            **asdict(doubts),
            "expected_conversions": float(recommendations["probability"].sum()),
            "model_version": model.version,
            "tiers": _counts(recommendations["tier"]),
            "maturities": _counts(recommendations["maturity"]),
        },
    )


def refuse_future(as_of: datetime, root: Path, maximum_age: timedelta) -> None:
    """Raise StaleError where the log ends long before the moment that is to be scored."""
    until = log_until(root)
    if as_of > until + maximum_age:
        raise StaleError(
            f"{as_of:%Y-%m-%d %H:%M} lies more than {format_duration(maximum_age)} after the end of the log, "
            f"{until:%Y-%m-%d %H:%M} UTC; name an earlier moment, bring newer files, or raise score.maximum_age"
        )


@dataclass(frozen=True)
class Doubts:
    """Leads among those scored whose probability says less than it seems to."""

    ended_unknown: int
    """Whose episode had in truth ended, without our knowing."""
    older_than_learned: int
    """Whose episode is older than any that the model was fitted to."""


def recommend(
    parameters: Parameters, root: Path, model: Model, as_of: datetime, progress: Progress
) -> tuple[pd.DataFrame, Doubts]:
    """Recommend what to do with each lead that is open at ``as_of`` (UTC), best first.

    Gives the columns of RECOMMENDATION, and how many of these probabilities are in doubt.
    """
    catalogue = Catalogue.from_json(model.manifest["catalogue"])
    history = read_history(root / INTERACTIONS, root / LEADS, parameters.episodes)
    snapshots = take_snapshots_at(history, as_of)
    if snapshots.empty:
        raise NotEnoughDataError(f"no lead is open at {as_of.isoformat()}; score another moment (score.as_of, --as-of)")
    templates = reason_templates(catalogue)
    tiers = TierPolicy(parameters.policy.tiers.mql, parameters.policy.tiers.sql)
    maturities = MaturityPolicy(parameters.policy.maturity.warm, parameters.policy.maturity.hot)
    batches = []
    done = older = 0
    limit = parameters.features.memory_limit
    connection = connect(limit, root / "data/.tmp/score")
    connection.register("taken", snapshots)
    taken = "SELECT lead_id, as_of, started_at, episode FROM taken"
    for batch in stream_matrix(
        connection, taken, root / INTERACTIONS, root / LEADS, catalogue, memory_limit=in_bytes(limit)
    ):
        frame = batch.to_pandas()
        probabilities = model.predict(frame)
        batches.append(
            pd.DataFrame(
                {
                    "lead_id": frame["lead_id"],
                    "as_of": frame["as_of"],
                    "probability": probabilities,
                    "score": scores(probabilities),
                    "maturity": maturities.maturities(probabilities, base_rate=model.manifest["base_rate"]),
                    "tier": tiers.tiers(probabilities),
                    "reasons": explain(model.contributions(frame), frame, catalogue.columns, templates),
                    "model_version": model.version,
                }
            )
        )
        done += len(frame)
        older += int((frame["episode_age_days"] > model.manifest["oldest_episode_days"]).sum())
        progress(f"scored {done:,} of {len(snapshots):,} open leads")
    best_first = pd.concat(batches).sort_values(
        ["probability", "lead_id"], ascending=[False, True], kind="stable", ignore_index=True
    )
    ended = int((snapshots["outcome_at"] < as_of).sum())
    if older:
        progress(f"warning: {older:,} leads are older than any the model learned from")
    return best_first, Doubts(ended_unknown=ended, older_than_learned=older)


def check(recommendations: pd.DataFrame) -> None:
    """Judge the recommendations before they are written; raises ContractError. Ids stay out of what is judged."""
    judged = recommendations.drop(columns=["lead_id", "reasons"]).assign(
        lead_id_repeated=recommendations["lead_id"].duplicated().astype(int),
        lead_id_missing=recommendations["lead_id"].isna().astype(int),
        score_differs=np.abs(recommendations["score"] - 100 * recommendations["probability"]),
        reasons_missing=[int(not reasons) for reasons in recommendations["reasons"]],
    )
    verdicts = judge([Suite("recommendations", judged, recommendation_expectations())])
    refuse_critical(verdicts, "Nothing was written; this is a fault of the model or of the program: please report it.")


def reason_templates(catalogue: Catalogue) -> Mapping[str, ReasonTemplate]:
    """Say how each column reads as a reason; what may be our own effort is never quoted."""
    templates = {
        name: ReasonTemplate(
            group=str((feature.filter.event_type, feature.filter.channel, feature.filter.campaign)),
            words=None if quotes_us(feature, catalogue.vocabulary) else partial(describe, feature),
        )
        for name, feature in zip(catalogue.names, catalogue.features, strict=True)
    }
    templates |= {
        column: ReasonTemplate(group=column, words=partial(_attribute, name))
        for name, column in catalogue.attribute_columns.items()
    }
    words = ("created {:.1f} days ago", "in this episode for {:.1f} days", "{:.0f} earlier episodes")
    return templates | {
        column: ReasonTemplate(group=column, words=text.format) for column, text in zip(CONTEXT, words, strict=True)
    }


def _attribute(name: str, value: float | str | None) -> str:
    """Say an attribute of the lead in words."""
    shown = "unknown" if value is None else f"{value:g}" if isinstance(value, float | np.floating) else value
    return f"{name} is {shown}"


def _counts(column: pd.Series) -> dict[str, int]:
    return {str(name): int(count) for name, count in column.value_counts().items()}


def _as_cell(text: str) -> str:
    """Keep a spreadsheet from running a text that begins as a formula does: an apostrophe makes it text again."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def write_recommendations(path: Path, recommendations: pd.DataFrame) -> None:
    """Write recommendations as Parquet, whole or not at all."""
    types = {field.name: field.arrow for field in RECOMMENDATION} | {
        "run_id": pa.string(),
        "scored_at": pa.timestamp("us"),
    }
    schema = pa.schema([(name, types[name]) for name in recommendations.columns])
    with written_whole(path) as temporary:
        pq.write_table(pa.Table.from_pandas(recommendations, schema, preserve_index=False), temporary)
