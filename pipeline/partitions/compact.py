"""Thrift's compact protocol, in which Parquet writes what a file holds: read without a schema, and written again.

A struct becomes its fields by their numbers, each with its type and its value: what is changed in between is all that
changes, and equal fields give equal bytes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_WHOLE = (4, 5, 6)
"""Whole numbers of 16, 32 and 64 bits, which are written alike."""
_LONG = 15
"""So many entries of a list, or more, are counted in a place of their own; likewise numbers of fields left out."""


@dataclass
class Value:
    """A value with its type; of a list, that of its entries."""

    kind: int
    content: Any
    entries: int = 0


Struct = dict[int, Value]
"""Fields by their numbers, in their order."""


def read_struct(stream: io.BytesIO) -> Struct:
    """Read a struct to its end; raises ValueError where the protocol has what Parquet never writes."""
    fields: Struct = {}
    number = 0
    while head := stream.read(1)[0]:
        step, kind = head >> 4, head & 15
        number = number + step if step else _signed(_natural(stream))
        fields[number] = Value(kind, kind == _TRUE) if kind in (_TRUE, _FALSE) else _read(stream, kind)
    return fields


def _read(stream: io.BytesIO, kind: int) -> Value:
    if kind in _WHOLE:
        return Value(kind, _signed(_natural(stream)))
    if kind in (_BYTE, _TRUE, _FALSE):  # of a list
        return Value(kind, stream.read(1))
    if kind == _DOUBLE:
        return Value(kind, stream.read(8))
    if kind == _BINARY:
        return Value(kind, stream.read(_natural(stream)))
    if kind == _STRUCT:
        return Value(kind, read_struct(stream))
    if kind in (_LIST, _SET):
        head = stream.read(1)[0]
        count = _natural(stream) if head >> 4 == _LONG else head >> 4
        return Value(kind, [_read(stream, head & 15).content for _ in range(count)], head & 15)
    raise ValueError(f"no Parquet file holds a value of the type {kind}")


def write_struct(fields: Struct) -> bytes:
    """Write a struct."""
    written = bytearray()
    last = 0
    for number, value in fields.items():
        step = number - last
        last = number
        kind = value.kind if value.kind not in (_TRUE, _FALSE) else _TRUE if value.content else _FALSE
        written += bytes([step << 4 | kind]) if 0 < step <= _LONG else bytes([kind]) + _packed(_unsigned(number))
        if kind not in (_TRUE, _FALSE):
            written += _written(value.kind, value.content, value.entries)
    return bytes(written + b"\0")


def _written(kind: int, content: Any, entries: int = 0) -> bytes:  # noqa: ANN401 - the type is told beside it
    if kind in _WHOLE:
        return _packed(_unsigned(content))
    if kind == _BINARY:
        return _packed(len(content)) + bytes(content)
    if kind == _STRUCT:
        return write_struct(content)
    if kind in (_LIST, _SET):
        count = len(content)
        head = bytes([count << 4 | entries]) if count < _LONG else bytes([_LONG << 4 | entries]) + _packed(count)
        return head + b"".join(_written(entries, one) for one in content)
    return bytes(content)


def _natural(stream: io.BytesIO) -> int:
    """Read a whole number from 0 on, seven bits a byte, the last ones first."""
    number = shift = 0
    while True:
        byte = stream.read(1)[0]
        number |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 - the bit that says that more follow
            return number
        shift += 7


def _packed(number: int) -> bytes:
    packed = bytearray()
    while number > 127:  # noqa: PLR2004 - what fits into seven bits
        packed.append(number & 127 | 128)
        number >>= 7
    packed.append(number)
    return bytes(packed)


def _signed(natural: int) -> int:
    return natural >> 1 ^ -(natural & 1)


def _unsigned(number: int) -> int:
    return number << 1 if number >= 0 else ~number << 1 | 1
