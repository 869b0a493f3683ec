"""From a probability to a recommendation: whom to work on next, and how far a lead is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt, Lt

from features.core.schema import MATURITIES, TIERS, Tier
from features.core.section import SettingsSection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

BEST_FIRST = TIERS[::-1]
RECOMMENDED = BEST_FIRST[:-1]
"""The tiers that somebody works on, the best first."""
HOTTEST_FIRST = MATURITIES[::-1]
WHO_DOES_WHAT: dict[Tier, str] = {"SQL": "sales calls today", "MQL": "marketing keeps at it", "IQL": "wait"}
"""What a tier means, in the words of the pages."""
ACTIONS: dict[Tier, str] = {"SQL": "call today", "MQL": "keep nurturing", "IQL": "wait"}
"""What is to be done with a lead of a tier, in the words that its CRM is given."""


@dataclass(frozen=True)
class TierPolicy(SettingsSection):
    """From which probability on a lead is recommended to whom."""

    mql: Annotated[float, Gt(0), Lt(1)]
    """From this probability on marketing takes the lead."""
    sql: Annotated[float, Gt(0), Lt(1)]
    """From this probability on sales takes the lead."""

    def __post_init__(self) -> None:
        if not self.mql < self.sql:
            raise ValueError(f"tiers.mql ({self.mql}) must be below tiers.sql ({self.sql})")

    def tiers(self, probabilities: ArrayLike) -> NDArray[np.str_]:
        """Tier of each probability: text of shape (n,).

        >>> TierPolicy(mql=0.05, sql=0.2).tiers([0.049, 0.05, 0.2])
        array(['IQL', 'MQL', 'SQL'], dtype='<U3')
        """
        return _rungs(probabilities, (self.mql, self.sql), TIERS)

    @property
    def cuts(self) -> dict[Tier, float]:
        """From which probability on a lead is of a tier, the best first."""
        return {"SQL": self.sql, "MQL": self.mql, "IQL": 0.0}


@dataclass(frozen=True)
class MaturityPolicy(SettingsSection):
    """From which multiple of the base rate on a lead is warm, or hot."""

    warm: Annotated[float, Gt(0)] = 1.0
    """From this multiple on a lead is warm; below it, cold."""
    hot: Annotated[float, Gt(0)] = 3.0
    """From this multiple on a lead is hot."""

    def __post_init__(self) -> None:
        if not self.warm < self.hot < math.inf:
            raise ValueError(f"maturity.warm ({self.warm}) must be below maturity.hot ({self.hot})")

    def maturities(self, probabilities: ArrayLike, *, base_rate: float) -> NDArray[np.str_]:
        """Maturity of each probability, given the share of the training rows that converted: text of shape (n,).

        >>> MaturityPolicy().maturities([0.01, 0.04, 0.12], base_rate=0.04)
        array(['cold', 'warm', 'hot'], dtype='<U4')
        """
        return _rungs(probabilities, (self.warm * base_rate, self.hot * base_rate), MATURITIES)

    @property
    def words(self) -> dict[str, str]:
        """Say from where on a lead is what, the hottest first."""
        return {
            "hot": f"from {self.hot:g} times the usual rate of conversion",
            "warm": f"from {self.warm:g} times",
            "cold": "below",
        }


def _rungs(probabilities: ArrayLike, cuts: tuple[float, float], names: tuple[str, ...]) -> NDArray[np.str_]:
    import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

    values = np.asarray(probabilities, dtype=np.float64)
    if not ((values >= 0.0) & (values <= 1.0)).all():
        raise ValueError("probabilities must lie between 0 and 1, and none may be missing")
    return np.array(names)[np.searchsorted(np.array(cuts), values, side="right")]
