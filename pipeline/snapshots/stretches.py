"""The log in stretches of whole leads, each with its part of the leads: how large they are, and how one is read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.core.parallel import cores
from pipeline.core.project import Places
from pipeline.core.sql import ask_rows
from pipeline.log.ends import LEAD_COLUMNS, LOG_COLUMNS
from pipeline.partitions.parts import Part, cut_alike, read_part

MOST_BYTES = 1 << 27
"""How much a stretch takes at most: so much that it is worth its start, so little that many cores find work."""
_LEAST_BYTES = 1 << 26
"""What a worker is worth its start with."""
_LEAD_BYTES, _EVENT_BYTES, _MOMENT_BYTES = 1024, 256, 512
"""What a lead, an event that is asked for, and a moment to look at a lead take, in Arrow, pandas and NumPy."""
_ROWS = 1 << 17
"""Events that are read at once, to find those that are asked for."""


class Size(NamedTuple):
    """How much is taken at once."""

    workers: int
    stretch: int
    """Bytes that a stretch takes."""
    moments: int
    """Moments at which leads are looked at at once."""


def size_stretches(memory_limit: int, workers: int | None = None) -> Size:
    """Say how much fits into the limit, in bytes: half of a worker's share is for its stretch, half for its looks.

    There is a worker for each core, as far as the limit goes, where no number is given.
    """
    workers = workers or max(min(cores(), memory_limit // _LEAST_BYTES), 1)
    half = memory_limit // workers // 2
    return Size(workers, min(half, MOST_BYTES), max(half // _MOMENT_BYTES, 1))


class Stretch(NamedTuple):
    """A part of the log, the leads that lie in it, be it without an event, and what their creations were before."""

    log: Part
    leads: Part
    former: Part

    def read_leads(self) -> pa.Table:
        """Read LEAD_COLUMNS of its leads."""
        return _read_all(self.leads, LEAD_COLUMNS)

    def read_former(self) -> pa.Table:
        """Read what was thought before of the creations of its leads."""
        return _read_all(self.former, pq.read_schema(self.former.file).names)

    def read_events(self, event_types: Collection[str]) -> pa.Table:
        """Read LOG_COLUMNS of the events of some types, and of the first other act of each lead of its own.

        Who acted at all is told by these, and a lead of millions of events takes no more than any other.
        """
        pieces = [_thin_out(rows, event_types) for rows in read_part(self.log, LOG_COLUMNS, _ROWS)]
        schema = pq.read_schema(self.log.file)
        return pa.concat_tables(pieces or [schema.empty_table().select(LOG_COLUMNS)])

    def read_all_events(self, columns: Sequence[str]) -> pa.Table:
        """Read columns of all its events."""
        return _read_all(self.log, columns)


def cut_into_stretches(places: Places, event_types: Collection[str], most: int) -> list[Stretch]:
    """Cut the log, and the leads with it, into stretches that take about ``most`` bytes, of events of some types."""
    log = places.interactions.resolve()
    weights = {
        log: max(round(_EVENT_BYTES * _share_of(log, event_types)), 1),
        places.leads.resolve(): _LEAD_BYTES,
        places.former_creations.resolve(): _LEAD_BYTES,
    }
    return [Stretch(*parts) for parts in cut_alike(weights, "lead_id", most)]


def _share_of(log: Path, event_types: Collection[str]) -> float:
    with ask_rows(log) as (connection, rows):
        [(share,)] = connection.execute(
            f"SELECT avg(list_contains(?, event_type)::INTEGER) FROM {rows}", [list(event_types)]
        ).fetchall()
    return share or 0.0


def _read_all(part: Part, columns: Sequence[str]) -> pa.Table:
    """Read columns of all rows of a part; texts of few values are dictionaries where there is any row."""
    pieces = list(read_part(part, columns, _ROWS))
    return pa.concat_tables(pieces) if pieces else pq.read_schema(part.file).empty_table().select(columns)


def _thin_out(rows: pa.Table, event_types: Collection[str]) -> pa.Table:
    """Leave out the events of other types, but for the first that each lead did itself."""
    wanted = _among(rows["event_type"], event_types)
    lead = _coded(rows["lead_id"]).indices.to_numpy()
    own = np.flatnonzero(_among(rows["actor"], ("lead",)) & ~wanted)
    wanted[own[np.diff(lead[own], prepend=-1) != 0]] = True
    return rows.filter(pa.array(wanted))


def _among(column: pa.ChunkedArray, texts: Collection[str]) -> NDArray[np.bool_]:
    """Tell which texts of a column are among some."""
    coded = _coded(column)
    held = np.array([*(text in texts for text in coded.dictionary.to_pylist()), False])
    found: NDArray[np.bool_] = held[pc.fill_null(coded.indices, -1).to_numpy()]
    return found


def _coded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Give a column as numbers of texts, each text having one."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return column.unify_dictionaries().combine_chunks()
