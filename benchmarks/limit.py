"""How close the model comes to the best that anyone could say: on the sample world, after ``make run``.

The simulator knows, for each lead and Monday, the probability of conversion given all that was seen (p_observable,
the limit of any model) and given the hidden intent too (p_hidden). Run: .venv/bin/python benchmarks/limit.py
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from pipeline.core.project import HERE
from pipeline.core.trained import open_trained

TRUTH = Path("data/raw/truth.parquet")


def main() -> None:
    """Print ranking and loss of the model, the limit and the oracle on the Mondays of the test part."""
    rows = pq.read_table(HERE.matrix, filters=[("part", "==", "test")]).to_pandas()
    rows["model"] = open_trained(HERE).predict(rows)
    truth = pd.read_parquet(TRUTH)[["lead_id", "as_of", "p_observable", "p_hidden"]]
    both = rows.merge(truth, on=["lead_id", "as_of"])
    table = Table("who says it", "ROC AUC", "average precision", "log loss", "mean", title=f"{len(both):,} snapshots")
    base = both["label"].mean()
    for name, column in {
        "nobody (the base rate)": pd.Series(base, both.index),
        "the model": both["model"],
        "the limit: all that was seen": both["p_observable"],
        "an oracle: the hidden intent": both["p_hidden"],
    }.items():
        clipped = column.clip(1e-6, 1 - 1e-6)
        figures = [roc_auc_score, average_precision_score, log_loss]
        table.add_row(name, *(f"{figure(both['label'], clipped):.4f}" for figure in figures), f"{column.mean():.4f}")
    Console().print(table)


if __name__ == "__main__":
    main()
