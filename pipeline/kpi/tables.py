"""The KPIs as tables that people ask for: by what, of which months, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from features.core.errors import InputError
from models.evaluation.money import add_up, kpis
from pipeline.core.project import written_whole
from pipeline.kpi.cohorts import ENTERED_LATE, UNKNOWN, UNMATCHED
from pipeline.kpi.compute import Kpis

if TYPE_CHECKING:
    import pandas as pd

BY = ("channel", "group", "campaign", "content", "first_touch", "last_touch", "month", "maturity")
"""What leads may be parted by; a month is that of their creation, and maturity tells how leads ripened."""
_LAST = (UNKNOWN, UNMATCHED)


def shown_months(told: Kpis, number: int) -> list[date]:
    """List the newest months in which leads were created, or money was spent, the oldest first."""
    months = sorted(told.cohorts["month"].dt.date.unique())
    # What has only just begun says nothing yet.
    begun = told.today - timedelta(days=1)
    return [month for month in months if month <= begun or month == months[0]][-number:]


def table_by(told: Kpis, by: str, months: Sequence[date] | None = None) -> pd.DataFrame:
    """Give counts, sums and KPIs of the leads that were created in some months, or in all, a row each part.

    The dearest first, months in their order; unknown origin and what no lead came from last. ``final_on`` says of a
    month from which day its figures are final, ``objective NAME`` what the KPI of that name should be. By maturity it
    is ``ripening``, with the ``share`` that took the step of those that had the time to. Raises InputError where there
    is nothing of these months.
    """
    import pandas as pd  # noqa: PLC0415 - it takes time to load

    dimension = "channel" if by == "month" else by
    rows = told.ripening if by == "maturity" else told.cohorts[told.cohorts["dimension"] == dimension]
    if by == "maturity" and rows.empty:
        raise InputError(
            "how leads ripen: the settings say nothing of it; name acts that make leads warm (decision.maturity)"
        )
    if months is not None:
        rows = rows[rows["month"].dt.date.isin(list(months))]
    if rows.empty:
        known = ", ".join(f"{one:%Y-%m}" for one in shown_months(told, 24))
        asked = "" if months is None else f" in {', '.join(f'{one:%Y-%m}' for one in months)}"
        raise InputError(f"no leads by {by}{asked}; months with leads are {known}")
    if by == "maturity":
        shares = (rows["took_it"] / rows["had_time"]).where(rows["had_time"] > 0)
        return rows.assign(share=shares).reset_index(drop=True)
    key = "month" if by == "month" else "value"
    sums = add_up(rows, [key])
    if told.proposed_since is None:
        sums = sums.drop(columns=[name for name in sums.columns if name.endswith("_first")])
    table = pd.concat([sums, kpis(sums, told.steps, told.error)], axis=1)
    if by == "month":
        table["final_on"] = [told.final_on(one.date()) for one in table["month"]]
        return table.assign(**{f"objective {name}": aim for name, aim in told.objectives.itertuples(index=False)})
    last = table["value"].map(lambda value: _LAST.index(value) + 1 if value in _LAST else 0)
    order = pd.DataFrame(
        {"last": last, "cost": -table["cost"].fillna(-1.0), "leads": -table["leads"], "by": table["value"]}
    )
    return table.loc[order.sort_values(["last", "cost", "leads", "by"]).index].reset_index(drop=True)


def total_of(told: Kpis, months: Sequence[date] | None = None) -> pd.Series:
    """Give the counts, sums and KPIs of all leads that were created in some months, or in all."""
    import pandas as pd  # noqa: PLC0415 - it takes time to load

    rows = told.cohorts[told.cohorts["dimension"] == "channel"]
    if months is not None:
        rows = rows[rows["month"].dt.date.isin(list(months))]
    sums = add_up(rows, [])
    return pd.concat([sums, kpis(sums, told.steps, told.error)], axis=1).iloc[0]


def as_cells(table: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    """Give the rows of a table as cells of a CSV: months are days, and what is missing is None."""
    days = {name: table[name].dt.date for name in table.select_dtypes("datetime")}
    shown = table.assign(**days).astype(object)
    yield from shown.where(table.notna(), None).itertuples(index=False, name=None)


def not_recorded(told: Kpis) -> list[str]:
    """Name what can't be told, for nothing in the log or the settings says it."""
    lacking = {
        "visitors": not told.has_visits,
        "spending": not told.has_spending,
        "revenue": not told.has_revenue,
        "steps": not told.steps,
        "answers": told.answers.empty,
        "reasons": told.reasons.empty,
        "ripening": told.ripening.empty,
        "proposed": told.proposed_since is None,
        "final": told.days_until_final is None,
    }
    return [name for name, lacks in lacking.items() if lacks]


def told_of(told: Kpis) -> list[str]:
    """Say what the figures rest on, and which are lacking, a line each."""
    lines = []
    if told.days_until_final is not None:
        lines.append(
            f"90 of 100 leads that convert do so within {told.days_until_final} days of their creation; a month's "
            "figures "
            f"are final so long after its end. Still expected: within {told.horizon}, of the leads that are open"
        )
    ends = (
        ("costs are entered", told.spent_until, "leads created since then have none yet"),
        ("visitors are counted", told.visited_until, "more of them seem to become leads than do"),
    )
    lines += [
        f"{what} up to {until} only: {so}"
        for what, until, so in ends
        if until is not None and told.today - until > ENTERED_LATE
    ]
    lines += [
        f"costs of {channel} end on {day}, and leads still come by it: since then they count as free"
        for channel, day in told.behind.items()
    ]
    lines += [
        f"{missing:,} of the {events:,} events {kind} have no value, and count as nothing: revenue and ROI lack them"
        for kind, (missing, events) in told.unvalued.items()
    ]
    if told.error:
        lines.append(
            f"bounds of what is expected hold chance, and that such numbers have been off by {told.error:.0%} beyond it"
        )
    elif told.error is None:
        lines.append("bounds of what is expected hold chance alone: nobody can say yet how far off the model is")
    if told.proposed_since is not None:
        lines.append(f"what was proposed (mql_first, sql_first) is known since {told.proposed_since:%Y-%m-%d}")
    return [*lines, *(_LACKING[name] for name in not_recorded(told))]


_LACKING = {
    "visitors": "not recorded: visitors that never became leads (ingest.spend: columns: visits)",
    "spending": "not recorded: what was spent (ingest.spend), so there is no cost of anything",
    "revenue": "not recorded: revenue; name the event types whose value it is (kpi: {revenue: {won: 1}})",
    "steps": "not recorded: steps between lead and customer (episodes.milestones)",
    "answers": "not recorded: how soon sales answers (decision.work: contacts and handed_over)",
    "reasons": "not recorded: why leads are lost or refused (the content of these events)",
    "ripening": "not recorded: how leads ripen; say which acts make them warm or hot (decision.maturity)",
    "proposed": "not known: what was proposed at first; leadcast score keeps it from its first night on",
    "final": "not known: from when on a month is final; the log is shorter than leads take to convert, or too few have",
}


def write_tables(told: Kpis, folder: Path) -> None:
    """Write all tables as Parquet, in place of the former ones."""
    with written_whole(folder) as temporary:
        temporary.mkdir()
        for name, table in told.tables().items():
            table.to_parquet(temporary / f"{name}.parquet", index=False)
