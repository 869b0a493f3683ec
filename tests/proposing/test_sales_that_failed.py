"""A charge that failed is no sale, whatever its table is called; and cents are no euros."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from exports import BEGINNING, write_table
from proposals import count, ingest, propose, told

LEADS = 90


def test_charges_that_failed_are_no_conversions_and_cents_are_told(tmp_path: Path) -> None:
    """Each customer has one charge at most, so that its customer looks like a key; one in three fails."""
    customers, events = [], []
    charges: list[tuple[object, ...]] = []
    for lead in range(LEADS):
        begun, customer = BEGINNING + timedelta(days=lead), f"cus_{lead * 7919:08x}"
        customers.append((customer, begun, ("web", "ad")[lead % 2]))
        events += [(customer, ("visit", "signup")[hour % 2], begun + timedelta(hours=hour)) for hour in range(3)]
        if lead % 3 < 2:
            status = ("succeeded", "failed")[lead % 3]
            charges.append((f"ch_{lead:06d}", customer, 4900 + lead, "usd", status, begun + timedelta(days=3)))
    write_table(tmp_path / "raw" / "customers.csv", ["id", "created", "source"], customers)
    write_table(tmp_path / "raw" / "events.csv", ["customer", "event", "occurred_at"], events)
    header = ["id", "customer", "amount", "currency", "status", "created"]
    write_table(tmp_path / "raw" / "charges.csv", header, charges)
    assert propose(tmp_path / "raw", tmp_path)["episodes"]["conversion"] == ["charge succeeded"]
    assert "30 of the 60 rows of charges are no sale by their status (30 failed)" in told(tmp_path)
    assert "charges.amount holds whole numbers" in told(tmp_path)
    ingest(tmp_path)
    found = count(tmp_path)
    assert (found["charge succeeded", "system"], found["charge failed", "system"]) == (30, 30)


def test_orders_that_were_cancelled_or_wait_for_their_payment_are_no_conversions(tmp_path: Path) -> None:
    rows, orders = [], []
    for lead in range(LEADS):
        begun = BEGINNING + timedelta(days=lead)
        rows += [(f"L{lead}", "visit", begun + timedelta(hours=hour)) for hour in range(3)]
        status = ("Completed", "Cancelled", "Pending payment")[lead % 3]
        orders.append((f"O{lead}", f"L{lead}", begun + timedelta(days=2), status, 5000 + lead))
    write_table(tmp_path / "raw" / "log.csv", ["lead_id", "event", "occurred_at"], rows)
    write_table(tmp_path / "raw" / "orders.csv", ["order_id", "lead_id", "ordered_at", "status", "total_cents"], orders)
    assert propose(tmp_path / "raw", tmp_path)["episodes"]["conversion"] == ["order Completed"]
    assert "60 of the 90 rows of orders are no sale by their status (30 Cancelled, 30 Pending payment)" in told(
        tmp_path
    )
    assert "orders.total_cents is in cents by its name" in told(tmp_path)


def test_where_no_status_denies_a_sale_each_order_is_one_with_its_amount(tmp_path: Path) -> None:
    rows, orders = [], []
    for lead in range(LEADS):
        begun = BEGINNING + timedelta(days=lead)
        rows += [(f"L{lead}", "visit", begun + timedelta(hours=hour)) for hour in range(3)]
        if lead % 3 == 0:
            status = ("shipped", "processing")[lead % 2]
            orders.append((f"O{lead}", f"L{lead}", begun + timedelta(days=2), status, 50.5 + lead))
    write_table(tmp_path / "raw" / "log.csv", ["lead_id", "event", "occurred_at"], rows)
    write_table(tmp_path / "raw" / "orders.csv", ["order_id", "lead_id", "ordered_at", "status", "total"], orders)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"]["conversion"] == ["order"]
    assert settings["ingest"]["sources"]["orders"]["columns"]["value"] == "total"
