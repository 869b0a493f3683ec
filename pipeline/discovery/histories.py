"""The history of a stage, where there is one: a row for each stage that a deal or a lead came to, with its time.

It says what happened and when. The stage that is overwritten in place, and the close date that people type, are not
needed beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.core.sql import identifier, literal
from pipeline.profiling.actors import is_end, moved_by_us
from pipeline.profiling.events import Proposed, event_source
from pipeline.profiling.leads import LeadTable
from pipeline.profiling.links import Way
from pipeline.profiling.profile import Column, Profile, read_time
from pipeline.profiling.tables import HAPPENED, Tables
from pipeline.profiling.times import occurred_column
from pipeline.profiling.words import PLANNED, STAGE, SURE, has, sounds_won

_CALLED = r"histor\w*|changes?|log|logs|transitions?|moves?|flow|trail|audit|tracking|verlauf|historique|stages"
_NEARLY_ALL = 0.9
_STEPS = 1.5
"""Rows of a thing, on average: a table of deals holds hardly more than one of a contact."""


def history_source(
    tables: Tables,
    profile: Profile,
    found: Sequence[Way],
    lead: LeadTable,
    profiles: Mapping[str, Profile],
) -> Proposed | None:
    """Propose the source that reads a history of stages; None where the table is none, or no stage in it ends."""
    occurred, stage = occurred_column(profile), _stage(profile)
    if occurred is None or stage is None or not found or has(occurred.name, PLANNED):
        return None
    if stage.name != HAPPENED and not _is_history(tables, profile, found[0][0].column, occurred, stage):
        return None
    source = event_source(tables, profile, found, lead, profiles, said=stage.name)
    if "events" in source.settings["columns"]:
        return None
    source.settings["actor"] = moved_by_us(stage.values)
    source.comments.pop("actor", None)
    source.used_too.clear()
    return source


def _stage(profile: Profile) -> Column | None:
    """Find the column of stages, one of which is won; where a row names two, that which was come to."""
    if profile.table.spelled is not None:
        told = profile.columns[HAPPENED]
        return told if profile.table.spelled.fields and any(map(is_end, told.values)) else None
    stages = [
        column
        for column in profile.of_kind("category", "flag")
        if has(column.name, STAGE) and any(sounds_won(text) >= SURE for text in column.values)
    ]
    return min(
        stages,
        key=lambda column: (has(column.name, "old|from|previous|prior"), not has(column.name, "new|to|after|name")),
        default=None,
    )


def _is_history(tables: Tables, profile: Profile, of: str, occurred: Column, stage: Column) -> bool:
    """Tell a history, in which the rows of a thing follow each other to its end, from things that each have a stage."""
    things = profile.columns[of]
    if has(occurred.name, "closed?") or things.filled * profile.rows < _STEPS * things.distinct:
        return False
    at = read_time(occurred)
    ends = ", ".join(literal(text) for text in stage.values if is_end(text))
    ended = f"CAST({identifier(stage.name)} AS VARCHAR) IN ({ends})"
    ends_last, once = tables.ask_row(
        f"SELECT avg(CAST(last_end >= last AS DOUBLE)), avg(CAST(ends = 1 AS DOUBLE)) FROM (SELECT "
        f"max({at}) AS last, max({at}) FILTER ({ended}) AS last_end, count(*) FILTER ({ended}) AS ends "
        f"FROM {profile.table.relation} WHERE CAST({identifier(of)} AS VARCHAR) <> '' GROUP BY {identifier(of)}) "
        "WHERE ends > 0"
    )
    return has(profile.name, _CALLED) or min(ends_last or 0.0, once or 0.0) >= _NEARLY_ALL
