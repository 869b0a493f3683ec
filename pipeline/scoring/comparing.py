"""What has changed since an earlier score: the leads that are shown, looked at once more by the model of then.

Each is looked at several times in one walk over the log, every time one step further from what was kept to what is
foretold today (``models.decision.changes``). The looks of a lead stand together, so that memory is bounded by a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.recommendation import RECOMMENDATION
from features.core.time import parse_duration
from features.language.catalogue import Catalogue
from features.language.stories import Story
from features.timeline.history import History
from features.timeline.snapshots import take_snapshots_at
from models.core.encoding import Numbers
from models.core.model import Model
from models.decision.changes import CAUSES, Change, strongest_stories
from models.decision.claims import Claims
from models.decision.reasons import Telling
from models.explaining.contributions import Contributions
from pipeline.core.project import Places
from pipeline.matrix.batches import gathered
from pipeline.matrix.executors import Executor
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.words import Words
from pipeline.wording.changes import ChangeWords, Moves
from pipeline.wording.reasons import ReasonWords

COLUMNS = ("trend", "what_changed", "compared_with", *(f"change_{cause}" for cause in CAUSES), "tier_changed")
"""The last has the strongest cause where the probability has moved the tier, and nothing else."""
_TYPES = {field.name: field.arrow for field in RECOMMENDATION if field.name in COLUMNS}
BY_PROBABILITY = ("score", "model")
"""Steps at which a probability moves a tier."""
_LOOKS = 4
"""So many at each lead: as then, as then by what is known now, as now by what had occurred then, and as now."""
_LOOKED = "SELECT lead_id, as_of, known_until, occurred_until, created_at, started_at, episode FROM looked"


@dataclass(frozen=True)
class LastScore:
    """An earlier score to compare with."""

    moment: datetime
    """UTC."""
    model: Model
    """Its model or, where that is gone, today's."""
    kept: pd.Series | None = None
    """What was foretold then, by lead_id; None where it is what the model says today of that moment."""
    is_earlier_model: bool = True
    is_todays_model: bool = False
    """Whether today's probabilities are its own, too: what it says of today need not be asked again."""


class _Compared(NamedTuple):
    """Leads with what was foretold then and the three steps up to today, each of shape (n,), and what is said of it."""

    lead_ids: NDArray[np.object_]
    change: Change
    texts: NDArray[np.object_]
    causes: NDArray[np.object_]
    """Of tiers that the probability has moved, the strongest; None of the others."""


class _Looks(NamedTuple):
    """Rows of the matrix, all looks at some leads: what the model is asked about, and what is compared."""

    features: pd.DataFrame
    numbers: Numbers
    """What the model reads of them."""
    compared: dict[str, NDArray[Any]]
    """By column: numbers, NaN where one is missing, and of texts their places in a dictionary, or -1; shape (rows,)."""

    @classmethod
    def of(cls, matrix: pa.Table, model: Model) -> Self:
        """Take them from the matrix; numbers are copied once."""
        whole = matrix.combine_chunks()
        compared = {name: _comparable(whole[name]) for name in whole.column_names}
        features = whole.to_pandas(split_blocks=True)
        return cls(features, model.numbers(features), compared)


