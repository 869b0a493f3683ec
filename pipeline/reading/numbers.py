"""Numbers as the world writes them, in SQL: 1.234,56 is read where it is said which sign does what, and never guessed.

    decimal ","  thousands "."     1.234,56 -> 1234.56     1.234 -> 1234     1.23 -> unreadable
    decimal ","  no thousands      1 234,56 -> 1234.56     1.234 -> unreadable
    decimal "."  no thousands      1 234.56 -> 1234.56     1,234 -> unreadable

Spaces may always group digits, always three by three. The sign or the code of the one currency that a table is in may
stand before or after a number.
"""

from __future__ import annotations

import re

from pipeline.core.sql import literal
from pipeline.reading.texts import Columns, is_text, trimmed
from pipeline.settings.table import Table

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


def number(name: str, column: str | None, raw: Columns, table: Table, currency: str | None = None) -> dict[str, str]:
    """Give a DOUBLE that is null where it can't be read, and whether there was anything to read.

    ``currency`` is the code whose signs may stand beside the number.
    """
    if column is None:
        return {name: "NULL::DOUBLE", f"{name}_given": "false"}
    if not is_text(raw[column]):
        sql = raw[column].sql
        return {name: f"TRY_CAST({sql} AS DOUBLE)", f"{name}_given": f"{sql} IS NOT NULL"}
    text = trimmed(raw[column])
    return {name: _read(text, table, currency), f"{name}_given": f"coalesce({text}, '') NOT IN ({_NONE})"}


def _read(text: str, table: Table, currency: str | None) -> str:
    """Read the plain form first: it is nearly all there is, and the cheapest."""
    if table.decimal == ".":
        plain = f"TRY_CAST(CASE WHEN NOT contains({text}, '_') THEN {text} END AS DOUBLE)"
    else:
        point = f"CASE WHEN NOT contains({text}, '.') AND NOT contains({text}, '_') THEN replace({text}, ',', '.') END"
        plain = f"TRY_CAST({point} AS DOUBLE)"
    # A number with other signs must be written exactly as stated; what is no part of it is then dropped.
    excess = literal(f"(?i){_beside(currency)}|[^-+0-9{table.decimal}]")
    dropped = f"replace(regexp_replace({text}, {excess}, '', 'g'), {literal(table.decimal)}, '.')"
    exact = f"TRY_CAST({dropped} AS DOUBLE)"
    written = f"regexp_full_match({text}, {literal(_grammar(table, currency))})"
    return f"CASE WHEN {plain} IS NOT NULL THEN {plain} WHEN {written} THEN {exact} END"


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
