"""All KPIs of a moment: what is counted, and what can't be told with the reason why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from features.core.errors import SettingsError
from features.core.schema import CONVERTED, MACHINE
from features.core.time import format_duration
from models.core.horizons import PROBABILITY
from models.evaluation.attribution import attribute
from models.evaluation.money import add_up, with_costed
from pipeline.core.project import Project, require
from pipeline.core.sql import Relation, connect, fetch_row
from pipeline.kpi import cohorts, funnel, kept, leads, months, ripening, touches
from pipeline.kpi.leads import Clock, event_types, log_of
from pipeline.settings.ingest import Ingest
from pipeline.settings.run import Run
from pipeline.settings.timeline import Snapshots

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_SPILL = "data/.tmp/spill-kpi"
_OPPOSITE = 0.5


class Sections(leads.Sections, Protocol):
    """The sections of the settings that are asked for here."""

    ingest: Ingest
    run: Run
    snapshots: Snapshots


@dataclass(frozen=True)
class Kpis:
    """What is counted at a moment (UTC); money is in ``ingest.currency``, months are the company's.

    ``cohorts`` is as ``count_cohorts`` has it, with the groups of channels as a dimension of their own, ``months`` as
    ``count_months``, ``attribution`` as ``attribute``, ``funnel`` as ``count_funnel``, ``reasons`` as
    ``count_reasons``, ``hand_overs`` as ``list_hand_overs``, ``ripening`` and ``ripening_acts`` as
    ``measure_ripening``.
    """

    as_of: datetime
    today: date
    """The company's day of that moment."""
    horizon: str
    """How far ahead conversions are expected, as in 90d."""
    steps: tuple[str, ...]
    """The columns of the milestones, in the order of the funnel."""
    cohorts: pd.DataFrame
    months: pd.DataFrame
    attribution: pd.DataFrame
    funnel: pd.DataFrame
    reasons: pd.DataFrame
    hand_overs: pd.DataFrame
    """A row a lead, which names none: what is told of several months follows from no figures of each."""
    ripening: pd.DataFrame
    ripening_acts: pd.DataFrame
    objectives: pd.DataFrame
    """What a month should bring, all channels together (``kpi.targets``): kpi, objective."""
    error: float | None
    """By which part of itself what is expected of a channel has been off beyond chance; None where nobody can say."""
    error_soon: float | None
    """The same of the model's own horizon."""
    late: int
    """How many days ago the last sales that are known were made: they may be read later than the log, or told late."""
    days_until_final: int | None
    """Within how many days of their creation leads convert, as most do who ever do; None where nobody can say."""
    proposed_since: datetime | None
    """Since when there is a history of what was proposed; None without one."""
    has_revenue: bool
    has_spending: bool
    has_visits: bool
    spent_until: date | None
    """The last day for which spending was entered, up to the moment; None without any."""
    visited_until: date | None
    """The last day for which visitors were counted."""
    behind: Mapping[str, date]
    """The last day of each channel whose costs end long before those of others, though leads still come by it."""
    unvalued: Mapping[str, tuple[int, int]]
    """By type of revenue, how many of its events have no value, of how many; those that all have one are left out."""

    @property
    def answers(self) -> pd.DataFrame:
        """How soon sales answers, by channel and month of the hand-over, as ``add_up_answers`` has it."""
        return funnel.add_up_answers(self.hand_overs, ["channel", "month"])

    def tables(self) -> dict[str, pd.DataFrame]:
        """Give what is written to data/kpi, by name."""
        names = (
            "cohorts", "months", "attribution", "funnel", "reasons", "answers", "ripening", "ripening_acts",
            "objectives",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def final_on(self, month: date) -> date | None:
        """Say from which day the figures of the leads that were created in a month are final."""
        if self.days_until_final is None:
            return None
        return month_after(month) + timedelta(days=self.days_until_final + self.late)


def month_after(month: date) -> date:
    """Give the first of the month after that of a day.

    >>> month_after(date(2026, 12, 1)), month_after(date(2026, 1, 31))
    (datetime.date(2027, 1, 1), datetime.date(2026, 2, 1))
    """
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def compute(
    project: Project[Sections],
    recommendations: Path,
    as_of: datetime,
    proposed: pa.Table | None = None,
    sales_until: datetime | None = None,
) -> Kpis:
    """Compute all KPIs of what was known at ``as_of`` (UTC).

    ``recommendations`` holds the probabilities of the leads that were open then. ``proposed`` is the history of what
    was first recommended: lead_id, mql_on, sql_on (times in UTC, missing where never). ``sales_until`` is up to when
    sales are known, where that is less far than the log (UTC). Raises InputError where a stage has not run,
    SettingsError where kpi.revenue counts refunds as income.
    """
    parameters = project.parameters
    require(project.interactions, project.leads, project.spend, recommendations)
    clock = Clock(as_of, parameters.decision.time_zone)
    day_of = parameters.decision.day_of
    late = (day_of(as_of) - day_of(min(as_of, sales_until or as_of))).days
    # One thread, for sums of fractions must not depend on who comes first.
    with connect(parameters.run.memory_limit, project.root / _SPILL) as connection:
        connection.execute("SET threads = 1")
        unvalued = _judge_revenue(project, connection, clock)
        farthest, horizon = cohorts.farthest_of(recommendations, parameters.snapshots.horizon)
        table = leads.make_leads(project, parameters, connection, clock)
        expected = cohorts.make_expected(connection, recommendations, farthest)
        spending = cohorts.make_spending(connection, project, parameters.kpi, clock)
        milestones = list(parameters.episodes.milestones)
        with Relation(connection, "kpi_proposed").show(proposed if proposed is not None else _NOTHING) as history:
            counted = cohorts.count_cohorts(table, expected, milestones, history if proposed is not None else None)
        steps = funnel.steps_of(parameters)
        times = funnel.times_of_steps(table, steps, clock, late)
        error = kept.measure_error(project, table, clock, farthest, horizon)
        error_soon = kept.measure_error(project, table, clock, PROBABILITY, parameters.snapshots.horizon)
        ripened = ripening.measure_ripening(project, parameters, table, clock, horizon)
        conversions = touches.read_conversions(project, parameters, connection, clock)
        attributed = attribute(
            conversions,
            touches.read_touches(project, parameters, connection, clock),
            unknown=cohorts.UNKNOWN,
            direct=parameters.kpi.direct,
            half_life=parameters.kpi.half_life,
        )
        last = ", ".join(f"max(day) FILTER ({column} IS NOT NULL)" for column in ("cost", "visits"))
        spent_until, visited_until = fetch_row(connection, f"SELECT {last} FROM {spending}")
        return Kpis(
            as_of,
            day_of(as_of),
            format_duration(horizon),
            tuple(leads.reached(name) for name in milestones),
            with_groups(with_costed(counted), parameters.kpi.groups),
            months.count_months(project, parameters, table, spending, clock),
            attributed,
            funnel.count_funnel(table, steps, times, clock, late),
            funnel.count_reasons(project, parameters, table, clock),
            funnel.list_hand_overs(project, parameters, table, connection, clock),
            ripened.steps,
            ripened.acts,
            _objectives(parameters.kpi.targets),
            error,
            error_soon,
            late,
            times[CONVERTED],
            _since(proposed),
            has_revenue=bool(parameters.kpi.revenue),
            has_spending=bool(counted["cost"].notna().any()),
            has_visits=bool(counted["visits"].notna().any()),
            spent_until=spent_until,
            visited_until=visited_until,
            behind=cohorts.find_behind(table, spending, clock),
            unvalued=unvalued,
        )


def _objectives(targets: Mapping[str, float]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - it takes time to load

    return pd.DataFrame(
        {"kpi": pd.Series(list(targets), dtype=str), "objective": pd.Series(targets.values(), dtype=float)}
    )


_NOTHING = pa.table({"lead_id": pa.array([], pa.string())})


def with_groups(counted: pd.DataFrame, groups: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Add the groups of channels as a dimension: a channel that is in several counts in each, one in none nowhere."""
    import pandas as pd  # noqa: PLC0415 - it takes time to load

    channels = counted[counted["dimension"] == "channel"]
    parts = [counted]
    for group, members in groups.items():
        known = {member.casefold() for member in members}
        rows = channels[channels["value"].str.casefold().isin(known)]
        if rows.empty:
            continue
        parts.append(add_up(rows, ["month"]).assign(dimension="group", value=group)[counted.columns])
    return pd.concat(parts, ignore_index=True)


def _since(proposed: pa.Table | None) -> datetime | None:
    if proposed is None or not len(proposed):
        return None
    import pyarrow.compute as pc  # noqa: PLC0415 - only here

    first = [pc.min(proposed[name]).as_py() for name in ("mql_on", "sql_on")]
    known = [one for one in first if one is not None]
    return min(known) if known else None


def _judge_revenue(
    project: Project[Sections], connection: duckdb.DuckDBPyConnection, clock: Clock
) -> dict[str, tuple[int, int]]:
    """Count the events of each type of kpi.revenue that have no value, where some have none, beside all of it.

    Raises SettingsError where it would count what was given back as earned, which is a factor below 0 of values below
    0; and where it names a type that the log does not have, or whose values it lacks.
    """
    unvalued = {}
    for kind, factor in project.parameters.kpi.revenue.items():
        row = connection.execute(
            f"SELECT count(*), count(value), count(*) FILTER (value < 0) FROM {log_of(project)} "
            f"WHERE {clock.known} AND actor <> '{MACHINE}' AND {event_types([kind])}"
        ).fetchone()
        events, valued, below = row or (0, 0, 0)
        if not valued:
            had = "none of them has a value" if events else "the log has no event of that type"
            raise SettingsError(f"kpi.revenue: {kind}: {had}; name event types whose column value says what was paid")
        if factor < 0.0 and below > _OPPOSITE * valued:
            raise SettingsError(
                f"kpi.revenue: {kind}: {factor:g}, but {below:,} of its {valued:,} values are below 0 already, so that "
                f"what was given back would count as earned; write {kind}: {-factor:g}"
            )
        if valued < events:
            unvalued[kind] = (events - valued, events)
    return unvalued
