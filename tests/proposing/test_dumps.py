"""A table that is exported whole from time to time is no history: its rows are refused where they come again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table
from proposals import propose

from features.core.errors import InputError

LEADS = 90


def write_dumps(folder: Path, *months: int) -> None:
    """Write all leads that were there by the end of each of some months, with what became of them by then."""
    for month in months:
        by = BEGINNING + timedelta(days=30 * month)
        rows = []
        for lead in range(LEADS):
            begun = BEGINNING + timedelta(days=lead)
            ended = begun + timedelta(days=12)
            if begun < by:
                over = ended < by
                status = ("Won", "Lost", "Open")[lead % 3] if over else "Open"
                rows.append((f"L{lead:03d}", begun, ("web", "fair")[lead % 2], status, ended if over else ""))
        write_table(
            folder / f"leads_2025-{month:02d}.csv", ["lead_id", "created_at", "source", "status", "closed_at"], rows
        )


def test_files_that_hold_the_same_rows_again_are_refused_and_the_newest_is_read(tmp_path: Path) -> None:
    write_dumps(tmp_path / "all", 1, 2, 3)
    with pytest.raises(
        InputError, match=r"leads_\*\.csv hold the same rows again and again \(180 rows of 90 by lead_id\)"
    ):
        propose(tmp_path / "all", tmp_path)
    write_dumps(tmp_path / "newest", 3)
    assert propose(tmp_path / "newest", tmp_path)["episodes"]["conversion"] == ["lead_won"]
