"""From events and snapshots to the matrix: Arrow in, the compiled kernel, Arrow out.

The same function makes the rows we learn from and the rows we score.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.core.time import DAY, microseconds
from features.engines.arrays import Events, Groups, Snapshots
from features.engines.kernel import walk
from features.engines.patterns import dictionary_of, find_patterns, frozen
from features.engines.plan import Plan
from features.language.catalogue import CONTEXT, Catalogue
from features.language.feature import Feature
from features.language.filters import Vocabulary
from features.language.measures import MEASURES

SNAPSHOT_COLUMNS = ("lead_id", "as_of", "created_at", "started_at", "episode")
"""What the engine reads of the snapshots, beside the attributes of the catalogue."""
CUTS = ("known_until", "occurred_until")
"""What snapshots may say beside it: an event counts if it was known before the one and occurred before the other. Where
a column is absent that moment is as_of, from which ages and windows are measured in any case."""

Key = Literal["lead_id", "account_id"]
_DAY = microseconds(DAY)


@lru_cache(maxsize=16)
def plan_of(features: tuple[Feature, ...], vocabulary: Vocabulary) -> Plan:
    """Give the plan of declarations; it is made once."""
    return Plan(features, vocabulary)


def prepare() -> None:
    """Load the compiled kernel, which takes a third of a second, best while something else is waited for."""
    times = pa.array([0], pa.timestamp("us"))
    rows = pa.table({"lead_id": ["x"], "as_of": times, "created_at": times})
    event = pa.table(
        {"lead_id": ["x"], "occurred_at": times, "known_at": times, "event_type": ["x"], "actor": ["lead"]}
    )
    compute_event_features(event, rows, plan_of((Feature("count"), Feature("sum")), Vocabulary(("x",))))


def compute_matrix(
    events: pa.Table, snapshots: pa.Table, catalogue: Catalogue, of_accounts: NDArray[np.float32] | None = None
) -> pa.Table:
    """Compute every column of the catalogue for every snapshot, in the snapshots' order.

    ``events``: lead_id and the columns of ``plan_of(...)``, sorted as the dataset is, whole leads only; events of leads
    without a snapshot are passed over. ``snapshots``: SNAPSHOT_COLUMNS, CUTS where there are such, and the attributes,
    the rows of a lead together.
    ``of_accounts``: the features of the scope account, shape (features, snapshots), computed before. Gives lead_id,
    as_of and the catalogue's columns: numbers as float32, categories as dictionaries of texts.
    """
    own = tuple(feature for feature in catalogue.features if feature.scope == "lead")
    values = compute_event_features(events, snapshots, plan_of(own, catalogue.vocabulary))
    columns: dict[str, pa.ChunkedArray | pa.Array] = {name: snapshots[name] for name in ("lead_id", "as_of")}
    as_of = _integers(snapshots["as_of"])
    context = (
        (as_of - _integers(snapshots["created_at"])) / _DAY,
        (as_of - _integers(snapshots["started_at"])) / _DAY,
        snapshots["episode"].to_numpy() - 1,
    )
    for name, numbers in zip(CONTEXT, context, strict=True):
        columns[name] = pa.array(numbers.astype(np.float32))
    for name, kind in catalogue.attributes:
        column = snapshots[name]
        columns[catalogue.attribute_columns[name]] = (
            column.cast(pa.float32()) if kind == "number" else dictionary_of(column.cast(pa.string()))
        )
    rows = {"lead": iter(values), "account": iter(() if of_accounts is None else of_accounts)}
    for name, feature in zip(catalogue.names, catalogue.features, strict=True):
        columns[name] = _column(feature, next(rows[feature.scope]), catalogue.vocabulary)
    return pa.table(columns)


def _column(feature: Feature, values: NDArray[np.float32], vocabulary: Vocabulary) -> pa.Array:
    """Give a feature's column: its numbers, or the texts that its labels stand for."""
    if not MEASURES[feature.measure].is_category or feature.of is None:
        return pa.array(values)
    missing = np.isnan(values)
    codes = pa.array(np.where(missing, 0, values).astype(np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(codes, pa.array(vocabulary.labels(feature.of), pa.string()))


def compute_event_features(
    events: pa.Table, snapshots: pa.Table, plan: Plan, key: Key = "lead_id"
) -> NDArray[np.float32]:
    """Compute the plan's features, shape (features, snapshots): numbers, and labels by their numbers.

    ``events``: ``key``, lead_id and the plan's event_columns (without known_at, events are known as they occur; without
    quantity, each counts once); ``snapshots``: ``key``, lead_id, as_of, created_at, and
    what there is of CUTS. Both have the rows of a group together, events in the order of time. With ``account_id`` as
    the key, the events of the snapshot's own lead don't count.
    """
    out = _filled([MEASURES[feature.measure].never for feature in plan.features], len(snapshots), np.float32)
    between = _filled([step.never for step in plan.operands], len(snapshots), np.float64)
    if len(events) and len(snapshots) and plan.features:
        event_owner, snapshot_owner = _owners(events, snapshots, key)
        pattern, patterns = find_patterns(events, plan)
        columns = Events(
            occurred_at=_integers(events["occurred_at"]),
            known_at=_integers(events["known_at"]) if "known_at" in events.column_names else np.zeros(0, np.int64),
            pattern=pattern,
            value=_values(events),
            quantity=_quantities(events),
            local_day=_days(events),
            owner=event_owner,
        )
        as_of = _integers(snapshots["as_of"])
        known, occurred = (_integers(snapshots[name]) if name in snapshots.column_names else as_of for name in CUTS)
        asked = Snapshots(as_of, known, occurred, _integers(snapshots["created_at"]), snapshot_owner)
        walk(
            Events(*(frozen(column) for column in columns)),
            _match_groups(events[key], snapshots[key]),
            Snapshots(*(frozen(column) for column in asked)),
            plan.program,
            patterns,
            out,
            between,
        )
    for combination in plan.combinations:
        left, right = between[combination.left], between[combination.right]
        out[combination.feature] = combination.combine(left, right)
    return out


def _filled(values: Sequence[float], width: int, dtype: type[np.floating]) -> NDArray[np.floating]:
    """Give an array of shape (values, width) with the same value all along each row."""
    array = np.zeros((len(values), width), dtype=dtype)  # pages that are zero anyway are not touched until the walk
    for row, value in zip(array, values, strict=True):
        if value != 0:
            row.fill(value)
    return array


def _match_groups(of_events: pa.ChunkedArray, of_snapshots: pa.ChunkedArray) -> Groups:
    """Find where the events and the snapshots of each group stand; a group may have no events."""
    ids, bounds = runs_of(of_events)
    wanted, starts = runs_of(of_snapshots)
    if ids.equals(wanted):  # as a rule: every lead has events and snapshots
        position = np.arange(len(ids))
    else:
        position = pc.fill_null(pc.index_in(wanted, value_set=ids), -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Groups(
        event_starts=np.where(position >= 0, bounds[position], 0),
        event_ends=np.where(position >= 0, bounds[position + 1], 0),
        snapshot_starts=starts,
    )


def runs_of(column: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.int64]]:
    """Give the ids of a column in which equal ones stand together, and where each begins, with the end."""
    ids: list[pa.Array] = []
    bounds: list[NDArray[np.int64]] = []
    last, rows = None, 0
    for part in column.chunks:
        if not len(part):
            continue
        coded = pa.types.is_dictionary(part.type)
        values = part.indices if coded else part
        differ = pc.not_equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
        starts = np.concatenate([[0], np.flatnonzero(differ) + 1])
        texts = values.take(pa.array(starts))
        texts = part.dictionary.take(texts) if coded else texts
        goes_on = int(texts[0].as_py() == last)
        last = texts[-1].as_py()
        ids.append(texts[goes_on:])
        bounds.append(starts[goes_on:] + rows)
        rows += len(part)
    joined = pa.concat_arrays(ids) if ids else pa.array([], pa.string())
    return joined, np.concatenate([*bounds, [rows]]).astype(np.int64)


def _owners(events: pa.Table, snapshots: pa.Table, key: Key) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Say whose each event and each snapshot is, where that matters."""
    if key == "lead_id":
        return np.full(1, -1, dtype=np.int32), np.full(len(snapshots), -1, dtype=np.int32)
    asking = dictionary_of(snapshots["lead_id"])
    acting = dictionary_of(events["lead_id"])
    places = pc.fill_null(pc.index_in(acting.dictionary, value_set=asking.dictionary), -1)
    owner = places.to_numpy(zero_copy_only=False).astype(np.int32)[acting.indices.to_numpy()]
    return owner, asking.indices.to_numpy().astype(np.int32)


def _values(events: pa.Table) -> NDArray[np.float64]:
    if "value" not in events.column_names:
        return np.zeros(1)
    values: NDArray[np.float64] = pc.fill_null(events["value"], np.nan).to_numpy()
    return values


def _quantities(events: pa.Table) -> NDArray[np.int64]:
    if "quantity" not in events.column_names:
        return np.ones(1, dtype=np.int64)
    quantities: NDArray[np.int64] = events["quantity"].to_numpy()
    return quantities


def _days(events: pa.Table) -> NDArray[np.int32]:
    if "local_day" not in events.column_names:
        return np.zeros(1, dtype=np.int32)
    days: NDArray[np.int32] = events["local_day"].cast(pa.int32()).to_numpy()
    return days


def _integers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Give times as microseconds since 1970."""
    integers: NDArray[np.int64] = column.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    return integers
