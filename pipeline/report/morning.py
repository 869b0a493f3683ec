"""The files of the morning: the page of all leads to work on, and one page and workbook for each who works on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.project import Project, written_whole
from pipeline.report.leads import Around, leads_page
from pipeline.report.lines import Sections, back_to, shown_of
from pipeline.report.lists import write_lists
from pipeline.report.looked_up import LookedUp, last_acts, people_of, territories_of


@dataclass(frozen=True)
class Morning:
    """What was recommended, and where its pages go."""

    scoring: Mapping[str, Any]
    """What was decided, as data/scoring.json holds it."""
    recommendations: pa.Table
    horizon: timedelta
    standing: Sequence[str]
    """The titles of verdicts that stand."""
    page: Path
    lists: Path
    around: Around


def write_morning(project: Project[Sections], morning: Morning) -> None:
    """Write the page of leads, and the folder of lists, which holds those of today alone.

    Raises SettingsError where ``leads.shown`` names a column that the table of leads lacks.
    """
    parameters, shown = project.parameters, shown_of(morning.recommendations)
    leads = shown["lead_id"].to_pylist()
    again = back_to(morning.recommendations)["lead_id"].to_pylist()
    as_of = datetime.fromisoformat(morning.scoring["as_of"])
    called = shown.filter(pc.equal(shown["list"], "sales"))
    looked_up = LookedUp(
        last_acts(project, leads, as_of),
        territories_of(project, leads, parameters.decision.territory),
        people_of(project, parameters.leads.shown, [*leads, *again], as_of),
    )
    with written_whole(morning.lists) as folder:
        lists = write_lists(folder, parameters, morning.scoring, morning.standing, called, looked_up)
    around = replace(morning.around, lists=tuple(lists))
    text = leads_page(
        parameters,
        morning.scoring,
        morning.standing,
        morning.recommendations,
        morning.horizon,
        around,
        looked_up,
    )
    with written_whole(morning.page) as temporary:
        temporary.write_text(text, encoding="utf-8")
