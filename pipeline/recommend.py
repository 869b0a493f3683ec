"""The stage ``recommend``: the leads that are open at a moment in, recommendations out.

The stage takes the model just trained; ``pipeline.scoring.champion`` calls the same functions with the one in use.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from pipeline.core.project import RECOMMENDATIONS, RECOMMENDATIONS_CSV, SCORING, Progress
from pipeline.core.trained import open_trained
from pipeline.scoring.files import write_csv, write_recommendations, write_sums
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
    told = {"as_of": as_of.isoformat(), "model_version": model.version, **asdict(doubts)}
    write_sums(root / SCORING, recommendations, told)
