"""The file of the log: row groups of one size, whatever the parts that its rows come in, cheap to read.

The bytes follow from the rows alone. Texts of few values are written by the numbers that stand for them, with those
that a row group holds as its dictionary.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.core.schema import INTERACTION

ROW_GROUP = 122_880
_DIFFERENCES = ("occurred_at", "known_at", "sequence")
"""Their differences are shorter than they are, and faster read than what is packed better."""
_SMALL = 256
_COMPRESSED = ("lead_id", "content", "value", "event_id", "local_day")
"""What gets shorter by it; of the numbers that stand for texts, and of differences, hardly a byte is saved."""
_BOUNDED = ("lead_id", "occurred_at", "known_at", "quantity")
"""Whose bounds in each row group are of use to readers."""


def write_parts(parts: Iterable[pa.Table], target: Path) -> None:
    """Write the rows of a log, which come in parts and in their order; texts may be dictionaries.

    There is at least one part, which may be empty.
    """
    coming = iter(parts)
    first = next(coming)
    rest = first.slice(0, 0)
    with _writer(target, first.schema) as writer:
        for part in chain([first], coming):
            rows = pa.concat_tables([rest, part]).unify_dictionaries()
            whole = len(rows) - len(rows) % ROW_GROUP
            for start in range(0, whole, ROW_GROUP):
                _write_group(writer, rows.slice(start, ROW_GROUP))
            rest = _without_others(rows.slice(whole))
        if len(rest):
            _write_group(writer, rest)


def _writer(target: Path, schema: pa.Schema) -> pq.ParquetWriter:
    fields = [pa.field(field.name, schema.field(field.name).type, field.nullable) for field in INTERACTION]
    return pq.ParquetWriter(
        target,
        pa.schema(fields),
        compression={field.name: "lz4" if field.name in _COMPRESSED else "none" for field in INTERACTION},
        write_statistics=list(_BOUNDED),
        store_schema=False,  # a reader need not know which texts were dictionaries
        use_dictionary=[field.name for field in INTERACTION if field.name not in _DIFFERENCES],
        column_encoding=dict.fromkeys(_DIFFERENCES, "DELTA_BINARY_PACKED"),
    )


def _without_others(rows: pa.Table) -> pa.Table:
    """Leave the leads of other rows out of the dictionary, which would hold all leads of the log in the end."""
    held = _held(rows["lead_id"].combine_chunks())
    return rows.set_column(rows.schema.get_field_index("lead_id"), "lead_id", held)


def _write_group(writer: pq.ParquetWriter, rows: pa.Table) -> None:
    columns = {name: rows[name].combine_chunks() for name in writer.schema.names}
    for name, column in columns.items():
        # A small one of the whole log weighs nothing; that of the leads is one of a part.
        if pa.types.is_dictionary(column.type) and (name == "lead_id" or len(column.dictionary) > _SMALL):
            columns[name] = _held(column)
    writer.write_table(pa.table(columns, schema=writer.schema), ROW_GROUP)


def _held(texts: pa.DictionaryArray) -> pa.DictionaryArray:
    """Leave out of a dictionary what no row holds, and keep the order of the rest."""
    lacks = np.asarray(texts.is_null()) if texts.null_count else None
    numbers = np.asarray(texts.indices if lacks is None else texts.indices.fill_null(0))
    used = np.zeros(len(texts.dictionary), bool)
    used[numbers if lacks is None else numbers[~lacks]] = True
    if used.all():
        return texts
    places = (np.cumsum(used) - 1).astype(np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(places[numbers], mask=lacks), texts.dictionary.filter(pa.array(used))
    )


def by_numbers(numbers: pa.Array, texts: pa.Array) -> pa.DictionaryArray:
    """Give the texts for which numbers stand, from 0 on."""
    return pa.DictionaryArray.from_arrays(numbers.cast(pa.int32()), texts)
