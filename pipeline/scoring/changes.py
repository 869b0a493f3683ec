"""Why leads came onto the list of sales, left it, or have another tier, since the last one.

Today's list is decided several times: first with what leads were foretold then, and all else that the last list rests
on; then with one after the other as it is now, until it is today's. A lead that moved did so at one of these steps, the
last that moved it, and that is its cause. What only a walk over the log would tell apart is told as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.core.recommendation import LIST_CHANGED
from features.language.catalogue import Catalogue
from features.timeline.history import History
from features.timeline.snapshots import take_snapshots_at
from models.core.model import Model
from pipeline.core.project import Places
from pipeline.matrix.batches import gathered
from pipeline.matrix.executors import Executor
from pipeline.scoring.basis import LastBasis, LastList
from pipeline.scoring.deciding import Decided, Decider
from pipeline.scoring.earlier import Earlier
from pipeline.scoring.standing import Sections, look
from pipeline.scoring.work import see_today


def replay(
    places: Places,
    parameters: Sections,
    model: Model,
    connection: duckdb.DuckDBPyConnection,
    history: History,
    as_of: datetime,
    stream_matrix: Executor,
) -> LastList | None:
    """Make the list of a moment (UTC) anew, with no earlier list in mind; None where no lead was open.

    It reads the log once more.
    """
    snapshots = take_snapshots_at(history, as_of)
    if snapshots.empty:
        return None
    catalogue = Catalogue.from_json(model.manifest["catalogue"])
    ids = snapshots["lead_id"].to_numpy(object)
    standing = look(places, parameters, connection, snapshots, as_of)
    today = see_today(places, parameters, connection, as_of, Earlier())
    decider = Decider(parameters.decision, standing, ids, model.manifest["base_rate"], today)
    connection.register("replayed", snapshots)
    taken = "SELECT lead_id, as_of, created_at, started_at, episode FROM replayed"
    matrix = stream_matrix(connection, taken, places.interactions, places.leads, catalogue)
    foretold = np.concatenate(
        [model.predict(batch.select(catalogue.columns).to_pandas(split_blocks=True)) for batch in gathered(matrix)]
    )
    connection.unregister("replayed")
    tiers = decider.tiers(foretold, slice(None))
    lists, _ = decider.lists(foretold, tiers)
    return LastList(
        as_of,
        pd.Series(foretold, ids),
        pd.Series(tiers, ids, dtype=object),
        frozenset(ids[lists.list == "sales"]),
        LastBasis.of(today, decider.base_rate, model.version),
        is_kept=False,
    )


class Moved(NamedTuple):
    """Which open leads moved since the last list, and why."""

    lists: Mapping[str, str]
    """Why they came onto the list of sales, or left it: one of LIST_CHANGES by lead_id."""
    tiers: pd.DataFrame
    """By lead_id, the tier ``before`` and the ``cause`` of its change, one of TIER_CHANGES; not of what else moved."""


def moved_since(
    decider: Decider,
    probabilities: NDArray[np.float64],
    decided: Decided,
    model_version: str,
    last: LastList | None,
) -> Moved:
    """Say of each open lead that came onto the list of sales or left it, or has another tier, why."""
    ids = decider.lead_ids
    if last is None:
        return Moved({}, _tiers(ids[:0], ids[:0], ids[:0]))
    before = last.tiers.reindex(ids).to_numpy(object)
    called: NDArray[np.bool_] = pd.Series(ids, dtype=object).isin(last.called).to_numpy()
    tiers, now = (np.array(decided.columns[name].to_pylist(), dtype=object) for name in ("tier", "list"))
    other_tier = np.flatnonzero((before != tiers) & ~pd.isna(before))
    other_list = np.flatnonzero(called != (now == "sales"))
    if last.basis is None or not len(other_tier) + len(other_list):
        unknown = np.full(len(other_tier), "unknown", dtype=object)
        return Moved(dict.fromkeys(ids[other_list], "unknown"), _tiers(ids[other_tier], before[other_tier], unknown))
    foretold = last.foretold.reindex(ids).to_numpy(float)
    is_new = pd.Index(last.foretold.index).get_indexer(pd.Index(ids)) < 0
    # Who was no open lead was foretold nothing.
    then = np.where(np.isnan(foretold), probabilities, foretold)
    changed = last.basis.changed(decided.basis, model_version)
    of_list, of_tier = (np.full(len(ids), "", dtype=object) for _ in range(2))
    current, tier = called, before
    for name, one_tiers, listed in _steps(decider, last.basis, changed, then, probabilities, tiers, now == "sales"):
        of_list[listed != current] = name
        of_tier[one_tiers != tier] = name
        current, tier = listed, one_tiers
    own_doing = {"fact", "rules"}
    causes = {
        ids[row]: "new" if is_new[row] and of_list[row] in own_doing else of_list[row] for row in other_list.tolist()
    }
    return Moved(causes, _tiers(ids[other_tier], before[other_tier], of_tier[other_tier]))


def _tiers(ids: NDArray[np.object_], before: NDArray[np.object_], causes: NDArray[np.object_]) -> pd.DataFrame:
    return pd.DataFrame({"before": before, "cause": causes}, index=pd.Index(ids, dtype=object), dtype=object)


def _steps(
    decider: Decider,
    basis: LastBasis,
    changed: list[str],
    then: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    tiers: NDArray[np.object_],
    now: NDArray[np.bool_],
) -> Iterator[tuple[str, NDArray[np.object_], NDArray[np.bool_]]]:
    """Give tiers, and who would be on the list, after each step that changes something, up to those of ``now``."""
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
        given = one.tiers(foretold, slice(None))
        lists, _ = one.lists(foretold, given)
        yield name, given.astype(object), lists.list == "sales"
    yield steps[-1][0], tiers, now  # what is put in its place last makes it today's


def since_last(
    decided: Decided, model_version: str, recommendations: pa.Table
) -> tuple[dict[str, Any] | None, pa.Array]:
    """Compare a list with the last one: when that was, how many came and went, and why; and give each lead's cause.

    None where there is no earlier list; ``changed`` is None where nobody noted what it rests on.
    Who has no row any more is counted as ``gone``. ``tiers`` counts why open leads have another tier.
    """
    last = decided.last
    if last is None:
        return None, pa.nulls(len(recommendations), pa.string())
    before = last.called
    column = recommendations["lead_id"]
    is_called = pc.equal(recommendations["list"], "sales")
    now = set(recommendations.filter(is_called)["lead_id"].to_pylist())
    is_left = pc.and_(pc.is_in(column, pa.array(sorted(before), pa.string())), pc.invert(is_called))
    # What ended a lead is a fact, whatever else has changed.
    causes = {**dict.fromkeys(column.filter(is_left).to_pylist(), "fact"), **decided.causes}
    if last.basis is None:
        causes = dict.fromkeys(causes, "unknown")
    gone = len(before - now) - pc.sum(is_left).as_py() if before else 0
    told = {
        "as_of": f"{last.moment:%Y-%m-%d %H:%M}",
        "is_kept": last.is_kept,
        "came": len(now - before),
        "went": len(before - now),
        "causes": _count(causes, gone),
        "tiers": _count(dict(enumerate(recommendations["tier_changed"].drop_null().to_pylist())), 0),
        "changed": None if last.basis is None else last.basis.changed(decided.basis, model_version),
    }
    place = pc.index_in(column, pa.array(list(causes), pa.string()))
    return told, pa.array(list(causes.values()), LIST_CHANGED.arrow).take(place).combine_chunks()


def _count(causes: Mapping[Any, str], gone: int) -> dict[str, int]:
    counts = {
        str(name): int(count) for name, count in pd.Series(list(causes.values()), dtype=object).value_counts().items()
    }
    return counts | ({"gone": gone} if gone else {})
