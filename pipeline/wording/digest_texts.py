# ruff: noqa: E501 - a text is not broken
"""The texts of the digest that is mailed, by their names: English and French. Of two in brackets, the first is for one."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.wording.page_texts import Said

DIGEST_TEXTS: Mapping[str, tuple[Said, Said]] = {
    "digest.subject": (
        "Leads, sales and money: {day}",
        "Leads, ventes et budget\N{NO-BREAK SPACE}: {day}",
    ),
    "digest.opening": (
        "As of {day}. This mail names no lead, so it may be passed on.",
        "Situation au {day}. Ce message ne nomme aucun lead\N{NO-BREAK SPACE}: il peut être transmis.",
    ),
    "digest.called": (
        ("{number} lead is on the list of sales.", "{number} leads are on the list of sales."),
        (
            "{number} lead est sur la liste des commerciaux.",
            "{number} leads sont sur la liste des commerciaux.",
        ),
    ),
    "digest.pages": ("Open the pages", "Ouvrir les pages"),
}
