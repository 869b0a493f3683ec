"""``leadcast push --dry-run``: all of a push but the writing, and what it would have done, in figures and in rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pipeline.core.parallel import in_order
from pipeline.core.project import Progress
from pipeline.delivery.decisions import Decision
from pipeline.delivery.ledger import Ledger, a_day_ago
from pipeline.delivery.push import Changes, Options, Scores, refuse_unknown
from pipeline.delivery.sending import Sender, batches
from pipeline.delivery.values import same
from pipeline.settings.push import Push
from pipeline.sinks.protocol import Sink, Value

TO_WRITE = "to write"
SHOWN = 5
"""Leads that are shown in full."""
_TEXTS = frozenset({"tier", "maturity", "action", "list", "list_reason"})
"""Fields of few values, whose movements are told."""


@dataclass
class Rehearsal:
    """What a push would do."""

    sink: str
    scores: str
    leads: Counter[str] = field(default_factory=Counter)
    """By what would become of them; their sum is the number of leads."""
    edited: int = 0
    fields: Counter[str] = field(default_factory=Counter)
    """How many leads get another value, by field."""
    movements: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Field, from, to: of those that say what is to be done."""
    up: int = 0
    down: int = 0
    """How many probabilities rise and fall, of those that there were before ..."""
    by: float = 0.0
    """... and by how much in all."""
    calls: int = 0
    """That the push would make; the rehearsal made those that read."""
    calls_today: int = 0
    calls_a_day: int | None = None
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    """The first leads in full: key, field, from, to."""

    def to_json(self) -> dict[str, Any]:
        """Give all of it as JSON."""
        movements = [(*movement, leads) for movement, leads in self.movements.most_common()]
        return vars(self) | {
            "movements": [dict(zip(("field", "from", "to", "leads"), one, strict=True)) for one in movements],
            "rows": [dict(zip(("lead", "field", "from", "to"), row, strict=True)) for row in self.rows],
        }


def rehearse(
    push: Push,
    sink: Sink,
    ledger: Ledger,
    scores: Scores,
    suspended: Mapping[str, str],
    options: Options,
    progress: Progress,
    *,
    everything: bool = False,
) -> Rehearsal:
    """Do all of a push but the writing; the first leads are told in full, or ``everything``."""
    found = Rehearsal(
        sink.name,
        f"{scores.leads:,} leads scored as of {scores.as_of:%Y-%m-%d %H:%M} UTC by the model {scores.model[:16]}",
        calls_today=ledger.calls_since(sink.name, a_day_ago()),
        calls_a_day=sink.calls_a_day,
    )
    changes = Changes(push, sink, ledger, scores, options, suspended)
    sender = Sender(sink, ledger, push, "", resync=options.resync)
    names = {theirs: ours for ours, theirs in push.mapping.items()}

    parts = ((batch,) for batch in batches(islice(changes, options.first), sink.batch_size))
    for decisions in in_order(sender.plan, parts, sink.batches_at_once):
        before = found.leads[TO_WRITE]
        _count(found, decisions, names, math.inf if everything else SHOWN)
        if sink.leads_a_call:
            found.calls += math.ceil((found.leads[TO_WRITE] - before) / sink.leads_a_call)
        progress(f"looked at {found.leads.total():,} leads")
    found.leads.update(changes.left)
    refuse_unknown(options, found.leads.total())
    found.calls += sink.calls
    return found


def _count(found: Rehearsal, decisions: Sequence[Decision], names: Mapping[str, str], shown: float) -> None:
    for decision in decisions:
        found.edited += bool(decision.edited)
        if decision.status != "write":
            found.leads[decision.reason or "the same in the CRM"] += 1
            continue
        found.leads[TO_WRITE] += 1
        for name, value in decision.values.items():
            before = decision.before[name]
            if same(before, value):
                continue
            found.fields[name] += 1
            if names[name] in _TEXTS:
                found.movements[name, show(before), show(value)] += 1
            if names[name] == "probability":
                _move(found, before, value)
        if len(found.rows) < shown * len(decision.values) and decision.values:
            found.rows += [
                (decision.change.key, name, show(decision.before[name]), show(value))
                for name, value in decision.values.items()
            ]


def _move(found: Rehearsal, before: Value, value: Value) -> None:
    try:
        change = float("" if before is None else before) - float("" if value is None else value)
    except ValueError:
        return  # there was none, or there is none any more
    found.up += change < 0
    found.down += change > 0
    found.by -= change


def show(value: Value) -> str:
    """Write a value as it is read, an empty one as (empty).

    >>> show(None), show(0.25), show("MQL")
    ('(empty)', '0.25', 'MQL')
    """
    if value in {None, ""}:
        return "(empty)"
    return f"{value:g}" if isinstance(value, float) else str(value)
