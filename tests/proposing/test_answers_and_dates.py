"""A column that says yes or no, beside one that says when: a no with its time is a loss, one without is still open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table
from proposals import ingest, interactions, propose, told

LEADS = 90
DRAWN_AT = BEGINNING + timedelta(days=LEADS + 20)


def begun(lead: int) -> datetime:
    return BEGINNING + timedelta(days=lead, minutes=lead)


def ended(lead: int) -> datetime:
    return (begun(lead) + timedelta(days=4 + lead % 5)).replace(hour=0, minute=0)


def write_leads(folder: Path, names: Sequence[str], words: Sequence[str], *, planned: bool, flag: str = "") -> None:
    """Write leads of which every third is won, lost and open; the last row shows when the export was drawn."""
    rows: list[tuple[object, ...]] = []
    for lead in range(LEADS):
        is_open = lead % 3 == 2
        when = DRAWN_AT + timedelta(days=7 + lead) if planned else None
        over = (when if is_open else ended(lead)) or ""
        said = {"closed": words[is_open], "lost": words[lead % 3 != 1]}
        rows.append(
            (
                f"L{lead}",
                begun(lead),
                ("web", "fair")[lead % 2],
                words[lead % 3 > 0],
                f"{over:%Y-%m-%d}" if over else "",
                *([said[flag]] if flag else []),
            )
        )
    newest = ("L999", DRAWN_AT, "web", words[1], f"{DRAWN_AT + timedelta(days=9):%Y-%m-%d}" if planned else "")
    rows.append((*newest, {"closed": words[1], "lost": words[1]}[flag]) if flag else newest)
    header = ["lead_id", "created_at", "source", *names, *([f"is_{flag}"] if flag else [])]
    write_table(folder / "leads.csv", header, rows)


@pytest.mark.parametrize(
    ("names", "words", "planned", "flag"),
    [
        (("Abschluss", "Abschlussdatum"), ("ja", "nein"), False, ""),
        (("is_won", "close_date"), ("true", "false"), True, ""),
        (("is_won", "close_date"), ("true", "false"), True, "closed"),
        (("Vendu", "Date de clôture"), ("oui", "non"), True, "lost"),
    ],
)
def test_a_no_is_a_loss_when_its_day_has_come(
    names: Sequence[str], words: Sequence[str], planned: bool, flag: str, tmp_path: Path
) -> None:
    write_leads(tmp_path / "raw", names, words, planned=planned, flag=flag)
    propose(tmp_path / "raw", tmp_path)
    ingest(tmp_path)
    ends = [(f"L{lead}", ended(lead), ("lead_won", "lead_lost")[lead % 3]) for lead in range(LEADS) if lead % 3 < 2]
    assert interactions(tmp_path) == sorted(ends)
    stay = "0 have no" if planned else "31 have no"
    assert f"leads says by {names[0]} who converted, and by {names[1]} when: of those that did not 30 are" in told(
        tmp_path
    )
    assert stay in told(tmp_path)
    assert ("31 have one that is planned and stay open, too" in told(tmp_path)) == planned
    # It stands in the settings, too, beside the query that a person may change.
    said = " ".join((tmp_path / "params.yaml").read_text(encoding="utf-8").replace("#", " ").split())
    assert ("one that is overdue counts as lost" in said) == planned
