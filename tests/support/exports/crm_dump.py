"""A usual dump of a CRM in eight tables, in several tongues, of a world whose truth is known.

An account has one to three leads, and contacts of its own. Web visits hang on the lead, mails on a contact, calls on
the account. Who converts is said in a table of its own, or in the leads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
from exports import BEGINNING, Row, write_table

Said = Literal["timed", "untimed", "positives", "timed positives", "text", "in the leads", "nowhere"]

ENGLISH: Mapping[str, str] = {}
FRENCH = {
    "leads": "prospects",
    "accounts": "comptes",
    "visits": "visites",
    "emails": "courriels",
    "calls": "appels",
    "labels": "resultats",
    "campaigns": "campagnes",
    "lead_id": "id_prospect",
    "account_id": "id_compte",
    "contact_id": "id_contact",
    "campaign_id": "id_campagne",
    "created_at": "date_creation",
    "source": "origine",
    "industry": "secteur",
    "employees": "effectif",
    "visited_at": "date_visite",
    "sent_at": "date_envoi",
    "called_at": "date_appel",
    "converted": "converti",
    "converted_at": "date_conversion",
    "job": "fonction",
    "channel": "canal",
    "yes": "oui",
    "no": "non",
    "won": "gagné",
    "lost": "perdu",
}
GERMAN = {
    "leads": "interessenten",
    "accounts": "firmen",
    "contacts": "kontakte",
    "visits": "besuche",
    "emails": "mails",
    "calls": "anrufe",
    "labels": "ergebnisse",
    "campaigns": "kampagnen",
    "lead_id": "interessent_id",
    "account_id": "firma_id",
    "contact_id": "kontakt_id",
    "campaign_id": "kampagne_id",
    "created_at": "erstellt_am",
    "source": "herkunft",
    "industry": "branche",
    "employees": "mitarbeiter",
    "visited_at": "besucht_am",
    "sent_at": "gesendet_am",
    "called_at": "angerufen_am",
    "converted": "konvertiert",
    "converted_at": "konvertiert_am",
    "job": "funktion",
    "channel": "kanal",
    "yes": "ja",
    "no": "nein",
    "won": "gewonnen",
    "lost": "verloren",
}


@dataclass
class Truth:
    """What is true of the world that was written, whatever the dump says of it."""

    converted_at: dict[str, datetime] = field(default_factory=dict)
    account: dict[str, str] = field(default_factory=dict)
    created: dict[str, datetime] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)


def write_dump(  # noqa: C901 - one world
    folder: Path,
    said: Said = "untimed",
    words: Mapping[str, str] = ENGLISH,
    *,
    labels: str = "labels",
    leads: int = 1500,
    seed: int = 5,
    flag: str = "converted",
) -> Truth:
    """Write the dump; ``said`` is how it says who converts, ``labels`` the name of the table that does."""
    rng = np.random.default_rng(seed)
    truth = Truth()
    tables: dict[str, list[Row]] = {
        name: [] for name in ("leads", "accounts", "contacts", "visits", "emails", "calls", "labels", "campaigns")
    }

    def word(name: str) -> str:
        return words.get(name, name)

    for number in range(30):
        tables["campaigns"].append((f"K-{number:03d}", f"spring {number}", ["search", "social", "fair"][number % 3]))
    number = account_number = 0
    while number < leads:
        account_number += 1
        account = f"A-{account_number:05d}"
        industry = str(rng.choice(["Retail", "Software", "Health"]))
        tables["accounts"].append((account, industry, int(rng.integers(5, 900))))
        size = int(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))
        opened = BEGINNING + timedelta(hours=4 * number)
        people = [f"P-{account_number:05d}-{position}" for position in range(size + 1)]
        tables["contacts"] += [
            (person, account, ["buyer", "manager", "clerk"][place % 3], opened) for place, person in enumerate(people)
        ]
        for place in range(size):
            lead = f"L-{number * 7919 % 1_000_003:06d}"
            number += 1
            created = opened + timedelta(days=20 * place)
            warm = rng.random() < 0.3
            wins = rng.random() < (0.5 if warm else 0.08) * (1.4 if industry == "Software" else 1)
            at = created + timedelta(days=float(8 + rng.gamma(2, 6)))
            truth.account[lead], truth.created[lead] = account, created
            if wins:
                truth.converted_at[lead] = at
            row: list[object] = [lead, account, created, rng.choice(["web", "fair", "partner"]), f"K-{number % 30:03d}"]
            if said == "in the leads":
                row.append(int(wins))
            tables["leads"].append(row)
            for _ in range(int(rng.poisson(9 if warm else 3))):
                tables["visits"].append(
                    (
                        f"V-{len(tables['visits']):06d}",
                        lead,
                        created + timedelta(days=float(rng.random() * 20)),
                        rng.choice(["home", "pricing", "demo", "blog"]),
                    )
                )
            for _ in range(int(rng.poisson(3))):
                sent = created + timedelta(days=float(rng.random() * 25))
                kind = str(rng.choice(["email_sent", "email_open", "email_click"]))
                tables["emails"].append((f"E-{len(tables['emails']):06d}", people[place], sent, kind))
            for _ in range(int(rng.poisson(1.5))):
                called = created + timedelta(days=float(rng.random() * 15))
                tables["calls"].append((f"C-{len(tables['calls']):06d}", account, called, int(rng.integers(20, 900))))
            stamp = at if wins else created + timedelta(days=60)
            yes_or_no: dict[str, Row | None] = {
                "timed": (lead, int(wins), stamp if wins else ""),
                "untimed": (lead, int(wins)),
                "positives": (lead,) if wins else None,
                "timed positives": (lead, at) if wins else None,
                "text": (lead, word("won" if wins else "lost")),
            }
            if (label := yes_or_no.get(said)) is not None:
                tables["labels"].append(label)
    headers: dict[str, Sequence[str]] = {
        "leads": ("lead_id", "account_id", "created_at", "source", "campaign_id", *([flag] * (said == "in the leads"))),
        "accounts": ("account_id", "industry", "employees"),
        "contacts": ("contact_id", "account_id", "job", "created_at"),
        "visits": ("visit_id", "lead_id", "visited_at", "page"),
        "emails": ("email_id", "contact_id", "sent_at", "event"),
        "calls": ("call_id", "account_id", "called_at", "seconds"),
        "campaigns": ("campaign_id", "name", "channel"),
        "labels": {
            "timed": ("lead_id", flag, "converted_at"),
            "positives": ("lead_id",),
            "timed positives": ("lead_id", "converted_at"),
        }.get(said, ("lead_id", flag)),
    }
    for name, rows in tables.items():
        truth.rows[name] = len(rows)
        if rows:
            written = labels if name == "labels" and labels != "labels" else word(name)
            write_table(folder / f"{written}.csv", [word(column) for column in headers[name]], rows)
    return truth
