"""Which words a table writes where it has nothing, and how often, by column.

A word that never means anything (NULL) is one wherever it stands. One that may (false, none, 0) is one where it stands
in a column that otherwise holds times or numbers, and means something in no other column: of ``false`` beside ``true``
nobody is asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from pipeline.discovery.words import is_called_id
from pipeline.nothing import NO_DAY, VAGUE, WORDS, trimmed
from pipeline.sql import literal

_NEARLY_ALL, _SOME = 0.9, 0.2
_TRUTHS = "'true', 'yes', '1', 't', 'y', 'oui', 'ja', 'si', 'sí'"
_TIMELIKE = r"\d.*[-/.:].*\d.*|\d{8,}"
_NUMBER = r"[+-]?[\d., ]*\d[\d., %€$]*"
_SHOWN = 4


@dataclass(frozen=True)
class EmptyWords:
    """The words of a table, the most frequent first, and what is told of them."""

    words: tuple[str, ...] = ()
    told: str = ""


def comment_on_words(ingest: Mapping[str, Any], told: Mapping[str | None, str]) -> dict[str, str]:
    """Write the comments on ``nothing``, by their places in the settings; ``told`` goes by the tables' paths."""
    parts: list[tuple[str, Any]] = [(f"ingest.{name}", ingest.get(name)) for name in ("leads", "identities", "spend")]
    parts += [(f"ingest.{kind}.{name}", part) for kind in ("tables", "sources")
              for name, part in ingest.get(kind, {}).items()]  # fmt: skip
    return {f"{place}.nothing": told[part.get("path")] for place, part in parts if part and part.get("nothing")}


@dataclass(frozen=True)
class _Column:
    """What a column holds beside words that may be for nothing."""

    filled: int
    times: int
    numbers: int
    truths: int

    @property
    def holds_times(self) -> bool:
        return bool(self.filled) and self.times >= _NEARLY_ALL * self.filled

    @property
    def holds_numbers(self) -> bool:
        return bool(self.filled) and self.numbers >= _NEARLY_ALL * self.filled and not self.holds_answers

    @property
    def holds_answers(self) -> bool:
        return self.truths > _SOME * self.filled


def find_empty_words(connection: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, str]) -> EmptyWords:
    """Look for the words in the columns of texts (their SQL, by name) of a relation."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    vague: dict[str, dict[str, tuple[int, _Column]]] = defaultdict(dict)
    for name, sql in columns.items():
        if is_called_id(name):
            continue  # whom a word there names is nobody: these rows are set aside for it
        counts = _count_words(connection, relation, sql)
        if not counts:
            continue
        beside = _beside(connection, relation, sql)
        for word, count in counts.items():
            if word.casefold() in VAGUE:
                vague[word][name] = count, beside
            else:
                found[word][name] = count
    for word, held in vague.items():
        alien = [name for name, (_, column) in held.items() if _is_alien(word, column)]
        if alien and not any(_means_something(word, column) for name, (_, column) in held.items() if name not in alien):
            found[word].update({name: count for name, (count, _) in held.items()})
    words = tuple(sorted(found, key=lambda word: (-sum(found[word].values()), word)))
    return EmptyWords(words, "; ".join(_tell(word, found[word]) for word in words))


def _count_words(connection: duckdb.DuckDBPyConnection, relation: str, sql: str) -> dict[str, int]:
    listed = ", ".join(map(literal, sorted(WORDS | VAGUE)))
    text = trimmed(sql)
    rows = connection.execute(
        f"SELECT {text} AS word, count(*) FROM {relation} WHERE lower({text}) IN ({listed}) "
        f"OR regexp_full_match({text}, {literal(NO_DAY)}) GROUP BY word ORDER BY word"
    ).fetchall()
    return dict(rows)


def _beside(connection: duckdb.DuckDBPyConnection, relation: str, sql: str) -> _Column:
    listed = ", ".join(map(literal, sorted(WORDS | VAGUE)))
    text = trimmed(sql)
    [row] = connection.execute(
        f"SELECT count(*), count(*) FILTER (regexp_full_match({text}, {literal(_TIMELIKE)})), "
        f"count(*) FILTER (regexp_full_match({text}, {literal(_NUMBER)})), "
        f"count(*) FILTER (lower({text}) IN ({_TRUTHS})) FROM {relation} WHERE coalesce({text}, '') <> '' AND "
        f"lower({text}) NOT IN ({listed}) AND NOT regexp_full_match({text}, {literal(NO_DAY)})"
    ).fetchall()
    return _Column(*row)


def _is_alien(word: str, beside: _Column) -> bool:
    """Tell whether a word can't be of the kind that the column holds otherwise."""
    return beside.holds_times or (beside.holds_numbers and not word.isdigit())


def _means_something(word: str, beside: _Column) -> bool:
    """Tell whether the word may be an answer: a no beside a yes, a zero beside other numbers."""
    if word.isdigit():
        return True
    return word.casefold() in {"false", "never", "nie", "jamais"} and (beside.holds_answers or not beside.filled)


def _tell(word: str, columns: Counter[str]) -> str:
    shown = ", ".join(sorted(columns, key=lambda name: (-columns[name], name))[:_SHOWN])
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    return f"{word!r} {sum(columns.values()):,} times, in {shown}{more}"
