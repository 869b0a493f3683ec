"""Of several times of a row, which says when it came to be, when it happened, and when that was known.

A time at which an event reached a system lies after its occurrence in nearly all rows. Where one load brought most of a
log, long after it happened, the time of that load says nothing of when each event was known. Beside the
time of an end, even the creation of a row may say when that was recorded, where it always follows the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from features.core.errors import InputError
from pipeline.profiling.profile import Column, Profile, Recorded, read_time
from pipeline.profiling.tables import Tables
from pipeline.profiling.words import (
    CHANGED,
    CLOSED,
    CREATED,
    KNOWN,
    LOST,
    OCCURRED,
    PLANNED,
    RECORDED,
    SURE,
    has,
    is_called_time,
    rank,
    sounds_won,
)

Ask = Callable[[str, Sequence[str], str], str]
"""Puts a question with its choices and the proposed answer to the user, and gives the answer."""

LATE = rf"{CHANGED}|{PLANNED}|{CLOSED}|converted"
"""What a time is called that is not that of a row's beginning."""
_ENDED = rf"{CLOSED}|convert(?:ed|ion)|end|ended|decided|decision|signed|finished|resolved|outcome"
"""What a time is called at which something was over."""
_TASKS = (
    r"activit(?:y|ies)|tasks?|to ?dos?|follow ?ups?|"
    r"aktivitat(?:en)?|aufgaben?|activites?|taches?|actividad(?:es)?|tareas?"
)
"""What a table is called of what we mean to do, and did."""
_DONE = (
    r"done|completed?|completion|erledigt|abgeschlossen|terminee?|effectuee?|realizad[oa]|completad[oa]|concluid[oa]"
)
"""What the time is called at which a task was done."""
_A_STEP = r"delivered|delivery|published"
"""Words of a reception that are, after an end, rather the next step."""
_WRITTEN = r"added|noted|saved|stored|reported"
"""Words that say, of an end, when it was written down, if the values agree."""
PAID = (
    r"orders?|charges?|payments?|bookings?|reservations?|sales?|purchases?|transactions?|invoices?|commandes?|"
    r"paiements?|rechnung(?:en)?|factures?|facturas?|bestellung(?:en)?|buchung(?:en)?|zahlung(?:en)?|pedidos?|pagos?"
)
"""What a table is called whose rows are written when it is sold: a deal may be begun long before."""
_USUALLY = 0.8
_HALF = 0.5
_NEARLY_ALL = 0.99
_MINUTES = 5
"""How far the clocks of two systems may differ."""
_ONE_LOAD = 0.2
"""Of the rows: more than that on one day, most of them days late, were loaded at once."""
_LATE_DAYS = 7


def created_column(profile: Profile) -> str | None:
    """Find when a lead was created: a time that is always there, by its name or as the earliest."""
    recorded = recordings(profile)
    times = [
        column
        for column in profile.of_kind("time")
        if column.filled > _USUALLY and not has(column.name, LATE) and column.name not in recorded
    ]
    best = max(times, key=lambda column: (rank(column.name, CREATED), column.filled), default=None)
    return best.name if best else None


def occurred_column(profile: Profile) -> Column | None:
    """Find when the events of a table happened."""
    recorded = recordings(profile)
    are_acts = has(profile.name, _TASKS)
    return max(
        (column for column in profile.of_kind("time") if column.name not in recorded),
        key=lambda column: (
            column.filled > 0.5,  # noqa: PLR2004 - a time that is often missing is another matter
            not has(column.name, LATE),
            not has(column.name, rf"{KNOWN}|end|ended|finished|due"),
            not has(column.name, "original|client|device|dvce|user|previous"),
            not column.holds_days,
            # What somebody noted to do has happened once it was done, and may never be.
            are_acts and has(column.name, _DONE),
            rank(column.name, OCCURRED),
            column.filled,
        ),
        default=None,
    )


def recordings(profile: Profile) -> set[str]:
    """Name the times at which it was only written down how something had ended: no event of its own."""
    return {one.column for one in profile.recorded if one.of_end and (one.holds or one.is_load)}


def judge_recorded(tables: Tables, profiles: Mapping[str, Profile]) -> dict[str, Profile]:
    """Judge of each table the times that may say when its events were known, the likeliest first."""
    return {name: _judged(tables, profile) for name, profile in profiles.items()}


def _judged(tables: Tables, profile: Profile) -> Profile:
    occurred, times = occurred_column(profile), profile.of_kind("time")
    if occurred is None:
        return profile
    likeliest = sorted(times, key=lambda column: -(rank(column.name, RECORDED) or 1))
    judged = [_judge(tables, profile, occurred, one) for one in likeliest if _may_record(one, occurred)]
    for ended in (column for column in times if column is not occurred and _is_end(column.name)):
        found = [_judge_end(tables, profile, ended, one) for one in likeliest if _may_record_end(one, ended)]
        judged += [one for one in found if one.holds or one.is_load]
    if not judged:
        return profile
    notes = {one.column: replace(profile.columns[one.column], note=f"{profile.name}.{one.column} {one.said}")
             for one in judged if one.is_load}  # fmt: skip
    return replace(profile, columns={**profile.columns, **notes}, recorded=tuple(judged))


