"""What is to be done with a lead, and what the ledger remembers of it before and after."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pipeline.delivery.ledger import Entry, Intent, Known
from pipeline.delivery.values import Values
from pipeline.sinks.protocol import Outcome, Value

UNKNOWN, CLOSED, EDITED = "not in the CRM", "closed in the CRM", "changed by a person"


class Change(NamedTuple):
    """A lead whose fields shall change."""

    key: str
    target: Values
    """What it shall hold."""
    known: Known | None
    """What the ledger knows of it."""
    expected: Values | None = None
    """Of an undo: what the run wrote. A field that holds something else has been changed since, and stays."""


class Decision(NamedTuple):
    """What is to be done with a lead, now that the system has been looked at."""

    change: Change
    status: Literal["write", "unchanged", "skipped"]
    values: Values
    """What is to be written."""
    before: Values
    """What these fields hold."""
    edited: frozenset[str] = frozenset()
    """Fields that a person has changed since we wrote them."""
    kept: frozenset[str] = frozenset()
    """Fields that stay as they are for it."""
    reason: str | None = None
    remote_id: str | None = None


def settled(decision: Decision) -> Entry:
    """Enter a lead that was not written to."""
    change, known = decision.change, decision.change.known
    held = dict(known.held) if known else {}
    if decision.status == "skipped":
        target = known.target if known else None
        return Entry(change.key, "skipped", held, target, 0, decision.reason, decision.remote_id)
    # As the system has it: cut, rounded, and told from what a later run would write.
    held |= {name: decision.before.get(name) for name in change.target if name not in decision.kept}
    return Entry(change.key, "unchanged", held, change.target, 0, decision.reason, decision.remote_id)


def _learned(decision: Decision) -> dict[str, Value]:
    """Give what the system holds, now that it was looked at: what is overwritten is ours, or was nobody's edit."""
    known = decision.change.known
    return {**(known.held if known else {}), **decision.before}


def intent(decision: Decision) -> Intent:
    """Enter what is about to be written."""
    change = decision.change
    attempts = change.known.attempts if change.known else 0
    return Intent(change.key, decision.before, decision.values, _learned(decision), change.target, attempts)


def unanswered(decision: Decision, reason: str) -> Entry:
    """Enter a lead of which nobody knows whether it was written to: it may hold the one or the other."""
    change = decision.change
    attempts = change.known.attempts if change.known else 0
    return Entry(change.key, "deferred", _learned(decision), change.target, attempts, reason, decision.remote_id)


def written(decision: Decision, outcome: Outcome) -> Entry:
    """Enter what became of a lead that was written to."""
    change, held = decision.change, _learned(decision)
    remote_id = outcome.remote_id or decision.remote_id
    if outcome.status == "written":
        return Entry(change.key, "written", held | dict(decision.values), change.target, 0, None, remote_id)
    if outcome.status == "skipped":
        return Entry(change.key, "skipped", held, change.target, 0, outcome.reason or UNKNOWN, remote_id)
    known = change.known
    attempts = (known.attempts if known else 0) + 1
    # A field that we have never written, nor may have, is nobody's: the system may compute it anew.
    ours = {} if known is None else {**known.held, **(known.target or {} if known.is_in_doubt else {})}
    held = {name: value for name, value in held.items() if name in ours}
    return Entry(change.key, "rejected", held, change.target, attempts, outcome.reason, remote_id)
