"""JSON lines: one object a line, read as text; DuckDB takes the values out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa

from features.core.errors import InputError
from pipeline.core.sql import literal
from pipeline.reading import nested
from pipeline.reading.delimited import TOO_LONG, is_text, make_batch
from pipeline.reading.nested import parse, pointer
from pipeline.reading.raw_files import LineReader, OversizedLine

NOT_AN_OBJECT = "not a JSON object"


def find_keys(lines: LineReader, wanted: Sequence[str] | None) -> tuple[set[str], frozenset[str]]:
    """Collect the keys of the objects, until all wanted ones have been seen; nested ones as ``user.id``.

    Gives, too, those under which lie texts that hold JSON themselves. Without ``wanted`` all lines are read, for the
    keys of the objects themselves. Raises InputError where the file is empty, or is one array and not lines.
    """
    keys: set[str] = set()
    texts: set[str] = set()
    undecodable = False
    entries = any("[" in name for name in wanted or ())
    while (block := lines.read()) is not None and (wanted is None or not keys.issuperset(wanted)):
        if isinstance(block, OversizedLine):
            continue
        if block.first_line == 1 and block.data.lstrip()[:1] == b"[":
            raise InputError(f"{lines.name} is one JSON array; write one object a line, as with: jq -c '.[]'")
        for _, line in block.lines():
            value = parse(line)
            if wanted is None:
                keys.update(value if isinstance(value, dict) else ())
                continue
            if isinstance(value, dict):
                keys.update(nested.paths_of(value, entries=entries, texts=texts))
            elif value is None and not undecodable:
                undecodable = not is_text(line.decode("utf-8", "surrogateescape"))
            if keys.issuperset(wanted):
                break
    if block is None and not keys:
        advice = "set encoding, as in encoding: cp1252" if undecodable else "write one object a line"
        what = f"is {lines.undecodable}" if undecodable else "holds no JSON object"
        raise InputError(f"{lines.name} {what}; {advice}")
    return keys, frozenset(texts)


def read_objects(lines: LineReader) -> Iterator[pa.RecordBatch]:
    """Read the lines: line, reason (why it can't be used, or null) and r0, the text of the object.

    Blank lines are no rows. Raises InputError where the file ends in the middle of an object.
    """
    while (block := lines.read()) is not None:
        if isinstance(block, OversizedLine):
            yield make_batch([block.line], [TOO_LONG], [[None]])
            continue
        end = block.data[block.data.rfind(b"\n") + 1 :]
        if end.strip() and parse(end) is None:
            raise InputError(f"{lines.name} ends in the middle of its last line; copy or export it again")
        numbers, reasons, values = [], [], []
        for number, line in block.lines():
            text = line.decode("utf-8", "surrogateescape")
            sound = is_text(text)
            numbers.append(number)
            reasons.append(None if sound else lines.undecodable)
            values.append(text if sound else None)
        yield make_batch(numbers, reasons, [values])


def relation(stream: str, wanted: Sequence[str], texts: Collection[str] = ()) -> str:
    """Write the SQL that takes the wanted values out of the objects, as texts r0, r1 ...

    All that a value needs is taken out at once, for an object is parsed anew each time: what lies at the key as it
    stands, and what lies at the end of the way into nested objects, as far as it leads through objects alone. A way
    may lead on in one of the ``texts`` that hold JSON themselves.
    """
    pointers: list[str] = []
    columns = ""
    for number, name in enumerate(wanted):
        ways = [(pointer([name]), ()), _way(name), *_ways_through(name, texts)]
        values = []
        for place, steps in dict.fromkeys(ways):
            pointers.append(place)
            at_end = f"taken[{len(pointers)}]"
            values.append(nested.value_at(at_end, steps) if steps else at_end)
        columns += f", coalesce({', '.join(values)}) AS r{number}" if len(values) > 1 else f", {values[0]} AS r{number}"
    return (
        f"SELECT line, coalesce(reason, CASE WHEN taken IS NULL THEN '{NOT_AN_OBJECT}' END) AS reason{columns} FROM ("
        "SELECT line, reason, CASE WHEN reason IS NULL AND json_valid(r0) THEN CASE WHEN json_type(r0) = 'OBJECT' "
        f"THEN json_extract_string(r0, [{', '.join(map(literal, pointers))}]) END END AS taken FROM {stream})"
    )


def _ways_through(name: str, texts: Collection[str]) -> Iterator[tuple[str, tuple[nested.Step, ...]]]:
    """Give the pointers to texts on the way, the longest first, and the steps beyond each."""
    for text, steps in nested.cuts(name):
        if text in texts:
            yield pointer([step.key for step in nested.split_path(text)]), steps


def _way(name: str) -> tuple[str, tuple[nested.Step, ...]]:
    """Give the pointer into nested objects, and the steps beyond it, which begin with an entry."""
    if "[" not in name:
        return pointer(name.split(".")), ()
    steps = nested.split_path(name)
    first = next((number for number, step in enumerate(steps) if step.entry), len(steps))
    return pointer([step.key for step in steps[:first]]), steps[first:]
