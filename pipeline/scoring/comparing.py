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
from typing import Any, NamedTuple
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
        looks = self._looks(history, snapshots, foretold)
        found = []
        if looks:
            connection.register("looked", pd.concat(looks, ignore_index=True))
            batches = stream_matrix(connection, _LOOKED, places.interactions, places.leads, self._catalogue)
            found = [self._compare(piece, foretold, moved) for piece in _whole_leads(batches)]
            connection.unregister("looked")
        return self._columns(found, foretold)

    def _looks(self, history: History, snapshots: pd.DataFrame, foretold: pd.Series) -> list[pd.DataFrame]:
        """Give the looks at the leads that can be compared, in the order in which the matrix has those of a lead."""
        then, now = self.last.moment, self.as_of
        replayed, corrected = take_snapshots_at(history, then), take_snapshots_at(history, then, now)
        earlier = replayed["lead_id"] if self.last.kept is None else self.last.kept.dropna().index
        compared = _texts(foretold.index)
        for some in (earlier, corrected["lead_id"]):
            compared = compared.filter(_is_in(compared, some))
        if not len(compared):
            return []
        # Of a lead that today's log would not have shown then, it is all correction.
        unseen = corrected[pc.invert(_is_in(corrected["lead_id"], replayed["lead_id"])).to_numpy(zero_copy_only=False)]
        taken = [
            (pd.concat([replayed, unseen]), then, then, then),
            (corrected, then, now, then),
            (corrected, now, now, then),
            (snapshots, now, now, now),
        ]
        columns = ["lead_id", "created_at", "started_at", "episode"]
        return [
            frame.loc[_is_in(frame["lead_id"], compared).to_numpy(zero_copy_only=False), columns].assign(
                as_of=_moment(as_of), known_until=_moment(known), occurred_until=_moment(occurred)
            )
            for frame, as_of, known, occurred in taken
        ]

    def _compare(self, piece: pa.Table, foretold: pd.Series, moved: pd.DataFrame) -> _Compared:
        """Compare the leads of some rows of the matrix, which has four looks at each."""
        features = piece.select(self._catalogue.columns).to_pandas(split_blocks=True)
        ids = piece["lead_id"].to_pandas().to_numpy(object)[::_LOOKS]
        now = foretold.loc[ids].to_numpy(float)
        replayed, corrected, waited, seen = self._predict(features, now).reshape(-1, _LOOKS).T
        kept = replayed if self.last.kept is None else self.last.kept.loc[ids].to_numpy(float)
        change = Change.between(
            kept, replayed, corrected, waited, seen, now, is_earlier_model=self.last.is_earlier_model
        )
        of_them = moved.reindex(ids)
        by_probability = of_them["cause"].isin(BY_PROBABILITY).to_numpy()
        change = replace(change, is_moved=by_probability)
        moving, shown = np.full(len(ids), -1, dtype=np.int64), np.full(len(ids), None, dtype=object)
        for cause, first, moment, parts, is_told in (
            ("data", 0, self.last.moment, change.data, change.is_mostly_late),
            ("behaviour", 2, self.as_of, change.behaviour, True),
        ):
            rows = np.flatnonzero((change.strongest == CAUSES.index(cause)) & is_told)
            if len(rows):
                before, after = (features.iloc[look::_LOOKS].iloc[rows] for look in (first, first + 1))
                moving[rows] = self._moving(before, after, parts[rows])
                values = [after[story.teller].to_numpy() for story in self._stories]
                shown[rows] = self._in_words.shown_of(moving[rows], values, moment)
        moves = Moves(*(of_them[name].where(of_them[name].notna(), None).to_numpy(object) for name in Moves._fields))
        causes = np.array([*CAUSES, None], dtype=object)[np.where(by_probability, change.strongest, -1)]
        return _Compared(ids, change, self._in_words.say(change, moving, shown, moves), causes)

    def _predict(self, features: pd.DataFrame, now: NDArray[np.float64]) -> NDArray[np.float64]:
        """Foretell rows: most looks show what the one before them showed, and are foretold the same."""
        is_other = np.zeros(len(features), dtype=bool)
        is_other[:1] = True
        for name in features:
            is_other[1:] |= _differs(features[name][:-1], features[name][1:])
        said = np.empty(len(features))
        is_asked = is_other.copy()
        if self.last.is_todays_model:
            said[_LOOKS - 1 :: _LOOKS] = now
            is_asked[_LOOKS - 1 :: _LOOKS] = False
        said[is_asked] = self.last.model.predict(features[is_asked])
        return np.asarray(said[is_other].take(is_other.cumsum() - 1))

    def _moving(self, before: pd.DataFrame, after: pd.DataFrame, directions: NDArray[np.float64]) -> NDArray[np.int64]:
        """Find the story that moved each lead most between two looks of one clock, among those told otherwise now."""
        is_new = np.stack([_differs(before[story.teller], after[story.teller]) for story in self._stories], axis=1)
        found = np.full(len(directions), -1, dtype=np.int64)
        rows = np.flatnonzero(is_new.any(axis=1))
        if len(rows):
            was, is_now = (self._contributions.of(frame.iloc[rows]) for frame in (before, after))
            found[rows] = strongest_stories(was, is_now, self._tellings, directions[rows], is_new[rows])
        return found

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


def _texts(lead_ids: pd.Series | pd.Index | pa.Array) -> pa.Array:
    return lead_ids if isinstance(lead_ids, pa.Array) else pa.array(lead_ids, pa.large_string())


def _is_in(lead_ids: pd.Series | pa.Array, others: pd.Series | pd.Index | pa.Array) -> pa.BooleanArray:
    return pc.is_in(_texts(lead_ids), _texts(others))


def _differs(before: pd.Series, after: pd.Series) -> NDArray[np.bool_]:
    """Tell where two columns differ; what is missing of both does not."""
    if isinstance(before.dtype, np.dtype) and before.dtype.kind in "biuf":
        numbers, others = before.to_numpy(), after.to_numpy()
        return np.asarray((numbers != others) & ((numbers == numbers) | (others == others)))  # noqa: PLR0124 - NaN
    if pd.api.types.is_numeric_dtype(before):
        numbers, others = (some.to_numpy(np.float64, na_value=np.nan) for some in (before, after))
        return np.asarray((numbers != others) & ~(np.isnan(numbers) & np.isnan(others)))
    if isinstance(before.dtype, pd.CategoricalDtype) and before.dtype == after.dtype:
        return np.asarray(before.cat.codes.to_numpy() != after.cat.codes.to_numpy())
    one, other = before.astype(object).to_numpy(), after.astype(object).to_numpy()
    return np.asarray((one != other) & ~(pd.isna(one) & pd.isna(other)), dtype=bool)


def _moment(moment: datetime) -> np.datetime64:
    return np.datetime64(moment, "us")


def _joined(parts: list[NDArray[Any]], name: str) -> pa.Array:
    values = np.concatenate(parts) if parts else np.empty(0, dtype=object)
    return pa.array(values, _TYPES[name], from_pandas=True)
