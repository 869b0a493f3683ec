"""The parameters of LightGBM: our defaults, which may be set, and which are refused, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from features.core.errors import SettingsError, nearest

Parameter = bool | float | str
Kind = Literal["none", "platt", "beta", "quadratic", "isotonic"]
"""How scores become probabilities, the simplest first; `models.core.calibrators` has the formulas."""
Method = Literal["auto", Kind]
Rung = Literal["base_rates", "logistic", "trees", "stack"]
"""How raw scores are made of a row, the simplest first; `models.learning.ladder` takes one."""
RUNGS: tuple[Rung, ...] = get_args(Rung)

# Small trees, each on a third of the features, which are many ways to say the same, and on other rows each time: chosen
# by folds over leads on two logs of ten thousand and of ninety thousand rows. Slower learning gained nothing there.
DEFAULTS: dict[str, Parameter] = {
    "num_iterations": 2000,
    "early_stopping_round": 20,
    "learning_rate": 0.1,
    "num_leaves": 8,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 20.0,
}

MANY_ROWS = 500_000

TUNABLE = frozenset(DEFAULTS) | {
    "cat_l2",
    "cat_smooth",
    "extra_trees",
    "feature_fraction_bynode",
    "lambda_l1",
    "max_bin",
    "max_cat_threshold",
    "max_cat_to_onehot",
    "max_depth",
    "min_data_in_bin",
    "min_data_per_group",
    "min_gain_to_split",
    "min_sum_hessian_in_leaf",
    "path_smooth",
}

_REWEIGHTS = "it changes the share of conversions that the trees see, so probabilities no longer mean what they say"
_FIXED = "the learner sets it itself, so that a run repeats to the byte"
REFUSED = {
    "scale_pos_weight": _REWEIGHTS,
    "is_unbalance": _REWEIGHTS,
    "unbalance": _REWEIGHTS,
    "unbalanced_sets": _REWEIGHTS,
    "class_weight": _REWEIGHTS,
    "pos_bagging_fraction": _REWEIGHTS,
    "neg_bagging_fraction": _REWEIGHTS,
    "objective": "probabilities are learned by the log loss and by nothing else",
    "metric": "trees are stopped by the log loss and by nothing else",
    "deterministic": _FIXED,
    "force_row_wise": _FIXED,
    "force_col_wise": _FIXED,
    "seed": f"{_FIXED}; the seed is a setting of its own",
    "num_threads": "it doesn't belong to the model, which is the same for any number of threads",
}


def checked_parameters(parameters: Mapping[str, Parameter], *, rows: int) -> dict[str, Parameter]:
    """Lay `parameters` over the defaults, those that fit a slice of so many rows.

    Raises `SettingsError` that names every parameter that is unknown or refused, and why.
    """
    problems = [
        f"{name} is refused: {REFUSED[name]}"
        if name in REFUSED
        else f"{name} is no parameter of the learner, {nearest(name, TUNABLE)}"
        for name in parameters
        if name not in TUNABLE
    ]
    problems += [
        f"{name} must be a positive number, but is {parameters[name]!r}"
        for name in ("num_iterations", "early_stopping_round")
        if not (isinstance(value := parameters.get(name, 1), int) and value > 0)
    ]
    if problems:
        raise SettingsError("the learner's parameters are wrong: " + "; ".join(problems) + ".")
    # A leaf of fifty rows is coarse where there are only a thousand; millions of rows bear larger trees.
    adapted = {
        "min_data_in_leaf": min(int(DEFAULTS["min_data_in_leaf"]), max(20, rows // 100)),
        "num_leaves": int(DEFAULTS["num_leaves"]) if rows < MANY_ROWS else 31,
    }
    return {**DEFAULTS, **adapted, **parameters}
