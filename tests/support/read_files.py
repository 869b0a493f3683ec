"""Files as the readers give them."""

from __future__ import annotations

import bz2
import gzip
import io
from pathlib import Path

import pyarrow as pa

from pipeline.core.sql import file_literal, open_reader
from pipeline.reading import delimited
from pipeline.reading.raw_files import LineReader
from pipeline.reading.readers import copy_rows, open_table
from pipeline.settings.table import Table

Rows = list[tuple[object, ...]]


def read_rows(folder: Path, wanted: list[str], path: str, **settings: object) -> Rows:
    """Read a table to rows of (line, reason, values ...)."""
    files = open_table("ingest.sources.x", Table.model_validate({"path": path, **settings}), wanted, folder)
    rows: Rows = []
    with open_reader() as connection:
        for opened in files:
            target = folder / "rows.copied"
            copy_rows(connection, opened, lambda relation: relation, target)
            rows += connection.execute(f"FROM read_parquet({file_literal(target)}) ORDER BY line").fetchall()
    return rows


def _read_csv(text: str | bytes, wanted: tuple[str, ...] = ("a", "b")) -> Rows:
    content = text.encode() if isinstance(text, str) else text
    lines = LineReader("x.csv", io.BytesIO(content))
    header = delimited.read_header(lines, wanted, None)
    return [row for batch in delimited.read_rows(lines, header, wanted) for row in _tuples(batch)]


def _tuples(batch: pa.RecordBatch) -> Rows:
    return list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def compress(content: bytes, ending: str) -> bytes:
    if ending.endswith("gz"):
        return gzip.compress(content)
    if ending.endswith("bz2"):
        return bz2.compress(content)
    if ending.endswith("zst"):
        sink = io.BytesIO()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(content)
            stream.flush()
            return _closed(stream, sink)
    return content


def _closed(stream: pa.CompressedOutputStream, sink: io.BytesIO) -> bytes:
    """Finish a stream that would close its sink, too."""
    kept = sink.getvalue
    close, sink.close = sink.close, lambda: None  # type: ignore[method-assign] # only to read what was written
    stream.close()
    content = kept()
    close()
    return content
