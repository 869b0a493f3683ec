"""Batches under way: read, compared, entered in the ledger, written, tried again, and entered anew.

``plan`` decides without writing: the rehearsal calls it, too. Every lead that comes in goes out with one status.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Literal, NamedTuple

from features.core.errors import DeliveryError
from pipeline.delivery.ledger import Entry, Intent, Known, Ledger
from pipeline.delivery.values import Values, same
from pipeline.settings.push import Push
from pipeline.sinks.protocol import LaterError, Outcome, Record, Remote, Sink, Value, WholeBatchError

_FIRST_WAIT, _LONGEST_STEP, _GROWTH = 0.05, 30.0, 3.0
"""Seconds: 0.05, 0.15, 0.45 ... up to half a minute, where the system doesn't say how long."""
_MOST_IN_A_ROW = 3
"""Batches that wait for the next push, one after the other: then the system is down."""
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
    reason: str | None = None
    remote_id: str | None = None


class Delivered(NamedTuple):
    """What became of a batch."""

    statuses: Counter[str]
    edited: int
    """Leads with a field that a person had changed since our last write."""
    reason: str | None = None
    """Why some of them wait."""
    stopped: DeliveryError | None = None
    """Why no more is to be sent."""


@dataclass
class Tally:
    """How many leads went which way; their sum is the number of leads that were tried."""

    statuses: Counter[str] = field(default_factory=Counter)
    edited: int = 0

    @property
    def leads(self) -> int:
        """How many leads that makes."""
        return sum(self.statuses.values())

    def add(self, delivered: Delivered) -> None:
        """Count a batch."""
        self.statuses.update(delivered.statuses)
        self.edited += delivered.edited


