"""How far a lead is, by what it did and how lately; never by its probability once more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, MinLen

from features.core.schema import MATURITIES
from features.core.section import SettingsSection
from features.core.time import DAY, Duration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HOTTEST_FIRST = MATURITIES[::-1]


@dataclass(frozen=True)
class MaturityPolicy(SettingsSection):
    """Which acts of a lead are strong, which medium, and for how long they make it hot, or warm."""

    strong: tuple[Annotated[str, MinLen(1)], ...] = ()
    """Event types that show intent, as a request for a quote does. They are told first among the reasons for a lead."""
    medium: tuple[Annotated[str, MinLen(1)], ...] = ()
    """Event types that show interest, as a download does; all others are weak."""
    hot_for: Duration = 14 * DAY
    """How long a strong act makes a lead hot, and acts on active_days days make it warm."""
    warm_for: Duration = 30 * DAY
    """How long a strong or medium act makes it warm; otherwise it is cold."""
    active_days: Annotated[int, Ge(2)] = 2
    """On how many days within hot_for a lead that did anything has come back, which makes it warm."""

    def __post_init__(self) -> None:
        both = sorted(set(self.strong) & set(self.medium))
        if both:
            raise ValueError(f"{both[0]!r} can't be strong and medium at once; keep it in one of them")
        if not timedelta(0) < self.hot_for <= self.warm_for:
            raise ValueError("hot_for must be longer than nothing, and no longer than warm_for")

    def maturities(
        self,
        strong: NDArray[np.datetime64],
        medium: NDArray[np.datetime64],
        came_back: NDArray[np.bool_],
        raised: NDArray[np.bool_],
        as_of: NDArray[np.datetime64],
    ) -> NDArray[np.str_]:
        """Give the maturity of leads, text of shape (n,).

        ``strong`` and ``medium``: when the last such act of the lead was, missing where there is none; ``came_back``:
        whether it did anything on ``active_days`` days within ``hot_for``; ``raised``: whether a fact raises it. Times
        are in UTC.
        """
        import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

        hot_since, warm_since = as_of - np.timedelta64(self.hot_for), as_of - np.timedelta64(self.warm_for)
        is_hot = raised | (strong >= hot_since)
        is_warm = (strong >= warm_since) | (medium >= warm_since) | came_back
        return np.select([is_hot, is_warm], ["hot", "warm"], "cold")

    @property
    def words(self) -> dict[str, str]:
        """Say when a lead is what, the hottest first."""
        return {
            "hot": f"a strong act in the last {self.hot_for.days} days",
            "warm": f"a strong or medium act in the last {self.warm_for.days} days, or acts on {self.active_days} of "
            f"the last {self.hot_for.days}",
            "cold": "neither",
        }
