"""Rows that are sums of others: a file's total, or the subtotals of its days or campaigns. They would count twice.

A row is a total only if it is called so, or says nothing where the others say what they are about, and if its amount
is the sum of what it stands for, as far as rounding lets it:

    2025-03-03  Spring       373.70
    2025-03-03  Retargeting  382.01
    2025-03-03               755.71     the sum of its day
    Total                    755.71     the sum of all

Sums are made within a file, for each has its own total. Where only one of the two is so, the row counts, and is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.core.sql import LINE_BITS, Relation, fetch_row, literal
from pipeline.reading.quarantine import TOTAL, SetAside
from pipeline.reading.texts import Columns, as_text, text
from pipeline.settings.ingest import InteractionColumns, SpendColumns
from pipeline.settings.types import Column, Constant

WORDS = (
    r"(?i)^\W*(?:(?:grand|sub|over)[- ]?total|totals?|totale|gesamt\w*|summen?|insgesamt|total g[eé]n[eé]ral|totaal|"
    r"suma|somme|overall|all (?:campaigns|channels|sources))\b.*"
)
"""How what a total is called begins."""
_SUBTOTAL = r"(?i)^(.*\S)[\s:_-]+(?:(?:grand|sub)[- ]?total|totals?|totale|gesamt|ergebnis|summe|somme|suma)\W*$"
"""How spreadsheets call the sum of what is named: ``Spring Total``."""
_NOTHING = ("", "-", "--", "\u2013", "\u2014")
_THREE = 3
_AS_A_RULE = 0.8
_NEARLY = 0.1
"""A row without a label that comes so near to the sum of all others may be the total of more than the file shows."""
Place = Callable[[int], tuple[str, int]]
"""Gives the file and the line of a row's sequence."""
LABELS = {name: name for name in ("said_day", "dimensions", "says_total")}
"""The fields that keep what tells a total."""


@dataclass(frozen=True)
class Sum:
    """What is added up: the relation of mapped rows, the column of the amount, and one that a total adds up, too."""

    mapped: Relation
    amount: str
    beside: str
    apart: str
    """What is never added up together, as SQL."""
    day: str
    is_count: bool


def labels(columns: SpendColumns | InteractionColumns, day: str, raw: Columns) -> dict[str, str]:
    """Give, as SQL over raw columns, what tells a total: what a row is about, and whether it is called a total."""
    if isinstance(columns, SpendColumns):
        parts: list[Column | None] = [columns.channel, columns.campaign, *columns.traffic().values()]
    else:
        parts = [columns.lead_id]
    said = [text(part, raw) for part in parts if part and not isinstance(part, Constant)]
    day_text = as_text(raw[day]) if raw[day].type == "VARCHAR" else f"CAST({raw[day].sql} AS VARCHAR)"
    subject = f"lower(regexp_replace(trim({{}}), {literal(_SUBTOTAL)}, '\\1'))"
    kept = ", ".join(f"CASE WHEN NOT {_is_general(one)} THEN {subject.format(one)} END" for one in said)
    called = " OR ".join(
        f"coalesce(regexp_matches({one}, {literal(pattern)}), false)"
        for one in [day_text, *said]
        for pattern in (WORDS, _SUBTOTAL)
    )
    return {
        "said_day": f"NOT {_is_general(day_text)}",
        "dimensions": f"CAST([{kept}] AS VARCHAR[])",
        "says_total": called,
    }


def find_totals(part: Sum, totals: Relation, unsure: Relation) -> None:
    """Make the tables of the sequences of rows that are sums of others, and of those that may be.

    What has no label at all is added up first; then, where that leaves a total unexplained, the rest as well.
    """
    sums = Relation(totals.connection, "sums")
    totals.make_table("SELECT NULL::BIGINT AS sequence WHERE false")
    reasons = "reason IS NULL OR reason LIKE '%day' OR reason LIKE '%occurred_at' OR reason = 'missing lead_id'"
    sums.make_table(
        f"SELECT sequence, sequence >> {LINE_BITS} AS file, {part.apart} AS apart, "
        f"{part.day} AS day, {', '.join(LABELS)}, CAST({part.amount} AS DECIMAL(38, 6)) AS amount, "
        f"CAST({part.beside} AS DECIMAL(38, 6)) AS beside, reason FROM {part.mapped} "
        f"WHERE isfinite({part.amount}) AND abs({part.amount}) < 1e15 AND ({reasons})"
    )
    general = "says_total OR NOT said_day OR len(list_filter(dimensions, lambda one: one IS NULL)) > 0"
    unit = fetch_row(
        sums.connection,
        "SELECT CASE WHEN bool_and(amount = round(amount, 0)) THEN 1 "
        "WHEN bool_and(amount = round(amount, 2)) THEN 0.01 ELSE 0.000001 END "
        f"FROM {sums}",
    )[0]
    for added in (f"NOT ({general})", f"sequence NOT IN (FROM {totals})"):
        masks = sums.connection.execute(
            f"SELECT DISTINCT said_day, list_transform(dimensions, lambda one: one IS NOT NULL) FROM {sums} "
            f"WHERE {general} ORDER BY ALL"
        ).fetchall()
        for said_day, said in masks:
            for by_day in [True, False] if said_day else [False]:
                own = [f"dimensions[{number + 1}]" for number, is_said in enumerate(said) if is_said]
                keys = ["file", "apart", *(["day"] if by_day else []), *own]
                _add_totals(totals, sums, keys, (general, said_day, said), added, 0 if part.is_count else unit)
    # What is called a total, or is one by its amount alone, may be one: it counts, and is told.
    of_file = "sum(amount) OVER (PARTITION BY file, apart)"
    unsure.make_table(
        f"SELECT sequence FROM (SELECT *, {of_file} AS all_amounts, count(*) OVER "
        f"(PARTITION BY file, apart) AS rows FROM {sums} WHERE reason IS NULL AND sequence NOT IN (FROM {totals})) "
        f"WHERE says_total OR (rows > {_THREE} AND amount > 0 AND "
        f"(({unit} < 1 AND abs(2 * amount - all_amounts) < {unit}) OR "
        f"(({general}) AND abs(2 * amount - all_amounts) < {_NEARLY} * amount)))"
    )
    sums.connection.execute(f"DROP TABLE {sums}")


