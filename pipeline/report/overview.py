"""The files of those who spend the money: the page, what it says in short for a mail, and the KPIs as a workbook."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.project import write_json, written_whole
from pipeline.kpi.compute import Kpis
from pipeline.kpi.tables import table_by
from pipeline.kpi.workbook import kpi_workbook
from pipeline.report.index import Links, in_short, index_page
from pipeline.report.results import Results, Sections

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Overview:
    """Where they go, and what the page links to."""

    page: Path
    digest: Path
    workbook: Path
    links: Links


def write_overview(
    parameters: Sections, results: Results, recommendations: pd.DataFrame, told: Kpis, overview: Overview
) -> None:
    """Write the three of them, of the same figures; none holds a lead."""
    with written_whole(overview.page) as temporary:
        temporary.write_text(index_page(parameters, results, recommendations, told, overview.links), encoding="utf-8")
    with written_whole(overview.workbook) as temporary:
        temporary.write_bytes(kpi_workbook(table_by(told, "channel"), told, "channel", parameters.words))
    write_json(overview.digest, asdict(in_short(parameters, results, recommendations, told)))
