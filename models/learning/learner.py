"""From labelled rows to a calibrated model: gradient-boosted trees, their number and calibration by folds over leads.

Every row counts once. Resampling and class weights would change the share of conversions that the trees see, and
with it every probability; a rare outcome does not need them when the loss is the log loss.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.core.errors import NotEnoughDataError, SettingsError
from models.core.calibrators import calibrate
from models.core.encoding import encode
from models.core.model import Model
from models.core.slices import FOLDS, Slice, deal
from models.core.trees import without_settings
from models.learning.calibration import fit_calibrator
from models.learning.parameters import Method, Parameter, checked_parameters

if TYPE_CHECKING:
    import lightgbm
    import pandas as pd

Progress = Callable[[int, int], None]
"""Is told the trees grown and the most there can be."""


@dataclass(frozen=True)
class Recipe:
    """How a model is made of rows: the same at every origin, and of the model that ships.

    `columns` are the features in the order the model keeps; those of them in `categorical` hold text, of which a level
    is kept where at least `minimum_rows` rows have it. `parameters` are LightGBM's, by their main names, over
    `DEFAULTS`. `num_threads` (0: all cores) does not change a byte of the model.
    """

    columns: Sequence[str]
    categorical: Sequence[str] = ()
    parameters: Mapping[str, Parameter] | None = None
    calibration: Method = "auto"
    minimum_rows: int = 20
    minimum_conversions: int = 20
    seed: int = 7
    num_threads: int = 0


@dataclass(frozen=True)
class TrainingLog:
    """What training has to tell of the rows that were learned from, and of what the folds chose."""

    trees: int
    calibration: str
    rows: int
    leads: int
    conversions: int
    log_loss: float
    """Of the calibrated scores of rows that the trees had not seen."""


Trained = tuple[Model, TrainingLog]


def learn(
    rows: Slice,
    recipe: Recipe,
    *,
    members: int = 1,
    manifest: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Find the number of trees and the calibrator by folds over leads, then grow the members on all rows.

    The trees of all folds grow together until the mean log loss of the rows they have not seen rises; these rows'
    scores at that number are what the calibrator is fitted to. Members differ by their seed. Into the manifest go
    `manifest` and the columns, the categories, the base rate, the seed, the parameters and the number of trees.

    Raises `SettingsError` for parameters that are unknown or would break the probabilities, `NotEnoughDataError` where
    fewer than `minimum_conversions` rows convert, or don't.
    """
    require_outcomes(rows, recipe.minimum_conversions)
    parameters = checked_parameters(recipe.parameters or {}, rows=len(rows.labels))
    categories = category_levels(rows.frame, recipe.categorical, minimum_rows=recipe.minimum_rows)
    matrix = encode(rows.frame, recipe.columns, categories)
    settings = {**parameters, "seed": recipe.seed, "num_threads": recipe.num_threads}
    data = _dataset(matrix, rows.labels, recipe.columns, categories)
    trees, scores = _cross_validated(data, matrix, rows, settings, progress)
    calibrator = fit_calibrator(scores, rows.labels, rows.leads, method=recipe.calibration, seed=recipe.seed)
    own_entries = {
        "columns": list(recipe.columns),
        "categories": categories,
        "base_rate": float(rows.labels.mean()),
        "parameters": parameters,
        "seed": recipe.seed,
        "trees": trees,
    }
    if clashing := own_entries.keys() & (manifest or {}).keys():
        raise ValueError(f"the learner itself writes into the manifest: {sorted(clashing)}")
    grown = [_grow(data, {**settings, "seed": recipe.seed + member}, trees) for member in range(members)]
    log = TrainingLog(
        trees=trees,
        calibration=calibrator["method"],
        rows=len(rows.labels),
        leads=len(np.unique(rows.leads)),
        conversions=rows.conversions,
        log_loss=log_loss(rows.labels, calibrate(calibrator, scores)),
    )
    return Model(tuple(grown), calibrator, {**(manifest or {}), **own_entries}), log


