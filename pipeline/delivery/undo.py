"""``leadcast crm undo``: puts back what a run overwrote, except where somebody has changed it since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from features.core.errors import InputError, nearest
from pipeline.core.project import Progress
from pipeline.delivery.decisions import Change
from pipeline.delivery.ledger import Known, Ledger, Run, Write
from pipeline.delivery.ownership import Ownership
from pipeline.delivery.push import Pushed, carry_out
from pipeline.delivery.sending import Sender
from pipeline.settings.push import Push
from pipeline.sinks.protocol import Sink

_LEADS = 10_000
"""Leads that are held at once."""
LATER = "written by a later run"


def undo(push: Push, sink: Sink, ledger: Ledger, run_id: str, progress: Progress) -> Pushed:
    """Write what stood in the fields before a run; a field that holds something else than the run wrote stays.

    Raises InputError where there is no such run, or it wrote to another system.
    """
    run = _find(ledger, run_id)
    if run.sink != sink.name:
        raise InputError(
            f"run {run.id} wrote to {run.sink}, and push.sink in params.yaml is {sink.name}; put back the settings "
            "of that time"
        )
    undoing = ledger.begin("undo", sink.name, as_of=run.as_of, model=run.model, forced=f"undo of {run.id}")
    sender = Sender(sink, ledger, push, undoing)
    left: Counter[str] = Counter()
    carry_out(sender, _changes(ledger, run, push, left), left, progress)
    return Pushed(undoing, sink.name, sender.tally, left, sink.calls)


def _find(ledger: Ledger, run_id: str) -> Run:
    runs = {run.id: run for run in ledger.runs()}
    if run_id not in runs:
        known = nearest(run_id, runs) if runs else "nothing was pushed yet"
        raise InputError(f"there is no run {run_id!r}; {known}; leadcast crm status lists them")
    return runs[run_id]


def _changes(ledger: Ledger, run: Run, push: Push, left: Counter[str]) -> Iterator[Change]:
    mapped, ownership = push.mapping.values(), Ownership(push, {})
    for writes in ledger.writes(run.id, _LEADS):
        known = ledger.known(run.sink, [write.key for write in writes])
        for write in writes:
            if not set(write.after) <= set(mapped):
                raise InputError(
                    f"run {run.id} wrote to {', '.join(sorted(set(write.after) - set(mapped)))}, which push.fields no "
                    "longer has; put back the fields of that time"
                )
            one = known.get(write.key)
            # Half a lead put back is worse than none: where a later run has written, that one is undone first.
            if one is not None and one.run != run.id and _is_written_later(ownership, one, write):
                left[LATER] += 1
            else:
                yield Change(write.key, write.before, one, expected=write.after)


def _is_written_later(ownership: Ownership, known: Known, write: Write) -> bool:
    """Tell whether a later run has written, or may have, something else than the run to be undone."""
    states = [known.held, *([known.target] if known.is_in_doubt and known.target else [])]
    return any(
        not ownership.is_ours(name, state.get(name), value) and not ownership.is_ours(name, value, state.get(name))
        for state in states
        for name, value in write.after.items()
    )
