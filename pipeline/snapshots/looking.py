"""What is done to a stretch of the log: its leads are looked at, and what comes out lies in files until all are done.

Whether this process does it or a task of Spark, it is this function. Labels are given when all stretches are done, for
from when on conversions were recorded is told by all leads together.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from features.timeline.history import History, as_integers
from features.timeline.recording import Lives
from features.timeline.snapshots import ages_of_open, deal_leads, find_episodes, take_snapshots
from pipeline.log.ends import ending_types, history_of, read_events
from pipeline.log.outcomes import lives_of
from pipeline.partitions.parts import COMPRESSED
from pipeline.settings.timeline import Episodes, Snapshots
from pipeline.snapshots.counts import LeadCounts
from pipeline.snapshots.stretches import Stretch
from pipeline.spark.jobs import OwnFile

Kind = Literal["snapshots", "lives", "ages"]
_LASTING = ("started_at", "outcome_at")


class Left(NamedTuple):
    """What a stretch has left: files of each kind with its name, and counts."""

    part: int
    name: str
    snapshots: int
    counts: LeadCounts

    def read(self, kind: Kind, folder: Path) -> Iterator[pa.RecordBatch]:
        """Read what it has left of a kind; a batch holds whole leads."""
        path = path_of(kind, folder, self.name)
        if path.exists():
            with pa.OSFile(str(path)) as stream, pa.ipc.open_stream(stream) as reader:
                yield from reader


@dataclass(frozen=True)
class Looking:
    """Look at the leads of stretches, and leave the snapshots, how long episodes lasted, and how old open ones are.

    It travels to Spark's executors, with all that it imports: nothing of the models, for they don't.
    """

    stretches: Sequence[Stretch]
    episodes: Episodes
    snapshots: Snapshots
    log_until: datetime
    sources: Sequence[str]
    """Those that bring conversions."""
    moments: int
    """How many moments are looked at at once."""
    target: Path

    @staticmethod
    def event_types(episodes: Episodes, snapshots: Snapshots) -> frozenset[str]:
        """Name the types of events that are asked for."""
        milestones = (name for names in episodes.milestones.values() for name in names)
        return frozenset([*ending_types(episodes), *milestones, *snapshots.triggers])

    def look(self, number: int) -> Left:
        """Look at the leads of one stretch.

        Every try writes files of its own, and is told of when they are whole: what a killed one has left is nobody's.
        """
        stretch = self.stretches[number]
        log = stretch.read_events(self.event_types(self.episodes, self.snapshots))
        history = history_of(log, stretch.read_leads(), stretch.read_former(), self.episodes)
        episodes = find_episodes(history)
        name = f"{number:06}-{uuid.uuid4().hex}.arrows"
        _write([self._lives(log, episodes)], path_of("lives", self.target, name))
        ages = ages_of_open(history, self.log_until)
        _write([pa.table({"age": ages.astype(np.int64)})], path_of("ages", self.target, name))
        taken = _write(self._take(history, log), path_of("snapshots", self.target, name))
        return Left(number, name, taken, LeadCounts.of(log, episodes, self.episodes))

    def _lives(self, log: pa.Table, episodes: pd.DataFrame) -> pa.Table:
        """Give from when to when each episode lasted, and which source's conversion ended it."""
        by_source = lives_of(log, self.episodes.conversion, episodes)
        none = np.zeros(len(episodes), np.bool_)
        flags = {name: by_source[name][0].converted if name in by_source else none for name in self.sources}
        lasting = {name: as_integers(episodes[name]) for name in _LASTING}
        return pa.table(lasting | {_flag(place): flags[name] for place, name in enumerate(self.sources)})

    def _take(self, history: History, log: pa.Table) -> Iterator[pa.Table]:
        asked = self.snapshots
        triggers = read_events(log, "lead_id, known_at, event_type", asked.triggers)
        for some, theirs in deal_leads(history, triggers, asked.policies, self.log_until, self.moments):
            taken = take_snapshots(some, theirs, asked.policies, self.log_until, asked.start)
            yield pa.Table.from_pandas(taken, preserve_index=False)


@dataclass(frozen=True)
class LookAtStretch:
    """Look at one stretch in a task of Spark; tells ``Left``."""

    looking: Looking
    number: int

    @property
    def reads(self) -> tuple[OwnFile, ...]:
        """The log and the leads, and the folder for what is left."""
        files = (part.file for part in self.looking.stretches[self.number])
        return tuple(map(OwnFile, (*files, self.looking.target)))

    def __call__(self) -> dict[str, Any]:
        """Do it."""
        left = self.looking.look(self.number)
        return left._asdict() | {"counts": left.counts.as_json()}


class LeftLives:
    """How long the episodes of all stretches lasted, and which ended with a conversion of one source."""

    def __init__(self, left: Sequence[Left], folder: Path, place: int) -> None:
        self._left, self._folder, self._place = left, folder, place

    def __iter__(self) -> Iterator[Lives]:
        for one in self._left:
            for batch in one.read("lives", self._folder):
                started, ended = (batch[name].to_numpy() for name in _LASTING)
                yield Lives(started, ended, batch[_flag(self._place)].to_numpy(zero_copy_only=False))


def path_of(kind: Kind, folder: Path, name: str) -> Path:
    """Say where what a stretch has left of some kind is."""
    return folder / f"{kind}-{name}"


def _flag(place: int) -> str:
    return f"converted_{place}"


def _write(tables: Iterable[pa.Table], path: Path) -> int:
    """Write tables, each of whole leads as one batch, and give the number of rows; without a table there is no file."""
    rows = 0
    with ExitStack() as stack:
        writer: pa.ipc.RecordBatchStreamWriter | None = None
        for table in tables:
            if writer is None:
                sink = stack.enter_context(pa.OSFile(str(path), "wb"))
                writer = stack.enter_context(pa.ipc.new_stream(sink, table.schema, options=COMPRESSED))
            writer.write_table(table.combine_chunks())
            rows += len(table)
    return rows
