"""The private page: the list of the morning, best first, a line a lead; the rest of what is known unfolds below it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.core.schema import WORKED
from pipeline.report.lines import Lines, Sections, back_to, share_of, shown_of, worked_of
from pipeline.report.looked_up import LookedUp
from pipeline.report.rendering import TEMPLATES, render
from pipeline.wording.locales import Writing
from pipeline.wording.texts import page_text
from pipeline.wording.todays_list import told_of_the_list
from pipeline.wording.unstated import told_of_the_unstated


@dataclass(frozen=True)
class Around:
    """Where a page of leads lies, and what lies about it."""

    all_leads: Path
    """The file that holds every open lead."""
    report: str | None = "../index.html"
    """Where the page is that names no lead; None where there is none."""
    model: str | None = "../model.html"
    """Where the page of the same model is; None where there is none."""
    lists: tuple[tuple[str, str], ...] = ()
    """The lists of one person or team each: whose it is, and the name of its file."""


def leads_page(
    parameters: Sections,
    scoring: Mapping[str, Any],
    standing: Collection[str],
    recommendations: pa.Table,
    horizon: timedelta,
    around: Around,
    looked_up: LookedUp,
) -> str:
    """Show today's list of sales by its ranks, then the others as they come: best first.

    ``scoring`` is what was decided, as data/scoring.json holds it; ``standing`` are the titles of verdicts that stand.
    """
    worked, shown = worked_of(recommendations), shown_of(recommendations)
    stories, language = scoring["stories"], parameters.words.language
    return render(
        "leads.html.jinja",
        **wording(parameters, scoring),
        around=around,
        horizon=Writing(language).length(horizon),
        leads=Lines(parameters, looked_up).of(shown),
        tiers=_counted(shown["tier"], WORKED),
        owners=_owners(shown),
        unexplained=[tier for tier in WORKED if tier not in parameters.recommend.reasons_for],
        denied=stories["denied"] / stories["moved"] if stories["moved"] else 0.0,
        mql=scoring["cut_offs"]["MQL"],
        today=told_of_the_list(scoring, language),
        unstated=told_of_the_unstated(scoring, language),
        later=_later(parameters, recommendations, looked_up),
        left_out=len(worked) - len(shown),
        waiting=len(recommendations) - recommendations["probability"].null_count - len(worked),
        standing=list(standing),
        script=(TEMPLATES / "leads.js").read_text(encoding="utf-8"),
    )


def wording(parameters: Sections, scoring: Mapping[str, Any]) -> dict[str, object]:
    """Give what templates say of leads by: the language, its texts and shares, and the moment."""
    language = parameters.words.language
    return {
        "language": language,
        "t": lambda name, *number, **filled: page_text(name, language, *number, **filled),
        "share": lambda share: share_of(share, language),
        "as_of": Writing(language).moment(datetime.fromisoformat(scoring["as_of"]), parameters.decision.time_zone),
        "renamed": ", ".join(scoring.get("renamed", ())),
        "fields": [name for name in parameters.leads.shown.columns if name != "name"],
    }


def _counted(column: pa.ChunkedArray, names: Collection[str]) -> list[tuple[str, int]]:
    values = column.to_pylist()
    return [(name, values.count(name)) for name in names]


def _owners(shown: pa.Table) -> list[tuple[str | None, int]]:
    """Count the leads of each owner, those of nobody last; none where nobody owns any."""
    owners = shown["owner"].to_pylist()
    named: list[str | None] = [*sorted(set(filter(None, owners)))]
    if not named:
        return []
    return [(owner, owners.count(owner)) for owner in [*named, *([None] if None in owners else [])]]


def _later(parameters: Sections, recommendations: pa.Table, looked_up: LookedUp) -> dict[str, object]:
    """Give whom to come back to, who is due first, and how many are to be closed or are left out."""
    again, told = back_to(recommendations), recommendations.filter(pc.is_valid(recommendations["recontact_why"]))
    due = recommendations.filter(pc.is_valid(recommendations["recontact_on"]))
    leads = again.select(["lead_id", "tier", "recontact_on", "recontact_why"]).to_pylist()
    lines = Lines(parameters, looked_up)
    return {
        "leads": [lead | lines.named(lead["lead_id"]) for lead in leads],
        "left_out": len(due) - len(again),
        "to_close": len(told) - len(due),
    }
