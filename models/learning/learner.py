"""From labelled rows to a calibrated model: gradient-boosted trees, stopped and calibrated on later slices.

Every row counts once. Resampling and class weights would change the share of conversions that the trees see, and
with it every probability; a rare outcome does not need them when the loss is the log loss.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.core.errors import NotEnoughDataError, SettingsError
from models.core.artefact import Model, encode, without_settings
from models.core.slices import Slice
from models.learning.calibration import Method, fit_calibrator
from models.learning.parameters import Parameter, checked_parameters

if TYPE_CHECKING:
    import lightgbm
    import pandas as pd


@dataclass(frozen=True)
class TrainingLog:
    """What training has to tell; the mappings go by slice: fit, early_stopping, calibration."""

    best_iteration: int
    calibration_method: str
    rows: dict[str, int]
    conversions: dict[str, int]
    log_loss: dict[str, float]  # of the calibrated probabilities


Trained = tuple[Model, TrainingLog]


def fit(
    *,
    fitting: Slice,
    early_stopping: Slice,
    calibration: Slice,
    columns: Sequence[str],
    categorical: Sequence[str] = (),
    parameters: Mapping[str, Parameter] | None = None,
    calibration_method: Method = "auto",
    minimum_rows: int = 20,
    minimum_conversions: int = 20,
    manifest: Mapping[str, Any] | None = None,
    seed: int,
    num_threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Trained:
    """Grow trees on `fitting`, stop by the log loss on `early_stopping`, calibrate on `calibration`.

    The slices follow each other in time. `columns` are the features in the order the model keeps; those of them in
    `categorical` hold text, of which a level is kept where at least `minimum_rows` rows of `fitting` have it.
    `parameters` are LightGBM's, by their main names, over `DEFAULTS`. Into the model's manifest go `manifest` and
    the columns, the categories, the base rate of all three slices, the seed and the parameters. `progress` is told the
    trees grown and the most there can be. `num_threads` (0: all cores) does not change a byte of the model.

    Raises `SettingsError` for parameters that are unknown or would break the probabilities, `NotEnoughDataError` where
    a slice holds fewer than `minimum_conversions` rows that convert, or that don't.
    """
    slices = {"fit": fitting, "early_stopping": early_stopping, "calibration": calibration}
    settings = checked_parameters(parameters or {}, rows=len(fitting.labels))
    _require_outcomes(slices, minimum_conversions)
    categories = category_levels(fitting.frame, categorical, minimum_rows=minimum_rows)
    own_entries = {
        "columns": list(columns),
        "categories": categories,
        "base_rate": _base_rate(slices.values()),
        "parameters": settings,
        "seed": seed,
    }
    if clashing := own_entries.keys() & (manifest or {}).keys():
        raise ValueError(f"the learner itself writes into the manifest: {sorted(clashing)}")
    booster = _grow(
        fitting,
        early_stopping,
        columns=columns,
        categories=categories,
        settings={**settings, "seed": seed, "num_threads": num_threads},
        progress=progress,
    )
    uncalibrated = Model(
        booster_text=without_settings(booster.model_to_string(num_iteration=booster.best_iteration)),
        calibrator={"method": "sigmoid", "slope": 1.0, "intercept": 0.0},
        manifest={**(manifest or {}), **own_entries},
    )
    calibrator = fit_calibrator(
        uncalibrated.raw_score(calibration.frame),
        np.asarray(calibration.labels, dtype=np.float64),
        calibration.leads,
        method=calibration_method,
        seed=seed,
    )
    model = dataclasses.replace(uncalibrated, calibrator=calibrator)
    return model, TrainingLog(
        best_iteration=int(booster.best_iteration),
        calibration_method=calibrator["method"],
        rows={name: len(part.labels) for name, part in slices.items()},
        conversions={name: part.conversions for name, part in slices.items()},
        log_loss={name: _log_loss(part.labels, model.predict(part.frame)) for name, part in slices.items()},
    )


def category_levels(frame: pd.DataFrame, categorical: Sequence[str], *, minimum_rows: int) -> dict[str, list[str]]:
    """Levels of each category column that at least `minimum_rows` rows have, in the order of their text."""
    levels = {}
    for column in categorical:
        rows = frame[column].value_counts(dropna=True)
        levels[column] = sorted(str(level) for level in rows.index[rows.to_numpy() >= minimum_rows])
    return levels


def _grow(
    fitting: Slice,
    early_stopping: Slice,
    *,
    columns: Sequence[str],
    categories: Mapping[str, Sequence[str]],
    settings: Mapping[str, Parameter],
    progress: Callable[[int, int], None] | None,
) -> lightgbm.Booster:
    import lightgbm  # noqa: PLC0415 (it takes more than a second to import)

    lightgbm_settings = {
        **settings,
        "objective": "binary",
        "metric": "binary_logloss",
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    rounds = int(lightgbm_settings.pop("num_iterations"))
    patience = int(lightgbm_settings.pop("early_stopping_round"))
    callbacks: list[Callable[..., Any]] = [lightgbm.early_stopping(patience, verbose=False)]
    if progress is not None:
        callbacks.append(lambda state: progress(state.iteration + 1, state.end_iteration))
    seen = lightgbm.Dataset(
        encode(fitting.frame, columns, categories),
        label=fitting.labels,
        feature_name=_tree_names(columns),
        categorical_feature=[position for position, column in enumerate(columns) if column in categories],
    )
    later = lightgbm.Dataset(
        encode(early_stopping.frame, columns, categories), label=early_stopping.labels, reference=seen
    )
    try:
        return lightgbm.train(lightgbm_settings, seen, rounds, valid_sets=[later], callbacks=callbacks)
    except lightgbm.basic.LightGBMError as error:
        complaint = str(error).partition(" at /")[0]  # without the line of its source
        raise SettingsError(f"LightGBM refuses the parameters {dict(settings)}: {complaint}.") from error


def _tree_names(columns: Sequence[str]) -> list[str]:
    """Names that LightGBM accepts, for people who open the file; the manifest holds the real ones."""
    names = [re.sub(r"\W", "_", column) for column in columns]
    return [name if names.count(name) == 1 else f"{name}__column_{position}" for position, name in enumerate(names)]


def _require_outcomes(slices: Mapping[str, Slice], minimum: int) -> None:
    counts = {name: (part.conversions, len(part.labels) - part.conversions) for name, part in slices.items()}
    if min(min(pair) for pair in counts.values()) >= minimum:
        return
    table = "\n".join(
        f"  {name}: {converted + not_converted} rows, of which {converted} convert and {not_converted} don't"
        + ("" if min(converted, not_converted) >= minimum else "  <- too few")
        for name, (converted, not_converted) in counts.items()
    )
    raise NotEnoughDataError(
        f"too few outcomes to learn from: each slice needs at least {minimum} rows that convert and {minimum} that"
        f" don't.\n{table}\nWhat helps: a longer log, a shorter horizon (more rows have a known outcome), more"
        " snapshots per lead, or boundaries between the slices that leave more to the short ones."
    )


def _base_rate(slices: Iterable[Slice]) -> float:
    labels = np.concatenate([part.labels for part in slices])
    return float(labels.mean())


def _log_loss(labels: NDArray[np.float64], probabilities: NDArray[np.float64]) -> float:
    return float(-np.mean(np.log(np.where(labels > 0, probabilities, 1.0 - probabilities))))
