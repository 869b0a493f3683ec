"""``leadcast crm status``: what was pushed and what became of it, and the leads that need somebody."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.delivery.ledger import MOST_ATTEMPTS, Ledger, Run, Status

_MOST = 1_000
"""Leads of a kind that are listed."""
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


def state(ledger: Ledger, sink: str) -> State:
    """Read the ledger; the system itself is not asked."""
    leads = [
        Lead(key, "dead letter" if attempts >= MOST_ATTEMPTS else status, reason, run)
        for status in _LISTED
        for key, reason, attempts, run in ledger.told(sink, status, _MOST)
    ]
    return State(sink, ledger.runs(), ledger.count(sink, "rejected", MOST_ATTEMPTS), leads)
