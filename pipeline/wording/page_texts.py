# ruff: noqa: E501 - a text is not broken
"""The texts of the private page, by their names: English and French. Of two in brackets, the first is for one."""

from __future__ import annotations

from collections.abc import Mapping

Said = str | tuple[str, str]
PAGE_TEXTS: Mapping[str, tuple[Said, Said]] = {
    "heading": ("Recommended leads", "Leads recommandés"),
    "opening": (
        "Today's list of sales, then who else is worth somebody's effort, the likeliest to convert within {horizon} first, as of {as_of}. This page names leads: keep it among those who work on them.",
        "La liste du jour des commerciaux, puis les autres leads qui méritent un effort, ceux qui ont le plus de chances de devenir clients en {horizon} d'abord, au {as_of}. Cette page nomme des leads\N{NO-BREAK SPACE}: à garder entre ceux qui s'en occupent.",
    ),
    "pages": ("Pages", "Pages"),
    "the_report": ("The report, which names none", "Le rapport, qui n'en nomme aucun"),
    "standing": ("Nobody should act on this", "Ne rien décider d'après cette page"),
    "wrong": (
        "The model is wrong by its own figures: {verdicts}.",
        "Le modèle se trompe d'après ses propres chiffres\N{NO-BREAK SPACE}: {verdicts}.",
    ),
    "what_was_seen": ("What was seen, and what to do.", "Ce qui a été vu, et que faire."),
    "leads": (("{number} lead", "{number} leads"), ("{number} lead", "{number} leads")),
    "left_out": (
        (
            "{number} more lead of these tiers is left out here.",
            "{number} more leads of these tiers are left out here.",
        ),
        (
            "{number} autre lead de ces qualifications n'est pas montré ici.",
            "{number} autres leads de ces qualifications ne sont pas montrés ici.",
        ),
    ),
    "waiting": (
        ("{number} open lead is below {cut_off} and waits.", "{number} open leads are below {cut_off} and wait."),
        (
            "{number} lead ouvert est sous {cut_off} et attend.",
            "{number} leads ouverts sont sous {cut_off} et attendent.",
        ),
    ),
    "all_leads": ("Every open lead is in", "Tous les leads ouverts sont dans"),
    "explained": (
        "What speaks for a lead (▲) or against it (▼) is told with what became of the leads that had the same in common, each counting once: it goes together with conversions, and proves no cause. A grade says who it is, A to D, and what it did, 1 to 4. Beneath stands what has moved the probability most since the day named there; a lead is improving, or declining, where time and what it did have moved its odds by a quarter or more.",
        "Ce qui joue en faveur d'un lead (▲) ou le freine (▼) est dit avec ce que sont devenus les leads dans le même cas, chacun compté une fois\N{NO-BREAK SPACE}: constaté avec les ventes, sans preuve d'une cause. Le profil va de A à D, l'engagement de 1 à 4. En dessous, ce qui a le plus fait bouger ses chances depuis le jour nommé\N{NARROW NO-BREAK SPACE}; un lead progresse, ou recule, quand le temps et ses actes ont changé sa cote d'un quart au moins.",
    ),
    "denied": (
        "{share} of what moves these probabilities is not told, for the figures do not bear it out.",
        "{share} de ce qui joue sur ces chances n'est pas dit, faute de chiffres qui le confirment.",
    ),
    "unexplained": (
        "No reasons were computed for {tiers}:",
        "Aucune raison n'a été calculée pour {tiers}\N{NO-BREAK SPACE}:",
    ),
    "for_whom": ("says for whom they are.", "dit pour qui elles le sont."),
    "in": ("in", "dans"),
    "and": (" and ", " et "),
    "tier": ("Tier", "Qualification proposée"),
    "all": ("all", "toutes"),
    "search": ("Search in leads and reasons", "Chercher dans les leads et les raisons"),
    "shown": ("{shown} of {rows} shown", "{shown} sur {rows} affichés"),
    "later": ("To come back to later", "À relancer plus tard"),
    "who_later": (
        "Leads that were lost of late, or are open and quiet, who is due first.",
        "Leads perdus récemment, ou ouverts et silencieux, les premiers à relancer d'abord.",
    ),
    "later_left_out": (
        ("{number} more is left out here.", "{number} more are left out here."),
        ("{number} autre n'est pas montré ici.", "{number} autres ne sont pas montrés ici."),
    ),
    "to_close": (
        ("{number} other is to be closed, and is not shown:", "{number} others are to be closed, and are not shown:"),
        (
            "{number} autre est à clôturer, et n'est pas montré\N{NO-BREAK SPACE}:",
            "{number} autres sont à clôturer, et ne sont pas montrés\N{NO-BREAK SPACE}:",
        ),
    ),
    "says_why": ("says why.", "dit pourquoi."),
    "column.lead": ("lead", "lead"),
    "column.tier": ("tier", "qualification"),
    "column.today": ("today", "aujourd'hui"),
    "column.probability": ("probability", "chances de devenir client"),
    "column.standing": ("word, maturity, stage, facts", "décision, maturité, étape, faits"),
    "column.reasons": ("reasons", "raisons"),
    "as_people_said": (
        "as people said; {tier} without their word",
        "décidé par l'équipe\N{NARROW NO-BREAK SPACE}; {tier} sinon",
    ),
    "waits": ("waits: {reason}", "attend\N{NO-BREAK SPACE}: {reason}"),
    "drawn": ("{group}, drawn by lot", "{group}, tiré au sort"),
    "a_guess": ("a guess", "estimation fragile"),
    "grade": ("grade {grade}", "profil {letter}, engagement {figure}"),
    "for": ("for", "pour"),
    "against": ("against", "frein"),
    "more": (("{number} more", "{number} more"), ("{number} de plus", "{number} de plus")),
    "nobody": ("No lead reaches {cut_off}", "Aucun lead n'atteint {cut_off}"),
    "nobody_to_work_on": (
        "So there is none for sales or marketing to work on. All {number} open leads, best first, are in",
        "Il n'y en a donc aucun à travailler. Les {number} leads ouverts, les meilleurs d'abord, sont dans",
    ),
    "cut_offs_stand": ("the cut-offs stand under", "les seuils sont sous"),
    "tier.customer": ("customer", "client"),
    "tier.disqualified": ("disqualified", "disqualifié"),
    "tier.SQL": ("SQL", "SQL"),
    "tier.recycled": ("recycled", "recyclé"),
    "tier.MQL": ("MQL", "MQL"),
    "tier.IQL": ("IQL", "IQL"),
    "list.sales": ("sales", "commerciaux"),
    "list.marketing": ("marketing", "marketing"),
    "trend.improving": ("improving", "en progrès"),
    "trend.steady": ("steady", "stable"),
    "trend.declining": ("declining", "en recul"),
    "maturity.cold": ("cold", "froid"),
    "maturity.warm": ("warm", "tiède"),
    "maturity.hot": ("hot", "chaud"),
    "list_reason.in work": ("in work", "en cours de traitement"),
    "list_reason.channel closed": ("channel closed", "ne peut être appelé"),
    "list_reason.agreed later": ("agreed later", "rappel convenu plus tard"),
    "list_reason.account": ("account", "un autre de son compte d'abord"),
    "list_reason.no owner": ("no owner", "secteur sans commercial"),
    "list_reason.capacity": ("capacity", "plages d'appel prises"),
    "list_reason.untouched": ("untouched", "transmis, pas encore traité"),
    "list_reason.left alone": ("left alone", "laissé de côté, tiré au sort"),
    "group.worked": ("worked", "à appeler"),
    "group.left alone": ("left alone", "laissé de côté"),
    "group.as usual": ("as usual", "comme d'habitude"),
    "guess.age": (
        "it is older than any lead that the model learned from",
        "aucun lead aussi ancien dans l'apprentissage",
    ),
    "guess.channel": (
        "the model learned from no lead, or too few, of its channel",
        "aucun lead, ou trop peu, de son canal dans l'apprentissage",
    ),
    "guess.main act": (
        "most of what it did is of event types that the model does not know",
        "le modèle ne connaît pas l'essentiel de ce qu'il a fait",
    ),
}
