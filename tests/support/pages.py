"""The pages as a reader sees them."""

from __future__ import annotations

import re

import pyarrow as pa

from features.core.time import parse_duration
from pipeline.core.project import HERE
from pipeline.report.leads import Around, leads_page
from pipeline.report.lines import Sections
from pipeline.report.looked_up import LookedUp
from pipeline.report.results import Results


def words(html: str) -> str:
    """Leave the words that a reader sees, a space between them."""
    html = re.sub(r"(?s)<(style|script)>.*?</\1>|<[^>]+>", " ", html)
    return re.sub(r"\s+", " ", html)


def page_of_leads(
    parameters: Sections, results: Results, recommendations: pa.Table, looked_up: LookedUp | None = None
) -> str:
    """Make the private page as the stage does, of what was found; nothing is looked up where nothing is given."""
    return leads_page(
        parameters,
        results.scoring,
        [verdict.title for verdict in results.verdicts if verdict.stands],
        recommendations,
        parse_duration(results.snapshots["horizon"]),
        Around(HERE.recommendations_csv),
        looked_up or LookedUp(),
    )
