"""What the columns of the KPIs are called above a table for people, in English and French."""

from __future__ import annotations

from collections.abc import Mapping

from features.core.schema import Language
from features.language.labels import Labels
from pipeline.wording.texts import page_text

_OURS = {
    "channel": "channel", "group": "group", "campaign": "campaign", "content": "content", "first_touch": "first_touch",
    "last_touch": "last_touch", "months": "month", "leads": "leads", "worked": "worked", "won": "won",
    "won_again": "again", "cost": "spent", "revenue": "revenue", "expected": "still", "cpl": "cpl", "cac": "cac",
    "cpc": "cpc", "cost_per_expected": "cost_per_expected", "roi": "roi", "roas": "roas", "conversion_rate": "rate",
    "final_on": "final_on", "won_before": "last_year", "sql_now": "sql_now", "step": "step", "had_time": "had_time",
    "took_it": "took", "reason": "reason", "rule": "rule", "handed_over": "handed", "in_time": "in_time",
    "visits": "visits", "visit_rate": "visit_rate",
}  # fmt: skip
"""Columns that the pages show, too, with the names of their texts there."""
_OTHERS: Mapping[str, tuple[str, str]] = {
    "month": ("month", "mois"),
    "dimension": ("by", "par"),
    "value": ("which", "valeur"),
    "kind": ("lost or refused", "perdu ou refusé"),
    "created": ("leads created", "leads créés"),
    "conversions": ("sales", "ventes"),
    "refunded": ("refunded", "remboursé"),
    "visited leads": ("leads, where visitors are counted", "leads, si les visiteurs sont comptés"),
    "clicks": ("clicks", "clics"),
    "lost": ("lost", "perdus"),
    "open": ("open", "ouverts"),
    "mql_now": ("MQL proposed now", "MQL proposés (en cours)"),
    "mql_first": ("MQL proposed at first", "MQL proposés au départ"),
    "sql_first": ("SQL proposed at first", "SQL proposés au départ"),
    "projected": ("sales, with those expected", "ventes, attendues comprises"),
    "began": ("maturity at first", "maturité au départ"),
    "became": ("became", "devenus"),
    "taken": ("so far", "à ce jour"),
    "median_days": ("half of them within (days)", "la moitié d'entre eux en (jours)"),
    "typical_days": ("half of all that ever do within (days)", "la moitié de tous en (jours)"),
    "within": ("within days of creation", "dans les jours suivant la création"),
    "share": ("share", "part"),
    "what": ("what came right before", "ce qui précédait"),
    "event_type": ("event", "événement"),
    "steps": ("before steps", "avant les étapes"),
    "others": ("before other acts", "avant d'autres actes"),
    "days": ("within days", "en moins de (jours)"),
    "median_hours": ("half within hours", "la moitié en moins de (heures)"),
    "kpi": ("each month", "chaque mois"),
    "objective": ("objective", "objectif"),
    "due": ("the agreed time is over", "délai convenu écoulé"),
}
_PARTS: Mapping[str, tuple[str, str]] = {
    "reached ": ("reached: {of}", "atteint\N{NO-BREAK SPACE}: {of}"),
    "rate reached ": ("share that reached: {of}", "part ayant atteint\N{NO-BREAK SPACE}: {of}"),
    "cost reached ": ("cost per: {of}", "coût par\N{NO-BREAK SPACE}: {of}"),
    "objective ": ("objective: {of}", "objectif\N{NO-BREAK SPACE}: {of}"),
    "costed ": ("{of}, where the cost is known", "{of}, si le coût est connu"),
}
_OF_COLUMNS = ("costed ", "objective ")
"""Those before the name of another column; the others stand before a milestone's."""
_ENDS: Mapping[str, tuple[str, str]] = {
    "_low": ("{of}, at least (95 %)", "{of}, au moins (95\N{NO-BREAK SPACE}%)"),
    "_high": ("{of}, at most (95 %)", "{of}, au plus (95\N{NO-BREAK SPACE}%)"),
}


def heading(column: str, language: Language, labels: Labels) -> str:
    """Give the heading of a column; what has no words of its own is shown as it is called.

    >>> heading("cost reached opened_low", "en", Labels({}, {}))
    'cost per: opened, at least (95 %)'
    """
    place = 0 if language == "en" else 1
    for end, said in _ENDS.items():
        if column.endswith(end):
            return said[place].format(of=heading(column.removesuffix(end), language, labels))
    for part, said in _PARTS.items():
        if column.startswith(part):
            rest = column.removeprefix(part)
            named = heading(rest, language, labels) if part in _OF_COLUMNS else labels.noun("milestones", rest)
            return said[place].format(of=named)
    if column in _OURS:
        return page_text(f"column.{_OURS[column]}", language)
    return _OTHERS[column][place] if column in _OTHERS else column.replace("_", " ")
