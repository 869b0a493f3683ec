"""From the probabilities of all open leads, and how these stand, to what is recommended of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.core.schema import RECOMMENDATION
from models.decision.lists import make_lists
from models.decision.tiers import CutOffs, tiers_of
from pipeline.scoring.standing import Standing
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
    places_left: int | None
    """Places of sales that nobody takes; None where nobody said how many there are."""
    cut_offs: dict[str, float]
    """From which probability on marketing, and sales, take a lead; of a conversion of the usual value."""
    cut_offs_from: str
    """tiers, money or multiples: what says them."""

    def as_json(self) -> dict[str, Any]:
        """Give what it rests on as JSON holds it; the columns stand in the recommendations."""
        return {
            "day": self.day.isoformat(),
            "is_working_day": self.is_working_day,
            "places_left": self.places_left,
            "cut_offs": self.cut_offs,
            "cut_offs_from": self.cut_offs_from,
        }


@dataclass(frozen=True)
class Decider:
    """What decides of leads whose standing is known, in its order."""

    policy: DecisionPolicy
    standing: Standing
    lead_ids: NDArray[np.object_]
    base_rate: float
    """The share of the training rows that converted."""
    called: frozenset[str] = frozenset()
    """Who was on the last list of sales."""

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

    def decide(self, probabilities: NDArray[np.float64], tiers: NDArray[np.str_], as_of: datetime) -> Decided:
        """Decide of all leads, and who gets an hour on the company's day of ``as_of`` (UTC)."""
        day = self.policy.day_of(as_of)
        standing, value = self.standing, self.standing.value
        worth = probabilities if value is None else probabilities * value
        lists = make_lists(
            tiers,
            worth * np.where([lead in self.called for lead in self.lead_ids], 1.0 + self.policy.stay, 1.0),
            self.lead_ids,
            taken=standing.held.taken,
            no_call=standing.held.shut("telephone"),
            no_mail=standing.held.shut("mail"),
            accounts=standing.account,
            owners=standing.territory,
            places=self.policy.places_on(day),
            word=standing.spoken.word,
        )
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
            "expected_value": np.full(len(tiers), np.nan) if value is None else worth,
            "list": lists.list,
            "rank": lists.rank,
            "list_reason": lists.reason,
        }
        usual = CutOffs.of(self.policy.settled, self.base_rate)
        return Decided(
            {name: _array(name, values) for name, values in columns.items()},
            day,
            self.policy.works_on(day),
            lists.left,
            {"MQL": float(usual.mql), "SQL": float(usual.sql)},
            next((name for name in ("tiers", "money") if getattr(self.policy, name) is not None), "multiples"),
        )


def _array(name: str, values: object) -> pa.Array:
    kind = _FIELDS[name].arrow
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return pa.array(values, mask=np.isnan(values)).cast(kind)
    return pa.array(values, kind)