def _add_totals(
    totals: Relation,
    sums: Relation,
    keys: Sequence[str],
    mask: tuple[str, bool, Sequence[bool]],
    added: str,
    unit: float,
) -> None:
    general, said_day, said = mask
    named = [f"key_{number}" for number in range(len(keys))]
    chosen = ", ".join(f"{key} AS {name}" for key, name in zip(keys, named, strict=True))
    joined = " AND ".join(f"one.{name} IS NOT DISTINCT FROM rest.{name}" for name in named)
    within = f"({added})"
    rows, total, beside = (
        f"(rest.{name} - CASE WHEN one.is_added THEN {own} ELSE 0 END)"
        for name, own in (("rows", "1"), ("amount", "one.amount"), ("beside", "coalesce(one.beside, 0)"))
    )
    # Each of the rows was rounded, and so was the sum; where rows are small, that explains no other sum.
    slack = f"greatest({0.0050001 if unit else 0}, least({unit} * (4 * sqrt({rows} / 12.0) + 1), 0.005 * abs({total})))"
    agrees = f"(one.beside IS NOT NULL AND one.beside > 0 AND abs(one.beside - {beside}) <= 0.005 * {beside} + 0.5)"
    is_sum = f"abs(one.amount - {total}) <= {slack}"
    tells = (
        f"(one.amount <> 0 OR {agrees}) AND "
        f"({rows} >= {_THREE} OR ({rows} >= 1 AND (says_total OR {agrees})) OR ({rows} = 2 AND one.beside IS NULL))"
    )
    # What is not called a total may equal the sum of its day by chance: those that are totals do so day after day.
    totals.insert(
        f"SELECT sequence FROM (SELECT sequence, says_total, {is_sum} AS is_sum, {tells} AS tells, "
        f"avg(CAST({is_sum} AS INTEGER)) OVER (PARTITION BY one.{named[0]}, says_total) AS share "
        "FROM (SELECT sequence, amount, beside, says_total, "
        f"reason IS NULL AND {within} AS is_added, {chosen} FROM {sums} WHERE ({general}) "
        f"AND said_day = {said_day} AND list_transform(dimensions, lambda one: one IS NOT NULL) = "
        f"CAST([{', '.join(map(str, said))}] AS BOOLEAN[]) AND sequence NOT IN (FROM {totals})) AS one "
        f"JOIN (SELECT {', '.join(named)}, count(*) AS rows, sum(amount) AS amount, coalesce(sum(beside), 0) AS beside "
        f"FROM (SELECT amount, beside, {chosen} FROM {sums} WHERE reason IS NULL AND {within}) GROUP BY ALL) AS rest "
        f"ON {joined}) WHERE is_sum AND tells AND (says_total OR share >= {_AS_A_RULE})"
    )


def total_warnings(name: str, set_aside: Sequence[SetAside], unsure: Relation, place: Place) -> list[str]:
    """Name the rows that were set aside as totals, and those that may be some."""
    told = [
        f"{name}: {part.first_file}, line {part.first_line}{_and_more(part.rows)}: the sum of other rows, set aside"
        for part in set_aside
        if part.reason == TOTAL
    ]
    rows, first = fetch_row(unsure.connection, f"SELECT count(*), min(sequence) FROM {unsure}")
    if rows:
        file, line = place(first)
        told.append(
            f"{name}: {file}, line {line}{_and_more(rows)}: it looks like a total of other rows, but for its amount or "
            "its labels, and counts; if it is one, take it out of the file"
        )
    return told


def _and_more(rows: int) -> str:
    return f" and {rows - 1:,} more" if rows > 1 else ""


def _is_general(said: str) -> str:
    """Say whether a text names nothing in particular: it is empty, a dash, or a word for all."""
    listed = ", ".join(map(literal, _NOTHING))
    return f"(trim(coalesce({said}, '')) IN ({listed}) OR coalesce(regexp_matches({said}, {literal(WORDS)}), false))"
