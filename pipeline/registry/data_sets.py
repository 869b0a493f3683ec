"""What a model learned from and what it was judged on, as MLflow's data sets: schema and counts, and never a lead."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
import pyarrow.parquet as pq

from models.core.model import Model
from pipeline.core.project import Places, fingerprint

_LONGEST_DIGEST = 36
LEARNED, ORIGINS = "learned from", "foretold at the origins"


class DataSet(NamedTuple):
    """A data set: its name and digest tie a metric to it."""

    name: str
    digest: str
    context: str
    """What it served for, as MLflow's pages name it: training or evaluation."""
    source: str
    schema: str
    profile: str


def data_sets(places: Places, model: Model, training: Mapping[str, Any], foretold: Mapping[str, Any]) -> list[DataSet]:
    """Describe the snapshots that were learned from, and those that were foretold at the origins."""
    columns = [
        {"type": "string" if name in model.categories else "double", "name": name, "required": False}
        for name in model.columns
    ]
    label = [{"type": "boolean", "name": "label", "required": True}]
    said = [{"type": "double", "name": "probability", "required": True}, {"type": "boolean", "name": "happened"}]
    learned = {
        "num_rows": training["rows"],
        "leads": training["leads"],
        "conversions": training["conversions"],
        "base_rate": _share(training["conversions"], training["rows"]),
        "from": model.manifest["trained_from"],
        "to": training["until"],
    }
    judged = {
        "num_rows": foretold["rows"],
        "leads": foretold["leads"],
        "conversions": foretold["conversions"],
        "base_rate": _share(foretold["conversions"], foretold["rows"]),
        "origins": [one["origin"][:10] for one in training["origins"]],
    }
    return [
        DataSet(
            LEARNED, fingerprint(places.matrix)[:_LONGEST_DIGEST], "training", _uri(places, "matrix"),
            json.dumps({"mlflow_colspec": [*columns, *label]}), json.dumps(learned),
        ),
        DataSet(
            ORIGINS, _of_questions(places), "evaluation", _uri(places, "foretold"),
            json.dumps({"mlflow_colspec": said}), json.dumps(judged),
        ),
    ]  # fmt: skip


def _of_questions(places: Places) -> str:
    """Give the digest of what was asked and what came of it: the same for all models that foretold the same."""
    rows = pq.read_table(places.foretold, columns=["lead_id", "as_of", "happened"]).to_pandas()
    rows = rows.sort_values(["lead_id", "as_of"])
    return hashlib.sha256(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes()).hexdigest()[
        :_LONGEST_DIGEST
    ]


def _uri(places: Places, name: str) -> str:
    return json.dumps({"uri": str(getattr(places, name).relative_to(places.root))})


def _share(part: float | None, whole: float | None) -> float | None:
    return round(part / whole, 5) if part is not None and whole else None
