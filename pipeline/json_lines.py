"""JSON lines: one object a line, read as text; DuckDB takes the values out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pyarrow as pa

from features.errors import InputError
from pipeline.delimited import NOT_UTF_8, TOO_LONG, is_text, make_batch
from pipeline.raw_files import LineReader, OversizedLine
from pipeline.sql import literal

NOT_AN_OBJECT = "not a JSON object"


def find_keys(lines: LineReader, wanted: Sequence[str]) -> set[str]:
    """Collect the keys of the objects, until all wanted ones have been seen; nested ones as ``user.id``.

    Raises InputError where the file is empty, or is one array and not lines.
    """
    keys: set[str] = set()
    while (block := lines.read()) is not None and not keys.issuperset(wanted):
        if isinstance(block, OversizedLine):
            continue
        if block.first_line == 1 and block.data.lstrip()[:1] == b"[":
            raise InputError(f"{lines.name} is one JSON array; write one object a line, as with: jq -c '.[]'")
        for line in block.data.split(b"\n"):
            keys |= _keys_of(_parse(line))
            if keys.issuperset(wanted):
                break
    if block is None and not keys:
        raise InputError(f"{lines.name} holds no JSON object; write one object a line")
    return keys


def _parse(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _keys_of(value: object, prefix: str = "") -> set[str]:
    if not isinstance(value, dict) or prefix.count(".") > 5:  # noqa: PLR2004 - nobody maps what lies deeper
        return set()
    own = {f"{prefix}{key}" for key in value}
    return own.union(*(_keys_of(inner, f"{prefix}{key}.") for key, inner in value.items()))


def read_objects(lines: LineReader) -> Iterator[pa.RecordBatch]:
    """Read the lines: line, reason (why it can't be used, or null) and r0, the text of the object.

    Blank lines are no rows. Raises InputError where the file ends in the middle of an object.
    """
    while (block := lines.read()) is not None:
        if isinstance(block, OversizedLine):
            yield make_batch([block.line], [TOO_LONG], [[None]])
            continue
        *_, end = block.data.split(b"\n")
        if end.strip() and _parse(end) is None:
            raise InputError(f"{lines.name} ends in the middle of its last line; copy or export it again")
        texts = block.data.decode("utf-8", "surrogateescape").split("\n")
        suspect = not is_text("".join(texts))
        rows = [(block.first_line + offset, text) for offset, text in enumerate(texts) if text and not text.isspace()]
        reasons = [NOT_UTF_8 if suspect and not is_text(text) else None for _, text in rows]
        values = [None if reason else text for (_, text), reason in zip(rows, reasons, strict=True)]
        yield make_batch([line for line, _ in rows], reasons, [values])


def relation(stream: str, wanted: Sequence[str]) -> str:
    """Write the SQL that takes the wanted values out of the objects, as texts r0, r1 ..."""
    pointers = [pointer for name in wanted for pointer in _pointers(name)]
    columns = "".join(
        f", coalesce(taken[{2 * position + 1}], taken[{2 * position + 2}]) AS r{position}"
        for position in range(len(wanted))
    )
    return (
        f"SELECT line, coalesce(reason, CASE WHEN taken IS NULL THEN '{NOT_AN_OBJECT}' END) AS reason{columns} FROM ("
        "SELECT line, reason, CASE WHEN reason IS NULL AND json_valid(r0) THEN CASE WHEN json_type(r0) = 'OBJECT' "
        f"THEN json_extract_string(r0, [{', '.join(map(literal, pointers))}]) END END AS taken FROM {stream})"
    )


def _pointers(name: str) -> tuple[str, str]:
    """Give the JSON pointers of a key as it stands and, where it has dots, as a way into nested objects."""
    escaped = name.replace("~", "~0").replace("/", "~1")
    return f"/{escaped}", "/" + escaped.replace(".", "/")
