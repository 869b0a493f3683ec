"""The private page: the leads that are worth somebody's time, best first, each with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.core.schema import WORKED, Language
from features.core.time import parse_duration
from models.core.horizons import column_of
from pipeline.core.project import HERE
from pipeline.report.rendering import TEMPLATES, moment, percent, render
from pipeline.report.results import Results, Sections
from pipeline.wording.locales import Writing
from pipeline.wording.texts import page_text
from pipeline.wording.todays_list import told_of_the_list
from pipeline.wording.unstated import told_of_the_unstated

MOST_LEADS = 500
"""Rows that a page still shows at once; all leads are in the CSV file."""
_SHOWN = (
    "lottery_group", "maturity", "stage", "facts", "own_tier", "word", "list", "rank", "list_reason", "owner",
    "recontact_why", "next_step",
)  # fmt: skip
_DIGITS_OF = 0.05
"""A share that has the digits of all."""
_OPEN_FOR, _OPEN_AGAINST = 2, 1
"""Reasons that stand open; the others unfold."""


def leads_page(parameters: Sections, results: Results, recommendations: pa.Table) -> str:
    """Show today's list of sales by its ranks, then the others as they come: best first."""
    language, stories = parameters.words.language, results.scoring["stories"]
    opened = recommendations.filter(pc.is_valid(recommendations["probability"]))
    # Who was handed over and forgotten is on the list whatever its tier.
    worked = opened.filter(pc.or_(pc.is_in(opened["tier"], pa.array(WORKED)), pc.equal(opened["list"], "sales")))
    called = pc.equal(worked["list"], "sales")
    today = worked.filter(called).sort_by("rank")
    shown = pa.concat_tables([today, worked.filter(pc.invert(called))]).slice(0, MOST_LEADS).to_pylist()
    columns = [name for name in worked.column_names if name.startswith(column_of(""))]
    others = [(name.removeprefix(column_of("")), name) for name in columns]
    return render(
        "leads.html.jinja",
        leads=[
            {
                "id": lead["lead_id"],
                "tier": lead["tier"],
                **{name: lead[name] for name in _SHOWN},
                "stage": lead["stage"] and parameters.words.labels.noun("milestones", lead["stage"]),
                "probability": lead["probability"],
                "others": [(horizon, lead[name]) for horizon, name in others],
                "guess": lead["guess"],
                "grade": lead["grade"],
                # Where nothing could be compared there is nothing to say.
                "trend": lead["what_changed"] and lead["trend"],
                "what_changed": lead["what_changed"],
                "reasons": _reasons(lead, slice(0, _OPEN_FOR), slice(0, _OPEN_AGAINST)),
                "more_reasons": _reasons(lead, slice(_OPEN_FOR, None), slice(_OPEN_AGAINST, None)),
            }
            for lead in shown
        ],
        waits=("account", "capacity", "no owner", "untouched"),
        tiers=[(tier, sum(lead["tier"] == tier for lead in shown)) for tier in WORKED],
        unexplained=[tier for tier in WORKED if tier not in parameters.recommend.reasons_for],
        denied=stories["denied"] / stories["moved"] if stories["moved"] else 0.0,
        mql=results.scoring["cut_offs"]["MQL"],
        language=language,
        t=lambda name, *number, **filled: page_text(name, language, *number, **filled),
        share=lambda share: _share(share, language),
        today=told_of_the_list(results.scoring, language),
        unstated=told_of_the_unstated(results.scoring, language),
        later=_later(recommendations),
        left_out=len(worked) - len(shown),
        waiting=len(opened) - len(worked),
        horizon=Writing(language).length(parse_duration(results.snapshots["horizon"])),
        as_of=moment(results.scoring["as_of"], parameters.decision.time_zone),
        all_leads=HERE.recommendations_csv,
        standing=[verdict.title for verdict in results.verdicts if verdict.stands],
        script=(TEMPLATES / "leads.js").read_text(encoding="utf-8"),
    )


def _share(share: float, language: Language) -> str:
    """Write a probability, all with as many digits, so that they stand below each other."""
    written = percent(share, _DIGITS_OF)
    return written.replace(".", ",") if language == "fr" else written


def _reasons(lead: Mapping[str, Any], speak_for: slice, against: slice) -> list[tuple[str, str, str]]:
    """Give some reasons, each as its direction, its story, and the figures behind it."""
    both = [("raises", one) for one in lead["reasons_for"][speak_for]]
    both += [("lowers", one) for one in lead["reasons_against"][against]]
    parted = [(direction, *reason.partition(". ")) for direction, reason in both]
    return [(direction, story + point.strip(), figures) for direction, story, point, figures in parted]


def _later(recommendations: pa.Table) -> dict[str, object]:
    """Give whom to come back to, who is due first, and how many are to be closed or are left out."""
    again = recommendations.filter(pc.is_valid(recommendations["recontact_on"]))
    told = recommendations.filter(pc.is_valid(recommendations["recontact_why"]))
    shown = again.sort_by([("recontact_on", "ascending"), ("lead_id", "ascending")]).slice(0, MOST_LEADS)
    return {
        "leads": shown.select(["lead_id", "tier", "recontact_on", "recontact_why"]).to_pylist(),
        "left_out": len(again) - len(shown),
        "to_close": len(told) - len(again),
    }
