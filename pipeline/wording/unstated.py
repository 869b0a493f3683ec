"""What nobody has stated of a company's decisions, in one line, with what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from features.core.schema import Language

UNSTATED: Mapping[str, Mapping[Language, str]] = {
    "value": {
        "en": "what a conversion is worth (decision.money: {value})",
        "fr": "ce que vaut une vente (decision.money : {value})",
    },
    "capacity": {
        "en": "how much time sales has (decision.capacity, ingest.owners: the list is all that are worth an hour)",
        "fr": "le nombre d'appels possibles par jour (decision.capacity, ingest.owners : la liste compte tous ceux qui "
        "méritent l'heure d'un commercial)",
    },
    "owners": {
        "en": "who owns which leads (ingest.owners)",
        "fr": "les commerciaux en charge (ingest.owners)",
    },
    "facts": {
        "en": "facts (decision.facts: no act of a lead closes, raises or takes it)",
        "fr": "les faits (decision.facts : aucun acte d'un lead ne le ferme, ne le relève, ni ne le confie)",
    },
    "decisions": {
        "en": "what people decide (ingest.decisions)",
        "fr": "les décisions des équipes (ingest.decisions)",
    },
    "consents": {
        "en": "what leads agree to (ingest.consents: mail and telephone count as open, advertising does not)",
        "fr": "les consentements (ingest.consents : e-mail et téléphone passent pour ouverts, la publicité non)",
    },
    "channels": {
        "en": "more than one channel (the model tells none from another)",
        "fr": "plus d'un canal (le modèle n'en distingue aucun)",
    },
}
"""What may be unstated, in the order in which it is told."""
_VALUE: Mapping[Language, tuple[str, str]] = {
    "en": ("cut-offs are multiples of the odds", "the list goes by probability alone"),
    "fr": ("les seuils sont des multiples de la cote", "la liste suit les seules chances de devenir client"),
}
"""What follows where no value is stated: with cut-offs of our own, and with those that people settled."""
_BEGINNING: Mapping[Language, str] = {"en": "Not stated: {}", "fr": "Non précisé : {}"}


def told_of_the_unstated(scoring: Mapping[str, Any], language: Language, *, beside_cut_offs: bool = False) -> list[str]:
    """Say it in a line, of what ``data/scoring.json`` holds; none where all is stated.

    ``beside_cut_offs``: whether it stands where the cut-offs are explained. Those of our own say that no value is.
    """
    is_own = scoring["cut_offs_from"] == "multiples"
    value = _VALUE[language][not is_own]
    said = {"value"} if beside_cut_offs and is_own else set()
    names = [name for name in UNSTATED if name in scoring["unstated"] and name not in said]
    told = (" ; " if language == "fr" else "; ").join(UNSTATED[name][language].format(value=value) for name in names)
    return [_BEGINNING[language].format(told)] if told else []
