"""The ledger: what was sent to whom, and what became of it. It is written before a call and after it.

A killed process leaves a row that says ``sent``: nobody knows whether it arrived, so it is sent again. The ledger holds
lead ids and stays on the machine; secrets never enter it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, count
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple, Self

from features.core.errors import InputError
from pipeline.delivery.values import Values
from pipeline.sinks.protocol import Value
from pipeline.sinks.secrets import redact

LEDGER = Path("data/push/ledger.sqlite")
MOST_ATTEMPTS = 3
"""After as many rejections of the same values a lead is a dead letter."""

Status = Literal["sent", "written", "unchanged", "skipped", "rejected", "deferred"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, sink TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT,
    state TEXT NOT NULL, as_of TEXT, model TEXT, forced TEXT, leads INTEGER NOT NULL DEFAULT 0,
    calls INTEGER NOT NULL DEFAULT 0, counts TEXT NOT NULL DEFAULT '{}', message TEXT, wording TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lead (
    sink TEXT NOT NULL, key TEXT NOT NULL, held TEXT NOT NULL, target TEXT, status TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, reason TEXT, remote_id TEXT, run TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (sink, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS write (
    run TEXT NOT NULL, key TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
    PRIMARY KEY (run, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS write_to_lead ON write (key);
CREATE INDEX IF NOT EXISTS dead_letter ON lead (sink) WHERE status = 'rejected';
"""


class Known(NamedTuple):
    """What the ledger knows of a lead."""

    held: Values
    """What the system holds by us, as far as it was confirmed."""
    target: Values | None
    """What it was last told to hold; None where that was taken back."""
    status: Status
    attempts: int
    reason: str | None
    at: datetime
    run: str = ""
    """The last one that had to do with it."""
    wording: str | None = None
    """How that one worded reasons; None where it is not known."""

    @property
    def is_in_doubt(self) -> bool:
        """Whether the target may have arrived without our knowing."""
        return self.status in {"sent", "deferred"}


class Entry(NamedTuple):
    """What is to be remembered of a lead after a batch."""

    key: str
    status: Status
    held: Values
    target: Values | None
    attempts: int = 0
    reason: str | None = None
    remote_id: str | None = None


class Intent(NamedTuple):
    """What is about to be written to a lead."""

    key: str
    before: Values
    """What its fields hold."""
    after: Values
    """What is written to them."""
    held: Values
    """What the system holds by us, with that."""
    target: Values
    """What the lead shall hold, in all fields."""
    attempts: int = 0
    """How often these values were rejected before."""


class Write(NamedTuple):
    """What a run overwrote of a lead."""

    key: str
    before: Values
    after: Values


@dataclass(frozen=True)
class Run:
    """A push or an undo."""

    id: str
    kind: str
    sink: str
    started_at: datetime
    state: str
    """running, done, stopped, or killed."""
    as_of: str | None
    model: str | None
    forced: str | None
    leads: int
    calls: int
    counts: Mapping[str, int]
    message: str | None


