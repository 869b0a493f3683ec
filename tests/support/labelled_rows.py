"""Rows whose true conversion probability is known, for the tests of what learns from them; and a model of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.core.additive import Additive, Term
from models.core.horizons import Step
from models.core.model import Model
from models.core.slices import Slice
from models.learning.learner import Recipe, learn

COLUMNS = ["clicks", "age", "noise", "source", "constant", "never known"]
CATEGORICAL = ["source"]
QUICK: dict[str, bool | float | str] = {"num_iterations": 60, "learning_rate": 0.1, "early_stopping_round": 20}
"""Parameters that learn in a tenth of a second."""


def draw_rows(rows: int, *, seed: int) -> tuple[Slice, NDArray[np.float64]]:
    """Rows of leads that have about three each, and the probability by which each label was drawn: shape (rows,)."""
    generator = np.random.default_rng(seed)
    clicks = generator.poisson(2.0, rows).astype(np.float64)
    age = generator.exponential(1.0, rows)
    source = generator.choice(np.array(["web", "mail", "fax", "fair"]), rows, p=[0.55, 0.3, 0.149, 0.001])
    clicks_known = generator.random(rows) < 0.9
    source_known = generator.random(rows) < 0.8
    log_odds = -3.2 + 0.6 * np.where(clicks_known, clicks, 1.0) - 0.8 * age + 1.2 * (source_known & (source == "mail"))
    probabilities = 1.0 / (1.0 + np.exp(-log_odds))
    frame = pd.DataFrame(
        {
            "source": pd.Series(source).where(source_known, None).to_numpy(dtype=object),
            "never known": np.full(rows, np.nan),
            "noise": generator.normal(size=rows),
            "constant": np.ones(rows),
            "age": age,
            "clicks": pd.array(np.where(clicks_known, clicks, np.nan), dtype="Float64"),
        },
        index=generator.integers(0, 3, rows),  # an index that means nothing
    )
    labels = (generator.random(rows) < probabilities).astype(np.float64)
    leads = np.array([f"lead {number}" for number in generator.integers(0, max(1, rows // 3), rows)])
    return Slice(frame=frame, labels=labels, leads=leads), probabilities


PLATT = {"method": "platt", "slope": 0.5, "intercept": -1.0}
STEPS = (
    Step("7d", "shorter", Additive(0.25, (Term("clicks", "log", weight=0.5),)), {}, PLATT),
    Step("60d", "longer", Additive(-1.0, (Term("source", "level", 1.0, weight=2.0),)), {"source": ["mail"]}, PLATT),
)


def learn_three(rows: Slice) -> Model:
    """Learn a model of three members that differ: each draws half of the rows anew for each tree."""
    parameters = {**QUICK, "bagging_fraction": 0.5, "bagging_freq": 1}
    recipe = Recipe(COLUMNS, CATEGORICAL, parameters, calibration="platt", seed=4, num_threads=1)
    learned, _ = learn(rows, recipe, members=3, manifest={"horizon": "30d", "größe": 0.1})
    assert len(set(learned.members)) == 3
    return learned


def with_horizons(model: Model) -> Model:
    """Give a model two other horizons."""
    return dataclasses.replace(model, steps=STEPS)
