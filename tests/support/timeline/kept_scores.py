"""Scores as ``leadcast score`` keeps them, written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from features.core.recommendation import HISTORY, RECOMMENDATION
from pipeline.scoring.files import write_recommendations

_ROW: Mapping[str, object] = {
    "probability": 0.1, "score": 10.0, "maturity": "warm", "tier": "IQL", "facts": [], "list": "none",
    "reasons_for": [], "reasons_against": [], "reasons": [], "is_guess": False, "model_version": "m",
}  # fmt: skip


def keep(root: Path, as_of: datetime, leads: Mapping[str, Mapping[str, object]]) -> None:
    """Keep the scores of a moment (UTC) in a project: of each lead, what differs from one that nobody would call."""
    rows = [{**_ROW, "lead_id": lead, "as_of": as_of, **more} for lead, more in leads.items()]
    kept = [*RECOMMENDATION, *(field for field in HISTORY if field.name in rows[0])]
    table = pa.Table.from_pylist(rows, pa.schema([(field.name, field.arrow) for field in kept]))
    folder = root / f"data/scores/as_of={as_of:%Y-%m-%dT%H-%M-%S.%f}/model=m"
    write_recommendations(folder / "recommendations.parquet", table)
