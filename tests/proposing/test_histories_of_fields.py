"""Rows that say which field of a deal was changed to what: steps and ends, whatever the columns are called."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table
from proposals import count, ingest, interactions, propose, told

DEALS = 90
STEPS = ("Qualification", "Proposal")
HABITS = {
    "as Salesforce writes it": ("Id", "OpportunityId", "Field", "OldValue", "NewValue", "CreatedDate"),
    "as HubSpot writes it": ("version", "deal_id", "property_name", "previous", "value", "changed_at"),
    "as Dynamics writes it": ("Audit ID", "Record ID", "Changed Field", "Old Value", "New Value", "Changed Date"),
    "as Pipedrive writes it": ("change_id", "deal_id", "field_key", "old_value", "new_value", "log_time"),
}


def begun(deal: int) -> datetime:
    return BEGINNING + timedelta(days=deal)


def changes() -> list[tuple[object, ...]]:
    """List the changes of the deals: two steps, an amount, an owner, a telephone number, and an end of two in three."""
    rows: list[tuple[object, ...]] = []

    def changed(deal: int, field: str, old: object, new: object, days: float) -> None:
        at = begun(deal) + timedelta(days=days)
        rows.append((f"017{len(rows):06d}", f"006{deal:06d}", field, old, new, f"{at:%Y-%m-%dT%H:%M:%SZ}"))

    for deal in range(DEALS):
        for day, step in enumerate(STEPS):
            changed(deal, "StageName", "New", step, 1 + day)
        changed(deal, "Amount", 100, 1000 + deal % 40, 2.5)
        changed(deal, "Owner", "Ann Lee", "Bob Ray", 2.6)
        changed(deal, "firstname", "", ("Zoe", "Max", "Ada")[deal % 3], 2.7)
        if deal % 3 < 2:
            changed(deal, "StageName", STEPS[-1], ("Closed Won", "Closed Lost")[deal % 3], 9)
    return rows


@pytest.mark.parametrize("header", HABITS.values(), ids=HABITS)
def test_a_stage_is_told_with_its_value_and_what_people_type_without(header: tuple[str, ...], tmp_path: Path) -> None:
    write_table(tmp_path / "raw" / "deal_history.csv", header, changes())
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"]["conversion"] == ["StageName Closed Won"]
    assert settings["episodes"]["lost"] == ["StageName Closed Lost"]
    ingest(tmp_path)
    assert count(tmp_path) == {
        ("StageName Qualification", "us"): 90,
        ("StageName Proposal", "us"): 90,
        ("StageName Closed Won", "system"): 30,
        ("StageName Closed Lost", "system"): 30,
        ("Amount", "us"): 90,
        ("Owner", "us"): 90,
        ("firstname", "us"): 90,
    }
    first = interactions(tmp_path, "event_type = 'StageName Closed Won'")[0]
    assert first == ("006000000", begun(0) + timedelta(days=9), "StageName Closed Won")


def test_a_field_that_its_history_changes_is_no_attribute_of_the_deals(tmp_path: Path) -> None:
    write_table(tmp_path / "raw" / "OpportunityFieldHistory.csv", HABITS["as Salesforce writes it"], changes())
    deals = [(f"006{deal:06d}", begun(deal), 1000 + deal % 40, ("Web", "Fair")[deal % 2]) for deal in range(DEALS)]
    write_table(tmp_path / "raw" / "Opportunity.csv", ["Id", "CreatedDate", "Amount", "LeadSource"], deals)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["leads"]["attributes"] == {"LeadSource": "category"}
    assert "left out: Amount, opportunity_field_history says that it changes" in told(tmp_path)


def test_the_steps_of_deals_that_no_table_lists_are_made_by_us(tmp_path: Path) -> None:
    rows = [
        (f"006{deal:06d}", step, f"{begun(deal) + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}")
        for deal in range(DEALS)
        for day, step in enumerate((*STEPS, *(("Closed Won", "Closed Lost")[deal % 3 : deal % 3 + 1])))
    ]
    write_table(tmp_path / "raw" / "stage_history.csv", ["Deal Id", "Stage", "Modified Time"], rows)
    actor = propose(tmp_path / "raw", tmp_path)["ingest"]["sources"]["stage_history"]["actor"]
    assert actor == {"default": "us", "system": ["Closed Lost", "Closed Won"]}
