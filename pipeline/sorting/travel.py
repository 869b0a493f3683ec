"""What travels of each row from where it was read into its part of the log: as few bytes as it can.

Leads and texts of few values travel as numbers; what is the same in every row, or follows from what is there, is added
behind the sort.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from features.core.schema import Field
from pipeline.core.sql import identifier, literal
from pipeline.partitions.texts import NumberedTexts
from pipeline.reading.quarantine import UNKNOWN_LEAD

STRANGERS = 1 << 16
"""So many numbers stand for unknown leads, of which each row has its id, too."""
LOCAL = ("local_day", "local_hour")


@dataclass(frozen=True)
class Travel:
    """The columns that travel, and how.

    Every one has ``source`` (by its place), ``lead`` (its rank, or the number of an unknown one) and ``kept``. Texts
    that ``texts`` names travel as numbers; they are numbered on as they come.
    """

    kept: Sequence[Field]
    expressions: Mapping[str, str]
    """What to ask for where a field is not a column of its own name, as SQL."""
    texts: Mapping[str, NumberedTexts]
    by_parts: Sequence[int]
    """The sources whose rows that repeat others are found part by part."""
    width: int
    """How many leads make a part."""
    known_at: str
    """The column of what travels that tells when rows were known."""

    @property
    def whole_row(self) -> list[str]:
        """What else two rows of a lead and a time have in common where one repeats the other, as far as it differs."""
        same = {"actor", "sequence", "occurred_at", *LOCAL}
        return [field.name for field in self.kept if field.name not in same]

    def query(self, number: int, rows: str) -> str:
        """Write the query of all rows of a source: lead, reason, then what travels."""
        lead = "rank"
        stranger = ""
        if number in self.by_parts:
            lead = f"CASE WHEN reason = '{UNKNOWN_LEAD}' THEN hash(lead_id) % {STRANGERS} ELSE rank END"
            stranger = f", CASE WHEN reason = '{UNKNOWN_LEAD}' THEN lead_id END AS stranger"
        columns = ", ".join(map(self._cast, self.kept))
        return f"SELECT CAST({lead} AS UINTEGER) AS lead, reason{stranger}, {columns} FROM {rows}"

    def make_types(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the types that the query casts texts to.

        A cast to one that may fail is made once for each entry of a column's dictionary, where texts are read one by
        one.
        """
        for name, texts in self.texts.items():
            if texts.known:
                known = ", ".join(map(literal, texts.known))
                connection.execute(f"DROP TYPE IF EXISTS {_type(name)}")
                connection.execute(f"CREATE TYPE {_type(name)} AS ENUM ({known})")

    def _cast(self, field: Field) -> str:
        name = field.name
        if name in self.texts and self.texts[name].known:
            known = f"TRY_CAST({name} AS {_type(name)})"
            return f"{known} AS {name}, CASE WHEN {known} IS NULL THEN {name} END AS {_other(name)}"
        return f"TRY_CAST({self.expressions.get(name, name)} AS {field.duckdb}) AS {name}"

    def pack(self, batch: pa.RecordBatch, number: int, *more: str) -> pa.RecordBatch:
        """Give what travels of rows of a source, and some ``more`` columns, with numbers for texts of few values."""
        columns = {"source": pa.array(np.full(len(batch), number, np.uint16)), "lead": batch["lead"]}
        columns |= {name: batch[name] for name in more}
        for field in self.kept:
            name, column = field.name, batch[field.name]
            if name in self.texts:
                texts = self.texts[name]
                known = pa.types.is_dictionary(column.type)
                numbers = texts.encode_known(column, batch[_other(name)]) if known else texts.encode(column)
                columns[name] = pa.array(numbers)
            else:
                # Of what can be used, no amount is NaN; without gaps, columns are dealt in half of the time.
                columns[name] = column.fill_null(np.nan) if pa.types.is_floating(column.type) else column
        return pa.RecordBatch.from_pydict(columns)

    def unpack(self, rows: pa.Table) -> dict[str, pa.Array]:
        """Give the fields of the log that have travelled; all texts must have been numbered by now."""
        unpacked = {}
        for field in self.kept:
            column = rows[field.name].combine_chunks()
            if field.name in self.texts:
                column = self.texts[field.name].decode(column)
            elif pa.types.is_floating(column.type):
                column = pa.array(np.asarray(column), from_pandas=True)
            unpacked[field.name] = column
        return unpacked


def _type(name: str) -> str:
    return identifier(f"known {name}")


def _other(name: str) -> str:
    return f"other_{name}"
