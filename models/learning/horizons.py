"""Other horizons than the model's own, learned as shares of it: `models.core.horizons` has the chain.

The share of a step to a longer horizon is learned from rows whose label is known for it and that don't convert within
the horizon before; that of a step to a shorter one from rows that convert within the horizon before. Each is a model by
the same procedure as the model's own, without trees: the ladder takes base rates or a logistic regression, and the
calibrator is fitted to scores of rows that the fit had not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.core.errors import NotEnoughDataError
from features.core.time import format_duration
from models.core.additive import Additive
from models.core.horizons import Direction, Step, chain
from models.core.slices import Slice, thinned
from models.learning.additive import PRIOR_OF_RATES
from models.learning.backtest import Foretold
from models.learning.ladder import FEWEST_WINS
from models.learning.learner import Fitting, Recipe
from models.learning.parameters import Rung

MOST_ROWS = 16_000
"""Rows that a share is learned from; of more, every second, third ... of each lead. On the sample that costs nothing
(log loss of 60 days .1903 against .1905 from all rows, of 90 days .2393 against .2394), and saves most of the time."""
_RUNGS: tuple[Rung, ...] = ("base_rates", "logistic")
_NEARLY_ALL = 1.0 - 1e-6


@dataclass(frozen=True)
class Waits:
    """How long after its ``as_of`` (UTC) each row converts, NaT where its episode doesn't: arrays of shape (n,).

    ``delay`` is how long after it occurred an outcome is known at the latest.
    """

    as_of: NDArray[np.datetime64]
    waits: NDArray[np.timedelta64]
    delay: timedelta

    def settled(self, horizon: timedelta, moment: datetime) -> NDArray[np.bool_]:
        """Tell which rows have a label for a horizon that is complete and known at a moment (UTC): shape (n,)."""
        return np.asarray(self.as_of + np.timedelta64(horizon + self.delay) <= np.datetime64(moment))

    def telling(self, before: timedelta, horizon: timedelta, moment: datetime) -> NDArray[np.bool_]:
        """Tell which rows the share of a step is learned from at a moment (UTC): shape (n,).

        Those that don't convert within the horizon ``before`` a longer one, or that do before a shorter one.
        """
        return np.asarray(self.settled(max(before, horizon), moment) & (self.within(before) == (horizon < before)))

    def looked_until(self, horizon: timedelta, moment: datetime) -> datetime:
        """Tell up to when the newest label of a horizon looks (UTC), of those that are known at a moment."""
        newest: datetime = self.as_of[self.settled(horizon, moment)].max().astype("datetime64[us]").item()
        return newest + horizon + self.delay

    def within(self, horizon: timedelta) -> NDArray[np.bool_]:
        """Tell which rows convert in [as_of, as_of + horizon): shape (n,)."""
        return np.asarray(self.waits < np.timedelta64(horizon))


@dataclass(frozen=True)
class Horizons:
    """The model's own horizon, and the others that are asked for: its own is none of them, whoever names it."""

    own: timedelta
    asked_for: Sequence[timedelta]

    @property
    def others(self) -> list[timedelta]:
        """Those that are not the model's own, the shortest first."""
        return sorted(one for one in self.asked_for if one != self.own)

    @property
    def all(self) -> list[timedelta]:
        """All of them, the shortest first."""
        return sorted([self.own, *self.others])

    @property
    def names(self) -> list[str]:
        """Write the others, the shortest first."""
        return [format_duration(horizon) for horizon in self.others]

    def chains(self) -> list[tuple[Direction, list[timedelta]]]:
        """List the others in their order away from the model's own, in each direction."""
        return [
            ("shorter", [one for one in reversed(self.all) if one < self.own]),
            ("longer", [one for one in self.all if one > self.own]),
        ]


def require_settled(waits: Waits, horizons: Horizons, moment: datetime) -> None:
    """Raise `NotEnoughDataError` where at a moment (UTC) there is no row to learn one of the other horizons from."""
    for _, chained in horizons.chains():
        for before, horizon in pairwise([horizons.own, *chained]):
            if not waits.telling(before, horizon, moment).any():
                told = format_duration(horizon)
                raise NotEnoughDataError(
                    f"train.other_horizons: no snapshot tells of {told}: it is over for none by {moment:%Y-%m-%d}, "
                    f"until when outcomes were observed; leave {told} out, or bring a longer log"
                )


@dataclass(frozen=True)
class Account:
    """What a share was learned from: rows, their leads, and the rows that convert within the step's horizon."""

    horizon: str
    rung: Rung | None
    """None where too few leads convert, or don't, to tell rows apart: all have one share."""
    calibration: str
    rows: int
    leads: int
    conversions: int


