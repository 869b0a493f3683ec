"""Times at which nothing happened: the stamp of a row's last change, and dates that people wrote down beforehand.

A stamp moves with whatever happens to the row, so it knows the outcome; a date that is typed may lie beyond the day on
which the export was drawn, and would move the end of the log there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pipeline.profiling.links import find_key
from pipeline.profiling.profile import Column, Kind, Profile, read_time
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
    rank,
    sounds_won,
)

_ALWAYS = 0.99
_NEARLY_ALL = 0.999
_TYPING_ERRORS = timedelta(days=30)
"""A clock's times lie together: a row that is dated this much later than nearly all others is damaged."""
_TOLERANCE = timedelta(days=1)
"""Zones may be off by this much."""
_FEWEST = 3
_HALF = 0.5
_APPOINTED = r"start\w*|begin\w*|end|ends|meeting|appointment|rendez vous|termin|cita"
_CLOSED = rf"{CLOSED}|converted"
_CHANGE = r"changed?|geandert|geaendert"


def set_stamps_apart(tables: Tables, profiles: Mapping[str, Profile]) -> tuple[dict[str, Profile], list[str]]:
    """Tell from the times of events the stamps and what is planned; gives the tables so, and what to tell the user.

    By their names, and by their values: what comes last in every row is a stamp, what lies beyond the day of the export
    was typed. A table's only time stays one: a history of changes is told by when they were made.
    """
    drawn_at = _drawn_at(tables, profiles)
    # Where only days were written, those on which rows came to be are the only ones that nobody types.
    reached = drawn_at or _last_created(tables, profiles)
    found, notes = {}, []
    for name, profile in profiles.items():
        kinds = _kinds(tables, profile, drawn_at)
        columns = {column.name: replace(column, kind=kinds[column.name]) for column in profile.of_kind("time")}
        found[name] = replace(profile, columns={**profile.columns, **columns}, drawn_at=reached)
        notes += [f"{name}.{column} is no event: {_WHY[kind]}" for column, kind in kinds.items() if kind != "time"]
    return found, notes


_WHY: Mapping[Kind, str] = {
    "stamp": "it is the time of the row's last change",
    "planned": "it is a date that people write down beforehand",
}


def _kinds(tables: Tables, profile: Profile, drawn_at: datetime | None) -> dict[str, Kind]:
    times = profile.of_kind("time")
    kinds: dict[str, Kind] = {column.name: "time" for column in times}
    created = _created(times)
    ahead = _beyond(tables, profile, times, drawn_at) if drawn_at else set()
    for column in times:
        if column is created:
            continue
        if has(column.name, PLANNED) or _is_planned_task(column, created):
            kinds[column.name] = "planned"
        elif has(column.name, CHANGED):
            kinds[column.name] = "stamp"
        elif column.name in ahead:
            kinds[column.name] = "planned"
    past = [column for column in times if kinds[column.name] != "planned"]
    if created is not None:
        kinds |= dict.fromkeys(_always_last(tables, profile, past, created), "stamp")
    kinds |= dict.fromkeys(_changes(tables, profile, times, kinds), "time")
    if times and "time" not in kinds.values():
        kept = min(times, key=lambda column: (kinds[column.name] != "stamp", -column.filled))
        kinds[kept.name] = "time"
    return kinds


def _changes(tables: Tables, profile: Profile, times: Sequence[Column], kinds: Mapping[str, Kind]) -> list[str]:
    """Find when a history's changes were made, where beside that it is only told when each was recorded."""
    left = [column for column in times if kinds[column.name] == "time"]
    if not left or any(rank(column.name, RECORDED) == 0 or rank(column.name, CREATED) > SURE for column in left):
        return []
    found = []
    for column in times:
        if kinds[column.name] != "stamp" or not has(column.name, _CHANGE) or has(column.name, "last|latest"):
            continue
        at, known = (read_time(one) for one in (column, left[0]))
        (follows,) = tables.ask_row(f"SELECT avg(CAST({known} >= {at} AS DOUBLE)) FROM {profile.table.relation}")
        found += [column.name] if column.filled >= _ALWAYS and (follows or 0.0) >= _ALWAYS else []
    return found


def _created(times: Sequence[Column]) -> Column | None:
    """Find when a row came to be, for sure."""
    named = [c for c in times if rank(c.name, CREATED) >= SURE and not has(c.name, f"{CHANGED}|{PLANNED}")]
    return max(named, key=lambda column: (rank(column.name, CREATED), column.filled), default=None)


