r"""Words that exports write where there is nothing: NULL, \N, None, 0000-00-00.

Which of them a table uses is a setting of it, ``nothing``: a word may mean something elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.sql import literal

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
    "jamais", "nie",
})  # fmt: skip
"""What may mean something, in small letters: nothing only in a column that holds times or numbers otherwise."""
NO_DAY = r"(0000-00-00|0001-01-01|00[/.-]00[/.-]0000|0000[/.]00[/.]00)([ T]00:00(:00(\.0+)?)?Z?)?"
"""How databases write a day that is none."""


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


def trimmed(sql: str) -> str:
    """Write the SQL for a text without the spaces around it."""
    return f"trim({sql}, {literal(SPACES)})"


def without_words(sql: str, words: Sequence[str]) -> str:
    """Write the SQL for a text that is missing where it is one of the words."""
    listed = ", ".join(map(literal, dict.fromkeys(word.strip(SPACES) for word in words)))
    return f"CASE WHEN {trimmed(sql)} IN ({listed}) THEN NULL ELSE {sql} END"
