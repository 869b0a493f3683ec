"""What ties a sale to its lead, and what a row says that only two columns tell together."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table
from proposals import count, ingest, interactions, propose, read, told

from features.core.errors import InputError

LEADS = 120


def write_invoices(folder: Path) -> None:
    """Write contacts, what they did, and invoices of every third, by an address; ten are of strangers."""
    contacts, acts = [], []
    invoices: list[tuple[object, ...]] = []
    for lead in range(LEADS):
        begun = BEGINNING + timedelta(days=lead)
        contacts.append((f"K{lead:04d}", f"person{lead}@firm.example", begun, ("web", "fair")[lead % 2]))
        acts += [
            (f"K{lead:04d}", ("page_view", "form_submit")[hour % 2], begun + timedelta(hours=hour)) for hour in range(4)
        ]
        if lead % 3 == 0:
            address = contacts[-1][1].upper() if lead % 2 else contacts[-1][1]
            invoices.append(
                (f"R{lead}", address, 100 + lead, begun + timedelta(days=6), (begun + timedelta(days=4)).date())
            )
    invoices += [(f"R9{n}", f"stranger{n}@other.example", 77, BEGINNING + timedelta(days=9 + n), "") for n in range(10)]
    write_table(folder / "contacts.csv", ["contact_id", "email", "created_at", "origin"], contacts)
    write_table(folder / "activity.csv", ["contact_id", "activity", "happened_at"], acts)
    write_table(
        folder / "invoices.csv", ["invoice_no", "customer_email", "amount", "paid_at", "invoice_date"], invoices
    )


def test_invoices_are_those_of_the_lead_that_has_the_address(tmp_path: Path) -> None:
    write_invoices(tmp_path / "raw")
    settings = propose(tmp_path / "raw", tmp_path)
    (paid,) = settings["episodes"]["conversion"]
    ingest(tmp_path)
    at = [BEGINNING + timedelta(days=lead + 6) for lead in range(0, LEADS, 3)]
    sold = [(f"K{lead:04d}", moment, paid) for lead, moment in zip(range(0, LEADS, 3), at, strict=True)]
    assert interactions(tmp_path, f"event_type = '{paid}'") == sold
    (source,) = (one for name, one in read(tmp_path, "data/ingest.json")["sources"].items() if "invoice" in name)
    assert (source["rows"], source["used"], source["set_aside"]) == (90, 80, {"unknown lead": 10})
    # Of the invoice only its day is told: at midnight nobody knew it.
    assert settings["ingest"]["sources"]["invoice_events"]["known_at"] == {"delay": "1d"}


def test_times_in_several_units_are_told(tmp_path: Path) -> None:
    rows = []
    for number in range(300):
        seconds = int((BEGINNING + timedelta(hours=number)).timestamp())
        rows.append(
            (f"L{number % 90}", "purchase" if number % 9 == 0 else "visit", seconds * (1000 if number % 3 else 1))
        )
    write_table(tmp_path / "raw" / "log.csv", ["lead_id", "event", "ts"], rows)
    with pytest.raises(InputError, match=r"log\.ts is called a time, but 67% of its values fit"):
        propose(tmp_path / "raw", tmp_path)


def test_a_kind_that_few_rows_have_is_joined_with_the_one_that_all_have(tmp_path: Path) -> None:
    """As web trackers write it: a call of track has an event, a call of page and one of identify have none."""
    rows = []
    for lead in range(LEADS):
        calls = [("page", None), ("page", None), ("identify", None), ("track", "Form Submitted")]
        calls += [("track", "Order Completed")] if lead % 4 == 0 else []
        for number, (kind, event) in enumerate(calls):
            at = BEGINNING + timedelta(days=lead, hours=number)
            row = {"messageId": f"m-{lead}-{number}", "anonymousId": f"anon-{lead}", "timestamp": f"{at.isoformat()}Z"}
            rows.append(row | {"type": kind} | ({"event": event} if event else {}))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "events.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"]["conversion"] == ["track Order Completed"]
    ingest(tmp_path)
    assert count(tmp_path) == {
        ("identify", "lead"): 120,
        ("page", "lead"): 240,
        ("track Form Submitted", "lead"): 120,
        ("track Order Completed", "lead"): 30,
    }
    assert "can't be used" not in told(tmp_path)