class Sender:
    """Sends batches to a sink, several at once, and keeps the ledger."""

    def __init__(self, sink: Sink, ledger: Ledger, push: Push, run: str) -> None:
        self._sink, self._ledger, self._push, self._run = sink, ledger, push, run
        self._stop = Event()
        self.tally = Tally()

    def send(self, changes: Iterable[Change]) -> Iterator[int]:
        """Send changes, and yield after each batch how many leads are done.

        Raises DeliveryError when no more is to be sent; what is under way is finished and entered before.
        """
        waiting: deque[Future[Delivered]] = deque()
        in_a_row = 0
        with ThreadPoolExecutor(self._sink.batches_at_once) as pool:
            try:
                for batch in batches(changes, self._sink.batch_size):
                    waiting.append(pool.submit(self._deliver, batch))
                    if len(waiting) > self._sink.batches_at_once + 1:
                        in_a_row = self._take(waiting, in_a_row)
                        yield self.tally.leads
                while waiting:
                    in_a_row = self._take(waiting, in_a_row)
                    yield self.tally.leads
            finally:
                self._stop.set()
                for future in waiting:
                    if not future.cancel() and not future.exception():
                        self.tally.add(future.result())

    def close(self, state: str, left: Counter[str], message: str | None) -> None:
        """Close the run in the ledger; ``left`` are the leads that were not sent, by the reason."""
        counts = self.tally.statuses + left
        if self.tally.edited:
            counts["edited"] = self.tally.edited
        leads = self.tally.leads + left.total()
        self._ledger.end(self._run, state, counts, leads, self._sink.calls, message)

    def _take(self, waiting: deque[Future[Delivered]], in_a_row: int) -> int:
        """Count the first batch; gives how many in a row have waited."""
        delivered = waiting[0].result()
        waiting.popleft()  # not before: who is stopped here still counts it
        self.tally.add(delivered)
        if delivered.stopped:
            raise delivered.stopped
        if delivered.statuses["deferred"] < delivered.statuses.total() or not delivered.statuses:
            return 0
        if in_a_row + 1 == _MOST_IN_A_ROW:
            raise DeliveryError(
                f"{_MOST_IN_A_ROW} batches in a row were not taken, each after {self._push.attempts} attempts: "
                f"{delivered.reason}; push again when the system answers, nothing is lost"
            )
        return in_a_row + 1

    def _deliver(self, batch: Sequence[Change]) -> Delivered:
        """Deliver a batch, and enter what became of it; whatever happens is in the ledger before and after."""
        try:
            remotes = self.look([change.key for change in batch])
        except (LaterError, DeliveryError) as error:
            self._ledger.settle(self._run, self._sink.name, [_not_tried(change, str(error)) for change in batch])
            stopped = error if isinstance(error, DeliveryError) else None
            if stopped:
                self._stop.set()
            return Delivered(Counter(deferred=len(batch)), 0, str(error), stopped)
        decisions = plan(self._sink, self._push, batch, remotes)
        entries = [_settled(decision) for decision in decisions if decision.status != "write"]
        writes = {decision.change.key: decision for decision in decisions if decision.status == "write"}
        self._ledger.intend(
            self._run,
            self._sink.name,
            [_intent(decision) for decision in writes.values()],
        )
        outcomes: dict[str, Outcome] = {}
        reason, stopped = None, None
        try:
            reason = self._write([Record(key, one.values, one.remote_id) for key, one in writes.items()], outcomes)
        except DeliveryError as error:
            reason, stopped = str(error), error
            self._stop.set()
        for key, decision in writes.items():
            outcome = outcomes.get(key)
            entries.append(_written(decision, outcome) if outcome else _unanswered(decision, reason or ""))
        self._ledger.settle(self._run, self._sink.name, entries)
        edited = sum(bool(decision.edited) for decision in decisions)
        return Delivered(Counter(entry.status for entry in entries), edited, reason, stopped)

    def look(self, keys: Sequence[str]) -> Mapping[str, Remote]:
        """Give the leads as the system has them, as ``Sink.read`` does; raises LaterError when attempts are used up."""
        if not self._sink.reads or not keys:
            return {}
        failures = 0
        while True:
            self._refuse_stopped()
            try:
                return self._sink.read(keys)
            except LaterError as error:
                failures = 1 if error.further else failures + 1
                self._wait(error, failures)
            except WholeBatchError:
                middle = len(keys) // 2  # a key that can't be one of the system's is nobody's
                return {**self.look(keys[:middle]), **self.look(keys[middle:])} if middle else {}

    def _write(self, records: Sequence[Record], outcomes: dict[str, Outcome]) -> str | None:
        """Write records until each has an outcome, or attempts are used up; then it gives the reason."""
        failures = 0
        while left := [record for record in records if record.key not in outcomes]:
            self._refuse_stopped()
            before = len(outcomes)
            try:
                for outcome in self._sink.write(left):
                    outcomes[outcome.key] = outcome
            except LaterError as error:
                # What got further begins to count anew: of many calls in one batch, some always fail.
                failures = 1 if len(outcomes) > before else failures + 1
                try:
                    self._wait(error, failures)
                except LaterError:
                    return str(error)
            except WholeBatchError as error:
                left = [record for record in left if record.key not in outcomes]
                if len(left) == 1:
                    outcomes[left[0].key] = Outcome(left[0].key, "rejected", str(error))
                    continue
                middle = len(left) // 2
                reasons = [self._write(left[:middle], outcomes), self._write(left[middle:], outcomes)]
                return next(filter(None, reasons), None)
        return None

    def _wait(self, error: LaterError, failures: int) -> None:
        """Wait as long as the system says; raises LaterError when attempts are used up."""
        if failures >= self._push.attempts:
            raise error
        if error.after is not None and error.after > self._push.longest_wait_seconds:
            raise DeliveryError(
                f"the system asks to wait {error.after:,.0f} s, more than push.longest_wait_seconds: {error}; "
                "push again then"
            )
        step = min(_FIRST_WAIT * _GROWTH ** (failures - 1), _LONGEST_STEP, self._push.longest_wait_seconds)
        seconds = step * random.uniform(0.5, 1.0) if error.after is None else error.after  # noqa: S311 - no secret
        self._stop.wait(seconds)

    def _refuse_stopped(self) -> None:
        if self._stop.is_set():
            raise DeliveryError("stopped")


def batches(changes: Iterable[Change], size: int) -> Iterator[list[Change]]:
    """Cut into lists of a size."""
    batch: list[Change] = []
    for change in changes:
        batch.append(change)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def plan(sink: Sink, push: Push, batch: Sequence[Change], remotes: Mapping[str, Remote]) -> list[Decision]:
    """Decide what is to be written, by what the system holds."""
    return [_decide(sink, push, change, remotes.get(change.key)) for change in batch]


