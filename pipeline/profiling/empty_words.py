"""Which words a table writes where it has nothing, and how often, by column.

A word that never means anything (NULL) is one wherever it stands. One that may (false, none, 0) is one where it stands
in a column that otherwise holds times or numbers, and means something in no other column: of ``false`` beside ``true``
nobody is asked. Any other word is one where it recurs in columns of times, and stands in no other column.

And which rows are nothing: a column says of them that they were deleted, or are a test.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from pipeline.core.sql import fetch_by_column, fetch_row, literal
from pipeline.profiling.words import NO, YES, is_called_id, is_called_time, plain
from pipeline.reading.nothing import NO_DAY, VAGUE, WORDS, in_yaml, is_word_for_nothing, trimmed
from pipeline.settings.ingest import OWN_TABLES

_NEARLY_ALL, _SOME = 0.9, 0.2
_TRUTHS = "'true', 'yes', '1', 't', 'y', 'oui', 'ja', 'si', 'sí'"
_TIMELIKE = r"\d.*[-/.:].*\d.*|\d{8,}"
_NUMBER = r"[+-]?[\d., ]*\d[\d., %€$]*"
_SURE_TIME = r"\d{4}[-/.]\d\d?[-/.]\d\d?([ T].*)?|\d\d?[-/.]\d\d?[-/.]\d{4}([ ,].*)?"
"""Unlike a range (1-10), no other thing is written so."""
_FEWEST_TIMES, _MOST_STRANGERS = 3, 3
_SHOWN = 4
_NO_ROW = (
    r"(?:(?:is|was|soft) )*deleted|(?:is )?geloscht|(?:est )?supprimee?|eliminad[oa]|borrad[oa]|verwijderd|is test|"
    r"(?:is )?(?:test (?:record|lead|contact|user|account|data|entry)|testdatensatz)"
)
"""What a column is called that says of a row that it does not count; what is archived may be a lost lead."""
_MOST_ANSWERS = 4


def comment_on_words(ingest: Mapping[str, Any], told: Mapping[tuple[str | None, str | None], str]) -> dict[str, str]:
    """Write the comments on ``nothing``, by their places in the settings; ``told`` goes by their paths and sheets."""
    parts: list[tuple[str, Any]] = [(f"ingest.{name}", ingest.get(name)) for name in OWN_TABLES]
    parts += [(f"ingest.{kind}.{name}", part) for kind in ("tables", "sources")
              for name, part in ingest.get(kind, {}).items()]  # fmt: skip
    with_words = [(place, part) for place, part in parts if part and part.get("nothing")]
    return {f"{place}.nothing": told[part.get("path"), part.get("sheet")] for place, part in with_words}


@dataclass(frozen=True)
class _Column:
    """What a column holds beside words that may be for nothing."""

    filled: int
    times: int
    numbers: int
    truths: int

    @property
    def holds_answers(self) -> bool:
        return self.truths > _SOME * self.filled


def find_empty_words(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, str]
) -> tuple[tuple[str, ...], str]:
    """Look for the words in the columns of texts (their SQL, by name) of a relation.

    Gives them, the most frequent first, and what is told of them.
    """
    found: dict[str, Counter[str]] = defaultdict(Counter)
    vague: dict[str, dict[str, tuple[int, _Column]]] = defaultdict(dict)
    # Whom a word in a column of ids names is nobody: such rows are set aside for it.
    texts = {name: sql for name, sql in columns.items() if not is_called_id(name)}
    times = [sql for name, sql in texts.items() if is_called_time(name)]
    is_time = {sql: f"regexp_full_match({trimmed(sql)}, {literal(_SURE_TIME)})" for sql in times}
    strangers = {
        word.casefold()
        for sql, count in _count(connection, relation, is_time).items()
        if count >= _FEWEST_TIMES
        for word in _find_strangers(connection, relation, sql, is_time[sql])
    }
    sought = ", ".join(map(literal, sorted(WORDS | VAGUE | strangers)))
    is_word = {
        name: f"lower({trimmed(sql)}) IN ({sought}) OR regexp_full_match({trimmed(sql)}, {literal(NO_DAY)})"
        for name, sql in texts.items()
    }
    for name, rows in _count(connection, relation, is_word).items():
        if not rows:
            continue
        sql = texts[name]
        counts = _count_words(connection, relation, sql, is_word[name])
        beside = _beside(connection, relation, sql, sought)
        for word, count in counts.items():
            if is_word_for_nothing(word):
                found[word][name] = count
            else:
                vague[word][name] = count, beside
    for word, held in vague.items():
        alien = [name for name, (_, column) in held.items() if _is_alien(word, column)]
        if alien and not any(_means_something(word, column) for name, (_, column) in held.items() if name not in alien):
            found[word].update({name: count for name, (count, _) in held.items()})
    words = tuple(sorted(found, key=lambda word: (-sum(found[word].values()), word)))
    return words, "; ".join(_tell(word, found[word]) for word in words)


def find_left_out(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, str]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Find the columns that say which rows were deleted, or are a test, with their words for yes; and tell of them.

    Where most rows are, the word means something else.
    """
    found: dict[str, tuple[str, ...]] = {}
    told = []
    for name, sql in columns.items():
        if not re.fullmatch(_NO_ROW, plain(name)):
            continue
        text = f"trim(CAST({sql} AS VARCHAR))"
        counts = dict(
            connection.execute(
                f"SELECT {text}, count(*) FROM {relation} WHERE {text} <> '' GROUP BY 1 LIMIT {_MOST_ANSWERS + 1}"
            ).fetchall()
        )
        yes = tuple(sorted(text for text in counts if text.casefold() in YES))
        (every,) = fetch_row(connection, f"SELECT count(*) FROM {relation}")
        rows = sum(counts[text] for text in yes)
        if rows and 2 * rows < every and all(text in yes or text.casefold() in NO for text in counts):
            found[name] = yes
            told.append(f"{name} says {' or '.join(yes)} of {rows:,} of the {every:,} rows: they are left out")
    return found, told


