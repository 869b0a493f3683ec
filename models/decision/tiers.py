"""From a probability to a recommendation: whom to work on next, and how far a lead is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.core.errors import SettingsError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TIERS = ("IQL", "MQL", "SQL")
MATURITIES = ("cold", "warm", "hot")


@dataclass(frozen=True)
class TierPolicy:
    """Two probabilities: from `mql` on a lead is marketing's, from `sql` on it is for sales."""

    mql: float
    sql: float

    def __post_init__(self) -> None:
        problems = [
            f"{name} must lie between 0 and 1, but is {value}"
            for name, value in (("mql", self.mql), ("sql", self.sql))
            if not 0.0 < value < 1.0
        ]
        if not self.mql < self.sql:
            problems.append(f"mql ({self.mql}) must lie below sql ({self.sql})")
        _refuse("tier policy", problems)

    def tiers(self, probabilities: ArrayLike) -> NDArray[np.str_]:
        """Tier of each probability: text of shape (n,).

        >>> TierPolicy(mql=0.05, sql=0.2).tiers([0.049, 0.05, 0.2])
        array(['IQL', 'MQL', 'SQL'], dtype='<U3')
        """
        return _rungs(probabilities, (self.mql, self.sql), TIERS)


@dataclass(frozen=True)
class MaturityPolicy:
    """Two multiples of the base rate: a lead with `warm` times the usual probability is warm, with `hot` times hot."""

    warm: float = 1.0
    hot: float = 3.0

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be a positive multiple of the base rate, but is {value}"
            for name, value in (("warm", self.warm), ("hot", self.hot))
            if not 0.0 < value < np.inf
        ]
        if not self.warm < self.hot:
            problems.append(f"warm ({self.warm}) must lie below hot ({self.hot})")
        _refuse("maturity policy", problems)

    def maturities(self, probabilities: ArrayLike, *, base_rate: float) -> NDArray[np.str_]:
        """Maturity of each probability, given the share of the training rows that converted: text of shape (n,).

        >>> MaturityPolicy().maturities([0.01, 0.04, 0.12], base_rate=0.04)
        array(['cold', 'warm', 'hot'], dtype='<U4')
        """
        return _rungs(probabilities, (self.warm * base_rate, self.hot * base_rate), MATURITIES)


def scores(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Turn probabilities into what people are shown: a hundred times them."""
    return 100.0 * np.asarray(probabilities, dtype=np.float64)


def _rungs(probabilities: ArrayLike, cuts: tuple[float, float], names: tuple[str, str, str]) -> NDArray[np.str_]:
    values = np.asarray(probabilities, dtype=np.float64)
    if not ((values >= 0.0) & (values <= 1.0)).all():
        raise ValueError("probabilities must lie between 0 and 1, and none may be missing")
    return np.array(names)[np.searchsorted(np.array(cuts), values, side="right")]


def _refuse(what: str, problems: list[str]) -> None:
    if problems:
        raise SettingsError(f"the {what} makes no sense: " + "; ".join(problems) + ".")
