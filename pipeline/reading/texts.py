"""Raw values as texts and as numbers, in SQL. Texts are as they are given, but an empty one is missing.

Numbers are read as the world writes them: 1.234,56 where it is said which sign does what, and never guessed.

    decimal ","  thousands "."     1.234,56 -> 1234.56     1.234 -> 1234     1.23 -> unreadable
    decimal ","  no thousands      1 234,56 -> 1234.56     1.234 -> unreadable
    decimal "."  no thousands      1 234.56 -> 1234.56     1,234 -> unreadable

Spaces may always group digits, always three by three. The sign or the code of the one currency that a table is in may
stand before or after a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pipeline.core.sql import literal, named
from pipeline.reading import nothing
from pipeline.reading.nested import RawColumn
from pipeline.settings.table import Table
from pipeline.settings.types import Column, Constant

LARGEST_WHOLE = 2**53
"""Beyond it a DOUBLE skips whole numbers."""

Columns = Mapping[str, RawColumn]
_SIGNS = {
    "AUD": ("$", "A$", "AU$"), "BRL": ("R$",), "CAD": ("$", "C$", "CA$"), "CHF": ("Fr.", "SFr.", "Fr"),
    "CNY": ("¥", "元"), "CZK": ("Kč",), "DKK": ("kr", "kr."), "EUR": ("€",), "GBP": ("£",), "HUF": ("Ft",),
    "ILS": ("₪",), "INR": ("₹", "Rs", "Rs."), "JPY": ("¥", "円", "￥"), "KRW": ("₩",), "MXN": ("$", "MX$"),
    "NOK": ("kr", "kr."), "NZD": ("$", "NZ$"), "PLN": ("zł",), "SEK": ("kr", "kr."), "TRY": ("₺",), "UAH": ("₴",),
    "USD": ("$", "US$"), "VND": ("₫",), "ZAR": ("R",),
}  # fmt: skip
_NONE = "'', '-', '--', '\u2013', '\u2014'"
"""What stands where there is no number."""
_SPACES = " \u00a0\u202f"
_APOSTROPHES = "'\u2019"


def names(column: Column | None) -> list[str]:
    """List the raw columns that a field is made of."""
    if column is None or isinstance(column, Constant):
        return []
    return column if isinstance(column, list) else [column]


def text(column: Column | None, raw: Columns) -> str:
    """Give the text of a field; several columns are joined, skipping missing ones."""
    if column is None:
        return "NULL::VARCHAR"
    if isinstance(column, Constant):
        return literal(column.constant)
    parts = [as_text(raw[name]) for name in names(column)]
    return parts[0] if len(parts) == 1 else f"nullif(concat_ws(' ', {', '.join(parts)}), '')"


def is_text(column: RawColumn) -> bool:
    """Whether the column holds texts, or bytes that are texts."""
    return column.type in ("VARCHAR", "BLOB")


def trimmed(column: RawColumn) -> str:
    """Give a text without the spaces around it; those that don't break a line count, too."""
    return nothing.trimmed(as_text(column))


def as_text(column: RawColumn) -> str:
    """Whole numbers are written without a fraction, however they are stored: pandas turns ids into 17.0."""
    sql = column.sql
    if column.type == "VARCHAR":
        return f"nullif({sql}, '')"
    if column.type == "BLOB":
        return f"nullif(TRY(decode({sql})), '')"
    if column.type in ("FLOAT", "DOUBLE"):
        whole = f"{sql} = trunc({sql}) AND abs({sql}) <= {LARGEST_WHOLE}"
        as_number = f"CASE WHEN {whole} THEN CAST(CAST({sql} AS BIGINT) AS VARCHAR) ELSE CAST({sql} AS VARCHAR) END"
        return f"CASE WHEN NOT isnan({sql}) THEN {as_number} END"
    if column.type.startswith("DECIMAL"):
        whole = f"CAST(CAST({sql} AS HUGEINT) AS VARCHAR)"
        return f"CASE WHEN {sql} = trunc({sql}) THEN {whole} ELSE CAST({sql} AS VARCHAR) END"
    return f"CAST({sql} AS VARCHAR)"


def number(name: str, column: str | None, raw: Columns, table: Table, currency: str | None = None) -> dict[str, str]:
    """Give a DOUBLE that is null where it can't be read, and whether there was anything to read.

    ``currency`` is the code whose signs may stand beside the number.
    """
    if column is None:
        return {name: "NULL::DOUBLE", f"{name}_given": "false"}
    if not is_text(raw[column]):
        sql = raw[column].sql
        return {name: f"TRY_CAST({sql} AS DOUBLE)", f"{name}_given": f"{sql} IS NOT NULL"}
    return {
        name: _read(as_text(raw[column]), trimmed(raw[column]), table, currency),
        f"{name}_given": f"coalesce({trimmed(raw[column])}, '') NOT IN ({_NONE})",
    }


