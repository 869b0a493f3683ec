"""The log of the standard task as delimited text: what a user has whose system exports no Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

Quotes = Literal["plain", "quoted"]
"""No quote at all, or every field in quotes: nothing, too, and the names of the columns."""


def write_delimited(log: Path, target: Path, quotes: Quotes) -> None:
    """Write the rows of a Parquet file as CSV, in their order and in bounded memory."""
    style: Literal["all_valid", "none"] = "all_valid" if quotes == "quoted" else "none"
    options = pyarrow.csv.WriteOptions(quoting_style=style, quoting_header=style)
    with pq.ParquetFile(log) as file:
        texts = pa.schema([(name, pa.string()) for name in file.schema_arrow.names])
        with pyarrow.csv.CSVWriter(target, texts, write_options=options) as writer:
            for batch in file.iter_batches():
                columns = [pc.fill_null(column.cast(pa.string()), "") for column in batch.columns]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=texts))
