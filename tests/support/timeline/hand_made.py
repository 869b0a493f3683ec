"""A log of a few leads written by hand, and what people said of them, as ingest leaves it."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from timelines import leads

from features.core.schema import CONSENT, DECISION
from pipeline.core.project import Places
from pipeline.settings.timeline import Episodes

LEADS = "A 2026-01-01\nB 2026-01-01\nC 2026-01-01\nD 2026-01-01\nE 2026-01-01\nF 2026-01-01"
EPISODES = Episodes(conversion=("won",), lost=("lost",), milestones={"accepted": ("opened",)})
POLICY = {
    "time_zone": "Europe/Paris",
    "facts": {"objection": {"kind": "closes", "events": ["objected"]}},
    "maturity": {"strong": ["demo"]},
    "out_of_target": {"employees": {"below": 10}},
}
EMPLOYEES = {"A": 50.0, "B": 5.0, "C": None, "D": 50.0, "E": 50.0, "F": 50.0}


def written(root: Path, log: str, words: str = "") -> Places:
    """Write a log as ingest leaves it."""
    rows = [[cell.strip() for cell in line.split("|")] for line in log.strip().splitlines()]
    moments = [pd.Timestamp(row[1]) for row in rows]
    known = [pd.Timestamp((row[1:2] + row[3:])[-1]) for row in rows]
    table = pa.table({
        "lead_id": [row[0] for row in rows],
        "occurred_at": pa.array(moments, pa.timestamp("us")),
        "known_at": pa.array(known, pa.timestamp("us")),
        "event_type": [row[2] for row in rows],
        "actor": ["lead" if row[2] == "demo" else "us" for row in rows],
        "content": pa.nulls(len(rows), pa.string()),
        "source": ["crm"] * len(rows),
        "sequence": range(len(rows)),
        "local_day": pa.array([at.date() for at in moments], pa.date32()),
    })  # fmt: skip
    them = leads(LEADS)
    extra = {"account_id": pa.nulls(len(them), pa.string()), "employees": [EMPLOYEES[one] for one in them["lead_id"]]}
    places = Places(root)
    places.interactions.parent.mkdir(parents=True)
    pq.write_table(table, places.interactions)
    pq.write_table(pa.table({**{name: them[name] for name in them}, **extra}), places.leads)
    nothing = pa.array([], pa.timestamp("us"))
    former = {"lead_id": pa.array([], pa.string()), "created_at": nothing, "until": nothing}
    pq.write_table(pa.table(former), places.former_creations)
    write_decisions(places, words)
    write_consents(places)
    return places


def write_decisions(places: Places, text: str = "") -> None:
    """Write lines of ``lead | decided_at | tier | call_on | until | by | reason | known_at``; what is empty is null."""
    rows = []
    for sequence, line in enumerate(text.strip().splitlines()):
        lead, decided_at, *more = (cell.strip() for cell in line.split("|"))
        tier, call_on, until, by, reason, known_at = (cell or None for cell in [*more, *[""] * (6 - len(more))])
        rows.append({
            "lead_id": lead,
            "decided_at": datetime.fromisoformat(decided_at),
            "known_at": datetime.fromisoformat(known_at or decided_at),
            "tier": tier,
            "call_on": call_on and date.fromisoformat(call_on),
            "until": until and date.fromisoformat(until),
            "by": by,
            "reason": reason,
            "sequence": sequence,
        })  # fmt: skip
    schema = pa.schema([(field.name, field.arrow) for field in DECISION])
    pq.write_table(pa.Table.from_pylist(rows, schema), places.decisions)


def write_consents(places: Places, text: str = "") -> None:
    """Write lines of ``lead | changed_at | purpose | status | own_id | linked_at | known_at``; three are optional."""
    rows = []
    for line in text.strip().splitlines():
        lead, changed_at, purpose, status, *more = (cell.strip() for cell in line.split("|"))
        own_id, linked_at, known_at = (cell or None for cell in [*more, *[""] * (3 - len(more))])
        known = [datetime.fromisoformat(one) for one in (known_at or changed_at, linked_at) if one]
        rows.append({
            "lead_id": lead,
            "own_id": own_id or lead,
            "purpose": purpose,
            "status": status,
            "changed_at": datetime.fromisoformat(changed_at),
            "known_at": max(known),
            "linked_at": linked_at and datetime.fromisoformat(linked_at),
        })  # fmt: skip
    schema = pa.schema([(field.name, field.arrow) for field in CONSENT])
    pq.write_table(pa.Table.from_pylist(rows, schema), places.consents)
