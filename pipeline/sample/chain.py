"""A hidden Markov chain of intent, observed through states, exits and events; and what it says exactly.

The level of intent is hidden and moves at the turn of each calendar week; how, depends on what was seen in the week
before: nothing, a contact by sales, or a sale. The state (open, handed over to sales, lost ...) is observed. Within a
week nothing changes but the state, so rates and hazards are constant and a partial week is exact: the probability of a
conversion is a product of matrix exponentials and transitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]
Flags = npt.NDArray[np.bool_]

LOSS_REASONS = ("no answer", "no need", "budget postponed", "competitor", "outside the target")
REFUSAL_REASONS = ("too early", "no budget", "no need", "not reached", "wrong contact", "outside the target")


class State(IntEnum):
    """What everybody can see of a lead. PAUSED and LOST are the first of five states each, one a reason of the loss."""

    ANONYMOUS = 0
    OPEN = 1
    HANDED_OVER = 2
    ACCEPTED = 3
    OPPORTUNITY = 4
    CUSTOMER = 5
    PAUSED = 6
    LOST = PAUSED + len(LOSS_REASONS)


STATES = State.LOST + len(LOSS_REASONS)
EPISODE = (State.OPEN, State.HANDED_OVER, State.ACCEPTED, State.OPPORTUNITY)
"""The states in which a lead may convert."""


class Exit(IntEnum):
    """How a state ends by chance. REFUSE and LOSE are the first of several exits, one a reason.

    Anonymity and the pause after a loss end by the clock.
    """

    NONE = -1
    HAND_OVER = 0
    ACCEPT = 1
    OPEN_OPPORTUNITY = 2
    CONVERT = 3
    REOPEN = 4
    REFUSE = 5
    LOSE = REFUSE + len(REFUSAL_REASONS)


EXITS = Exit.LOSE + len(LOSS_REASONS)
NEXT_STATE = np.array(
    [
        State.HANDED_OVER,
        State.ACCEPTED,
        State.OPPORTUNITY,
        State.CUSTOMER,
        State.OPEN,
        *[State.OPEN] * len(REFUSAL_REASONS),
        *range(State.PAUSED, State.LOST),
    ],
    dtype=np.int8,
)
"""The state after each exit: who is refused by sales is marketing's again."""


class Turn(IntEnum):
    """What was seen in a week and decides how the level moves at its end; of a contact and a sale, the sale."""

    PLAIN = 0
    CONTACTED = 1
    SOLD = 2


class Source(IntEnum):
    """Where an event is recorded."""

    WEB = 0
    EMAIL = 1
    CRM = 2


@dataclass(frozen=True, eq=False)
class Chain:
    """The parameters of the chain, all rates and hazards per week.

    A regime is what is known of a week beforehand and changes rates: whether sales is at work, and on which side of a
    shift the week lies.

    initial: probability of a level when a person appears, shape (channels, sizes, levels).
    transitions: weekly probability from a level (row) to a level (column), shape (turns, levels, levels).
    rates: Poisson rates of events, shape (regimes, states, channels, levels, types).
    hazards: hazards of exits, shape (exits, regimes, states, channels, levels).
    contents: what events of a level are about, shape (levels, contents); each content belongs to one kind of events,
        within which the probabilities of a level sum to one.
    sources: the source of each event type.
    shared: which types may be filed under a duplicate.
    contacts: which types are contacts by sales; they are known at once, and never filed under a duplicate.

    Raises ValueError where shapes disagree, a probability doesn't sum to one, a rate is negative, or a contact could be
    known late or filed apart.
    """

    initial: Floats
    transitions: Floats
    rates: Floats
    hazards: Floats
    contents: Floats
    sources: tuple[Source, ...]
    shared: tuple[bool, ...]
    contacts: tuple[bool, ...]

    def __post_init__(self) -> None:
        levels, channels, regimes = self.transitions.shape[1], len(self.initial), len(self.rates)
        expected = {
            "initial": (channels, self.initial.shape[1], levels),
            "transitions": (len(Turn), levels, levels),
            "rates": (regimes, STATES, channels, levels, len(self.sources)),
            "hazards": (EXITS, regimes, STATES, channels, levels),
            "contents": (levels, self.contents.shape[-1]),
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
            for name in ("initial", "transitions")
            if not np.allclose(getattr(self, name).sum(axis=-1), 1)
        )
        if any(
            contact and (shared or source != Source.CRM)
            for contact, shared, source in zip(self.contacts, self.shared, self.sources, strict=True)
        ):
            problems.append("a contact is recorded outside the CRM, or under a duplicate")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def levels(self) -> int:
        """How many levels of intent there are."""
        return len(self.transitions[0])

    def rates_of(self, chosen: Sequence[bool] | Flags) -> Floats:
        """Rates of all events of some types together, shape (regimes, states, channels, levels)."""
        return np.asarray(self.rates[..., np.asarray(chosen, dtype=np.bool_)].sum(axis=-1))


