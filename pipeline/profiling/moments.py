"""The order of day and month: told by other columns of the folder, said by the user, or asked for. Never guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from features.core.errors import InputError
from pipeline.profiling.profile import Column, Profile

Ask = Callable[[str, Sequence[str], str], str]
"""Puts a question with its choices and the proposed answer to the user, and gives the answer."""


def settle_orders(profiles: Mapping[str, Profile], said: str | None, ask: Ask | None) -> dict[str, Profile]:
    """Choose one way to read each column of times.

    Where all dates of a column fit both orders, another column of its table may tell, or the user: another table comes
    from another system.
    Raises InputError where nobody does.
    """
    settled = {}
    for name, profile in profiles.items():
        told = {
            order
            for column in profile.of_kind("time")
            if not column.is_ambiguous and (order := order_of(column.formats))
        }
        order = said or (next(iter(told)) if len(told) == 1 else None)
        changed = {}
        for column in profile.columns.values():
            if column.is_ambiguous:
                order = order or _ask(name, column, ask)
                changed[column.name] = _choose(name, column, order)
        settled[name] = replace(profile, columns={**profile.columns, **changed}) if changed else profile
    return settled


def order_of(formats: Sequence[str]) -> str | None:
    """Tell which comes first in formats, day or month; None where neither does.

    >>> order_of(("%d/%m/%Y %H:%M",)), order_of(("%m/%d/%Y",)), order_of(("iso",))
    ('day', 'month', None)
    """
    for text in formats:
        for sign, order in (("%d", "day"), ("%m", "month")):
            if text.startswith(sign):
                return order
    return None


def _ask(table: str, column: Column, ask: Ask | None) -> str:
    example = column.examples[0]
    if ask is None:
        ways = " and ".join(fit.formats[0] for fit in column.fits)
        raise InputError(
            f"{table}: every date of {column.name!r} fits {ways} alike, as {example} does; "
            "say which comes first: --date-order day, or --date-order month"
        )
    answer = ask(f"Which comes first in {example} ({table}, {column.name}), day or month?", ["day", "month"], "")
    if answer not in {"day", "month"}:
        raise InputError(f"{answer!r} is neither day nor month; say which comes first: --date-order day")
    return answer


def _choose(table: str, column: Column, order: str) -> Column:
    fits = [fit for fit in column.fits if order_of(fit.formats) == order]
    if not fits:
        ways = ", ".join(fit.formats[0] for fit in column.fits)
        raise InputError(f"{table}: the dates of {column.name!r} fit {ways}, none of which has the {order} first")
    return replace(column, fits=(fits[0],))