def _decide(sink: Sink, push: Push, change: Change, remote: Remote | None) -> Decision:
    known, is_undo = change.known, change.expected is not None
    if sink.reads and remote is None and (is_undo or not sink.creates):
        return Decision(change, "skipped", {}, {}, reason=UNKNOWN)
    remote_id = remote.remote_id if remote else None
    if remote is not None and remote.closed:
        return Decision(change, "skipped", {}, {}, reason=CLOSED, remote_id=remote_id)
    current = remote.values if remote is not None else _believed(known)
    before = {name: current.get(name) for name in change.target}
    edited: frozenset[str] = frozenset()
    if change.expected is not None:
        # What holds already what it shall, because the write never came, is no edit either.
        edited = frozenset(
            name
            for name, value in change.expected.items()
            if not _held(push, name, before[name], value) and not _held(push, name, before[name], change.target[name])
        )
    elif remote is not None and known is not None:
        edited = frozenset(name for name in change.target if _edited(push, name, before[name], known))
    kept = edited if is_undo or push.edits == "respect" else frozenset()
    values = {name: value for name, value in change.target.items() if name not in kept}
    is_seen = remote is not None or is_undo or not values
    if is_seen and all(_held(push, name, before[name], value) for name, value in values.items()):
        return Decision(change, "unchanged", {}, before, edited, EDITED if kept else None, remote_id)
    before = {name: before[name] for name in values}
    return Decision(change, "write", values, before, edited, remote_id=remote_id)


def _believed(known: Known | None) -> Values:
    """Give what a system that can't be seen holds: what was confirmed, and what may have arrived since."""
    if known is None:
        return {}
    return {**known.held, **(known.target or {})} if known.is_in_doubt else known.held


def _held(push: Push, name: str, current: Value, ours: Value) -> bool:
    """Tell whether a field holds what is ours, or the whole number that the system makes of it."""
    return same(current, ours) or (name in push.whole and isinstance(ours, float) and same(current, round(ours)))


def _edited(push: Push, name: str, current: Value, known: Known) -> bool:
    """Tell whether a person has changed a field: it holds neither what we wrote, nor what we may have written.

    What a person set stays the person's, though it be what we want, too.
    """
    if name not in known.held:
        return False  # we have not written it before, nor seen it
    in_doubt = known.target or {} if known.is_in_doubt else {}
    ours = [known.held[name], *([in_doubt[name]] if name in in_doubt else [])]
    return not any(_held(push, name, current, value) for value in ours)


def _not_tried(change: Change, reason: str) -> Entry:
    """Enter a lead that nobody came to look at: what was known of it stays known."""
    known = change.known
    held, target = (known.held, known.target) if known else ({}, None)
    return Entry(change.key, "deferred", held, target, known.attempts if known else 0, reason)


def _settled(decision: Decision) -> Entry:
    """Enter a lead that was not written to."""
    change, known = decision.change, decision.change.known
    held = dict(known.held) if known else {}
    if decision.status == "skipped":
        target = known.target if known else None
        return Entry(change.key, "skipped", held, target, 0, decision.reason, decision.remote_id)
    held |= {name: value for name, value in change.target.items() if name not in decision.edited}
    return Entry(change.key, "unchanged", held, change.target, 0, decision.reason, decision.remote_id)


def _learned(decision: Decision) -> dict[str, Value]:
    """Give what the system holds, now that it was looked at: what is overwritten is ours, or was nobody's edit."""
    known = decision.change.known
    return {**(known.held if known else {}), **decision.before}


def _intent(decision: Decision) -> Intent:
    change = decision.change
    attempts = change.known.attempts if change.known else 0
    return Intent(change.key, decision.before, decision.values, _learned(decision), change.target, attempts)


def _unanswered(decision: Decision, reason: str) -> Entry:
    """Enter a lead of which nobody knows whether it was written to: it may hold the one or the other."""
    change = decision.change
    attempts = change.known.attempts if change.known else 0
    return Entry(change.key, "deferred", _learned(decision), change.target, attempts, reason, decision.remote_id)


def _written(decision: Decision, outcome: Outcome) -> Entry:
    """Enter what became of a lead that was written to."""
    change, held = decision.change, _learned(decision)
    remote_id = outcome.remote_id or decision.remote_id
    if outcome.status == "written":
        return Entry(change.key, "written", held | dict(decision.values), change.target, 0, None, remote_id)
    if outcome.status == "skipped":
        return Entry(change.key, "skipped", held, change.target, 0, outcome.reason or UNKNOWN, remote_id)
    attempts = (change.known.attempts if change.known else 0) + 1
    return Entry(change.key, "rejected", held, change.target, attempts, outcome.reason, remote_id)
