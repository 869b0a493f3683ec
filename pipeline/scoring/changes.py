"""Why leads came onto the list of sales, or left it, since the last one.

Today's list is decided several times: first with what leads were foretold then, and all else that the last list rests
on; then with one after the other as it is now, until it is today's. A lead that moved did so at one of these steps, the
last that moved it, and that is its cause. What only a walk over the log would tell apart is told as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.recommendation import LIST_CHANGED
from models.core.horizons import PROBABILITY
from pipeline.scoring.basis import LastBasis
from pipeline.scoring.deciding import Decided, Decider
from pipeline.scoring.earlier import Earlier, called_in, moment_of


def causes_of(
    decider: Decider, probabilities: NDArray[np.float64], decided: Decided, model_version: str
) -> dict[str, str]:
    """Say of each open lead that came onto the list of sales, or left it, why: one of LIST_CHANGES by its lead_id."""
    last, ids = decider.today.earlier.last, decider.lead_ids
    if last is None:
        return {}
    current = decider.was_called
    now = np.array(pc.equal(decided.columns["list"], "sales"))
    moved = np.flatnonzero(current != now)
    basis = LastBasis.read(last)
    if basis is None or not len(moved):
        return dict.fromkeys(ids[moved], "unknown")
    cause = np.full(len(ids), "", dtype=object)
    kept = pq.read_table(last, columns=["lead_id", PROBABILITY])
    place = pd.Index(kept["lead_id"].to_pylist()).get_indexer(pd.Index(ids))
    foretold = kept[PROBABILITY].to_numpy().astype(float)[place]
    is_new = place < 0
    # Who was no open lead was foretold nothing.
    then = np.where(is_new | np.isnan(foretold), probabilities, foretold)
    changed = basis.changed(decided.basis, model_version)
    for name, listed in _steps(decider, basis, changed, then, probabilities, now):
        cause[listed != current] = name
        current = listed
    own_doing = {"fact", "rules"}
    return {ids[row]: "new" if is_new[row] and cause[row] in own_doing else cause[row] for row in moved.tolist()}


def _steps(
    decider: Decider,
    basis: LastBasis,
    changed: list[str],
    then: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    now: NDArray[np.bool_],
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Give who would be on the list after each step that changes something, up to who is on it ``now``."""
    today = decider.today
    as_then: dict[str, Any] = {"costs": basis.costs, "owned": basis.owned, "other_time": basis.time}
    policy = decider.policy.model_copy(update=dict(basis.settled))
    steps = [
        (
            "rules" if {"rules", "value"} & set(changed) else "fact",
            replace(decider, policy=policy, base_rate=basis.base_rate, today=replace(today, **as_then)),
            then,
        ),
        (
            "model" if "model" in changed else "score",
            replace(decider, policy=policy, today=replace(today, **as_then)),
            probabilities,
        ),
    ]
    if policy != decider.policy:
        steps.append(("cut-offs", replace(decider, today=replace(today, **as_then)), probabilities))
    for name, part, value in (("costs", "costs", today.costs), ("owners", "owned", today.owned)):
        if as_then[part] != value:
            as_then[part] = value
            steps.append((name, replace(decider, today=replace(today, **as_then)), probabilities))
    if basis.time != today.time:
        steps.append(("capacity", decider, probabilities))
    for name, one, foretold in steps[:-1]:
        lists, _ = one.lists(foretold, one.tiers(foretold, slice(None)))
        yield name, lists.list == "sales"
    yield steps[-1][0], now  # what is put in its place last makes it today's


def since_last(
    decided: Decided, model_version: str, recommendations: pa.Table, earlier: Earlier
) -> tuple[dict[str, Any] | None, pa.Array]:
    """Compare a list with the last one: when that was, how many came and went, and why; and give each lead's cause.

    None where there is no earlier list; ``changed`` is None where nobody noted what it rests on.
    Who has no row any more is counted as ``gone``.
    """
    if earlier.last is None:
        return None, pa.nulls(len(recommendations), pa.string())
    before = called_in(earlier.last)
    column = recommendations["lead_id"]
    is_called = pc.equal(recommendations["list"], "sales")
    now = set(recommendations.filter(is_called)["lead_id"].to_pylist())
    is_left = pc.and_(pc.is_in(column, pa.array(sorted(before), pa.string())), pc.invert(is_called))
    # What ended a lead is a fact, whatever else has changed.
    causes = {**dict.fromkeys(column.filter(is_left).to_pylist(), "fact"), **decided.causes}
    basis = LastBasis.read(earlier.last)
    if basis is None:
        causes = dict.fromkeys(causes, "unknown")
    gone = len(before - now) - pc.sum(is_left).as_py() if before else 0
    told = {
        "as_of": f"{moment_of(earlier.last):%Y-%m-%d %H:%M}",
        "came": len(now - before),
        "went": len(before - now),
        "causes": _count(causes, gone),
        "changed": None if basis is None else basis.changed(decided.basis, model_version),
    }
    place = pc.index_in(column, pa.array(list(causes), pa.string()))
    return told, pa.array(list(causes.values()), LIST_CHANGED.arrow).take(place).combine_chunks()


def _count(causes: Mapping[str, str], gone: int) -> dict[str, int]:
    counts = {
        str(name): int(count) for name, count in pd.Series(list(causes.values()), dtype=object).value_counts().items()
    }
    return counts | ({"gone": gone} if gone else {})
