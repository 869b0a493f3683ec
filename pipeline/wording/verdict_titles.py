"""What stands in the way of acting on the scores, in the language of the pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from features.core.schema import Language
from models.core.verdicts import Verdict

FRENCH: Mapping[str, str] = {
    "worse_than_base_rate": "pas mieux que le taux de conversion moyen",
    "ranks_like_a_coin": "un classement qui ne vaut pas mieux que pile ou face",
    "same_for_everyone": "la même probabilité pour tous les leads",
    "slope_at_bound": "le calibrage contredit le classement",
    "promises_not_kept": "la somme des probabilités n'est pas ce qui s'est produit",
    "too_good": "trop beau pour être vrai",
    "column_knows_outcome": "une information connue seulement après l'issue",
    "event_knows_outcome": "un type d'événement connu seulement après l'issue",
    "feature_drift": "des leads qui ne sont plus ce qu'ils étaient",
    "base_rate_drift": "un taux de conversion qui n'est plus ce qu'il était",
    "outcomes_lack": "des mois sans conversion, là où beaucoup étaient attendues",
    "type_renamed": "un type d'événement nommé dans les paramètres qui semble porter un autre nom",
    "ages_unseen": "des leads ouverts plus anciens que tous ceux dont on a appris",
    "too_little_learned": "presque rien n'a été appris",
    "source_silent": "une source muette depuis plus longtemps que jamais",
    "source_thin": "une source avec bien moins de lignes que d'habitude depuis quatre semaines",
    "source_goes_on": "des lignes après la fin indiquée dans les paramètres",
    "promise_broken": "une promesse non tenue",
}
"""By the codes of verdicts that may stand, which are those that are more than told; the English titles are theirs."""


def standing_titles(verdicts: Iterable[Verdict], language: Language) -> list[str]:
    """Name the verdicts that stand, each once; of a promise it is told to whom.

    >>> standing_titles([], "fr")
    []
    """
    standing = (verdict for verdict in verdicts if verdict.stands)
    return list(dict.fromkeys(_title(one, language) for one in standing))


def _title(one: Verdict, language: Language) -> str:
    title = FRENCH[one.code] if language == "fr" else one.title
    return f"{title} ({one.subject})" if one.code == "promise_broken" and one.subject else title
