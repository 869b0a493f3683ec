"""Columns and event types that know the outcome: they foretell it too well, or never stand beside one.

An attribute has no time: whether it was written before the outcome or after shows in nothing but what it tells. An
event has one, so that being good is no offence; one that leads have only as long as nothing has happened is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.core.verdicts import Verdict, found
from models.evaluation.intervals import NORMAL_QUANTILE
from models.evaluation.metrics import Estimate
from models.evaluation.written import FEWEST, MOST_LEVELS, SUSPECT, number_levels, rates_of

NOT_BY_CHANCE = 0.75
"""Where its interval begins below it, chance may have helped."""
NEVER = 0.01
"""As many leads that don't convert, to one that does, are those of a column that is filled at the conversion alone."""
STRATA = 10

Kind = Literal["number", "category"]


def columns_that_know(
    values: Mapping[str, pd.Series], kinds: Mapping[str, Kind], converted: NDArray[np.bool_], created_at: pd.Series
) -> Iterator[Verdict]:
    """Accuse the attributes of leads that alone tell who converts; all columns have the shape (leads,)."""
    for name, column in values.items():
        auc = auc_alone(column, kinds[name], converted, created_at)
        filled = column.notna().to_numpy(dtype=bool)
        wins, fails = int(converted[filled].sum()), int((~converted)[filled].sum())
        if wins >= FEWEST and fails <= NEVER * wins and not filled.all():
            yield found(
                "column_knows_outcome",
                f"{name} is filled for {wins:,} leads that converted, and for {fails:,} others: so it was most likely "
                "written at the conversion",
                subject=name,
            )
            continue
        if auc is None or auc.value < SUSPECT:
            continue
        yield found(
            "column_knows_outcome",
            f"alone {name} has an AUC of {auc.value:.2f} ({auc.low:.2f} to {auc.high:.2f}) among leads of the same "
            f"time, where honest attributes stay below {SUSPECT}: so it was most likely written after the outcome",
            subject=name,
            severity="wrong" if auc.low >= NOT_BY_CHANCE else "doubtful",
        )


