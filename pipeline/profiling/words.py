"""The words by which columns, tables and event types are recognised: English, and what CRMs of other tongues say.

Names are compared as plain words: ``CreatedAt``, ``created_at`` and ``Created at`` are all ``created at``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

_NO_IDS = (
    r"paid|unpaid|prepaid|valid|invalid|bid|grid|void|avoid|android|rapid|solid|amid|said|fluid|hybrid|covid|froid"
)
_GLUED_ENDING = r"^([a-z]{3,})(id|ids|uuid|guid|nummer|nr|datum)$"
"""What ends a word that is two: leadid, Kundennummer, Erstelldatum."""
_GLUED = re.compile(
    r"(last|first|next|actual|estimated|scheduled|expected)?"
    r"(created?|modified|modify|mod|closed?|won|lost|updated?|start|end|activity|viewed|due|birth|entered|changed)"
    r"(date|time|on|at|stamp)|(actual|scheduled)(start|end)|(closed)(won|lost)"
)
"""Words that CRMs write as one: createdate, modifiedon, lastmodifieddate, scheduledend, closedwon."""


def plain(name: str) -> str:
    """Write a name as lower-case words.

    >>> [plain(name) for name in ("case:ConceptName", "créé_le", "UTMSource", "visitorid", "Paid", "Merged IDs")]
    ['case concept name', 'cree le', 'utm source', 'visitor id', 'paid', 'merged ids']
    >>> [plain(name) for name in ("hs_lastmodifieddate", "createdon", "SystemModstamp", "closedwon", "timestamp")]
    ['hs last modified date', 'created on', 'system mod stamp', 'closed won', 'timestamp']
    >>> [plain(name) for name in ("Kundennummer", "Kontakt-Nr", "Erstelldatum")]
    ['kunden nummer', 'kontakt nr', 'erstell datum']
    """
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    letters = re.sub(r"([A-Z]{2,})s(?![a-z])", lambda found: f"{found[1].capitalize()}s", letters)  # IDs, URLs
    parted = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3 \2\4", letters)
    words = re.findall(r"[a-z0-9]+", parted.lower())
    return " ".join(word if re.fullmatch(_NO_IDS, word) else _taken_apart(word) for word in words)


def _taken_apart(word: str) -> str:
    glued = _GLUED.fullmatch(word)
    return " ".join(filter(None, glued.groups())) if glued else re.sub(_GLUED_ENDING, r"\1 \2", word)


def rank(name: str, table: Mapping[str, int]) -> int:
    """Give the rank of the first pattern that is found among the words of a name; 0 where none is."""
    words = plain(name)
    return next((rank for pattern, rank in table.items() if re.search(rf"\b(?:{pattern})\b", words)), 0)


def has(name: str, pattern: str) -> bool:
    """Tell whether one of the words, or sequences of words, of ``pattern`` (a regular expression) is in a name."""
    return re.search(rf"\b(?:{pattern})\b", plain(name)) is not None


def is_called(name: str, pattern: str) -> bool:
    """Tell whether a name, as a whole, fits the pattern (a regular expression)."""
    return re.fullmatch(pattern, plain(name)) is not None


SURE = 80
"""From this rank on a word means a conversion for sure."""


def sounds_won(name: str) -> int:
    """Give the rank of a name among those of conversions; 0 where it is denied.

    >>> [sounds_won(name) for name in ("Closed Won", "Not converted", "payment_failed", "customer_lost")]
    [100, 0, 0, 0]
    """
    return 0 if has(name, _DENIED) else rank(name, WON)


def singular(name: str) -> str:
    """Give a table's name in the singular, well enough for English.

    >>> [singular(name) for name in ("leads", "activities", "touches", "sf_opportunities_2026", "address")]
    ['lead', 'activity', 'touch', 'sf opportunity', 'address']
    """
    words = re.sub(r"( \d+)+$", "", plain(name))
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("ss", "ss"), ("s", "")):
        if words.endswith(ending):
            return words.removesuffix(ending) + instead
    return words


LEAD = {
    "lead": 100,
    "prospect|interessent(?:en)?|anfragen?|piste": 90,
    "applicant|application|antrag|antrage|demande": 80,
    "case": 75,
    "contact|kontakte?": 60,
    "cart|basket|panier|warenkorb": 50,
    "customer|client|kunden?|cliente|klant": 45,
    "visitor|user pseudo|user|person|member|subscriber|patient|student": 40,
    "deal|opportunity|opportunite|verkaufschancen?": 35,
    "account|company|organi[sz]ation|entreprise|firma|firmen|compte|societe|unternehmen|konto|konten": 30,
    "entity|object|record|who|subject": 25,
    "cookie|session|device": 15,
    "e ?mail|mail": 10,
}
"""What a lead may be called, the likeliest first."""

OURS_IDS = r"owner|user|rep|agent|assigned|assignee|by|proprietaire|commercial|vendeur|besitzer|verkaufer|bearbeiter"
"""What the id of one of our own people is called."""
IDENTIFIER = r"id|ids|key|uuid|guid|identifier|nr|no|number|numero|nummer|code|ref|reference"


def is_called_id(name: str) -> bool:
    """Tell whether a name says that it is an identifier.

    >>> [is_called_id(name) for name in ("visitorid", "Lead Number", "case:concept:name", "Paid", "Lead Source")]
    [True, True, True, False, False]
    """
    words = plain(name)
    ends = re.fullmatch(IDENTIFIER, words.split()[-1] if words else "") is not None
    return ends or words == "case concept name" or any(re.fullmatch(rf"(?:.* )?(?:{word})", words) for word in LEAD)


def is_called_address(name: str) -> bool:
    """Tell whether a name says that it is a person's e-mail address.

    >>> [is_called_address(name) for name in ("customer_email", "E-Mail-Adresse", "email_id", "email_sent_at")]
    [True, True, False, False]
    """
    return re.search(r"\b(?:e ?mail|mail|courriel)(?: (?:address|adresse?))?$", plain(name)) is not None


OCCURRED = {
    "occurred|happened|event (?:time|timestamp|date|at)|time timestamp|occurrence|(?:derived|true) tstamp": 100,
    "timestamp|ts|tstamp|datetime|date time|date heure|zeitpunkt|zeitstempel|tijdstip|horodateur": 90,
    "(?:activity|session|touch|touched|visit|hit|call|order|action|start|started|sent) ?(?:time|date|at|on)?": 75,
    "when|time|at|quand": 70,
    "date|day|datum|fecha|jour|heure|zeit": 65,
    "created|create|cree|creation|erstellt|added": 60,
}
CREATED = {
    "created|create|creation|cree|creee|erstell(?:t|ungs?)?|angelegt|anlage|creado|aangemaakt": 100,
    "registered|registration|signup|signed up|inscription|subscribed|alta|aangemaakt|creat[oa]": 80,
    "erfasst|saisie?|enregistree?|registrad[oa]": 75,
    "submitted|received|opened|added|entered|inserted|first (?:seen|contact|touch|visit|conversion)|start(?:ed)?": 70,
    "date|timestamp|time|day|datum|fecha": 40,
}
RECORDED = {
    "received|reception|collector|collected|arrived|api (?:time|timestamp|tstamp)": 100,
    "server (?:upload|time|timestamp)|processing|processed|logged|recorded|known|delivered|entered": 90,
    "ingested|ingestion|inserted|uploaded|published|batched": 80,
    "erfasst|erfassung|eingegangen|eingetragen|protokolliert|gespeichert|saisie?|enregistree?|registrad[oa]": 75,
    "loaded|load|synced|sync|etl|extracted|imported|emitted|landed|replicated|sdc|uuid ts": 70,
}
"""What the time may be called at which an event reached a system, the nearest to its occurrence first."""
KNOWN = rf"(?:{'|'.join(RECORDED)})"
CHANGED = (
    r"modified|modification|modify|mod stamp|updated?|update|write|written|edited|touched|viewed|referenced|changed?|"
    r"last\w*|latest|recent|maj|mise a jour|dernier\w*|modifiee?|geandert|geaendert|zuletzt|letzte[nrsm]?|"
    r"actualizad[oa]|modificad[oa]|ultim[oa]|gewijzigd|bijgewerkt|laatste?"
)
"""What the time of a row's last change is called: it moves with everything that happens to the row."""
PLANNED = (
    r"due|deadline|reminde?r?|scheduled|planned|plan|expected|estimated|forecast|target|next|follow ?up|call ?back|"
    r"renewal|renew|expir\w+|valid (?:until|to|through)|(?:contract|subscription|trial) end|contract ends?|birth\w*|"
    r"birthday|dob|anniversary|geburts\w*|naissance|nacimiento|echeance|fa(?:e)?llig\w*|wiedervorlage|relance|rappel|vencimiento|"
    r"prevue?|prevista?|geplante?[nrs]?|voraussichtlich\w*|erwartete?[nrs]?"
)
"""What a date is called that people write down beforehand: when a task is due, when a deal may close, a birthday."""
EVENT_TYPE = {
    "event type|event name|activity type|activity name|action type|touch type|interaction type|task subtype": 100,
    "concept name": 95,
    "event|activity|action|evenement|ereignis|aktivitat|activite|actividad|atividade|evento": 90,
    "metric|type|kind|art|typ|genre|tipo|soort|vorgang|(?:kontakt|aktivitats?|ereignis|vorgangs)(?:art|typ)": 70,
    "disposition|call (?:result|outcome|status)": 60,
    "step|status|stage|etape|statut": 50,
    "page|path|screen|url|uri|seite|chemin|pagina": 40,
}
EVENT_WORDS = {
    "event", "events", "activity", "action", "touch", "interaction", "task", "sub", "subtype", "type", "kind", "name",
    "concept", "step", "status", "stage", "etape", "statut", "evenement", "aktivitat", "actividad", "page",
    "path", "screen", "url", "uri", "seite", "chemin", "pagina", "art", "typ", "genre", "tipo", "soort", "vorgang",
    "ereignis", "kontaktart", "kontakttyp", "aktivitatsart", "aktivitatstyp", "ereignistyp", "vorgangsart",
    "evento", "activite", "atividade", "disposition", "d", "de", "del", "da", "do", "to", "new", "neuer", "neue",
    "nouveau", "nouvelle", "nuevo", "nueva", "novo", "nova", "crm", "hs", "engagement", "result", "outcome", "metric",
}  # fmt: skip
"""The words that the name of a column of event types may have: ``device_type`` is the type of another thing."""
LIFECYCLE = r"lifecycle|lifecycle transition|transition"
CHANNEL = r"channel|canal|kanal|channel grouping"
TRAFFIC = {
    "traffic_source": r"utm source|traffic source source|traffic source$|session source|ga source",
    "traffic_medium": r"utm medium|medium|traffic medium|traffic source medium|session medium",
    "referrer": r"referr?er|page referr?er|http referr?er",
}
CLICK_ID = r"gclid|gbraid|wbraid|msclkid|fbclid|ttclid|li fat id"
CAMPAIGN = r"utm campaign|traffic source name|campaign|campagne|kampagne|campana|campaign name"
CONTENT = (
    r"(?:content|page|screen|form|webinar|asset|document|button|cta|white ?paper)(?: (?:name|group|type|category))?|"
    r"(?:utm |search )?(?:keyword|term)|topic|thema|sujet|(?:loss |lost |closed lost )?reason|grund|motif|"
    r"inhalt|contenu|livre blanc|formular|formulaire|dokument|webinaire"
)
"""What an event was about, in a few words; titles and addresses may name whom they are about."""
IN_CENTS = r"cents?|minor|minor units?|pence|centimes|centavos|centimos"
VALUE = {
    "amount|montant|betrag|import[eo]|ammontare|monto|bedrag": 100,
    "cart value|deal value|order value|value|valeur|wert": 95,
    "revenue|income|price|total|prix|preis|turnover": 80,
    "summe|gesamt(?:summe|betrag|preis|wert|umsatz)?|umsatz|somme|suma|netto(?:summe|betrag|preis|wert|umsatz)?": 80,
}
CURRENCY = r"currency|currency iso code|devise|wahrung|moneda|valuta"
QUANTITY = r"quantity|count|events|hits|qty|nombre|anzahl"
ACCOUNT = r"account|company|organi[sz]ation|entreprise|firma|firmen|compte|societe|unternehmen|konto|household|haushalt"
SHARED = rf"{ACCOUNT}|contact|kontakt|customer|client|kunden?|person|personne"
"""What several leads may have in common whose acts are theirs: not an owner, nor a campaign."""
TIME_ZONE = r"time zone|timezone|tz|fuseau"
STAGE = (
    r"stage|stage name|status|deal stage|etape|phase|statut|outcome|result|state|"
    r"ergebnis|resultat|resultado|estado|esito|stato|fase"
)
CLOSED = (
    r"closed?|won|lost|abgeschlossen|abschluss\w*|geschlossen|beendet|cloture\w*|fermee?|cerrad[oa]|cierre|"
    r"chius[oa]|chiusura|gesloten|signature|unterschrift|unterzeichnung|sluiting\w*|afsluit\w*"
)
"""What the time is called at which a deal was over."""
KIND = r"entity|entity type|object|object type|record type|subject type|who type"

