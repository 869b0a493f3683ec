"""A hidden Markov chain of intent, observed through states, exits and events; and what it says exactly.

The level of intent is hidden and moves at the turn of each calendar week; the state (open, worked by sales,
lost ...) is observed. Within a week nothing changes but the state, so rates and hazards are constant and a
partial week is exact: the probability of a conversion is a product of matrix exponentials and transitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]
Flags = npt.NDArray[np.bool_]


class State(IntEnum):
    """What everybody can see of a lead."""

    ANONYMOUS = 0
    OPEN = 1
    WORKED = 2
    PAUSED = 3
    LOST = 4


class Exit(IntEnum):
    """How a state ends by chance; anonymity and the pause after a loss end by the clock."""

    NONE = -1
    CONTACT = 0
    CONVERT = 1
    LOSE = 2
    REOPEN = 3


class Source(IntEnum):
    """Where an event is recorded; what sales does is apart, for it is never filed under a duplicate."""

    WEB = 0
    EMAIL = 1
    CRM_LEAD = 2
    CRM_SALES = 3


@dataclass(frozen=True, eq=False)
class Chain:
    """The parameters of the chain, all rates and hazards per week.

    initial: probability of a level when a person appears, shape (channels, sizes, levels).
    transition: weekly probability from a level (row) to a level (column), shape (levels, levels).
    rates: Poisson rates of events, shape (states, channels, levels, types).
    hazards: hazards of exits, shape (exits, states, channels, levels).
    sources: the source of each event type.

    Raises ValueError where shapes disagree, a probability doesn't sum to one or a rate is negative.
    """

    initial: Floats
    transition: Floats
    rates: Floats
    hazards: Floats
    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        levels, channels = len(self.transition), len(self.initial)
        expected = {
            "initial": (channels, self.initial.shape[1], levels),
            "transition": (levels, levels),
            "rates": (len(State), channels, levels, len(self.sources)),
            "hazards": (len(Exit) - 1, len(State), channels, levels),
        }
        problems = []
        for name, shape in expected.items():
            values = getattr(self, name)
            if values.shape != shape:
                problems.append(f"{name} has shape {values.shape}, not {shape}")
            if (values < 0).any():
                problems.append(f"{name} has negative values")
        problems.extend(
            f"{name} doesn't sum to one"
            for name in ("initial", "transition")
            if not np.allclose(getattr(self, name).sum(axis=-1), 1)
        )
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def levels(self) -> int:
        """How many levels of intent there are."""
        return len(self.transition)


_STAGES = ("open", "worked", "converted", "gone")


def conversion_probability(chain: Chain, *, weeks: int, remainder: float) -> Floats:
    """Probability to convert within whole weeks and a remainder (a share of a week) from the turn of a week.

    The horizon must be shorter than the pause after a loss: a loss then rules a conversion out.

    Returns an array of shape (channels, levels, 2): from each level, for open and for worked leads. With Q the
    generator within a week and P the transition of levels, the probabilities of all that may have happened are
    (exp(Q) P) ... (exp(Q) P) exp(Q remainder): level and stage move together, one after the other.
    """
    from scipy.linalg import expm  # noqa: PLC0415 - slow to import, needed once a run

    generator = _generator(chain)
    turn = np.kron(chain.transition, np.eye(len(_STAGES)))
    product = np.linalg.matrix_power(expm(generator) @ turn, weeks) @ expm(generator * remainder)
    by_stage = product.reshape(-1, chain.levels, len(_STAGES), chain.levels, len(_STAGES))
    return np.asarray(by_stage[:, :, :2, :, _STAGES.index("converted")].sum(axis=-1))


def _generator(chain: Chain) -> Floats:
    """Hazards among stages at a fixed level, shape (channels, levels x stages, levels x stages)."""
    channels, levels = len(chain.initial), chain.levels
    generator = np.zeros((channels, levels, len(_STAGES), levels, len(_STAGES)))
    exits = ((State.OPEN, 0), (State.WORKED, 1))
    targets = ((Exit.CONTACT, 1), (Exit.CONVERT, 2), (Exit.LOSE, 3))
    for level in range(levels):
        for state, stage in exits:
            for exit_, target in targets:
                hazard = chain.hazards[exit_, state, :, level]
                generator[:, level, stage, level, target] += hazard
                generator[:, level, stage, level, stage] -= hazard
    return generator.reshape(channels, levels * len(_STAGES), levels * len(_STAGES))


def forward(belief: Floats, log_likelihood: Floats, transition: Floats) -> Floats:
    """One week of the forward filter: weigh the levels by what was seen, then let them move.

    belief and log_likelihood have shape (levels, leads); returns the normalised belief for the next week.
    See Rabiner (1989), A tutorial on hidden Markov models, equations 19 to 21.
    """
    weight = belief * np.exp(log_likelihood - log_likelihood.max(axis=0))
    return np.asarray(transition.T @ (weight / weight.sum(axis=0)))
