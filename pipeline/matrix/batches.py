"""Batches of a sorted log: whole groups of events, their snapshots beside them, and all cores at work in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa

from features.core.errors import InputError
from features.engines.compiled import Key
from pipeline.core.parallel import cores
from pipeline.partitions.parts import find

MEMORY_LIMIT = 10**9
EVENT_BYTES = 128
"""What an event takes from its reading to its last feature: columns, their dictionaries, the kernel's own arrays."""
_VALUE_BYTES = 16
"""What a value of the matrix takes: where it is computed, in the batch, and in the file's buffer."""
_FEWEST, _MOST = 1 << 8, 1 << 20


class Batch(NamedTuple):
    """How much is taken at once."""

    events: int
    rows: int
    workers: int


def size_batches(memory_limit: int, columns: int, workers: int | None = None) -> Batch:
    """Say how many events and rows fit into the limit, in bytes, with a batch for each worker and two more in flight.

    There is a worker for each core where no number is given.
    """
    workers = workers or cores()
    share = memory_limit // (workers + 2) // 2
    events, rows = (min(max(share // each, _FEWEST), _MOST) for each in (EVENT_BYTES, _VALUE_BYTES * columns))
    return Batch(events, rows, workers)


def gathered(batches: Iterable[pa.Table], rows: int = 1 << 14) -> Iterator[pa.Table]:
    """Join batches of a matrix until they have so many rows: what is done column by column takes as long for one."""
    held: list[pa.Table] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= rows:
            yield pa.concat_tables(held).unify_dictionaries()
            held = []
    if held:
        yield pa.concat_tables(held).unify_dictionaries()


def whole_groups(parts: Iterable[pa.Table], key: Key, most: int | None = None) -> Iterator[pa.Table]:
    """Recut the parts of a sorted log so that no group is split; the last chunk is as empty as the last part.

    The last group of a part may go on in the next: what there is of it makes a chunk of its own, so that all others
    are passed on without a copy. Raises InputError where a group goes on and has more events than ``most``.
    """
    split: list[pa.Table] = []
    for part in parts:
        rest = part
        if split and len(rest):
            group = split[-1][key][-1].as_py()
            head = find(rest[key], group, after=True) if rest[key][0].as_py() == group else 0
            split.append(rest.slice(0, head))
            _refuse_too_large(sum(map(len, split)), most, key)
            rest = rest.slice(head)
            if not len(rest):
                continue
        if split:
            yield pa.concat_tables(split)
            split = []
        if len(rest):
            last = find(rest[key], rest[key][-1].as_py())
            split.append(rest.slice(last))
            rest = rest.slice(0, last)
        if len(rest) or not len(part):
            yield rest


def pair(chunks: Iterator[pa.Table], rows: Iterable[pa.RecordBatch], key: Key) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Bring snapshots and the events of their groups together; both are sorted by group, the last chunk is empty."""
    chunk = next(chunks)
    for batch in rows:
        waiting = pa.Table.from_batches([batch])
        while len(waiting):
            first = waiting[key][0].as_py()
            last = chunk[key][-1].as_py() if len(chunk) else None
            if last is not None and last < first:
                chunk = next(chunks)
                continue
            here = waiting if last is None else waiting.slice(0, find(waiting[key], last, after=True))
            start = find(chunk[key], first)
            end = find(chunk[key], here[key][-1].as_py(), after=True, start=start)
            yield chunk.slice(start, end - start), here
            waiting = waiting.slice(len(here))


def _refuse_too_large(events: int, most: int | None, key: Key) -> None:
    if most is not None and events > most:
        what = "a lead has" if key == "lead_id" else "the leads of an account together have"
        raise InputError(
            f"{what} more events than a task may hold within run.memory_limit ({most:,}): raise it, where the "
            "executors have the memory, or leave out what a robot did (ingest.sources.NAME.query)"
        )
