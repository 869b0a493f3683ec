"""The procedure judged: at each origin a model of what is settled by then, and what it says of the time after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.core.slices import Slice
from models.learning.learner import Recipe, TrainingLog, learn
from models.learning.origins import Origin


@dataclass(frozen=True)
class Foretold:
    """What one origin's model said: of which leads and moments (UTC), and what came of them; each of shape (n,)."""

    origin: Origin
    log: TrainingLog
    leads: NDArray[Any]
    as_of: NDArray[np.datetime64]
    labels: NDArray[np.float64]
    probabilities: NDArray[np.float64]


def backtest(
    rows: Slice,
    as_of: NDArray[np.datetime64],
    origins: Sequence[Origin],
    reach: timedelta,
    recipe: Recipe,
    progress: Callable[[Foretold], None] | None = None,
) -> list[Foretold]:
    """Learn at each origin by the recipe, and foretell; ``progress`` is told each one as it is done.

    ``as_of`` (UTC) has the shape of the rows, ``reach`` is the horizon and the delay of outcomes. Nothing of the model
    of an origin (number of trees, levels of categories, calibrator) comes from what was not settled by then.
    """
    done = []
    for origin in origins:
        model, log = learn(rows.take(origin.settled(as_of, reach)), recipe)
        chosen = origin.foretold(as_of)
        later = rows.take(chosen)
        done.append(Foretold(origin, log, later.leads, as_of[chosen], later.labels, model.predict(later.frame)))
        if progress is not None:
            progress(done[-1])
    return done