def _is_end(name: str) -> bool:
    """Tell the time of an end, or of a change: one that moves with its row is no time here any more, but a stamp."""
    return not has(name, PLANNED) and bool(has(name, f"{_ENDED}|{CHANGED}") or sounds_won(name) or rank(name, LOST))


def _may_record_end(column: Column, ended: Column) -> bool:
    """Tell what may say when an end was written down: also the creation of the row, if its values agree."""
    if column.name == ended.name or _is_end(column.name) or has(column.name, f"{PLANNED}|{_A_STEP}"):
        return False
    return rank(column.name, RECORDED) > 0 or _is_created(column) or _is_nameless(column, ended)


def _is_created(column: Column) -> bool:
    called = rank(column.name, CREATED) > SURE or has(column.name, _WRITTEN)
    return called and not has(column.name, "user|first")


def _judge_end(tables: Tables, profile: Profile, ended: Column, column: Column) -> Recorded:
    """Judge what may say when an end was written down; a creation must follow it always, and mostly by some time."""
    created = rank(column.name, RECORDED) == 0 and _is_created(column)
    if created:
        at, known = (read_time(one) for one in (ended, column))
        over = " + INTERVAL 1 DAY" if ended.holds_days else ""
        (later,) = tables.ask_row(
            f"SELECT avg(CAST(known > ended{over} AS DOUBLE)) FROM "
            f"(SELECT {at} AS ended, {known} AS known FROM {profile.table.relation})"
        )
        if (later or 0.0) < _HALF:
            return Recorded(column.name, ended.name, holds=False, said="does not follow the end")
    # Of a day, its end counts: what ended at noon was not recorded at midnight before.
    over = " + INTERVAL 1 DAY" if column.holds_days else ""
    return replace(_judge(tables, profile, ended, column, over, created=created), of_end=True)


def _may_record(column: Column, occurred: Column) -> bool:
    """Tell a time of reception by its name, or the creation of a row about what is said to have happened elsewhere."""
    if column.name == occurred.name or column.filled < _NEARLY_ALL * occurred.filled:
        return False
    if rank(column.name, RECORDED) > 0:
        return True
    created = rank(column.name, CREATED) >= SURE and not has(column.name, "user|first")
    return (created and rank(occurred.name, OCCURRED) > SURE) or _is_nameless(column, occurred)


def _is_nameless(column: Column, occurred: Column) -> bool:
    """Tell a time whose name says nothing, beside one that is just called a date: then its values must say it."""
    named = is_called_time(column.name) or sounds_won(column.name) or rank(column.name, LOST) or has(column.name, LATE)
    return not named and not column.holds_days and rank(occurred.name, OCCURRED) > 0


def _judge(
    tables: Tables, profile: Profile, occurred: Column, column: Column, over: str = "", *, created: bool = False
) -> Recorded:
    at, known = (read_time(one) for one in (occurred, column))
    known += over
    rows, after, late, one_day, long_late, latest = tables.ask_row(
        f"WITH moments AS (SELECT {at} AS happened, {known} AS known FROM {profile.table.relation}), "
        "day AS (SELECT CAST(known AS DATE) AS day FROM moments WHERE known IS NOT NULL GROUP BY 1 "
        "ORDER BY count(*) DESC, 1 LIMIT 1) SELECT count(*), "
        f"count(*) FILTER (known >= happened - INTERVAL {_MINUTES} MINUTE), "
        "count(*) FILTER (known > happened + INTERVAL 1 DAY), "
        "count(*) FILTER (CAST(known AS DATE) = day), "
        f"count(*) FILTER (CAST(known AS DATE) = day AND known > happened + INTERVAL {_LATE_DAYS} DAY), any_value(day) "
        "FROM moments, day WHERE happened IS NOT NULL AND known IS NOT NULL"
    )
    named = rank(column.name, RECORDED) > 0
    if one_day > _ONE_LOAD * rows and long_late > one_day / 2:
        said = (
            f"is the time of one load: {one_day:,} of {rows:,} rows came on {latest}, {long_late:,} of them more than "
            f"{_LATE_DAYS} days late; it does not say when each event was known"
        )
        return Recorded(column.name, occurred.name, holds=False, said=said, is_load=True)
    holds = False
    if not (named or created or rank(column.name, CREATED) >= SURE) and late > (1 - _USUALLY) * rows:
        said = f"is more than a day later in {late:,} of {rows:,} rows: another step, by its values"
    elif after < (_NEARLY_ALL if named else 1.0) * rows or not rows:
        said = f"lies before the event in {rows - after:,} of {rows:,} rows"
    else:
        share = f"{late:,} of {rows:,} more than a day later" if late else "none more than a day later"
        holds, said = True, f"when it reached you, as the column says: {share}"
    return Recorded(column.name, occurred.name, holds, said)


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
                order = order or _ask_order(name, column, ask)
                changed[column.name] = _choose_order(name, column, order)
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


def _ask_order(table: str, column: Column, ask: Ask | None) -> str:
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


def _choose_order(table: str, column: Column, order: str) -> Column:
    fits = [fit for fit in column.fits if order_of(fit.formats) == order]
    if not fits:
        ways = ", ".join(fit.formats[0] for fit in column.fits)
        raise InputError(f"{table}: the dates of {column.name!r} fit {ways}, none of which has the {order} first")
    return replace(column, fits=(fits[0],))
