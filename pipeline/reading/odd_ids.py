"""Ids that are none, row by row: words that programs write for no id, and numbers that a spreadsheet has rounded.

undefined, null, [object Object], 00000000-0000-0000-0000-000000000000    nobody's: the row is set aside
1.00174E+11                                                               of a thousand leads: the row is set aside
0, unknown, guest                                                         may be somebody's: told where frequent
"""

from __future__ import annotations

from pipeline.core.sql import literal
from pipeline.reading.mapped_table import Problem, problem
from pipeline.reading.nothing import SPACES, WORDS
from pipeline.reading.quarantine import ROUNDED, WORD

NEVER = WORDS | {
    "none", "(none)", "nil", "[object object]", "object object", "[object undefined]", "(direct)", "-", "--", "---",
    "?", "\u2014", "\u2013", "anonymous id", "no id", "noid", "null null", "undefined undefined",
}  # fmt: skip
"""What is never an id, in small letters."""
PERHAPS = frozenset({
    "0", "-1", "na", "unknown", "anonymous", "anonym", "anonyme", "guest", "gast", "invit\u00e9", "test", "tester",
    "user", "admin", "system", "default", "dummy", "false", "true", "empty", "blank", "missing", "other", "deleted",
    "n", "x", "xxx", "123", "1234", "12345", "123456", "999", "9999", "99999", "999999",
})  # fmt: skip
"""What may be an id, but stands for nobody in particular where it is frequent, in small letters."""
_ALIKE = r"\{?(0{8}-?0{4}-?0{4}-?0{4}-?0{12}|[fF]{8}-?[fF]{4}-?[fF]{4}-?[fF]{4}-?[fF]{12}|0{9,})\}?"
SCIENTIFIC = r"[+-]?\d+([.,]\d+)?[eE]\+\d+"
"""A number as spreadsheets shorten it."""


def id_problems(field: str) -> list[Problem]:
    """List what may be wrong with an id that is there."""
    return [
        problem(f"{field} IS NOT NULL AND {is_word(field)}", WORD.format(field)),
        problem(f"{is_rounded(field)}", ROUNDED.format(field)),
    ]


def unless_word(sql: str) -> str:
    """Write the SQL for an id that may be missing: where it is no id, it is."""
    return f"CASE WHEN NOT coalesce({is_word(sql)}, false) THEN {sql} END"


def is_word(sql: str) -> str:
    """Write the condition that a text is never an id."""
    tidy = f"lower(trim({sql}, {literal(SPACES)}))"
    # Of the letters that the pattern begins with, hardly any id has one: the pattern is looked at last.
    begins = f"starts_with({tidy}, '0000000') OR starts_with({tidy}, 'fffffff') OR starts_with({tidy}, '{{')"
    listed = ", ".join(map(literal, sorted(NEVER)))
    return f"({tidy} IN ({listed}) OR (({begins}) AND regexp_full_match({tidy}, '{_ALIKE}')))"


def is_rounded(sql: str) -> str:
    """Write the condition that a text is a number as spreadsheets shorten it."""
    return f"(contains({sql}, '+') AND regexp_full_match(trim({sql}), '{SCIENTIFIC}'))"
