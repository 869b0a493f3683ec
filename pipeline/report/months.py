"""The month just over, beside the one before it: five figures, and what has moved by more than chance."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from math import isnan, nan, sqrt
from typing import TYPE_CHECKING

from pipeline.kpi.cohorts import UNMATCHED
from pipeline.kpi.compute import month_after

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.kpi.compute import Kpis

NEARLY_OVER = timedelta(days=1)
"""A log that ends so shortly before the end of a month holds it whole."""
_BEYOND_CHANCE = 3.0
"""Standard errors that the largest of some dozens of moves exceeds in fewer than one month of ten by chance."""


@dataclass(frozen=True)
class Month:
    """What a month held, of all channels; a figure that can't be told is NaN."""

    month: date
    leads: float
    won: float
    cost: float
    revenue: float
    cpl: float
    """What a new lead cost, of the channels whose cost is known."""
    cac: float
    """What a sale cost, whenever its lead came, of these channels."""


def errors_apart(now: float, before: float, month: date) -> float:
    """Say how many standard errors two counts lie apart by the day, as they come by chance, of a month and before it.

    Of a month of 28 days after one of 31, 280 are as many as 310 were; and 310 are more: 30 * 31 over the root of
    28 * 31 * 620.

    >>> errors_apart(280, 310, date(2026, 2, 1)), round(errors_apart(310, 310, date(2026, 2, 1)), 3)
    (0.0, 1.268)
    """
    days, days_before = monthrange(month.year, month.month)[1], (month - timedelta(days=1)).day
    both = now + before
    return (now * days_before - before * days) / sqrt(days * days_before * both) if both else 0.0


@dataclass(frozen=True)
class Move:
    """How many new leads, or sales, a channel had in a month and in the one before."""

    channel: str
    what: str
    month: date
    now: float
    before: float

    @property
    def errors(self) -> float:
        """How many standard errors the two lie apart by the day."""
        return errors_apart(self.now, self.before, self.month)

    @property
    def is_beyond_chance(self) -> bool:
        """Whether chance hardly explains it."""
        return abs(self.errors) >= _BEYOND_CHANCE


@dataclass(frozen=True)
class TwoMonths:
    """The newest month that is over, and the one before it; where none is over, the one that runs."""

    newest: Month
    before: Month | None
    is_over: bool
    strongest: Move | None
    """The move of a channel that lies furthest beyond chance; None where none does."""

    @classmethod
    def of(cls, told: Kpis, until: date) -> TwoMonths | None:
        """Look at the months that are known up to a day of the company's; None where there is none."""
        months = sorted(told.months["month"].dt.date.unique())
        over = [one for one in months if month_after(one) <= until + NEARLY_OVER]
        if not months:
            return None
        newest = over[-1] if over else months[-1]
        former = (newest - timedelta(days=1)).replace(day=1)
        # The first month of leads began before the log, as a rule; spending may be known of earlier ones.
        first = told.months.loc[told.months["created"] > 0, "month"].dt.date.min()
        before = _month(told, former) if over and former in months and former > first else None
        return cls(_month(told, newest), before, bool(over), _strongest(told, newest, former) if before else None)


def _of(told: Kpis, month: date) -> pd.DataFrame:
    return told.months[told.months["month"].dt.date == month]


def _month(told: Kpis, month: date) -> Month:
    rows = _of(told, month)
    cost = float(rows["cost"].sum(min_count=1))
    revenue = float(rows["revenue"].sum()) if told.has_revenue else nan
    costed = rows[rows["cost"].notna()]
    leads, won = (float(costed[name].sum()) for name in ("created", "conversions"))
    return Month(
        month,
        float(rows["created"].sum()),
        float(rows["conversions"].sum()),
        cost,
        revenue,
        cost / leads if leads else nan,
        cost / won if won else nan,
    )


def _strongest(told: Kpis, newest: date, former: date) -> Move | None:
    now, before = (_of(told, month).set_index("channel") for month in (newest, former))
    moves = [
        Move(channel, what, newest, *(float(rows[column].get(channel, 0.0)) for rows in (now, before)))
        for channel in sorted({*now.index, *before.index} - {UNMATCHED})
        for what, column in (("leads", "created"), ("won", "conversions"))
    ]
    strongest = max(moves, key=lambda move: abs(move.errors), default=None)
    return strongest if strongest and strongest.is_beyond_chance else None


def is_known(figure: float) -> bool:
    """Tell whether a figure can be told."""
    return not isnan(figure)
