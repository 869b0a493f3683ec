"""The stage ``report``: what came in, what it cost, what the model is worth, what it recommends, as pages."""

from __future__ import annotations

import pyarrow.parquet as pq

from features.core.time import parse_duration
from pipeline.core.project import HERE, Progress, Project, require, written_whole
from pipeline.kpi.compute import compute
from pipeline.report.cut_offs import cut_offs_page
from pipeline.report.index import Links, moment_of, sales_until
from pipeline.report.leads import Around
from pipeline.report.model import PICTURE_NAMES, PICTURES_OF_THE_MODEL, model_page
from pipeline.report.morning import Morning, write_morning
from pipeline.report.overview import Overview, write_overview
from pipeline.report.results import Results, Sections
from pipeline.report.text import summary
from pipeline.wording.verdict_titles import standing_titles


def run(project: Project[Sections], progress: Progress) -> None:
    """Write the summary, three pages that hold no leads (index, model, cut-offs), and the private ones of leads."""
    results = Results.read(project)
    shown = PICTURE_NAMES if results.is_measured else PICTURES_OF_THE_MODEL
    pictures = {name: project.pictures / f"{name}.png" for name in shown}
    require(project.recommendations, *pictures.values())
    recommendations = pq.read_table(project.recommendations)
    counted = recommendations.drop_columns(["lead_id", "reasons"]).to_pandas()
    progress("counting what leads cost and bring")
    told = compute(project, project.recommendations, moment_of(results), sales_until=sales_until(results))
    progress("writing the summary and the pages")
    texts = {
        project.summary: summary(project.parameters, results),
        project.model_page: model_page(
            project.parameters, results, counted, {name: path.read_bytes() for name, path in pictures.items()}
        ),
        project.cut_offs_page: cut_offs_page(project.parameters, results, recommendations),
    }
    for path, text in texts.items():
        with written_whole(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    write_overview(
        project.parameters,
        results,
        counted,
        told,
        Overview(project.page, project.digest, project.kpi_workbook, Links()),
    )
    write_morning(
        project,
        Morning(
            results.scoring,
            recommendations,
            parse_duration(results.snapshots["horizon"]),
            standing_titles(results.verdicts, project.parameters.words.language),
            project.leads_page,
            project.lead_lists,
            Around(HERE.recommendations_csv),
        ),
    )
