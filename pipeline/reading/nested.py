"""Values inside of values: ``user.id`` in an object, ``event_params[page_title]`` in a list of keys and values.

A list of keys and values is how GA4 exports what belongs to an event:

    [{"key": "page_title", "value": {"string_value": "Prices"}}, {"key": "engaged", "value": {"int_value": "1"}}]

``event_params[engaged]`` is 1: of a value that is such an object, what it holds counts. In a plain object
``params[page]`` is the same as ``params.page``. A column whose name itself has a dot or a bracket comes first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.sql import literal

_COARSE = {"TIMESTAMP_NS": "TIMESTAMP", "TIMESTAMPTZ_NS": "TIMESTAMP WITH TIME ZONE"}
"""What pandas writes: times in nanoseconds, of which those with a zone have hardly any functions in DuckDB."""
TYPED_VALUES = ("string_value", "int_value", "float_value", "double_value")
"""Where GA4 puts a value, by its type; of what else lies there, nothing is the value."""
_STEP = re.compile(r"\[(?P<entry>[^\[\]]+)\]|\.?(?P<key>[^.\[\]]+)")


@dataclass(frozen=True)
class RawColumn:
    """A raw column as SQL, and its DuckDB type."""

    sql: str
    type: str = "VARCHAR"


@dataclass(frozen=True)
class Step:
    """One step into a value: a key of an object, or an entry, which may also be one of a list of keys and values."""

    key: str
    entry: bool = False


def split_path(name: str) -> tuple[Step, ...]:
    """Split a name into its steps.

    >>> [step.key for step in split_path("items.event_params[page title]")]
    ['items', 'event_params', 'page title']
    """
    return tuple(
        Step(match["entry"], entry=True) if match["entry"] else Step(match["key"]) for match in _STEP.finditer(name)
    )


def cuts(name: str) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """Cut a name into a column's and the steps into it, in all ways, the longest column first."""
    for match in reversed(list(re.finditer(r"[.\[]", name))):
        steps = split_path(name[match.start() :])
        if match.start() and steps:
            yield name[: match.start()], steps


def find_column(name: str, columns: Container[str]) -> tuple[str, tuple[Step, ...]] | None:
    """Find the column that a name means, and the steps into it; one whose own name it is comes first."""
    if name in columns:
        return name, ()
    return next(((column, steps) for column, steps in cuts(name) if column in columns), None)


def fields_of(columns: Iterable[tuple[str, str, Any]]) -> dict[str, RawColumn]:
    """Give Parquet columns and, where they are STRUCTs, their members, as SQL over the file; columns come first."""
    fields: dict[str, RawColumn] = {}
    members: list[tuple[str, str, Any]] = []
    for name, sql, kind in columns:
        fields[name] = _field(sql, str(kind))
        if kind.id == "struct":
            members += [
                (f"{name}.{member}", f"struct_extract({sql}, {literal(member)})", inner)
                for member, inner in kind.children
            ]
    return {**fields_of(members), **fields} if members else fields


def _field(sql: str, kind: str) -> RawColumn:
    """Give a Parquet column as what the rest knows: JSON is text, and no time is finer than a microsecond."""
    if kind == "JSON":
        return RawColumn(f"json_extract_string({sql}, '$')")
    coarse = _COARSE.get(kind)
    return RawColumn(f"CAST({sql} AS {coarse})", coarse) if coarse else RawColumn(sql, kind)


def pointer(keys: Sequence[str]) -> str:
    """Write the JSON pointer of keys within keys.

    >>> pointer(["a/b", "c"])
    '/a~1b/c'
    """
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def value_at(text: str, steps: Sequence[Step]) -> str:
    """Write the SQL for the text of the value that the steps lead to, in JSON that is given as SQL for a text."""
    value = f"TRY_CAST({text} AS JSON)"
    for step in steps:
        member = f"json_extract({value}, {literal(pointer([step.key]))})"
        if not step.entry:
            value = member
            continue
        is_entry = f"lambda entry: json_extract_string(entry, '/key') = {literal(step.key)}"
        entry = f"list_filter(json_extract({value}, '$[*]'), {is_entry})[1]"
        value = (
            f"CASE json_type({value}) WHEN 'ARRAY' THEN json_extract({entry}, '/value') WHEN 'OBJECT' THEN {member} END"
        )
    whole = f"json_extract_string({value}, '$')"
    if not steps[-1].entry:
        return whole
    typed = f"json_extract_string({value}, [{', '.join(literal('/' + name) for name in TYPED_VALUES)}])"
    names = f"[{', '.join(map(literal, TYPED_VALUES))}]"
    return (
        f"CASE WHEN list_has_any(json_keys({value}), {names}) "
        f"THEN list_filter({typed}, lambda held: held IS NOT NULL)[1] ELSE {whole} END"
    )


def select(number: int, way: tuple[str, tuple[Step, ...]] | None, held: Sequence[str]) -> str:
    """Write the SQL of a wanted value: a column, what lies inside of one, or nothing where the file lacks it."""
    if way is None:
        return f", NULL::VARCHAR AS r{number}"
    column = f"r{held.index(way[0])}"
    return f", {value_at(column, way[1]) if way[1] else column} AS r{number}"


def paths_of(
    value: object, path: str = "", depth: int = 0, *, entries: bool, texts: set[str] | None = None
) -> Iterator[str]:
    """List the paths that lead somewhere in a JSON value; those to ``entries`` are many and need not be.

    Where ``texts`` is given, texts that hold JSON themselves are looked into, and their paths are added to it.
    """
    if depth > 6:  # noqa: PLR2004 - nobody maps what lies deeper
        return
    if texts is not None and isinstance(value, str) and path and value[:1] in ("{", "["):
        held = parse(value)
        if isinstance(held, dict | list):
            texts.add(path)
            yield from paths_of(held, path, depth, entries=entries, texts=texts)
    elif isinstance(value, dict):
        for key, inner in value.items():
            ways = [f"{path}.{key}" if path else key] + ([f"{path}[{key}]"] if path and entries else [])
            for way in ways:
                yield way
                yield from paths_of(inner, way, depth + 1, entries=entries, texts=texts)
    elif isinstance(value, list) and path and entries:
        for entry in value:
            if isinstance(entry, dict) and isinstance(entry.get("key"), str):
                way = f"{path}[{entry['key']}]"
                yield way
                yield from paths_of(entry.get("value"), way, depth + 1, entries=entries, texts=texts)


def parse(line: bytes | str) -> object:
    """Read JSON; None where it is none."""
    try:
        return json.loads(line, parse_int=float)  # which takes any number of digits
    except (ValueError, RecursionError):
        return None
