"""The files of a table: found by a pattern, told apart by their endings, decompressed, cut into lines."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import pyarrow as pa

from features.errors import InputError, nearest

Format = Literal["delimited", "json_lines", "parquet"]

_FORMATS: dict[str, Format] = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".txt": "delimited",
    ".json": "json_lines",
    ".jsonl": "json_lines",
    ".ndjson": "json_lines",
    ".parquet": "parquet",
}
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_BLOCK_BYTES = 4 << 20
LONGEST_RECORD_BYTES = 64 << 20
"""A record may hold a large text, but what is longer is no record: it is set aside unread."""


@dataclass(frozen=True)
class RawFile:
    """One file of a table; ``name`` is its path below data_root."""

    name: str
    path: Path
    format: Format
    compression: str | None


@dataclass(frozen=True)
class Block:
    """Whole lines of a file; ``last`` says that what comes next can't continue them."""

    first_line: int
    data: bytes
    last: bool


@dataclass(frozen=True)
class OversizedLine:
    """A line longer than the longest record; its content is not kept."""

    line: int


def find_files(label: str, pattern: str, data_root: Path) -> tuple[RawFile, ...]:
    """Find the files that a path or a glob names, sorted by path.

    Raises InputError where there is none, naming the nearest file that exists, or where an ending is unknown.
    """
    if not data_root.is_dir():
        raise InputError(f"{label}: the folder {data_root} is not there; check data_root in the parameters")
    if (data_root / pattern).is_file():
        names = [pattern]
    else:
        found = glob.glob(pattern, root_dir=data_root, recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns
        names = sorted(Path(name).as_posix() for name in found if (data_root / name).is_file())
    if not names:
        present = [path.relative_to(data_root).as_posix() for path in data_root.rglob("*") if path.is_file()][:1000]
        raise InputError(
            f"{label}: no file matches {pattern!r} in {data_root}; "
            f"{nearest(pattern, present) if present else 'the folder is empty'}"
        )
    return tuple(_describe(label, name, data_root) for name in names)


def _describe(label: str, name: str, data_root: Path) -> RawFile:
    endings = [suffix.lower() for suffix in Path(name).suffixes]
    compression = _COMPRESSIONS.get(endings[-1]) if endings else None
    ending = "".join(endings[-2:-1] if compression else endings[-1:])
    if ending not in _FORMATS or (compression and _FORMATS[ending] == "parquet"):
        raise InputError(
            f"{label}: {name} ends in none of {', '.join(_FORMATS)} (the first six also with "
            f"{', '.join(_COMPRESSIONS)}); export it as one of these"
        )
    return RawFile(name, data_root / name, _FORMATS[ending], compression)


def fingerprint(files: Sequence[RawFile]) -> str:
    """Compute the SHA-256 over the bytes of the files, in their order."""
    digest = hashlib.sha256()
    for file in files:
        with file.path.open("rb") as stream:
            while chunk := stream.read(_BLOCK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def open_lines(file: RawFile) -> Iterator[LineReader]:
    """Open a text file for reading by lines, decompressed on the way."""
    with file.path.open("rb") as raw:
        if file.compression is None:
            yield LineReader(file.name, raw)
        else:
            with pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), file.compression) as stream:
                yield LineReader(file.name, stream)


class LineReader:
    """A file as blocks of whole physical lines; only a line feed ends a line."""

    def __init__(self, name: str, stream: IO[bytes]) -> None:
        self.name = name
        self._stream = stream
        self._pending = b""
        self._next_line = 1
        self._oversized = False

    def read_line(self) -> bytes:
        """Read one line without its line feed; empty at the end of the file or where the line is too long."""
        while b"\n" not in self._pending and len(self._pending) <= LONGEST_RECORD_BYTES:
            chunk = self._read_chunk()
            if not chunk:
                break
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        self._next_line += 1
        return line if len(line) <= LONGEST_RECORD_BYTES else b""

    def read(self) -> Block | OversizedLine | None:
        """Read the next lines; None at the end of the file."""
        if self._oversized:
            self._skip_line()
            return OversizedLine(self._advance(1))
        data, self._pending = self._pending, b""
        while True:
            chunk = self._read_chunk()
            if not chunk:
                return Block(self._advance(data.count(b"\n") + 1), data, last=True) if data else None
            data += chunk
            whole = data.rfind(b"\n") + 1
            self._oversized = len(data) - whole > LONGEST_RECORD_BYTES
            if whole:
                data, self._pending = data[:whole], data[whole:]
                return Block(self._advance(data.count(b"\n")), data, last=self._oversized)
            if self._oversized:
                return self.read()

    def put_back(self, data: bytes) -> None:
        """Give back whole lines, the last of the block just read, to be read again with what follows."""
        self._pending = data + self._pending
        self._next_line -= data.count(b"\n")

    def _advance(self, lines: int) -> int:
        first = self._next_line
        self._next_line += lines
        return first

    def _skip_line(self) -> None:
        self._oversized = False
        self._pending = b""
        while chunk := self._read_chunk():
            _, end, rest = chunk.partition(b"\n")
            if end:
                self._pending = rest
                return

    def _read_chunk(self) -> bytes:
        try:
            chunk: bytes = self._stream.read(_BLOCK_BYTES)
        except (OSError, EOFError) as error:
            what = "ends in the middle" if "runcated" in str(error) else f"is damaged ({error})"
            raise InputError(f"{self.name} {what}; copy or export it again") from None
        return chunk
