"""``leadcast crm status``: what was pushed and what became of it, and the leads that need somebody."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.delivery.ledger import MOST_ATTEMPTS, Ledger, Run, Status

_MOST = 20
"""Leads of a kind that are listed, where not all are asked for."""
_LISTED: tuple[Status, ...] = ("rejected", "deferred", "skipped")


@dataclass(frozen=True)
class Lead:
    """A lead that was not written to."""

    key: str
    what: str
    reason: str
    run: str


@dataclass(frozen=True)
class State:
    """The runs, the newest first, and the leads that were not written to."""

    sink: str
    runs: list[Run]
    dead: int
    """Leads whose values were rejected as often as they may be."""
    leads: list[Lead]
    unwritten: int
    """How many leads were not written to, whether listed or not."""


def state(ledger: Ledger, sink: str, *, everything: bool) -> State:
    """Read the ledger; the system itself is not asked."""
    counts = {status: ledger.count(sink, status) for status in _LISTED}
    leads = [
        Lead(key, "dead letter" if attempts >= MOST_ATTEMPTS else status, reason, run)
        for status in _LISTED
        for key, reason, attempts, run in ledger.told(sink, status, counts[status] if everything else _MOST)
    ]
    return State(sink, ledger.runs(), ledger.count(sink, "rejected", MOST_ATTEMPTS), leads, sum(counts.values()))
