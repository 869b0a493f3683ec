r"""Words that exports write where there is nothing: NULL, \N, None, 0000-00-00; and ids that are none.

Which words a table uses is a setting of it, ``nothing``: a word may mean something elsewhere. Of ids, row by row:

    undefined, null, [object Object], 00000000-0000-0000-0000-000000000000    nobody's: the row is set aside
    1.00174E+11                                     rounded, of a thousand leads: the row is set aside
    0, unknown, guest                               may be somebody's: told where frequent
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipeline.core.sql import literal, named
from pipeline.reading.mapped_table import Problem, problem
from pipeline.reading.quarantine import ROUNDED, WORD

SPACES = " \t\u00a0\u202f"

WORDS = frozenset({
    "null", "(null)", "<null>", "[null]", "{null}", "#null", "#null!", "\\n", "nan", "-nan", "nat", "n/a", "#n/a",
    "#n/a n/a", "#na", "<na>", "<nil>", "undefined", "(not set)", "(not provided)", "(blank)", "(empty)", "#value!",
    "#ref!", "#div/0!", "#num!", "#name?", "not available", "none.", "<none>",
})  # fmt: skip
"""What never means anything, in small letters."""
VAGUE = frozenset({
    "none", "nil", "na", "-", "--", "---", "\u2014", "\u2013", ".", "?", "??", "false", "unknown", "never", "0",
    "empty", "blank", "missing", "no date", "leer", "vide", "vac\u00edo", "inconnu", "unbekannt", "keine", "aucun",
    "jamais", "nie", "(none)", "n.a.", "n/d", "n.d.", "tbd", "tba", "pending", "not applicable", "no data",
    "k.a.", "k. a.", "keine angabe", "offen", "non renseign\u00e9", "sin datos",
})  # fmt: skip
"""What may mean something, in small letters: nothing only in a column that holds times or numbers otherwise."""
NO_DAY = (
    r"(0000[-/.]00[-/.]00|00[/.-]00[/.-]0000|(0001|1753|1900|1970)-01-01|0?1[/.]0?1[/.](0001|1753|1900|1970)"
    r"|1900-01-00|1899-12-3[01]|3[01]\.12\.1899|12/3[01]/1899|(2999|9999)-12-31|31[/.]12[/.](2999|9999)|12/31/(2999|9999))"
    r"([ T](0[01]:00|23:59)(:(00|59)(\.\d+)?)?( ?(Z|UTC|[+-]0[01]:?00))?)?"
)
"""How databases, spreadsheets and clocks write a day that is none: the first and the last that they know."""
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
_FIRST_LETTERS = sorted({case for word in NEVER for case in (word[0], word[0].upper())} | {*"0fF{", *SPACES})
"""What such ids begin with, in letters of either size, and the spaces that may stand before them."""
_TWO_LETTERS = sorted({re.escape(word[:2]) for word in NEVER} | {"00", "ff", r"\{"})
_FIRST_TWO = rf"(?i)^[{SPACES}]*({'|'.join(_TWO_LETTERS)}|.?[^\x00-\x7f])"
"""With two letters; those beyond ASCII may be the capitals of others."""
CASED_LENGTH, CHECKED_LENGTH = 15, 18
"""Of an id that has letters of either size, and of the same one with letters that tell which are capitals."""
_CHECKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
SCIENTIFIC = r"[+-]?\d+([.,]\d+)?[eE]\+\d+"
"""A number as spreadsheets shorten it."""


def is_word_for_nothing(text: str) -> bool:
    """Tell whether a text never means anything.

    >>> is_word_for_nothing(" NULL"), is_word_for_nothing("0000-00-00 00:00:00"), is_word_for_nothing("none")
    (True, True, False)
    """
    tidy = text.strip(SPACES)
    return tidy.casefold() in WORDS or re.fullmatch(NO_DAY, tidy) is not None


def may_be_nothing(text: str) -> bool:
    """Tell whether a text that is no time, or no number, where it should be one, may be a word for nothing."""
    return is_word_for_nothing(text) or text.strip(SPACES).casefold() in VAGUE


def in_yaml(words: Iterable[str]) -> str:
    r"""Write words as they stand in settings, each in quotes.

    >>> print(in_yaml([r"\N", "l'inconnu"]))
    '\N', 'l''inconnu'
    """
    return ", ".join("'" + word.replace("'", "''") + "'" for word in words)


def trimmed(sql: str) -> str:
    """Write the SQL for a text without the spaces around it.

    Hardly any text has some, and to see that it has none takes a fifth of the time of taking them away.
    """
    ends = " AND ".join(f"NOT suffix({sql}, {literal(space)})" for space in SPACES)
    return f"(CASE WHEN {sql} >= '!' AND {sql} < '~' AND {ends} THEN {sql} ELSE trim({sql}, {literal(SPACES)}) END)"


def is_there(sql: str) -> str:
    """Write the condition that a text holds more than spaces: with most, their first letter shows it."""
    begins = f"{sql} >= '!' AND {sql} < '~'"
    return f"(CASE WHEN {begins} THEN true ELSE coalesce(trim({sql}, {literal(SPACES)}), '') <> '' END)"


def without_words(sql: str, words: Sequence[str]) -> str:
    """Write the SQL for a text that is missing where it is one of the words."""
    listed = ", ".join(map(literal, dict.fromkeys(word.strip(SPACES) for word in words)))
    return f"CASE WHEN {trimmed(sql)} IN ({listed}) THEN NULL ELSE {sql} END"


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
    """Write the condition that a text is never an id; false where there is none.

    Most ids begin with a letter, or two, that no such word begins with, and are not looked at any further.
    """
    begins = "starts_with(tidy, '0000000') OR starts_with(tidy, 'fffffff') OR starts_with(tidy, '{')"
    listed = ", ".join(map(literal, sorted(NEVER)))
    alike = f"CASE WHEN {begins} THEN regexp_full_match(tidy, '{_ALIKE}') ELSE false END"
    first = ", ".join(str(ord(letter)) for letter in _FIRST_LETTERS)
    among = named("tidy", f"lower(trim({sql}, {literal(SPACES)}))", f"list_contains([{listed}], tidy) OR {alike}")
    word = f"CASE WHEN regexp_matches({sql}, {literal(_FIRST_TWO)}) THEN {among} ELSE false END"
    return f"(CASE WHEN list_contains([{first}], ascii({sql})) THEN {word} ELSE false END)"


def is_rounded(sql: str) -> str:
    """Write the condition that a text is a number as spreadsheets shorten it; false where there is none.

    Of AND both sides would be computed for all texts, though hardly any has such a sign.
    """
    return f"(CASE WHEN contains({sql}, '+') THEN regexp_full_match(trim({sql}), '{SCIENTIFIC}') ELSE false END)"


def with_check(sql: str) -> str:
    """Write the SQL that makes 18 letters of an id of 15, as Salesforce does; NULL where it has not 15.

    Of each five letters one tells which of them are capitals: the first counts 1, the second 2, the third 4 ...
    """
    capitals = [f"CAST(id[{place}] BETWEEN 'A' AND 'Z' AS INTEGER)" for place in range(1, CASED_LENGTH + 1)]
    sums = [
        " + ".join(f"{2**place} * {one}" for place, one in enumerate(capitals[start : start + 5]))
        for start in range(0, CASED_LENGTH, 5)
    ]
    checks = ", ".join(f"'{_CHECKS}'[1 + {one}]" for one in sums)
    whole = f"CASE WHEN regexp_full_match(id, '[A-Za-z0-9]{{{CASED_LENGTH}}}') THEN concat(id, {checks}) END"
    return named("id", sql, whole)
