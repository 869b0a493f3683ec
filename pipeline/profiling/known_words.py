"""What people call the event types, channels, attributes and milestones that most logs have, in English and French.

Names are compared as plain words, whole: ``Email Opened`` is ``email opened``. Of what the table lacks nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pipeline.profiling.words import plain

_LANGUAGES = ("en", "fr")
_MAIL = "e ?mail|mail|courriel"

ACTS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    r"(?:(?:web )?page|site|website|web)(?: ?views?| viewed| visits?| visited)|visits?|visites?|page|pageviews?": (
        ("site visit(s)", "visited the site"),
        ("visite(s) du site", "a visité le site"),
    ),
    "first (?:visit|open)": (
        ("first visit(s)", "visited the site for the first time"),
        ("première(s) visite(s)", "a visité le site pour la première fois"),
    ),
    r"pricing(?: page)?(?: views?| viewed| visits?| visited)?|prices? (?:views?|viewed)|tarifs?": (
        ("look(s) at prices", "looked at the prices"),
        ("consultation(s) des tarifs", "a consulté les tarifs"),
    ),
    "(?:product|item)(?: page)? (?:views?|viewed)|view(?:ed)? (?:product|item)": (
        ("look(s) at a product", "looked at a product"),
        ("consultation(s) de produit", "a consulté un produit"),
    ),
    "(?:site |web )?search(?:es|ed)?|view search results|recherches?": (
        ("search(es)", "searched the site"),
        ("recherche(s)", "a fait une recherche sur le site"),
    ),
    "(?:(?:file|document|content|white ?paper|brochure) )?(?:download(?:ed|s)?|telechargements?)|white ?paper": (
        ("download(s)", "downloaded a document"),
        ("téléchargement(s)", "a téléchargé un document"),
    ),
    "video (?:view|viewed|start|started|play|played|watched|complete|completed)": (
        ("video view(s)", "watched a video"),
        ("lecture(s) de vidéo", "a regardé une vidéo"),
    ),
    "(?:web )?forms?(?: (?:submit|submitted|submission|submissions|filled))?|submitted form|formulaires?": (
        ("form(s)", "filled in a form"),
        ("formulaire(s)", "a rempli un formulaire"),
    ),
    "contact(?: us)?(?: (?:request|requested|form))|contact us|generate lead|demande de contact|kontaktanfrage|"
    "call ?back request(?:ed)?|request(?:ed)? call ?back|demande de rappel|ruckrufwunsch|solicitud de contacto": (
        ("contact request(s)", "asked to be contacted"),
        ("demande(s) de contact", "a demandé à être contacté"),
    ),
    "chats?(?: (?:started|message|conversation))?": (
        ("chat(s)", "chatted with us"),
        ("conversation(s) en ligne", "a discuté en ligne avec nous"),
    ),
    "(?:sign ?up|signed up|registration|registered|account created|inscription)": (
        ("registration(s)", "registered"),
        ("création(s) de compte", "a créé un compte"),
    ),
    "log ?in|logged in": (("login(s)", "logged in"), ("connexion(s)", "a ouvert son espace personnel")),
    "trial (?:log ?ins?|logged in)": (
        ("trial login(s)", "used the trial"),
        ("connexion(s) d'essai", "a utilisé l'essai"),
    ),
    "(?:start(?:ed)? )?(?:free )?trial(?: (?:start|started|request|requested))?|requested trial": (
        ("trial(s)", "started a trial"),
        ("essai(s)", "a commencé un essai"),
    ),
    "cart|basket|panier|add(?:ed)? to (?:cart|basket)|cart add(?:ed)?": (
        ("cart(s)", "put something into the cart"),
        ("panier(s)", "a mis un article au panier"),
    ),
    "(?:begin |initiate )?checkout(?: (?:start|started))?|(?:began|started) checkout": (
        ("checkout(s)", "went to the checkout"),
        ("passage(s) en caisse", "a commencé à commander"),
    ),
    "purchased?|order (?:placed|completed|paid)|achat|commande": (
        ("order(s)", "placed an order"),
        ("commande(s)", "a passé commande"),
    ),
    f"newsletter (?:open|opened|opens)|(?:{_MAIL}) newsletter open(?:ed)?": (
        ("newsletter opening(s)", "opened the newsletter"),
        ("ouverture(s) de la newsletter", "a ouvert la newsletter"),
    ),
    f"newsletter (?:click|clicked|clicks)|(?:{_MAIL}) newsletter click(?:ed)?": (
        ("newsletter click(s)", "clicked in the newsletter"),
        ("clic(s) dans la newsletter", "a cliqué dans la newsletter"),
    ),
    f"(?:{_MAIL}) (?:open|opened|opens|ouvert)|opened (?:{_MAIL})": (
        ("mail opening(s)", "opened a mail"),
        ("ouverture(s) d'e-mail", "a ouvert un e-mail"),
    ),
    f"(?:{_MAIL}) (?:link )?(?:click|clicked|clicks|clique)|clicked (?:{_MAIL})": (
        ("mail click(s)", "clicked in a mail"),
        ("clic(s) dans un e-mail", "a cliqué dans un e-mail"),
    ),
    f"(?:{_MAIL}) (?:reply|replied|answered)|replied": (
        ("answer(s) to a mail", "answered a mail"),
        ("réponse(s) à un e-mail", "a répondu à un e-mail"),
    ),
    f"(?:(?:{_MAIL}|newsletter) )?(?:unsubscribed?|opt(?:ed)? ?out|desinscription|desabonnement)|"
    "(?:newsletter )?(?:abmeldung|abbestellung)": (
        ("unsubscription(s)", "asked for no more mail"),
        ("désinscription(s)", "a demandé à ne plus recevoir d'e-mails"),
    ),
    f"(?:(?:{_MAIL}) )?(?:spam ?(?:complaint|complained|report|reported)|(?:marked as|reported) spam)|"
    f"(?:{_MAIL}) (?:complaint|complained)|plainte spam": (
        ("spam complaint(s)", "complained of spam"),
        ("plainte(s) pour spam", "a signalé un spam"),
    ),
    f"(?:{_MAIL}) hard ?bounced?|hard ?bounced?|(?:{_MAIL}) bounced? hard": (
        ("dead mail address(es)", "can't be reached by mail"),
        ("adresse(s) e-mail morte(s)", "n'est plus joignable par e-mail"),
    ),
    "do not call(?: request(?:ed)?)?|dnc|no (?:more )?(?:phone )?calls?|bloctel|opposition telephonique|"
    "(?:phone|telephone|calls?) (?:opt(?:ed)? ?out|unsubscribed?)|opt(?:ed)? ?out (?:of )?(?:phone|telephone|calls?)": (
        ("request(s) for no calls", "asked for no calls"),
        ("opposition(s) au téléphone", "a demandé à ne plus être appelé"),
    ),
    "(?:gdpr |rgpd |dsgvo |privacy )?(?:objection|objected|opposition|widerspruch)|"
    "objection to (?:processing|marketing)": (
        ("objection(s)", "objected to the use of its data"),
        ("opposition(s)", "s'est opposé à l'usage de ses données"),
    ),
    "(?:gdpr |rgpd |dsgvo |privacy |data )?(?:erasure|erased|deletion|effacement|loschung)(?: (?:request|requested))?|"
    "(?:gdpr|rgpd|dsgvo)(?: (?:request|requested|delete|deleted|forget))?|right to (?:erasure|be forgotten)|"
    "droit a l oubli|loschantrag|loschanfrage": (
        ("erasure request(s)", "asked for its data to be erased"),
        ("demande(s) d'effacement", "a demandé l'effacement de ses données"),
    ),
    f"(?:newsletter|{_MAIL}) (?:subscribed?|subscription|sign ?up|opt(?:ed)? ?in)": (
        ("newsletter subscription(s)", "asked for the newsletter"),
        ("abonnement(s) à la newsletter", "a demandé la newsletter"),
    ),
    "webinar(?: (?:attended|attendance|joined))?|attended webinar|webinaire": (
        ("webinar attendance(s)", "took part in the webinar"),
        ("participation(s) au webinaire", "a participé au webinaire"),
    ),
    "webinar (?:registered|registration|sign ?up)|registered (?:for )?webinar|inscription webinaire": (
        ("webinar registration(s)", "registered for the webinar"),
        ("inscription(s) au webinaire", "a réservé sa place au webinaire"),
    ),
    "(?:event|trade ?(?:show|fair)|fair)(?: (?:attended|attendance|visited))|salon": (
        ("event visit(s)", "came to an event"),
        ("participation(s) à un événement", "a participé à un événement"),
    ),
    "ad clicks?|ad clicked|clicked ad": (
        ("click(s) on an advertisement", "clicked on an advertisement"),
        ("clic(s) sur une publicité", "a cliqué sur une publicité"),
    ),
    "(?:quote|quotation|price|offer) request(?:ed|s)?|request(?:ed)? (?:a )?(?:quote|quotation|offer)|demande de devis|"
    "angebotsanfrage|anfrage angebot|solicitud de (?:presupuesto|cotizacion)|offerteaanvraag": (
        ("quote request(s)", "asked for a quote"),
        ("demande(s) de devis", "a demandé un devis"),
    ),
    "demo request(?:ed|s)?|request(?:ed)? (?:a )?demo|demande de demo|demoanfrage|solicitud de demo": (
        ("demo request(s)", "asked for a demo"),
        ("demande(s) de démo", "a demandé une démo"),
    ),
    "demo(?: (?:held|attended|completed))?": (("demo(s)", "saw a demo"), ("démo(s)", "a assisté à une démo")),
    "meeting(?: (?:held|attended|completed))?|rendez vous|rdv": (
        ("meeting(s)", "had a meeting"),
        ("rendez-vous", "a eu un rendez-vous"),
    ),
    "(?:meeting|appointment) request(?:ed|s)?|request(?:ed)? (?:a )?(?:meeting|appointment)|terminanfrage|"
    "demande de (?:rendez vous|rdv)|solicitud de (?:cita|reunion)": (
        ("meeting request(s)", "asked for a meeting"),
        ("demande(s) de rendez-vous", "a demandé un rendez-vous"),
    ),
    "(?:meeting|demo|appointment) (?:booked|scheduled)|booked (?:a )?(?:meeting|demo|appointment)|terminbuchung": (
        ("meeting(s) booked", "booked a meeting"),
        ("prise(s) de rendez-vous", "a pris rendez-vous"),
    ),
    "(?:call|phone) answered|answered call|inbound call|call inbound|call received": (
        ("call(s) answered", "answered a call"),
        ("appel(s) décroché(s)", "a répondu à un appel"),
    ),
    "calls?(?: (?:made|outbound|logged))?|called|outbound call|appels?|phone call": (
        ("call(s) of ours", "we called"),
        ("appel(s) de notre part", "nous avons appelé"),
    ),
    f"(?:{_MAIL}) (?:sent|delivered)|sent (?:{_MAIL})": (
        ("mail(s) of ours", "we wrote a mail"),
        ("e-mail(s) de notre part", "nous avons écrit un e-mail"),
    ),
    "newsletter (?:sent|delivered)": (
        ("newsletter(s) sent", "we sent the newsletter"),
        ("newsletter(s) envoyée(s)", "nous avons envoyé la newsletter"),
    ),
    "case opened|case created": (
        ("case(s)", "case opened by sales"),
        ("prise(s) en charge", "dossier ouvert par les commerciaux"),
    ),
    "(?:leads? )?assigned(?: to (?:sales|owner|rep))?": (
        ("assignment(s)", "was assigned to sales"),
        ("attribution(s)", "a été attribué aux commerciaux"),
    ),
    "(?:leads? )?(?:in work|working|work started|taken (?:up|over))(?: by sales)?|in bearbeitung": (
        ("start(s) of work", "was taken up by sales"),
        ("début(s) de travail", "a été pris en main par les commerciaux"),
    ),
    "(?:leads? )?accepted|sales accepted|accepted by sales": (
        ("acceptance(s) by sales", "was accepted by sales"),
        ("acceptation(s)", "a été accepté par les commerciaux"),
    ),
    "(?:leads? )?refused|leads? rejected|(?:refused|rejected|declined) by sales|sales (?:refused|rejected|declined)": (
        ("refusal(s) by sales", "was refused by sales"),
        ("refus des commerciaux", "a été refusé par les commerciaux"),
    ),
    "(?:opportunity|deal) (?:opened|created)|opportunity": (
        ("opportunit(y|ies)", "became an opportunity"),
        ("opportunité(s)", "a donné lieu à une opportunité"),
    ),
    "(?:quote|proposal|offer) sent|devis envoye": (
        ("quote(s) of ours", "we sent a quote"),
        ("devis de notre part", "nous avons envoyé un devis"),
    ),
    "contract signed|signed contract|contrat signe": (
        ("contract(s)", "signed the contract"),
        ("contrat(s)", "a signé le contrat"),
    ),
    "(?:closed |deal )?won|gagnee?": (("sale(s)", "became a customer"), ("vente(s)", "est devenu client")),
    "(?:closed |deal )?lost|perdue?": (("loss(es)", "was lost"), ("perte(s)", "a été perdu")),
    "(?:leads? )?(?:disqualified|unqualified)(?: by sales)?": (
        ("disqualification(s)", "was disqualified"),
        ("disqualification(s)", "a été disqualifié"),
    ),
    "refund(?:ed)?|rembourse(?:ment|e)?": (("refund(s)", "was refunded"), ("remboursement(s)", "a été remboursé")),
}
"""The plain words of an event type: its noun and what was done, in English and French."""

NOUNS: dict[str, dict[str, tuple[str, str]]] = {
    "channels": {
        "seo|organic(?: search)?": ("SEO", "SEO (référencement naturel)"),
        "sea|sem|paid search|cpc|ppc": ("SEA", "SEA (référencement payant)"),
        "social(?: media)?|organic social": ("social media", "réseaux sociaux"),
        "paid social|social ads": ("paid social media", "publicité sur les réseaux sociaux"),
        "e ?mail|mail|newsletter": ("email", "e-mailing"),
        "webinars?": ("webinar", "webinaire"),
        "referrals?": ("other sites", "sites référents"),
        "direct(?: traffic)?": ("direct access", "accès direct"),
        "display|banners?": ("display", "bannières (display)"),
        "affiliates?|affiliation": ("affiliates", "affiliation"),
        "events?|trade ?shows?|fairs?": ("events", "salons et événements"),
        "phone|telephone|calls?": ("phone", "téléphone"),
        "offline": ("offline", "hors ligne"),
        "video": ("video", "vidéo"),
        "sms": ("SMS", "SMS"),
        "push": ("push messages", "notifications"),
        "audio|podcasts?": ("audio", "audio"),
        "paid other": ("other advertising", "autres publicités"),
        "unknown|unmapped": ("unknown origin", "origine inconnue"),
    },
    "attributes": {
        "channel|canal|kanal": ("channel", "canal"),
        "(?:lead )?source|origin|origine": ("origin", "origine"),
        "country(?: code)?|pays": ("country", "pays"),
        "region": ("region", "région"),
        "city|ville": ("city", "ville"),
        "language|langue": ("language", "langue"),
        "employees|(?:number of|num) employees|employee count|company size|effectifs?": (
            "number of employees",
            "nombre de salariés",
        ),
        "industry|sector|secteur(?: d activite)?": ("industry", "secteur d'activité"),
        "territory": ("territory", "secteur commercial"),
        "campaign|utm campaign|campagne": ("campaign", "campagne"),
        "device(?: type)?": ("device", "appareil"),
        "browser": ("browser", "navigateur"),
        "product|produit": ("product", "produit"),
        "job title|fonction": ("job title", "fonction"),
        "landing page": ("landing page", "page de destination"),
    },
    "milestones": {
        "accepted by sales|sal|sales accepted": ("accepted by sales", "accepté par les commerciaux"),
        "opportunity|opportunite": ("opportunity", "opportunité"),
        "case opened by sales": ("case opened by sales", "prise en charge par les commerciaux"),
    },
}
"""The plain words of any other name: its noun in English and French."""


def words_for(names: Mapping[str, Iterable[str]]) -> dict[str, dict[str, dict[str, object]]]:
    """Give the dictionaries of the settings for the names that are known; they come by event_types, channels ..."""
    found: dict[str, dict[str, dict[str, object]]] = {language: {} for language in _LANGUAGES}
    for part, of_part in names.items():
        table: Mapping[str, tuple[object, object]] = ACTS if part == "event_types" else NOUNS[part]
        for name in of_part:
            said = next((words for pattern, words in table.items() if re.fullmatch(pattern, plain(name))), None)
            for language, word in zip(_LANGUAGES, said or (), strict=bool(said)):
                found[language].setdefault(part, {})[name] = list(word) if isinstance(word, tuple) else word
    return {language: parts for language, parts in found.items() if parts}


def noun_of(event_type: str) -> str | None:
    """Give the English noun of an event type; None where the table lacks it.

    >>> noun_of("Meeting booked"), noun_of("A_ACTIVATED complete")
    ('meeting(s) booked', None)
    """
    known = next((words for pattern, words in ACTS.items() if re.fullmatch(pattern, plain(event_type))), None)
    return known and known[0][0]
