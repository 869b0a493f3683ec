"""What a list rests on beside what leads did: so that who is on it for another reason can be told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from models.core.horizons import PROBABILITY
from models.decision.capacity import Amount, Costs, Room
from models.decision.tiers import Money, Multiples, Stated
from pipeline.core.project import read_json
from pipeline.scoring.earlier import called_in, moment_of
from pipeline.scoring.today import Owned, Time, Today

_CUT_OFFS = {"money", "multiples", "tiers"}
_VALUE = {"value", "attribute", "values"}
"""What ``money`` says of a conversion; the order of the list hangs on it, too."""
_TIME = {"capacity", "working_days"}
DECIDED = "decided.json"
"""What an earlier run's list rests on, beside its recommendations."""


def basis_of(today: Today) -> dict[str, str]:
    """Give a digest of each part that a list rests on; what a day's table of owners says counts, and no other row."""
    settings = today.policy.model_dump(mode="json")
    money, owned = settings["money"], today.owned
    cut_offs = {name: settings[name] for name in _CUT_OFFS}
    if money is not None:
        cut_offs["money"] = {name: money[name] for name in money.keys() - _VALUE}
    return {
        "cut_offs": _digest(cut_offs),
        "value": _digest(money and {name: money[name] for name in _VALUE}),
        # By working days it is told, too, who was touched in time.
        "rules": _digest({name: settings[name] for name in settings.keys() - _CUT_OFFS - {"capacity"}}),
        "time": _digest({name: settings[name] for name in _TIME}),
        "costs": _digest([round(today.costs.new, 2), round(today.costs.in_work, 2)]),
        "owners": _digest(asdict(owned) if owned else None),
    }


def noted(today: Today) -> dict[str, Any]:
    """Give what a list rests on as JSON holds it, as far as a later one is decided by it anew; it may name owners."""
    policy, owned = today.policy, today.owned
    settled = {"money": policy.money, "multiples": policy.multiples, "tiers": policy.tiers}
    return {
        "cut_offs": {name: asdict(part) if part else None for name, part in settled.items()},
        "time": asdict(today.time),
        "owners": asdict(owned) if owned else None,
    }


@dataclass(frozen=True)
class LastBasis:
    """What the last list rests on."""

    digests: Mapping[str, str]
    """Of each part, and the version of the model."""
    settled: Mapping[str, Money | Multiples | Stated | None]
    """By the names of the settings."""
    base_rate: float
    time: Time
    owned: Owned | None
    costs: Costs

    @classmethod
    def of(cls, today: Today, base_rate: float, model_version: str) -> LastBasis:
        """Give what the list of a day rests on, without writing it first."""
        policy = today.policy
        settled = {"money": policy.money, "multiples": policy.multiples, "tiers": policy.tiers}
        digests = {**basis_of(today), "model": model_version}
        return cls(digests, settled, base_rate, today.time, today.owned, today.costs)

    @classmethod
    def read(cls, last: Path) -> LastBasis | None:
        """Read what is noted beside the scores of a moment; None where nothing is, or by an earlier version."""
        path = last.with_name(DECIDED)
        if not path.exists():
            return None
        told = read_json(path)
        if "rests_on" not in told:
            return None
        parts = told["rests_on"]
        money, stated = parts["cut_offs"]["money"], parts["cut_offs"]["tiers"]
        time, owned = parts["time"], parts["owners"]
        if owned:
            amounts = owned["amounts"]
            owned = Owned(dict(owned["owners"]), None if amounts is None else _amounts(amounts))
        return cls(
            {**told["basis"], "model": told["model_version"]},
            {
                "money": Money(**money) if money else None,
                "multiples": Multiples(**parts["cut_offs"]["multiples"]),
                "tiers": Stated(**stated) if stated else None,
            },
            told["base_rate"],
            Time(_room(time["stated"]), time["works"]),
            owned,
            Costs(**told["costs"]),
        )

    def changed(self, basis: Mapping[str, str], model_version: str) -> list[str]:
        """Name the parts that are others now, in byte order."""
        own = {**basis, "model": model_version}
        return sorted(name for name in own if own[name] != self.digests.get(name))


@dataclass(frozen=True)
class LastList:
    """An earlier list that today's is compared with: one that was kept, or one made anew as it would have been then."""

    moment: datetime
    """UTC."""
    foretold: pd.Series
    """Of each lead that had a row, by lead_id; missing where it had ended."""
    tiers: pd.Series
    """Of each lead that was open, by lead_id."""
    called: frozenset[str]
    """On the list of sales."""
    basis: LastBasis | None
    """What it rests on; None where nobody noted it."""
    is_kept: bool = True
    """Whether it was made then, and not anew."""

    @classmethod
    def read(cls, path: Path) -> LastList:
        """Read the scores of a moment that were kept."""
        kept = pq.read_table(path, columns=["lead_id", PROBABILITY, "tier"]).to_pandas()
        kept = kept.set_index("lead_id")
        tiers = kept.loc[kept[PROBABILITY].notna(), "tier"].astype(object)
        return cls(moment_of(path), kept[PROBABILITY], tiers, called_in(path), LastBasis.read(path))


def _room(stated: Mapping[str, Any] | None) -> Room | None:
    return None if stated is None else Room(_amounts(stated["of"]), Amount(**stated["each"]))


def _amounts(stated: Mapping[str, Mapping[str, Any]]) -> dict[str, Amount]:
    return {who: Amount(**amount) for who, amount in stated.items()}


def _digest(content: object) -> str:
    return sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]
