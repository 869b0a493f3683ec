"""The files of a table: found by a pattern, told apart by their endings, decompressed, decoded, cut into lines."""

from __future__ import annotations

import codecs
import glob
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, NamedTuple, Protocol

import pyarrow as pa

from features.core.errors import InputError, nearest

Format = Literal["delimited", "json_lines", "parquet", "workbook"]

_FORMATS: dict[str, Format] = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".txt": "delimited",
    ".json": "json_lines",
    ".jsonl": "json_lines",
    ".ndjson": "json_lines",
    ".parquet": "parquet",
    ".xlsx": "workbook",
}
_TEXTS = {"delimited", "json_lines"}
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_BLOCK_BYTES = 4 << 20
LONGEST_RECORD_BYTES = 64 << 20
"""A record may hold a large text, but what is longer is no record: it is set aside unread."""
NOT_UTF_8 = "not UTF-8"
_NOT_BLANK = re.compile(rb"[^\s][^\n]*")
_UNPACKED_BYTES, _UNPACKED_TIMES = 1 << 30, 500
"""Beyond both a compressed file is no log, whose lines differ at least in their times, but a bomb."""
OPEN_ELSEWHERE = "~$"
"""How the file begins that a spreadsheet puts beside a workbook while it is open: it holds who has opened it."""
TITLE_LINE = "line above the header"
FOOTER_LINE = "line below the table"


class Lines(NamedTuple):
    """Whole lines of a text file: where their bytes begin and end in it, and the number of the first."""

    start: int
    end: int
    first: int


@dataclass(frozen=True)
class RawFile:
    """One file of a table; ``name`` is its path below data_root, or says which query's result it is."""

    name: str
    path: Path
    format: Format
    compression: str | None = None
    sheet: str | None = None
    """Of a workbook, the sheet that is read; the first one where it is not given."""
    lines: Lines | None = None
    """Of a text in UTF-8 that is not compressed, those that are read; all where they are not given."""

    @property
    def is_text(self) -> bool:
        """Whether it is text, of an encoding."""
        return self.format in _TEXTS

    @property
    def has_header(self) -> bool:
        """Whether a line of it names the columns."""
        return self.format in {"delimited", "workbook"}


@dataclass(frozen=True)
class Block:
    """Whole lines of a file; ``last`` says that what comes next can't continue them."""

    first_line: int
    data: bytes
    last: bool

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Give the lines that are not blank, each with its number; blank ones, however many, cost next to nothing."""
        number, counted = self.first_line, 0
        for found in _NOT_BLANK.finditer(self.data):
            number += self.data.count(b"\n", counted, found.start())
            counted = found.start()
            yield number, found[0]

    def parts(self, longest: int) -> Iterator[Block]:
        """Cut the block where more than ``longest`` blank lines follow one another, and leave these out."""
        start, number = 0, self.first_line
        for gap in re.finditer(rb"[\r\n]{%d,}" % (longest + 2), self.data):
            if gap[0].count(b"\n") < longest + 2:
                continue
            end = self.data.index(b"\n", gap.start()) + 1
            yield Block(number, self.data[start:end], last=True)
            stop = self.data.rindex(b"\n", start, gap.end()) + 1
            number += self.data.count(b"\n", start, stop)
            start = stop
        if start < len(self.data):
            yield Block(number, self.data[start:], self.last)


@dataclass(frozen=True)
class OversizedLine:
    """A line longer than the longest record; its content is not kept."""

    line: int


def find_files(label: str, pattern: str, data_root: Path) -> tuple[RawFile, ...]:
    """Find the files that a path or a glob names, sorted by path.

    Raises InputError where there is none, naming the nearest file that exists, or where an ending is unknown.
    """
    if (data_root / pattern).is_file():
        names = [pattern]
    else:
        found = glob.glob(pattern, root_dir=data_root, recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns
        # A file that is reached in several ways, as through a link to its own folder, is read once.
        longest_first = sorted(found, key=lambda name: (len(name), name), reverse=True)
        shortest = {os.path.realpath(data_root / name): Path(name) for name in longest_first}
        names = sorted(name.as_posix() for name in shortest.values() if (data_root / name).is_file())
        names = [name for name in names if not Path(name).name.startswith(OPEN_ELSEWHERE)]
        # Of several parts, one without a byte is a day on which nothing happened.
        names = [name for name in names if (data_root / name).stat().st_size] or names
    if not names and (data_root / pattern).is_dir():
        raise InputError(f"{label}: {data_root / pattern} is a folder; name its files, as in {pattern}/*.csv")
    if not names:
        raise InputError(f"{label}: no file matches {pattern!r} in {data_root}; {advise_file(pattern, data_root)}")
    return tuple(_describe(label, name, data_root) for name in names)


def advise_file(name: str, data_root: Path) -> str:
    """Give advice for a file that is not there: the nearest one, or that the folder itself is missing or empty."""
    if not data_root.is_dir():
        return "the folder itself is not there: check data_root in the parameters"
    present = [path.relative_to(data_root).as_posix() for path in data_root.rglob("*") if path.is_file()][:1000]
    return nearest(name, present) if present else "the folder is empty"


def readable_endings(name: str) -> tuple[Format, str | None] | None:
    """Tell the format and the compression of a file by the endings of its name; None where they are none of ours."""
    endings = [suffix.lower() for suffix in Path(name).suffixes]
    compression = _COMPRESSIONS.get(endings[-1]) if endings else None
    chosen = _FORMATS.get("".join(endings[-2:-1] if compression else endings[-1:]))
    return (chosen, compression) if chosen and not (compression and chosen not in _TEXTS) else None


def _describe(label: str, name: str, data_root: Path) -> RawFile:
    endings = readable_endings(name)
    if endings is None:
        raise InputError(
            f"{label}: {name} ends in none of {', '.join(_FORMATS)} (the first six also with "
            f"{', '.join(_COMPRESSIONS)}); export it as one of these"
        )
    return RawFile(name, data_root / name, *endings)


def refuse_bomb(name: str, unpacked: int, packed: int) -> None:
    """Raise InputError where a file of so many bytes unpacks to more than any log would."""
    if unpacked > max(_UNPACKED_BYTES, _UNPACKED_TIMES * packed):
        raise InputError(
            f"{name} unpacks to more than {_UNPACKED_TIMES} times its {packed:,} bytes, as no log does; see "
            "what it holds, and export it again (or give it unpacked)"
        )


def fingerprint(files: Sequence[RawFile]) -> str:
    """Compute the SHA-256 over the bytes of the files, in their order."""
    digest = hashlib.sha256()
    for file in files:
        with file.path.open("rb") as stream:
            while chunk := stream.read(_BLOCK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def open_lines(file: RawFile, encoding: str | None = None) -> Iterator[LineReader]:
    """Open a text file for reading by lines, decompressed and turned into UTF-8 on the way.

    Without an encoding it is UTF-8, or UTF-16 where the file starts with UTF-16's mark.
    """
    with file.path.open("rb") as raw:
        if file.lines:
            raw.seek(file.lines.start)
            yield LineReader(file.name, _Bounded(raw, file.lines.end - file.lines.start), first_line=file.lines.first)
        elif file.compression is None:
            yield LineReader(file.name, raw, encoding)
        else:
            with pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), file.compression) as stream:
                yield LineReader(file.name, stream, encoding, file.path.stat().st_size)


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Bounded:
    """The next bytes of a stream, and no more."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int, /) -> bytes:
        chunk = self._stream.read(min(size, self._left))
        self._left -= len(chunk)
        return chunk


