r"""Words that exports write where there is nothing: NULL, \N, None, 0000-00-00.

Which of them a table uses is a setting of it, ``nothing``: a word may mean something elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipeline.core.sql import literal

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
    """Write the SQL for a text without the spaces around it."""
    return f"trim({sql}, {literal(SPACES)})"


def without_words(sql: str, words: Sequence[str]) -> str:
    """Write the SQL for a text that is missing where it is one of the words."""
    listed = ", ".join(map(literal, dict.fromkeys(word.strip(SPACES) for word in words)))
    return f"CASE WHEN {trimmed(sql)} IN ({listed}) THEN NULL ELSE {sql} END"
