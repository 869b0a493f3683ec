"""What the compiled walk is handed: columns of events and snapshots, where groups stand, and what is to be computed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Events(NamedTuple):
    """Columns of the events, shape (events,), in the dataset's order; those that no step reads have length 1."""

    occurred_at: NDArray[np.int64]
    known_at: NDArray[np.int64]
    """Of length 0 where all are known as they occur."""
    pattern: NDArray[np.int32]
    value: NDArray[np.float64]
    quantity: NDArray[np.int64]
    """Of length 1 where it is the same for all."""
    local_day: NDArray[np.int32]
    owner: NDArray[np.int32]
    """Whose event it is, where a group has several leads."""


class Groups(NamedTuple):
    """Where the events and the snapshots of each group stand, shapes (groups,) and (groups + 1,)."""

    event_starts: NDArray[np.int64]
    event_ends: NDArray[np.int64]
    snapshot_starts: NDArray[np.int64]


class Snapshots(NamedTuple):
    """Columns of the snapshots, shape (snapshots,); ``owner``: whose own events don't count, -1 for nobody's."""

    as_of: NDArray[np.int64]
    known_until: NDArray[np.int64]
    occurred_until: NDArray[np.int64]
    created_at: NDArray[np.int64]
    owner: NDArray[np.int32]


class Program(NamedTuple):
    """What to compute of which stream."""

    steps: NDArray[np.int64]
    """Shape (steps, 6), columns as the kernel names them: those of a stream together, the longest window first."""
    starts: NDArray[np.int64]
    """Where the steps of each stream begin, shape (streams + 1,)."""
    needs: NDArray[np.int64]
    """What each stream keeps totals of, shape (streams,)."""
    weights: NDArray[np.float64]
    """Decay by age in whole hours, shape (half-lives, hours)."""
    silence: int
    """What ends a session, in microseconds."""


class Patterns(NamedTuple):
    """Which streams take the events of a pattern, and how these are labelled."""

    starts: NDArray[np.int64]
    """``streams[starts[p]:starts[p + 1]]`` take pattern ``p``; shape (patterns + 1,)."""
    streams: NDArray[np.int64]
    labels: NDArray[np.int32]
    """The label of each pattern, or -1; shape (parts, patterns)."""
    label_counts: NDArray[np.int64]
    """How many labels there are, shape (parts,)."""
