"""Rows whose true conversion probability is known, for the tests of what learns from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.core.slices import Slice

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
