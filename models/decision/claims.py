"""Which claim of a column is told of a value, and whether it points up or down: the figures behind a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FEWEST_LEADS = 30
"""With fewer leads a share says nothing."""
LEAST_ERRORS = 2.0
"""By so many standard errors a share must differ from that of all leads to be a reason."""
LEAST_TIMES = 1.2
"""And by so many times: of many leads, a share may differ by more than chance, and by nothing worth a word."""
NEVER_TIMES = 4.0 / 3.0
"""And by so many times where a lead never did something: no more than three quarters. Until it does, each lead has not,
so that the share of those without what is rare is that of all, less those who came far: of what one lead in ten ever
does before it converts, by a fifth or a quarter. Where it is less, most who convert do it first, and this one has not.
"""


@dataclass(frozen=True)
class Claim:
    """A condition that leads had in common, how many met it, and the share of their looks that converted."""

    kind: Literal["within", "silent", "part", "level", "missing"]
    leads: int
    share: float
    days: float | None = None
    low: float | None = None
    below: float | None = None
    level: str | None = None

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Read a claim of the model's ``reference.json``."""
        return cls(
            told["kind"], told["leads"], told["share"],
            told.get("days"), told.get("from"), told.get("below"), told.get("level"),
        )  # fmt: skip

    def holds(self, values: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell of which values it is true: shape (n,)."""
        if self.kind == "missing":
            return missing
        if self.kind == "level":
            return np.asarray(values == self.level, dtype=bool)
        if self.kind == "within":
            return np.asarray(values < self.days, dtype=bool)
        if self.kind == "silent":
            return np.asarray(values >= self.days, dtype=bool)
        inside = np.asarray(values >= self.low, dtype=bool)
        return inside if self.below is None else inside & np.asarray(values < self.below, dtype=bool)


@dataclass(frozen=True)
class Claims:
    """The claims of a column, and the share of all leads, which each is compared with."""

    claims: Sequence[Claim]
    share: float
    is_of_act: bool = False
    """Whether the column tells when an act last was: where it is missing, the act never was."""

    @classmethod
    def of(cls, reference: Mapping[str, Any], column: str, *, is_of_act: bool = False) -> Self:
        """Read those of a column from the claims of a model's ``reference.json``."""
        claims = [Claim.from_json(one) for one in reference["columns"].get(column, ())]
        return cls(claims, reference["share"], is_of_act=is_of_act)

    def without_absence(self) -> Claims:
        """Leave out what says that an act was not, for so long or never."""
        return replace(self, claims=[one for one in self.claims if one.kind not in ("silent", "missing")])

    @property
    def kinds(self) -> NDArray[np.str_]:
        """Say of each claim what it says: its kind, and ``never`` where an act never was; behind all of them ""."""
        never = "never" if self.is_of_act else "missing"
        return np.array([*(never if one.kind == "missing" else one.kind for one in self.claims), ""])

    def find(self, values: NDArray[Any], *, is_up: bool) -> NDArray[np.int64]:
        """Find the claim that is told of each value, by its place: shape (n,), -1 where none points that way.

        It is the narrowest that has enough leads: within the fewest days, silent for the most. Where both an act and
        the silence since point down, the lower share is told. That nothing has been for a while is no reason for, nor
        is an act that is older than the longest time that an act is told within.
        """
        missing = np.asarray(pd.isna(values))
        told = np.full(len(values), -1)
        best = np.full(len(values), np.nan)
        narrowest = {"within": 1, "silent": -1}
        for kind in ("within", "silent", "part", "level", "missing"):
            found = [(place, one) for place, one in enumerate(self.claims) if one.kind == kind]
            found = [(place, one) for place, one in found if one.leads >= FEWEST_LEADS]
            found.sort(key=lambda pair: narrowest.get(pair[1].kind, 0) * (pair[1].days or 0.0))
            free = np.ones(len(values), dtype=bool)
            for place, one in found:
                of_it = free & one.holds(values, missing)
                free &= ~of_it
                if not self._points(one, is_up=is_up):
                    continue
                better = of_it & ~((best >= one.share) if is_up else (best <= one.share))
                told[better], best[better] = place, one.share
        return told

    def _points(self, claim: Claim, *, is_up: bool) -> bool:
        """Tell whether a claim's share differs from that of all leads by more than chance, the way it should."""
        error = np.sqrt(self.share * (1.0 - self.share) / claim.leads)
        times = NEVER_TIMES if self.is_of_act and claim.kind == "missing" else LEAST_TIMES
        if is_up:
            least = max(self.share * times, self.share + LEAST_ERRORS * error)
            return bool(claim.kind != "silent" and claim.share > least)
        return bool(claim.share < min(self.share / times, self.share - LEAST_ERRORS * error))
