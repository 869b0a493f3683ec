"""What was sent twice is one event: its sender's id says so, and not the id of the row that it became."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from exports import BEGINNING, write_table
from proposals import count, ingest, interactions, notes, propose, read

LEADS = 60


def write_events(folder: Path) -> None:
    """Write a log whose every tenth event was sent twice; each row has an id of its own, and a count by device."""
    rows: list[dict[str, object]] = []
    for lead in range(LEADS):
        for number in range(4):
            at = BEGINNING + timedelta(days=lead, hours=number)
            kind = "purchase" if number == 3 and lead % 3 == 0 else "page_view"
            for again in range(2 if (lead * 4 + number) % 10 == 0 or kind == "purchase" else 1):
                rows.append(
                    {
                        "$insert_id": f"ins-{lead}-{number}",
                        "event_id": number,
                        "event_time": f"{at}.000000",
                        "server_upload_time": f"{at + timedelta(seconds=5 + 9 * again)}.000000",
                        "event_type": kind,
                        "user_id": f"person-{lead}",
                        "uuid": f"{len(rows):08d}-0001",
                        "event_properties": {"revenue": 250 if kind == "purchase" else None},
                    }
                )
    folder.mkdir(parents=True)
    (folder / "events.json").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def test_an_event_that_was_sent_twice_counts_once(tmp_path: Path) -> None:
    write_events(tmp_path / "raw")
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["sources"]["events"]["columns"]["event_id"] == "$insert_id"
    ingest(tmp_path)
    assert count(tmp_path) == {("purchase", "lead"): 20, ("page_view", "lead"): 220}
    summary = read(tmp_path, "data/ingest.json")["sources"]["events"]
    assert (summary["rows"], summary["used"]) == (240 + 20 + 24, 240)


def test_an_act_that_two_exports_hold_counts_once(tmp_path: Path) -> None:
    """When it was exported tells no act from another, nor does its local time beside that in UTC."""
    for month in range(2):
        rows = [
            (f"L{lead}", kind, at + timedelta(hours=2), at, BEGINNING + timedelta(days=60 + month))
            for lead in range(LEADS)
            for kind in ("visit", "won")[: 1 + (lead % 3 == 0)]
            if 20 * month <= lead < 40 + 20 * month
            for at in [BEGINNING + timedelta(days=lead, hours=9 + len(kind))]
        ]
        header = ["lead_id", "activity", "activity_at", "activity_at_utc", "exported_at"]
        write_table(tmp_path / "raw" / f"activities_{month + 1}.csv", header, rows)
    propose(tmp_path / "raw", tmp_path)
    ingest(tmp_path)
    assert interactions(tmp_path) == sorted(
        (f"L{lead}", BEGINNING + timedelta(days=lead, hours=9 + len(kind)), kind)
        for lead in range(LEADS)
        for kind in ("visit", "won")[: 1 + (lead % 3 == 0)]
    )


def test_changes_of_rows_are_told_to_be_no_rows(tmp_path: Path) -> None:
    """Each act was there as often as it had been touched, and those that were deleted, too."""
    write_events(tmp_path / "log")
    rows = [
        (f"A{lead}", f"person-{lead}", "call", BEGINNING + timedelta(days=lead, hours=9), operation)
        for lead in range(LEADS)
        for operation in ("I", "U", "D")[: 1 + lead % 3]
    ]
    header = ["activity_id", "user_id", "activity_type", "activity_at", "__op"]
    write_table(tmp_path / "log" / "activities.csv", header, rows)
    assert "activities holds the changes of rows, by its __op (I, U, D), and each counts" in notes(tmp_path / "log")
