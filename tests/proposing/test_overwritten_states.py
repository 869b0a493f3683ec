"""What a row says of now and of later: a status since a day, a task that nobody has done, what was counted so far."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from exports import BEGINNING, write_table
from proposals import count, ingest, interactions, propose, told

LEADS = 120
ENDS = {0: "Gewonnen", 1: "Verloren", 2: "In Bearbeitung"}


def begun(lead: int) -> datetime:
    return BEGINNING + timedelta(days=lead)


def ended(lead: int) -> datetime:
    return begun(lead) + timedelta(days=3 + lead % 5, minutes=lead)


def test_an_end_was_when_the_status_became_what_it_is(tmp_path: Path) -> None:
    rows = [
        (
            f"L{lead}",
            f"{begun(lead):%d/%m/%Y %H:%M}",
            ENDS[lead % 3],
            f"{ended(lead):%d/%m/%Y %H:%M}",
            ("web", "fair")[lead % 2],
        )
        for lead in range(LEADS)
    ]
    write_table(tmp_path / "raw" / "leads.csv", ["lead_id", "created_on", "status", "status_date", "origin"], rows)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"] | {"milestones": {}} == {
        "conversion": ["lead_won"],
        "lost": ["lead_lost"],
        "milestones": {},
    }
    ingest(tmp_path)
    ends = [(f"L{lead}", ended(lead), f"lead_{'lost' if lead % 3 else 'won'}") for lead in range(LEADS) if lead % 3 < 2]
    assert interactions(tmp_path) == sorted(ends)
    assert "40 of the 120 rows of leads are not used" in told(tmp_path)


def write_deals(folder: Path) -> None:
    """Write deals and their activities: each planned a day before it was done, every fourth never done."""
    deals: list[tuple[object, ...]] = []
    activities: list[tuple[object, ...]] = []
    for lead in range(LEADS):
        end = ended(lead) if lead % 3 < 2 else ""
        status = {0: "Won", 1: "Lost", 2: "Open"}[lead % 3]
        deals.append((lead + 1, begun(lead), status, end, 3 + 4 * (lead % 3 == 0), ("web", "fair")[lead % 2]))
        for number in range(4):
            planned = begun(lead) + timedelta(hours=6 * number)
            done = planned + timedelta(days=1) if number < 3 else ""
            activities.append((len(activities) + 1, lead + 1, "Call", planned, done))
    header = [
        "Deal - ID",
        "Deal - Deal created",
        "Deal - Status",
        "Deal - Deal closed on",
        "Deal - Done activities",
        "Source",
    ]
    write_table(folder / "deals.csv", header, deals)
    header = [
        "Activity - ID",
        "Activity - Deal ID",
        "Activity - Type",
        "Activity - Add time",
        "Activity - Marked as done time",
    ]
    write_table(folder / "activities.csv", header, activities)


def test_a_task_happened_when_it_was_done_and_one_that_was_not_never(tmp_path: Path) -> None:
    write_deals(tmp_path / "raw")
    settings = propose(tmp_path / "raw", tmp_path)
    assert "Deal - Done activities" not in settings["ingest"]["leads"]["attributes"]
    ingest(tmp_path)
    assert count(tmp_path)["Call", "us"] == 3 * LEADS
    first = interactions(tmp_path, "lead_id = '1' AND event_type = 'Call'")[0]
    assert first == ("1", BEGINNING + timedelta(days=1), "Call")
    assert f"{LEADS} missing occurred_at" in told(tmp_path)
    assert "the times of activities, deals carry no offset and are taken for UTC" in told(tmp_path)


def test_a_loss_after_which_many_convert_is_told(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = []
    for lead in range(LEADS):
        rows += [
            (f"O{lead}", stage, begun(lead) + timedelta(days=day)) for day, stage in enumerate(("New", "Closed Lost"))
        ]
        rows += [(f"O{lead}", "Closed Won", begun(lead) + timedelta(days=9))] if lead % 6 == 0 else []
    write_table(tmp_path / "raw" / "stage_history.csv", ["opportunity_id", "to_stage", "changed_at"], rows)
    assert "lost" not in propose(tmp_path / "raw", tmp_path)["episodes"]
    said = "Closed Lost is called a loss, but 20 of the 120 leads that have it convert later"
    assert said in told(tmp_path)


def test_a_column_of_zones_beside_times_without_an_offset_is_told_and_an_offset_needs_no_word(tmp_path: Path) -> None:
    for name, form, is_told in (("local", "%Y-%m-%d %H:%M:%S", True), ("offset", "%Y-%m-%dT%H:%M:%S+02:00", False)):
        rows = [
            (
                f"L{lead}",
                kind,
                f"{begun(lead) + timedelta(hours=hour):{form}}",
                ("Europe/Paris", "Europe/Lisbon")[lead % 2],
            )
            for lead in range(LEADS)
            for hour, kind in enumerate(("visit", "form", "won" if lead % 3 else "visit"))
        ]
        root = tmp_path / name
        write_table(root / "raw" / "log.csv", ["lead_id", "event", "local_time", "timezone"], rows)
        propose(root / "raw", root)
        assert ("log.timezone may say in which zone the times of its row are written" in told(root)) == is_told
        assert ("are taken for UTC" in told(root)) == is_told
