"""The files of the morning for the champion: what people open each day, written when ``leadcast score`` is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.core.verdicts import Verdict, found
from pipeline.core.project import Progress, Project, read_json
from pipeline.core.suspensions import read_suspensions
from pipeline.core.verdicts import read_verdicts
from pipeline.kpi.compute import compute
from pipeline.kpi.history import first_proposed
from pipeline.log.history import observe
from pipeline.report.index import Links, moment_of
from pipeline.report.leads import Around
from pipeline.report.morning import Morning, write_morning
from pipeline.report.overview import Overview, write_overview
from pipeline.report.results import Results
from pipeline.settings.parameters import Parameters
from pipeline.wording.verdict_titles import standing_titles


def write_live(project: Project[Parameters], scores: Path, decided: Path, progress: Progress) -> None:
    """Write what people open each morning, of what the champion has just foretold (``scores``).

    ``decided`` is what was decided with it. Of verdicts, those stand that are about the same model, and that a promise
    of it is broken, as the monitor or a person has suspended it. What leads cost and bring needs what the stages found;
    where they have not run here, that page is left out, and it is told.
    """
    scoring, recommendations = read_json(decided), pq.read_table(scores, partitioning=None)
    has_run = all(path.exists() for path in Results.files(project))
    model = _Judged.of(project, scoring["model_version"])
    write_morning(
        project,
        Morning(
            scoring,
            recommendations,
            project.parameters.snapshots.horizon,
            standing_titles(model.verdicts, project.parameters.words.language),
            project.live_leads_page,
            project.live_lead_lists,
            Around(scores.relative_to(project.root), "index.html" if has_run else None, model.page),
        ),
    )
    progress(f"wrote {project.live_leads_page}, and beside it a list for each who works on leads today")
    if not has_run:
        for former in (project.live_page, project.live_digest, project.live_kpi_workbook):
            former.unlink(missing_ok=True)
        progress("what leads cost and bring is left out, for the stages have not run here: dvc repro (or leadcast run)")
        return
    _write_overview(project, scores, recommendations, scoring, model)
    progress(f"wrote {project.live_page}, of what leads cost and bring, and {project.live_kpi_workbook}")


@dataclass(frozen=True)
class _Judged:
    """What was found here of the champion: much where it is the model that was trained last, else what is suspended."""

    is_it: bool
    verdicts: list[Verdict]
    page: str | None
    """Its page, from where the live ones are."""
    cut_offs: str | None
    """The page that chooses cut-offs by its chances."""

    @classmethod
    def of(cls, project: Project[Parameters], version: str) -> _Judged:
        """Look what there is of a version of a model."""
        broken = [
            found("promise_broken", one.reason or one.named, subject=one.named)
            for one in read_suspensions(project)
            if one.holds(version)
        ]
        if not project.training.exists() or read_json(project.training)["model_version"] != version:
            return cls(is_it=False, verdicts=broken, page=None, cut_offs=None)
        verdicts = [*(read_verdicts(project) if project.verdicts.exists() else []), *broken]
        page, cut_offs = (
            f"../{path.name}" if path.exists() else None for path in (project.model_page, project.cut_offs_page)
        )
        return cls(is_it=True, verdicts=verdicts, page=page, cut_offs=cut_offs)


def _write_overview(
    project: Project[Parameters], scores: Path, recommendations: pa.Table, scoring: Mapping[str, Any], model: _Judged
) -> None:
    """Count anew, for the log has grown since the stages ran, and write the page of it."""
    judged, observation = Results.read(project), observe(project)
    results = replace(
        judged,
        scoring=dict(scoring),
        snapshots={**judged.snapshots, "observed_until": observation.outcomes_until.isoformat()},
        verdicts=model.verdicts,
        is_of_another_model=not model.is_it,
    )
    as_of = moment_of(results)
    within = project.parameters.recommend.maximum_age
    told = compute(project, scores, as_of, first_proposed(project, as_of, within), known_sales(project))
    write_overview(
        project.parameters,
        results,
        recommendations.select(["tier", "probability"]).to_pandas(),
        told,
        Overview(
            project.live_page,
            project.live_digest,
            project.live_kpi_workbook,
            Links(project.live_leads_page.name, model.page, model.cut_offs),
        ),
    )


def known_sales(project: Project[Parameters]) -> datetime:
    """Give the moment (UTC) up to which sales are known by the log as it is now."""
    return observe(project).sales_until
