"""The files of the morning for the champion: what people open each day, written when ``leadcast score`` is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.core.project import Project, read_json
from pipeline.core.verdicts import read_verdicts
from pipeline.report.leads import Around
from pipeline.report.morning import Morning, write_morning
from pipeline.settings.parameters import Parameters


def write_live(project: Project[Parameters], scores: Path, decided: Path) -> Path:
    """Write what people open each morning, of what the champion has just foretold (``scores``); gives the page.

    ``decided`` is what was decided with it. Of verdicts, those stand that are about the same model.
    """
    scoring = read_json(decided)
    write_morning(
        project,
        Morning(
            scoring,
            pq.read_table(scores, partitioning=None),
            project.parameters.snapshots.horizon,
            list(_standing(project, scoring["model_version"])),
            project.live_leads_page,
            project.live_lead_lists,
            Around(scores.relative_to(project.root), has_report=project.page.exists()),
        ),
    )
    return project.live_leads_page


def _standing(project: Project[Parameters], model_version: str) -> Iterator[str]:
    """Give the titles of the verdicts that stand, where they are about this model."""
    if not (project.verdicts.exists() and project.training.exists()):
        return
    if read_json(project.training)["model_version"] == model_version:
        yield from (verdict.title for verdict in read_verdicts(project) if verdict.stands)
