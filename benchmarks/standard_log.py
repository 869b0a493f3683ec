"""The log of the standard task, as a user has it: an unsorted Parquet file, and the table of its leads.

The k-th event is drawn from the seed and its chunk alone, so that a log is the same on every machine. One event in ten
happens in the same microsecond as the one before it: real logs have ties, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.standard_task import CHANNELS, EVENT_TYPES, VALUED

Shape = Literal["skewed", "bot", "once"]
"""How events fall on leads: lead = floor(n * u^2); half of all on the first lead; one event each."""

START = datetime(2025, 1, 1)
END = datetime(2026, 1, 1, 9, 41, 27, 123_456)
"""A year and some hours: no window of whole days before it begins at a midnight."""

_EPOCH = datetime(1970, 1, 1)
_SEED = 20_260_101
_CHUNK = 1_000_000
_CAMPAIGNS = tuple(f"campaign-{number:02}" for number in range(20))
_TIED = 0.1
_WITHOUT_VALUE = 0.25


def write_raw_log(target: Path, events: int, leads: int, shape: Shape = "skewed") -> None:
    """Write the events (lead, time, event, channel, campaign, amount), in no order and in bounded memory."""
    writer: pq.ParquetWriter | None = None
    for table in _chunks(events, leads, shape):
        writer = writer or pq.ParquetWriter(target, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def write_raw_leads(target: Path, leads: int) -> None:
    """Write the table of leads (lead, created): all of them were there when the log began."""
    numbers = np.arange(leads)
    created = np.full(leads, microseconds_of(START))
    pq.write_table(pa.table({"lead": lead_ids(numbers), "created": pa.array(created, pa.timestamp("us"))}), target)


def write_snapshots(target: Path, leads: int, each: int) -> None:
    """Write ``each`` moments of each lead, sorted: one at the end of the log; more by chance in its last 270 days."""
    rows = np.repeat(np.arange(leads), each)
    moments = np.full(leads * each, microseconds_of(END))
    if each > 1:
        span = 270 * 86_400_000_000
        drawn = np.random.default_rng([_SEED, each]).integers(0, span, (leads, each))
        moments -= np.sort(drawn, axis=1)[:, ::-1].ravel()
    created = np.full(len(rows), microseconds_of(START))
    table = pa.table(
        {
            "lead_id": lead_ids(rows),
            "as_of": pa.array(moments, pa.timestamp("us")),
            "created_at": pa.array(created, pa.timestamp("us")),
            "started_at": pa.array(created, pa.timestamp("us")),
            "episode": pa.array(np.ones(len(rows), dtype=np.int64)),
        }
    )
    pq.write_table(table, target)


def lead_ids(numbers: NDArray[np.int64]) -> pa.Array:
    """Name leads by their numbers: bytes sort as the numbers do."""
    digits = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), 8, "0")
    return pc.binary_join_element_wise("lead", digits, "-")


def microseconds_of(moment: datetime) -> int:
    """Give a time as microseconds since 1970."""
    return (moment - _EPOCH) // (datetime(1970, 1, 1, 0, 0, 0, 1) - _EPOCH)


def _chunks(events: int, leads: int, shape: Shape) -> Iterator[pa.Table]:
    for number, first in enumerate(range(0, events, _CHUNK)):
        size = min(_CHUNK, events - first)
        random = np.random.default_rng([_SEED, number])
        rows = np.arange(size)
        tied = random.random(size) < _TIED
        tied[0] = False
        original = np.maximum.accumulate(np.where(tied, 0, rows))
        lead = _leads(random, first, size, leads, shape)
        if shape != "once":
            lead = lead[original]
        time = random.integers(microseconds_of(START), microseconds_of(END), size)[original]
        weights = 1.0 / np.arange(2, len(EVENT_TYPES) + 2)
        kind = random.choice(len(EVENT_TYPES), size, p=weights / weights.sum())
        kind = (kind[original] + rows - original) % len(EVENT_TYPES)  # events of one moment differ in type
        amount = np.round(random.lognormal(4.0, 1.0, size), 2)
        valued = np.isin(kind, [EVENT_TYPES.index(name) for name in VALUED]) & (random.random(size) >= _WITHOUT_VALUE)
        campaign = random.integers(0, 2 * len(_CAMPAIGNS), size)
        yield pa.table(
            {
                "lead": lead_ids(lead),
                "time": pa.array(time, pa.timestamp("us")),
                "event": _texts(kind, EVENT_TYPES),
                "channel": _texts(random.integers(0, len(CHANNELS), size), CHANNELS),
                "campaign": _texts(campaign, _CAMPAIGNS),
                "amount": pa.array(amount, mask=~valued),
            }
        )


def _leads(random: np.random.Generator, first: int, size: int, leads: int, shape: Shape) -> NDArray[np.int64]:
    if shape == "once":
        step = 7_368_787  # a prime: each number below ``leads`` comes once, in no order
        return (np.arange(first, first + size, dtype=np.int64) * step) % leads
    lead = np.floor(leads * random.random(size) ** 2).astype(np.int64)
    if shape == "bot":
        lead[random.random(size) < 0.5] = 0
    return lead


def _texts(codes: NDArray[np.int64], names: tuple[str, ...]) -> pa.Array:
    """Give the text of each code; one beyond the names is missing."""
    known = pa.array(codes, pa.int32(), mask=codes >= len(names))
    return pa.DictionaryArray.from_arrays(known, pa.array(names)).cast(pa.string())
