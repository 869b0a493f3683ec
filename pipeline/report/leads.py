"""The private page: the leads that are worth somebody's time, best first, each with its reasons."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from features.core.schema import GUESSES, WORKED
from models.core.horizons import column_of
from models.decision.todays_list import told_of_the_list
from models.decision.unstated import told_of_the_unstated
from pipeline.core.project import HERE
from pipeline.report.rendering import TEMPLATES, duration_in_words, moment, render
from pipeline.report.results import Results, Sections

MOST_LEADS = 500
"""Rows that a page still shows at once; all leads are in the CSV file."""
_SHOWN = (
    "maturity",
    "stage",
    "facts",
    "own_tier",
    "word",
    "list",
    "rank",
    "list_reason",
    "owner",
    "recontact_why",
    "next_step",
)


def leads_page(parameters: Sections, results: Results, recommendations: pa.Table) -> str:
    """Show today's list of sales by its ranks, then the others as they come: best first."""
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
                "probability": lead["probability"],
                "others": [(horizon, lead[name]) for horizon, name in others],
                "guess": lead["guess"] and GUESSES[lead["guess"]],
                "grade": lead["grade"],
                "reasons": [
                    *(("raises", reason) for reason in lead["reasons_for"]),
                    *(("lowers", reason) for reason in lead["reasons_against"]),
                ],
            }
            for lead in shown
        ],
        waits=("account", "capacity", "no owner", "untouched"),
        tiers=[(tier, sum(lead["tier"] == tier for lead in shown)) for tier in WORKED],
        unexplained=[tier for tier in WORKED if tier not in parameters.recommend.reasons_for],
        mql=results.scoring["cut_offs"]["MQL"],
        today=told_of_the_list(results.scoring, parameters.words.language),
        unstated=told_of_the_unstated(results.scoring, parameters.words.language),
        later=_later(recommendations),
        left_out=len(worked) - len(shown),
        waiting=len(opened) - len(worked),
        horizon=duration_in_words(results.snapshots["horizon"]),
        as_of=moment(results.scoring["as_of"], parameters.decision.time_zone),
        all_leads=HERE.recommendations_csv,
        standing=[verdict.title for verdict in results.verdicts if verdict.stands],
        script=(TEMPLATES / "leads.js").read_text(encoding="utf-8"),
    )


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
