"""From the probabilities of all open leads, and how these stand, to what is recommended of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.core.recommendation import RECOMMENDATION
from models.decision.capacity import Costs
from models.decision.lists import Lists
from models.decision.tiers import CutOffs, tiers_of
from pipeline.scoring.basis import LastList, basis_of, noted
from pipeline.scoring.standing import Standing
from pipeline.scoring.today import Spent, Today, lottery_groups, make_lists_of, may_be_called
from pipeline.settings.decision import DecisionPolicy

_FIELDS = {field.name: field for field in RECOMMENDATION}


@dataclass(frozen=True)
class Decided:
    """What is decided of all leads, column by column, and what it rests on."""

    columns: dict[str, pa.Array]
    day: date
    """The company's, for which the list is."""
    is_working_day: bool
    """Whether sales works on it: otherwise, where places are counted, there are none."""
    spent: Spent
    """What becomes of the day's time."""
    costs: Costs
    """What leads were measured to cost; nothing is measured where no calls and no hours are counted."""
    basis: dict[str, str]
    """A digest of each part that the list rests on beside what leads did."""
    rests_on: dict[str, Any]
    """What of it a later list is decided by anew, to tell why it is another."""
    cut_offs: dict[str, float]
    """From which probability on marketing, and sales, take a lead; of a conversion of the usual value."""
    cut_offs_from: str
    """tiers, money or multiples: what says them."""
    base_rate: float
    """The share of the training rows that converted, which multiples are of."""
    causes: Mapping[str, str] = field(default_factory=dict)
    """Why open leads came onto the list of sales since the last one, or left it, by lead_id."""
    last: LastList | None = None
    """The one that it was compared with."""
    ended_of_late: Mapping[str, int] = field(default_factory=dict)
    """How many leads converted, and were lost, within ``decision.keep``."""
    unstated: tuple[str, ...] = ()
    """What nobody has stated: names of UNSTATED."""

    def as_json(self) -> dict[str, Any]:
        """Give what it rests on as JSON holds it; the columns stand in the recommendations."""
        return {
            "day": self.day.isoformat(),
            "is_working_day": self.is_working_day,
            "places_left": self.spent.left,
            "time": asdict(self.spent),
            "costs": asdict(self.costs),
            "basis": self.basis,
            "cut_offs": self.cut_offs,
            "cut_offs_from": self.cut_offs_from,
            "base_rate": self.base_rate,
            "ended_of_late": dict(self.ended_of_late),
            "unstated": list(self.unstated),
        }


@dataclass(frozen=True)
class Decider:
    """What decides of leads whose standing is known, in its order."""

    policy: DecisionPolicy
    standing: Standing
    lead_ids: NDArray[np.object_]
    base_rate: float
    """The share of the training rows that converted."""
    today: Today
    """The company's day: whose time there is, and what earlier runs made of it."""

    def tiers(self, probabilities: NDArray[np.float64], rows: slice) -> NDArray[np.str_]:
        """Give the tiers of some leads by their probabilities, text of the shape of both."""
        return self.standing.spoken.word.over(
            self._own_tiers(probabilities, rows), self.standing.held.closed[rows], rows
        )

    def _own_tiers(self, probabilities: NDArray[np.float64], rows: slice) -> NDArray[np.str_]:
        """Give the tiers that they would have without people's word."""
        held, standing = self.standing.held, self.standing
        value = None if standing.value is None else standing.value[rows]
        return tiers_of(
            probabilities,
            CutOffs.of(self.policy.settled, self.base_rate, value),
            closed=standing.closed[rows],
            refused=held.refused[rows],
            raised=held.raised[rows],
            is_back=standing.is_back[rows],
        )

    @cached_property
    def may_be_called(self) -> NDArray[np.bool_]:
        """Whether each lead may be on the list of sales whatever its tier."""
        return may_be_called(self.policy, self.standing, self.lead_ids, self.today.day)

    @property
    def was_called(self) -> NDArray[np.bool_]:
        """Whether each lead was on the last list of sales."""
        called: NDArray[np.bool_] = pd.Series(self.lead_ids, dtype=object).isin(self.today.earlier.called).to_numpy()
        return called

    def lists(self, probabilities: NDArray[np.float64], tiers: NDArray[np.str_]) -> tuple[Lists, Spent]:
        """Part all leads among the lists of the company's day, and say what becomes of its time."""
        value = self.standing.value
        worth = probabilities if value is None else probabilities * value
        gain = worth * np.where(self.was_called, 1.0 + self.policy.stay, 1.0)
        return make_lists_of(self.today, self.standing, tiers, gain, self.lead_ids)

    def decide(self, probabilities: NDArray[np.float64], tiers: NDArray[np.str_]) -> Decided:
        """Decide of all leads, and who gets an hour on the company's day."""
        standing, value = self.standing, self.standing.value
        lists, spent = self.lists(probabilities, tiers)
        everybody = slice(None)
        by_word = standing.spoken.word.decides(standing.held.closed, everybody)
        columns = {
            "maturity": standing.maturity,
            "tier": tiers,
            "own_tier": pa.array(self._own_tiers(probabilities, everybody), mask=~by_word),
            "word": standing.spoken.texts,
            "stage": standing.stage,
            "facts": standing.facts,
            "target": standing.target,
            "expected_value": np.full(len(tiers), np.nan) if value is None else probabilities * value,
            "list": lists.list,
            "rank": lists.rank,
            "list_reason": lists.reason,
            "lottery_group": lottery_groups(self.policy, standing, self.lead_ids),
            "owner": self.today.owners_of(standing.territory),
        }
        usual = CutOffs.of(self.policy.settled, self.base_rate)
        return Decided(
            {name: _array(name, values) for name, values in columns.items()},
            self.today.day,
            self.policy.works_on(self.today.day),
            spent,
            self.today.costs,
            basis_of(self.today),
            noted(self.today),
            {"MQL": float(usual.mql), "SQL": float(usual.sql)},
            next((name for name in ("tiers", "money") if getattr(self.policy, name) is not None), "multiples"),
            self.base_rate,
        )


def _array(name: str, values: object) -> pa.Array:
    kind = _FIELDS[name].arrow
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return pa.array(values, mask=np.isnan(values)).cast(kind)
    return pa.array(values, kind)