@dataclass(frozen=True)
class Comparer:
    """Compares leads that are open at a moment (UTC) with an earlier score."""

    last: LastScore
    as_of: datetime
    words: Words
    policy: DecisionPolicy

    def compare(
        self,
        connection: duckdb.DuckDBPyConnection,
        places: Places,
        history: History,
        snapshots: pd.DataFrame,
        foretold: pd.Series,
        moved: pd.DataFrame,
        stream_matrix: Executor,
    ) -> dict[str, pa.Array]:
        """Give COLUMNS of the leads that ``foretold`` has today's probability of, by lead_id and in its order.

        ``snapshots`` are those of today. Who was not open then, as known then or as known now, has no parts. ``moved``
        has, by lead_id, the tiers ``before`` and ``after`` of who moved, the ``cause``, and what is ``told`` of it.
        """
        looked = self._looks(history, snapshots, foretold)
        found = []
        if len(looked):
            connection.register("looked", looked)
            batches = stream_matrix(connection, _LOOKED, places.interactions, places.leads, self._catalogue)
            found = [self._compare(piece, foretold, moved) for piece in _whole_leads(batches)]
            connection.unregister("looked")
        return self._columns(found, foretold)

    def _looks(self, history: History, snapshots: pd.DataFrame, foretold: pd.Series) -> pa.Table:
        """Give the looks at the leads that can be compared."""
        then, now = self.last.moment, self.as_of
        places = pc.index_in(_texts(foretold.index), _texts(history.lead_ids)).drop_null().to_numpy().astype(np.intp)
        replayed, corrected = (take_snapshots_at(history, then, known, among=places) for known in (then, now))
        earlier = replayed["lead_id"] if self.last.kept is None else self.last.kept.dropna().index
        compared = corrected.loc[_is_in(corrected["lead_id"], earlier), "lead_id"]
        # Of a lead that today's log would not have shown then, it is all correction.
        unseen = corrected[~_is_in(corrected["lead_id"], replayed["lead_id"])]
        taken = [
            (pd.concat([replayed, unseen]), then, then, then),
            (corrected, then, now, then),
            (corrected, now, now, then),
            (snapshots, now, now, now),
        ]
        columns = ["lead_id", "created_at", "started_at", "episode"]
        looks = []
        for frame, *moments in taken:
            look = pa.Table.from_pandas(frame.loc[_is_in(frame["lead_id"], compared), columns], preserve_index=False)
            for name, moment in zip(("as_of", "known_until", "occurred_until"), moments, strict=True):
                look = look.append_column(name, pa.repeat(pa.scalar(moment, pa.timestamp("us")), len(look)))
            looks.append(look)
        return pa.concat_tables(looks)

    def _compare(self, piece: pa.Table, foretold: pd.Series, moved: pd.DataFrame) -> _Compared:
        """Compare the leads of some rows of the matrix, which has four looks at each."""
        looks = _Looks.of(piece.select(self._catalogue.columns), self.last.model)
        ids = piece["lead_id"].to_pandas().to_numpy(object)[::_LOOKS]
        now = foretold.loc[ids].to_numpy(float)
        replayed, corrected, waited, seen = self._predict(looks, now).reshape(-1, _LOOKS).T
        kept = replayed if self.last.kept is None else self.last.kept.loc[ids].to_numpy(float)
        change = Change.between(
            kept, replayed, corrected, waited, seen, now, is_earlier_model=self.last.is_earlier_model
        )
        of_them = moved.reindex(ids)
        by_probability = of_them["cause"].isin(BY_PROBABILITY).to_numpy()
        change = replace(change, is_moved=by_probability)
        moving, shown = np.full(len(ids), -1, dtype=np.int64), np.full(len(ids), None, dtype=object)
        for cause, look, moment, parts, is_told in (
            ("data", 1, self.last.moment, change.data, change.is_mostly_late),
            ("behaviour", 3, self.as_of, change.behaviour, True),
        ):
            rows = np.flatnonzero((change.strongest == CAUSES.index(cause)) & is_told)
            moving[rows], shown[rows] = self._moving(looks, rows * _LOOKS + look, parts[rows], moment)
        moves = Moves(*(of_them[name].where(of_them[name].notna(), None).to_numpy(object) for name in Moves._fields))
        causes = np.array([*CAUSES, None], dtype=object)[np.where(by_probability, change.strongest, -1)]
        return _Compared(ids, change, self._in_words.say(change, moving, shown, moves), causes)

    def _predict(self, looks: _Looks, now: NDArray[np.float64]) -> NDArray[np.float64]:
        """Foretell looks: most show what the one before them showed, and are foretold the same."""
        is_other = np.zeros(len(looks.features), dtype=bool)
        is_other[:1] = True
        for values in looks.compared.values():
            is_other[1:] |= _differs(values[:-1], values[1:])
        said = np.empty(len(is_other))
        is_asked = is_other.copy()
        if self.last.is_todays_model:
            said[_LOOKS - 1 :: _LOOKS] = now
            is_asked[_LOOKS - 1 :: _LOOKS] = False
        said[is_asked] = self.last.model.predict_at(looks.numbers, np.flatnonzero(is_asked))
        return np.asarray(said[is_other].take(is_other.cumsum() - 1))

    def _moving(
        self, looks: _Looks, rows: NDArray[np.int64], directions: NDArray[np.float64], moment: datetime
    ) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
        """Find the story that moved each of these looks most from the one before it, and what it is told with.

        Both are of one clock, which shows ``moment`` (UTC); only a story that is told otherwise than before is found.
        """
        found, shown = np.full(len(rows), -1, dtype=np.int64), np.full(len(rows), None, dtype=object)
        tellers = [looks.compared[story.teller] for story in self._stories]
        is_new = np.stack([_differs(values[rows - 1], values[rows]) for values in tellers], axis=1)
        some = np.flatnonzero(is_new.any(axis=1))
        if len(some):
            was, is_now = (self._contributions.at(looks.numbers, rows[some] - back) for back in (1, 0))
            found[some] = strongest_stories(was, is_now, self._tellings, directions[some], is_new[some])
            told = [looks.features[story.teller].to_numpy()[rows[some]] for story in self._stories]
            shown[some] = self._in_words.shown_of(found[some], told, moment)
        return found, shown

    def _columns(self, found: list[_Compared], foretold: pd.Series) -> dict[str, pa.Array]:
        known = [lead for one in found for lead in one.lead_ids]
        place = pd.Index(known, dtype=object).get_indexer(pd.Index(foretold.index, dtype=object))
        rows = pa.array(place, mask=place < 0)
        moment = pa.scalar(self.last.moment, pa.timestamp("us"))
        columns = {
            "what_changed": _joined([one.texts for one in found], "what_changed"),
            "compared_with": pa.repeat(moment, len(known)),
            **{f"change_{cause}": _joined([getattr(one.change, cause) for one in found], f"change_{cause}")
               for cause in CAUSES},
            "tier_changed": _joined([one.causes for one in found], "tier_changed"),
        }  # fmt: skip
        trends = _joined([one.change.trends for one in found], "trend").take(rows)
        return {"trend": trends.fill_null("not enough information")} | {
            name: column.take(rows) for name, column in columns.items()
        }

    @cached_property
    def _catalogue(self) -> Catalogue:
        return Catalogue.from_json(self.last.model.manifest["catalogue"])

    @cached_property
    def _contributions(self) -> Contributions:
        return Contributions(self.last.model)

    @cached_property
    def _stories(self) -> tuple[Story, ...]:
        """The stories that something that occurs may change: of acts, and of a new episode."""
        return tuple(one for one in self._catalogue.stories if one.feature is not None or one.kind == "age")

    @cached_property
    def _tellings(self) -> list[Telling]:
        places = {column: place for place, column in enumerate(self.last.model.columns)}
        unclaimed = Claims((), 0.0)
        return [
            Telling([places[column] for column in story.columns], unclaimed, story.is_amount) for story in self._stories
        ]

    @cached_property
    def _in_words(self) -> ChangeWords:
        horizon = parse_duration(self.last.model.manifest["horizon"])
        zone = ZoneInfo(self.policy.time_zone)
        words = ReasonWords(self.words.language, self.words.labels, horizon, zone)
        return ChangeWords(words, self._stories, self.last.moment, self.as_of)


