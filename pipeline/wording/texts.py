"""All texts that are filled in for a lead, by their names: English, and French as a marketing person says it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from features.core.errors import nearest
from features.core.schema import Language
from pipeline.wording.cut_off_texts import CUT_OFF_TEXTS, SAYS
from pipeline.wording.digest_texts import DIGEST_TEXTS
from pipeline.wording.lead_texts import LEAD_TEXTS
from pipeline.wording.locales import Writing
from pipeline.wording.money_texts import MONEY_TEXTS
from pipeline.wording.page_texts import PAGE_TEXTS

TEXTS: Mapping[str, tuple[str, str]] = {
    # What speaks for a lead, or against it: the story, and its figures, as docs/recommendations.md has them.
    "act.within": (
        "{verb} on {day}. Of the looks at {leads} leads that had within {days}, {figures}",
        "{verb} le {day}. Sur les observations de {leads} leads qui l'avaient fait depuis moins de {days}, {figures}",
    ),
    "act.silent": (
        "no {noun} since {day}. Of the looks at {leads} leads without one for {days} or more, {figures}",
        "pas {of_noun} depuis le {day}. Sur les observations de {leads} leads silencieux {days} ou plus, {figures}",
    ),
    "act.missing": (
        "no {noun} yet. Of the looks at {leads} leads without one till then, {figures}",
        "pas {of_noun} jusqu'ici. Sur les observations de {leads} leads dans ce cas, {figures}",
    ),
    "age.within": (
        "here since {day}. Of the looks at {leads} leads as new (less than {days}), {figures}",
        "arrivé le {day}. Sur les observations de {leads} leads aussi récents (moins de {days}), {figures}",
    ),
    "age.silent": (
        "here since {day} already. Of the looks at {leads} leads open for {days} or more, {figures}",
        "ouvert depuis le {day} déjà. Sur les observations de {leads} leads ouverts depuis {days} ou plus, {figures}",
    ),
    "value.level": (
        "{name}: {value}. Of the looks at {leads} such leads, {figures}",
        "{name}\N{NO-BREAK SPACE}: {value}. Sur les observations de {leads} leads dans ce cas, {figures}",
    ),
    "value.part": (
        "{name}: {value}. Of the looks at {leads} leads with {range}, {figures}",
        "{name}\N{NO-BREAK SPACE}: {value}. Sur les observations de {leads} leads à {range}, {figures}",
    ),
    "value.missing": (
        "{name}: unknown. Of the looks at {leads} such leads, {figures}",
        "{name}\N{NO-BREAK SPACE}: inconnu. Sur les observations de {leads} leads dans ce cas, {figures}",
    ),
    "figures": (
        "{share} (mean by lead) were followed by a conversion within {horizon}, against {all} of all",
        "{share} (moyenne par lead) ont été suivies d'une vente sous {horizon}, contre {all} de l'ensemble",
    ),
    "range.between": ("{low} to less than {below}", "{low} à moins de {below}"),
    "named": ("{name}: {value}", "{name}\N{NO-BREAK SPACE}: {value}"),
    "range.from": ("{low} or more", "{low} ou plus"),
    "earlier_episodes": ("earlier episodes", "épisodes précédents"),
    # What has changed since an earlier score: the way it went, the strongest cause, and what else had a part.
    "changed.up": ("up since {since}: {cause}", "en hausse depuis {since}\N{NO-BREAK SPACE}: {cause}"),
    "changed.down": ("down since {since}: {cause}", "en baisse depuis {since}\N{NO-BREAK SPACE}: {cause}"),
    "changed.little": (
        "hardly changed since {since}: {cause}",
        "presque inchangé depuis {since}\N{NO-BREAK SPACE}: {cause}",
    ),
    "changed.none": ("unchanged since {since}", "inchangé depuis {since}"),
    "changed.tier": (
        "moved from {before} to {after} since {since}: {cause}",
        "passé de {before} à {after} depuis {since}\N{NO-BREAK SPACE}: {cause}",
    ),
    "since.day": ("{day}", "le {day}"),
    "since.yesterday": ("yesterday ({day})", "hier ({day})"),
    "leads_own": (
        "{told}. (Neither data nor model have changed.)",
        "{told}. (Ni les données ni le modèle n'ont changé.)",
    ),
    # What says a tier whatever the probability, and what moves all tiers.
    "moved.fact": (
        "“{fact}” since {day}",
        "«\N{NO-BREAK SPACE}{fact}\N{NO-BREAK SPACE}» depuis le {day}",
    ),
    "moved.word": ("people said so on {day}", "quelqu'un en a décidé ainsi le {day}"),
    "moved.out": ("outside the target", "hors cible"),
    "moved.objected": ("objected to being contacted", "s'est opposé à tout contact"),
    "moved.back": ("is back after a loss or a silence", "de retour après une perte ou un silence"),
    "moved.over": ("what put it there holds no longer", "ce qui l'y plaçait n'est plus valable"),
    "moved.rules": ("facts, or the rules of decision", "les faits, ou les règles de decision"),
    "moved.cut-offs": ("the cut-offs of the tiers are others", "les seuils ont changé"),
    "moved.unknown": (
        "why is not known, for nobody noted what the tiers rested on then",
        "cause inconnue, car personne n'avait noté sur quoi reposait la qualification",
    ),
    "cause.data": ("data corrected or learned of since", "données corrigées ou apprises depuis"),
    "cause.time": ("time passed", "le temps a passé"),
    "cause.behaviour": ("new activity", "nouvelle activité"),
    "cause.model": ("a new model", "nouveau modèle"),
    "cause.data_or_model": ("a new model or corrected data", "nouveau modèle ou données corrigées"),
    "cause.act": ("{verb} on {day}", "{verb} le {day}"),
    "cause.late": ("{told}, learned of since", "{told}, appris depuis"),
    "cause.back": ("came back on {day}", "revenu le {day}"),
    "part.data": (
        "{told}; data corrected or learned of since had a part",
        "{told}\N{NO-BREAK SPACE}; des données corrigées ou apprises depuis y ont contribué",
    ),
    "part.model": ("{told}; a new model had a part", "{told}\N{NO-BREAK SPACE}; un nouveau modèle y a contribué"),
    "part.data_or_model": (
        "{told}; a new model or corrected data had a part",
        "{told}\N{NO-BREAK SPACE}; un nouveau modèle ou des données corrigées y ont contribué",
    ),
    # When to come back to a lead that was lost, or is quiet, and what says so.
    "lost": ("lost in {month}", "perdu en {month}"),
    "lost_for": (
        "lost in {month} (reason: “{reason}”)",
        "perdu en {month} (motif\N{NO-BREAK SPACE}: «\N{NO-BREAK SPACE}{reason}\N{NO-BREAK SPACE}»)",
    ),
    "leads_lost": ("{leads} leads that were lost", "{leads} leads perdus"),
    "leads_lost_for": ("{leads} leads lost for it", "{leads} leads perdus pour ce motif"),
    "quiet": ("no act since {day}", "silencieux depuis le {day}"),
    "leads_quiet": ("{leads} silences as long ({silence} or more)", "{leads} silences aussi longs ({silence} ou plus)"),
    "again": (
        "contact again from {day} on: {how}. {why}",
        "à relancer à partir du {day}\N{NO-BREAK SPACE}: {how}. {why}",
    ),
    "close": ("close: {how}. {why}", "clôturer\N{NO-BREAK SPACE}: {how}. {why}"),
    "why.rates": (
        "Of {leads}, {share} came back within {seen}, half of these after {half} or more",
        "Sur {leads}, {share} sont revenus en {seen}, la moitié d'entre eux après {half} ou plus",
    ),
    "why.pause": (
        "That is the pause of the settings ({pause}), for of {leads} too few have come back as late ({returns})",
        "C'est la pause des paramètres ({pause}), car de {leads}, trop peu sont revenus si tard ({returns})",
    ),
    "why.unseen": (
        "That is the pause of the settings ({pause}), for nothing is known of such leads that came back",
        "C'est la pause des paramètres ({pause}), car on ne sait rien de tels leads qui seraient revenus",
    ),
    "why.close": (
        "Of {leads}, waited for during {waited} months in all, {returns} came back",
        "Sur {leads}, attendus {waited} mois en tout, {returns} sont revenus",
    ),
    # What to do next, and through which channel.
    "action.call_today": ("call today", "appeler aujourd'hui"),
    "action.leave_to_owner": ("leave to its owner", "laisser au commercial en charge"),
    "action.wait_for_place": ("wait for a place", "attendre une plage d'appel"),
    "action.take_up_again": ("take up again", "reprendre contact"),
    "action.keep_nurturing": ("keep nurturing", "continuer à faire mûrir"),
    "action.invite_to_webinar": ("invite to a webinar", "inviter au webinaire"),
    "action.send_case_study": ("send the case study", "envoyer l'étude de cas"),
    "action.remind_of_cart": ("remind of the cart", "relancer le panier abandonné"),
    "action.wait": ("wait", "attendre"),
    "action.wait_until": ("wait until {day}", "attendre jusqu'au {day}"),
    "action.close": ("close", "clôturer"),
    "action.none": ("nothing to do", "rien à faire"),
    "through.telephone": ("{what}, by telephone", "{what}, par téléphone"),
    "through.mail": ("{what}, by mail", "{what}, par e-mail"),
    "through.advertising": ("{what}, by advertising", "{what}, par la publicité"),
    # What events are called that have no type of their own.
    "any.noun": ("act of any kind", "signe d'activité"),
    "any.verb": ("was active", "s'est manifesté"),
    "other.noun": ("other act", "autre acte"),
    "other.verb": ("did something else", "a fait autre chose"),
    "via": ("{what} via {channel}", "{what} via {channel}"),
    "about": ("{what} ({content})", "{what} ({content})"),
}
_PAGES = {**PAGE_TEXTS, **MONEY_TEXTS, **CUT_OFF_TEXTS, **DIGEST_TEXTS, **LEAD_TEXTS}
_PLACES = {"en": 0, "fr": 1}


def wording_of(words: str) -> str:
    """Give a text that is the same for the same texts of this catalogue and the same ``words`` of the settings."""
    told = json.dumps([sorted(TEXTS.items()), words])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def text(name: str, language: str, /, **filled: object) -> str:
    """Fill in a text in a language.

    >>> text("via", "en", what="click", channel="email")
    'click via email'
    """
    if name not in TEXTS:
        raise ValueError(f"there is no text {name!r}; {nearest(name, TEXTS)}")
    return TEXTS[name][_PLACES[language]].format(**filled)


def of(noun: str) -> str:
    """Put the French « de » before a noun.

    >>> of("visite du site"), of("ouverture"), of("hésitation")
    ('de visite du site', "d'ouverture", "d'hésitation")
    """
    return f"d'{noun}" if noun[:1].lower() in "aeiouyhéèêâîôûàœ" else f"de {noun}"


def sentence(written: str) -> str:
    """Let a text begin with a capital.

    >>> sentence("asked for a quote")
    'Asked for a quote'
    """
    return written[:1].upper() + written[1:]


def texts_of_cut_offs(language: Language) -> dict[str, str]:
    """Give the texts that the script of the cut-offs fills in, by their short names."""
    return {name.removeprefix("cuts.says."): str(CUT_OFF_TEXTS[name][_PLACES[language]]) for name in SAYS}


def page_text(name: str, language: str, /, number: int | None = None, **filled: object) -> str:
    """Fill in a text of a page; ``number`` decides between one and several.

    >>> page_text("leads", "en", 1), page_text("leads", "fr", 0), page_text("leads", "en", 1204)
    ('1 lead', '0 lead', '1,204 leads')
    """
    said = _PAGES[name][_PLACES[language]]
    if isinstance(said, tuple):
        said = said[0 if number == 1 or (number == 0 and language == "fr") else 1]
    written = {} if number is None else {"number": Writing(language).whole(number)}
    return said.format(**written, **filled)
