"""What init makes of headers in other tongues, and of columns whose values say what their names don't."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exports import BEGINNING, write_table
from test_crm_dumps import notes
from test_init import propose

ENGLISH = {
    "contacts": ("contact_id", "created_at", "source", "owner", "last_activity", "status"),
    "activities": ("activity_id", "contact_id", "type", "date", "subject", "recorded_at"),
    "opportunities": ("opportunity_id", "contact_id", "created_at", "amount", "closed_at", "outcome"),
    "quotes": ("quote_id", "opportunity_id", "quote_date", "total_net"),
}
GERMAN = {
    "Kontakte": ("Kontakt-Nr.", "Angelegt am", "Herkunft", "Zuständig", "Letzte Aktivität", "Status"),
    "Aktivitäten": ("Aktivität-Nr.", "Kontakt-Nr.", "Art", "Datum", "Betreff", "Erfasst am"),
    "Verkaufschancen": ("Chance-Nr.", "Kontakt-Nr.", "Angelegt am", "Betrag (€)", "Abgeschlossen am", "Ergebnis"),
    "Angebote": ("Angebot-Nr.", "Chance-Nr.", "Angebotsdatum", "Summe netto"),
}
FRENCH = {
    "contacts": ("N° contact", "Créé le", "Origine", "Responsable", "Dernière activité", "Statut"),
    "activités": ("N° activité", "N° contact", "Genre", "Date", "Objet", "Saisi le"),
    "opportunités": ("N° opportunité", "N° contact", "Créée le", "Montant", "Clôturée le", "Résultat"),
    "devis": ("N° devis", "N° opportunité", "Date du devis", "Total net"),
}
SPANISH = {
    "contactos": ("Nº contacto", "Creado el", "Origen", "Responsable", "Última actividad", "Estado"),
    "actividades": ("Nº actividad", "Nº contacto", "Tipo", "Fecha", "Asunto", "Registrado el"),
    "oportunidades": ("Nº oportunidad", "Nº contacto", "Creada el", "Importe", "Cerrada el", "Resultado"),
    "presupuestos": ("Nº presupuesto", "Nº oportunidad", "Fecha del presupuesto", "Total neto"),
}
NAMELESS = {
    "contacts": ("contact_id", "created_at", "source", "owner", "zuletztx", "status"),
    "activities": ("activity_id", "contact_id", "type", "date", "subject", "spalte7"),
    "opportunities": ("opportunity_id", "contact_id", "created_at", "amount", "closed_at", "outcome"),
    "quotes": ("quote_id", "opportunity_id", "quote_date", "total_net"),
}
"""What names tell nothing of must be told by the values: the stamp of the last activity, and the time of recording."""
ENDS = {
    "english": ("won", "lost"),
    "german": ("gewonnen", "verloren"),
    "french": ("gagnée", "perdue"),
    "spanish": ("ganada", "perdida"),
    "nameless": ("won", "lost"),
}
TONGUES = {"english": ENGLISH, "german": GERMAN, "french": FRENCH, "spanish": SPANISH, "nameless": NAMELESS}
UNTIL = BEGINNING + timedelta(days=400)


def stamp(moment: datetime) -> str:
    return f"{moment:%d.%m.%Y %H:%M}"


def day(moment: datetime) -> str:
    return f"{moment:%d.%m.%Y}"


def write_crm(folder: Path, tongue: str, leads: int = 700) -> dict[str, int]:
    """Write contacts with what happened to them, their deals and quotes; gives how many deals were won, and all."""
    rng = np.random.default_rng(5)
    contacts: list[Sequence[object]] = []
    acts: list[Sequence[object]] = []
    deals: list[Sequence[object]] = []
    quotes: list[Sequence[object]] = []
    won_word, lost_word = ENDS[tongue]
    won = 0
    for number in range(leads):
        created = BEGINNING + timedelta(minutes=int(rng.integers(390 * 1440)))
        name, last = f"K-{number:05d}", created
        for _ in range(int(rng.integers(1, 9))):
            at = min(created + timedelta(hours=float(rng.gamma(1, 300))), UNTIL)
            recorded = at + timedelta(minutes=int(rng.integers(0, 900)))
            last = max(last, at)
            kind = ["E-Mail", "Anruf", "Formular"][int(rng.integers(3))]
            acts.append((f"A{len(acts)}", name, kind, stamp(at), "xyz"[number % 3] * 3, stamp(recorded)))
        if rng.random() < 0.5:
            begun, deal = created + timedelta(days=float(rng.gamma(2, 5))), f"V{number:05d}"
            closed = begun + timedelta(days=float(rng.gamma(2, 12)))
            is_won = rng.random() < 0.5
            result = (won_word if is_won else lost_word) if closed < UNTIL else ""
            won += result == won_word
            money = f"{int(rng.integers(1, 9))}.{int(rng.integers(100, 999))},{int(rng.integers(10, 99))}"
            deals.append((deal, name, stamp(begun), money, day(closed) if result else "", result))
            quotes.append((f"AN{number:05d}", deal, day(begun + timedelta(days=2)), money))
        status = ["Neu", "Aktiv"][number % 2]
        contacts.append((name, stamp(created), ["Web", "Messe"][number % 2], ["Groß", "Weiß"][number % 2],
                         day(last), status))  # fmt: skip
    for (table, header), rows in zip(TONGUES[tongue].items(), (contacts, acts, deals, quotes), strict=True):
        write_table(folder / f"{table}.csv", header, rows, delimiter=";")
    return {"won": won, "acts": len(acts), "deals": len(deals)}


def sources_of(settings: dict[str, Any], word: str) -> dict[str, Any]:
    return {name: source for name, source in settings["ingest"]["sources"].items() if word in name}


@pytest.mark.parametrize("tongue", TONGUES)
def test_the_last_activity_of_a_lead_is_no_event(tmp_path: Path, tongue: str) -> None:
    write_crm(tmp_path / "raw", tongue)
    settings = propose(tmp_path / "raw", tmp_path)
    last = next(iter(TONGUES[tongue].values()))[4]
    assert f"{last}" not in repr(settings["ingest"]["sources"])
    assert f".{last} is no event" in notes(tmp_path / "raw")
