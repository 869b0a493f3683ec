"""What two models have foretold of the same leads at the same moments, beside what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.errors import InputError, NotEnoughDataError
from features.core.time import parse_duration
from models.core.model import Model
from models.evaluation.checks import FEWEST_LEADS
from models.evaluation.pairs import are_enough
from pipeline.core.project import Project
from pipeline.log.history import Sections
from pipeline.log.settled import settled_scores
from pipeline.registry.models import Named
from pipeline.registry.recalibrated_run import BEFORE
from pipeline.settings.question import differences

KEY = ["lead_id", "as_of"]
_OF_THE_LABEL = ("episodes.", "snapshots.horizon", "ingest.identities")
"""The places of a question that say what happened, and to whom; the others say what was looked at."""
_COLUMNS = [*KEY, "origin", "probability", "happened"]


@dataclass(frozen=True)
class Pairs:
    """Leads and moments that both have foretold; arrays of shape (n,), in the order of lead and time."""

    leads: NDArray[Any]
    as_of: NDArray[np.datetime64]
    """UTC."""
    labels: NDArray[np.float64]
    of_a: NDArray[np.float64]
    of_b: NDArray[np.float64]
    origin: NDArray[np.datetime64]
    """From which origin B has foretold it; NaT of a score, and where B had no origin."""
    counts: dict[str, int]
    """Where they come from, and what is odd of them."""

    @property
    def newest(self) -> NDArray[np.bool_]:
        """Which were foretold from the newest origin."""
        known = self.origin[~np.isnat(self.origin)]
        return self.origin == known.max() if known.size else np.zeros(len(self.origin), dtype=bool)

    def take(self, rows: NDArray[np.bool_]) -> Pairs:
        """Give some of them, by whether they are wanted; the counts are those of all."""
        return Pairs(
            self.leads[rows],
            self.as_of[rows],
            self.labels[rows],
            self.of_a[rows],
            self.of_b[rows],
            self.origin[rows],
            self.counts,
        )


def refuse_other_question(a: Named, b: Named) -> list[str]:
    """Raise InputError where the two were taught what another question is; says what else they look at differently."""
    (asked, horizon), (other, other_horizon) = (_question(one) for one in (a, b))
    told = differences(asked, other)
    if horizon != other_horizon and not any(one.startswith("snapshots.horizon") for one in told):
        told = [f"snapshots.horizon was {horizon}, and is {other_horizon}", *told]
    of_labels = [one for one in told if one.startswith(_OF_THE_LABEL)]
    if of_labels:
        listed = "".join(f"\n  {one}" for one in of_labels)
        raise InputError(
            f"{a.asked} and {b.asked} answer different questions, so nothing says which of them is better "
            f"('was' is {a.asked}, 'is' is {b.asked}):{listed}\n"
            "Compare models that were trained with the same of these settings"
        )
    return told


def _question(one: Named) -> tuple[dict[str, Any], str]:
    asked = one.model.manifest.get("question")
    if asked is None:
        raise InputError(
            f"{one.asked} was trained by an earlier version, which did not note what it asked; train it once more: "
            f"{one.how_to_train()}"
        )
    return asked, str(one.model.manifest["horizon"])


def pair(project: Project[Sections], a: Named, b: Named) -> Pairs:
    """Read what both have foretold at their origins, and their scores whose horizon is over.

    Where the two know another thing of what happened, for outcomes come late, it is as the model knows it that was
    trained on newer data. Raises NotEnoughDataError, with the command that makes more, where there are too few.
    """
    kept_a, kept_b = _foretold(project, a, b), _foretold(project, b, a)
    scores_a, scores_b = (_scores(project, one.model) for one in (a, b))
    b_is_newer = _until(b.model) >= _until(a.model)
    pairs = joined(pd.concat([kept_a, scores_a]), pd.concat([kept_b, scores_b]), b_is_newer=b_is_newer)
    if not are_enough(pairs.labels, pairs.leads):
        raise NotEnoughDataError(_too_few(pairs, a, b, kept_a, kept_b))
    return pairs


def joined(of_a: pd.DataFrame, of_b: pd.DataFrame, *, b_is_newer: bool) -> Pairs:
    """Pair what each has foretold: lead_id, as_of, origin, probability, happened and is_score, whether it was in use.

    What was scored in use counts before what the same model foretold at an origin of the same lead and moment, and is
    paired with its like alone. ``b_is_newer``: whose word counts where the two know another outcome.
    """
    both = of_a.merge(of_b, on=[*KEY, "is_score"], suffixes=("_a", "_b")).sort_values([*KEY, "is_score"])
    both = both.drop_duplicates(KEY, keep="last")
    return Pairs(
        leads=both["lead_id"].to_numpy(object),
        as_of=both["as_of"].to_numpy("datetime64[us]"),
        labels=both["happened_b" if b_is_newer else "happened_a"].to_numpy(np.float64),
        of_a=both["probability_a"].to_numpy(np.float64),
        of_b=both["probability_b"].to_numpy(np.float64),
        origin=both["origin_b"].to_numpy("datetime64[us]"),
        counts={
            "of_origins": int((~both["is_score"]).sum()),
            "of_scores": int(both["is_score"].sum()),
            "foretold_by_a": len(of_a),
            "foretold_by_b": len(of_b),
            "known_otherwise": int((both["happened_a"] != both["happened_b"]).sum()),
            "from_other_origins": int(_differ(both["origin_a"], both["origin_b"]).sum()),
        },
    )


def _foretold(project: Project[Sections], one: Named, beside: Named) -> pd.DataFrame:
    """Read what the procedure that made a model foretold at its origins; raises NotEnoughDataError where it is gone.

    Of one ``beside`` which the other is only calibrated anew, it is what it said itself where that was judged.
    """
    is_other_calibrator = beside.model.manifest.get("recalibrated", {}).get("model_version") == one.model.version
    if is_other_calibrator:
        kept = _foretold(project, beside, beside)
        before = pq.read_table(kept_of(project, beside.model), columns=[BEFORE])[BEFORE].to_numpy()
        return kept.assign(probability=before)
    path = kept_of(project, one.model)
    if not path.exists():
        raise NotEnoughDataError(
            f"what {one.asked} ({one.model.version[:16]}) foretold at its origins is not here ({path}): it was trained "
            f"elsewhere, or by an earlier version. Train it in this folder, then compare again: {one.how_to_train()}"
        )
    table = pq.read_table(path)
    if lacking := sorted(set(_COLUMNS) - set(table.column_names)):
        raise NotEnoughDataError(
            f"{path} lacks {', '.join(lacking)}: an earlier version has written it. Train {one.asked} in this folder, "
            f"then compare again: {one.how_to_train()}"
        )
    if set(table["model_version"].unique().to_pylist()) - {one.model.version}:
        raise InputError(f"{path} is of another model; train {one.asked} once more: {one.how_to_train()}")
    frame: pd.DataFrame = table.select(_COLUMNS).to_pandas().astype({"lead_id": "str", "as_of": "datetime64[us]"})
    return frame.assign(is_score=False)


def kept_of(project: Project[Sections], model: Model) -> Path:
    """Give the place of what was foretold at the origins of a model."""
    return project.kept_origins / f"{model.version[:16]}.parquet"


def _scores(project: Project[Sections], model: Model) -> pd.DataFrame:
    """Read the scores whose horizon is over, but those of a time that the model has learned from."""
    horizon = parse_duration(model.manifest["horizon"])
    found = settled_scores(project, model.version, horizon, after=_until(model))
    origin = pd.Series(pd.NaT, found.index, dtype="datetime64[us]")
    return found.assign(origin=origin)[_COLUMNS].assign(is_score=True)


def _until(model: Model) -> datetime:
    return datetime.fromisoformat(model.manifest["trained_until"])


def _differ(one: pd.Series, other: pd.Series) -> pd.Series:
    return one.ne(other) & ~(one.isna() & other.isna())


def _too_few(pairs: Pairs, a: Named, b: Named, kept_a: pd.DataFrame, kept_b: pd.DataFrame) -> str:
    """Say how few there are, and the command that makes more."""
    converting = len(set(pairs.leads[pairs.labels > 0]))
    told = (
        f"{a.asked} and {b.asked} have both foretold {len(pairs.leads):,} times of the same lead at the same moment, "
        f"and {converting:,} leads of these convert: with fewer than {FEWEST_LEADS} that do, and as many that don't, "
        "no model is told from another"
    )
    if not len(kept_a.merge(kept_b, on=KEY)):
        told += f". {_span(a, kept_a)}; {_span(b, kept_b)}; no lead and moment is in both"
    older, newer = (b, a) if _until(a.model) > _until(b.model) else (a, b)
    return (
        f"{told}. Train {older.asked} on the log and the snapshots that {newer.asked} has learned from, and compare "
        f"what comes of it with {newer.model.version[:16]}: {older.how_to_train()} && leadcast compare trained "
        f"{newer.model.version[:16]}"
    )


def _span(one: Named, kept: pd.DataFrame) -> str:
    if kept.empty:
        return f"{one.asked} has foretold nothing"
    return f"{one.asked} has foretold {kept['as_of'].min():%Y-%m-%d} to {kept['as_of'].max():%Y-%m-%d}"