# Within an episode: each state before and after the first contact of the week, converted, and gone.
_PLACES = [(state, contacted) for state in EPISODE for contacted in (False, True)]
_CONVERTED, _GONE = len(_PLACES), len(_PLACES) + 1
_STAGES = len(_PLACES) + 2


class Forecasts:
    """Probabilities to convert within whole weeks and a remainder (a share of a week) from the turn of a week.

    With Q the generator within a week, and T the moves of the levels at its turn, all that may have happened is
    (exp(Q) T) ... (exp(Q) T) exp(Q remainder). Level, state and contact move together, for a contact is as likely as
    the level and the state make it, and decides how the level moves. The horizon must be shorter than the pause after
    a loss: a loss then rules a conversion out.
    """

    def __init__(self, chain: Chain, *, weeks: int, remainder: float) -> None:
        from scipy.linalg import expm  # noqa: PLC0415 - slow to import, needed once a run

        generator = _generator(chain)
        self.levels, self.weeks = chain.levels, weeks
        self._week, self._remainder = expm(generator), expm(generator * remainder)
        plain, contacted = chain.transitions[Turn.PLAIN], chain.transitions[Turn.CONTACTED]
        # As it happens, with a contact whatever happens, without one whatever happens.
        self._turns = [_turn(plain, contacted), _turn(contacted, contacted), _turn(plain, plain)]

    def probability(self, regimes: Sequence[int]) -> Floats:
        """Probability to convert where the weeks to come, the last one partial, have these regimes.

        Returns an array of shape (channels, levels, states, 3), the states those of EPISODE: as it happens, and where
        the first week is made to hold a contact, or none. Where the horizon ends before a turn, all three are one.
        """
        converted = np.zeros((self.levels, _STAGES))
        converted[:, _CONVERTED] = 1
        value = self._remainder[regimes[-1]] @ converted.ravel()
        for regime in reversed(regimes[1:-1]):
            value = (self._week[regime] @ self._turns[0] @ value[..., None])[..., 0]
        first = [value] * 3
        if self.weeks:
            first = [(self._week[regimes[0]] @ turn @ value[..., None])[..., 0] for turn in self._turns]
        by_stage = np.stack([part.reshape(-1, self.levels, _STAGES) for part in first], axis=-1)
        return np.asarray(by_stage[:, :, : len(_PLACES) : 2])


def _turn(plain: Floats, contacted: Floats) -> Floats:
    """Return the moves of level and stage at the turn of a week, after which nobody has been contacted yet."""
    levels = len(plain)
    turn = np.zeros((levels, _STAGES, levels, _STAGES))
    for place, (_, flag) in enumerate(_PLACES):
        turn[:, place, :, place - flag] = contacted if flag else plain
    for place in (_CONVERTED, _GONE):
        turn[:, place, :, place] = np.eye(levels)
    return turn.reshape(levels * _STAGES, levels * _STAGES)


def _generator(chain: Chain) -> Floats:
    """Hazards among stages at a fixed level, shape (regimes, channels, levels x stages, levels x stages)."""
    regimes, _, channels, levels = chain.rates.shape[:4]
    generator = np.zeros((regimes, channels, levels, _STAGES, levels, _STAGES))
    contact = chain.rates_of(chain.contacts)
    for place, (state, contacted) in enumerate(_PLACES):
        moves = [
            (_target(exit_, contacted=contacted), chain.hazards[exit_, :, state])
            for exit_ in range(EXITS)
            if exit_ != Exit.REOPEN
        ]
        if not contacted:
            moves.append((place + 1, contact[:, state]))
        for target, hazard in moves:
            for level in range(levels):
                generator[:, :, level, place, level, target] += hazard[:, :, level]
                generator[:, :, level, place, level, place] -= hazard[:, :, level]
    return generator.reshape(regimes, channels, levels * _STAGES, levels * _STAGES)


def _target(exit_: int, *, contacted: bool) -> int:
    if exit_ == Exit.CONVERT:
        return _CONVERTED
    if exit_ >= Exit.LOSE:
        return _GONE
    return _PLACES.index((State(NEXT_STATE[exit_]), contacted))


def forward(
    belief: Floats, log_likelihood: Floats, transitions: Floats, turn: Integers, unseen: Floats | None = None
) -> Floats:
    """One week of the forward filter: weigh the levels by what was seen, then let them move as the week's turn says.

    belief and log_likelihood have shape (levels, leads), turn has one of Turn for each lead; unseen, of the same shape
    as belief, is how likely each level had a contact that nobody can see, where the turn is plain. Returns the
    normalised belief for the next week. See Rabiner (1989), A tutorial on hidden Markov models, equations 19 to 21.
    """
    weight = belief * np.exp(log_likelihood - log_likelihood.max(axis=0))
    weight /= weight.sum(axis=0)
    moved = np.asarray((transitions.swapaxes(1, 2) @ weight)[turn, :, np.arange(len(turn))].T)
    if unseen is not None:
        effect = transitions[Turn.CONTACTED] - transitions[Turn.PLAIN]
        moved = moved + effect.T @ (weight * unseen * (turn == Turn.PLAIN))
    return moved
