"""A charge that failed is no sale, whatever its table is called; and cents are no euros."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table
from proposals import count, ingest, interactions, propose, told

from pipeline.core.sql import open_reader

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
    assert propose(tmp_path / "raw", tmp_path)["episodes"]["conversion"] == ["charge"]
    said = "of the 60 rows of charges, by their status as of the export, 30 are sales (30 succeeded), 30 are none"
    assert said in told(tmp_path)
    assert "charges.amount holds whole numbers" in told(tmp_path)
    ingest(tmp_path)
    found = count(tmp_path)
    assert (found["charge", "system"], found["charge failed", "system"]) == (30, 30)


def test_orders_that_were_cancelled_or_wait_for_their_payment_are_no_conversions(tmp_path: Path) -> None:
    rows, orders = [], []
    for lead in range(LEADS):
        begun = BEGINNING + timedelta(days=lead)
        rows += [(f"L{lead}", "visit", begun + timedelta(hours=hour)) for hour in range(3)]
        status = ("Completed", "Cancelled", "Pending payment")[lead % 3]
        orders.append((f"O{lead}", f"L{lead}", begun + timedelta(days=2), status, 5000 + lead))
    write_table(tmp_path / "raw" / "log.csv", ["lead_id", "event", "occurred_at"], rows)
    write_table(tmp_path / "raw" / "orders.csv", ["order_id", "lead_id", "ordered_at", "status", "total_cents"], orders)
    assert propose(tmp_path / "raw", tmp_path)["episodes"]["conversion"] == ["order"]
    assert "30 are sales (30 Completed), 60 are none (30 Cancelled, 30 Pending payment)" in told(tmp_path)
    assert "orders.total_cents is in cents by its name" in told(tmp_path)


@pytest.mark.parametrize("paid", ["paid", "processing"])
def test_an_order_that_was_refunded_was_a_conversion_and_brings_no_revenue(paid: str, tmp_path: Path) -> None:
    """By a status that is called a win orders end; by another one each row is an event."""
    rows, orders = [], []
    for lead in range(LEADS):
        begun = BEGINNING + timedelta(days=lead)
        rows += [(f"L{lead}", "visit", begun + timedelta(hours=hour)) for hour in range(3)]
        status = (paid, paid, "refunded", "voided")[lead % 4]
        orders.append((f"O{lead}", f"L{lead}", begun + timedelta(days=2), status, 50.5 + lead))
    write_table(tmp_path / "raw" / "log.csv", ["lead_id", "event", "occurred_at"], rows)
    header = ["order_id", "lead_id", "ordered_at", "financial_status", "total"]
    write_table(tmp_path / "raw" / "orders.csv", header, orders)
    settings = propose(tmp_path / "raw", tmp_path)
    assert "taken back" in told(tmp_path)
    ingest(tmp_path)
    won, (kind,) = settings["episodes"]["conversion"], settings["kpi"]["revenue"]
    ends = [lead for lead, _, event in interactions(tmp_path) if event in won]
    assert sorted(ends) == sorted(f"L{lead}" for lead in range(LEADS) if lead % 4 < 3)
    with open_reader() as connection:
        asked = "SELECT sum(value) FROM read_parquet(?) WHERE event_type = ?"
        found = connection.execute(asked, [str(tmp_path / "data/interactions.parquet"), kind]).fetchall()
    assert found == [(sum(50.5 + lead for lead in range(LEADS) if lead % 4 < 2),)]


@pytest.mark.parametrize(
    ("column", "marked", "kind", "converted"),
    [
        ("is_cancelled", ("false", "true"), "order cancelled", 30),
        ("voided", ("", "X"), "order voided", 30),
        ("cancelled_at", ("", "2026-01-01"), "order cancelled", 30),
        ("Refunded at", ("", "2026-01-01"), "order refunded", 60),
    ],
)
def test_an_order_that_a_column_of_its_own_marks_is_as_one_of_a_status(
    column: str, marked: tuple[str, str], kind: str, converted: int, tmp_path: Path
) -> None:
    rows, orders = [], []
    for lead in range(LEADS):
        begun = BEGINNING + timedelta(days=lead)
        rows += [(f"L{lead}", "visit", begun + timedelta(hours=hour)) for hour in range(3)]
        mark = marked[lead % 3 == 1]
        if lead % 3 < 2:
            mark = f"{begun + timedelta(days=9)}" if mark.startswith("2026") else mark
            orders.append((f"O{lead}", f"L{lead}", begun + timedelta(days=2), 50.5 + lead, mark))
    write_table(tmp_path / "raw" / "log.csv", ["lead_id", "event", "occurred_at"], rows)
    write_table(tmp_path / "raw" / "orders.csv", ["order_id", "lead_id", "ordered_at", "total", column], orders)
    won = propose(tmp_path / "raw", tmp_path)["episodes"]["conversion"]
    ingest(tmp_path)
    found = count(tmp_path)
    assert (found["order", "system"], found[kind, "system"]) == (30, 30)
    assert sum(found[name, "system"] for name in won) == converted


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


@pytest.mark.parametrize("has_time", [False, True], ids=["status alone", "and when it was paid"])
def test_a_further_line_of_an_order_that_has_no_status_is_no_second_sale(has_time: bool, tmp_path: Path) -> None:
    """Where a time says when it was paid, and has none of what waits, that is the conversion, and not the order."""
    rows, orders = [], []
    for lead in range(LEADS):
        begun = BEGINNING + timedelta(days=lead)
        rows += [(f"L{lead}", "visit", begun + timedelta(hours=hour)) for hour in range(3)]
        status, ordered = ("processing", "pending")[lead % 2], begun + timedelta(days=2)
        paid = [ordered + timedelta(days=1) if lead % 2 == 0 else ""] * has_time
        if lead % 3 < 2:
            orders.append((f"O{lead}", f"L{lead}", ordered, status, 50.5 + lead, *paid))
            orders.append((f"O{lead}", f"L{lead}", ordered, "", "", *[""] * has_time))
    write_table(tmp_path / "raw" / "log.csv", ["lead_id", "event", "occurred_at"], rows)
    header = ["order_id", "lead_id", "ordered_at", "financial_status", "total", *["paid_at"] * has_time]
    write_table(tmp_path / "raw" / "orders.csv", header, orders)
    (won,) = propose(tmp_path / "raw", tmp_path)["episodes"]["conversion"]
    ingest(tmp_path)
    bought = sorted(lead for lead in range(LEADS) if lead % 3 < 2 and lead % 2 == 0)
    waited = timedelta(days=3 if has_time else 2)
    found = sorted((int(lead[1:]), at) for lead, at, _ in interactions(tmp_path, f"event_type = '{won}'"))
    assert found == [(lead, BEGINNING + timedelta(days=lead) + waited) for lead in bought]
