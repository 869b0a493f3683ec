"""From events and snapshots to the matrix: Arrow in, the compiled kernel, Arrow out.

The same function makes the rows we learn from and the rows we score.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.catalogue import CONTEXT
from features.declarations import MEASURES, decay_weights
from features.duration import DAY, microseconds
from features.kernel import walk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.catalogue import Catalogue

EVENT_COLUMNS = (
    "lead_id",
    "occurred_at",
    "known_at",
    "event_type",
    "actor",
    "channel",
    "campaign",
    "value",
    "quantity",
    "local_day",
)
"""What the engine reads of the interactions."""

SNAPSHOT_COLUMNS = ("lead_id", "as_of", "created_at", "started_at", "episode")
"""What the engine reads of the snapshots, beside the attributes of the catalogue."""

_FOREVER = np.iinfo(np.int64).max
_DAY = microseconds(DAY)


def compute_matrix(events: pa.Table, snapshots: pa.Table, catalogue: Catalogue) -> pa.Table:
    """Compute every column of the catalogue for every snapshot, in the snapshots' order.

    ``events``: EVENT_COLUMNS, sorted as the dataset is, whole leads only; events of leads without a snapshot are
    passed over. ``snapshots``: SNAPSHOT_COLUMNS and the attributes, the rows of a lead together, leads in the order of
    the events. Gives lead_id, as_of and the catalogue's columns: numbers as float32, categories as text.
    """
    values = compute_event_features(events, snapshots, catalogue)
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
        columns[catalogue.attribute_columns[name]] = column.cast(pa.float32() if kind == "number" else pa.string())
    narrow = np.ascontiguousarray(values.T, dtype=np.float32)
    for name, row in zip(catalogue.names, narrow, strict=True):
        columns[name] = pa.array(row)
    return pa.table(columns)


def compute_event_features(events: pa.Table, snapshots: pa.Table, catalogue: Catalogue) -> NDArray[np.float64]:
    """Compute the event features, shape (snapshots, features), in double precision."""
    event_leads = _runs(events["lead_id"])
    snapshot_leads = _runs(snapshots["lead_id"])
    found = pc.index_in(snapshot_leads.values, value_set=event_leads.values)
    position = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    bounds = np.concatenate([[0], event_leads.run_ends.to_numpy().astype(np.int64)])
    starts = np.where(position >= 0, bounds[position], 0)
    ends = np.where(position >= 0, bounds[position + 1], 0)

    features = catalogue.features
    out = np.tile(np.array([MEASURES[feature.measure].empty for feature in features]), (len(snapshots), 1))
    pattern, feature_starts, members = _patterns(events, catalogue)
    half_lives = sorted({feature.half_life for feature in features if feature.half_life is not None})
    tables = [decay_weights(half_life) for half_life in half_lives]
    weights = np.zeros((max(len(tables), 1), max((len(table) for table in tables), default=1)))
    for row, table in enumerate(tables):
        weights[row, : len(table)] = table
    walk(
        starts,
        ends,
        np.concatenate([[0], snapshot_leads.run_ends.to_numpy().astype(np.int64)]),
        _integers(events["occurred_at"]),
        _integers(events["known_at"]),
        pattern,
        pc.fill_null(events["value"], np.nan).to_numpy().astype(np.float64),
        events["quantity"].to_numpy().astype(np.int64),
        events["local_day"].cast(pa.int32()).to_numpy(),
        _integers(snapshots["as_of"]),
        feature_starts,
        members,
        np.array([MEASURES[feature.measure].code for feature in features], dtype=np.int64),
        np.array([_window(feature.window) for feature in features], dtype=np.int64),
        np.array(
            [half_lives.index(feature.half_life) if feature.half_life is not None else 0 for feature in features],
            dtype=np.int64,
        ),
        weights,
        out,
    )
    return out


def _window(window: timedelta | None) -> int:
    return _FOREVER if window is None else microseconds(window)


def _patterns(events: pa.Table, catalogue: Catalogue) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Give each event the number of its combination of texts, and list the features each counts for."""
    names = ("event_type", "channel", "campaign", "actor")
    used = [
        name
        for name in names
        if name != "campaign" or any(feature.filter.campaign is not None for feature in catalogue.features)
    ]
    encoded = [pc.dictionary_encode(events[name].combine_chunks(), null_encoding="encode") for name in used]
    combined = np.zeros(len(events), dtype=np.int64)
    for column in encoded:
        combined = combined * max(len(column.dictionary), 1) + column.indices.to_numpy().astype(np.int64)
    distinct, first, pattern = np.unique(combined, return_index=True, return_inverse=True)
    del distinct
    texts = [column.take(pa.array(first)).to_pylist() for column in encoded]
    rows = [dict(zip(used, row, strict=True)) for row in zip(*texts, strict=True)]
    by_window = sorted(range(len(catalogue.features)), key=lambda number: -_window(catalogue.features[number].window))
    members = [
        [
            number
            for number in by_window
            if catalogue.features[number].filter.matches(
                row["event_type"], row["channel"], row.get("campaign"), row["actor"], catalogue.vocabulary
            )
        ]
        for row in rows
    ]
    starts = np.concatenate([[0], np.cumsum([len(member) for member in members])]).astype(np.int64)
    flat = np.array([number for member in members for number in member], dtype=np.int64)
    return pattern.astype(np.int64), starts, flat


def _runs(column: pa.ChunkedArray) -> pa.RunEndEncodedArray:
    return pc.run_end_encode(column.combine_chunks())


def _integers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Give times as microseconds since 1970."""
    integers: NDArray[np.int64] = column.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    return integers
