"""Of words that say how leads ended none is dropped in silence, in whatever language people write them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table
from proposals import count, ingest, interactions, propose, told

from pipeline.profiling.words import LOST, SURE, rank, sounds_won

LEADS = 160
WORDS = ("Gewonnen", "Ganho", "Perdu", "Zuschlag")
"""Who reads all four knows that the last means a conversion; init does not."""
UNREAD = "32 of the 128 rows of outcomes are not used, for their ergebnis says neither won nor lost (32 Zuschlag)"


def write_log(folder: Path) -> None:
    rows = [
        (f"L{lead}", "page_view", BEGINNING + timedelta(days=lead, hours=hour))
        for lead in range(LEADS)
        for hour in range(3)
    ]
    write_table(folder / "log.csv", ["lead_id", "event", "occurred_at"], rows)


@pytest.mark.parametrize("timed", [True, False])
def test_words_of_outcomes_that_are_not_known_are_told_with_their_rows(timed: bool, tmp_path: Path) -> None:
    write_log(tmp_path / "raw")
    rows = [(f"L{lead}", WORDS[lead % 4], BEGINNING + timedelta(days=lead + 9)) for lead in range(LEADS) if lead % 5]
    header = ["lead_id", "ergebnis", "datum"]
    write_table(
        tmp_path / "raw" / "outcomes.csv", header[: 3 if timed else 2], [row[: 3 if timed else 2] for row in rows]
    )
    propose(tmp_path / "raw", tmp_path)
    assert UNREAD in told(tmp_path)
    ingest(tmp_path)
    found = {kind: number for (kind, _), number in count(tmp_path).items()}
    assert found["lead_converted"] == 64
    assert not timed or found["lead_lost"] == 32


def test_a_closed_deal_whose_stage_is_not_known_is_told_and_an_open_one_is_not(tmp_path: Path) -> None:
    write_log(tmp_path / "raw")
    rows = []
    for lead in range(LEADS):
        begun = BEGINNING + timedelta(days=lead)
        closed = begun + timedelta(days=9) if lead % 8 < 4 else ""
        rows.append((f"D{lead}", f"L{lead}", WORDS[lead % 4] if closed else "Angebot", begun, closed))
    write_table(tmp_path / "raw" / "deals.csv", ["deal_id", "lead_id", "stage", "created_at", "closed_at"], rows)
    propose(tmp_path / "raw", tmp_path)
    said = "20 of the 160 rows of deals are not used, for their stage says neither won nor lost (20 Zuschlag)"
    assert said in told(tmp_path)


def test_usual_words_of_ends_are_known_in_six_languages() -> None:
    won = "Closed Won, Gewonnen, Gagnée, Ganado, Ganho, Vinto, Verkauft, Vendu, Vendido, Convertido, Signé"
    lost = "Closed Lost, Verloren, Perdu, Perdida, Perso, Abgelehnt, Refusé, Rechazado, Recusado, Annulée, Cancelado"
    for word in won.split(", "):
        assert (sounds_won(word) >= SURE, rank(word, LOST)) == (True, 0), word
    for word in [*lost.split(", "), "Kein Interesse", "Sans suite", "Sem interesse"]:
        assert (sounds_won(word), rank(word, LOST) > 0) == (0, True), word


def test_a_deal_was_won_and_lost_at_times_of_two_columns(tmp_path: Path) -> None:
    """By the one that is filled more often the others had no time. A deal that was lost before it was won has both."""
    write_log(tmp_path / "raw")
    ends, deals = {}, []
    for lead in range(LEADS):
        end = ("won", "lost", "open", "lost")[lead % 4]
        at = BEGINNING + timedelta(days=lead + 5, minutes=lead)
        times = {"won": (at, at - timedelta(days=2) if lead % 8 else ""), "lost": ("", at), "open": ("", "")}[end]
        deals.append((f"D{lead}", f"L{lead}", end, BEGINNING + timedelta(days=lead, hours=9), *times))
        if end != "open":
            ends[f"L{lead}"] = (f"deal_{end}", at)
    header = ["deal_id", "lead_id", "status", "deal_created", "won_time", "lost_time"]
    write_table(tmp_path / "raw" / "deals.csv", header, deals)
    propose(tmp_path / "raw", tmp_path)
    ingest(tmp_path)
    found = interactions(tmp_path, "event_type IN ('deal_won', 'deal_lost')")
    assert {lead: (kind, at) for lead, at, kind in found} == ends
