"""Event types that are numbers, with and without a table of what they mean, and ends that another column tells."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from exports import BEGINNING, write_table
from proposals import count, ingest, propose, told

LEADS = 90
MEANINGS = ((1, "Visit Webpage"), (2, "Fill Out Form"), (6, "Send Email"), (8, "Email Bounced"), (104, "Change Status"))
WON, LOST = "Change Status Won", "Change Status Lost"


def write_activities(folder: Path) -> None:
    """Write of each lead visits, a form, a mail, and of two in three a change of status: to won, or to lost."""
    rows: list[tuple[object, ...]] = []
    for lead in range(LEADS):
        for number, code in enumerate((1, 1, 2, 6, 104)):
            status = ("Won", "Lost")[lead % 3] if code == 104 and lead % 3 < 2 else ""
            if code != 104 or status:
                at = BEGINNING + timedelta(days=lead, hours=number)
                rows.append((f"g{len(rows)}", 5000 + lead, f"{at:%Y-%m-%dT%H:%M:%SZ}", code, "Trial", status))
    header = ["marketoGUID", "leadId", "activityDate", "activityTypeId", "primaryAttributeValue", "newStatus"]
    write_table(folder / "activities.csv", header, rows)


def test_a_table_of_meanings_names_the_events_and_a_status_tells_their_ends(tmp_path: Path) -> None:
    write_activities(tmp_path / "raw")
    write_table(tmp_path / "raw" / "activity_types.csv", ["id", "name"], MEANINGS)
    settings = propose(tmp_path / "raw", tmp_path)
    assert (settings["episodes"]["conversion"], settings["episodes"]["lost"]) == ([WON], [LOST])
    assert "activity_types is not used" not in told(tmp_path)
    ingest(tmp_path)
    assert count(tmp_path) == {
        ("Visit Webpage", "lead"): 180,
        ("Fill Out Form", "lead"): 90,
        ("Send Email", "us"): 90,
        (WON, "lead"): 30,
        (LOST, "lead"): 30,
    }


def test_numbers_that_no_table_explains_are_told_and_none_of_them_holds_wins_and_losses(tmp_path: Path) -> None:
    write_activities(tmp_path / "raw")
    settings = propose(tmp_path / "raw", tmp_path)
    assert (settings["episodes"]["conversion"], settings["episodes"]["lost"]) == (["104 Won"], ["104 Lost"])
    assert "activities.activityTypeId says what happened by numbers (1, 2, 6 ...), and no table here says" in told(
        tmp_path
    )
    assert "where activityTypeId is 104, newStatus says how it ended" in told(tmp_path)


def test_codes_of_letters_are_named_by_their_table(tmp_path: Path) -> None:
    kinds = (("Rb4xT", "Opened Email"), ("Xc2mm", "Active on Site"), ("Zz1ab", "Placed Order"))
    rows = [
        (
            f"e{lead}-{number}",
            code,
            f"P{lead:04d}",
            f"{BEGINNING + timedelta(days=lead, hours=number):%Y-%m-%dT%H:%M:%SZ}",
        )
        for lead in range(LEADS)
        for number, (code, _) in enumerate(kinds[: 3 if lead % 3 == 0 else 2])
    ]
    write_table(tmp_path / "raw" / "events.csv", ["id", "metric_id", "profile_id", "datetime"], rows)
    write_table(tmp_path / "raw" / "metrics.csv", ["id", "name"], kinds)
    assert propose(tmp_path / "raw", tmp_path)["episodes"]["conversion"] == ["Placed Order"]


def test_what_each_row_of_a_lead_says_alike_is_no_end_of_one_event(tmp_path: Path) -> None:
    """A status that is as of the export stands beside every event: it would know the outcome from the first on."""
    rows = [
        (f"L{lead}", kind, BEGINNING + timedelta(days=lead, hours=number), "Won" if lead % 3 == 0 else "Open")
        for lead in range(LEADS)
        for number, kind in enumerate(("visit", "form", "order placed" if lead % 3 == 0 else "visit"))
    ]
    write_table(tmp_path / "raw" / "log.csv", ["lead_id", "event", "occurred_at", "status"], rows)
    assert propose(tmp_path / "raw", tmp_path)["episodes"]["conversion"] == ["order placed"]
    ingest(tmp_path)
    assert {kind for kind, _ in count(tmp_path)} == {"visit", "form", "order placed"}
