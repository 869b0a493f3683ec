"""What a lead is worth working on: from facts, what a conversion is worth, and its probability."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt, Le, Lt, MinLen

from features.core.schema import WORKED, Tier
from features.core.section import SettingsSection
from features.core.time import DAY, Duration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WHO_DOES_WHAT: dict[Tier, str] = {
    "customer": "nothing: it has converted",
    "disqualified": "nothing: a fact closes it",
    "SQL": "worth an hour of sales",
    "recycled": "back after a loss or a silence: marketing takes it up again",
    "MQL": "marketing keeps at it",
    "IQL": "wait",
}
"""What a tier means, in the words of the pages."""
CUT_OFFS_FROM = {
    "tiers": "as people have settled them",
    "money": "where effort pays, by what a conversion is worth and what effort costs",
    "multiples": "multiples of the share that converts, for nobody said what a conversion is worth",
}
"""What the cut-offs rest on, in the words of the pages."""


@dataclass(frozen=True)
class Stated(SettingsSection):
    """From which probability on a lead is worth whose effort, as people have settled it."""

    mql: Annotated[float, Gt(0), Lt(1)]
    """From this probability on marketing takes the lead."""
    sql: Annotated[float, Gt(0), Lt(1)]
    """From this probability on sales takes the lead."""

    def __post_init__(self) -> None:
        if not self.mql < self.sql:
            raise ValueError(f"tiers.mql ({self.mql}) must be below tiers.sql ({self.sql})")


@dataclass(frozen=True)
class Multiples(SettingsSection):
    """From how many times the base rate's odds on a lead is worth whose effort, where no money says it.

    Of few that convert it is as many times the base rate; of many, the cut-off still lies below 1.
    """

    mql: Annotated[float, Gt(0)] = 1.0
    """From this multiple on marketing takes the lead."""
    sql: Annotated[float, Gt(0)] = 2.5
    """From this multiple on sales takes the lead."""

    def __post_init__(self) -> None:
        if not self.mql < self.sql:
            raise ValueError(f"multiples.mql ({self.mql:g}) must be below multiples.sql ({self.sql:g})")


@dataclass(frozen=True)
class Money(SettingsSection):
    """What a conversion is worth and what effort costs, in ingest.currency."""

    value: Annotated[float, Gt(0)]
    """What a conversion is worth: the margin, not the price."""
    sales_contact: Annotated[float, Gt(0)]
    """What it costs that sales takes up a lead, with all that follows from it."""
    nurturing: Annotated[float, Gt(0)]
    """What it costs that marketing keeps at a lead."""
    attribute: Annotated[str, MinLen(1)] | None = None
    """An attribute of the lead that says more of its value: a number is the value itself where it is given."""
    values: dict[str, Annotated[float, Gt(0)]] | None = None
    """Of an attribute that is a category: what a conversion of each is worth; of all others it is value."""
    effect: Annotated[float, Gt(0), Le(1)] | None = None
    """Which share of the conversions of called leads comes of the call, where it was measured: by a lottery, not by
    how often called leads convert. Without it no profit is told, and cut-offs are as low as they can be."""

    def __post_init__(self) -> None:
        if not self.nurturing < self.sales_contact:
            raise ValueError(
                f"money.nurturing ({self.nurturing:g}) must be below money.sales_contact ({self.sales_contact:g})"
            )
        if self.values is not None and self.attribute is None:
            raise ValueError("values are of the categories of an attribute; name it, as in attribute: country")
        if not self.sales_contact < self.value * (self.effect or 1.0):
            raise ValueError(
                f"money.sales_contact ({self.sales_contact:g}) is not below what the surest lead would bring "
                f"({self.value * (self.effect or 1.0):g}): no lead could ever be worth it"
            )


@dataclass(frozen=True)
class Recycling(SettingsSection):
    """When a lead is back: after a loss, or after a silence."""

    within: Duration = 30 * DAY
    """How long after it came back a lead is recycled."""
    silence: Duration = 90 * DAY
    """A lead that did nothing for this long was quiet."""

    def __post_init__(self) -> None:
        if min(self.within, self.silence) <= timedelta(0):
            raise ValueError("within and silence must be longer than nothing, as in within: 30d")


@dataclass(frozen=True)
class CutOffs:
    """From which probability on a lead is worth whose effort, shape (n,) or one for all."""

    mql: NDArray[np.float64] | float
    sql: NDArray[np.float64] | float

    @classmethod
    def of(
        cls, settled: Stated | Money | Multiples, base_rate: float, value: NDArray[np.float64] | float | None = None
    ) -> CutOffs:
        """Compute them: as people stated them, from money and each lead's ``value``, or from the base rate."""
        match settled:
            case Stated():
                return cls(settled.mql, settled.sql)
            case Money():
                brought = (settled.value if value is None else value) * (settled.effect or 1.0)
                return cls(settled.nurturing / brought, settled.sales_contact / brought)
            case Multiples():
                return cls(_multiplied(base_rate, settled.mql), _multiplied(base_rate, settled.sql))


def _multiplied(rate: float, multiple: float) -> float:
    """Multiply the odds of a rate.

    >>> _multiplied(0.5, 3.0)
    0.75
    """
    return multiple * rate / (1.0 - rate + multiple * rate)


def tiers_of(
    probabilities: NDArray[np.float64],
    cuts: CutOffs,
    *,
    closed: NDArray[np.bool_],
    refused: NDArray[np.bool_],
    raised: NDArray[np.bool_],
    is_back: NDArray[np.bool_],
) -> NDArray[np.str_]:
    """Give the tier of each open lead, text of shape (n,). More probability never gives a later tier of TIERS.

    >>> import numpy as np
    >>> no = np.zeros(3, bool)
    >>> tiers_of(np.array([0.1, 0.3, 0.05]), CutOffs(0.1, 0.3), closed=no, refused=no, raised=no, is_back=no)
    array(['MQL', 'SQL', 'IQL'], dtype='<U12')
    """
    import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

    if not ((probabilities >= 0.0) & (probabilities <= 1.0)).all():
        raise ValueError("probabilities must lie between 0 and 1, and none may be missing")
    is_sql = (raised | (probabilities >= cuts.sql)) & ~refused
    return np.select([closed, is_sql, is_back, probabilities >= cuts.mql], ["disqualified", *WORKED], "IQL").astype(
        "U12"
    )
