"""The funnel, of those who had the time to take a step; how soon we answer; and why leads are lost or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd

from features.core.schema import CONVERTED, LOST, MACHINE
from features.language.filters import WEEKDAYS
from models.evaluation.waiting import days_until_most
from pipeline.core.project import Places
from pipeline.core.sql import Relation, identifier, literal
from pipeline.kpi.cohorts import UNKNOWN
from pipeline.kpi.leads import Clock, Sections, event_types, log_of, reached

if TYPE_CHECKING:
    from pipeline.settings.decision import DecisionPolicy

NO_REASON = "no reason given"


def steps_of(parameters: Sections) -> dict[str, str]:
    """List the steps of the funnel in their order, each with the column of leads that says when it was taken."""
    milestones = {name: reached(name) for name in parameters.episodes.milestones}
    return {**milestones, CONVERTED: "won_at"}


def times_of_steps(leads: Relation, steps: Mapping[str, str], clock: Clock, late: int) -> dict[str, int | None]:
    """Say within how many days of its creation a lead takes each step, as most do who ever do (``days_until_most``).

    Of the last days, so many as are ``late``, it is not known yet who did.
    """
    waits = ", ".join(
        f"date_diff('microsecond', created_at, {identifier(column)}) / 86400e6" for column in steps.values()
    )
    found = leads.connection.execute(
        f"SELECT date_diff('microsecond', created_at, TIMESTAMP '{clock.as_of}') / 86400e6, {waits} FROM {leads}"
    ).fetchnumpy()
    ages, *columns = (np.ma.filled(column.astype(np.float64), np.nan) for column in found.values())
    known = ages >= late
    return {
        step: days_until_most(ages[known] - late, column[known]) for step, column in zip(steps, columns, strict=True)
    }


def count_funnel(
    leads: Relation, steps: Mapping[str, str], times: Mapping[str, int | None], clock: Clock, late: int
) -> pd.DataFrame:
    """Count, by channel and over all months, who took each step: channel, step, leads, had_time, took_it, days.

    ``leads`` are all that took it, ``took_it`` those of the ones who had the time to. Where nobody can say how long a
    step takes, ``days`` is missing, and all count as having had the time. Of the ``late`` last days nobody knows yet.
    """
    parts = []
    for place, (step, column) in enumerate(steps.items()):
        days = times[step]
        ripe = "true" if days is None else f"created_at <= TIMESTAMP '{clock.as_of}' - INTERVAL {days + late} DAY"
        took = f"{identifier(column)} IS NOT NULL"
        parts.append(
            f"SELECT coalesce(channel, {literal(UNKNOWN)}) AS channel, {place} AS place, {literal(step)} AS step, "
            f"count(*) FILTER ({took}) AS leads, count(*) FILTER ({ripe}) AS had_time, "
            f"count(*) FILTER ({ripe} AND {took}) AS took_it, {'NULL' if days is None else days}::DOUBLE AS days "
            f"FROM {leads} GROUP BY ALL"
        )
    query = f"SELECT * EXCLUDE place FROM ({' UNION ALL '.join(parts)}) ORDER BY channel, place"
    frame: pd.DataFrame = leads.connection.execute(query).df()
    return frame


def count_reasons(places: Places, parameters: Sections, leads: Relation, clock: Clock) -> pd.DataFrame:
    """Count why leads were lost, or refused by sales: kind, reason, channel, step (the last they had taken), leads.

    A lead counts once a kind, by what was said last. The reason is the content of the event that says it.
    """
    refusing = [kind for fact in parameters.decision.facts.values() if fact.kind == "refuses" for kind in fact.events]
    kinds = {
        LOST: parameters.episodes.lost,
        "refused": [one for one in refusing if one not in parameters.episodes.lost],
    }
    asked = " UNION ALL ".join(
        f"SELECT {literal(kind)} AS kind, lead_id, arg_max(coalesce(content, {literal(NO_REASON)}), file_row_number) "
        f"AS reason, max(occurred_at) AS said_at FROM {log_of(places, ordered=True)} "
        f"WHERE {clock.known} AND actor <> '{MACHINE}' AND {event_types(types)} GROUP BY lead_id"
        for kind, types in kinds.items()
    )
    last = "'created'"
    for name in parameters.episodes.milestones:
        column = f"lead.{identifier(reached(name))}"
        last = f"CASE WHEN {column} <= said_at THEN {literal(name)} ELSE {last} END"
    frame: pd.DataFrame = leads.connection.execute(
        f"SELECT kind, reason, coalesce(channel, {literal(UNKNOWN)}) AS channel, {last} AS step, count(*) AS leads "
        f"FROM ({asked}) JOIN {leads} AS lead USING (lead_id) GROUP BY ALL ORDER BY kind, leads DESC, reason, "
        "channel, step"
    ).df()
    return frame


def list_hand_overs(
    places: Places, parameters: Sections, leads: Relation, connection: duckdb.DuckDBPyConnection, clock: Clock
) -> pd.DataFrame:
    """List the leads that were handed over, by lead_id: channel, month of the first hand-over, hours, due, in_time.

    ``hours`` are those to the first contact since, missing where there was none; ``due`` is whose agreed time is over,
    ``in_time`` who of them was contacted within it. No row is given where decision.work names no contacts and no
    hand-over.
    """
    policy = parameters.decision
    work = policy.work
    empty = pd.DataFrame({"channel": [], "month": [], "hours": [], "due": [], "in_time": []})
    if not work.contacts or not work.handed_over:
        return empty
    known = f"{clock.known} AND actor <> '{MACHINE}'"
    found: pd.DataFrame = connection.execute(
        "WITH handed AS (SELECT lead_id, min(occurred_at) AS handed_at "
        f"FROM {log_of(places)} WHERE {known} AND {event_types(work.handed_over)} GROUP BY lead_id), "
        "contacted AS (SELECT lead_id, min(occurred_at) AS contacted_at "
        f"FROM {log_of(places)} JOIN handed USING (lead_id) WHERE {known} AND {event_types(work.contacts)} "
        "AND occurred_at >= handed_at GROUP BY lead_id) "
        f"SELECT coalesce(lead.channel, {literal(UNKNOWN)}) AS channel, {clock.month_of('handed_at')} AS month, "
        f"date_diff('microsecond', handed_at, contacted_at) / 3600e6 AS hours, "
        f"CAST({clock.local('handed_at')} AS DATE) AS handed_on, CAST({clock.local('contacted_at')} AS DATE) AS "
        "contacted_on "
        f"FROM handed JOIN {leads} AS lead USING (lead_id) LEFT JOIN contacted USING (lead_id) ORDER BY lead_id"
    ).df()
    if found.empty:
        return empty
    due_on = _working_days_after(found["handed_on"], policy)
    today = np.datetime64(policy.day_of(clock.as_of))
    found["due"] = due_on < today
    found["in_time"] = found["due"] & (found["contacted_on"].to_numpy("datetime64[D]") <= due_on)
    return found[list(empty)]


def add_up_answers(hand_overs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Say how soon leads were contacted, by columns of ``list_hand_overs``: handed_over, median_hours, due, in_time.

    ``median_hours`` is within how many hours half of those that are due were contacted, missing where fewer than half
    ever were: of those contacted alone it would be short where most are forgotten.
    """
    if hand_overs.empty:
        return pd.DataFrame({name: [] for name in (*by, "handed_over", "median_hours", "due", "in_time")})
    of_due = hand_overs["hours"].fillna(np.inf).where(hand_overs["due"])
    parts = hand_overs.assign(of_due=of_due).groupby(list(by), sort=True)
    return parts.agg(
        handed_over=("due", "size"), median_hours=("of_due", _within_which_half), due=("due", "sum"),
        in_time=("in_time", "sum"),
    ).reset_index()  # fmt: skip


def _within_which_half(hours: pd.Series) -> float:
    """Give the shortest time within which at least half were contacted.

    >>> nan, never = np.nan, np.inf
    >>> [_within_which_half(pd.Series(hours)) for hours in ([1.0, 2.0, 9.0, never], [1.0, never, never], [nan])]
    [2.0, nan, nan]
    """
    known = np.sort(hours.dropna().to_numpy(np.float64))
    half = known[(len(known) - 1) // 2] if len(known) else np.nan
    return float(half) if np.isfinite(half) else np.nan


def _working_days_after(days: pd.Series, policy: DecisionPolicy) -> np.ndarray:
    """Give the last day on which a lead that was handed over on a day is contacted in time; none where nobody works."""
    mask = [day in policy.working_days for day in WEEKDAYS]
    if not any(mask):
        return np.full(len(days), np.datetime64("NaT"))
    result: np.ndarray = np.busday_offset(
        days.to_numpy("datetime64[D]"), policy.work.touched_within, roll="backward", weekmask=mask
    )
    return result
