"""What became of a call is told by its disposition, of a mail by a server: neither is an act of the lead."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from exports import BEGINNING, write_table
from proposals import count, ingest, propose

LEADS = 60


def test_a_dialer_tells_by_its_disposition_who_bought_and_who_wants_no_calls(tmp_path: Path) -> None:
    rows = [
        (f"c{lead}-{day}", 10_000 + lead, f"{BEGINNING + timedelta(days=lead + day):%Y-%m-%dT%H:%M:%SZ}", 30, said)
        for lead in range(LEADS)
        for day, said in enumerate(("No Answer", "Callback", ("Sale", "No Sale", "DNC")[lead % 3]))
    ]
    write_table(tmp_path / "raw" / "calls.csv", ["call_id", "lead_id", "call_date", "seconds", "disposition"], rows)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"]["conversion"] == ["Sale"]
    assert settings["decision"]["facts"]["asked for no calls"]["events"] == ["DNC"]
    ingest(tmp_path)
    sixty = dict.fromkeys([("No Answer", "us"), ("Callback", "us")], 60)
    assert count(tmp_path) == sixty | dict.fromkeys([("Sale", "us"), ("No Sale", "us"), ("DNC", "us")], 20)


def test_a_bounce_is_nobodys_act_and_a_sending_ours(tmp_path: Path) -> None:
    kinds = ("Send Email", "hard_bounce", "Soft Bounced", "open", "purchase")
    rows = [
        (f"S{lead}", kind, f"{BEGINNING + timedelta(days=lead, hours=hour):%Y-%m-%dT%H:%M:%SZ}")
        for lead in range(LEADS)
        for hour, kind in enumerate(kinds)
        if hour == 0 or lead % 4 == hour - 1
    ]
    write_table(tmp_path / "raw" / "email_events.csv", ["subscriber_id", "event", "timestamp"], rows)
    actor = propose(tmp_path / "raw", tmp_path)["ingest"]["sources"]["email_events"]["actor"]
    assert actor == {"default": "lead", "us": ["Send Email"], "system": ["Soft Bounced", "hard_bounce"]}