WON = {
    "closed won|won|deal won|gagnee?|gewonnen|ganado|ganada|gano|ganh[oa]|ganhou|vint[oa]|vinse": 100,
    "purchased?|bought|placed order|order (?:placed|paid|completed)|checkout completed|transaction|achat|kauf": 95,
    r"subscription (?:started|created|activated)|(?:charge|payment|payment intent|order|transaction|invoice|sale)s? "
    r"(?:succeeded|successful|success|completed?|captured|settled|fulfilled|shipped|delivered|processed)": 92,
    "^sale$|sale made|sold|activated|contra(?:ct signed|t signe)|signed contract|subscribed|(?:became )?customer": 90,
    "vente|vendue?|verkauft|verkocht|vendid[oa]|auftrag erteilt|signee?|unterzeichnet|firmad[oa]|assinad[oa]": 90,
    "converted|conversion|convertie?|konvertiert|convertid[oa]": 85,
    "paid|payment|invoice paid|deposit": 80,
    "enrolled|granted|issued|^(?:facture|rechnung|factura|fattura|factuur|invoice)$": 60,
    "approved|accepted|registered": 50,
}
"""What a conversion may be called, the likeliest first."""
CONSENT = (
    r"consents?|consented|opt(?:ed)? ?(?:ins?|outs?)|gdpr|rgpd|dsgvo|"
    r"consentements?|einwilligung(?:en)?|zustimmung(?:en)?|consentimientos?|toestemming(?:en)?"
)
"""What is called so that leads agreed to: neither a sale nor a loss."""
_DENIED = (
    rf"{CONSENT}|"
    r"not|never|non|no|nicht|nie|kein\w*|pas|jamais|sans|sin|sem|nunca|nao|"
    r"failed|failure|refund(?:ed)?|reversed|chargeback|abandon(?:ed)?|lost|perdue?|"
    r"verloren|perdid[oa]|declined|denied|rejected|cancell?(?:ed|ation)?|unsubscribed?|newsletter|page|view|viewed|support|"
    r"ticket|out|pending|expected|created|updated|churn(?:ed)?|dis\w+|un(?!d\b|i[fqtv])\w+"
)
"""What turns a word for a conversion into its opposite, or into another thing: not converted, payment failed."""
UNDONE = (
    r"refund(?:ed)?|chargeback|charged back|reversed|reversal|returned|credit(?: note)?|"
    r"rembourse(?:ment|e)?|avoir|(?:ruck)?erstatt(?:ung|et)|gutschrift|storno|reembols[oa]|devuelt[oa]|devolucion"
)
"""What takes a sale back, and is no loss of a lead: it had converted."""
LOST = {
    "closed lost|lost|lose|deal lost|perdue?|verloren|perdido|perdida|persa|perso": 100,
    "declined|denied|rejected|refused|refuse?e?|refus|abgelehnt|rechazad[oa]|recusad[oa]|rejetee?|afgewezen": 90,
    "cancel|cancelled|canceled|annulee?|storniert|cancelad[oa]|geannuleerd": 85,
    "disqualified|unqualified|junk|dead|not interested|no interest|sans suite|kein interesse|nicht interessiert|"
    "pas interessee?|no interesad[oa]|sem interesse|churned|expired|withdrawn|abandoned": 80,
}
MILESTONES = {
    "accepted by sales": r"sales accepted|accepted by sales|sal|sales qualified|sql|qualified|converted|conversion",
    "opportunity": (
        r"opportunity|opportunity created|deal created|quote|quote sent|proposal|offer|demo|devis|"
        r"verkaufschancen? created|opportunite created|oportunidade? created"
    ),
}
TAKEN_OVER = r"(?:leads? )?(?:accepted|akzeptiert|angenommen|acceptee?)"
GIVEN_BACK = r"(?:leads? )?(?:refused|rejected|declined|returned|abgelehnt|zuruckgegeben|refusee?)"
"""What sales say of a lead that is handed over to them: what they give back is marketing's again, and not lost."""
DECIDED = (
    r"opportunity|opportunity created|deal created|sales accepted|accepted by sales|sal|sales qualified|sql|qualified"
)
"""Milestones that nobody mistakes for an act of the lead, which may look at a demo or ask for an offer."""
PAGES = (
    r"web|visits?|visited|sessions?|pages?|views?|viewed|hits?|clicks?|clicked|clickstream|mails?|emails?|newsletter|ads?|"
    r"utm|url|path|screen|title|link|touch(?:es)?|downloads?|webinars?|visites?|courriels?|besuche?|seiten?|webseite"
)
"""What a table, a column or an event is called that tells what a lead looked at: no decision of ours."""
OURS = (
    r"call|called|call made|phone|outbound|task|meeting booked by us|send|sent|delivered|delivery|"
    r"assigned|case opened|note|follow up|dial|voicemail|reminder|appel|appele|tache|relance|"
    r"envoyee?|envoi|sortante?|anruf|angerufen|telefonat|gesendet|versendet|versandt|verschickt|ausgehend\w*|notiz|aufgabe|"
    r"llamada|enviad[oa]|saliente|tarea|chamada|ligacao|tarefa|verstuurd|gebeld"
)
"""What we do, not the lead."""
NOBODYS = (
    r"(?:(?:hard|soft) )?bounce[ds]?|undelivered|undeliverable|delivery failed|failed delivery|nicht zustellbar|rebond"
)
"""What a mail server does, and nobody else."""
THEIRS = (
    r"open|opened|click|clicked|reply|replied|answered|inbound|received|form|visit|view|page|download|webinar|attended|"
    r"ouverte?|cliquee?|clic|reponse|repondue?|entrante?|recue?|visite|formulaire|telecharg\w*|"
    r"geoffnet|geklickt|angeklickt|klick|antwort|beantwortet|eingehend\w*|besuch|formular|heruntergeladen|"
    r"abiert[oa]|abert[oa]|respondid[oa]|recibid[oa]|recebid[oa]|visita|formulario|geopend|geklikt|beantwoord"
)
MAIL_SENT = r"sent|send|delivered|dispatched"
MAIL_OPENED, MAIL_CLICKED = r"open|opens|opened", r"click|clicks|clicked"
MAIL_DECLINED = r"unsubscribe|unsubscribed|unsub|opt out|opted out|desinscription|abmeldung"
"""What becomes of a mail."""

