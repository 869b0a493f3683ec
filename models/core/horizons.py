"""Probabilities of other horizons than the model's own, chained to it so that none ever contradicts another.

Each step leads from one horizon to the next, away from the model's own, by a share that is a model of its own:

``longer``   P(next) = 1 - (1 - P) (1 - share): the share of those who don't convert within a horizon, and do so within
             the next, longer one (a hazard in discrete time)
``shorter``  P(next) = P share: the share of those who convert within a horizon that do so within the next, shorter one

A share lies between 0 and 1: nobody is less likely to convert within 90 days than within 30.

As a file it is JSON with the list of ``steps``: of each its horizon, its direction, the terms of its member
(`additive`), the levels of the categories that they read (`encoding`), and its calibrator (`calibrators`). The steps of
a direction follow one another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .additive import Additive
from .calibrators import calibrate, complaint
from .encoding import in_blocks, numbers_of
from .trees import RESTORE, ArtefactError

Direction = Literal["shorter", "longer"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
PROBABILITY = "probability"
"""The column of the model's own horizon."""


@dataclass(frozen=True)
class Step:
    """A step to another horizon (as in ``60d``), and what its share is made of: all as a model of its own has it."""

    horizon: str
    direction: Direction
    member: Additive
    categories: dict[str, list[str]]
    calibrator: dict[str, Any]

    def shares(self, frame: pd.DataFrame, *, threads: int = 1) -> NDArray[np.float64]:
        """Calibrated shares of the rows, strictly between 0 and 1: shape (n,)."""
        read = list(dict.fromkeys(term.column for term in self.member.terms))
        numbers = dict(zip(read, numbers_of(frame, read, self.categories), strict=True))
        scores = np.empty(len(frame))

        def answer(rows: slice) -> None:
            values = {column: known[rows] for column, known in numbers.items()}
            scores[rows] = self.member.score(values, rows.stop - rows.start)

        in_blocks(len(frame), answer, threads)
        return calibrate(self.calibrator, scores)

    def follow(self, before: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the probabilities of this horizon from those of the horizon before: all of shape (n,), in (0, 1)."""
        if self.direction == "longer":
            return np.minimum(before + (1.0 - before) * shares, np.nextafter(1.0, 0.0))
        return np.maximum(before * shares, np.nextafter(0.0, 1.0))


def chain(
    steps: Sequence[Step], frame: pd.DataFrame, probabilities: NDArray[np.float64], *, threads: int = 1
) -> dict[str, NDArray[np.float64]]:
    """Give the probabilities of each other horizon, by its text, from those of the model's own: of shape (n,)."""
    said = {}
    last = dict.fromkeys(DIRECTIONS, probabilities)
    for step in steps:
        shares = step.shares(frame, threads=threads)
        last[step.direction] = said[step.horizon] = step.follow(last[step.direction], shares)
    return said


def column_of(horizon: str) -> str:
    """Name the column of another horizon: ``probability_60d``."""
    return f"{PROBABILITY}_{horizon}"


def columns_of(steps: Sequence[Step]) -> list[str]:
    """Name the columns of all horizons, the model's own among them, the shortest first."""
    shorter, longer = (
        [column_of(step.horizon) for step in steps if step.direction == direction] for direction in DIRECTIONS
    )
    return [*reversed(shorter), PROBABILITY, *longer]


def to_json(steps: Sequence[Step]) -> dict[str, Any]:
    """Give the steps as JSON holds them."""
    return {"steps": [asdict(step) for step in steps]}


def from_json(content: Mapping[str, Any], columns: Sequence[str]) -> tuple[Step, ...]:
    """Read the steps of a model with these columns.

    Raises `ArtefactError` where they are none, or could give something else than probabilities.
    """
    try:
        steps = tuple(_step(one, columns) for one in content["steps"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"the steps to other horizons are broken ({error}). {RESTORE}") from None
    if not steps or len({step.horizon for step in steps}) < len(steps):
        raise ArtefactError(f"the steps to other horizons are broken (none, or one twice). {RESTORE}")
    return steps


def _step(content: Mapping[str, Any], columns: Sequence[str]) -> Step:
    step = Step(**{**content, "member": Additive.from_text(json.dumps(content["member"]), columns)})
    if not isinstance(step.horizon, str) or step.direction not in DIRECTIONS:
        raise ValueError(f"a step to {step.horizon!r}, {step.direction!r}")
    if not all(
        column in columns and isinstance(levels, list) and all(isinstance(level, str) for level in levels)
        for column, levels in step.categories.items()
    ):
        raise ValueError(f"the levels of {step.horizon}")
    if lacking := {term.column for term in step.member.terms if term.shape == "level"} - step.categories.keys():
        raise ValueError(f"no levels of {sorted(lacking)}")
    if "method" not in step.calibrator or (wrong := complaint(step.calibrator)):
        raise ValueError("a calibrator without a method" if "method" not in step.calibrator else wrong)
    return step
