"""A list of leads that people keep in another tongue: their words for how, and when, a lead ended, and for amounts."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table
from proposals import interactions, propose, read_back

from features.core.errors import InputError

LEADS = 60
FRENCH = ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."]


def ended(lead: int) -> datetime:
    return BEGINNING.replace(hour=0) + timedelta(days=lead + 4)


def in_french(moment: datetime) -> str:
    return f"{moment.day} {FRENCH[moment.month - 1]} {moment.year}"


def in_italian(moment: datetime) -> str:
    return f"{moment:%d/%m/%Y}"


LISTS = {
    "suivi.csv": (["N° dossier", "Horodateur", "Origine", "Statut", "Date de signature", "Montant HT"],
                  ("Signé", "Perdu", "En cours"), in_french),
    "trattative.csv": (["Codice", "Creato il", "Origine", "Esito", "Data chiusura", "Importo"],
                       ("Vinta", "Persa", ""), in_italian),
    "page view.csv": (["Lead ID", "Created", "Source", "Phase", "Abschlussdatum", "Betrag"],
                      ("Abgeschlossen und gewonnen", "Abgeschlossen und verloren", "Angebot"), in_italian),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_ends_and_amounts_are_found_in_a_list(name: str, tmp_path: Path) -> None:
    header, words, written = LISTS[name]
    rows = [
        (
            f"C-{lead}",
            f"{BEGINNING + timedelta(days=lead):%d/%m/%Y %H:%M}",
            ("web", "fair")[lead % 2],
            words[lead % 3],
            written(ended(lead)) if lead % 3 < 2 else "",
            f"{1000 + lead},00",
        )
        for lead in range(LEADS)
    ]
    write_table(tmp_path / "raw" / name, header, rows, delimiter=";")
    settings = propose(tmp_path / "raw", tmp_path)
    [(worth,)] = read_back(tmp_path, "interactions", "sum(value) FILTER (event_type LIKE '%_won')")
    assert worth == sum(1000 + lead for lead in range(0, LEADS, 3))
    (won,), (lost,) = (settings["episodes"][key] for key in ("conversion", "lost"))
    ends = [(f"C-{lead}", ended(lead), (won, lost)[lead % 3]) for lead in range(LEADS) if lead % 3 < 2]
    assert interactions(tmp_path) == sorted(ends)


def test_no_other_time_is_taken_for_a_creation_that_can_not_be_read(tmp_path: Path) -> None:
    rows = [
        (f"{7000 + lead}", f"Bob {BEGINNING + timedelta(days=lead):%b %d, %Y}", ("Won", "Lost")[lead % 2],
         f"{ended(lead):%Y-%m-%d}")
        for lead in range(LEADS)
    ]  # fmt: skip
    write_table(tmp_path / "board.csv", ["Item ID", "Creation Log", "Status", "Date"], rows)
    with pytest.raises(InputError, match=r"board.Creation Log is called a time, but .* take the column out if it does"):
        propose(tmp_path, tmp_path / "project")


def test_long_numbers_that_are_ids_are_no_times(tmp_path: Path) -> None:
    """Ten digits count seconds from 1970, too, and an activity's id is called like its time."""
    leads = [
        (1_200_000_000 + lead, BEGINNING + timedelta(days=lead), ("web", "fair")[lead % 2]) for lead in range(LEADS)
    ]
    acts = [
        (number, kind, 1_200_000_000 + lead, BEGINNING + timedelta(days=lead, hours=number % 3 + 1))
        for number, (lead, kind) in enumerate((lead, kind) for lead in range(LEADS) for kind in ("Call", "Form", "Won"))
    ]
    write_table(tmp_path / "raw" / "leads.csv", ["Lead : Id", "Lead : Created at", "Lead : Source"], leads)
    header = ["Sales Activity : Id", "Sales Activity : Type", "Sales Activity : Targetable Id", "Activity date"]
    write_table(tmp_path / "raw" / "sales_activities.csv", header, acts)
    propose(tmp_path / "raw", tmp_path)
    assert read_back(tmp_path, "interactions", "count(*), count(DISTINCT lead_id)") == [(3 * LEADS, LEADS)]
