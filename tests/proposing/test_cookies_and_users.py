"""Of ids of cookies and of users it is told who is a lead twice; of lists in a row that nothing is made of them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from exports import BEGINNING, write_table
from proposals import count, ingest, notes, propose, told

LEADS = 40


def test_users_of_several_cookies_and_a_cookie_of_several_users_are_told(tmp_path: Path) -> None:
    """Every second visitor signs up, and orders on a second device; the last two of them share that device."""
    rows: list[dict[str, object]] = []
    for lead in range(LEADS):
        calls: list[tuple[str, str | None, str]] = [(f"anon-{lead}", None, "page"), (f"anon-{lead}", None, "form")]
        if lead % 2 == 0:
            second = f"anon-b{min(lead, LEADS - 4)}"
            calls += [(f"anon-{lead}", f"user-{lead}", "signup"), (second, f"user-{lead}", "Order Completed")]
        for number, (cookie, user, kind) in enumerate(calls):
            at = f"{BEGINNING + timedelta(days=lead, hours=number):%Y-%m-%dT%H:%M:%SZ}"
            rows.append(
                {"messageId": f"m{len(rows)}", "anonymousId": cookie, "userId": user, "event": kind, "timestamp": at}
            )
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "events.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    propose(tmp_path / "raw", tmp_path)
    said = told(tmp_path)
    assert "userId says of 39 of 59 anonymousId who they are" in said
    assert "20 of 20 userId are several leads; 1 anonymousId are of several userId" in said


def test_a_list_of_what_happened_within_a_row_is_told(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = []
    for lead in range(LEADS):
        at = BEGINNING + timedelta(days=lead)
        acts = [{"type": "action", "timestamp": int(at.timestamp()) + 60 * number} for number in range(3)]
        rows += [
            {"visitorId": f"{lead * 7919:016x}", "event": kind, "serverTimestamp": f"{at}", "actionDetails": acts}
            for kind in ("visit", "purchase" if lead % 3 == 0 else "visit")
        ]
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "visits.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert "visits.actionDetails lists several things a row, and nothing is made of them" in notes(tmp_path / "raw")
    assert "called a time" not in notes(tmp_path / "raw")


def test_a_log_of_which_another_table_repeats_rows_by_their_ids_is_no_table_of_leads(tmp_path: Path) -> None:
    """As trackers write to a warehouse: each order stands among all events, too, with the same id."""
    events, orders, users = [], [], []
    for lead in range(LEADS):
        begun = BEGINNING + timedelta(days=lead)
        users.append((f"anon-{lead}", f"user-{lead}", begun))
        for number, kind in enumerate(("viewed", "viewed", "order_completed")[: 3 if lead % 4 == 0 else 2]):
            row = (f"e{lead}-{number}", f"anon-{lead}", f"user-{lead}", begun + timedelta(hours=number))
            events.append((*row, kind))
            orders += [(*row, 100 + lead)] if number == 2 else []
    header = ["id", "anonymous_id", "user_id", "timestamp"]
    write_table(tmp_path / "raw" / "tracks.csv", [*header, "event"], events)
    write_table(tmp_path / "raw" / "order_completed.csv", [*header, "revenue"], orders)
    write_table(tmp_path / "raw" / "identifies.csv", header[1:], users)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"]["conversion"] == ["order_completed"]
    # Tied by their orders alone, only those who buy would have done anything before.
    assert settings["ingest"].get("identities", {}).get("path") != "order_completed.csv"
    ingest(tmp_path)
    assert count(tmp_path)["viewed", "lead"] == 2 * LEADS