def can_be_asked(model: Model, leads: Path) -> bool:
    """Tell whether the log still has what a model reads of leads: its attributes, and accounts."""
    if "catalogue" not in model.manifest:
        return False
    catalogue = Catalogue.from_json(model.manifest["catalogue"])
    if not {name for name, _ in catalogue.attributes} <= set(pq.read_schema(leads).names):
        return False
    accounts = pq.read_table(leads, columns=["account_id"])["account_id"]
    return accounts.null_count < len(accounts) or all(one.scope == "lead" for one in catalogue.features)


def uncompared(length: int) -> dict[str, pa.Array]:
    """Give COLUMNS of so many leads where there is no earlier score."""
    columns = {name: pa.nulls(length, _TYPES[name]) for name in COLUMNS}
    return columns | {"trend": columns["trend"].fill_null("not enough information")}


def _whole_leads(batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Recut batches of the matrix so that the four looks at a lead stand together."""
    rest: pa.Table | None = None
    for batch in gathered(batches):
        rest = batch if rest is None else pa.concat_tables([rest, batch]).unify_dictionaries()
        whole = len(rest) - len(rest) % _LOOKS
        if whole:
            yield rest.slice(0, whole)
        rest = rest.slice(whole)


def _texts(lead_ids: pd.Series | pd.Index | NDArray[np.object_]) -> pa.Array:
    return pa.array(lead_ids, pa.large_string())


def _is_in(lead_ids: pd.Series, others: pd.Series | pd.Index) -> NDArray[np.bool_]:
    return np.asarray(pc.is_in(_texts(lead_ids), _texts(others)))


def _comparable(column: pa.ChunkedArray) -> NDArray[Any]:
    values = column.chunk(0)
    if pa.types.is_dictionary(values.type):
        values = values.indices.fill_null(-1)
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _differs(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell where values differ; what is missing of both does not."""
    return np.asarray((before != after) & ((before == before) | (after == after)))  # noqa: PLR0124 - NaN


def _joined(parts: list[NDArray[Any]], name: str) -> pa.Array:
    values = np.concatenate(parts) if parts else np.empty(0, dtype=object)
    return pa.array(values, _TYPES[name], from_pandas=True)
