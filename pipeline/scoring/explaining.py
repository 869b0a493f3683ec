"""Why leads are recommended: reasons for and against in words, with their figures, and grades of fit and behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.core.time import parse_duration
from features.language.catalogue import Catalogue
from models.core.model import Model
from models.decision.claims import Claims
from models.decision.reasons import Explained, Telling, explain, grades_of
from models.explaining.contributions import Contributions
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.words import Words
from pipeline.wording.reasons import ReasonWords

_MOST_OF_BOTH = 3
UNEXPLAINED = (
    "warning: the model was learned by an earlier version, which kept no figures for reasons: none are given. Train it "
    "anew (dvc repro)"
)


@dataclass(frozen=True)
class Explainer:
    """Explains what a model says of leads at a moment (UTC), in the words of the settings."""

    model: Model
    catalogue: Catalogue
    words: Words
    policy: DecisionPolicy
    as_of: datetime
    counted: dict[str, float] = field(default_factory=lambda: {"moved": 0.0, "denied": 0.0})
    """Of what was explained so far: what stories ``moved`` in log-odds, and what of it the figures ``denied``."""

    @property
    def can_explain(self) -> bool:
        """Whether the model has the figures that reasons rest on."""
        return "claims" in self.model.reference

    def explain(self, features: pa.Table | pa.RecordBatch, rows: NDArray[np.int64]) -> dict[str, pa.Array]:
        """Give grade and reasons of the ``rows`` of a table of features, by the names of their columns.

        The other rows have none; each array is as long as the table.
        """
        length = len(features)
        if not self.can_explain or not len(rows):
            nobody = _lists(np.empty((0, 0), dtype=object), np.empty(0, dtype=np.int64), length)
            lists = dict.fromkeys(("reasons_for", "reasons_against", "reasons"), nobody)
            return {"grade": pa.nulls(length, pa.string()), **lists}
        frame = features.take(pa.array(rows)).to_pandas(split_blocks=True)
        contributions = self._contributions.of(frame)
        values = [frame[story.teller].to_numpy() for story in self.catalogue.stories]
        found = explain(contributions, values, self._tellings)
        self.counted["moved"] += found.moving
        self.counted["denied"] += found.denied
        speak_for, speak_against = (
            self._in_words.say(some, self.catalogue.stories, self._claims, values, self.as_of)
            for some in (found.speak_for, found.speak_against)
        )
        grades = np.full(length, None, dtype=object)
        fit, behaviour = self._parts
        grades[rows] = grades_of(contributions, fit, behaviour, self.model.reference["grades"])
        return {
            "grade": pa.array(grades, pa.string()),
            "reasons_for": _lists(speak_for, rows, length),
            "reasons_against": _lists(speak_against, rows, length),
            "reasons": _lists(_of_both(found, speak_for, speak_against), rows, length),
        }

    @cached_property
    def _contributions(self) -> Contributions:
        return Contributions(self.model)

    @cached_property
    def _claims(self) -> list[Claims]:
        claims: Mapping[str, Any] = self.model.reference["claims"]
        return [Claims.of(claims, story.teller) for story in self.catalogue.stories]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {column: place for place, column in enumerate(self.model.columns)}

    @cached_property
    def _tellings(self) -> list[Telling]:
        return [
            Telling([self._places[column] for column in story.columns], claims, story.is_amount)
            for story, claims in zip(self.catalogue.stories, self._claims, strict=True)
        ]

    @cached_property
    def _parts(self) -> tuple[list[int], list[int]]:
        """The places of the columns of fit, and of behaviour."""
        fit = [self._places[column] for story in self.catalogue.stories if story.is_fit for column in story.columns]
        acts = (story for story in self.catalogue.stories if story.feature is not None)
        return fit, [self._places[column] for story in acts for column in story.columns]

    @cached_property
    def _in_words(self) -> ReasonWords:
        horizon = parse_duration(self.model.manifest["horizon"])
        return ReasonWords(self.words.language, self.words.labels, horizon, ZoneInfo(self.policy.time_zone))


def _lists(texts: NDArray[np.object_], rows: NDArray[np.int64], length: int) -> pa.ListArray:
    """Give ``length`` lists of texts: those of the ``rows``, of shape (rows, most) but for None; empty ones between."""
    is_one = pd.notna(texts)
    counts = np.zeros(length + 1, dtype=np.int32)
    counts[rows + 1] = is_one.sum(axis=1)
    return pa.ListArray.from_arrays(pa.array(counts.cumsum(dtype=np.int32)), pa.array(texts[is_one], pa.string()))


def _of_both(
    found: Explained, speak_for: NDArray[np.object_], speak_against: NDArray[np.object_]
) -> NDArray[np.object_]:
    """Take the strongest of those for and against, behind a word that says which."""
    texts = np.concatenate([speak_for, speak_against], axis=1)
    effects = np.concatenate([found.speak_for.effects, found.speak_against.effects], axis=1)
    order = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :_MOST_OF_BOTH]
    chosen = np.take_along_axis(texts, order, axis=1)
    is_one = pd.notna(chosen)
    rises = np.take_along_axis(effects, order, axis=1)[is_one] > 0.0
    chosen[is_one] = np.where(rises, "raises: ", "lowers: ").astype(object) + chosen[is_one]
    return np.asarray(chosen)
