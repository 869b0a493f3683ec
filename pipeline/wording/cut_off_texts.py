# ruff: noqa: E501 - a text is not broken
"""The texts of the page on which the cut-offs are chosen, by their names: English and French; of its script, too."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.wording.page_texts import Said

CUT_OFF_TEXTS: Mapping[str, tuple[Said, Said]] = {
    "cuts.title": ("Cut-offs", "Seuils"),
    "cuts.heading": ("From which probability on", "À partir de quelles chances"),
    "cuts.opening": (
        "What becomes of the {leads} open leads of {as_of} as the cut-offs move. Move them; nothing is changed before the lines at the end stand in",
        "Ce que deviennent les {leads} leads ouverts au {as_of} quand les seuils bougent. À vous de les bouger\N{NO-BREAK SPACE}: rien ne change tant que les lignes du bas ne sont pas dans",
    ),
    "cuts.nobody": ("No lead is named here.", "Aucun lead n'est nommé ici."),
    "cuts.report": ("The report", "Le rapport"),
    "cuts.now": (
        "Now: marketing takes a lead from {mql} on, sales from {sql} on, {why}.",
        "Aujourd'hui\N{NO-BREAK SPACE}: le marketing prend un lead à partir de {mql}, les commerciaux à partir de {sql}, {why}.",
    ),
    "cuts.from.tiers": ("as people have settled them", "comme l'équipe les a fixés"),
    "cuts.from.money": (
        "where effort pays, by what a conversion is worth and what effort costs",
        "là où l'effort est rentable, selon ce que rapporte une vente et ce que coûte l'effort",
    ),
    "cuts.from.multiples": (
        "multiples of the share that converts, for nobody said what a conversion is worth",
        "multiples du taux de conversion, car personne n'a dit ce que rapporte une vente",
    ),
    "cuts.no_script": (
        "This page computes in the browser, and JavaScript is off here.",
        "Cette page calcule dans le navigateur, et JavaScript y est désactivé.",
    ),
    "cuts.command": ("says the same in figures.", "dit la même chose en chiffres."),
    "cuts.come_from": ("The cut-offs come from", "Les seuils viennent"),
    "cuts.way.money": (
        "what a conversion is worth, and what effort costs",
        "de ce que rapporte une vente, et de ce que coûte l'effort",
    ),
    "cuts.way.multiples": ("multiples of the share that converts", "de multiples du taux de conversion"),
    "cuts.way.tiers": ("a probability, as people settle it", "de chances fixées par l'équipe"),
    "cuts.assumptions": ("Assumptions", "Hypothèses"),
    "cuts.value": ("a conversion is worth (margin, not price)", "une vente rapporte (marge, et non prix)"),
    "cuts.sales_contact": (
        "sales takes up a lead, with all that follows",
        "un commercial prend un lead, avec tout ce qui suit",
    ),
    "cuts.nurturing": ("marketing keeps at a lead", "le marketing suit un lead"),
    "cuts.effect": (
        "share of the conversions that comes of the call, if measured",
        "part des ventes due à l'appel, si elle est mesurée",
    ),
    "cuts.mql_times": (
        "marketing, from so many times the usual odds on",
        "marketing, à partir de tant de fois la cote habituelle",
    ),
    "cuts.sql_times": (
        "sales, from so many times the usual odds on",
        "commerciaux, à partir de tant de fois la cote habituelle",
    ),
    "cuts.mql_share": ("marketing, from", "marketing, à partir de"),
    "cuts.sql_share": ("sales, from", "commerciaux, à partir de"),
    "cuts.unit.share": ("0 to 1", "de 0 à 1"),
    "cuts.unit.times": ("times", "fois"),
    "cuts.table": ("Open leads by tier", "Leads ouverts par qualification proposée"),
    "cuts.column.tier": ("tier", "qualification"),
    "cuts.column.now": ("now", "aujourd'hui"),
    "cuts.column.expected": ("expected to convert", "ventes attendues"),
    "cuts.column.of_100": ("of 100", "sur 100"),
    "cuts.column.whose": ("whose it is", "qui s'en occupe"),
    "cuts.whose.disqualified": ("nothing: a fact closes it", "personne\N{NO-BREAK SPACE}: un fait l'écarte"),
    "cuts.whose.SQL": ("worth an hour of sales", "mérite l'heure d'un commercial"),
    "cuts.whose.recycled": (
        "back after a loss or a silence: marketing takes it up again",
        "de retour après une perte ou un silence\N{NO-BREAK SPACE}: le marketing le reprend",
    ),
    "cuts.whose.MQL": ("marketing keeps at it", "le marketing continue"),
    "cuts.whose.IQL": ("wait", "attendre"),
    "cuts.about": (
        "Expected to convert: within {horizon}, the probabilities added up. Facts decide before any cut-off: who asked for a quote is SQL at once, who was refused is not.",
        "Ventes attendues\N{NO-BREAK SPACE}: d'ici {horizon}, somme des chances. Les faits passent avant tout seuil\N{NO-BREAK SPACE}: qui demande un devis est SQL aussitôt, qui a été refusé ne l'est pas.",
    ),
    "cuts.picture": (
        "How many leads reach a cut-off, and how many in a hundred of them are expected to convert",
        "Combien de leads atteignent un seuil, et combien sur cent d'entre eux devraient devenir clients",
    ),
    "cuts.picture_scroll": ("Picture of the cut-offs", "Image des seuils"),
    "cuts.caption": (
        "How many leads sales would take (blue) as its cut-off moves, and how many of a hundred of them would convert (brown). The lines are the cut-offs of marketing and of sales.",
        "Combien de leads les commerciaux prendraient (bleu) quand leur seuil bouge, et combien sur cent deviendraient clients (brun). Les traits sont les seuils du marketing et des commerciaux.",
    ),
    "cuts.keep": ("To keep this choice", "Pour garder ce choix"),
    "cuts.put": ("Put these lines under", "Mettre ces lignes sous"),
    "cuts.in": ("in", "dans"),
    "cuts.anew": (
        "(or hand them to who keeps it); {command} decides anew, and learns nothing anew.",
        "(ou les remettre à qui s'en occupe)\N{NARROW NO-BREAK SPACE}; {command} décide de nouveau, sans rien réapprendre.",
    ),
    "cuts.copy": ("Copy the lines", "Copier les lignes"),
    # What the script says as the cut-offs move.
    "cuts.says.worth": ("Worth and costs must be above 0.", "La marge et les coûts doivent être supérieurs à 0."),
    "cuts.says.effect": (
        "The share that comes of the call lies between 0 and 1; leave it empty where nobody measured it.",
        "La part due à l'appel est entre 0 et 1\N{NARROW NO-BREAK SPACE}; la laisser vide si personne ne l'a mesurée.",
    ),
    "cuts.says.nurture": (
        "Marketing must cost less than sales: otherwise nobody would nurture.",
        "Le marketing doit coûter moins que les commerciaux\N{NO-BREAK SPACE}: sinon, personne ne ferait de nurturing.",
    ),
    "cuts.says.no_lead": (
        "No lead could be worth it: sales costs {sales}, and the surest lead brings {brought}.",
        "Aucun lead ne le vaudrait\N{NO-BREAK SPACE}: un commercial coûte {sales}, et le lead le plus sûr rapporte {brought}.",
    ),
    "cuts.says.order": (
        "Sales must begin above marketing, and both above 0.",
        "Les commerciaux doivent commencer au-dessus du marketing, et tous deux au-dessus de 0.",
    ),
    "cuts.says.below": (
        "A probability lies below 100%.",
        "Des chances sont inférieures à 100\N{NARROW NO-BREAK SPACE}%.",
    ),
    "cuts.says.told": (
        "Sales from {cut} on: {leads} leads, of whom {expected} are expected to convert",
        "Commerciaux à partir de {cut}\N{NO-BREAK SPACE}: {leads} leads, dont {expected} devraient devenir clients",
    ),
    "cuts.says.one_in": (
        "At the cut-off one lead in {sql} converts. Marketing from {cut} on, where it is one in {mql}.",
        "Au seuil, un lead sur {sql} devient client. Marketing à partir de {cut}, où c'est un sur {mql}.",
    ),
    "cuts.says.places": (
        "At today's {places} places they fill {days} working days.",
        "Avec les {places} plages d'appel du jour, ils remplissent {days} jours ouvrés.",
    ),
    "cuts.says.unmeasured": (
        "What comes of a call was not measured: no profit is told, and the cut-offs are as low as they can be.",
        "L'effet d'un appel n'a pas été mesuré\N{NO-BREAK SPACE}: aucun gain n'est annoncé, et les seuils sont aussi bas que possible.",
    ),
    "cuts.says.calls": (
        "The calls cost {cost} and bring {brought}.",
        "Les appels coûtent {cost} et rapportent {brought}.",
    ),
    "cuts.says.and": (" and ", " et "),
    "cuts.says.before": (
        " Take {ways} out there, which would go before.",
        " Y retirer {ways}, qui passerait avant.",
    ),
    "cuts.says.axis": ("cut-off of sales", "seuil des commerciaux"),
    "cuts.says.copied": ("Copied.", "Copié."),
    "cuts.says.selected": (
        "Selected: copy them with the keyboard.",
        "Sélectionné\N{NO-BREAK SPACE}: à copier au clavier.",
    ),
}
SAYS = tuple(name for name in CUT_OFF_TEXTS if name.startswith("cuts.says."))
"""The texts that are filled in by the script."""
