"""The champion's scores with what came of them, and the parts that promises are watched of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.time import DAY
from features.language.catalogue import Catalogue
from models.core.model import Model
from models.evaluation.promises import OTHERS, WHOLE, band_edges, bands, bounds_of
from models.evaluation.segments import AGES, age_of
from pipeline.core.project import Project
from pipeline.core.suspensions import AGE, Value
from pipeline.log.history import observe
from pipeline.log.settled import COLUMNS, settled_scores
from pipeline.settings.parameters import Parameters

SCORE, LEADS_AGE, TIER = "score", "age", "tier"
"""Kinds of parts, beside the channels of the log."""
UNKNOWN = "not known"


@dataclass(frozen=True)
class SetAside:
    """Scores whose horizon is over, of leads that today's log does not show open then: merged since, or corrected."""

    scores: int
    promised: float
    """How many conversions they promised."""
    of_promised: float
    """How many all scores whose horizon is over promised."""

    @property
    def share(self) -> float:
        """The share of what was promised of which nobody can say what came of it."""
        return self.promised / self.of_promised if self.of_promised else 0.0


@dataclass(frozen=True)
class Scores:
    """What the champion has foretold since it learned, and what came of it.

    ``frame``: lead_id, as_of (UTC), probability, tier, and happened: true or false where the horizon is over, missing
    where it is not. Sorted by as_of and lead_id.
    """

    frame: pd.DataFrame
    kinds: Mapping[str, pd.Series]
    """By the name of a kind, the part of each row."""
    edges: NDArray[np.float64]
    """The bounds between bands of the score."""
    attributes: Mapping[str, str]
    """By the name of a kind, the attribute of the leads that it is."""
    learned_from: int
    """Moments of scores that lie in the time that the champion has learned from: they are no promises."""
    set_aside: SetAside

    @property
    def is_settled(self) -> pd.Series:
        """Tell of which rows it is known what happened."""
        return self.frame["happened"].notna()

    def where(self, kind: str, name: str) -> Mapping[str, Value] | None:
        """Say by which columns a part is told, as a suspension does; None of what is no one part."""
        if kind == WHOLE:
            return {}
        if name == OTHERS or (kind == LEADS_AGE and name == UNKNOWN):
            return None
        if kind == SCORE:
            _, low, high = next(bound for bound in bounds_of(self.edges) if bound[0] == name)
            return {"probability": _bounds(low, high)}
        if kind == LEADS_AGE:
            low, high = next(((low, high) for low, high, band in AGES if band == name), (AGES[-1][1], None))
            return {AGE: _bounds(low or None, high)}
        return {self.attributes.get(kind, kind): None if name == UNKNOWN else name}


def read_scores(project: Project[Parameters], champion: Model, until: datetime | None) -> Scores:
    """Read what the champion has foretold after the time that it has learned from, up to a moment (UTC).

    What had not happened by ``until``, or may have become known later, is not known yet; nor is what the log lacks.
    """
    horizon = project.parameters.snapshots.horizon
    learned = datetime.fromisoformat(champion.manifest["trained_until"])
    found = [
        _read(path)
        for path in sorted(project.scores.glob(f"as_of=*/model={champion.version[:16]}/recommendations.parquet"))
    ]
    scores = pd.concat([_none(), *found], ignore_index=True).astype(_none().dtypes)
    if until is not None:
        scores = scores[scores["as_of"] < until]
    moments = scores["as_of"].drop_duplicates()
    learned_from = int((moments <= learned).sum())
    scores = scores[scores["as_of"] > learned]
    settled = settled_scores(project, champion.version, horizon, after=learned)[["lead_id", "as_of", "happened"]]
    if until is not None:
        settled = settled[settled["as_of"] + horizon + observe(project).outcome_delay <= until]
    settled = settled.astype({"happened": "boolean"})
    frame = scores.merge(settled, on=["lead_id", "as_of"], how="left")
    # Of a look whose horizon is over, a lead without a label is one of which nobody can say what the score was of.
    over = frame["as_of"].isin(settled["as_of"].unique())
    is_unknown = over & frame["happened"].isna()
    promised = frame["probability"]
    set_aside = SetAside(int(is_unknown.sum()), float(promised[is_unknown].sum()), float(promised[over].sum()))
    frame = frame[~is_unknown].sort_values(["as_of", "lead_id"], ignore_index=True)
    attributes = _channels(champion)
    edges = (
        band_edges(frame.loc[frame["as_of"] == frame["as_of"].min(), "probability"].to_numpy())
        if len(frame)
        else np.empty(0)
    )
    return Scores(frame, _kinds(project, frame, edges, attributes), edges, attributes, learned_from, set_aside)


def _kinds(
    project: Project[Parameters],
    frame: pd.DataFrame,
    edges: NDArray[np.float64],
    attributes: Mapping[str, str],
) -> dict[str, pd.Series]:
    columns = ["lead_id", "created_at", *attributes.values()]
    leads = pq.read_table(project.leads, columns=columns).to_pandas().drop_duplicates("lead_id").set_index("lead_id")
    of_rows = leads.reindex(frame["lead_id"]).reset_index(drop=True)
    days = ((frame["as_of"] - of_rows["created_at"]) / pd.Timedelta(DAY)).to_numpy(np.float64)
    kinds = {
        SCORE: pd.Series(bands(frame["probability"].to_numpy(), edges), dtype=object),
        LEADS_AGE: pd.Series(np.where(np.isnan(days), UNKNOWN, age_of(days)), dtype=object),
        TIER: frame["tier"].astype(object),
    }
    for kind, attribute in attributes.items():
        kinds[kind] = (
            of_rows[attribute].astype(object).where(of_rows[attribute].notna(), UNKNOWN).astype(str).astype(object)
        )
    return kinds


def _channels(champion: Model) -> dict[str, str]:
    """Name the attributes of the leads that are channels, by the kind that each is."""
    catalogue = Catalogue.from_json(champion.manifest["catalogue"])
    names = {column: name for name, column in catalogue.attribute_columns.items()}
    attributes = [names[column] for column in catalogue.roles["channels"] if column in names]
    return {(f"{name} of the lead" if name in (SCORE, LEADS_AGE, TIER) else name): name for name in attributes}


def _read(path: Path) -> pd.DataFrame:
    table = pq.read_table(path, columns=COLUMNS, partitioning=None).to_pandas()
    return table[table["probability"].notna()]


def _none() -> pd.DataFrame:
    kinds = {
        "lead_id": "str",
        "as_of": "datetime64[us]",
        "probability": "float64",
        "model_version": "str",
        "tier": "str",
    }
    return pd.DataFrame({name: pd.Series(dtype=kinds[name]) for name in COLUMNS})


def _bounds(low: float | None, high: float | None) -> dict[str, float]:
    bounds = {"from": low, "below": high}
    return {name: bound for name, bound in bounds.items() if bound is not None}
