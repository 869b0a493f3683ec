"""The words in which today's list is told, in each language: a sentence each, with places for what is counted.

Where a number decides between two sentences, or two ends of one, the first is for one of them, the second for several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from features.core.schema import Language


@dataclass(frozen=True)
class ListWords:
    """What is said of a list in a language."""

    listed: tuple[str, str]
    beside: str
    nobody_worth_it: str
    untouched: tuple[str, str]
    day_off: str
    no_time: str
    all_in_work: str
    nobody_there: str
    no_place: str
    used_of_them: tuple[str, str]
    waiting: tuple[str, str]
    left: tuple[str, str]
    more_used: tuple[str, str]
    away: str
    in_work: str
    units: Mapping[str, str]
    not_measured: str
    measured: str
    leads: str
    days_of_leads: str
    not_approved: str
    first_list: str
    moved: str
    moved_anew: str
    """Against a list that nobody has made, but this model would have."""
    colon: str
    not_noted: str
    leads_alone: str
    more_changed: str
    waits: Mapping[str, str]
    """Why a lead that is worth an hour gets none today."""
    changed: Mapping[str, str]
    """What a list rests on beside what leads did."""
    causes: Mapping[str, str]
    """Why leads moved, behind how many did."""
    other_tier: tuple[str, str]
    tier_causes: Mapping[str, str]
    """Why leads have another tier, behind how many do."""


_UNTOUCHED = (
    " handed over and contacted by nobody within the agreed time (decision.work): "
    "{first} of them come first on the list"
)
_UNTOUCHED_FR = " dans les délais convenus (decision.work) : {first} en tête de liste"
WORDS: Mapping[Language, ListWords] = {
    "en": ListWords(
        listed=(
            "{called} lead is on the list of sales for {day}",
            "{called} leads are on the list of sales for {day}",
        ),
        beside="; of the others that are worth an hour, ",
        nobody_worth_it="No open lead is worth an hour of sales on {day}",
        untouched=(
            "{untouched} was" + _UNTOUCHED,
            "{untouched} were" + _UNTOUCHED,
        ),
        day_off="Sales does not work on {day} (decision.working_days), so nobody is called",
        no_time="There is no time for a new lead on {day}: {why}",
        all_in_work="leads in work take all the time there is",
        nobody_there="nobody is there",
        no_place="No place is left on {day}: all {places} are given{used}",
        used_of_them=(", {used} of them to leads that were dealt with today",) * 2,
        waiting=("; {waiting} lead waits", "; {waiting} leads wait"),
        left=("{left} of {places} places are left{used}",) * 2,
        more_used=("; {used} more are used by leads that were dealt with today",) * 2,
        away="{away} of those who have leads, or a number of their own, have no time that day",
        in_work="Of {stated} {unit}, {leads} leads in work take {taken}; a new lead takes {new} calls on its first day "
        "({measured_new}), one in work {each} a working day ({measured_each})",
        units={"calls": "calls", "hours": "hours"},
        not_measured="not measured, and taken to be 1: decision.work.contacts and the last 90 days give {count} {what}",
        measured="measured on {count} {what} of the last 90 days",
        leads="leads",
        days_of_leads="days of leads",
        not_approved="The model of these chances is the first one, and nobody has approved it",
        first_list="There is no earlier list that it could be compared with",
        moved="Since the list of {as_of} UTC {came} came onto it, and {went} left it",
        moved_anew="Against the list that this model would have made on {as_of} UTC, {came} came onto it, and {went} "
        "left it",
        colon=": ",
        not_noted="; what that one rests on was not noted",
        leads_alone="; nothing else has changed but the date",
        more_changed=". Not leads alone have changed, but also ",
        waits={
            "in work": "are worked on",
            "channel closed": "can not be called",
            "account": "stand behind another of their account",
            "no owner": "are of territories that nobody owns today",
            "capacity": "wait for a place",
            "left alone": "are left alone by lot",
        },
        changed={
            "model": "the model",
            "cut_offs": "the cut-offs, or what they come from",
            "value": "what a conversion is worth (decision.money)",
            "rules": "the rules of decision",
            "time": "how much time sales has (decision.capacity, decision.working_days)",
            "costs": "what leads were measured to cost",
            "owners": "who owns which territory, or the time there (ingest.owners)",
        },
        causes={
            "new": "as new leads",
            "fact": "by facts and time",
            "rules": "by facts, time or the rules",
            "score": "by probability",
            "model": "by probability or the model",
            "cut-offs": "by the cut-offs",
            "costs": "by what leads cost",
            "owners": "by the table of owners",
            "capacity": "by the time that sales has",
            "gone": "without a row any more",
        },
        other_tier=("{leads} open lead has another tier", "{leads} open leads have another tier"),
        tier_causes={
            "behaviour": "by what they did",
            "time": "by time alone",
            "data": "by data corrected or learned of since",
            "model": "by another model",
            "score": "by probability",
            "fact": "by facts, or people's word",
            "rules": "by facts or the rules",
            "cut-offs": "by the cut-offs",
            "unknown": "for reasons that nobody noted",
        },
    ),
    "fr": ListWords(
        listed=(
            "{called} lead est sur la liste des commerciaux du {day}",
            "{called} leads sont sur la liste des commerciaux du {day}",
        ),
        beside=" ; parmi les autres qui méritent l'heure d'un commercial, ",
        nobody_worth_it="Le {day}, aucun lead ouvert ne mérite l'heure d'un commercial",
        untouched=(
            "{untouched} a été transmis, et n'est pas encore traité" + _UNTOUCHED_FR,
            "{untouched} ont été transmis, et ne sont pas encore traités" + _UNTOUCHED_FR,
        ),
        day_off="Les commerciaux ne travaillent pas le {day} (decision.working_days) : personne n'est appelé",
        no_time="Aucun appel possible pour un nouveau lead le {day} : {why}",
        all_in_work="les leads en cours de traitement prennent tout le temps",
        nobody_there="personne n'est là",
        no_place="Plus aucune place le {day} : les {places} sont prises{used}",
        used_of_them=(
            ", dont {used} par un lead traité aujourd'hui",
            ", dont {used} par des leads traités aujourd'hui",
        ),
        waiting=(" ; {waiting} lead attend", " ; {waiting} leads attendent"),
        left=("{left} place sur {places} est libre{used}", "{left} places sur {places} sont libres{used}"),
        more_used=(
            " ; {used} de plus est prise par un lead traité aujourd'hui",
            " ; {used} de plus sont prises par des leads traités aujourd'hui",
        ),
        away="Ce jour-là, sans aucun appel possible : {away} de ceux qui ont des leads ou un nombre à eux",
        in_work="Sur {stated} {unit}, les leads en cours de traitement ({leads}) en prennent {taken} ; un nouveau lead "
        "demande {new} appels le premier jour ({measured_new}), un lead en cours {each} par jour ouvré "
        "({measured_each})",
        units={"calls": "appels", "hours": "heures"},
        not_measured="non mesuré, supposé égal à 1 : decision.work.contacts et les 90 derniers jours donnent {count} "
        "{what}",
        measured="mesuré sur {count} {what} des 90 derniers jours",
        leads="leads",
        days_of_leads="jours de leads",
        not_approved="Le modèle de ces chances est le premier, et n'a pas encore été validé par un relecteur",
        first_list="Il n'y a pas de liste antérieure à laquelle la comparer",
        moved="Depuis la liste du {as_of} UTC, entrés : {came}, sortis : {went}",
        moved_anew="Par rapport à la liste que ce modèle aurait faite le {as_of} UTC, entrés : {came}, sortis : {went}",
        colon=" ; ",
        not_noted=" ; ce sur quoi elle reposait n'a pas été noté",
        leads_alone=" ; rien d'autre n'a changé que la date",
        more_changed=". Outre les leads, ont changé : ",
        waits={
            "in work": "en cours de traitement",
            "channel closed": "ne pouvant être appelés",
            "account": "derrière un autre de leur compte",
            "no owner": "de secteurs sans commercial en charge",
            "capacity": "attendant une place",
            "left alone": "tirés au sort (groupe témoin)",
        },
        changed={
            "model": "le modèle",
            "cut_offs": "les seuils, ou leur origine",
            "value": "ce que vaut une vente (decision.money)",
            "rules": "les règles de decision",
            "time": "le nombre d'appels possibles (decision.capacity, decision.working_days)",
            "costs": "ce que les leads coûtent d'après les mesures",
            "owners": "les commerciaux en charge, ou leur temps (ingest.owners)",
        },
        causes={
            "new": "nouveaux leads",
            "fact": "par les faits et le temps",
            "rules": "par les faits, le temps ou les règles",
            "score": "par les chances de devenir client",
            "model": "par ces chances ou le modèle",
            "cut-offs": "par les seuils",
            "costs": "par le coût des leads",
            "owners": "par la table des commerciaux",
            "capacity": "par le nombre d'appels possibles",
            "gone": "sans ligne désormais",
        },
        other_tier=(
            "{leads} lead ouvert a changé de qualification",
            "{leads} leads ouverts ont changé de qualification",
        ),
        tier_causes={
            "behaviour": "par ce qu'ils ont fait",
            "time": "par le temps qui passe",
            "data": "par des données corrigées ou apprises depuis",
            "model": "par un autre modèle",
            "score": "par les chances de devenir client",
            "fact": "par les faits, ou la décision de quelqu'un",
            "rules": "par les faits ou les règles",
            "cut-offs": "par les seuils",
            "unknown": "pour une raison que personne n'a notée",
        },
    ),
}
