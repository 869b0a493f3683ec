"""The page on which a person chooses the cut-offs: what becomes of the leads as they move. It names none of them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.core.schema import Language, Tier
from features.core.time import parse_duration
from models.decision.tiers import CutOffs
from models.decision.what_if import COLUMNS, OpenLeads
from pipeline.report.rendering import TEMPLATES, render
from pipeline.report.results import Results, Sections
from pipeline.wording.locales import Writing
from pipeline.wording.texts import page_text, texts_of_cut_offs

_SHOWN: tuple[Tier, ...] = ("disqualified", "SQL", "recycled", "MQL", "IQL")


def cut_offs_page(parameters: Sections, results: Results, recommendations: pa.Table) -> str:
    """Show the cut-offs with hands on them, what they mean now, and the lines of params.yaml that keep a choice."""
    scoring, language = results.scoring, parameters.words.language
    opened = recommendations.filter(pc.is_valid(recommendations["probability"])).select(list(COLUMNS))
    write = Writing(language)
    return render(
        "cut-offs.html.jinja",
        t=partial(_text, language),
        language=language,
        given=_given(parameters, results, opened) | {"language": language, "says": texts_of_cut_offs(language)},
        cuts={name: write.share(share) for name, share in scoring["cut_offs"].items()},
        cuts_from=scoring["cut_offs_from"],
        tiers=_SHOWN,
        leads=write.whole(len(opened)),
        currency=parameters.ingest.currency,
        horizon=write.length(parse_duration(results.snapshots["horizon"])),
        as_of=write.day(parameters.decision.day_of(datetime.fromisoformat(scoring["as_of"]))),
        script=(TEMPLATES / "cut-offs.js").read_text(encoding="utf-8"),
    )


def _text(language: Language, name: str, **filled: object) -> str:
    return page_text(name, language, None, **filled)


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
