"""``leadcast crm undo``: puts back what a run overwrote, except where somebody has changed it since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from features.errors import InputError, nearest
from pipeline.artefacts import Progress
from pipeline.delivery.deliver import Pushed, carry_out
from pipeline.delivery.ledger import Ledger, Run
from pipeline.delivery.sending import Change, Sender
from pipeline.push_configuration import Push
from pipeline.sinks.protocol import Sink

_LEADS = 10_000
"""Leads that are held at once."""


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
    carry_out(sender, _changes(ledger, run), Counter(), progress)
    return Pushed(undoing, sink.name, sender.tally, Counter(), sink.calls)


def _find(ledger: Ledger, run_id: str) -> Run:
    runs = {run.id: run for run in ledger.runs()}
    if run_id not in runs:
        known = nearest(run_id, runs) if runs else "nothing was pushed yet"
        raise InputError(f"there is no run {run_id!r}; {known}; leadcast crm status lists them")
    return runs[run_id]


def _changes(ledger: Ledger, run: Run) -> Iterator[Change]:
    for writes in ledger.writes(run.id, _LEADS):
        known = ledger.known(run.sink, [write.key for write in writes])
        for write in writes:
            yield Change(write.key, write.before, known.get(write.key), expected=write.after)
