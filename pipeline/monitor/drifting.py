"""What the champion reads and says now beside what it has learned from: notes, each beside its usual range.

Now are the snapshots of the newest time of the log, taken as those that were learned from. Usual is what the same index
was of as much time after each origin: a column that moves as far every month moves no one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.language.catalogue import Catalogue
from features.timeline.snapshots import take_snapshots
from models.core.model import Model
from models.core.verdicts import Verdict, found
from models.evaluation.drift import LARGE, stability_of
from models.learning.reference import counts_of
from pipeline.core.project import Project
from pipeline.core.sql import open_reader
from pipeline.log.ends import read_events
from pipeline.log.history import read_history
from pipeline.log.reach import Reach
from pipeline.matrix.executors import executor_of
from pipeline.monitor.scores import Scores
from pipeline.settings.parameters import Parameters

SPANS = 6
"""Spans of the same length before now, by which it is told how many rows a source usually has."""
_MOST_SHOWN = 5
_OTHER_ROWS = 1.5
"""How many times more, or fewer, rows than ever before are told."""
_BEYOND = 1.5
"""How many times further than usual a column moves before it is told."""
_NEW = 0.05
"""The share of rows with values that were never learned, from which on it is told."""
_BANDS = 10
_LOOKED = "SELECT lead_id, as_of, created_at, started_at, episode FROM looked"


@dataclass(frozen=True)
class Column:
    """How a column of the champion moved from what was learned from to now."""

    column: str
    index: float
    """The population stability index."""
    usual: float | None
    """The highest that it was after an origin; None where nobody knows."""
    filled: float
    """The share of rows that have a value, now."""
    filled_then: float
    unlearned: float
    """The share of rows with a value that was not learned, now; of a category."""
    unlearned_then: float

    @property
    def is_beyond(self) -> bool:
        """Whether that is large, and more than usual."""
        return self.index >= LARGE and (self.usual is None or self.index > _BEYOND * self.usual)


@dataclass(frozen=True)
class Rows:
    """How many rows a source has now, and had in as long spans before."""

    source: str
    rows: int
    least: int
    most: int

    @property
    def is_beyond(self) -> bool:
        """Whether that is far from what it ever was."""
        return not self.least / _OTHER_ROWS <= self.rows <= self.most * _OTHER_ROWS


@dataclass(frozen=True)
class Drift:
    """All that moved; ``score`` is the index of the newest scores beside the first, ``score_usual`` highest before."""

    since: datetime
    until: datetime
    snapshots: int
    columns: list[Column]
    """The furthest moved first."""
    sources: list[Rows]
    score: float | None
    score_usual: float | None

    def verdicts(self) -> list[Verdict]:
        """Tell what moved further than it used to: no alarm is raised by it."""
        told = []
        beyond = [one for one in self.columns if one.is_beyond]
        if beyond:
            shown = "; ".join(_told_of(one) for one in beyond[:_MOST_SHOWN])
            told.append(
                found(
                    "column_moved",
                    f"{len(beyond):,} of {len(self.columns):,} columns: stability index (the highest after an origin; "
                    f"{LARGE} is large) of {shown}",
                )
            )
        new = [one for one in self.columns if one.unlearned >= _NEW and one.unlearned >= 2.0 * one.unlearned_then]
        if new:
            shown = "; ".join(
                f"{one.column}: {one.unlearned:.0%} of the rows, {one.unlearned_then:.0%} then"
                for one in new[:_MOST_SHOWN]
            )
            told.append(found("level_new", f"{shown}"))
        for one in self.sources:
            if one.is_beyond:
                usual = f"{one.least:,} to {one.most:,} in as long spans before"
                told.append(found("rows_moved", f"{one.rows:,} rows, {usual}", subject=one.source))
        if self.score is not None and self.score >= LARGE and self.score > (self.score_usual or 0.0):
            usual = "" if self.score_usual is None else f", at most {self.score_usual:.2f} between"
            told.append(found("scores_moved", f"stability index {self.score:.2f}{usual}; {LARGE} is large"))
        return told

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "snapshots": self.snapshots,
            "large": LARGE,
            "columns": [_rounded(asdict(one)) for one in self.columns],
            "sources": [asdict(one) for one in self.sources],
            "score": _rounded({"index": self.score, "usual": self.score_usual}),
        }


def find_drift(project: Project[Parameters], champion: Model, scores: Scores, until: datetime | None) -> Drift:
    """Compare the newest ``monitor.usual`` of the log, or that before ``until`` (UTC), with what was learned from."""
    span = project.parameters.monitor.usual
    end = Reach(project).latest if until is None else min(until, Reach(project).latest)
    frame = _matrix(project, champion, end - span, end)
    score, usual = _score_drift(scores)
    return Drift(
        end - span, end, len(frame), _columns(project, champion, frame, span), _rows(project, end, span), score, usual
    )


def _matrix(project: Project[Parameters], champion: Model, since: datetime, until: datetime) -> pd.DataFrame:
    """Compute what the champion reads of the snapshots of some time, labels or no."""
    settings = project.parameters.snapshots
    history = read_history(project, project.parameters.episodes)
    triggers = read_events(project.interactions, "lead_id, known_at, event_type", settings.triggers)
    taken = take_snapshots(history, triggers, settings.policies, until, since)
    catalogue = Catalogue.from_json(champion.manifest["catalogue"])
    with open_reader() as connection:
        connection.register("looked", taken)
        stream_matrix = executor_of(project.parameters.run)
        parts = list(stream_matrix(connection, _LOOKED, project.interactions, project.leads, catalogue))
    if not parts:
        return pd.DataFrame({column: pd.Series(dtype=float) for column in champion.columns})
    return pa.concat_tables(parts).unify_dictionaries().select(champion.columns).to_pandas(split_blocks=True)


def _columns(project: Project[Parameters], champion: Model, frame: pd.DataFrame, span: timedelta) -> list[Column]:
    described = champion.reference["columns"]
    columns, categories = list(described), champion.categories
    now = counts_of(frame, columns, categories, described)
    usual = _usual(project, champion, span)
    found_ = []
    for column in columns:
        then = np.array(described[column]["rows"])
        index, _ = stability_of(then.astype(float), now[column].astype(float))
        is_category = "levels" in described[column]
        found_.append(
            Column(
                column,
                index,
                usual.get(column),
                _share(now[column][:-1].sum(), now[column]),
                _share(then[:-1].sum(), then),
                _share(now[column][0], now[column]) if is_category else 0.0,
                _share(then[0], then) if is_category else 0.0,
            )
        )
    return sorted(found_, key=lambda one: (-one.index, one.column))


def _usual(project: Project[Parameters], champion: Model, span: timedelta) -> dict[str, float]:
    """Tell how far each column was at most in as much time after an origin; nothing where the matrix is another's."""
    described = champion.reference["columns"]
    origins = [one["origin"] for one in champion.reference["origins"] if one["origin"]]
    if not origins or not project.matrix.exists():
        return {}
    names = pq.read_schema(project.matrix).names
    if not set(described) <= set(names):
        return {}
    usual: dict[str, float] = {}
    as_of = pq.read_table(project.matrix, columns=["as_of"])["as_of"]
    table = pq.read_table(project.matrix, columns=list(described))
    for origin in map(datetime.fromisoformat, origins):
        is_after = pc.and_(pc.greater_equal(as_of, origin), pc.less(as_of, origin + span))
        rows = table.filter(is_after)
        if not len(rows):
            continue
        counts = counts_of(rows.to_pandas(split_blocks=True), list(described), champion.categories, described)
        for column, count in counts.items():
            index, _ = stability_of(np.array(described[column]["rows"], dtype=float), count.astype(float))
            usual[column] = max(usual.get(column, 0.0), index)
    return usual


