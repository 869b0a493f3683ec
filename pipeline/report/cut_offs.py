"""The page on which a person chooses the cut-offs: what becomes of the leads as they move. It names none of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.core.schema import Tier
from models.decision.tiers import CUT_OFFS_FROM, WHO_DOES_WHAT, CutOffs
from models.decision.what_if import COLUMNS, OpenLeads
from pipeline.report.rendering import TEMPLATES, duration_in_words, moment, render
from pipeline.report.results import Results, Sections

_SHOWN: tuple[Tier, ...] = ("disqualified", "SQL", "recycled", "MQL", "IQL")


def cut_offs_page(parameters: Sections, results: Results, recommendations: pa.Table) -> str:
    """Show the cut-offs with hands on them, what they mean now, and the lines of params.yaml that keep a choice."""
    scoring = results.scoring
    opened = recommendations.filter(pc.is_valid(recommendations["probability"])).select(list(COLUMNS))
    return render(
        "cut-offs.html.jinja",
        given=_given(parameters, results, opened),
        cuts=scoring["cut_offs"],
        cuts_from=CUT_OFFS_FROM[scoring["cut_offs_from"]],
        tiers=[(tier, WHO_DOES_WHAT[tier]) for tier in _SHOWN],
        leads=len(opened),
        currency=parameters.ingest.currency,
        horizon=duration_in_words(results.snapshots["horizon"]),
        as_of=moment(scoring["as_of"], parameters.decision.time_zone),
        script=(TEMPLATES / "cut-offs.js").read_text(encoding="utf-8"),
    )


def _given(parameters: Sections, results: Results, opened: pa.Table) -> dict[str, Any]:
    """Gather what the script computes with."""
    policy, scoring = parameters.decision, results.scoring
    usual = policy.usual_value
    cuts = CutOffs(scoring["cut_offs"]["MQL"], scoring["cut_offs"]["SQL"])
    leads = OpenLeads.of(opened.to_pandas(), policy.facts, usual)
    return {
        "from": scoring["cut_offs_from"],
        "base_rate": scoring["base_rate"],
        "tiers": {"mql": cuts.mql, "sql": cuts.sql},
        "multiples": asdict(policy.multiples),
        "money": policy.money and {name: getattr(policy.money, name) for name in _MONEY},
        "spread": leads.spread(usual, cuts),
        "places": scoring["time"]["places"],
    }


_MONEY = ("value", "sales_contact", "nurturing", "effect")
