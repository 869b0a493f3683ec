"""Exports as companies have them, small and made up, each with a signal that a model can find."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

BEGINNING = datetime(2025, 1, 6, 8)
Row = Sequence[object]


def write_table(
    path: Path, header: Sequence[str], rows: Sequence[Row], *, delimiter: str = ",", encoding: str = "utf-8"
) -> None:
    """Write a delimited file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter, lineterminator="\r\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_wide_table(folder: Path, leads: int = 4000, seed: int = 1) -> None:
    """Write one table of leads without events or dates: attributes, a flag that says who converted, and leaks."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(leads):
        origin = rng.choice(["API", "Landing Page", "Lead Add Form", "Import"], p=[0.4, 0.5, 0.08, 0.02])
        source = rng.choice(
            ["Google", "Direct Traffic", "Olark Chat", "Reference", "Organic Search", ""],
            p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05],
        )
        occupation = rng.choice(["Unemployed", "Working Professional", "Student", ""], p=[0.55, 0.15, 0.05, 0.25])
        minutes = int(rng.gamma(1.2, 400))
        odds = (
            -1.9
            + 1.6 * (origin == "Lead Add Form")
            + 1.4 * (source == "Reference")
            + 1.5 * (occupation == "Working Professional")
        )
        converted = int(rng.random() < 1 / (1 + np.exp(-(odds + minutes / 900))))
        tag = (
            rng.choice(["Will revert", "Closed by us"])
            if converted and rng.random() < 0.95
            else rng.choice(["Ringing", "", "Busy"])
        )
        rows.append(
            (
                f"{rng.integers(16**12):012x}",
                660_000 - number * 3,
                origin,
                source,
                rng.choice(["No", "No", "Yes"]),
                "No",
                converted,
                round(rng.gamma(2, 2)),
                minutes,
                rng.choice(["Email Opened", "SMS Sent", "Page Visited"]),
                rng.choice(["India", "", "United States"]),
                occupation,
                tag,
                rng.choice(["Mumbai", "Select", "Thane & Outskirts"]),
            )
        )
    header = (
        "Prospect ID",
        "Lead Number",
        "Lead Origin",
        "Lead Source",
        "Do Not Email",
        "Do Not Call",
        "Converted",
        "TotalVisits",
        "Total Time Spent on Website",
        "Last Activity",
        "Country",
        "What is your current occupation",
        "Tags",
        "City",
    )
    write_table(folder / "Leads.csv", header, rows)


def write_entity_log(folder: Path, cases: int = 2500, seed: int = 2) -> None:
    """Write one log of two kinds of entities, applications and the offers made to them, with a field that leaks."""
    rng = np.random.default_rng(seed)
    rows: list[list[object]] = []
    offers = events = 0
    for case in range(cases):
        name = f"Application_{rng.integers(10**9)}"
        at = BEGINNING + timedelta(minutes=int(case * 230 + rng.integers(200)))
        goal = rng.choice(["Car", "Home improvement", "Existing loan takeover", "Unknown"])
        amount = int(rng.integers(2, 60)) * 500
        eager = rng.random() < 0.35 + 0.2 * (goal == "Car") - 0.1 * (amount > 15_000)
        steps: list[tuple[float, str, str, str, str]] = [(0, "A_Create Application", "Application", "complete", "")]
        steps.append((0.02, "A_Submitted", "Application", "complete", ""))
        steps.append((0.05, "W_Handle leads", "Workflow", "schedule", ""))
        steps.append((0.4, "W_Handle leads", "Workflow", "start", ""))
        steps.append((0.6, "A_Concept", "Application", "complete", ""))
        count = int(rng.integers(1, 4))
        made = []
        for _ in range(count):
            offers += 1
            made.append(f"Offer_{offers * 7919 % 10**9}")
            steps.append((0.7 + rng.random(), "O_Create Offer", "Offer", "complete", made[-1]))
        steps.append((1.9, "A_Accepted", "Application", "complete", ""))
        steps.append((2.0, "W_Call after offers", "Workflow", "start", ""))
        if eager:
            steps += [
                (3 + rng.random() * 3, "A_Validating", "Application", "complete", "")
                for _ in range(int(rng.integers(1, 4)))
            ]
        wins = rng.random() < (0.6 if eager else 0.12)
        ends = 6 + rng.gamma(2, 4)
        if wins:
            steps += [
                (ends, "O_Accepted", "Offer", "complete", made[-1]),
                (ends + 0.0001, "A_Pending", "Application", "complete", ""),
            ]
        elif rng.random() < 0.7:
            steps.append((ends + 8, "A_Cancelled", "Application", "complete", ""))
        else:
            steps.append((ends, "A_Denied", "Application", "complete", ""))
        for days, activity, origin, lifecycle, offer in steps:
            events += 1
            selected = "True" if offer and wins and offer == made[-1] else "False" if offer else ""
            score = int(rng.integers(600, 1000)) if offer and wins else 0 if offer else ""
            rows.append(
                [
                    (at + timedelta(days=float(days))).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "+00:00",
                    activity,
                    f"User_{rng.integers(40)}",
                    lifecycle,
                    origin,
                    f"{activity[:1]}_{events}",
                    name,
                    offer,
                    goal,
                    amount,
                    "approved" if wins else "closed",
                    selected,
                    score,
                    int(rng.integers(5, 50)) * 500 if offer else "",
                ]
            )
    rows.sort(key=lambda row: str(row[0]))
    header = (
        "time:timestamp",
        "concept:name",
        "org:resource",
        "lifecycle:transition",
        "EventOrigin",
        "EventID",
        "case:concept:name",
        "OfferID",
        "case:LoanGoal",
        "case:RequestedAmount",
        "case:FinalStatus",
        "Selected",
        "CreditScore",
        "OfferedAmount",
    )
    write_table(folder / "event_log.csv", header, rows)


def write_crm_dump(folder: Path, leads: int = 3000, seed: int = 3) -> None:
    """Write a CRM's tables: leads, contacts, touches, sessions, activities and opportunities, tied by their ids."""
    rng = np.random.default_rng(seed)
    tables: dict[str, list[Row]] = {
        name: [] for name in ("leads", "contacts", "touches", "sessions", "activities", "opportunities")
    }
    for number in range(1, leads + 1):
        created = BEGINNING + timedelta(minutes=int(number * 220 + rng.integers(200)))
        warm = rng.random() < 0.25
        source = rng.choice(["Web", "Event", "Referral", "Outbound"], p=[0.5, 0.2, 0.1, 0.2])
        contact = f"003{number:06d}"
        has_contact = rng.random() < 0.9
        wins = rng.random() < (0.30 if warm else 0.02) * (1.6 if source == "Referral" else 1)
        qualified = wins or rng.random() < 0.2
        status = "Converted" if qualified else rng.choice(["New", "Working", "Unqualified"])
        stamp = created.strftime("%Y-%m-%d %H:%M:%S")
        days = float(rng.gamma(2, 8)) + 3
        converted = created + timedelta(days=days * 0.4)
        tables["leads"].append(
            (
                number,
                stamp,
                source,
                rng.choice(["US", "DE", "FR", "GB"]),
                rng.choice(["Retail", "Software", "Health", ""]),
                int(rng.lognormal(4, 1)),
                status,
                int(rng.integers(1, 9)),
                f"jane{number}@example.org",
                converted.strftime("%Y-%m-%d %H:%M:%S") if qualified else "",
            )
        )
        if has_contact:
            tables["contacts"].append(
                (
                    contact,
                    number,
                    f"001{number % 700:06d}",
                    (created + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S"),
                    f"Jane {number}",
                )
            )
        for _ in range(int(rng.poisson(7 if warm else 2.5))):
            at = created + timedelta(days=float(rng.random()) * min(days, 30))
            kind = rng.choice(["page_view", "pricing_view", "form_submit"], p=[0.7, 0.2, 0.1])
            tables["sessions"].append(
                (
                    f"s-{rng.integers(16**10):010x}",
                    number,
                    at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    int(rng.integers(1, 20)),
                    "google" if rng.random() < 0.5 else "",
                    "organic" if rng.random() < 0.5 else "",
                    kind,
                )
            )
        for _ in range(int(rng.poisson(2))):
            at = created + timedelta(days=float(rng.random()) * 20)
            tables["touches"].append(
                (
                    len(tables["touches"]) + 1,
                    contact,
                    at.strftime("%Y-%m-%d %H:%M:%S"),
                    rng.choice(["email", "webinar", "ad"]),
                    f"c{rng.integers(5)}",
                )
            )
        for _ in range(int(rng.poisson(1.5))):
            at = created + timedelta(days=float(rng.random()) * 15)
            tables["activities"].append(
                (
                    len(tables["activities"]) + 1,
                    contact,
                    rng.choice(["Call", "Email", "Meeting"]),
                    at.strftime("%Y-%m-%d %H:%M:%S"),
                    f"u{rng.integers(6)}",
                )
            )
        if qualified:
            closed = created + timedelta(days=days)
            stage = "Closed Won" if wins else rng.choice(["Closed Lost", "Negotiation"], p=[0.8, 0.2])
            tables["opportunities"].append(
                (
                    f"006{number:06d}",
                    contact,
                    converted.strftime("%Y-%m-%d %H:%M:%S"),
                    stage,
                    int(rng.integers(1, 90)) * 100,
                    closed.strftime("%Y-%m-%d"),
                )
            )
    headers = {
        "leads": (
            "id",
            "created_at",
            "lead_source",
            "country",
            "industry",
            "employees",
            "status",
            "owner_id",
            "email",
            "converted_at",
        ),
        "contacts": ("contact_id", "lead_id", "account_id", "created_at", "name"),
        "touches": ("touch_id", "contact_id", "touched_at", "channel", "campaign"),
        "sessions": ("session_id", "lead_id", "started_at", "pages", "utm_source", "utm_medium", "event_name"),
        "activities": ("activity_id", "contact_id", "type", "activity_date", "owner_id"),
        "opportunities": ("opportunity_id", "contact_id", "created_date", "stage", "amount", "close_date"),
    }
    for name, rows in tables.items():
        write_table(folder / f"{name}.csv", headers[name], rows)