_SIZE = (
    r"employees|staff|workers|people|persons|children|kids|dependents|dependants|adults|guests|rooms|bedrooms|beds|"
    r"offices|locations|sites|stores|shops|branches|vehicles|cars|trucks|machines|students|pupils|inhabitants|"
    r"employes|enfants|mitarbeiter\w*|kinder|zimmer|filialen|empleados|hijos"
)
"""What is counted of a company or a household itself, and not of what became of it."""
OVERWRITTEN = (
    r"stage|status|statut|owner|proprietaire|assigned|zustandig\w*|betreuer\w*|bearbeiter\w*|besitzer\w*|verkaufer\w*|"
    r"vertriebler\w*|responsable|vendeur|charge d affaires|propietari[oa]|vendedor\w*|fase|"
    r"phase|etape|score|grade|rating|quality|tags?|last(?! name)|latest|letzte[nrsm]?|dernier\w*|ultim[oa]|notable|"
    r"modified|updated|closed?|won|lost|reason|probability|next|outcome|result|converted|conversion|lifecycle|"
    r"mrr|arr|ltv|is customer|customer since|plan|subscription|unworked|priority|contacted|delivered|opened|clicked|"
    r"bounced|unsubscribed|sends|sessions?|days (?:open|to|since)|duration|talk time|variant|"
    r"index|profile|amount won|revenue|accepted|selected|final|time spent|visits?|views?|"
    rf"(?:total|num|number of|count)(?!(?: of)? (?:{_SIZE})(?: range)?$)"
)
"""Columns that a CRM overwrites in place, or that sum up what came later: they know the outcome."""
AT_CREATION = (
    r"source|origin\w*|channel|medium|utm \w+|campaign|referr?er|referral|landing page|landing|first page|entry page|"
    r"country|region|city|language|locale|browser|device|platform|operating system|os|keyword|ad group|"
    r"how did you hear|hear about|form|product|industry|sector|canal|campagne|herkunft|quelle|pays|ville|origine"
)
"""What a column is called that is written when a lead comes in: where it came from, and where it is."""
PERSONAL = (
    r"e ?mail|mail|phone|telephone|mobile|fax|name|nom|prenom|vorname|nachname|surname|"
    r"street|address|adresse|rue|birth|ssn|iban|ip|ip address|url|website|linkedin|description|comments?|notes?|"
    r"message|text|body|subject"
)
PERSONS = (
    r"(?:first|last|full|middle|given|family|maiden) ?name|forename|nom|prenom|vorname|nachname|surname|e ?mail|phone|"
    r"mobile|iban|ssn"
)
"""What is personal however few values it has."""
POLYMORPHIC = r"who|what|related|regarding|parent|object|entity|subject|record|target"
"""What an id may be called that points into several tables."""
OUTCOMES = (
    r"labels?|outcomes?|targets?|ground truth|truth|conversions?|converted|results?|answers?|"
    r"etiquettes?|resultats?|cibles?|converti|etikett\w*|ergebnis(?:se)?|zielwerte?|konversion(?:en)?|konvertiert|"
    r"resultados?|etiquetas?|uitkomst(?:en)?"
)
"""What a table is called that says who converted, or its column."""
LISTED = (
    rf"{OUTCOMES}|wins?|won|positives?|customers?|sales?|purchases?|contracts?|subscriptions?|"
    r"clients?|ventes?|achats?|contrats?|kunden|kaufe|verkaufe|vertrage?|abschlusse?|ventas?|clientes"
)
"""What a table is called that lists those who converted."""
SOLD = (
    r"orders?|goals?|deals?|opportunit(?:y|ies)|charges?|payments?|bookings?|reservations?|sales?|purchases?|transactions?|"
    r"contracts?|subscriptions?|wins?|policies|invoices?|rechnung(?:en)?|factures?|facturas?|faturas?|commandes?|"
    r"reservations?|ventes?|achats?|contrats?|paiements?|"
    r"bestellung(?:en)?|auftrage?|buchung(?:en)?|zahlung(?:en)?|verkaufe?|kaufe?|vertrage?|pedidos?|ventas?|pagos?"
)
"""What a table is called whose rows are what leads come to: they were written when a lead converted, or hoped to."""
LOOKED = (
    r"snapshot|as of|observed|observation|prediction|predicted|cutoff|cut off|reference|export(?:ed)?|extract(?:ed)?|"
    r"loaded|processed|run|horizon|window|until|end of"
)
"""What a time is called at which somebody looked."""
CONVERTED_TO = r"convert\w*|became|opportunity|deal|order|contract|invoice|quote"
"""What an id is called that a lead gets on its way."""
LINKS = (
    r"identit(?:y|ies)|alias(?:es)?|links?|linked|merges?|merged|map(?:ping)?|match(?:es)?|cookies?|duplicates?|dedupe?|"
    r"fusions?|doublons?|zusammenfuhrung(?:en)?|dubletten?"
)
"""What a table is called that says which ids are one lead's."""
LEFT_FOR_SURE = (
    r"merged? (?:in)?to|merge target|duplicate of|dup of|alias of|replaced by|superseded by|survivor|surviving|"
    r"canonical|fusionne (?:dans|avec|vers)|doublon de|zusammengefuhrt (?:in|mit)|dublette von"
)
GONE_FOR_SURE = r"merged? from|replaces|supersedes|merge source"
LEFT = (
    r"into|primary|winner|winning|kept|keep|master|new|to|target|final|golden|main|destination|remaining|current|"
    r"principal|principale|conservee?|gagnante?|cible|nouveau|nouvel|nouvelle|maitre|vers|"
    r"haupt\w*|neue?[nrsm]?|ziel\w*|fuhrende?\w*|behalten\w*|verbleib\w*|verblieben\w*|gewinner|master\w*"
)
"""What the id of the record is called that is left after a merge."""
GONE = (
    r"merged|duplicate|duplicated|dup|dupe|loser|losing|secondary|from|old|source|removed|deleted|absorbed|victim|"
    r"previous|former|obsolete|retired|alias|redundant|discarded|"
    r"doublon|ancien|ancienne|perdante?|supprimee?|absorbee?|fusionnee?|secondaire|"
    r"alte?[nrsm]?|dublette|doppelte?\w*|geloschte?\w*|quell\w*|verlierer|zusammengefuhrte?\w*|nachrangige?\w*"
)
"""What the id of the record is called that is gone after a merge."""
YES = ("1", "checked", "x", "sí", "sì", "true", "yes", "y", "t", "oui", "ja", "si", "won", "converted", "1.0")
NO = ("0", "unchecked", "false", "no", "n", "f", "non", "nein", "nee", "lost", "not converted", "0.0")


def is_called_time(name: str) -> bool:
    """Tell whether a name says that it is a time.

    >>> [is_called_time(name) for name in ("converted_at", "ModifiedDate", "on", "status")]
    [True, True, True, False]
    """
    return bool(rank(name, OCCURRED) or rank(name, CREATED) or has(name, _TIME))


_TIME = r"\w*date|\w*time|\w*timestamp|at|on|since|until|day"