class LineReader:
    """A file as blocks of whole physical lines in UTF-8; only a line feed ends a line."""

    def __init__(
        self,
        name: str,
        stream: _Stream,
        encoding: str | None = None,
        compressed_bytes: int | None = None,
        first_line: int = 1,
    ) -> None:
        self.name = name
        self._compressed_bytes = compressed_bytes
        self._read_bytes = 0
        self._stream = stream
        self._encoding = encoding
        self._transcoder: Transcoder | None = None
        self._begun = first_line > 1
        self._pending = b""
        self._next_line = first_line
        self._oversized = False
        self.is_empty = False

    @property
    def undecodable(self) -> str:
        """The reason why a line can't be used that holds bytes which are no letters."""
        return f"not {self._transcoder.encoding}" if self._transcoder else NOT_UTF_8

    def read_bytes(self, size: int) -> bytes:
        """Read as many bytes as they stand in the file, past all lines, or fewer; none at its end."""
        try:
            chunk: bytes = self._stream.read(size)
        except (OSError, EOFError) as error:
            what = "ends in the middle" if "runcated" in str(error) else f"is damaged ({error})"
            raise InputError(f"{self.name} {what}; copy or export it again") from None
        self._read_bytes += len(chunk)
        packed = self._compressed_bytes
        if packed is not None:
            refuse_bomb(self.name, self._read_bytes, packed)
        return chunk

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
        """Read some bytes of UTF-8; none at the end of the file."""
        if not self._begun:
            return self._begin()
        chunk = self.read_bytes(_BLOCK_BYTES)
        return chunk if self._transcoder is None else self._transcode(self._transcoder, chunk)

    def _begin(self) -> bytes:
        """Read the first bytes, drop the mark of their order, and settle the encoding."""
        self._begun = True
        chunk = self.read_bytes(max(_BLOCK_BYTES, len(codecs.BOM_UTF8)))
        self.is_empty = not chunk
        encoding = self._encoding
        if encoding is None and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        if encoding in (None, "utf-8", "utf-8-sig"):
            return chunk.removeprefix(codecs.BOM_UTF8) or (chunk and self._read_chunk())
        self._transcoder = Transcoder(self.name, encoding)
        return self._transcode(self._transcoder, chunk)

    def _transcode(self, transcoder: Transcoder, chunk: bytes) -> bytes:
        text = transcoder.feed(chunk)
        while chunk and not text:  # the bytes so far are half a letter
            chunk = self.read_bytes(_BLOCK_BYTES)
            text = transcoder.feed(chunk)
        return text


class Transcoder:
    """Bytes of any encoding, chunk by chunk, as UTF-8.

    Bytes that are no letter become 0xFF, which UTF-8 never holds, so that their line is set aside. In UTF-16 and
    UTF-32 nothing after them can be trusted: there they end the run.
    """

    def __init__(self, name: str, encoding: str) -> None:
        self.encoding = encoding
        self._name = name
        self._wide = encoding.startswith(("utf-16", "utf-32"))
        self._decoder = codecs.getincrementaldecoder(encoding)("strict" if self._wide else _MARKED)
        self._begun = False

    def feed(self, chunk: bytes) -> bytes:
        """Turn the next bytes into UTF-8; none are the end."""
        try:
            text = self._decoder.decode(chunk, final=not chunk)
        except UnicodeError as error:
            if "truncated" in str(error) or "end of data" in str(error):
                raise InputError(f"{self._name} ends in the middle of a letter; copy or export it again") from None
            raise InputError(f"{self._name} is not {self.encoding}; set another encoding, or export it again") from None
        if text and not self._begun:
            self._begun, text = True, text.removeprefix("\ufeff")
        return text.encode("utf-8", "surrogateescape")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


_MARKED = "leadcast.marked"
codecs.register_error(_MARKED, _mark)