def _read(text: str, without_spaces: str, table: Table, currency: str | None) -> str:
    """Read the plain form first, as it stands: it is nearly all there is, and the cheapest."""
    # A number with other signs must be written exactly as stated; what is no part of it is then dropped.
    excess = literal(f"(?i){_beside(currency)}|[^-+0-9{table.decimal}]")
    dropped = f"replace(regexp_replace(written, {excess}, '', 'g'), {literal(table.decimal)}, '.')"
    is_exact = f"regexp_full_match(written, {literal(_grammar(table, currency))})"
    exact = f"CASE WHEN {is_exact} THEN TRY_CAST({dropped} AS DOUBLE) END"
    carefully = named("written", without_spaces, f"coalesce({_plain('written', table)}, {exact})")
    return f"coalesce({_plain(text, table)}, {carefully})"


def _plain(text: str, table: Table) -> str:
    if table.decimal == ".":
        return f"TRY_CAST(CASE WHEN NOT contains({text}, '_') THEN {text} END AS DOUBLE)"
    point = f"CASE WHEN NOT contains({text}, '.') AND NOT contains({text}, '_') THEN replace({text}, ',', '.') END"
    return f"TRY_CAST({point} AS DOUBLE)"


def _grammar(table: Table, currency: str | None) -> str:
    grouping = [f"[{_SPACES}]"]
    if table.thousands:
        grouping.append(f"[{_APOSTROPHES if table.thousands == chr(39) else re.escape(table.thousands)}]")
    whole = "|".join([*(f"[0-9]{{1,3}}(?:{sign}[0-9]{{3}})+" for sign in grouping), "[0-9]+"])
    digits = f"(?:{whole})(?:{re.escape(table.decimal)}[0-9]*)?"
    beside = _beside(currency)
    return f"(?i)[-+]?(?:(?:{beside})[{_SPACES}]?)?[-+]?{digits}(?:[{_SPACES}]?(?:{beside}))?"


def _beside(currency: str | None) -> str:
    """Write what may stand beside a number as a regular expression; without a currency, something that never is."""
    if currency is None:
        return r"\z."
    signs = sorted((currency, *_SIGNS.get(currency, ())), key=len, reverse=True)
    return "|".join(map(re.escape, signs))


MIDNIGHT = r"[ T]+0?0[:.]00([:.]00([.,]0+)?)?"
"""The hour that programs write behind a day without one."""
NO_DAY_OF_HOUR = r"(1899-12-3[01]|1900-01-0[01]|3[01][./]12[./]1899|12/3[01]/1899|0?[01][./]0?1[./]1900)[ T]+"
"""The day that databases and spreadsheets write before an hour of no day."""

PART_OF_DAY = r"0?[.,][0-9]|0?,[0-9]{2}|0?[.][6-9][0-9]|0?[.,][0-9]{3,}"
"""An hour as a part of its day, as spreadsheets hold it; 0.30 may be half past midnight, too."""


def with_hour(day: str, hour: str) -> str:
    """Write the SQL of a day and its hour as one text; a day without an hour stays a day, an hour alone is nothing.

    Of bare numbers the zero in front, which programs drop, is put back, and a part of a day becomes its clock.
    """
    tidy = f"nullif(trim(regexp_replace(CAST({hour} AS VARCHAR), {literal('^' + NO_DAY_OF_HOUR)}, '')), '')"
    seconds = "trunc(least(86400 * CAST(part AS DOUBLE) + 0.5, 86399))"
    clock = f"CASE WHEN part <> '' THEN strftime(TIMESTAMP '1970-01-01' + to_seconds({seconds}), '%H:%M:%S') END"
    part = f"CASE WHEN regexp_full_match(hour, {literal(PART_OF_DAY)}) THEN replace(hour, ',', '.') END"
    whole = "regexp_extract(hour, '^([0-9]{1,6})([.]0)?$', 1)"
    padded = f"if(length({whole}) % 2 = 1, '0', '') || {whole}"
    written = (
        f"CASE WHEN {whole} <> '' THEN CASE WHEN ltrim({whole}, '0') <> '' THEN {padded} END "
        f"ELSE coalesce({named('part', part, clock)}, hour) END"
    )
    tidy = named("hour", tidy, written)
    bare = f"nullif(trim(regexp_replace(CAST({day} AS VARCHAR), {literal(MIDNIGHT + '$')}, '')), '')"
    return f"({bare} || coalesce(' ' || {tidy}, ''))"


