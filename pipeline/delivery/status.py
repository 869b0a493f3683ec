"""``leadcast crm status``: what was pushed and what became of it, and the leads that need somebody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from features.core.errors import InputError
from pipeline.delivery.ledger import MOST_ATTEMPTS, Ledger, Run, Status, Write
from pipeline.sinks.protocol import Value

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
    fields: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    """Of the one lead that was asked for: what each field holds by us, and what it shall hold."""
    writes: tuple[tuple[str, Write], ...] = ()
    """Of that lead: the runs that wrote to it, and what they overwrote."""

    def to_json(self) -> dict[str, Any]:
        """Give all of it as JSON; times are in UTC."""
        runs = [{**vars(run), "started_at": run.started_at.isoformat()} for run in self.runs]
        writes = [{"run": run, "before": dict(one.before), "after": dict(one.after)} for run, one in self.writes]
        fields = {name: {"held": held, "target": target} for name, (held, target) in self.fields.items()}
        return vars(self) | {
            "leads": [vars(lead) for lead in self.leads],
            "runs": runs,
            "fields": fields,
            "writes": writes,
        }


def state(ledger: Ledger, sink: str, *, everything: bool = False, lead: str | None = None) -> State:
    """Read the ledger; the system itself is not asked. Raises InputError where nothing is known of the ``lead``."""
    if lead is not None:
        return _of_lead(ledger, sink, lead)
    counts = {status: ledger.count(sink, status) for status in _LISTED}
    leads = [
        Lead(key, "dead letter" if attempts >= MOST_ATTEMPTS else status, reason, run)
        for status in _LISTED
        for key, reason, attempts, run in ledger.told(sink, status, counts[status] if everything else _MOST)
    ]
    return State(sink, ledger.runs(), ledger.count(sink, "rejected", MOST_ATTEMPTS), leads, sum(counts.values()))


def _of_lead(ledger: Ledger, sink: str, key: str) -> State:
    known = ledger.known(sink, [key]).get(key)
    if known is None:
        raise InputError(f"no push has had to do with the lead {key!r}; write its lead_id letter by letter")
    is_dead = known.status == "rejected" and known.attempts >= MOST_ATTEMPTS
    target = known.target or {}
    fields = {name: (known.held.get(name), target.get(name)) for name in {**known.held, **target}}
    what = "dead letter" if is_dead else known.status
    writes = ledger.writes_to(sink, key)
    runs = [run for run in ledger.runs() if run.id in {known.run, *(name for name, _ in writes)}]
    return State(sink, runs, int(is_dead), [Lead(key, what, known.reason or "", known.run)], 0, fields, tuple(writes))
