"""How close the model comes to the best that anyone could say: on the sample world, after a run on it.

The simulator knows, for each lead and Monday, the probability of conversion given all that was seen (p_observable,
the limit of any model) and given the hidden intent too (p_hidden): ``leadcast sample --truth`` writes both. The share
of the attainable is free of the noise of what happened: log losses are expected ones under p_observable.
Run: .venv/bin/python benchmarks/limit.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from pipeline.core.project import HERE

TRUTH = Path("data/raw/truth.parquet")


def main() -> None:
    """Print ranking and loss of the model, the limit and the oracle on the Mondays that were foretold."""
    if not TRUTH.exists():
        raise SystemExit(f"there is no {TRUTH}: empty its folder, then leadcast sample --truth and dvc repro")
    labels = pq.read_table(HERE.matrix, columns=["lead_id", "as_of", "label"]).to_pandas()
    rows = pq.read_table(HERE.foretold).to_pandas().rename(columns={"probability": "model"})
    rows = rows.merge(labels, on=["lead_id", "as_of"])
    truth = pd.read_parquet(TRUTH)[["lead_id", "as_of", "p_observable", "p_hidden"]]
    both = rows.merge(truth, on=["lead_id", "as_of"])
    headings = ("who says it", "ROC AUC", "average precision", "log loss", "share of the attainable", "mean")
    table = Table(*headings, title=f"{len(both):,} snapshots")
    base = pd.Series(both["label"].mean(), both.index)
    limit = both["p_observable"]
    attainable = expected_loss(limit, base) - expected_loss(limit, limit)
    for name, column in {
        "nobody (the base rate)": base,
        "the model": both["model"],
        "the limit: all that was seen": limit,
        "an oracle: the hidden intent": both["p_hidden"],
    }.items():
        clipped = column.clip(1e-6, 1 - 1e-6)
        figures = [roc_auc_score, average_precision_score, log_loss]
        share = (expected_loss(limit, base) - expected_loss(limit, column)) / attainable
        # The oracle says what nobody could attain, and is wrong of what could be seen.
        shown = "" if name.startswith("an oracle") else f"{share:.3f}"
        cells = (f"{figure(both['label'], clipped):.4f}" for figure in figures)
        table.add_row(name, *cells, shown, f"{column.mean():.4f}")
    Console().print(table)


def expected_loss(limit: pd.Series, said: pd.Series) -> float:
    """Log loss of what is said, on average over what may happen under the limit."""
    likely: NDArray[np.float64] = limit.to_numpy()
    clipped = said.clip(1e-6, 1 - 1e-6).to_numpy()
    return float(-(likely * np.log(clipped) + (1 - likely) * np.log1p(-clipped)).mean())


if __name__ == "__main__":
    main()