def require_outcomes(rows: Slice, minimum: int) -> None:
    """Raise `NotEnoughDataError` where fewer rows than the minimum convert, or don't."""
    converted = rows.conversions
    others = len(rows.labels) - converted
    if min(converted, others) >= minimum:
        return
    raise NotEnoughDataError(
        f"too few outcomes to learn from: {converted:,} rows convert and {others:,} don't, and at least {minimum:,} of "
        "each are needed. What helps: a longer log, a shorter horizon (more rows have a known outcome), or more "
        "snapshots per lead"
    )


def category_levels(frame: pd.DataFrame, categorical: Sequence[str], *, minimum_rows: int) -> dict[str, list[str]]:
    """Levels of each category column that at least `minimum_rows` rows have, in the order of their text."""
    levels = {}
    for column in categorical:
        rows = frame[column].value_counts(dropna=True)
        levels[column] = sorted(str(level) for level in rows.index[rows.to_numpy() >= minimum_rows])
    return levels


def log_loss(labels: NDArray[np.float64], probabilities: NDArray[np.float64]) -> float:
    """Mean log loss of probabilities strictly between 0 and 1."""
    return float(-np.mean(np.log(np.where(labels > 0, probabilities, 1.0 - probabilities))))


def _dataset(
    matrix: NDArray[np.float64],
    labels: NDArray[np.float64],
    columns: Sequence[str],
    categories: Mapping[str, Sequence[str]],
) -> lightgbm.Dataset:
    import lightgbm  # noqa: PLC0415 (it takes more than a second to import)

    return lightgbm.Dataset(
        matrix,
        label=labels,
        feature_name=_tree_names(columns),
        categorical_feature=[position for position, column in enumerate(columns) if column in categories],
    )


def _cross_validated(
    data: lightgbm.Dataset,
    matrix: NDArray[np.float64],
    rows: Slice,
    settings: Mapping[str, Parameter],
    progress: Progress | None,
) -> tuple[int, NDArray[np.float64]]:
    """Give the number of trees with the lowest mean log loss over the folds, and each row's score by unseen trees."""
    import lightgbm  # noqa: PLC0415 (it takes more than a second to import)

    fold_of_row = deal(rows.labels, rows.leads, seed=int(settings["seed"])).fold
    folds = [(np.flatnonzero(fold_of_row != fold), np.flatnonzero(fold_of_row == fold)) for fold in range(FOLDS)]
    patience = int(settings["early_stopping_round"])
    callbacks: list[Callable[..., Any]] = [lightgbm.early_stopping(patience, verbose=False)]
    if progress is not None:
        callbacks.append(lambda state: progress(state.iteration + 1, state.end_iteration))
    try:
        result = lightgbm.cv(
            _of_lightgbm(settings),
            data,
            int(settings["num_iterations"]),
            folds=folds,
            callbacks=callbacks,
            return_cvbooster=True,
        )
    except lightgbm.basic.LightGBMError as error:
        complaint = str(error).partition(" at /")[0]  # without the line of its source
        raise SettingsError(f"LightGBM refuses the parameters {dict(settings)}: {complaint}.") from error
    losses = result["valid binary_logloss-mean"]
    trees = int(np.argmin(losses)) + 1
    scores = np.empty(len(rows.labels))
    for booster, (_, held_out) in zip(result["cvbooster"].boosters, folds, strict=True):
        scores[held_out] = booster.predict(matrix[held_out], num_iteration=trees, raw_score=True)
    return trees, scores


def _grow(data: lightgbm.Dataset, settings: Mapping[str, Parameter], trees: int) -> str:
    import lightgbm  # noqa: PLC0415 (it takes more than a second to import)

    booster = lightgbm.train(_of_lightgbm(settings), data, trees)
    return without_settings(booster.model_to_string(num_iteration=trees))


def _of_lightgbm(settings: Mapping[str, Parameter]) -> dict[str, Any]:
    """Give settings as LightGBM takes them, with what makes a run repeat to the byte."""
    rounds = {"num_iterations", "early_stopping_round"}
    return {name: value for name, value in settings.items() if name not in rounds} | {
        "objective": "binary",
        "metric": "binary_logloss",
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }


def _tree_names(columns: Sequence[str]) -> list[str]:
    """Names that LightGBM accepts, for people who open the file; the manifest holds the real ones."""
    names = [re.sub(r"\W", "_", column) for column in columns]
    return [name if names.count(name) == 1 else f"{name}__column_{position}" for position, name in enumerate(names)]