def _rows(project: Project[Parameters], end: datetime, span: timedelta) -> list[Rows]:
    """Count each source's rows by when they became known, in spans that end now; those before it began are none."""
    with open_reader() as connection:
        counted = connection.execute(
            "SELECT source, CAST(floor(epoch($end - known_at) / $span) AS BIGINT) AS back, count(*) AS rows "
            "FROM read_parquet($log) WHERE known_at <= $end AND known_at > $first GROUP BY ALL",
            {
                "end": end,
                "span": span.total_seconds(),
                "log": str(project.interactions),
                "first": end - (SPANS + 1) * span,
            },
        ).fetchall()
        begins = dict(
            connection.execute(
                "SELECT source, min(known_at) FROM read_parquet($log) GROUP BY source",
                {"log": str(project.interactions)},
            ).fetchall()
        )
    by_source: dict[str, NDArray[np.int64]] = {}
    for source, back, rows in counted:
        by_source.setdefault(source, np.zeros(SPANS + 1, dtype=np.int64))[min(back, SPANS)] = rows
    told = []
    for source, rows in sorted(by_source.items()):
        whole = max(int((end - begins[source]) // span), 1)
        # Of a source that has no whole span before this one, nothing is usual yet.
        usual = rows[1:whole] if whole > 1 else rows[:1]
        told.append(Rows(source, int(rows[0]), int(usual.min()), int(usual.max())))
    return told


def _score_drift(scores: Scores) -> tuple[float | None, float | None]:
    """Compare the newest scores with the first, and tell the highest index of those between."""
    frame = scores.frame
    moments = np.sort(frame["as_of"].unique())
    if len(moments) < 2:  # noqa: PLR2004 - one has nothing beside it
        return None, None
    said = {moment: rows.to_numpy() for moment, rows in frame.groupby("as_of")["probability"]}
    first = said[pd.Timestamp(moments[0])]
    edges = np.unique(np.quantile(first, np.arange(1, _BANDS) / _BANDS))

    def counted(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1).astype(float)

    indices = [stability_of(counted(first), counted(said[pd.Timestamp(moment)]))[0] for moment in moments[1:]]
    return indices[-1], max(indices[:-1], default=None)


def _told_of(one: Column) -> str:
    usual = "unknown" if one.usual is None else f"{one.usual:.2f}"
    filled = (
        "" if abs(one.filled - one.filled_then) < _NEW else f", filled {one.filled:.0%} (then {one.filled_then:.0%})"
    )
    return f"{one.column} {one.index:.2f} ({usual}){filled}"


def _share(some: float, of: NDArray[np.int64]) -> float:
    return float(some) / float(of.sum()) if of.sum() else 0.0


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}