def learn_steps(
    rows: Slice, waits: Waits, horizons: Horizons, recipe: Recipe, moment: datetime
) -> list[tuple[Step, Account]]:
    """Learn the steps to the other horizons from what is settled at a moment (UTC), and tell of each.

    ``waits`` are those of the rows. Where no row is settled for a step it is left out, with those that follow it.
    """
    learned = []
    for direction, chained in horizons.chains():
        for before, horizon in pairwise([horizons.own, *chained]):
            places = np.flatnonzero(waits.telling(before, horizon, moment))
            if not len(places):
                break
            labels = waits.within(horizon)[places].astype(np.float64)
            expected = _even(_rate(waits, horizons.own, moment), horizons.own, before, horizon)
            share = _learn(rows, places, labels, expected, recipe)
            step = Step(format_duration(horizon), direction, share.member, share.categories, share.calibrator)
            leads, method = len(np.unique(rows.leads[places])), str(share.calibrator["method"])
            learned.append((step, Account(step.horizon, share.rung, method, len(places), leads, int(labels.sum()))))
    return learned


def foretell_others(
    foretold: Sequence[Foretold],
    rows: Slice,
    waits: Waits,
    horizons: Horizons,
    recipe: Recipe,
    *,
    side_by_side: Callable[..., Iterable[Any]] = map,
) -> list[dict[str, NDArray[np.float64]]]:
    """Say, for each origin, what its rows' probabilities of the other horizons are, by the horizons' texts.

    Learned from is what was settled for them by then; a horizon of which nothing was is not there. ``rows`` and
    ``waits`` are all rows, of which ``foretold`` are some; ``side_by_side`` maps as in `backtest`.
    """

    def foretell(one: Foretold) -> dict[str, NDArray[np.float64]]:
        if one.origin is None or not horizons.others:
            return {}
        steps = [step for step, _ in learn_steps(rows, waits, horizons, recipe, one.origin.moment)]
        later = rows.frame.iloc[np.flatnonzero(one.origin.foretold(waits.as_of))]
        return chain(steps, later, one.probabilities)

    return list(side_by_side(foretell, foretold))


class _Share(NamedTuple):
    """A model of a share, as a step holds it; without a rung it is the same of all rows."""

    member: Additive
    categories: dict[str, list[str]]
    calibrator: dict[str, Any]
    rung: Rung | None


def _learn(
    rows: Slice, places: NDArray[np.int64], labels: NDArray[np.float64], expected: float, recipe: Recipe
) -> _Share:
    """Learn the share of some rows; ``labels`` are of shape (places,), ``expected`` is the share without them."""
    drawn = thinned(rows.leads[places], min(MOST_ROWS, recipe.maximum_rows or MOST_ROWS))
    some = rows.take(places[drawn])
    part = Slice(some.frame, labels[drawn], some.leads)
    won, lost = (len(np.unique(part.leads[part.labels == label])) for label in (1.0, 0.0))
    if min(won, lost) < FEWEST_WINS:
        leads = len(np.unique(rows.leads[places]))
        share = (float(labels.mean()) * leads + expected * PRIOR_OF_RATES) / (leads + PRIOR_OF_RATES)
        return _Share(Additive(float(np.log(share) - np.log1p(-share)), ()), {}, {"method": "none"}, None)
    read = [*recipe.roles.columns, *recipe.categorical]
    rung = recipe.rung if recipe.rung in _RUNGS else "auto"
    fitting = Fitting(
        part, replace(recipe, columns=read, rung=rung, rungs=_RUNGS, minimum_conversions=1, maximum_rows=None)
    )
    taken = fitting.choose()
    model, _ = fitting.assemble(taken)
    member = Additive.from_text(model.members[0], read)
    asked = {term.column for term in member.terms}
    levels = {column: known for column, known in model.categories.items() if column in asked}
    return _Share(member, levels, model.calibrator, taken)


def _rate(waits: Waits, horizon: timedelta, moment: datetime) -> float:
    """Give the share that converts of what is settled, as if half a row more did, and half a row more did not."""
    known = waits.within(horizon)[waits.settled(horizon, moment)]
    return (float(known.sum()) + 0.5) / (len(known) + 1.0)


def _even(rate: float, own: timedelta, before: timedelta, horizon: timedelta) -> float:
    """Give the share of a step where leads convert as fast at any time, the ``rate`` being that within ``own``."""

    def converted(within: timedelta) -> float:
        return float(-np.expm1(np.log1p(-rate) * (within / own)))

    if horizon > before:
        return min(converted(horizon - before), _NEARLY_ALL)  # of a far longer horizon it rounds to all
    return converted(horizon) / converted(before)
