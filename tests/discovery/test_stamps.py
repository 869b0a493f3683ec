"""What init makes of times at which nothing happened: stamps of the last change, dates that people type, histories."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
from cases import CASES
from exports import BEGINNING, write_table
from proposals import count, ingest, propose, read

DRAWN_AT = BEGINNING + timedelta(days=400)
WON, LOST = "Closed Won", "Closed Lost"


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


VENDORS = {
    "hubspot": ("createdate", "hs_lastmodifieddate", "notes_next_activity_date", "hs_last_sales_activity_date"),
    "odoo": ("create_date", "write_date", "date_deadline", "date_last_stage_update"),
    "dynamics": ("createdon", "modifiedon", "estimatedclosedate", "lastusedincampaign"),
    "pipedrive": ("add_time", "update_time", "expected_close_date", "stage_change_time"),
    "zoho": ("Created_Time", "Modified_Time", "Follow_Up_Date", "Last_Activity_Time"),
    "salesforce": ("CreatedDate", "SystemModstamp", "NextStepDueDate", "LastViewedDate"),
    "french": ("Créé le", "Date de dernière mise à jour", "Date de relance", "Dernière activité le"),
    "nameless": ("created_at", "field_2", "field_3", "field_4"),
}
"""What the time of creation, two stamps of changes, and a date that lies ahead are called (the third one)."""


def write_leads(folder: Path, names: tuple[str, str, str, str], leads: int = 600) -> int:
    """Write leads with their times and their tasks, of which a quarter convert; gives how many."""
    rng = np.random.default_rng(11)
    created_at, changed, ahead, seen = names
    rows: list[Sequence[object]] = []
    tasks: list[Sequence[object]] = []
    converted = 0
    for number in range(leads):
        created = BEGINNING + timedelta(minutes=int(rng.integers(398 * 1440)))
        open_until = DRAWN_AT
        wins = created + timedelta(days=float(rng.gamma(2, 12))) if rng.random() < 0.3 else None
        if wins is not None and wins < DRAWN_AT:
            converted, open_until = converted + 1, wins
        won = open_until < DRAWN_AT
        touched = created
        for _ in range(int(rng.poisson(2))):
            at = created + (open_until - created) * float(rng.random())
            touched = max(touched, at)
            tasks.append((f"T{len(tasks):05d}X", f"L{number:05d}X", ["Call", "Email"][number % 2], stamp(at)))
        last = max(touched, open_until) + timedelta(hours=2) if won else touched + timedelta(hours=2)
        last = min(last, DRAWN_AT)
        due = day(created + timedelta(days=float(rng.gamma(2, 40)))) if number % 3 else ""
        rows.append(
            (
                f"L{number:05d}X", stamp(created), ["Web", "Phone", "Fair"][number % 3],
                stamp(open_until) if won else "", stamp(last), due, stamp(last),
            )
        )  # fmt: skip
    write_table(folder / "leads.csv", ("Id", created_at, "origin", "converted_at", changed, ahead, seen), rows)
    write_table(folder / "tasks.csv", ("Id", "lead_id", "type", "created_at"), tasks)
    return converted


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_stamp_of_a_change_and_what_lies_ahead_are_no_events(tmp_path: Path, vendor: str) -> None:
    names = VENDORS[vendor]
    converted = write_leads(tmp_path / "raw", names)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["leads"]["columns"]["created_at"] == names[0]
    assert settings["ingest"]["sources"]["lead_dates"]["columns"]["events"] == {"converted_at": "converted"}
    assert settings["episodes"]["conversion"] == ["converted"]
    ingest(tmp_path)
    assert {kind for kind, _ in count(tmp_path)} == {"Call", "Email", "converted"}
    assert count(tmp_path)["converted", "system"] == converted


def test_the_day_on_which_a_task_is_due_is_no_event(tmp_path: Path) -> None:
    write_leads(tmp_path / "raw", VENDORS["salesforce"])
    rng = np.random.default_rng(12)
    tasks = [
        (f"00T{number:05d}AAA", f"L{number % 600:05d}X", stamp(at), day(at + timedelta(days=int(rng.integers(1, 60)))),
         stamp(min(at + timedelta(days=3), DRAWN_AT)))
        for number in range(900)
        for at in [BEGINNING + timedelta(minutes=int(rng.integers(398 * 1440)))]
    ]  # fmt: skip
    write_table(tmp_path / "raw/Task.csv", ("Id", "WhoId", "CreatedDate", "ActivityDate", "LastModifiedDate"), tasks)
    (tmp_path / "raw/tasks.csv").unlink()
    settings = propose(tmp_path / "raw", tmp_path)
    columns = settings["ingest"]["sources"]["task"]["columns"]
    assert columns["occurred_at"] == "CreatedDate"
    assert columns["event_type"] == {"constant": "task"}
    assert "events" not in columns


def write_deals(
    folder: Path,
    *,
    history: bool,
    deals: int = 500,
    days: bool = False,
    far: int = 0,
    ends: Sequence[str] = (WON, LOST),
) -> tuple[int, int]:
    """Write deals of which some that are closed carry a close date beyond the export; gives how many won, and lost.

    ``days``: all that is told is days. ``far``: every so manieth deal is said to close at the end of 2030.
    """
    rng = np.random.default_rng(13)
    rows: list[Sequence[object]] = []
    steps: list[Sequence[object]] = []
    counts = dict.fromkeys((*ends, "Proposal"), 0)
    written = day if days else stamp
    for number in range(deals):
        created = BEGINNING + timedelta(minutes=int(rng.integers(399 * 1440)))
        closed = created + timedelta(days=float(rng.gamma(2, 20)) + 1)
        end = str(rng.choice(ends))
        stage = end if closed < DRAWN_AT else "Proposal"
        counts[stage] += 1
        typed = closed + timedelta(days=80) if number % 60 == 0 else closed
        if stage == "Proposal" or (DRAWN_AT - closed < timedelta(days=30) and number % 4 == 0):
            typed = DRAWN_AT + timedelta(days=int(rng.integers(1, 90)))
        typed = datetime(2030, 12, 31) if far and number % far == 0 else typed
        for step, at in (("Interest", created), ("Proposal", created + (closed - created) / 2), (end, closed)):
            if at < DRAWN_AT:
                steps.append((f"H{len(steps):06d}X", f"D{number:05d}X", stamp(at), step, day(typed)))
        rows.append((f"D{number:05d}X", written(created), ["Web", "Fair"][number % 2], stage, day(typed)))
    write_table(folder / "Opportunity.csv", ("Id", "CreatedDate", "LeadSource", "StageName", "CloseDate"), rows)
    if history:
        write_table(
            folder / "OpportunityHistory.csv", ("Id", "OpportunityId", "CreatedDate", "StageName", "CloseDate"), steps
        )
    return counts[ends[0]], counts[ends[1]]


def test_a_history_of_stages_says_what_happened_and_when(tmp_path: Path) -> None:
    won, lost = write_deals(tmp_path / "raw", history=True)
    settings = propose(tmp_path / "raw", tmp_path, leads="opportunity")
    (source,) = settings["ingest"]["sources"].values()
    assert source["columns"] == {
        "lead_id": "OpportunityId",
        "occurred_at": "CreatedDate",
        "event_type": "StageName",
        "event_id": "Id",
    }
    assert source["actor"]["default"] == "us"
    assert set(source["actor"]["system"]) == {WON, LOST}
    assert settings["episodes"] == {"conversion": [WON], "lost": [LOST]}
    ingest(tmp_path)
    counts = count(tmp_path)
    assert (counts[WON, "system"], counts[LOST, "system"]) == (won, lost)
    (reach,) = read(tmp_path, "data/ingest.json")["sources"].values()
    assert datetime.fromisoformat(reach["observed_until"]) < DRAWN_AT


@pytest.mark.parametrize("ends", [(WON, LOST), ("closedwon", "closedlost")])
@pytest.mark.parametrize("far", [0, 9])
@pytest.mark.parametrize("days", [False, True])
def test_a_close_date_beyond_the_export_does_not_move_the_end_of_the_log(
    tmp_path: Path, ends: Sequence[str], far: int, *, days: bool
) -> None:
    won, lost = write_deals(tmp_path / "raw", history=False, days=days, far=far, ends=ends)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"] == {"conversion": ["opportunity_won"], "lost": ["opportunity_lost"]}
    ingest(tmp_path)
    counts = count(tmp_path)
    assert (counts["opportunity_won", "system"], counts["opportunity_lost", "system"]) == (won, lost)
    with duckdb.connect() as connection:
        last, known = connection.execute(
            "SELECT max(occurred_at), max(known_at) FROM read_parquet(?)", [str(tmp_path / "data/interactions.parquet")]
        ).fetchall()[0]
    drawn_at = datetime.combine(DRAWN_AT + timedelta(days=days), datetime.min.time()) if days else DRAWN_AT
    assert last <= drawn_at
    reach = read(tmp_path, "data/ingest.json")["sources"]["opportunity_outcomes"]["observed_until"]
    assert datetime.fromisoformat(reach).replace(tzinfo=None) <= drawn_at
    assert known <= DRAWN_AT + timedelta(days=1)


def test_deals_of_an_account_are_no_history(tmp_path: Path) -> None:
    """Three deals an account, each with its own stage: no row follows another."""
    rng = np.random.default_rng(14)
    accounts = [
        (f"A{number:05d}X", stamp(BEGINNING + timedelta(hours=11 * number)), ["Web", "Fair"][number % 2])
        for number in range(400)
    ]
    deals: list[Sequence[object]] = []
    for number in range(400):
        for _ in range(3):
            created = BEGINNING + timedelta(hours=11 * number + int(rng.integers(1, 300)))
            closed = created + timedelta(days=float(rng.gamma(2, 10)))
            name = f"D{len(deals):05d}X"
            deals.append((name, f"A{number:05d}X", stamp(created), str(rng.choice([WON, LOST])), stamp(closed)))
    write_table(tmp_path / "raw/accounts.csv", ("id", "created_at", "origin"), accounts)
    write_table(tmp_path / "raw/deals.csv", ("id", "account_id", "created_at", "stage", "close_date"), deals)
    settings = propose(tmp_path / "raw", tmp_path, leads="accounts")
    assert {"deal_creations", "deal_outcomes"} <= settings["ingest"]["sources"].keys()


@pytest.mark.skipif(not CASES.is_dir(), reason=f"no cases in {CASES}; LEADCAST_CASES names their folder")
def test_the_cases_of_stamps_and_typed_dates_come_out_right(tmp_path: Path) -> None:
    case = CASES / "salesforce-last-change/data/exports"
    settings = propose(case, tmp_path / "stamp")
    assert settings["ingest"]["sources"]["lead_dates"]["columns"]["events"] == {"ConvertedDate": "converted"}
    case = CASES / "deals-closing-in-the-future/data/exports"
    settings = propose(case, tmp_path / "typed", leads="opportunity")
    assert settings["ingest"]["sources"].keys() == {"opportunity_history"}
    ingest(tmp_path / "typed")
    (reach,) = read(tmp_path / "typed", "data/ingest.json")["sources"].values()
    assert reach["observed_until"] < "2026-02-02"


def test_an_event_that_only_leads_without_an_outcome_have_is_accused(tmp_path: Path) -> None:
    """A last change under another name, in a table of two times: it always comes after the conversion."""
    rng = np.random.default_rng(15)
    leads = []
    for number in range(600):
        created = BEGINNING + timedelta(hours=13 * number)
        won = created + timedelta(days=float(rng.gamma(2, 10))) if number % 4 == 0 else None
        seen = (won or created) + timedelta(hours=float(rng.integers(1, 90)))
        called = created + timedelta(hours=5) if rng.random() < 0.5 else None
        leads.append(
            (f"L{number:05d}X", stamp(created), stamp(won) if won else "", stamp(seen), stamp(called) if called else "")
        )
    header = ("Id", "created_at", "converted_at", "record_day", "called_at")
    for row in range(1, 600, 10):  # in some rows it comes first, so that no rule of rows holds
        leads[row] = (*leads[row][:3], leads[row][1], leads[row][4])
    write_table(tmp_path / "raw/leads.csv", header, leads)
    settings = propose(tmp_path / "raw", tmp_path)
    assert set(settings["ingest"]["sources"]["lead_dates"]["columns"]["events"]) == {"converted_at", "called_at"}
