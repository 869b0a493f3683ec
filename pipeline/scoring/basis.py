"""What a list rests on beside what leads did: so that who is on it for another reason can be told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.project import read_json
from pipeline.scoring.earlier import Earlier, called_in, moment_of
from pipeline.scoring.today import Today

_CUT_OFFS = {"money", "multiples", "tiers"}
_TIME = {"capacity", "work", "working_days"}
DECIDED = "decided.json"
"""What an earlier run's list rests on, beside its recommendations."""


def basis_of(today: Today) -> dict[str, str]:
    """Give a digest of each part that a list rests on; what a day's table of owners says counts, and no other row."""
    settings = today.policy.model_dump(mode="json")
    owned = today.owned
    return {
        "cut_offs": _digest({name: settings[name] for name in _CUT_OFFS}),
        "rules": _digest({name: settings[name] for name in settings.keys() - _CUT_OFFS - _TIME}),
        "time": _digest({name: settings[name] for name in _TIME}),
        "costs": _digest([round(today.costs.new, 2), round(today.costs.in_work, 2)]),
        "owners": _digest(asdict(owned) if owned else None),
    }


def since_last(told: Mapping[str, Any], recommendations: pa.Table, earlier: Earlier) -> dict[str, Any] | None:
    """Compare a list with the last one: when that was, how many came and went, and what else has changed since.

    ``told`` is what is written of this one. None where there is no earlier list; ``changed`` is None where nobody noted
    what it rests on.
    """
    if earlier.last is None:
        return None
    before = called_in(earlier.last)
    now = set(recommendations.filter(pc.equal(recommendations["list"], "sales"))["lead_id"].to_pylist())
    noted = earlier.last.with_name(DECIDED)
    changed = None
    if noted.exists():
        then = read_json(noted)
        own = {**told["basis"], "model": told["model_version"]}
        others = {**then["basis"], "model": then["model_version"]}
        changed = sorted(name for name in own if own[name] != others.get(name))
    moment = f"{moment_of(earlier.last):%Y-%m-%d %H:%M}"
    return {"as_of": moment, "came": len(now - before), "went": len(before - now), "changed": changed}


def _digest(content: object) -> str:
    return sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]
