"""What rows of the log look like once they are sorted: what has travelled, and what need not have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.core.schema import INTERACTION
from pipeline.partitions.arrangement import numbers_of
from pipeline.partitions.log_file import by_numbers
from pipeline.sorting.travel import Travel

_DAY, _HOUR = 86_400_000_000, 3_600_000_000

Make = Callable[[pa.Table], pa.Array]
"""Makes a field of rows that have travelled."""


@dataclass(frozen=True)
class Form:
    """How rows that have travelled become rows of the log."""

    sources: Sequence[str]
    """Their names, by the numbers that travel."""
    made: Mapping[str, Make]
    """Fields that do not travel: every row holds the same, or they repeat another one."""
    in_utc: bool
    """Whether local days and hours are those of UTC, and do not travel."""

    def finish(self, rows: pa.Table, lead_ids: pa.Array, travel: Travel) -> pa.Table:
        """Make rows of the log, in the same order.

        ``rows`` are sorted, and ``lead_ids`` those from the first lead to the last that they have.
        """
        leads = numbers_of(rows["lead"])
        made = {
            "lead_id": by_numbers(pa.array((leads - leads[0]).astype(np.int32)), lead_ids),
            "source": by_numbers(rows["source"].combine_chunks(), pa.array(self.sources)),
        }
        if self.in_utc:
            time = numbers_of(rows["occurred_at"])
            made["local_day"] = pa.array((time // _DAY).astype(np.int32)).view(pa.date32())
            made["local_hour"] = pa.array((time % _DAY // _HOUR).astype(np.int8))
        made |= {name: make(rows) for name, make in self.made.items()}
        made |= travel.unpack(rows)
        return pa.table({field.name: made[field.name] for field in INTERACTION})

    def nothing(self, travel: Travel) -> pa.Table:
        """Give a part of the log that has no rows."""
        of_few = {"lead_id", "source", "actor", *travel.texts}
        numbered = pa.dictionary(pa.int32(), pa.string())
        fields = [(field.name, numbered if field.name in of_few else field.arrow) for field in INTERACTION]
        return pa.schema(fields).empty_table()


def as_it_occurred(rows: pa.Table) -> pa.Array:
    """Give when rows were known that were known as they occurred."""
    return rows["occurred_at"].combine_chunks()


def one_each(rows: pa.Table) -> pa.Array:
    """Give the quantity of rows that count once."""
    return pa.array(np.ones(len(rows), np.int64))


def the_same(text: str, rows: pa.Table) -> pa.Array:
    """Give a text that is the same in every row."""
    return by_numbers(pa.array(np.zeros(len(rows), np.int32)), pa.array([text]))


def nothing_each(kind: pa.DataType, rows: pa.Table) -> pa.Array:
    """Give what no row has."""
    return pa.nulls(len(rows), kind)
