"""Pushing to a CRM under test: scores on disk, the sink of its settings, a ledger, and the same calls as the command's.

A push can run in a process of its own, which can be killed. The number that lets it begin says after how many calls of
functions it kills itself: that is the same on any machine.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from forks import FORKS

from pipeline.delivery.ledger import LEDGER, Ledger
from pipeline.delivery.push import Options, Pushed, Scores, deliver
from pipeline.delivery.records import Selection
from pipeline.delivery.rehearsal import Rehearsal, rehearse
from pipeline.delivery.undo import undo
from pipeline.settings.push import Push
from pipeline.sinks.connect import connect

MODEL = "0123456789abcdef" * 4
SCORES = Path("scores.parquet")
OLD = ("--force", "the log of the test ends in June")
"""What a push says whose scores are of a log of long ago."""


_ACTIONS = {"SQL": "call_today", "recycled": "take_up_again", "MQL": "keep_nurturing", "IQL": "wait"}
_ACTIONS |= {"customer": "none", "disqualified": "none"}
"""What is to be done with each tier."""


@dataclass(frozen=True)
class Lead:
    """A recommendation, as far as a test cares."""

    tier: str = "MQL"
    probability: float | None = 0.05
    """None of a lead that has ended."""
    reasons: tuple[str, ...] = ("2 visits in 7 days", "source is web")
    maturity: str = "warm"


def write_scores(path: Path, leads: Mapping[str, Lead], as_of: datetime = datetime(2026, 6, 30)) -> Scores:
    """Write recommendations as scoring does."""
    rows = list(leads.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({
        "lead_id": [key for key, _ in rows],
        "as_of": pa.array([as_of] * len(rows), pa.timestamp("us")),
        "probability": pa.array([lead.probability for _, lead in rows], pa.float64()),
        "score": pa.array([lead.probability and 100 * lead.probability for _, lead in rows], pa.float64()),
        "maturity": [lead.maturity for _, lead in rows],
        "tier": [lead.tier for _, lead in rows],
        "reasons": pa.array([list(lead.reasons) for _, lead in rows], pa.list_(pa.string())),
        "action": [_ACTIONS[lead.tier] for _, lead in rows],
        "model_version": [MODEL] * len(rows),
    })  # fmt: skip
    pq.write_table(table, path)
    return Scores(path, as_of, MODEL, len(rows))


def recommendations(root: Path) -> list[dict[str, Any]]:
    """Read what the champion has scored last."""
    (path,) = root.glob("data/scores/*/*/recommendations.parquet")
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def write_leads(root: Path, channels: Mapping[str, str | None]) -> None:
    """Write the leads of a log, with a channel each as their attribute."""
    (root / "data").mkdir(exist_ok=True)
    pq.write_table(
        pa.table({"lead_id": list(channels), "channel": pa.array(channels.values(), pa.string())}),
        root / "data/leads.parquet",
    )


@dataclass(frozen=True)
class Begun:
    """A push that has begun in a process of its own."""

    process: ForkServerProcess
    line: Connection

    @property
    def number(self) -> int:
        """Give the number of the process."""
        assert self.process.pid
        return self.process.pid

    def end(self, calls: int = 0) -> int | None:
        """Let it push, until it makes its call of a function of that number, if any; gives its exit code."""
        self.line.send(calls)
        self.line.close()
        self.process.join()
        return self.process.exitcode


@dataclass
class Delivery:
    """A project's folder that pushes to one CRM."""

    root: Path
    settings: dict[str, Any]
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    """What the CRM does between two pushes: of files, it imports and exports."""

    def push(
        self,
        leads: Mapping[str, Lead],
        *,
        first: int | None = None,
        share: float = 1.0,
        only: Mapping[str, Sequence[str]] | None = None,
        resync: bool = False,
        suspended: Mapping[str, str] | None = None,
        as_of: datetime = datetime(2026, 6, 30),
        wording: str = "",
        **changes: Any,  # noqa: ANN401 - settings of any kind
    ) -> Pushed:
        """Push, with other settings of the section where they are given."""
        self.before()
        scores = replace(write_scores(self.root / SCORES, leads, as_of), wording=wording)
        settings = Push.model_validate(self.settings | {"longest_outage_seconds": 0} | changes)
        options = Options(Selection(only or {}, share), first, None, resync)
        with Ledger(self.root / LEDGER) as ledger:
            sink = connect(settings, self.root)
            return deliver(settings, sink, ledger, scores, suspended or {}, options, self.said.append)

    def undo(self, run: str) -> Pushed:
        """Take a run back."""
        self.before()
        settings = Push.model_validate(self.settings)
        with Ledger(self.root / LEDGER) as ledger:
            return undo(settings, connect(settings, self.root), ledger, run, self.said.append)

    def rehearse(self, leads: Mapping[str, Lead]) -> Rehearsal:
        """Rehearse a push."""
        self.before()
        scores = write_scores(self.root / SCORES, leads)
        settings = Push.model_validate(self.settings)
        with Ledger(self.root / LEDGER) as ledger:
            sink = connect(settings, self.root)
            return rehearse(settings, sink, ledger, scores, {}, Options(Selection({})), self.said.append)

    def check(self) -> list[str]:
        """Check the sink."""
        return connect(Push.model_validate(self.settings), self.root).check()

    def start(self, leads: Mapping[str, Lead]) -> Begun:
        """Begin a push in a process of its own, which waits to be let go."""
        write_scores(self.root / SCORES, leads)
        theirs, ours = FORKS.Pipe(duplex=False)
        process = FORKS.Process(
            target=_push_in_a_process, args=(theirs, self.root, self.settings, self.environment), daemon=True
        )
        process.start()
        theirs.close()
        return Begun(process, ours)

    def known(self, status: str) -> dict[str, str]:
        """Give the leads that the ledger has with a status, and the reasons."""
        with Ledger(self.root / LEDGER) as ledger:
            sink = connect(Push.model_validate(self.settings), self.root).name
            return {key: reason for key, reason, *_ in ledger.told(sink, status, 10**6)}  # type: ignore[arg-type]

    def states(self) -> list[str]:
        """Give the states of the runs, the newest first."""
        with Ledger(self.root / LEDGER) as ledger:
            return [run.state for run in ledger.runs()]


def ways(pushed: Pushed) -> dict[str, int]:
    """Say how many leads went which way; the sum is the number of leads."""
    return dict(Counter(pushed.tally.statuses) + pushed.left)


def of_keys(keys: Sequence[str], lead: Lead = Lead()) -> dict[str, Lead]:
    """Give leads that are alike."""
    return dict.fromkeys(keys, lead)


def _kill_after(calls: int) -> None:
    """Kill this process in the call of that number, whichever thread makes it."""
    numbers = itertools.count(1)

    def count(frame: object, event: str, argument: object) -> None:
        del frame, argument
        if event in {"call", "c_call"} and next(numbers) == calls:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(count)
    sys.setprofile(count)


def _push_in_a_process(
    line: Connection, root: Path, settings: Mapping[str, Any], environment: Mapping[str, str]
) -> None:
    os.environ |= environment
    if calls := line.recv():
        _kill_after(calls)
    file = pq.ParquetFile(root / SCORES)
    first = next(file.iter_batches(1)).to_pylist()[0]
    scores = Scores(root / SCORES, first["as_of"], first["model_version"], file.metadata.num_rows)
    with Ledger(root / LEDGER) as ledger:
        checked = Push.model_validate(settings)
        deliver(checked, connect(checked, root), ledger, scores, {}, Options(Selection({})), lambda _: None)
