"""A table whose rows are ends and nothing else is a source as it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from exports import BEGINNING, write_table
from proposals import count, ingest, propose

LEADS = 300


def at(number: int, hours: float = 0) -> str:
    return f"{BEGINNING + timedelta(hours=12 * number + hours):%Y-%m-%d %H:%M:%S}"


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


def test_a_table_of_ends_is_a_source_as_it_is(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    source = propose(tmp_path / "raw", tmp_path)["ingest"]["sources"]["outcomes"]
    columns = {"lead_id": "lead_id", "occurred_at": "closed_at", "event_type": "outcome"}
    columns |= {"value": "value", "currency": "currency"}
    expected = {"path": "outcomes.csv", "delimiter": ",", "known_at": "as_it_occurred", "actor": "system"}
    assert source == {**expected, "columns": columns}
    ingest(tmp_path)
    found = count(tmp_path)
    assert [found[kind, "system"] for kind in ("won", "lost", "refund")] == [LEADS / 3, LEADS * 2 / 3, 1]
