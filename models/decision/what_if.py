"""What would become of the open leads at other cut-offs, from their recommendations alone.

Nothing is scored anew. Of each lead the recommendations say whether a fact decides: one that is SQL and raised stays
SQL whatever the cut-off, and one that is refused never becomes it. One whose tier people said keeps it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from models.decision.tiers import CutOffs, tiers_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from models.decision.facts import Fact

COLUMNS = ("probability", "tier", "own_tier", "facts", "expected_value")
"""What is read of the recommendations."""
STEPS = 100
"""Steps of a cut-off in each power of ten: 2.3 % between two of them."""
_LOWEST = 1e-5
_DECIDING = ("raises", "refuses")


@dataclass(frozen=True)
class OpenLeads:
    """What the recommendations say of all open leads, each of shape (leads,)."""

    probability: NDArray[np.float64]
    tier: NDArray[np.str_]
    value: NDArray[np.float64] | None
    """What a conversion is worth; None where nobody said."""
    raised: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    by_word: NDArray[np.bool_]
    """Whether people said its tier."""

    @classmethod
    def of(cls, table: pd.DataFrame, facts: Mapping[str, Fact], value: float | None) -> OpenLeads:
        """Read ``COLUMNS``; of a fact that raises and one that refuses, the tier says which is the later.

        ``value`` is what a conversion is usually worth, None where nobody said.
        """
        probability, tier = table["probability"].to_numpy(np.float64), table["tier"].to_numpy("U12")
        names = {kind: {name for name, fact in facts.items() if fact.kind == kind} for kind in _DECIDING}
        raises, refuses = ([_holds(held, names[kind]) for held in table["facts"]] for kind in _DECIDING)
        is_sql = tier == "SQL"
        values = None
        if value is not None:
            expected = table["expected_value"].to_numpy(np.float64)
            values = np.divide(expected, probability, out=np.full(len(table), float(value)), where=probability > 0.0)
        # What an earlier version wrote knew of no word.
        by_word = table["own_tier"].notna().to_numpy() if "own_tier" in table else np.zeros(len(table), dtype=bool)
        raised, refused = np.array(raises, bool) & is_sql, np.array(refuses, bool) & ~is_sql
        return cls(probability, tier, values, raised & ~by_word, refused & ~by_word, by_word)

    def tiers(self, cuts: CutOffs, *, by_probability_alone: bool = False) -> NDArray[np.str_]:
        """Give the tiers that they would have."""
        nobody = np.zeros(len(self.tier), dtype=bool)
        if by_probability_alone:
            return tiers_of(self.probability, cuts, closed=nobody, refused=nobody, raised=nobody, is_back=nobody)
        own = tiers_of(
            self.probability,
            cuts,
            closed=self.tier == "disqualified",
            refused=self.refused,
            raised=self.raised,
            is_back=self.tier == "recycled",
        )
        return np.where(self.by_word, self.tier, own)

    def spread(self, usual: float | None, cuts: CutOffs) -> dict[str, Any]:
        """Sum the leads up so finely that a page can move the cut-offs, and name none of them.

        ``usual`` is what a conversion is usually worth; ``cuts``, of such a one, are edges, so that what is now is
        exact. ``fixed`` holds [leads, expected conversions, expected value] of those that no cut-off moves, by tier;
        ``by`` the others for each way to cut: by ``probability``, and, where leads are worth different sums, by
        ``worth``, the probability times the value as a multiple of the usual one. Each of its groups (``free``;
        ``recycled``, which become SQL or stay; ``refused``, which never become SQL) has rows [lower edge, leads,
        expected conversions, expected value].
        """
        value = np.full(len(self.tier), usual or 0.0) if self.value is None else self.value
        brings = np.stack([np.ones(len(value)), self.probability, self.probability * value], axis=1)
        closed, back = self.tier == "disqualified", self.tier == "recycled"
        moved = ~(self.by_word | closed)
        groups = {
            "free": moved & ~(back | self.raised | self.refused),
            "recycled": moved & back & ~self.refused,
            "refused": moved & self.refused & ~back,
        }
        fixed = ~np.logical_or.reduce(list(groups.values()))
        ways = {"probability": self.probability}
        if usual and self.value is not None and not np.allclose(self.value, usual):
            ways["worth"] = self.probability * self.value / usual
        return {
            "fixed": {tier: _summed(brings[fixed & (self.tier == tier)]) for tier in np.unique(self.tier[fixed])},
            "by": {
                way: {name: _rows(position[chosen], brings[chosen], cuts) for name, chosen in groups.items()}
                for way, position in ways.items()
            },
        }


def _rows(position: NDArray[np.float64], brings: NDArray[np.float64], cuts: CutOffs) -> list[list[float]]:
    """Sum up what lies between two edges, the empty ones left out."""
    powers = round(-np.log10(_LOWEST))
    grid = np.logspace(-powers, 0, powers * STEPS + 1)
    edges = np.unique([0.0, *grid, float(np.min(cuts.mql)), float(np.min(cuts.sql))])
    order = np.argsort(position, kind="stable")
    places = np.searchsorted(position[order], edges)
    sums = np.vstack([np.zeros(3), brings[order].cumsum(axis=0)])
    found = []
    for edge, (first, last) in zip(edges, pairwise([*places, len(position)]), strict=True):
        if last > first:
            found.append([float(edge), *_rounded(sums[last] - sums[first])])
    return found


def _summed(brings: NDArray[np.float64]) -> list[float]:
    return _rounded(brings.sum(axis=0))


def _rounded(sums: NDArray[np.float64]) -> list[float]:
    return [round(float(one), 6) for one in sums]


def _holds(facts: Collection[str], names: Collection[str]) -> bool:
    """Tell whether one of some facts is among those that hold, each told with its day before it."""
    return any(fact.partition(" ")[2] in names for fact in facts)
