"""The procedure judged: at each origin a model of what is settled by then, and what it says of the time after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.core.slices import Slice
from models.learning.ladder import SHIFTED, choose, losses
from models.learning.learner import Fitting, Recipe, TrainingLog
from models.learning.origins import Origin
from models.learning.parameters import Rung
from models.learning.trees import Progress

RECENT = 0.2
"""The share of the rows, the newest ones, that say what the base rate is of late."""


@dataclass(frozen=True)
class Foretold:
    """What one origin's model said: of which leads and moments (UTC), and what came of them; each of shape (n,).

    ``said`` holds what every rung and every baseline said, by name; ``probabilities`` are those of the rung that was
    taken. An origin that does not count only serves the choices of later ones. Without an origin it is what folds that
    had not seen the rows said of them: of other leads, and not of later time.
    """

    origin: Origin | None
    log: TrainingLog
    leads: NDArray[Any]
    as_of: NDArray[np.datetime64]
    labels: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    said: Mapping[str, NDArray[np.float64]]
    counts: bool = True


def backtest(
    rows: Slice,
    as_of: NDArray[np.datetime64],
    origins: Sequence[Origin],
    reach: timedelta,
    recipe: Recipe,
    progress: Callable[[Foretold], None] | None = None,
    *,
    counted: int | None = None,
    grown: Progress | None = None,
    side_by_side: Callable[..., Iterable[Any]] = map,
) -> list[Foretold]:
    """Learn at each origin by the recipe, and foretell.

    ``progress`` is told each one as it is done, ``grown`` the trees that it has so far. ``side_by_side`` is what maps a
    function over the origins, in their order: `map`, or that of threads. What is fitted at one of them needs nothing of
    another one; what is chosen of it does, and is chosen in the order of time.

    ``as_of`` (UTC) has the shape of the rows, ``reach`` is the horizon and the delay of outcomes. Nothing of the model
    of an origin (number of trees, levels of categories, calibrator, rung) comes from what was not settled by then: the
    rung is taken by what earlier origins had foretold and is settled, or else by the folds. The last ``counted``
    origins count, all where it is None.
    """

    def fit(origin: Origin) -> tuple[Fitting, Slice, Mapping[str, NDArray[np.float64]]]:
        settled = origin.settled(as_of, reach)
        fitting = Fitting(rows.take(settled), recipe, recent=newest(as_of[settled]), progress=grown)
        later = rows.take(origin.foretold(as_of))
        return fitting, later, fitting.foretell(later.frame)

    done: list[Foretold] = []
    for origin, (fitting, later, said) in zip(origins, side_by_side(fit, origins), strict=True):
        rung, shift = decide(done, fitting, recipe, settled=origin, reach=reach)
        _, log = fitting.assemble(rung, shift=shift)
        done.append(
            Foretold(
                origin,
                log,
                later.leads,
                as_of[origin.foretold(as_of)],
                later.labels,
                said[f"{rung}{SHIFTED}" if shift else rung],
                said,
                counts=counted is None or len(done) >= len(origins) - counted,
            )
        )
        if progress is not None:
            progress(done[-1])
    return done


def leave_out(rows: Slice, as_of: NDArray[np.datetime64], fitting: Fitting, log: TrainingLog) -> Foretold:
    """Say what a fitting on these rows foretells of each lead by the others: where there are too few origins."""
    chosen = rows.take(fitting.learned)
    said = fitting.left_out()
    return Foretold(None, log, chosen.leads, as_of[fitting.learned], chosen.labels, said[log.rung], dict(said.items()))


def newest(as_of: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Tell which of the rows are the newest, by a share of them: shape (n,)."""
    if not len(as_of):
        return np.zeros(0, dtype=bool)
    return np.asarray(as_of >= np.sort(as_of)[int(len(as_of) * (1.0 - RECENT))])


def decide(
    done: Sequence[Foretold],
    fitting: Fitting,
    recipe: Recipe,
    *,
    settled: Origin | None = None,
    reach: timedelta = timedelta(0),
) -> tuple[Rung, bool]:
    """Take a rung, and say whether the base rate is shifted.

    It is the rung that the folds take, unless another one was better at earlier origins by more than a standard error:
    folds have more rows, and origins know what time does. The shift is taken where it was better at earlier origins by
    more than a standard error, and the recipe allows for it. Of these only what is ``settled`` at an origin is looked
    at; without one, all. Origins that had too few conversions for a rung are left out.
    """
    rung = fitting.choose() if recipe.rung == "auto" else recipe.rung
    seen = [
        (one, np.ones(len(one.labels), dtype=bool) if settled is None else settled.settled(one.as_of, reach))
        for one in done
        if set(fitting.rungs) <= one.said.keys()
    ]
    if not any(rows.any() for _, rows in seen):
        return rung, False
    leads = np.concatenate([one.leads[rows] for one, rows in seen])

    def lost(name: str) -> NDArray[np.float64]:
        return np.concatenate([losses(one.labels[rows], one.said[name][rows]) for one, rows in seen])

    if recipe.rung == "auto":
        better = choose({name: lost(name) for name in fitting.rungs}, leads)
        rung = choose({rung: lost(rung), better: lost(better)}, leads)
    shifted = choose({"plain": lost(rung), "shifted": lost(f"{rung}{SHIFTED}")}, leads) == "shifted"
    return rung, shifted and recipe.may_shift
