"""The stage ``report``: what came in, what the model is worth, and what it recommends, as text and as pages."""

from __future__ import annotations

import pyarrow.parquet as pq

from pipeline.core.project import Progress, Project, require, written_whole
from pipeline.report.cut_offs import cut_offs_page
from pipeline.report.leads import leads_page
from pipeline.report.page import PICTURE_NAMES, PICTURES_OF_THE_MODEL, page
from pipeline.report.results import Results, Sections
from pipeline.report.text import summary


def run(project: Project[Sections], progress: Progress) -> None:
    """Write the summary, the page and that of the cut-offs, which hold no leads, and the private page of leads."""
    results = Results.read(project)
    shown = PICTURE_NAMES if results.is_measured else PICTURES_OF_THE_MODEL
    pictures = {name: project.pictures / f"{name}.png" for name in shown}
    require(project.recommendations, project.spend, *pictures.values())
    recommendations = pq.read_table(project.recommendations)
    progress("writing the summary and the pages")
    texts = {
        project.summary: summary(project.parameters, results),
        project.page: page(
            project.parameters,
            results,
            recommendations.drop_columns(["lead_id", "reasons"]).to_pandas(),
            pq.read_table(project.spend, columns=["channel", "cost", "clicks"]).to_pandas(),
            {name: path.read_bytes() for name, path in pictures.items()},
        ),
        project.cut_offs_page: cut_offs_page(project.parameters, results, recommendations),
        project.leads_page: leads_page(project.parameters, results, recommendations),
    }
    for path, text in texts.items():
        with written_whole(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
