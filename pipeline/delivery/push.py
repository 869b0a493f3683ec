"""One delivery: the leads that changed are picked from the scores, sent, and the run is closed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from features.core.errors import InputError, LeadcastError
from features.core.time import DAY
from pipeline.core.project import Progress
from pipeline.delivery.decisions import Change
from pipeline.delivery.ledger import MOST_ATTEMPTS, Known, Ledger
from pipeline.delivery.records import Selection, Wanted, wanted_of
from pipeline.delivery.sending import Sender, Tally
from pipeline.delivery.values import Significance
from pipeline.settings.push import Push
from pipeline.sinks.protocol import Sink

KEPT = 90 * DAY
"""How long what a run overwrote can be put back."""
_SECONDS_A_LINE = 2.0
_STOPPED = "by the user, or by a fault"


@dataclass(frozen=True)
class Scores:
    """The recommendations that are pushed."""

    path: Path
    as_of: datetime
    """UTC."""
    model: str
    leads: int
    wording: str = ""
    """How reasons are worded: a text that is the same for the same words; empty where it is not told."""
    zone: str = "UTC"
    """The company's, of the dates that are pushed."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    selection: Selection
    first: int | None = None
    """At most so many leads, the best of those that have changed."""
    forced: str | None = None
    """Why scores are pushed that the guard refuses."""
    resync: bool = False
    """Whether every lead is compared with the system, which was put back to a backup."""


class Pushed(NamedTuple):
    """A push that has ended."""

    run: str
    sink: str
    tally: Tally
    left: Counter[str]
    """Leads that were not looked at, by the reason."""
    calls: int


@dataclass
class Changes:
    """Goes through recommendations and picks those that are to be sent; counts what it leaves."""

    push: Push
    sink: Sink
    ledger: Ledger
    scores: Scores
    options: Options
    suspended: Mapping[str, str]
    left: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Change]:
        significance = Significance(self.push.mapping, self.push.probability_change)
        now = datetime.now(UTC).replace(tzinfo=None)
        scores, selection = self.scores, self.options.selection
        for part in wanted_of(scores.path, self.push, selection, self.suspended, scores.zone):
            known = self.ledger.known(self.sink.name, [wanted.key for wanted in part])
            for wanted in part:
                why, change = self._judge(wanted, known.get(wanted.key), significance, now)
                if change is None:
                    self.left[why] += 1
                else:
                    yield change

    def _judge(
        self, wanted: Wanted, known: Known | None, significance: Significance, now: datetime
    ) -> tuple[str, Change | None]:
        """Say why a lead is left, or what is to change."""
        if known is None or self.options.resync:
            return "", Change(wanted.key, wanted.values, known and known._replace(attempts=0))
        if known.status == "skipped" and now - known.at < self.push.look_again_after:
            return "skipped", None
        is_same_wording = known.wording == self.scores.wording
        differs = known.target is None or significance.differs(
            known.target, wanted.values, is_same_wording=is_same_wording
        )
        if known.status == "rejected" and known.attempts >= MOST_ATTEMPTS and not differs:
            return "dead letter", None
        settled = known.status in {"written", "unchanged"}
        if settled and not differs and now - known.at < self.push.refresh_after:
            return "unchanged", None
        # Other values begin to count anew.
        return "", Change(wanted.key, wanted.values, known._replace(attempts=0) if differs else known)


def deliver(
    push: Push,
    sink: Sink,
    ledger: Ledger,
    scores: Scores,
    suspended: Mapping[str, str],
    options: Options,
    progress: Progress,
) -> Pushed:
    """Send what changed and keep the ledger; raises DeliveryError where the system takes no more."""
    ledger.forget_before(datetime.now(UTC).replace(tzinfo=None) - KEPT)
    as_of, model = scores.as_of.isoformat(), scores.model[:16]
    run = ledger.begin("push", sink.name, as_of=as_of, model=model, forced=options.forced, wording=scores.wording)
    changes = Changes(push, sink, ledger, scores, options, suspended)
    sender = Sender(sink, ledger, push, run, resync=options.resync)
    carry_out(sender, islice(changes, options.first), changes.left, progress)
    refuse_unknown(options, sender.tally.leads + changes.left.total())
    return Pushed(run, sink.name, sender.tally, changes.left, sink.calls)


def refuse_unknown(options: Options, leads: int) -> None:
    """Raise InputError where the one lead that was asked for has no score."""
    if options.selection.lead is not None and not leads:
        raise InputError(f"no lead {options.selection.lead!r} among the scores; write its lead_id letter by letter")


def carry_out(sender: Sender, changes: Iterator[Change], left: Counter[str], progress: Progress) -> None:
    """Send all changes, tell how far it is, and close the run in the ledger, whatever happens."""
    told = time.monotonic()
    state, message = "stopped", _STOPPED
    try:
        for done in sender.send(changes):
            if time.monotonic() - told > _SECONDS_A_LINE:
                told = time.monotonic()
                progress(f"{done:,} leads done, {sender.tally.statuses['written']:,} of them written")
        state, message = "done", ""
    except LeadcastError as error:
        message = str(error)
        raise
    finally:
        if state == "stopped" and message == _STOPPED:
            message += f"; {sender.tally.statuses['deferred']:,} leads are left to do"
        sender.close(state, left, message or None)
