"""The stage ``recommend``: the leads that are open at a moment in, recommendations out.

The stage takes the model just trained; ``pipeline.scoring.champion`` calls the same functions with the one in use.
"""

from __future__ import annotations

from pipeline.core.project import Progress, Project
from pipeline.core.trained import open_trained
from pipeline.scoring.changes import since_last
from pipeline.scoring.comparing import LastScore
from pipeline.scoring.files import write_csv, write_recommendations, write_sums
from pipeline.scoring.open_leads import Sections, check, recommend, stated_moment


def run(project: Project[Sections], progress: Progress) -> None:
    """Score every open lead with the model just trained at the ``as_of`` of the parameters."""
    model = open_trained(project)
    as_of = stated_moment(project)
    compare_to = project.parameters.recommend.compare_to
    last = None if compare_to is None else LastScore(as_of - compare_to, model, is_todays_model=True)
    recommendations, doubts, decided = recommend(project, model, as_of, progress, None, last)
    check(recommendations, project.parameters.recommend.reasons_for, model.steps)
    project.scoring.unlink(missing_ok=True)  # the summary stands beside what it sums up, or not at all
    write_recommendations(project.recommendations, recommendations)
    write_csv(project.recommendations_csv, recommendations, project.parameters.words.language)
    told = {"as_of": as_of.isoformat(), "model_version": model.version, **doubts.as_json(), **decided.as_json()}
    if last is not None:
        told["since_last"], _ = since_last(decided, model.version, recommendations)
    write_sums(project.scoring, recommendations, told)
