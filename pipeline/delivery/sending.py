"""Batches under way: read, compared, entered in the ledger, written, tried again, and entered anew.

``plan`` decides without writing: the rehearsal calls it, too. Every lead that comes in goes out with one status.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

from features.core.errors import DeliveryError
from pipeline.delivery.decisions import CLOSED, EDITED, UNKNOWN, Change, Decision, intent, settled, unanswered, written
from pipeline.delivery.ledger import Known, Ledger
from pipeline.delivery.ownership import Ownership
from pipeline.delivery.patience import Attempts, Patience
from pipeline.delivery.values import Values
from pipeline.settings.push import Push
from pipeline.sinks.protocol import LaterError, Outcome, Record, Remote, Sink, WholeBatchError

_CLEAN_TO_GROW = 8
"""Calls that are answered in time before more is sent at once again."""
_MOST_IN_A_ROW = 3
"""Batches that wait for the next push, one after the other: then the system is down."""


class Delivered(NamedTuple):
    """What became of a batch."""

    statuses: Counter[str]
    edited: int
    """Leads with a field that a person had changed since our last write."""
    reason: str | None = None
    """Why some of them wait."""
    stopped: DeliveryError | None = None
    """Why no more is to be sent."""


class _UnderWay(NamedTuple):
    future: Future[Delivered]
    leads: int


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

    def __init__(self, sink: Sink, ledger: Ledger, push: Push, run: str, *, resync: bool = False) -> None:
        self._sink, self._ledger, self._push, self._run, self._resync = sink, ledger, push, run, resync
        self._patience, self._lock = Patience(push), Lock()
        self._known_ownership: Ownership | None = None
        self._most, self._clean = sink.batch_size, 0
        """Records that are written at once, fewer where answers did not come in time; and how often they did since."""
        self.tally = Tally()

    def send(self, changes: Iterable[Change]) -> Iterator[int]:
        """Send changes, and yield after each batch how many leads are done.

        Raises DeliveryError when no more is to be sent; what is under way is finished and entered before, and what is
        left is counted.
        """
        waiting: deque[_UnderWay] = deque()
        in_a_row = 0
        left = iter(changes)
        with ThreadPoolExecutor(self._sink.batches_at_once) as pool:
            try:
                for batch in batches(left, self._sink.batch_size):
                    waiting.append(_UnderWay(pool.submit(self._deliver, batch), len(batch)))
                    if len(waiting) > self._sink.batches_at_once + 1:
                        in_a_row = self._take(waiting, in_a_row)
                        yield self.tally.leads
                while waiting:
                    in_a_row = self._take(waiting, in_a_row)
                    yield self.tally.leads
            except BaseException as error:
                self._finish(waiting)
                self.tally.statuses["deferred"] += sum(1 for _ in left)
                if isinstance(error, DeliveryError):
                    told = f"{error}; {self.tally.statuses['deferred']:,} leads are left to do"
                    raise type(error)(told) from None
                raise

    def _finish(self, waiting: deque[_UnderWay]) -> None:
        """Have what is under way come to an end, and count it; what was not begun waits for the next push."""
        self._patience.stop()
        while waiting:
            future, leads = waiting.popleft()
            if future.cancel() or future.exception():
                self.tally.statuses["deferred"] += leads
            else:
                self.tally.add(future.result())

    def close(self, state: str, left: Counter[str], message: str | None) -> None:
        """Close the run in the ledger; ``left`` are the leads that were not sent, by the reason."""
        counts = self.tally.statuses + left
        if self.tally.edited:
            counts["edited"] = self.tally.edited
        leads = self.tally.leads + left.total()
        self._ledger.end(self._run, state, counts, leads, self._sink.calls, message)

    def _take(self, waiting: deque[_UnderWay], in_a_row: int) -> int:
        """Count the first batch; gives how many in a row have waited."""
        delivered = waiting[0].future.result()
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
            decisions = self.plan(batch)
        except (LaterError, DeliveryError) as error:  # nobody came to look: what was known of them stays known
            stopped = error if isinstance(error, DeliveryError) else None
            if stopped:
                self._patience.stop(stopped)
            return Delivered(Counter(deferred=len(batch)), 0, str(error), stopped)
        entries = [settled(decision) for decision in decisions if decision.status != "write"]
        writes = {decision.change.key: decision for decision in decisions if decision.status == "write"}
        self._ledger.intend(
            self._run,
            self._sink.name,
            [intent(decision) for decision in writes.values()],
        )
        outcomes: dict[str, Outcome] = {}
        reason, stopped = None, None
        try:
            reason = self._write([Record(key, one.values, one.remote_id) for key, one in writes.items()], outcomes)
        except DeliveryError as error:
            reason, stopped = str(error), error
            self._patience.stop(error)
        for key, decision in writes.items():
            outcome = outcomes.get(key)
            entries.append(written(decision, outcome) if outcome else unanswered(decision, reason or ""))
        self._ledger.settle(self._run, self._sink.name, entries)
        edited = sum(bool(decision.edited) for decision in decisions)
        return Delivered(Counter(entry.status for entry in entries), edited, reason, stopped)

    def plan(self, batch: Sequence[Change]) -> list[Decision]:
        """Look at leads, and decide what is to be written; raises LaterError when attempts are used up."""
        ownership = self._ownership()
        remotes = self._look([change.key for change in batch])
        decisions = [_decide(self._sink, ownership, change, remotes.get(change.key)) for change in batch]
        # What looks like an edit may be a backup that was put back: then what was written before says so.
        doubtful = [one.change.key for one in decisions if one.edited and one.change.expected is None]
        earlier = self._ledger.earlier(self._sink.name, doubtful) if doubtful else {}
        return [
            _decide(self._sink, ownership, one.change, remotes.get(one.change.key), earlier[one.change.key])
            if one.change.key in earlier
            else one
            for one in decisions
        ]

    def _ownership(self) -> Ownership:
        attempts = Attempts(self._patience)
        with self._lock:
            while self._known_ownership is None:
                self._patience.refuse_stopped()
                try:
                    self._known_ownership = Ownership(self._push, self._sink.sizes(), self._resync)
                except LaterError as error:
                    attempts.failed(error)
            return self._known_ownership

    def _look(self, keys: Sequence[str]) -> Mapping[str, Remote]:
        """Give the leads as the system has them, as ``Sink.read`` does; raises LaterError when attempts are used up."""
        if not self._sink.reads or not keys:
            return {}
        attempts = Attempts(self._patience)
        while True:
            self._patience.refuse_stopped()
            try:
                found = self._sink.read(keys)
            except LaterError as error:
                try:
                    attempts.failed(error, further=error.further)
                except LaterError:
                    return self._look_at_few(keys, error)
                if error.is_timeout and len(keys) > 1:
                    return self._look_at_halves(keys)
            except WholeBatchError:
                return self._look_at_halves(keys)
            else:
                self._patience.answered()
                return found

    def _look_at_halves(self, keys: Sequence[str]) -> Mapping[str, Remote]:
        middle = len(keys) // 2  # a key that can't be one of the system's is nobody's
        return {**self._look(keys[:middle]), **self._look(keys[middle:])} if middle else {}

    def _look_at_few(self, keys: Sequence[str], error: LaterError) -> Mapping[str, Remote]:
        """Find the leads for whose sake the others can't be looked at, unless it is the system that is down."""
        if self._patience.is_given_up:
            raise error
        if len(keys) == 1:
            return {keys[0]: Remote("", {}, refused=f"can't be looked at: {error}")}
        return self._look_at_halves(keys)

    def _write(self, records: Sequence[Record], outcomes: dict[str, Outcome]) -> str | None:
        """Write records until each has an outcome, or attempts are used up; then it gives the reason."""
        attempts = Attempts(self._patience)
        while left := [record for record in records if record.key not in outcomes]:
            self._patience.refuse_stopped()
            before, part = len(outcomes), left[: self._most]
            try:
                for outcome in self._sink.write(part):
                    outcomes[outcome.key] = outcome
                self._patience.answered()
                attempts = Attempts(self._patience)
                self._grow()
            except LaterError as error:
                if len(outcomes) > before:
                    self._patience.answered()
                try:
                    is_smaller = error.is_timeout and self._look_and_halve(part, outcomes)
                    attempts.failed(error, further=is_smaller or len(outcomes) > before)
                except LaterError:
                    return str(error)
            except WholeBatchError as error:
                self._patience.answered()
                part = [record for record in part if record.key not in outcomes]
                if len(part) == 1:
                    outcomes[part[0].key] = Outcome(part[0].key, "rejected", str(error))
                    continue
                middle = len(part) // 2
                reasons = [self._write(part[:middle], outcomes), self._write(part[middle:], outcomes)]
                if reason := next(filter(None, reasons), None):
                    return reason
        return None

    def _look_and_halve(self, part: Sequence[Record], outcomes: dict[str, Outcome]) -> bool:
        """See what was written though no answer came; where that is not all, send less at once, if that can be."""
        left = [record for record in part if record.key not in outcomes]
        self._confirm(left, outcomes)
        if all(record.key in outcomes for record in left):
            return False
        with self._lock:
            former, self._clean = self._most, 0
            self._most = max(1, min(self._most, len(part)) // 2)
            return self._most < former

    def _grow(self) -> None:
        """Send more at once again, once several calls have been answered in time."""
        with self._lock:
            self._clean += 1
            if self._clean == _CLEAN_TO_GROW:
                self._most, self._clean = min(2 * self._most, self._sink.batch_size), 0

    def _confirm(self, records: Sequence[Record], outcomes: dict[str, Outcome]) -> None:
        """See what was written though no answer came in time: that is not sent again."""
        ownership = self._ownership()
        for key, remote in self._look([record.key for record in records]).items():
            values = next(record.values for record in records if record.key == key)
            if all(ownership.is_ours(name, remote.values.get(name), value) for name, value in values.items()):
                outcomes[key] = Outcome(key, "written", None, remote.remote_id)


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


def _decide(
    sink: Sink, ownership: Ownership, change: Change, remote: Remote | None, earlier: Sequence[Values] = ()
) -> Decision:
    """Decide what is to be written, by what the system holds."""
    known, is_undo = change.known, change.expected is not None
    if sink.reads and remote is None and (is_undo or not sink.creates):
        return Decision(change, "skipped", {}, {}, reason=UNKNOWN)
    remote_id = remote.remote_id if remote else None
    if remote is not None and (remote.closed or remote.refused):
        return Decision(change, "skipped", {}, {}, reason=remote.refused or CLOSED, remote_id=remote_id)
    current = remote.values if remote is not None else _believed(known)
    before = {name: current.get(name) for name in change.target}
    edited: set[str] = set()
    if change.expected is not None:
        # What holds already what it shall, because the write never came, is no edit either.
        edited = {
            name
            for name, value in change.expected.items()
            if not ownership.is_ours(name, before[name], value)
            and not ownership.is_ours(name, before[name], change.target[name])
        }
    elif remote is not None and known is not None:
        edited = ownership.edited(change.target, before, known, earlier)
    respected = is_undo or ownership.push.edits == "respect"
    kept = ownership.kept(edited) & change.target.keys() if respected else set()
    told = (frozenset(edited), frozenset(kept))
    values = {name: ownership.fitting(name, value) for name, value in change.target.items() if name not in kept}
    is_seen = remote is not None or is_undo or not values
    if is_seen and all(ownership.holds(name, before[name], value) for name, value in values.items()):
        return Decision(change, "unchanged", {}, before, *told, EDITED if kept else None, remote_id)
    before = {name: before[name] for name in values}
    return Decision(change, "write", values, before, *told, remote_id=remote_id)


def _believed(known: Known | None) -> Values:
    """Give what a system that can't be seen holds: what was confirmed, and what may have arrived since."""
    if known is None:
        return {}
    return {**known.held, **(known.target or {})} if known.is_in_doubt else known.held
