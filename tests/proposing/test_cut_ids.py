"""Ids of 15 and of 18 letters are the same: no lead is two, whichever file has which."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table
from proposals import propose

from features.core.errors import InputError

LEADS = 30


def cased(lead: int) -> str:
    return "00Q5f00000" + "".join("aB"[lead >> place & 1] for place in range(5))


def checked(lead: int) -> str:
    """Append what tells the capitals: of the first five letters Q counts 4, of the last five the bits of the number."""
    return f"{cased(lead)}EA{'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345'[lead]}"


@pytest.mark.parametrize(("first", "second"), [(cased, checked), (checked, cased)])
def test_files_that_name_the_same_leads_in_both_ways_are_refused(
    first: Callable[[int], str], second: Callable[[int], str], tmp_path: Path
) -> None:
    visits = [
        (first(lead), "visit", BEGINNING + timedelta(days=lead, hours=hour)) for lead in range(LEADS) for hour in (0, 5)
    ]
    sales = [(second(lead), "purchase", BEGINNING + timedelta(days=lead, hours=9)) for lead in range(LEADS)]
    for name, rows in (("web", visits), ("sales", sales)):
        write_table(tmp_path / "raw" / f"{name}.csv", ["lead_id", "event", "occurred_at"], rows)
    with pytest.raises(InputError, match=r"30 ids of \w+\.lead_id are those of \w+\.lead_id without their last three"):
        propose(tmp_path / "raw", tmp_path)
