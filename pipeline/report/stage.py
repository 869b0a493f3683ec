"""The stage ``report``: what came in, what the model is worth, and what it recommends, as text and as pages."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from pipeline.core.project import (
    LEADS_PAGE,
    PAGE,
    PICTURES,
    RECOMMENDATIONS,
    SPEND,
    SUMMARY,
    Progress,
    require,
    written_whole,
)
from pipeline.report.leads import leads_page
from pipeline.report.page import PICTURE_NAMES, PICTURES_OF_THE_MODEL, page
from pipeline.report.results import Results, Sections
from pipeline.report.text import summary


def run(parameters: Sections, root: Path, progress: Progress) -> None:
    """Write the summary and the page, which hold no leads, and the private page of leads."""
    results = Results.read(root)
    shown = PICTURE_NAMES if results.is_measured else PICTURES_OF_THE_MODEL
    pictures = {name: root / PICTURES / f"{name}.png" for name in shown}
    require(root / RECOMMENDATIONS, root / SPEND, *pictures.values())
    recommendations = pq.read_table(root / RECOMMENDATIONS)
    progress("writing the summary and the pages")
    texts = {
        SUMMARY: summary(parameters, results),
        PAGE: page(
            parameters,
            results,
            recommendations.drop_columns(["lead_id", "reasons"]).to_pandas(),
            pq.read_table(root / SPEND, columns=["channel", "cost", "clicks"]).to_pandas(),
            {name: path.read_bytes() for name, path in pictures.items()},
        ),
        LEADS_PAGE: leads_page(parameters, results, recommendations),
    }
    for path, text in texts.items():
        with written_whole(root / path) as temporary:
            temporary.write_text(text, encoding="utf-8")
