"""A shop's exports, small and made up: leads, their visits and their ends; tables beside them are for tests to add."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from exports import BEGINNING, write_table

LEADS = 300


def at(number: int, hours: float = 0) -> str:
    return f"{BEGINNING + timedelta(hours=12 * number + hours):%Y-%m-%d %H:%M:%S}"


def day(number: int) -> str:
    return f"{BEGINNING + timedelta(days=number):%Y-%m-%d}"


def write_shop(folder: Path, currencies: Sequence[str] = ("EUR",)) -> None:
    """Write leads, their visits and their ends; orders are paid in some currencies in turn."""
    numbers = range(LEADS)
    write_table(folder / "leads.csv", ("lead_id", "created_at"), [(f"L{n:05d}", at(n)) for n in numbers])
    visits = [(f"L{n:05d}", at(n, step + 1), "page_view") for n in numbers for step in range(4)]
    write_table(folder / "web.csv", ("lead_id", "at", "event"), visits)
    ends = [
        (
            f"L{n:05d}",
            at(n, 40),
            *(("won", 90 + n, currencies[n // 3 % len(currencies)]) if n % 3 == 0 else ("lost", "", "")),
        )
        for n in numbers
    ]
    ends.append(("L00000", at(0, 60), "refund", -100, currencies[0]))
    write_table(folder / "outcomes.csv", ("lead_id", "closed_at", "outcome", "value", "currency"), ends)