def _is_planned_task(column: Column, created: Column | None) -> bool:
    """Tell the day on which a task is due, where its making has a time of its own (a CRM's ``ActivityDate``)."""
    return created is not None and column.holds_days and not created.holds_days and has(column.name, "activity date")


def _drawn_at(tables: Tables, profiles: Mapping[str, Profile]) -> datetime | None:
    """Tell up to when the clocks of the tables run: times with an hour, else the days on which rows were changed.

    Days are typed by people, as is the hour of an appointment.
    """
    clocks, days = [], []
    for profile in profiles.values():
        for column in profile.of_kind("time"):
            if has(column.name, f"{PLANNED}|{_APPOINTED}") or column.filled == 0:
                continue
            if not column.holds_days:
                clocks.append((profile, column))
            elif has(column.name, CHANGED):
                days.append((profile, column))
    ends = [end for profile, column in clocks or days if (end := _end(tables, profile, column)) is not None]
    return max(ends, default=None)


def _last_created(tables: Tables, profiles: Mapping[str, Profile]) -> datetime | None:
    """Tell when the last row came to be, by the day."""
    created = [(profile, _created(profile.of_kind("time"))) for profile in profiles.values()]
    ends = [_end(tables, profile, column) for profile, column in created if column is not None]
    return max((end for end in ends if end is not None), default=None)


def _end(tables: Tables, profile: Profile, column: Column) -> datetime | None:
    at = read_time(column)
    end: datetime | None
    (end,) = tables.ask_row(
        f"WITH times AS (SELECT {at} AS moment FROM {profile.table.relation}) SELECT max(moment) FROM times WHERE "
        f"moment <= (SELECT quantile_disc(moment, {_NEARLY_ALL}) FROM times) + INTERVAL {_TYPING_ERRORS.days} DAY"
    )
    return end + timedelta(days=1) if end is not None and column.holds_days else end


def _beyond(tables: Tables, profile: Profile, times: Sequence[Column], drawn_at: datetime) -> set[str]:
    """Find the columns of times of which values lie beyond the day of the export, where they are no accident."""
    typed = [
        column
        for column in times
        if (column.holds_days or has(column.name, _APPOINTED))
        and not (rank(column.name, LOST) or sounds_won(column.name) or has(column.name, _CLOSED))
    ]
    if not typed:
        return set()
    moment = drawn_at + _TOLERANCE
    later = ", ".join(f"count(*) FILTER ({read_time(c)} > TIMESTAMP '{moment}')" for c in typed)
    counts = tables.ask_row(f"SELECT {later} FROM {profile.table.relation}")
    return {
        column.name
        for column, count in zip(typed, counts, strict=True)
        if count >= max(_FEWEST, (1 - _NEARLY_ALL) * column.filled * profile.rows)
    }


def _always_last(tables: Tables, profile: Profile, times: Sequence[Column], created: Column) -> list[str]:
    """Find the times that all rows have, and that no other time of the row comes after: they move with the row."""
    always = [
        column
        for column in times
        if column is not created
        and column.filled >= _ALWAYS
        and not column.holds_days
        and not has(column.name, f"{KNOWN}|{_CLOSED}")
        and not (rank(column.name, LOST) or sounds_won(column.name) or rank(column.name, OCCURRED) >= SURE)
    ]
    # A step that all rows have reached is no stamp; where rows stand at different steps, what all have moves with them.
    differ = any(column.filled < _ALWAYS for column in times)
    if find_key(profile) is None or not always or not differ:
        return []
    at = {column.name: f"t{number}" for number, column in enumerate(times)}
    read = ", ".join(f"{read_time(column)} AS {at[column.name]}" for column in times)
    asked = []
    for column in always:
        own = at[column.name]
        later = " OR ".join(f"{at[other.name]} > {own}" for other in times if other is not column)
        asked.append(f"avg(CAST(coalesce({later}, false) AS DOUBLE)), avg(CAST({own} > {at[created.name]} AS DOUBLE))")
    shares = iter(tables.ask_row(f"SELECT {', '.join(asked)} FROM (SELECT {read} FROM {profile.table.relation})"))
    judged = zip(always, shares, shares, strict=True)
    return [column.name for column, followed, after in judged if followed <= 1 - _ALWAYS and after > _HALF]