def says_left_out(words: Mapping[str, Sequence[str]], columns: Mapping[str, str]) -> str:
    """Write the condition that a row does not count, by the words of some columns; ``columns`` are their SQL."""
    return " OR ".join(
        f"trim(CAST({columns[name]} AS VARCHAR)) IN ({', '.join(map(literal, listed))})"
        for name, listed in words.items()
        if listed
    )


def shape(text: str) -> str:
    """Give the form of a text without what it says.

    >>> shape("3-Apr-2026 at 10")
    '9-aaa-9999 aa 99'
    """
    return text.translate(_FORMS)


class _Forms(dict[int, str]):
    """What stands for each letter and each digit, by its code; all else stands for itself."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        self[code] = "9" if letter.isdecimal() else "a" if re.match(r"[^\W\d_]", letter) else letter
        return self[code]


_FORMS = _Forms()


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


_MONTHS = {
    "JAN": "JAN(?:V|VIER|UAR|NER|UARI|EIRO|UARY)?|JAENNER|ENE(?:RO)?|GEN(?:NAIO)?",
    "FEB": "FEB(?:R|RUAR|RUARI|RERO|BRAIO|RUARY)?|FEV(?:R|RIER|EREIRO)?",
    "MAR": "MAR(?:Z|S|ZO|CO|CH)?|MRZ|MAERZ|MRT|MAART",
    "APR": "APR(?:IL|ILE)?|AVR(?:IL)?|ABR(?:IL)?",
    "MAY": "MA(?:I|Y|YO|IO|G|GGIO)|MEI",
    "JUN": "JU(?:N|IN|NI|NIO|NHO|NE)|GIU(?:GNO)?",
    "JUL": "JUI?L(?:LET|I|IO|HO|Y)?|LUG(?:LIO)?",
    "AUG": "AUG(?:UST|USTUS)?|AOUT|AGO(?:STO)?",
    "SEP": "SEP(?:T|TEMBRE|TEMBER|TIEMBRE)?|SET(?:IEMBRE|T|TEMBRE|EMBRO)?",
    "OCT": "O[CK]T(?:OBRE|OBER|UBRE)?|OTT(?:OBRE)?|OUT(?:UBRO)?",
    "NOV": "NOV(?:EMBRE|EMBER|IEMBRE|EMBRO)?",
    "DEC": "D[EI][CZ](?:EMBRE|EMBER|IEMBRE|EMBRO)?",
}
"""The months in English, German, French, Spanish, Italian, Dutch and Portuguese, without accents."""
_MONTH = "|".join(_MONTHS)
_IN_ENGLISH = (
    ("[ \u00a0\u202f]+", " "),
    (r"^LE ", ""),
    # What stands before a day is one of the week: mar. 3 mars.
    (r"^[A-Z]{2,11}[.,]* ([0-9]{1,2}[-/. ])", r"\1"),
    *((rf"\b(?:{names})\b[.]?", month) for month, names in _MONTHS.items()),
    (rf"^([0-9]{{1,2}})(?:[.]|ER|º|O)? (?:DE |DI )?({_MONTH})\b", r"\1 \2"),
    (rf"\b({_MONTH})[,]? (?:DE |DEL )?([0-9]{{4}})", r"\1 \2"),
    (r"[,]? (?:UM|A|A LAS|ALLE|ORE|ALLE ORE|OM|AS|-) ([0-9]{1,2} ?[:.H])", r" \1"),
    (rf"({_MONTH}) ([0-9]{{4}}),? ([0-9]{{1,2}})[.]([0-9]{{2}})$", r"\1 \2 \3:\4"),
    (r" ([0-9]{1,2}) ?H ?([0-9]{2})\b", r" \1:\2"),
    (r"([0-9]) ?(?:UHR|HRS|H)$", r"\1"),
    (r"([0-9]) ?([AP])[.]? ?M[.]?$", r"\1 \2M"),
)


def in_english(text: str) -> str:
    """Write the SQL of a time, in capitals, with the English month, without the day of the week, and a plain clock."""
    written = f"strip_accents(upper({text}))"
    for pattern, instead in _IN_ENGLISH:
        written = f"regexp_replace({written}, {literal(pattern)}, {literal(instead)})"
    return written
