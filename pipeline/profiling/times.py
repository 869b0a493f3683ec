"""Of several times of a row, which says when it came to be, when it happened, and when that was known.

A time at which an event reached a system lies after its occurrence in nearly all rows. Where one load brought most of a
log, long after it happened, the time of that load says nothing of when each event was known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pipeline.core.sql import identifier
from pipeline.profiling.profile import Column, Profile, Recorded, time_sql
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

LATE = rf"{CHANGED}|{PLANNED}|{CLOSED}|converted"
"""What a time is called that is not that of a row's beginning."""
_USUALLY = 0.8
_NEARLY_ALL = 0.99
_MINUTES = 5
"""How far the clocks of two systems may differ."""
_ONE_LOAD = 0.2
"""Of the rows: more than that on one day, most of them days late, were loaded at once."""
_LATE_DAYS = 7


def created_column(profile: Profile) -> str | None:
    """Find when a lead was created: a time that is always there, by its name or as the earliest."""
    times = [column for column in profile.of_kind("time") if column.filled > _USUALLY and not has(column.name, LATE)]
    best = max(times, key=lambda column: (rank(column.name, CREATED), column.filled), default=None)
    return best.name if best else None


def occurred_column(profile: Profile) -> Column | None:
    """Find when the events of a table happened."""
    return max(
        profile.of_kind("time"),
        key=lambda column: (
            column.filled > 0.5,  # noqa: PLR2004 - a time that is often missing is another matter
            not has(column.name, LATE),
            not has(column.name, rf"{KNOWN}|end|ended|finished|due"),
            not has(column.name, "original|client|device|dvce|user|previous"),
            not column.holds_days,
            rank(column.name, OCCURRED),
            column.filled,
        ),
        default=None,
    )


def judge_recorded(tables: Tables, profiles: Mapping[str, Profile]) -> dict[str, Profile]:
    """Judge of each table the times that may say when its events were known, the likeliest first."""
    return {name: _judged(tables, profile) for name, profile in profiles.items()}


def _judged(tables: Tables, profile: Profile) -> Profile:
    occurred = occurred_column(profile)
    candidates = sorted(
        (column for column in profile.of_kind("time") if occurred and _may_record(column, occurred)),
        key=lambda column: -(rank(column.name, RECORDED) or 1),
    )
    if not candidates or occurred is None:
        return profile
    judged = tuple(_judge(tables, profile, occurred, column) for column in candidates)
    notes = {one.column: replace(profile.columns[one.column], note=f"{profile.name}.{one.column} {one.said}")
             for one in judged if one.is_load}  # fmt: skip
    return replace(profile, columns={**profile.columns, **notes}, recorded=judged)


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


def _judge(tables: Tables, profile: Profile, occurred: Column, column: Column) -> Recorded:
    at, known = (time_sql(identifier(one.name), one) for one in (occurred, column))
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
    if not named and rank(column.name, CREATED) < SURE and late > (1 - _USUALLY) * rows:
        said = f"is more than a day later in {late:,} of {rows:,} rows: another step, by its values"
    elif after < (_NEARLY_ALL if named else 1.0) * rows or not rows:
        said = f"lies before the event in {rows - after:,} of {rows:,} rows"
    else:
        share = f"{late:,} of {rows:,} more than a day later" if late else "none more than a day later"
        holds, said = True, f"when it reached you, as the column says: {share}"
    return Recorded(column.name, occurred.name, holds, said)
