"""Times whose zone is written in words, in SQL: each becomes an offset at the end, as ``+0100``.

    2026-01-03T19:00:00+01:00[Europe/Paris]                  ->  2026-01-03T19:00:00 +0100
    Sat Jan 03 2026 19:00:00 GMT+0100 (Central European ...) ->  SAT JAN 03 2026 19:00:00 +0100
    20260103T190000Z                                         ->  2026-01-03T19:00:00 +0000

Only abbreviations that mean one offset are read so: IST is India's, Ireland's and Israel's.
"""

from __future__ import annotations

from pipeline.sql import literal

_ABBREVIATIONS = {
    "+0000": "Z|UTC|GMT|WET",
    "+0100": "WEST|CET|MEZ",
    "+0200": "CEST|MESZ|EET",
    "+0300": "EEST|MSK",
    "-0400": "EDT",
    "-0500": "EST|CDT",
    "-0600": "MDT",
    "-0700": "PDT",
    "-0800": "PST",
}
_CLOCK = r"[0-9]:[0-9]{2}(?:[.][0-9]+)?(?: ?[AP]M)?"
_REWRITTEN = (
    (r"\s*\([^()]*\)$", ""),
    (r"(Z|[-+][0-9]{2}:?[0-9]{2})\[[^\[\]]*\]$", r"\1"),
    (r"\[([^\[\]]+)\]$", r" \1"),
    (r"^([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})", r"\1-\2-\3T\4:\5:\6"),
    (r"^([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})", r"\1-\2-\3T\4:\5"),
    (r"(:[0-9]{2}),([0-9]+)", r"\1.\2"),
    (rf"({_CLOCK}) ?(?:GMT|UTC) ?([-+])([0-9])(:[0-9]{{2}})?$", r"\1\20\3\4"),
    (rf"({_CLOCK}) ?(?:GMT|UTC) ?([-+][0-9]{{2}}:?[0-9]{{2}}|[-+][0-9]{{2}})$", r"\1\2"),
    *((rf"({_CLOCK}) ?(?:{names})$", rf"\1{offset}") for offset, names in _ABBREVIATIONS.items()),
    (rf"({_CLOCK}) *([-+])([0-9])$", r"\1\20\3"),
    (rf"({_CLOCK}) *([-+][0-9]{{2}}):?([0-9]{{2}})$", r"\1 \2\3"),
    (rf"({_CLOCK}) *([-+][0-9]{{2}})$", r"\1 \200"),
)
"""Patterns and what stands for them, in this order; a group's number has one digit."""


def with_offset(text: str) -> str:
    """Write the SQL of a text, in capitals, whose zone is a blank and an offset, if it has one."""
    written = f"upper({text})"
    for pattern, instead in _REWRITTEN:
        written = f"regexp_replace({written}, {literal(pattern)}, {literal(instead)})"
    return written
