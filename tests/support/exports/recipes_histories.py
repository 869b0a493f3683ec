"""Vendors' exports of so many leads that a model can learn from them, each with a signal: the eager ones convert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from recipes_exports import ga4_event, write_ga4, write_salesforce

BEGINNING = datetime(2025, 1, 6, 8, tzinfo=UTC)
_PLACES = (("google", "cpc"), ("google", "organic"), ("newsletter", "email"), ("(direct)", "(none)"))


def write_ga4_history(folder: Path, visitors: int = 1_500) -> int:
    """Write ten months of a site's events; give how many of the visitors who said who they are have bought."""
    rng = np.random.default_rng(1)
    rows: list[tuple[int, str, str, str | None, str, str, str, float | None]] = []
    buyers = 0
    for number in range(visitors):
        eager = rng.random() < 0.3
        source, medium = _PLACES[rng.choice(4, p=[0.7, 0.1, 0.1, 0.1] if eager else [0.2, 0.4, 0.2, 0.2])]
        begin = float(rng.random() * 270)
        days = begin + np.sort(rng.random(rng.poisson(9 if eager else 3) + 1)) * 20
        cookie, user = f"{number}.{rng.integers(10**9)}", f"u-{number}"
        says_who = rng.random() < 0.8
        for visit, day in enumerate(days):
            known = user if says_who and visit >= 1 else None
            names = ["session_start", "page_view"] + ["view_pricing"] * (eager and rng.random() < 0.5)
            rows += [
                (_micros(day), name, cookie, known, "https://example.org/", source, medium, None) for name in names
            ]
        if says_who and len(days) > 1:
            rows.append((_micros(days[1]), "generate_lead", cookie, user, "https://example.org/", source, medium, None))
            if rng.random() < (0.6 if eager else 0.05):
                buyers += 1
                at = _micros(float(days[-1]) + 3 + rng.random() * 15)
                rows.append((at, "purchase", cookie, user, "https://example.org/thanks", source, medium, 49.9))
    write_ga4(folder, [ga4_event(*row) for row in sorted(rows, key=lambda row: row[0])])
    return buyers


def write_salesforce_history(folder: Path, leads: int = 1_500) -> int:
    """Write a year of Salesforce's objects; give how many leads were won."""
    rng = np.random.default_rng(2)
    tables = {
        "Lead": [
            "Id,CreatedDate,Status,LeadSource,IsConverted,ConvertedDate,ConvertedContactId,ConvertedOpportunityId"
        ],
        "Task": ["Id,WhoId,CreatedDate,ActivityDate,Type,Subject"],
        "LeadHistory": ["Id,LeadId,Field,OldValue,NewValue,CreatedDate"],
        "Opportunity": ["Id,StageName,CloseDate,IsWon,IsClosed,Amount,CurrencyIsoCode"],
        "DatedConversionRate": ["IsoCode,StartDate,ConversionRate", "EUR,2025-01-01,1.0", "USD,2025-01-01,1.1"],
    }
    won = 0
    for number in range(leads):
        lead, contact, opportunity = (f"{prefix}{number:06d}" for prefix in ("00Q", "003", "006"))
        created = float(rng.random() * 360)
        eager = rng.random() < 0.35
        converts = rng.random() < (0.7 if eager else 0.15)
        wins = converts and rng.random() < (0.7 if eager else 0.3)
        won += wins
        accepted, closed = created + 8 + float(rng.random()) * 8, created + 18 + float(rng.random()) * 25
        source = rng.choice(["Web", "Partner", "Trade Show"], p=[0.2, 0.6, 0.2] if eager else [0.5, 0.2, 0.3])
        who = contact if converts else lead
        calls = rng.random(rng.poisson(4 if eager else 1)) * 8
        for at, kind in [(created + 0.5, "Call"), *((created + float(day), "Inbound Call") for day in calls)]:
            tables["Task"].append(f"00T{len(tables['Task']):06d},{who},{_text(at)},{_text(at + 2)[:10]},{kind},secret")
        history = [(created + 1, "Status", "New", "Working")]
        if converts:
            history.append((accepted, "leadConverted", "", ""))
            outcome = f"Closed {'Won' if wins else 'Lost'},{_text(closed)[:10]},{str(wins).lower()},true"
            tables["Opportunity"].append(
                f"{opportunity},{outcome},{rng.integers(10, 90)}00.0,{rng.choice(['EUR', 'USD'])}"
            )
        elif rng.random() < 0.7:
            history.append((closed, "Status", "Working", "Unqualified"))
        for at, column, old, new in history:
            tables["LeadHistory"].append(f"017{len(tables['LeadHistory'])},{lead},{column},{old},{new},{_text(at)}")
        ids = f"true,{_text(accepted)[:10]},{contact},{opportunity}" if converts else "false,,,"
        status = "Closed - Converted" if converts else history[-1][3]
        tables["Lead"].append(f"{lead},{_text(created)},{status},{source},{ids}")
    write_salesforce(folder, {name: "\n".join(lines) for name, lines in tables.items()})
    return won


def _micros(day: float) -> int:
    return int((BEGINNING + timedelta(days=day)).timestamp()) * 1_000_000


def _text(day: float) -> str:
    return (BEGINNING + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
