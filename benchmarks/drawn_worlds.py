"""Cheap worlds whose truth is known: leads that change between three hazards, and are looked at several times.

A day is a step. On each a lead converts by the hazard of its state times a level of its own, or is lost, or moves to
another state. Its score at a look is the probability of that very chain to convert within the horizon: a perfect one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Looks = Callable[[np.random.Generator, int, Ints], NDArray[np.bool_]]

HORIZON = timedelta(days=30)
DAYS = 60
"""Looks are taken on the days from 0 to this; leads come from as long before, and are followed for a horizon after."""
LOST = (0.02, 0.006, 0.004)
MOVES = ((0.93, 0.06, 0.01), (0.05, 0.90, 0.05), (0.05, 0.15, 0.80))
LEVELS = 0.7
"""The spread of the leads' own levels, on the scale of logarithms."""
_START = np.datetime64("2026-01-01", "us")


@dataclass(frozen=True)
class Rows:
    """What a test part holds of a world, sorted by lead and time, each of shape (n,); probabilities are the truth."""

    labels: Floats
    probabilities: Floats
    leads: Ints
    as_of: NDArray[np.datetime64]

    def promising(self, times: float) -> Floats:
        """Give the probabilities of a model that promises so many times too much."""
        return np.minimum(times * self.probabilities, 0.999)

    def noisy(self, seed: int) -> Floats:
        """Give the probabilities of a worse model: the true ones, moved at random on the scale of log odds."""
        log_odds = np.log(self.probabilities / (1.0 - self.probabilities))
        noise = np.random.default_rng([seed, 1]).normal(0.0, 0.5, len(log_odds))
        return np.asarray(1.0 / (1.0 + np.exp(-log_odds - noise)), dtype=np.float64)


def weekly(generator: np.random.Generator, day: int, state: Ints) -> NDArray[np.bool_]:
    """Look at all on each seventh day."""
    del generator
    return np.full(len(state), day % 7 == 0)


def monthly(generator: np.random.Generator, day: int, state: Ints) -> NDArray[np.bool_]:
    """Look at all on each thirtieth day."""
    del generator
    return np.full(len(state), day % 30 == 0)


def irregular(generator: np.random.Generator, day: int, state: Ints) -> NDArray[np.bool_]:
    """Look at each lead on days of its own, one in eight."""
    del day
    return generator.random(len(state)) < 1 / 8


def after_events(generator: np.random.Generator, day: int, state: Ints) -> NDArray[np.bool_]:
    """Look at all on each thirtieth day, and often at those who have just become hot, which soon passes."""
    return np.asarray((day % 30 == 0) | ((state == 2) & (generator.random(len(state)) < 0.4)))


@dataclass(frozen=True)
class World:
    """How leads are looked at, and the daily hazards to convert of the three states."""

    looks: Looks = weekly
    hazards: tuple[float, float, float] = (0.0001, 0.0006, 0.006)

    def draw(self, leads: int, seed: int) -> Rows:
        """Draw the test part of a world of so many leads."""
        generator = np.random.default_rng(seed)
        converting = -np.expm1(-np.exp(generator.normal(0.0, LEVELS, leads))[:, None] * np.array(self.hazards))
        worth = self.probabilities(converting)
        lost, moves = np.array(LOST), np.cumsum(MOVES, axis=1)[:, :-1]
        begins = generator.integers(-DAYS, DAYS, leads)
        state, converted = np.zeros(leads, dtype=np.int64), np.full(leads, np.iinfo(np.int64).max)
        unended, everyone = np.ones(leads, dtype=bool), np.arange(leads)
        looked = []
        for day in range(-DAYS, DAYS + HORIZON.days):
            unclosed = unended & (begins <= day)
            if 0 <= day < DAYS:
                seen = np.flatnonzero(unclosed & self.looks(generator, day, state))
                looked.append((seen, np.full(len(seen), day), worth[seen, state[seen]]))
            chance = generator.random((3, leads))
            converts = unclosed & (chance[0] < converting[everyone, state])
            converted[converts] = day
            unended &= ~converts & ~(unclosed & (chance[1] < lost[state]))
            state = np.where(unclosed, (chance[2][:, None] >= moves[state]).sum(axis=1), state)
        lead, day_of_row, probability = (np.concatenate(part) for part in zip(*looked, strict=True))
        order = np.lexsort((day_of_row, lead))
        lead, day_of_row = lead[order], day_of_row[order]
        return Rows(
            labels=(converted[lead] < day_of_row + HORIZON.days).astype(np.float64),
            probabilities=probability[order],
            leads=lead,
            as_of=_START + day_of_row * np.timedelta64(1, "D").astype("timedelta64[us]"),
        )

    @staticmethod
    def probabilities(converting: Floats) -> Floats:
        """Give the chance to convert within the horizon, by lead and state, in as many steps back as it has days."""
        later = np.zeros_like(converting)
        for _ in range(HORIZON.days):
            later = converting + (1.0 - converting) * (1.0 - np.array(LOST)) * (later @ np.array(MOVES).T)
        return later