class Ledger:
    """The file, for all threads of one process; another process that writes at the same time is kept out by a lock."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = wal")
            self._connection.execute("PRAGMA synchronous = full")
            self._connection.executescript(_SCHEMA)
            columns = {name for _, name, *_ in self._connection.execute("PRAGMA table_info(run)")}
            if "wording" not in columns:  # written by an earlier version
                self._connection.execute("ALTER TABLE run ADD COLUMN wording TEXT")
        except sqlite3.OperationalError as error:
            raise InputError(f"{path} can't be used now ({error}); is the disk full, or who holds it?") from None
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{path} can't be read ({error}); it says what the CRM holds by us: put back a copy of it, or move it "
                "away, and the next push compares every lead with the CRM itself"
            ) from None
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def known(self, sink: str, keys: Sequence[str]) -> dict[str, Known]:
        """Give what is known of the leads, by key."""
        query = (
            "SELECT key, held, target, status, attempts, reason, at, run, wording FROM lead LEFT JOIN "
            "(SELECT id, wording FROM run) ON id = run WHERE sink = ? AND key IN (SELECT value FROM json_each(?))"
        )
        with self._lock:
            rows = self._connection.execute(query, (sink, json.dumps(keys))).fetchall()
        return {
            key: Known(json.loads(held), target and json.loads(target), status, attempts, reason, _moment(at), *others)
            for key, held, target, status, attempts, reason, at, *others in rows
        }

    def earlier(self, sink: str, keys: Sequence[str]) -> dict[str, list[Values]]:
        """Give what leads held before the first push, and after each, the oldest first, as far as it is kept.

        A write of some fields leaves the others as they were; what is not known of a state stands in the next.
        """
        query = (
            "SELECT key, before, after FROM write JOIN run ON run.id = write.run WHERE run.sink = ? AND kind = 'push' "
            "AND key IN (SELECT value FROM json_each(?)) AND status IN ('written', 'sent', 'deferred') "
            "ORDER BY started_at, run.id"
        )
        with self._lock:
            rows = self._connection.execute(query, (sink, json.dumps(keys))).fetchall()
        states: dict[str, list[dict[str, Value]]] = {}
        for key, before, after in rows:
            former = json.loads(before)
            of_lead = states.setdefault(key, [{}])
            for state in of_lead:
                state |= {name: value for name, value in former.items() if name not in state}
            of_lead.append({**of_lead[-1], **former, **json.loads(after)})
        return {key: list(of_lead) for key, of_lead in states.items()}

    def begin(
        self,
        kind: str,
        sink: str,
        *,
        as_of: str | None = None,
        model: str | None = None,
        forced: str | None = None,
        wording: str | None = None,
    ) -> str:
        """Enter a run and give its id; runs that are still open were killed."""
        now = _now()
        with self._lock, self._transaction():
            self._connection.execute("UPDATE run SET state = 'killed' WHERE state = 'running'")
            taken = {row[0] for row in self._connection.execute("SELECT id FROM run")}
            base = f"{now:%Y%m%dT%H%M%SZ}"
            names = chain([base], (f"{base}-{number}" for number in count(2)))
            run = next(name for name in names if name not in taken)
            self._connection.execute(
                "INSERT INTO run (id, kind, sink, started_at, state, as_of, model, forced, wording) "
                "VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?)",
                (run, kind, sink, now.isoformat(), as_of, model, forced, wording),
            )
        return run

    def end(self, run: str, state: str, counts: Mapping[str, int], leads: int, calls: int, message: str | None) -> None:
        """Close a run."""
        with self._lock, self._transaction():
            self._connection.execute(
                "UPDATE run SET state = ?, ended_at = ?, counts = ?, leads = ?, calls = ?, message = ? WHERE id = ?",
                (state, _now().isoformat(), json.dumps(counts), leads, calls, message and redact(message), run),
            )

    def intend(self, run: str, sink: str, intents: Sequence[Intent]) -> None:
        """Enter what is about to be written, before the call."""
        now = _now().isoformat()
        texts = [(_text(one.before), *_texts(one.after, one.target)) for one in intents]
        with self._lock, self._transaction():
            # Where a run writes a lead twice, what stood there before it is what the first found.
            self._connection.executemany(
                "INSERT INTO write (run, key, before, after, status) VALUES (?, ?, ?, ?, 'sent') "
                "ON CONFLICT DO UPDATE SET after = excluded.after, status = 'sent'",
                [(run, one.key, before, after) for one, (before, after, _) in zip(intents, texts, strict=True)],
            )
            self._connection.executemany(
                "INSERT INTO lead (sink, key, held, target, status, attempts, run, at) "
                "VALUES (?, ?, ?, ?, 'sent', ?, ?, ?) ON CONFLICT DO UPDATE SET held = excluded.held, "
                "target = excluded.target, status = 'sent', attempts = excluded.attempts, run = excluded.run, "
                "at = excluded.at",
                [
                    (sink, one.key, _text(one.held), target, one.attempts, run, now)
                    for one, (_, _, target) in zip(intents, texts, strict=True)
                ],
            )

    def settle(self, run: str, sink: str, entries: Iterable[Entry]) -> None:
        """Enter what became of a batch, after the call."""
        now, rows = _now().isoformat(), list(entries)
        with self._lock, self._transaction():
            self._connection.executemany(
                "INSERT INTO lead VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "held = excluded.held, target = excluded.target, status = excluded.status, "
                "attempts = excluded.attempts, reason = excluded.reason, remote_id = excluded.remote_id, "
                "run = excluded.run, at = excluded.at",
                [
                    (
                        sink, entry.key, *_texts(entry.held, entry.target), entry.status, entry.attempts,
                        _told(entry.reason), entry.remote_id, run, now,
                    )
                    for entry in rows
                ],
            )  # fmt: skip
            self._connection.executemany(
                "UPDATE write SET status = ?, reason = ? WHERE run = ? AND key = ?",
                [(entry.status, _told(entry.reason), run, entry.key) for entry in rows],
            )

    def runs(self) -> list[Run]:
        """List the runs, the newest first."""
        query = (
            "SELECT id, kind, sink, started_at, state, as_of, model, forced, leads, calls, counts, message FROM run "
            "ORDER BY started_at DESC, id DESC"
        )
        with self._lock:
            rows = self._connection.execute(query).fetchall()
        return [
            Run(run, kind, sink, _moment(at), state, as_of, model, forced, leads, calls, json.loads(counts), message)
            for run, kind, sink, at, state, as_of, model, forced, leads, calls, counts, message in rows
        ]

    def calls_since(self, sink: str, moment: datetime) -> int:
        """Count the calls of runs that began after a moment (UTC)."""
        query = "SELECT coalesce(sum(calls), 0) FROM run WHERE sink = ? AND started_at > ?"
        with self._lock:
            return int(self._connection.execute(query, (sink, moment.isoformat())).fetchone()[0])

    def told(self, sink: str, status: Status, most: int) -> list[tuple[str, str, int, str]]:
        """List leads of a status: key, reason, attempts, the run it comes from."""
        query = "SELECT key, coalesce(reason, ''), attempts, run FROM lead WHERE sink = ? AND status = ? LIMIT ?"
        with self._lock:
            return self._connection.execute(query, (sink, status, most)).fetchall()

    def count(self, sink: str, status: Status, attempts: int = 0) -> int:
        """Count the leads of a status with as many attempts or more."""
        query = "SELECT count(*) FROM lead WHERE sink = ? AND status = ? AND attempts >= ?"
        with self._lock:
            return int(self._connection.execute(query, (sink, status, attempts)).fetchone()[0])

    def revive(self, sink: str) -> int:
        """Have the next push try again what was rejected or skipped; gives how many leads that are."""
        with self._lock, self._transaction():
            return self._connection.execute(
                "UPDATE lead SET status = 'deferred', attempts = 0 "
                "WHERE sink = ? AND status IN ('rejected', 'skipped')",
                (sink,),
            ).rowcount

    def writes(self, run: str, size: int) -> Iterator[list[Write]]:
        """Give what a run has overwritten, or may have, in parts."""
        last = ""
        while True:
            query = (
                "SELECT key, before, after FROM write WHERE run = ? AND key > ? AND status IN ('written', 'sent', "
                "'deferred') ORDER BY key LIMIT ?"
            )
            with self._lock, closing(self._connection.execute(query, (run, last, size))) as cursor:
                rows = cursor.fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield [Write(key, json.loads(before), json.loads(after)) for key, before, after in rows]

    def writes_to(self, sink: str, key: str) -> list[tuple[str, Write]]:
        """List what runs have overwritten of a lead, or may have, the newest first, as far as it is kept."""
        query = (
            "SELECT run, before, after FROM write JOIN run ON run.id = write.run "
            "WHERE run.sink = ? AND key = ? ORDER BY started_at DESC, run.id DESC"
        )
        with self._lock:
            rows = self._connection.execute(query, (sink, key)).fetchall()
        return [(run, Write(key, json.loads(before), json.loads(after))) for run, before, after in rows]

    def forget_before(self, moment: datetime) -> None:
        """Drop what runs before a moment have overwritten: it can't be put back any more."""
        with self._lock, self._transaction():
            self._connection.execute(
                "DELETE FROM write WHERE run IN (SELECT id FROM run WHERE started_at < ?)", (moment.isoformat(),)
            )

    def forget_fields(self, sink: str, fields: Sequence[str], key: str | None = None) -> int:
        """Forget what fields hold by us, of one lead or of all: what stands in them is nobody's then.

        Gives how many leads that are; what was written to them can still be put back.
        """
        one, keys = ("", ()) if key is None else (" AND key = ?", (key,))
        gone = set(fields)
        with self._lock, self._transaction():
            query = f"SELECT key, held, target FROM lead WHERE sink = ?{one}"
            kept = [
                (_without(held, gone), target and _without(target, gone), sink, name)
                for name, held, target in self._connection.execute(query, (sink, *keys)).fetchall()
            ]
            self._connection.executemany("UPDATE lead SET held = ?, target = ? WHERE sink = ? AND key = ?", kept)
        return len(kept)

    def _transaction(self) -> _Transaction:
        return _Transaction(self._connection)


class _Transaction:
    """All or nothing, on disk when it ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._connection.execute("ROLLBACK" if kind else "COMMIT")


def _told(reason: str | None) -> str | None:
    return reason and redact(reason).encode("utf-8", "replace").decode("utf-8")


def _text(values: Values) -> str:
    return json.dumps(dict(values))  # in ASCII: half a character of a system is no text for SQLite


def _without(text: str, fields: set[str]) -> str:
    return _text({name: value for name, value in json.loads(text).items() if name not in fields})


def _texts(held: Values, target: Values | None) -> tuple[str, str | None]:
    """Write both; mostly they are the same, and writing JSON takes time."""
    text = _text(held)
    return text, text if held == target else None if target is None else _text(target)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def a_day_ago() -> datetime:
    """Give the moment 24 hours ago, in UTC."""
    return _now() - timedelta(days=1)
