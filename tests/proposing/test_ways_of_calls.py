"""A direction says who called or wrote; what a row of a sale says of itself goes before its further dates."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table
from proposals import count, ingest, interactions, propose, told

LEADS = 90


def write_leads(folder: Path) -> None:
    """Every third lead converts, five days after its creation."""
    rows = [
        (f"L{lead}", begun, ("web", "fair")[lead % 2], begun + timedelta(days=5) if lead % 3 == 0 else "")
        for lead in range(LEADS)
        for begun in [BEGINNING + timedelta(days=lead)]
    ]
    write_table(folder / "leads.csv", ["lead_id", "created_at", "source", "converted_at"], rows)


def test_a_call_that_came_in_is_the_leads_and_one_that_was_answered_is_one(tmp_path: Path) -> None:
    """All calls were ours, and each that was answered counted twice."""
    write_leads(tmp_path / "raw")
    calls: list[tuple[object, ...]] = []
    for lead in range(LEADS):
        for number in range(1 + lead % 3):
            begun = BEGINNING + timedelta(days=lead, hours=5 + number)
            way = "inbound" if number == 1 else "outbound-api"
            calls.append((f"C{len(calls)}", f"L{lead}", way, begun, begun + timedelta(seconds=9) if lead % 2 else ""))
    header = ["call_id", "lead_id", "direction", "started_at", "answered_at"]
    write_table(tmp_path / "raw" / "calls.csv", header, calls)
    propose(tmp_path / "raw", tmp_path)
    ingest(tmp_path)
    found = count(tmp_path)
    assert (found["call inbound", "lead"], found["call outbound", "us"]) == (60, 120)
    assert sum(number for (kind, _), number in found.items() if kind != "converted") == 180


@pytest.mark.parametrize("nested", [False, True])
def test_a_message_is_of_whom_a_column_names(nested: bool, tmp_path: Path) -> None:
    """Where both write notes and mails no word of them tells who did. What lies within a column no query can name."""
    write_leads(tmp_path / "raw")
    messages = []
    for number in range(6 * LEADS):
        author = ("admin", "user", "bot")[number % 3]
        at = BEGINNING + timedelta(days=number // 6, hours=5 + number % 6)
        row = {"message_id": f"M{number}", "lead_id": f"L{number // 6}", "sent_at": str(at)}
        messages.append(row | ({"author": {"type": author}} if nested else {"author": author}))
    (tmp_path / "raw" / "messages.jsonl").write_text("\n".join(map(json.dumps, messages)), encoding="utf-8")
    propose(tmp_path / "raw", tmp_path)
    ingest(tmp_path)
    found = {key: number for key, number in count(tmp_path).items() if key[0] != "converted"}
    if nested:
        assert found == {("message", "lead"): 6 * LEADS}
        assert "author.type says who acted, and every event type" in (tmp_path / "params.yaml").read_text()
    else:
        who = {"message by us": "us", "message by lead": "lead", "message by system": "system"}
        assert found == dict.fromkeys(who.items(), 2 * LEADS)


def test_of_an_order_with_a_status_further_dates_are_no_sale(tmp_path: Path) -> None:
    """An order that was voided was one by the time at which it was to be paid."""
    write_leads(tmp_path / "raw")
    orders: list[tuple[object, ...]] = []
    for lead in range(LEADS):
        placed = BEGINNING + timedelta(days=lead, hours=9)
        if lead % 3 < 2:
            orders.append((f"O{lead}", f"L{lead}", ("paid", "voided")[lead % 3], placed + timedelta(days=1), placed))
    header = ["order_no", "lead_id", "financial_status", "fulfilled_at", "created_at"]
    write_table(tmp_path / "raw" / "orders.csv", header, orders)
    settings = propose(tmp_path / "raw", tmp_path, conversion=["order"])
    assert settings["episodes"]["conversion"] == ["order"]
    ingest(tmp_path)
    found = [(name, kind) for name, _, kind in interactions(tmp_path) if kind.startswith("order")]
    assert sorted(found) == sorted(
        (f"L{lead}", ("order", "order voided")[lead % 3]) for lead in range(LEADS) if lead % 3 < 2
    )


def test_an_invoice_below_zero_is_a_refund_and_no_sale(tmp_path: Path) -> None:
    write_leads(tmp_path / "raw")
    rows = [
        (f"I{lead}", f"L{lead}", BEGINNING + timedelta(days=lead + 4), f"{(1, -1)[lead % 3] * (120 + lead)},50")
        for lead in range(LEADS)
        if lead % 3 < 2
    ]
    write_table(tmp_path / "raw" / "invoices.csv", ["invoice_no", "lead_id", "invoice_date", "amount"], rows)
    settings = propose(tmp_path / "raw", tmp_path, conversion=["invoice"])
    assert settings["kpi"]["revenue"] == {"invoice": 1, "refund": 1}
    assert "of the 60 rows of invoices 30 are refunds: their amount is below 0" in told(tmp_path)
    ingest(tmp_path)
    found = count(tmp_path)
    assert (found["invoice", "system"], found["refund", "system"]) == (30, 30)


def test_a_subscription_that_was_cancelled_was_one_and_one_that_never_began_was_none(tmp_path: Path) -> None:
    """A trial that was never paid counted as a conversion."""
    rows, subscriptions = [], []
    for lead in range(LEADS):
        begun = BEGINNING + timedelta(days=lead)
        rows += [(f"L{lead}", "visit", begun + timedelta(hours=hour)) for hour in range(3)]
        status = ("active", "canceled", "incomplete_expired", "trialing")[lead % 4]
        ended = begun + timedelta(days=9) if lead % 4 == 1 else ""
        subscriptions.append((f"S{lead}", f"L{lead}", status, begun + timedelta(days=2), ended))
    write_table(tmp_path / "raw" / "log.csv", ["lead_id", "event", "occurred_at"], rows)
    header = ["subscription_id", "lead_id", "status", "created_at", "canceled_at"]
    write_table(tmp_path / "raw" / "subscriptions.csv", header, subscriptions)
    assert propose(tmp_path / "raw", tmp_path)["episodes"]["conversion"] == ["subscription"]
    assert "46 are sales (23 active, 23 canceled), 44 are none" in told(tmp_path)
    ingest(tmp_path)
    assert count(tmp_path)["subscription", "system"] == 46
