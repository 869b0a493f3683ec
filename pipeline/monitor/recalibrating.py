"""``leadcast recalibrate``: the champion's scores with another meaning, as a challenger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.errors import InputError, NotEnoughDataError
from features.core.time import parse_duration
from features.language.catalogue import Catalogue
from models.core.calibrators import calibrate
from models.core.enough import Pace
from models.core.model import Model
from models.core.verdicts import KINDS
from models.evaluation.chance import of_a_perfect_model
from models.evaluation.metrics import evaluate
from models.learning.recalibration import Recalibration, lacking, recalibrate
from pipeline.core.project import Progress, Project, read_json, require, written_whole
from pipeline.core.sql import connect, file_literal
from pipeline.matrix.local import stream_matrix
from pipeline.matrix.slices import reach_of
from pipeline.registry.champion import load_champion
from pipeline.registry.figures import AUC, BY_CHANCE, CALIBRATION, LOG_LOSS
from pipeline.registry.recalibrated_run import BEFORE, RecalibratedRun, keep_recalibrated
from pipeline.settings.parameters import Parameters
from pipeline.settings.question import differences, question_of
from pipeline.settings.types import halve


@dataclass(frozen=True)
class _Looked:
    """Snapshots after those that the champion has learned from, whose outcome is known: arrays of shape (n,)."""

    leads: NDArray[Any]
    as_of: NDArray[np.datetime64]
    """UTC."""
    labels: NDArray[np.float64]
    raw: NDArray[np.float64]


def run(project: Project[Parameters], progress: Progress) -> list[str]:
    """Fit a calibrator to what came of the champion's scores, and register the model; gives what was done as lines.

    Raises NotEnoughDataError where too little is settled since the champion has learned, with the day on which there
    will be enough; InputError where the settings ask another question than it has answered, or conversions lack.
    """
    require(project.interactions, project.leads, project.snapshots)
    settings = project.parameters
    champion = load_champion(project, settings.evaluate)
    model = champion.model
    if told := differences(model.manifest["question"], question_of(settings)):
        listed = "".join(f"\n  {one}" for one in told)
        raise InputError(
            f"the settings ask another question than the champion has answered, so that what happened says nothing of "
            f"its scores:{listed}\nTrain a model that answers it (dvc repro)"
        )
    counts = read_json(project.snapshot_counts)
    since, reach = datetime.fromisoformat(model.manifest["trained_until"]), reach_of(counts)
    if "outcomes_lack" not in settings.evaluate.acquitted:
        _refuse_holes(counts.get("outcome_holes", []), since)
    progress(f"looking at the snapshots since {since:%Y-%m-%d}, up to which the champion has learned")
    looked = _look(project, model, since)
    _refuse_few(looked, since, reach, datetime.fromisoformat(counts["observed_until"]))
    progress(f"fitting a calibrator to {len(looked.labels):,} snapshots, {int(looked.labels.sum()):,} of which convert")
    train = settings.train
    found = recalibrate(
        looked.raw, looked.labels, looked.leads, looked.as_of, reach, method=train.calibration, seed=train.seed
    )
    until = looked.as_of.max().astype("datetime64[us]").item()
    other = replace(
        model,
        calibrator=found.calibrator,
        manifest=model.manifest
        | {
            "trained_until": (until + reach).isoformat(),
            "recalibrated": {
                "model_version": model.version,
                "from": looked.as_of.min().astype("datetime64[us]").item().isoformat(),
                "until": until.isoformat(),
                "rows": len(looked.labels),
                "conversions": int(looked.labels.sum()),
            },
        },
    )
    with written_whole(project.kept_origins / f"{other.version[:16]}.parquet") as temporary:
        pq.write_table(_kept(looked, found, model, other), temporary)
    kept = RecalibratedRun(other, _figures(looked, found, model), _origins(found), _told(looked, found, model))
    return [*kept.told, *keep_recalibrated(project, settings.evaluate, champion, kept)]


def _look(project: Project[Parameters], model: Model, since: datetime) -> _Looked:
    """Ask the champion's members of later snapshots than it has learned from, batch by batch."""
    catalogue = Catalogue.from_json(model.manifest["catalogue"])
    wanted = (
        f"SELECT * FROM read_parquet({file_literal(project.snapshots)}) "
        f"WHERE label IS NOT NULL AND as_of > TIMESTAMP '{since.isoformat()}'"
    )
    of_duckdb, of_batches = halve(project.parameters.run.memory_limit)
    parts: list[pa.Table] = []
    with connect(of_duckdb, project.root / "data/.tmp/recalibrate") as connection:
        batches = stream_matrix(
            connection, wanted, project.interactions, project.leads, catalogue, keep=("label",), memory_limit=of_batches
        )
        for batch in batches:
            raw = model.raw_score(batch.select(model.columns).to_pandas(split_blocks=True))
            parts.append(batch.select(["lead_id", "as_of", "label"]).append_column("raw", pa.array(raw)))
    if not parts:
        nothing = np.empty(0)
        return _Looked(nothing, nothing.astype("datetime64[us]"), nothing, nothing)
    table = pa.concat_tables(parts).unify_dictionaries()
    leads, as_of, labels, raw = (table[name].to_numpy() for name in ("lead_id", "as_of", "label", "raw"))
    return _Looked(leads.astype(object), as_of.astype("datetime64[us]"), labels.astype(np.float64), raw)


