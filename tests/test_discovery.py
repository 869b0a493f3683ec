"""What init makes of shapes that vendors have: nested objects, ids of two tables, moments of deals, odd names."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from exports import BEGINNING, write_table
from test_init import count, propose, read
from world import Project

from pipeline.discovery.words import is_called_id
from pipeline.parameters import load_parameters

EPOCH = datetime(1970, 1, 1)


def ingest(root: Path) -> None:
    Project(root, load_parameters(root / "params.yaml")).run("ingest")


def test_nested_objects_and_lists_of_keys_are_named_by_their_paths(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    rows = []
    for visitor in range(400):
        begun = BEGINNING + timedelta(hours=5 * visitor)
        moments = [begun + timedelta(hours=step) for step in range(int(rng.integers(2, 5)))]
        names = ["page_view"] * len(moments) + (["purchase"] if visitor % 5 == 0 else [])
        for at, name in zip([*moments, begun + timedelta(days=3)], names, strict=False):
            row = {
                "event_date": f"{at:%Y%m%d}",
                "event_timestamp": str(round((at - EPOCH).total_seconds() * 1_000_000)),
                "event_name": name,
                "event_params": [{"key": "currency", "value": {"string_value": "EUR"}}],
                "user_pseudo_id": f"{visitor * 7919}.{visitor}",
                "traffic_source": {"source": "google", "medium": ["cpc", "organic"][visitor % 2], "name": "spring"},
            }
            if name == "purchase":
                row["ecommerce"] = {"purchase_revenue": 40 + visitor / 10}
            rows.append(json.dumps(row))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/events_20250106.jsonl").write_text("\n".join(rows[:600]) + "\n")
    (tmp_path / "raw/events_20250107.jsonl").write_text("\n".join(rows[600:]) + "\n")
    settings = propose(tmp_path / "raw", tmp_path)
    source = settings["ingest"]["sources"]["events"]
    assert source["path"] == "events_*.jsonl"
    assert source["time_format"] == "epoch_microseconds"
    assert source["columns"] == {
        "lead_id": "user_pseudo_id",
        "occurred_at": "event_timestamp",
        "event_type": "event_name",
        "traffic_source": "traffic_source.source",
        "traffic_medium": "traffic_source.medium",
        "campaign": "traffic_source.name",
        "value": "ecommerce.purchase_revenue",
        "currency": "event_params[currency]",
    }
    assert settings["episodes"]["conversion"] == ["purchase"]
    ingest(tmp_path)
    assert count(tmp_path)["purchase", "lead"] == 80


def test_an_id_that_points_into_two_tables_finds_its_lead_by_either(tmp_path: Path) -> None:
    """A task hangs on the lead and, once it is converted, on the contact that it became."""
    leads: list[tuple[object, ...]] = []
    tasks: list[tuple[object, ...]] = []
    deals: list[tuple[object, ...]] = []
    for number in range(400):
        created = BEGINNING + timedelta(hours=5 * number)
        converted = number % 3 == 0
        stamp = f"{created:%Y-%m-%dT%H:%M:%S.000+0000}"
        lead, contact, deal = f"00Q{number:09d}AAA", f"003{number:09d}AAA", f"006{number:09d}AAA"
        kept = (contact, deal) if converted else ("", "")
        leads.append((lead, stamp, ["Web", "Partner"][number % 2], *kept))
        for step in range(3):
            at = created + timedelta(days=2 * step, hours=1)
            who = contact if converted else lead
            tasks.append(
                (
                    f"00T{len(tasks):09d}AAA",
                    who,
                    ["Call", "Email"][step % 2],
                    f"{at + timedelta(days=9):%Y-%m-%d}",
                    f"{at:%Y-%m-%dT%H:%M:%S.000+0000}",
                )
            )
        if converted:
            stage = "Closed Won" if number % 2 else "Closed Lost"
            deals.append(
                (deal, stamp, stage, f"{created + timedelta(days=20):%Y-%m-%d}", 100, ["EUR", "USD"][number % 2])
            )
    write_table(
        tmp_path / "raw/Lead.csv",
        ("Id", "CreatedDate", "LeadSource", "ConvertedContactId", "ConvertedOpportunityId"),
        leads,
    )
    write_table(tmp_path / "raw/Task.csv", ("Id", "WhoId", "TaskSubtype", "ActivityDate", "CreatedDate"), tasks)
    write_table(
        tmp_path / "raw/Opportunity.csv",
        ("Id", "CreatedDate", "StageName", "CloseDate", "Amount", "CurrencyIsoCode"),
        deals,
    )
    settings = propose(tmp_path / "raw", tmp_path)
    columns = settings["ingest"]["sources"]["task_events"]["columns"]
    # Written when it was made: the other date says when it is due.
    assert (columns["occurred_at"], columns["event_type"]) == ("CreatedDate", "TaskSubtype")
    # Two currencies and no rates: none of the amounts is used.
    assert "currency" not in settings["ingest"]
    assert all("value" not in source["columns"] for source in settings["ingest"]["sources"].values())
    ingest(tmp_path)
    sources = read(tmp_path, "data/ingest.json")["sources"]
    assert (sources["task_events"]["rows"], sources["task_events"]["used"]) == (1200, 1200)
    assert count(tmp_path)["opportunity_won", "system"] == 67
    assert count(tmp_path)["opportunity_lost", "system"] == 67


def test_a_table_of_deals_is_told_by_its_dates_and_not_by_a_type_of_another_thing(tmp_path: Path) -> None:
    leads = [
        (f"m{number:04x}", f"{BEGINNING + timedelta(hours=6 * number):%Y-%m-%d}", "social") for number in range(500)
    ]
    deals = [
        (
            f"m{number:04x}",
            f"s{number}",
            BEGINNING + timedelta(hours=6 * number, days=1 + number % 30),
            ["online", "offline"][number % 2],
        )
        for number in range(0, 500, 8)
    ]
    write_table(tmp_path / "raw/qualified_leads.csv", ("mql_id", "first_contact_date", "origin"), leads)
    write_table(tmp_path / "raw/closed_deals.csv", ("mql_id", "seller_id", "won_date", "lead_type"), deals)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["leads"]["columns"] == {"lead_id": "mql_id", "created_at": "first_contact_date"}
    assert settings["ingest"]["sources"]["closed_deals"]["columns"]["event_type"] == {"constant": "won"}
    assert settings["episodes"]["conversion"] == ["won"]
    ingest(tmp_path)
    assert count(tmp_path) == {("won", "system"): 63}


def test_rows_about_other_things_are_no_leads(tmp_path: Path) -> None:
    """One column of ids, and another that says of what: contacts and companies have numbers alike."""
    rows = []
    for number in range(300):
        at = BEGINNING + timedelta(hours=8 * number)
        rows += [
            ("contact", number, at, "visit"),
            ("contact", number, at + timedelta(days=2), "won" if number % 3 == 0 else "lost"),
        ]
        rows.append(("company", number, at, "visit"))
    write_table(tmp_path / "raw/log.csv", ("entity_type", "entity_id", "occurred_at", "event"), rows)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"]["conversion"] == ["won"]
    ingest(tmp_path)
    summary = read(tmp_path, "data/ingest.json")
    assert summary["lead_count"] == 300
    (source,) = summary["sources"].values()
    assert (source["rows"], source["used"], source["set_aside"]) == (900, 600, {"unknown lead": 300})


def test_times_in_milliseconds_and_ids_in_one_word_are_recognised(tmp_path: Path) -> None:
    rows = []
    for visitor in range(300):
        begun = round((BEGINNING + timedelta(hours=4 * visitor) - EPOCH).total_seconds() * 1000)
        rows += [(begun, visitor * 13, "view", visitor % 70), (begun + 3_600_000, visitor * 13, "view", visitor % 50)]
        if visitor % 6 == 0:
            rows.append((begun + 200_000_000, visitor * 13, "transaction", visitor % 70))
    write_table(tmp_path / "raw/events.csv", ("timestamp", "visitorid", "event", "itemid"), rows)
    settings = propose(tmp_path / "raw", tmp_path)
    source = settings["ingest"]["sources"]["events"]
    assert source["time_format"] == "epoch_milliseconds"
    assert source["columns"]["lead_id"] == "visitorid"
    assert settings["episodes"] == {"conversion": ["transaction"]}


def test_names_are_ids_or_not() -> None:
    assert all(
        map(is_called_id, ("lead_id", "LeadID", "user_pseudo_id", "Record ID", "Case ID", "visitorid", "customer"))
    )
    assert not any(map(is_called_id, ("Lead Source", "paid", "valid", "amount", "customer_segment")))