def auc_alone(column: pd.Series, kind: Kind, converted: NDArray[np.bool_], created_at: pd.Series) -> Estimate | None:
    """Say how well a column alone tells who converts, among leads that were created at about the same time.

    Within tenths of the leads by their creation, so that what changes with the calendar, as prices do, is not taken
    for knowledge where the share that converts changes with it, too. Rates of levels are taken from every other lead
    and measured on the rest, so that many levels prove nothing; numbers may also be good by their order, in either
    direction. None where too few leads are of either kind. The interval is that of Hanley & McNeil (1982).
    """
    if min(converted.sum(), (~converted).sum()) < FEWEST:
        return None
    stratum = ((created_at.rank(method="first").to_numpy() - 1) * STRATA // len(converted)).astype(np.int64)
    learning = np.arange(len(converted)) % 2 == 0
    levels = number_levels(column, is_number=kind == "number")
    estimates = []
    if levels.max(initial=0) <= MOST_LEVELS:
        rates = rates_of(levels, converted, learning.astype(np.float64))
        rest = ~learning
        estimates.append(_auc_within(rates[levels[rest]], converted[rest], stratum[rest]))
    if kind == "number":
        numbers = pd.to_numeric(column, errors="coerce")
        if numbers.notna().any():
            for missing in (numbers.min() - 1, numbers.max() + 1):
                order = numbers.fillna(missing).to_numpy(np.float64)
                estimates += [_auc_within(one, converted, stratum) for one in (order, -order)]
    return max((one for one in estimates if one is not None), key=lambda one: one.value, default=None)


def _auc_within(
    scores: NDArray[np.float64], converted: NDArray[np.bool_], stratum: NDArray[np.int64]
) -> Estimate | None:
    """Average the areas under the ROC curve of the strata by their pairs, ties counting a half."""
    right = pairs = winners = losers = 0.0
    for one in np.unique(stratum):
        here = stratum == one
        wins = int(converted[here].sum())
        fails = int(here.sum()) - wins
        if not wins or not fails:
            continue
        ranks = pd.Series(scores[here]).rank().to_numpy()
        right += float(ranks[converted[here]].sum()) - wins * (wins + 1) / 2
        pairs, winners, losers = pairs + wins * fails, winners + wins, losers + fails
    if not pairs:
        return None
    auc = right / pairs
    # Were they all of one time: a little too narrow, which matters to no verdict.
    first, second = auc / (2.0 - auc), 2.0 * auc**2 / (1.0 + auc)
    variance = auc * (1 - auc) + (winners - 1) * (first - auc**2) + (losers - 1) * (second - auc**2)
    error = NORMAL_QUANTILE * float(np.sqrt(max(variance, 0.0) / (winners * losers)))
    return Estimate(auc, max(auc - error, 0.0), min(auc + error, 1.0))


@dataclass(frozen=True)
class Presence:
    """Of one event type, by tenths of the snapshots' ages: snapshots with and without it, and what became of them."""

    event_type: str
    with_it: NDArray[np.float64]
    ended_with: NDArray[np.float64]
    """Those whose lead then ended within the horizon."""
    without: NDArray[np.float64]
    ended_without: NDArray[np.float64]
    over_with: NDArray[np.float64]
    """Those whose lead had in truth ended before, and nobody knew."""
    over_without: NDArray[np.float64]
    rows_per_end: float
    """How many snapshots see the same end of a lead, on average."""

    def ends(self, *, of_open: bool) -> tuple[float, float]:
        """Give the ends that leads with it would have had as others of their age, and had; of leads open in truth."""
        with_it, without = self._open if of_open else (self.with_it, self.without)
        due = _as_others(with_it, self.ended_without, without)
        return due / self.rows_per_end, float(self.ended_with[without > 0].sum()) / self.rows_per_end

    @property
    def _open(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.with_it - self.over_with, self.without - self.over_without


def _as_others(with_it: NDArray[np.float64], so_many: NDArray[np.float64], without: NDArray[np.float64]) -> float:
    """Say of how many of those with it something would hold that holds of ``so_many`` others of the same age."""
    comparable = without > 0
    return float((so_many[comparable] / without[comparable] * with_it[comparable]).sum())


SILENCED = 0.05
"""Of the ends that leads without the event would have had, the share that is still there: fewer are no accident."""


def events_that_know(presences: Iterable[Presence], *, losses_known: bool) -> Iterator[Verdict]:
    """Accuse the event types after which nothing happens any more, neither a conversion nor a loss.

    Where no losses are known, an honest event that means no, as an unsubscription, looks the same: then it is a doubt.
    So it is where the leads had ended before, which is recorded late: that they end no more is true, and the event
    tells it early.
    """
    for one in presences:
        if not _is_silenced(*one.ends(of_open=False)):
            continue
        due, happened = one.ends(of_open=True)
        if not _is_silenced(due, happened):
            yield _comes_with_the_end(one)
            continue
        yield found(
            "event_knows_outcome",
            f"of the leads that had {one.event_type} before a snapshot {happened:,.0f} ended within the horizon, won "
            f"or lost, where {due:,.0f} of as many others of the same age did: it seems to be written anew "
            f"until a lead has ended{'' if losses_known else ', or it means no, and no losses are named'}",
            subject=one.event_type,
            severity="wrong" if losses_known else "doubtful",
            remedy=None
            if losses_known
            else "if it means that a lead is lost, name it under episodes.lost; if it is the "
            "time of a row's last change, or a date that people type, put it under features.exclude_types",
        )


def _is_silenced(due: float, happened: float) -> bool:
    """Tell whether next to none of the ends that were due happened, where that many are no accident."""
    return due >= FEWEST and happened <= SILENCED * due


def _comes_with_the_end(one: Presence) -> Verdict:
    """Say that the leads had ended before already: nothing comes after it, for it comes with the end."""
    due = _as_others(one.with_it, one.over_without, one.without)
    return found(
        "event_knows_outcome",
        f"of {one.with_it.sum():,.0f} snapshots of leads that had {one.event_type} before, {one.over_with.sum():,.0f} "
        f"were of leads that had ended by then, won or lost, which nobody knew yet, where {due:,.0f} of as many others "
        "of the same age were: so it comes with the end of a lead, and is known earlier than the end itself",
        subject=one.event_type,
        severity="doubtful",
        remedy="if it means that a lead is won or lost, name it under episodes.conversion or episodes.lost, and the "
        "end is known as early; if it became known later than its source says (known_at), or is no act of a lead, put "
        "it under features.exclude_types",
    )
