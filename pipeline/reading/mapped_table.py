"""What mapping makes of a table: SQL that says of each raw row what it holds, and why it can't be used."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.sql import LINE_BITS, literal

Problem = tuple[str, str]
"""A condition and the reason it gives, both SQL over the names of expressions."""


def problem(condition: str, reason: str) -> Problem:
    """Make a problem whose reason is the same for every row."""
    return condition, literal(reason)


@dataclass(frozen=True)
class MappedTable:
    """What to compute of each raw row, when it can't be used, and what to keep.

    ``expressions`` are over the raw columns; ``problems`` (the first that holds counts) and ``fields`` are over the
    expressions' names. A row is one entry, or as many as the list ``entries`` holds: structs with a ``position``
    below ``width``, whose other members are names like those of expressions.
    """

    expressions: dict[str, str]
    problems: tuple[Problem, ...]
    fields: dict[str, str]
    entries: str | None = None
    width: int = 1
    parts: tuple[str, ...] = ()
    """The members of an entry, but for its position."""

    def query(self, relation: str, file_number: int) -> str:
        """Write the SQL: sequence, reason (null where the row can be used), then the fields.

        The number of the file is added to lines that do not begin with one.
        """
        expressions = "".join(f", {sql} AS {name}" for name, sql in self.expressions.items())
        cases = " ".join(f"WHEN {condition} THEN {reason}" for condition, reason in self.problems)
        fields = "".join(f", {sql} AS {name}" for name, sql in self.fields.items())
        rows = f"SELECT line, reason AS raw_reason{expressions} FROM ({relation})"
        place = "line"
        if self.entries:
            rows = (
                f"SELECT * EXCLUDE (entry){''.join(f', entry.{name} AS {name}' for name in ('position', *self.parts))} "
                f"FROM (SELECT line, reason AS raw_reason{expressions}, unnest({self.entries}) AS entry "
                f"FROM ({relation}))"
            )
            of_file = f"(line & {(1 << LINE_BITS) - 1})"
            place = f"line + {of_file} * {self.width - 1} + position"
        return (
            f"SELECT {file_number << LINE_BITS} + {place} AS sequence, "
            f"CASE WHEN raw_reason IS NOT NULL THEN raw_reason {cases} END AS reason{fields} FROM ({rows})"
        )
