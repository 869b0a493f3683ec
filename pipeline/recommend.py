"""The stage ``recommend``: the leads that are open at a moment in, recommendations out.

The stage takes the model just trained; ``pipeline.scoring.champion`` calls the same functions with the one in use.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.project import (
    RECOMMENDATIONS,
    RECOMMENDATIONS_CSV,
    SCORING,
    Progress,
    write_json,
)
from pipeline.core.trained import open_trained
from pipeline.scoring.files import write_csv, write_recommendations
from pipeline.scoring.open_leads import Sections, check, recommend, stated_moment


def run(parameters: Sections, root: Path, progress: Progress) -> None:
    """Score every open lead with the model just trained at the ``as_of`` of the parameters."""
    model = open_trained(root)
    as_of = stated_moment(parameters, root)
    recommendations, doubts = recommend(parameters, root, model, as_of, progress)
    check(recommendations, parameters.recommend.reasons_for)
    (root / SCORING).unlink(missing_ok=True)  # the summary stands beside what it sums up, or not at all
    write_recommendations(root / RECOMMENDATIONS, recommendations)
    write_csv(root / RECOMMENDATIONS_CSV, recommendations)
    write_json(
        root / SCORING,
        {
            "as_of": as_of.isoformat(),
            "leads": len(recommendations),
            **asdict(doubts),
            "expected_conversions": float(recommendations["probability"].to_numpy().sum()),
            "model_version": model.version,
            "tiers": _counts(recommendations["tier"]),
            "maturities": _counts(recommendations["maturity"]),
        },
    )


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {count["values"]: count["counts"] for count in pc.value_counts(column).to_pylist()}