def _refuse_holes(holes: Sequence[Mapping[str, str]], since: datetime) -> None:
    """Refuse a time of which conversions lack: what was not recorded would be taken for what did not happen."""
    told = [f"{hole['source']}: {hole['told']}" for hole in holes if hole["last"] > since.date().isoformat()]
    if told:
        raise InputError(
            f"since the champion has learned, conversions lack in {'; '.join(told)}. {KINDS['outcomes_lack'].remedy}; "
            "or, where they are known to be right, acquit it: evaluate: acquitted: {outcomes_lack: REASON}"
        )


def _refuse_few(looked: _Looked, since: datetime, reach: timedelta, observed_until: datetime) -> None:
    if not len(looked.labels):
        raise NotEnoughDataError(
            f"too early: the champion has learned up to {since:%Y-%m-%d}, and nothing later is known to its end; "
            f"the first will be from {since + reach:%Y-%m-%d} on. Where the log has more: dvc repro snapshots"
        )
    days = (looked.as_of.max() - looked.as_of.min()) / np.timedelta64(1, "D")
    if lack := lacking(looked.labels, looked.leads, Pace(float(days), observed_until)):
        raise NotEnoughDataError(
            f"too early: of the leads looked at since {since:%Y-%m-%d}, up to which the champion has learned, a "
            f"calibrator needs {lack}"
        )


def _kept(looked: _Looked, found: Recalibration, before: Model, after: Model) -> pa.Table:
    """Say what the calibrators of the origins foretold, beside what the champion did, in the form of kept origins."""
    rows = np.flatnonzero(found.judged)
    return pa.table(
        {
            "lead_id": pa.array(looked.leads[rows], pa.string()),
            "as_of": pa.array(looked.as_of[rows], pa.timestamp("us")),
            "origin": pa.array(found.origin[rows], pa.timestamp("us")),
            "probability": pa.array(found.said[rows]),
            "model_version": pa.array([after.version] * len(rows), pa.string()),
            "happened": pa.array(looked.labels[rows] > 0),
            BEFORE: pa.array(calibrate(before.calibrator, looked.raw[rows])),
        }
    )


def _origins(found: Recalibration) -> int:
    return len(np.unique(found.origin[found.judged]))


def _figures(looked: _Looked, found: Recalibration, model: Model) -> dict[str, float]:
    """Measure what was foretold from the origins; nothing where there was none, or one outcome alone."""
    rows = found.judged
    labels, said = looked.labels[rows], found.said[rows]
    if not rows.any() or labels.min() == labels.max():
        return {}
    leads, as_of, horizon = looked.leads[rows], looked.as_of[rows], parse_duration(model.manifest["horizon"])
    measured = evaluate(labels, said, leads, replicates=0)
    chance = of_a_perfect_model(labels, said, leads, as_of, horizon)
    return {
        LOG_LOSS: measured["log_loss"].value,
        AUC: measured["roc_auc"].value,
        CALIBRATION: measured["calibration_error"].value,
        BY_CHANCE: chance.error_quantile_95,
        "data/foretold_rows": float(len(labels)),
        "data/foretold_conversions": float(labels.sum()),
    }


def _told(looked: _Looked, found: Recalibration, model: Model) -> list[str]:
    """Say what was promised before and would be now, of what was foretold from the origins and of all."""
    promised = calibrate(model.calibrator, looked.raw)
    whole = (
        f"of {len(promised):,} snapshots since then the champion promised {promised.sum():,.1f} conversions, and "
        f"{int(looked.labels.sum()):,} happened"
    )
    rows = found.judged
    if not rows.any():
        return [whole, "not judged on later time: too little was settled before the rest"]
    judged = (
        f"judged from {_origins(found)} origins: of {int(rows.sum()):,} snapshots the champion promised "
        f"{promised[rows].sum():,.1f}, calibrators of what was settled by then {found.said[rows].sum():,.1f}, and "
        f"{int(looked.labels[rows].sum()):,} happened"
    )
    return [whole, judged]