def _count(connection: duckdb.DuckDBPyConnection, relation: str, conditions: Mapping[str, str]) -> dict[str, int]:
    """Count the rows that meet each of some conditions, each of which is of one column."""
    counts = [[f"count(*) FILTER ({condition})"] for condition in conditions.values()]
    found = fetch_by_column(connection, relation, counts)
    return {name: count for name, (count,) in zip(conditions, found, strict=True)}


def _find_strangers(connection: duckdb.DuckDBPyConnection, relation: str, sql: str, is_time: str) -> list[str]:
    """List the few words that recur in a column which otherwise holds times."""
    text = trimmed(sql)
    rows = connection.execute(
        f"SELECT {text} AS word, count(*) FROM {relation} WHERE coalesce({text}, '') <> '' AND NOT {is_time} "
        f"GROUP BY word ORDER BY count(*) DESC, word LIMIT {_MOST_STRANGERS + 1}"
    ).fetchall()
    recur = all(count > 1 and not re.search(r"\d", word) for word, count in rows)
    return [word for word, _ in rows] if recur and len(rows) <= _MOST_STRANGERS else []


def _count_words(connection: duckdb.DuckDBPyConnection, relation: str, sql: str, is_word: str) -> dict[str, int]:
    rows = connection.execute(
        f"SELECT {trimmed(sql)} AS word, count(*) FROM {relation} WHERE {is_word} GROUP BY word ORDER BY word"
    ).fetchall()
    return dict(rows)


def _beside(connection: duckdb.DuckDBPyConnection, relation: str, sql: str, sought: str) -> _Column:
    """Count what the column holds beside the words."""
    text = trimmed(sql)
    row = fetch_row(
        connection,
        f"SELECT count(*), count(*) FILTER (regexp_full_match({text}, {literal(_TIMELIKE)})), "
        f"count(*) FILTER (regexp_full_match({text}, {literal(_NUMBER)})), "
        f"count(*) FILTER (lower({text}) IN ({_TRUTHS})) FROM {relation} WHERE coalesce({text}, '') <> '' AND "
        f"lower({text}) NOT IN ({sought}) AND NOT regexp_full_match({text}, {literal(NO_DAY)})",
    )
    return _Column(*row)


def _is_alien(word: str, beside: _Column) -> bool:
    """Tell whether a word can't be of the kind that the column holds otherwise."""
    if not beside.filled:
        return False
    holds_numbers = beside.numbers >= _NEARLY_ALL * beside.filled and not beside.holds_answers
    return beside.times >= _NEARLY_ALL * beside.filled or (holds_numbers and not word.isdigit())


def _means_something(word: str, beside: _Column) -> bool:
    """Tell whether the word may be an answer: a no beside a yes, a zero beside other numbers, one that none knows."""
    if word.isdigit() or word.casefold() not in VAGUE:
        return True
    return word.casefold() in {"false", "never", "nie", "jamais"} and (beside.holds_answers or not beside.filled)


def _tell(word: str, columns: Counter[str]) -> str:
    shown = ", ".join(sorted(columns, key=lambda name: (-columns[name], name))[:_SHOWN])
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    return f"{in_yaml([word])} {sum(columns.values()):,} times, in {shown}{more}"
