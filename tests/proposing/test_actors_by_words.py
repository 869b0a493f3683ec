"""Who acted is told by words in German, French, Spanish and Portuguese, too."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table
from proposals import count, ingest, propose

TONGUES = {
    "German": (
        "Aktivität",
        ("Anruf", "E-Mail gesendet"),
        ("E-Mail geöffnet", "Formular", "Anruf eingehend"),
        "Gewonnen",
    ),
    "French": ("Type d'activité", ("Appel sortant", "E-mail envoyé"), ("E-mail ouvert", "Formulaire rempli"), "Gagné"),
    "Spanish": ("Tipo de actividad", ("Llamada", "Correo enviado"), ("Correo abierto", "Visita"), "Ganado"),
    "Portuguese": ("Tipo de atividade", ("Chamada", "E-mail enviado"), ("E-mail aberto", "Visita"), "Ganho"),
}


@pytest.mark.parametrize(("column", "ours", "theirs", "won"), TONGUES.values(), ids=TONGUES)
def test_what_we_do_is_told_from_what_leads_do(
    column: str, ours: tuple[str, ...], theirs: tuple[str, ...], won: str, tmp_path: Path
) -> None:
    rows = [
        (f"L{lead}", kind, BEGINNING + timedelta(days=lead, hours=hour))
        for lead in range(90)
        for hour, kind in enumerate((*ours, *theirs, *([won] if lead % 3 == 0 else [])))
    ]
    write_table(tmp_path / "raw" / "journal.csv", ["lead_id", column, "occurred_at"], rows)
    propose(tmp_path / "raw", tmp_path)
    ingest(tmp_path)
    found = dict(count(tmp_path).keys())
    assert {kind for kind, actor in found.items() if actor == "us"} == set(ours)
    assert {kind for kind, actor in found.items() if actor == "lead"} >= set(theirs)
