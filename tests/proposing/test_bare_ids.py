"""Ids that lack what those of another table have, zeros in front or .0 behind, are refused: each would be two leads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table
from proposals import propose

from features.core.errors import InputError

LEADS = 60


def write_tables(folder: Path, name: str, in_log: Callable[[int], object], in_sales: Callable[[int], object]) -> None:
    log = [
        (in_log(lead), "page_view", BEGINNING + timedelta(days=lead, hours=hour))
        for lead in range(7, LEADS + 7)
        for hour in range(3)
    ]
    sales = [(in_sales(lead), "purchase", BEGINNING + timedelta(days=lead + 3)) for lead in range(7, LEADS + 7, 2)]
    for table, rows in (("visits", log), ("sales", sales)):
        write_table(folder / f"{table}.csv", [name, "event", "occurred_at"], rows)


@pytest.mark.parametrize(
    ("name", "in_log", "in_sales", "said"),
    [
        ("lead_id", "{:05d}".format, str, "30 of the 30 ids in sales.lead_id meet one of visits.lead_id only without"),
        (
            "Kundennummer",
            str,
            "{:06d}".format,
            "30 of the 30 ids in visits.Kundennummer meet one of sales.Kundennummer",
        ),
        ("lead_id", str, "{}.0".format, "30 of the 30 ids in visits.lead_id meet one of sales.lead_id only without"),
    ],
)
def test_ids_that_meet_only_without_zeros_are_refused(
    name: str, in_log: Callable[[int], object], in_sales: Callable[[int], object], said: str, tmp_path: Path
) -> None:
    write_tables(tmp_path, name, in_log, in_sales)
    with pytest.raises(InputError, match=said):
        propose(tmp_path, tmp_path / "project")


def test_ids_of_which_some_have_a_zero_in_both_tables_are_as_they_are(tmp_path: Path) -> None:
    """Zeros in front are no fault where both tables have them, and 7 and 007 are two where one table has both."""
    write_tables(tmp_path / "raw", "lead_id", "{:02d}".format, "{:02d}".format)
    rows = [(f"{'00' if lead % 2 else ''}{lead}", BEGINNING + timedelta(days=lead)) for lead in range(7, 40)]
    rows += [(f"00{lead}", BEGINNING + timedelta(days=lead)) for lead in range(8, 40, 2)]
    write_table(tmp_path / "raw" / "forms.csv", ["lead_id", "sent_at"], rows)
    assert propose(tmp_path / "raw", tmp_path)["episodes"]["conversion"] == ["lead_converted"]
